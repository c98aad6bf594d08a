//! `remind` and the hooks, as cron meets them.

use crate::support::Rig;
use crate::support::crowd::{Crowd, Will};
use crate::support::seed::store;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A hook that appends what it gets to a file.
fn hook(rig: &Rig, name: &str) -> String {
    let script = rig.file(name);
    fs::write(&script, "#!/bin/sh\ncat >>\"$0.got\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script.display().to_string()
}

fn got(rig: &Rig, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(rig.file(&format!("{name}.got"))).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn configure(rig: &Rig, hooks: &str) {
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[hooks]\n{hooks}\n")).unwrap();
}

#[test]
fn a_hook_that_hangs_is_stopped_with_all_that_it_started() {
    let rig = Rig::with_lifetime("6d");
    configure(&rig, "due = \"sh -c 'sleep 1000 & wait'\"\ntimeout = \"1s\"");
    rig.register("L-1").exits(0);
    rig.run(&["remind"]).exits(1).says("took longer than 1 s");
}

#[test]
fn in_a_run_each_grant_is_told_of_while_the_run_goes_on() {
    let rig = Rig::new();
    configure(&rig, &format!("granted = \"{}\"", hook(&rig, "granted")));
    rig.seed(&[store("L-1", "2026-01-01T00:00:00Z"), store("L-2", "2026-01-01T00:00:00Z")]);
    let crowd = Crowd::of(1, |asked| if asked.license == "L-1" { Will::Grant } else { Will::Ignore });
    let mut run = rig.start(&["renew", "--all", "--browser", &crowd.browser()]);
    rig.until(|| fs::read_to_string(rig.file("granted.got")).is_ok_and(|text| text.ends_with('\n')));
    assert_eq!(got(&rig, "granted")[0]["license"], "L-1");
    assert!(run.try_wait().unwrap().is_none(), "the run goes on");
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_hook_mails_through_a_shell_and_a_pipe_without_one_is_refused() {
    let rig = Rig::with_lifetime("6d");
    rig.register("L-1").exits(0);
    // mailx as it is, with a script where it has its mail server.
    let (server, settings, mailed) = (rig.file("server"), rig.file("mailrc"), rig.file("mailed"));
    fs::write(&server, format!("#!/bin/sh\ncat >'{}'\n", mailed.display())).unwrap();
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&settings, format!("set sendmail={}\n", server.display())).unwrap();
    let mail = format!("echo due soon | MAILRC={} mail -n -s due ops@example.com", settings.display());
    let config = fs::read_to_string(rig.file("config.toml")).unwrap();
    configure(&rig, &format!("due = \"{mail}\""));
    let refused = rig.run(&["remind"]).exits(2);
    let instead = refused.err.split_once("run a shell: ").unwrap().1.trim().to_owned();
    fs::write(rig.file("config.toml"), config).unwrap();
    configure(&rig, &format!("due = {}", toml::Value::from(instead)));
    rig.run(&["remind"]).exits(0);
    rig.until(|| fs::read_to_string(&mailed).is_ok_and(|mail| mail.contains("due soon")));
    assert!(fs::read_to_string(&mailed).unwrap().contains("Subject: due"));
}
