//! `sandbox`, in this process: the demo's whole story, made-up records, and what is refused.

use crate::rig::{Done, Person, Rig};
use crate::snapshot;

/// Without the name of the demo's own home.
fn without_its_home(done: Done) -> Done {
    const BEGIN: &str = "biotrack-auth-demo-";
    let shown = |text: &str| {
        let line = |line: &str| match line.find(BEGIN) {
            Some(at) => {
                let folder = line[..at].rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
                let rest = line[at..].find(['/', '\\']).map_or("", |slash| &line[at + slash..]);
                format!("{}[DEMO]{}\n", &line[..folder], rest.replace('\\', "/"))
            }
            // Commands to paste have other quotes on Windows.
            None if cfg!(windows) && line.starts_with("$ ") => format!("{}\n", line.replace('"', "'")),
            None => format!("{line}\n"),
        };
        text.lines().map(line).collect::<String>()
    };
    Done { out: shown(&done.out), err: shown(&done.err), ..done }
}

#[test]
fn the_demo_tells_the_whole_story_and_leaves_nothing() {
    let rig = Rig::bare();
    rig.reaches_the_sandbox();
    snapshot!(without_its_home(rig.run("sandbox demo --auto")));
    assert_eq!(std::fs::read_dir(rig.home()).unwrap().count(), 0);
}

#[test]
fn seeded_records_are_in_every_state_and_made_once() {
    let rig = Rig::new();
    snapshot!("seeded", rig.run("sandbox seed 20"));
    snapshot!("seeded_once_more_as_json", rig.run("sandbox seed 21 --json"));
    snapshot!("seeded_as_it_shows", rig.with(Person::watching().with_columns(120)).run("status"));
    rig.run("history verify").exits(0);
}

#[test]
fn made_up_records_belong_to_the_stand_in_alone() {
    let rig = Rig::bare();
    let ny = "config init --preset ny --vault sealed --url https://ny.example --client-id me --company C --application A";
    rig.run(ny).exits(0);
    snapshot!("not_the_stand_in", rig.run("sandbox seed 5"));
    snapshot!("none_at_all", rig.run("sandbox seed 0"));
    snapshot!("no_number", rig.run("sandbox seed many"));
}

#[test]
fn what_it_cannot_serve_is_refused() {
    let rig = Rig::bare();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = rig.run(&format!("sandbox serve --port {port}")).exits(2);
    assert_eq!(
        refused.err.replace(&port.to_string(), "[PORT]"),
        "error: the sandbox can't listen on port [PORT], which is in use\n  Stop the program that uses it, or remove --port to use any free port.\n"
    );
    snapshot!("no_such_kind", rig.run("sandbox serve --fail purple"));
    snapshot!("no_such_share", rig.run("sandbox serve --fail denied:200%"));
    snapshot!("no_such_lifetime", rig.run("sandbox serve --lifetime long"));
}
