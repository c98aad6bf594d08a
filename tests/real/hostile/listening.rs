//! The same at `listen`, which takes many admins' answers: hostile ones have no effect, and each true one has its own.

use super::{get, granted, is_guarded, is_harmless, parameter, send, status};
use crate::support::proxy::Proxy;
use crate::support::{Rig, Run, register, send as signal};
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use url::Url;

const PUBLIC: &str = "https://auth.example.com/callback";
const HOST: &str = "auth.example.com";

/// The listening program; it ends with the test.
struct Listening(Child);

impl Drop for Listening {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn link(rig: &Rig, license: &str) -> Url {
    granted(rig.run(&register(license, &["--no-wait", "-q"])).exits(0).out.trim_end())
}

#[test]
fn no_stranger_has_an_effect_at_the_public_address_either() {
    let rig = Rig::new();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    let exchanged = Proxy::lossy(&rig, 0);
    let (first, second) = (link(&rig, "L-1"), link(&rig, "L-2"));
    let mut listen = Listening(rig.start(&["listen", "--port", "0"]));
    let mut said = BufReader::new(listen.0.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.split_whitespace().nth(2).unwrap();
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();

    let (code, state, iss) =
        (parameter(&first, "code"), parameter(&first, "state"), parameter(&first, "iss"));
    let true_one = format!("/callback?{}", first.query().unwrap());
    let query = |code: &str, state: &str| format!("/callback?code={code}&state={state}&iss={iss}");
    let mut tries: Vec<(String, String, &[u16])> = Vec::new();
    for state in [
        "",
        "wrong",
        &state[1..],
        &state.to_uppercase(),
        &format!("{state}%00"),
        &format!("{state}&state={state}"),
        &format!("{state}A"),
        "%3Cscript%3E",
        "%0d%0aSet-Cookie:x",
        "' OR 1=1--",
        &"A".repeat(8_000),
    ] {
        let target = query(&code, state);
        tries.push((HOST.into(), target.replace(' ', "+"), &[400]));
        tries.push((
            HOST.into(),
            format!("/callback?error=access_denied&state={}", state.replace(' ', "+")),
            &[400],
        ));
    }
    for path in ["/", "//callback", "/CALLBACK", "/callback%2f", "/callback/x", "/./callback", "/callback;x"]
    {
        tries.push((HOST.into(), true_one.replace("/callback", path), &[400, 404]));
    }
    for host in [
        "evil.example",
        "auth.example.com.evil.example",
        "auth.example.com.",
        "auth.example.com:1",
        "127.0.0.1",
        "user@auth.example.com",
        "auth.example.com, evil.example",
        "",
        address,
        "localhost",
    ] {
        tries.push((host.into(), true_one.clone(), &[421]));
    }
    let counted = std::cell::Cell::new(0);
    // Each comes from somewhere else, so that nobody is slowed down.
    let from = |bytes: Vec<u8>| {
        counted.set(counted.get() + 1);
        let source = format!("X-Forwarded-For: 192.0.2.{}\r\nAccept", counted.get());
        String::from_utf8(bytes).unwrap().replacen("Accept", &source, 1).into_bytes()
    };
    for (host, target, statuses) in &tries {
        let answer = send(port, &from(get(host, target)));
        assert!(statuses.contains(&status(&answer)), "{host} {target}:\n{answer}");
        is_guarded(target, &answer);
        for never in [&code, &state, "Set-Cookie", "AAAA", "OR 1=1"] {
            assert!(!answer.contains(never), "{target}: {never} in\n{answer}");
        }
    }
    for method in ["POST", "HEAD", "OPTIONS", "PUT", "TRACE"] {
        let request = String::from_utf8(from(get(HOST, &true_one))).unwrap().replacen("GET", method, 1);
        assert_eq!(status(&send(port, request.as_bytes())), 405, "{method}");
    }
    // Each one's code under the other's state is sent by nobody: it would be the other's license.
    assert_eq!((counted.get(), exchanged.asked(), rig.counted("token_issued")), (44, 0, 0));
    for back in [&first, &second] {
        let answer = send(port, &from(get(HOST, &format!("/callback?{}", back.query().unwrap()))));
        assert!(status(&answer) == 200 && answer.contains("Access granted"), "{answer}");
    }
    assert_eq!((exchanged.asked(), rig.counted("token_issued")), (2, 2));
    signal("TERM", &listen.0);
    let (mut err, mut out) = (line, String::new());
    said.read_to_string(&mut err).unwrap();
    listen.0.stdout.as_mut().unwrap().read_to_string(&mut out).unwrap();
    let run = Run { code: listen.0.wait().unwrap().code().unwrap_or(-1), out, err };
    is_harmless("listen", &run);
    run.exits(0);
}
