//! A link that one host makes is finished by the host that listens.

use super::Team;
use crate::hostile::granted;
use crate::support::send as signal;
use crate::support::team::shared;
use crate::support::{outside, register};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// What curl gets at a listener of the second host, past its proxy.
fn while_the_second_listens(team: &Team, meanwhile: impl FnOnce(&dyn Fn(&str) -> String)) {
    let mut listen = team.command(1, &["listen", "--port", "0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(listen.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let port = line.split_whitespace().nth(2).unwrap_or_else(|| panic!("{line}")).rsplit(':').next().unwrap();
    meanwhile(&|target| {
        let address = format!("http://127.0.0.1:{port}{target}");
        let got = outside("curl").args(["-s", "-H", "Host: auth.example.com", &address]).output().unwrap();
        String::from_utf8(got.stdout).unwrap()
    });
    signal("TERM", &listen);
    assert!(listen.wait().unwrap().success());
}

#[test]
fn a_link_that_one_host_made_is_finished_by_the_one_that_listens() {
    let team = Team::of(shared(), 2);
    for host in 0..2 {
        let config = team.home(host).join("config.toml");
        let text = fs::read_to_string(&config).unwrap();
        let public = "redirect.public_url = \"https://auth.example.com/callback\"";
        fs::write(&config, format!("{text}\n{public}\n")).unwrap();
    }
    let link = |license: &str| {
        let link = team.run(0, &register(license, &["--no-wait", "-q"])).exits(0).out;
        let back = granted(link.trim_end());
        format!("{}?{}", back.path(), back.query().unwrap())
    };
    let before = link("L-1");
    while_the_second_listens(&team, |asks| {
        let page = asks(&before);
        assert!(page.contains("can't accept the answer to this link"), "{page}");
        let page = asks(&link("L-2"));
        assert!(page.contains("Access granted"), "{page}");
    });
    assert_eq!(team.rig.counted("token_issued"), 1);
    // Both read the grant, and the first one's link waits on.
    assert_eq!(team.run(0, &["token", "L-2"]).exits(0).out, team.run(1, &["token", "L-2"]).exits(0).out);
    team.run(0, &["complete", &format!("https://auth.example.com{before}")]).exits(0);
    assert_eq!(team.rig.counted("token_issued"), 2);
}
