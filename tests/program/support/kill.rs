//! Kill -9 at the Nth call of a kind, by strace's fault injection.

use super::{PROGRAM, Rig};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// The calls that write or talk. Whichever of these a platform doesn't have is never made there.
pub const CALLS: &[&str] = &[
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "chmod",
    "fchmod",
    "fchmodat",
    "flock",
    "socket",
    "bind",
    "listen",
    "connect",
    "sendto",
    "sendmsg",
    "shutdown",
];

impl Rig {
    /// The program under strace; what it starts is let go of at its exec.
    pub fn traced(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = self.command(&[]);
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-b", "execve"]).args(options).arg(PROGRAM).args(arguments);
        traced.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null());
        traced
    }

    /// Runs it whole, and counts its calls: of each kind, the most that one thread makes.
    pub fn calls(&self, arguments: &[&str]) -> BTreeMap<&'static str, usize> {
        let trace = self.file("trace");
        let wanted = CALLS.iter().map(|call| format!("?{call}")).collect::<Vec<_>>().join(",");
        let output = self
            .traced(&["-o", trace.to_str().unwrap(), "-e", &format!("trace={wanted}")], arguments)
            .output()
            .expect("apt-get install strace");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for line in std::fs::read_to_string(&trace).unwrap().lines() {
            let Some((thread, what)) = line.split_once(' ') else { continue };
            if let Some(call) = CALLS.iter().find(|call| what.trim_start().starts_with(&format!("{call}("))) {
                *counts.entry((thread.to_owned(), call)).or_default() += 1;
            }
        }
        std::fs::remove_file(&trace).unwrap();
        let mut most = BTreeMap::new();
        for ((_, call), count) in counts {
            let it = most.entry(call).or_insert(0);
            *it = count.max(*it);
        }
        most
    }

    /// Runs it and kills it as a thread of it enters its Nth call of a kind. `false` where it never came so far:
    /// then it has ended well.
    pub fn killed(&self, call: &str, nth: usize, arguments: &[&str]) -> bool {
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        let output = self
            .traced(&["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject], arguments)
            .output()
            .unwrap();
        // strace ends as what it traced has ended.
        let fired = output.status.signal() == Some(9);
        assert!(
            fired || output.status.success(),
            "{call} {nth}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        fired
    }
}
