//! S56, S57: wherever temporary files belong, nothing of the program listens but the port that the browser comes back to, and
//! a crowd at that port finds limits there: no thread is made for a connection.

use super::{get, granted, send, status};
use crate::support::asked::Asked;
use crate::support::{Rig, register};
use std::fs;
use std::io::Write;
use std::net::TcpStream;

/// The lines of these tables of the kernel that are a process's sockets.
fn sockets(process: u32, tables: &[&str], inode: usize) -> Vec<Vec<String>> {
    let links = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let held: Vec<_> = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok()).collect();
    let mut found = Vec::new();
    for table in tables {
        for line in fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default().lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            let socket = format!("socket:[{}]", fields[inode]);
            if held.iter().any(|it| it.as_os_str() == socket.as_str()) {
                found.push(fields);
            }
        }
    }
    found
}

/// The ports at which a process listens, of either family.
fn listens_at(process: u32) -> Vec<u16> {
    let listening = sockets(process, &["tcp", "tcp6"], 9).into_iter().filter(|fields| fields[3] == "0A");
    listening.map(|fields| u16::from_str_radix(fields[1].rsplit_once(':').unwrap().1, 16).unwrap()).collect()
}

/// Whether a process listens at a socket of the file system, or at an abstract one.
fn listens_beside(process: u32) -> bool {
    let accepts = |flags: &String| u32::from_str_radix(flags, 16).unwrap() & 0x10000 != 0;
    sockets(process, &["unix"], 6).iter().any(|fields| accepts(&fields[3]))
}

fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task")).unwrap().count()
}

/// Connections that say nothing, say half, or ask and don't take their answer.
fn crowd(port: u16, host: &str) -> Vec<TcpStream> {
    let whole = get(host, "/favicon.ico");
    let says = [&b""[..], &whole[..20], &whole];
    let open = |nth: usize| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // It may have been ended already, to make room.
        let _ = stream.write_all(says[nth % 3]);
        stream
    };
    (0..600).map(open).collect()
}

#[test]
fn whatever_tmpdir_says_only_the_redirects_port_listens_and_in_few_threads() {
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
        let back = granted(&asked.address);
        let before = threads(asked.id());
        let crowd = crowd(asked.port(), back.authority());
        // Answered, so all that came before it is at the listener.
        assert_eq!(status(&send(asked.port(), &get(back.authority(), "/"))), 404);
        let now = threads(asked.id());
        assert!(now <= before, "{now} threads in a crowd, {before} before");
        assert_eq!(listens_at(asked.id()), [asked.port()], "{}", place.display());
        assert!(!listens_beside(asked.id()), "{}", place.display());
        let target = format!("/callback?{}", back.query().unwrap());
        assert_eq!(status(&send(asked.port(), &get(back.authority(), &target))), 200);
        asked.ended().exits(0);
        drop(crowd);
    }
    assert_eq!(fs::read_dir(&long).unwrap().count(), 0);
}
