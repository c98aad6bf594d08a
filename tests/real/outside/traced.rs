//! Under strace: `status` reads the ledger and nothing else; a grant costs what it must.

use crate::support::seed::store;
use crate::support::{PROGRAM, Rig, Run, outside, register};

#[test]
fn status_opens_no_socket_and_asks_no_keyring() {
    let rig = Rig::new();
    rig.seed(&[store("L-1", "2036-03-12T12:00:00Z"), store("L-2", "2020-03-11T12:00:00Z")]);
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let (before, after) = config.split_once("vault = \"sealed\"").unwrap();
    std::fs::write(rig.file("config.toml"), format!("{before}vault = \"keyring\"{after}")).unwrap();
    let bus = rig.file("bus");
    // Whoever connects to the bus would be seen here as well.
    let listener = std::os::unix::net::UnixListener::bind(&bus).unwrap();
    listener.set_nonblocking(true).unwrap();
    let log = rig.file("strace.log");
    for arguments in [
        &["status"][..],
        &["status", "L-1"],
        &["status", "--check"],
        &["status", "--json", "--all-profiles"],
        &["status", "--format", "prometheus"],
        &["status", "--format", "ics"],
        &["status", "--due", "--quiet"],
    ] {
        let mut strace = outside("strace");
        strace.args(["-f", "-qq", "-e", "trace=%network,openat,execve", "-o"]).arg(&log).arg(PROGRAM);
        strace
            .args(arguments)
            .env_clear()
            .env("BIOTRACK_AUTH_HOME", rig.home())
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bus.display()));
        let run = Run::of(strace.output().unwrap());
        assert!(run.err.is_empty() && run.out.contains("L-"), "{arguments:?}: {run:?}");
        let calls = std::fs::read_to_string(&log).unwrap();
        assert!(calls.contains("ledger.db"), "{calls}");
        for call in ["socket", "connect", "sendto", "sendmsg", "resolv.conf", "dbus", "libsecret"] {
            let found: Vec<_> = calls.lines().filter(|line| line.contains(call)).collect();
            assert!(found.is_empty(), "{arguments:?}: {found:?}");
        }
        assert_eq!(calls.lines().filter(|line| line.contains("execve")).count(), 1, "{calls}");
    }
    assert!(listener.accept().is_err());
}

/// Once the redirect is there, the store's admin waits at a page: one commit is synced, and nothing else.
#[test]
fn after_the_redirect_one_sync_stands_between_the_admin_and_their_answer() {
    let rig = Rig::new();
    // The log of commits before it is as long as it comes.
    rig.register("L-0").exits(0);
    let log = rig.file("strace.log");
    let options = ["-o", log.to_str().unwrap(), "-e", "trace=recvfrom,sendto,fsync,fdatasync"];
    Run::of(rig.traced(&options, &register("L-1", &[])).output().unwrap()).exits(0);
    let calls = std::fs::read_to_string(&log).unwrap();
    let calls: Vec<_> = calls.lines().collect();
    let of = |call: &str, words: &str| {
        calls
            .iter()
            .position(|line| line.contains(call) && line.contains(words))
            .unwrap_or_else(|| panic!("{calls:#?}"))
    };
    let (redirected, answered) = (of("recvfrom", "GET /callback?"), of("sendto", "HTTP/1.1 200"));
    let synced = |line: &&&str| line.contains("fsync(") || line.contains("fdatasync(");
    assert_eq!(calls[redirected..answered].iter().filter(synced).count(), 1, "{calls:#?}");
}
