//! S57: wherever temporary files belong, nothing of the program listens but the port that the browser comes back to.

use super::{get, granted, send, status};
use crate::support::asked::Asked;
use crate::support::{Rig, register};
use std::fs;

/// The ports at which a process listens, of either family.
fn listens_at(process: u32) -> Vec<u16> {
    let links = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let held: Vec<_> = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok()).collect();
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let socket = format!("socket:[{}]", fields[9]);
            if fields[3] == "0A" && held.iter().any(|it| it.as_os_str() == socket.as_str()) {
                found.push(u16::from_str_radix(fields[1].rsplit_once(':').unwrap().1, 16).unwrap());
            }
        }
    }
    found
}

#[test]
fn whatever_tmpdir_says_only_the_redirects_port_listens() {
    let rig = Rig::new();
    let long = rig.elsewhere(&"x".repeat(200));
    fs::create_dir(&long).unwrap();
    let file = rig.elsewhere("file");
    fs::write(&file, "").unwrap();
    // Not even root writes into the second.
    let places =
        [long.clone(), "/proc/sys".into(), rig.elsewhere("missing"), file, "".into(), "relative".into()];
    for (nth, place) in places.iter().enumerate() {
        let license = format!("L-{nth}");
        let mut command = rig.command(&register(&license, &["--no-browser"]));
        command.env("TMPDIR", place).env("XDG_RUNTIME_DIR", place);
        let asked = Asked::by(&mut command);
        assert_eq!(listens_at(asked.id()), [asked.port()], "{}", place.display());
        let back = granted(&asked.address);
        let target = format!("/callback?{}", back.query().unwrap());
        assert_eq!(status(&send(asked.port(), &get(back.authority(), &target))), 200);
        asked.ended().exits(0);
    }
    assert_eq!(fs::read_dir(&long).unwrap().count(), 0);
}
