//! S28: no token, code, verifier or client secret in what any command says, however much it's asked to say, nor in what the
//! programs that it starts are given.

use super::granted;
use crate::support::leaks::{PREFIXES, files, holds};
use crate::support::proxy::Proxy;
use crate::support::{Rig, Run, admin, register};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Every tool that logs in Rust is told to tell all.
const LOUD: [(&str, &str); 4] = [
    ("RUST_LOG", "trace"),
    ("RUST_BACKTRACE", "full"),
    ("G_MESSAGES_DEBUG", "all"),
    ("SSLKEYLOGFILE", "keys"),
];

fn loud(rig: &Rig, arguments: &[&str]) -> Run {
    let mut command = rig.command(arguments);
    command.envs(LOUD).env("TMPDIR", rig.elsewhere("temporary")).current_dir(rig.home());
    Run::of(command.output().unwrap())
}

/// A program that writes down its arguments, environment and standard input, and then does what another one does.
fn noting(rig: &Rig, name: &str, then: &str) -> String {
    let script = rig.elsewhere(name);
    let notes = rig.elsewhere("notes");
    fs::create_dir_all(&notes).unwrap();
    let notes = format!("{}/{name}.$$", notes.display());
    let text = format!(
        "#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ > {notes}\nreadlink /proc/$$/fd/* >> {notes}\n{then}\n"
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script.display().to_string()
}

fn tokens(rig: &Rig, secrets: &mut Vec<String>) {
    if let Some(granted) = rig.live("L-1") {
        secrets.push(granted.access.expose().to_owned());
        secrets.extend(granted.refresh.map(|it| it.expose().to_owned()));
    }
}

#[track_caller]
fn clean(secrets: &[String], what: &str, bytes: &[u8]) {
    for secret in secrets.iter().map(String::as_str).chain(PREFIXES) {
        assert!(!holds(bytes, secret), "{what} holds {secret}:\n{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn nothing_shows_in_any_command_at_any_verbosity() {
    let mut looked = 0;
    // CI asks for the most; BIOTRACK_TEST_ALL=1 for each.
    let verbosities: &[&str] = if super::all() { &["-v", "-vv", "-vvv"] } else { &["-vvv"] };
    for &verbosity in verbosities {
        let rig = Rig::new();
        fs::create_dir(rig.elsewhere("temporary")).unwrap();
        let hook = noting(&rig, "hook", "cat >> /dev/null");
        let browser = noting(&rig, "browser", &format!("exec {} \"$@\"", admin()));
        let config = fs::read_to_string(rig.file("config.toml")).unwrap();
        let hooks = ["due", "expired", "granted", "failed", "deactivated"];
        let hooks: String = hooks.map(|it| format!("{it} = \"{hook}\"\n")).concat();
        // The proxy adds to the profile, which must stay the last table.
        let (before, profile) = config.split_at(config.find("[profiles.").unwrap_or(0));
        fs::write(rig.file("config.toml"), format!("{before}[hooks]\n{hooks}\n{profile}")).unwrap();
        let proxy = Proxy::of(&rig);
        let mut secrets = Vec::new();
        let exchange = |secrets: &mut Vec<String>, arguments: &[&str]| {
            let mut command = rig.command(arguments);
            command.envs(LOUD).env("TMPDIR", rig.elsewhere("temporary"));
            let child = command.spawn().unwrap();
            let seen = proxy.seen.recv().unwrap();
            secrets.extend(seen.secrets());
            proxy.go.send(()).unwrap();
            Run::of(child.wait_with_output().unwrap()).exits(0)
        };
        let mut runs = vec![exchange(&mut secrets, &register("L-1", &[verbosity, "--browser", &browser]))];
        runs.push(exchange(&mut secrets, &["renew", "L-1", verbosity, "--browser", &browser]));
        tokens(&rig, &mut secrets);
        let recipient = runs_recipient(&rig);
        let bundle = rig.elsewhere("bundle.age");
        for arguments in [
            &["status"][..],
            &["status", "L-1"],
            &["status", "--json"],
            &["status", "--check"],
            &["status", "--format", "ics"],
            &["status", "--format", "prometheus"],
            &["history"],
            &["history", "verify"],
            &["export"],
            &["export", "--format", "json"],
            &[
                "export",
                "--with-secrets",
                "--backup",
                "--recipient",
                &recipient,
                "--output",
                bundle.to_str().unwrap(),
            ],
            &["import", bundle.to_str().unwrap(), "--dry-run"],
            &["import", bundle.to_str().unwrap(), "--yes"],
            &["remind"],
            &["doctor"],
            &["doctor", "--json"],
            &["config", "show", "--origin"],
            &["config", "check"],
            &["config", "path"],
            &["config", "recipients", "list"],
            &["renew", "L-1", "--no-wait"],
            &["renew", "L-1", "--no-wait", "--json"],
            &["renew", "--due", "--dry-run"],
            &["register", "--ubi", "604001", "--license", "L-2", "--username", "b@c.example", "--no-wait"],
            &["status", "--online"],
            &["exec", "L-1", "--", "true"],
            &["deactivate", "L-1", "--dry-run"],
            &["deactivate", "L-1", "--yes"],
            &["man"],
            &["completions", "bash"],
        ] {
            let mut arguments = arguments.to_vec();
            arguments.insert(1, verbosity);
            let run = loud(&rig, &arguments);
            assert!(!run.err.contains("panicked"), "{run:?}");
            runs.push(run);
        }
        for run in &runs {
            clean(&secrets, "standard output", run.out.as_bytes());
            clean(&secrets, "standard error", run.err.as_bytes());
            looked += 1;
        }
        let notes = files(&rig.elsewhere("notes"));
        for name in ["hook.", "browser."] {
            let of_it =
                |path: &&std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(name);
            assert!(notes.iter().filter(of_it).count() >= 2, "{name} of {notes:?}");
        }
        for file in notes.iter().chain(&files(&rig.elsewhere("temporary"))).chain([&bundle]) {
            clean(&secrets, &file.display().to_string(), &fs::read(file).unwrap());
            looked += 1;
        }
        rig.keeps_secrets(&secrets);
        // Code, verifier, client secret and two tokens, twice, and the two that live.
        assert_eq!(secrets.len(), 12);
    }
    assert!(looked >= 38 * verbosities.len(), "{looked} outputs and files");
}

fn runs_recipient(rig: &Rig) -> String {
    let list = rig.run(&["config", "recipients", "list", "--json"]).exits(0).json();
    list["recipients"][0]["recipient"].as_str().unwrap().to_owned()
}

#[test]
fn token_and_exec_hand_the_access_token_to_whom_it_is_for_and_to_nobody_else() {
    let rig = granted(&["L-1"]);
    fs::create_dir(rig.elsewhere("temporary")).unwrap();
    let live = rig.live("L-1").unwrap();
    let (access, refresh) = (live.access.expose().to_owned(), live.refresh.unwrap().expose().to_owned());
    for form in ["raw", "header", "json"] {
        let run = loud(&rig, &["token", "-vvv", "L-1", "--format", form]).exits(0);
        assert!(run.out.contains(&access) && !run.out.contains(&refresh), "{form}");
        clean(&[access.clone(), refresh.clone()], "standard error", run.err.as_bytes());
    }
    let run = loud(&rig, &["exec", "-vvv", "L-1", "--", "sh", "-c", "cat /proc/$$/cmdline /proc/$$/environ"])
        .exits(0);
    assert!(run.out.contains(&access) && !run.out.contains(&refresh));
    clean(&[access, refresh], "standard error", run.err.as_bytes());
    rig.keeps_secrets(&[]);
}
