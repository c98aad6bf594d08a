//! S53: another local user, made by `useradd`, reads every process's arguments while a command waits, and tries what stands
//! there. The tests run as root, here and in CI: only root can make users, and run something as one.

use super::{get, granted, is_guarded, send, status};
use crate::support::{Rig, Run, outside, register};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use url::Url;

const ATTACK: &str = include_str!("neighbor.py");
const FLOOD: &str = include_str!("neighbor_flood.py");

/// Another user of this machine, gone when dropped.
pub(super) struct Neighbor(String);

impl Neighbor {
    pub(super) fn moves_in() -> Self {
        static NTH: AtomicU32 = AtomicU32::new(0);
        let name = format!("neighbor{}-{}", std::process::id(), NTH.fetch_add(1, Ordering::Relaxed));
        let made =
            outside("useradd").args(["--no-create-home", "--shell", "/bin/sh", &name]).output().unwrap();
        assert!(made.status.success(), "this test runs as root: {}", String::from_utf8_lossy(&made.stderr));
        Self(name)
    }

    /// A script of theirs, in Python.
    pub(super) fn python(&self, arguments: &[&str]) -> Command {
        let mut command = outside("runuser");
        command.args(["-u", &self.0, "--", "/usr/bin/python3"]).args(arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Their number.
    pub(super) fn number(&self) -> u32 {
        let number = outside("id").args(["-u", &self.0]).output().unwrap().stdout;
        String::from_utf8(number).unwrap().trim().parse().unwrap()
    }

    /// What the attack on a port brings.
    fn attacks(&self, port: u16) -> Value {
        let mut child = self.python(&["-", &port.to_string()]).spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), ATTACK.as_bytes()).unwrap();
        Run::of(child.wait_with_output().unwrap()).exits(0).json()
    }
}

impl Drop for Neighbor {
    fn drop(&mut self) {
        let _ = outside("userdel").arg(&self.0).output();
    }
}

/// Starts a registration whose browser keeps its address among its arguments until the second of these is removed, and
/// hasn't gone there yet: the address.
fn asks(rig: &Rig) -> (Child, PathBuf, Url) {
    let (browser, noted) = (rig.elsewhere("browser"), rig.elsewhere("noted"));
    let script = format!(
        "#!/bin/sh\nprintf %s \"$1\" > {0}.new\nmv {0}.new {0}\nwhile [ -e {0} ]; do sleep 0.1; done\n",
        noted.display()
    );
    std::fs::write(&browser, script).unwrap();
    std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).unwrap();
    let child = rig.start(&register("L-1", &["--browser", browser.to_str().unwrap(), "--timeout", "60s"]));
    rig.until(|| noted.exists());
    let address = Url::parse(&std::fs::read_to_string(&noted).unwrap()).unwrap();
    (child, noted, address)
}

#[test]
fn as_root_another_user_who_reads_all_arguments_gets_nothing_and_takes_nothing() {
    let (rig, neighbor) = (Rig::new(), Neighbor::moves_in());
    let (child, noted, address) = asks(&rig);
    let (port, path) = (address.port().unwrap(), address.path().to_owned());

    let found = neighbor.attacks(port);
    assert_eq!(found["found"], serde_json::json!([address.as_str()]), "{found}");
    assert_eq!(found["with_state"], serde_json::json!([]), "{found}");
    for head in found["launched"].as_array().unwrap() {
        let head = head.as_str().unwrap();
        assert!(head.starts_with("HTTP/1.1 403 ") && !head.contains("Location"), "{head}");
    }
    assert_eq!(found["posted"], serde_json::json!(["405"]), "{found}");
    assert_eq!(found["forged"], serde_json::json!(["400"]), "{found}");

    // What looks at it without a person doesn't take it either.
    let head = get(address.authority(), &path);
    let with = |more: &str| String::from_utf8(head.clone()).unwrap().replace("Accept: */*", more);
    assert_eq!(status(&send(port, &with("Sec-Purpose: prefetch;prerender").into_bytes())), 503);
    assert_eq!(status(&send(port, &with("Purpose: prefetch").into_bytes())), 503);
    let looked = String::from_utf8(head.clone()).unwrap().replace("GET ", "HEAD ");
    assert_eq!(status(&send(port, looked.as_bytes())), 405);

    // Nor does a page of another name that was rebound to this machine, or one that posts.
    let elsewhere = get(&format!("evil.example:{port}"), &path);
    assert_eq!(status(&send(port, &elsewhere)), 421);
    for origin in ["http://evil.example", "null"] {
        let posted = with(&format!("Origin: {origin}")).replace("GET ", "POST ");
        assert_eq!(status(&send(port, posted.as_bytes())), 405, "{origin}");
    }

    // The admin's own browser is led there, once, and the grant is stored.
    let led = send(port, &head);
    assert_eq!(status(&led), 303, "{led}");
    let provider = led.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().to_owned();
    let again = send(port, &head);
    assert_eq!(status(&again), 410, "{again}");
    is_guarded("the second visit", &again);
    let back = granted(&provider);
    let answer = send(port, &get(back.authority(), &format!("/callback?{}", back.query().unwrap())));
    assert_eq!(status(&answer), 200, "{answer}");
    let run = Run::of(child.wait_with_output().unwrap()).exits(0);
    std::fs::remove_file(&noted).unwrap();
    run.says("another user of this machine").says("was opened twice").says("was ignored");
    assert_eq!((rig.only()["state"].clone(), rig.counted("token_issued")), ("active".into(), 1));
}

#[test]
fn as_root_another_users_flood_of_the_address_holds_up_neither_the_launch_nor_the_answer() {
    let (rig, neighbor) = (Rig::new(), Neighbor::moves_in());
    let (child, noted, address) = asks(&rig);
    let mut flood = neighbor.python(&["-c", FLOOD, address.as_str()]).spawn().unwrap();
    let mut said = BufReader::new(flood.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "under way\n");

    let port = address.port().unwrap();
    let led = send(port, &get(address.authority(), address.path()));
    assert_eq!(status(&led), 303, "{led}");
    let provider = led.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().to_owned();
    let back = granted(&provider);
    let answer = send(port, &get(back.authority(), &format!("/callback?{}", back.query().unwrap())));
    assert_eq!(status(&answer), 200, "{answer}");
    let run = Run::of(child.wait_with_output().unwrap()).exits(0);
    std::fs::remove_file(&noted).unwrap();
    assert_eq!((rig.only()["state"].clone(), rig.counted("token_issued")), ("active".into(), 1));

    // They were refused, which was told once.
    drop(flood.stdin.take());
    let mut answered = String::new();
    said.read_to_string(&mut answered).unwrap();
    assert!(flood.wait().unwrap().success());
    let answered: Value = serde_json::from_str(&answered).unwrap();
    assert!(answered["403"].as_u64().unwrap() >= 200, "{answered}");
    // Those whom the end of the command left without an answer.
    let others = answered.as_object().unwrap().keys().filter(|status| *status != "403");
    assert!(others.clone().all(|status| status == "503"), "{answered}");
    assert_eq!(run.err.matches("another user of this machine").count(), 1, "{}", run.err);
}
