//! A home is made and killed at each call: the same command makes it.

use super::points::at_each_point;
use super::truth::Found;
use crate::support::Rig;
use std::fs;

const INIT: &[&str] =
    &["config", "init", "--preset", "local-sandbox", "--url", "http://127.0.0.1:2", "--vault", "sealed"];

/// Nothing is in the home but what the rig itself needs there.
fn empty(rig: &Rig) {
    for entry in fs::read_dir(rig.home()).unwrap() {
        let path = entry.unwrap().path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap();
    }
}

#[test]
fn config_init_is_killed_everywhere() {
    let rig = Rig::with_file(&[]);
    empty(&rig);
    let calls = rig.calls(INIT);
    at_each_point("config init", 2, &calls, |call, nth| {
        empty(&rig);
        rig.killed(call, nth, INIT).then(|| {
            let made = rig.file("config.toml").exists();
            // What is configured isn't made again.
            rig.run(INIT).exits(if made { 2 } else { 0 });
            rig.run(&["config", "recipients", "list"]).exits(0);
            if made { Found::Done } else { Found::Before }
        })
    });
}
