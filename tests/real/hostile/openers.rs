//! S24–S26: what reaches the program that opens an address, and what becomes of one that is hostile, missing, failing
//! or hanging.

use super::{get, granted, is_harmless, send, status};
use crate::support::scripted::{Answer, Scripted, whole};
use crate::support::{Rig, Run, register};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

/// A browser that only notes its arguments, each ended by NUL; it notes nothing where it isn't started.
fn noting(rig: &Rig) -> (PathBuf, PathBuf) {
    let (browser, noted) = (rig.elsewhere("browser"), rig.elsewhere("noted"));
    let script =
        format!("#!/bin/sh\nprintf '%s\\0' \"$0\" \"$@\" > {0}.new\nmv {0}.new {0}\n", noted.display());
    std::fs::write(&browser, script).unwrap();
    std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).unwrap();
    (browser, noted)
}

/// A rig whose authorize address is whatever the metadata name.
fn announcing() -> (Rig, Scripted) {
    let (rig, metadata) = (Rig::unconfigured(&[]), Scripted::start());
    let init = ["config", "init", "--preset", "generic", "--client-id", "c", "--vault", "sealed", "--issuer"];
    rig.run(&[&init[..], &[metadata.address()]].concat()).exits(0);
    rig.adds_to_profile("client_auth = \"none\"");
    (rig, metadata)
}

fn says(metadata: &Scripted, authorize: &str) {
    let body = serde_json::json!({
        "issuer": metadata.address(),
        "authorization_endpoint": authorize,
        "token_endpoint": format!("{}/token", metadata.address()),
    });
    metadata.says(Answer::Bytes(whole("200 OK\r\ncontent-type: application/json", body.to_string())));
}

/// Addresses that no opener may see.
fn bad(canary: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "about:blank",
        "ftp://a.example/",
        "smb://a.example/x",
        "ssh://-oProxyCommand=x/",
        "mailto:a@b.example",
        "ms-settings:x",
        "view-source:https://a.example/",
        "blob:https://a.example/x",
        "ws://127.0.0.1/",
        "intent://x#Intent;end",
        "\\\\host\\share",
        "//host/share",
        "/etc/passwd",
        "\\\\?\\C:\\x",
        "C:\\Windows\\x",
        "file:\\\\host\\x",
        "-h",
        "--help",
        "--version",
        "-https://a.example/",
        "https:/\\a.example/",
        "https:\\\\a.example",
        "http://a.example/",
        "http://127.0.0.1.a.example/",
        "http://localhost.a.example/",
        "http://127.0.0.1@a.example/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://169.254.169.254/",
        "http://localhost./",
        "http://127.0.0.2/",
        "https://user:pw@a.example/",
        "https://user@a.example/",
        "https://:pw@a.example/",
        "https://a.example@b.example/",
        "https://a.example/ x",
        " https://a.example/",
        "https://a.example/\n",
        "https://a.example/\r\nX: y",
        "https://a.example/\t",
        "https://a.example/\u{0}",
        "https://a.example/\u{1b}]52;c;aGk=\u{7}",
        "https://a.example/\u{9b}2J",
        "https://a.example/\u{202e}",
        "https://a.example/\u{a0}",
        "https://a.exämple/é",
        "https://a.example/\"&calc&\"",
        "https://a.example/'x'",
        "https://a.example/<x>",
        "https://a.example/^x",
        "https://a.example/{x}",
        "https://a.example/|x",
        "https://",
        "https:",
        "https://[x",
        "https://a.example:99999/",
        "",
        "x",
    ]
    .map(str::to_owned)
    .into();
    for shell in [
        "`touch CANARY`",
        "$(touch CANARY)",
        "\";touch CANARY;\"",
        "| touch CANARY",
        "&& touch CANARY",
        "\ntouch CANARY\n",
    ] {
        all.push(format!("https://a.example/{}", shell.replace("CANARY", canary)));
    }
    all
}

#[test]
fn what_no_opener_may_see_reaches_none() {
    let (rig, metadata) = announcing();
    let (browser, noted) = noting(&rig);
    let canary = rig.elsewhere("canary");
    let tries = bad(canary.to_str().unwrap());
    assert_eq!(tries.len(), 70);
    for address in &tries {
        says(&metadata, address);
        let arguments = register("L-1", &["--browser", browser.to_str().unwrap(), "--timeout", "1s"]);
        let run = rig.run(&arguments).answers_nothing();
        assert!([2, 8].contains(&run.code), "{address:?}: {run:?}");
        is_harmless(address, &run);
        assert!(!noted.exists(), "{address:?} reached {:?}", std::fs::read_to_string(&noted));
        assert!(!canary.exists(), "{address:?} was run");
        assert_eq!(rig.status()["summary"]["total"], 0, "{address:?}");
    }
}

#[test]
fn the_same_in_the_configuration_is_refused_where_it_stands() {
    let rig = Rig::new();
    let (browser, noted) = noting(&rig);
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let canary = rig.elsewhere("canary");
    let mut tried = 0;
    for address in bad(canary.to_str().unwrap()) {
        let quoted = toml_text(&address);
        std::fs::write(&config, format!("{text}\nauthorize_url = {quoted}\n")).unwrap();
        let run = rig.run(&register("L-1", &["--browser", browser.to_str().unwrap(), "--timeout", "1s"]));
        tried += 1;
        is_harmless(&address, &run);
        // What a name server or a URL's own rules make harmless may pass the configuration; then the opener's own look
        // ends it, and the person has the address before them; where nobody is at the address, that is told before.
        assert!([2, 5, 8].contains(&run.code), "{address:?}: {run:?}");
        assert!(!noted.exists(), "{address:?} reached {:?}", std::fs::read_to_string(&noted));
        assert!(!canary.exists(), "{address:?} was run");
    }
    assert_eq!(tried, 70);
}

fn toml_text(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[test]
fn what_may_be_opened_is_one_argument_whatever_it_holds() {
    let (rig, metadata) = announcing();
    let (browser, noted) = noting(&rig);
    let canary = rig.elsewhere("canary");
    for more in [
        "",
        "?a=b;c",
        "?x=$(touch%20CANARY)",
        "?x=%0atouch%20CANARY",
        "?x=%00",
        "?a=1&b=2",
        "?x=%22%26calc",
        "?x=$HOME",
        "?x=*",
        "?x=~",
        "?x=!!",
    ] {
        let more = more.replace("CANARY", canary.to_str().unwrap());
        says(&metadata, &format!("{}/oauth{more}", rig.sandbox().address()));
        let _ = std::fs::remove_file(&noted);
        let command = format!("{} --new-tab", browser.display());
        let run = rig.run(&register("L-1", &["--browser", &command, "--timeout", "1s"])).exits(5);
        is_harmless(&more, &run);
        rig.until(|| noted.exists());
        let noted = std::fs::read_to_string(&noted).unwrap();
        let arguments: Vec<_> = noted.trim_end_matches('\0').split('\0').skip(1).collect();
        assert!(arguments.len() == 2 && arguments[0] == "--new-tab", "{arguments:?}");
        // And what it is, has nothing of the provider's address in it.
        let path = arguments[1].strip_prefix("http://127.0.0.1:").and_then(|it| it.split_once("/launch/"));
        let secret = path.map_or("", |(_, secret)| secret);
        assert!(secret.len() == 64 && secret.bytes().all(|it| it.is_ascii_hexdigit()), "{arguments:?}");
        assert!(!canary.exists(), "{more:?} was run");
    }
}

/// Registers with this in `$BROWSER` and somebody at the terminal; the address is opened by hand.
#[track_caller]
fn goes_on(rig: &Rig, license: &str, browser: &str, path: &str) {
    let arguments = register(license, &["--no-browser"]);
    let arguments: Vec<_> = arguments.iter().filter(|word| **word != "--no-browser").collect();
    let words = shlex::try_join(arguments.iter().map(|word| **word)).unwrap();
    // A terminal of its own: without one nothing would be opened.
    let mut command = rig.command(&[]);
    let mut script = crate::support::outside("script");
    script.args(["-qec", &format!("{} {words}", crate::support::PROGRAM), "/dev/null"]);
    script.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("BROWSER", browser).env("PATH", path).env("TERM", "dumb").env("SHELL", "/bin/sh");
    command.stdin(Stdio::null());
    let mut child =
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut all = String::new();
    let address = loop {
        let mut line = String::new();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "{browser:?}:\n{all}");
        all.push_str(&line);
        if line.trim().starts_with("http://") {
            break line.trim().to_owned();
        }
    };
    let back = granted(&address);
    let answer =
        send(back.port().unwrap(), &get(back.authority(), &format!("/callback?{}", back.query().unwrap())));
    assert_eq!(status(&answer), 200, "{browser:?}:\n{answer}");
    said.read_to_string(&mut all).unwrap();
    assert!(child.wait().unwrap().success(), "{browser:?}:\n{all}");
    let state = rig.run(&["status", license, "--json"]).exits(0).json()["authorizations"][0]["state"].clone();
    assert_eq!(state, "active", "{browser:?}");
}

#[test]
fn whatever_browser_says_the_address_is_printed_and_the_flow_goes_on() {
    let rig = Rig::new();
    let canary = rig.elsewhere("canary");
    let mark = canary.display();
    // It stays in the foreground for as long as the rig is there.
    let hanging = rig.elsewhere("hanging.sh");
    std::fs::write(&hanging, "while [ -e \"$0\" ]; do sleep 0.1; done\n").unwrap();
    for (nth, browser) in [
        "/nowhere/browser".to_owned(),
        "false".into(),
        format!("sh {}", hanging.display()),
        "/etc/passwd".into(),
        "/".into(),
        ":::".into(),
        "%s".into(),
        "  ".into(),
        format!("nowhere; touch {mark}"),
        format!("$(touch {mark})"),
        format!("`touch {mark}`"),
        format!("nowhere || touch {mark}"),
        format!("true:touch {mark}"),
        "/nowhere:false:%s:sleep 1 %s".into(),
    ]
    .iter()
    .enumerate()
    {
        goes_on(&rig, &format!("L-{nth}"), browser, "/usr/bin:/bin");
        assert!(!canary.exists(), "{browser:?} was run by a shell, or after one that had started");
    }
    // And with nothing at all to open it.
    goes_on(&rig, "L-none", "", "/nowhere");
}

#[test]
fn a_browser_that_steers_the_terminal_is_refused_and_not_repeated() {
    let rig = Rig::new();
    let mut command = rig.command(&register("L-1", &[]));
    let run = Run::of(command.env("BROWSER", "\u{1b}]52;c;aGk=\u{7}").output().unwrap());
    assert!(!run.err.contains('\u{1b}'), "{run:?}");
    run.exits(2).says("the environment variable BROWSER contains a control character");
}

#[test]
fn no_secret_is_in_what_the_browser_is_told() {
    let rig = Rig::new();
    let (browser, noted) = noting(&rig);
    let proxy = crate::support::proxy::Proxy::of(&rig);
    let child = rig.start(&register("L-1", &["--browser", browser.to_str().unwrap()]));
    rig.until(|| noted.exists());
    let argv = std::fs::read_to_string(&noted).unwrap();
    let address = argv.trim_end_matches('\0').rsplit('\0').next().unwrap().to_owned();
    let back = granted(&address);
    let caught = std::thread::spawn(move || {
        send(back.port().unwrap(), &get(back.authority(), &format!("/callback?{}", back.query().unwrap())))
    });
    let seen = proxy.seen.recv().unwrap();
    proxy.go.send(()).unwrap();
    assert_eq!(seen.secrets().len(), 5);
    for secret in seen.secrets() {
        assert!(!argv.contains(&secret), "{secret} in {argv}");
    }
    caught.join().unwrap();
    Run::of(child.wait_with_output().unwrap()).exits(0);
}
