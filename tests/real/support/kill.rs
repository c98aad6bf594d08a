//! Kill -9 at the Nth call of a kind, by strace's fault injection.

use super::{PROGRAM, Rig, Run};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// The calls that write or talk: to a file, a folder, a socket, a pipe. Whichever of these a platform doesn't have is
/// never made there. What is written into mapped memory (SQLite's index of its log) makes no call: the random kills
/// meet that.
pub const CALLS: &[&str] = &[
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "sendfile",
    "copy_file_range",
    "splice",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "msync",
    "truncate",
    "ftruncate",
    "fallocate",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "flock",
    "socket",
    "bind",
    "listen",
    "connect",
    "accept4",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recvfrom",
    "recvmsg",
    "shutdown",
];

/// Of these, the ones that change what is on the disk, and nothing else: `write` also wakes threads and talks to a pipe.
const DISK: &[&str] = &[
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
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
        let mut most = BTreeMap::new();
        for (call, nths) in self.threads_calls(CALLS, arguments) {
            let it = most.entry(call).or_insert(0);
            *it = nths.len().max(*it);
        }
        most
    }

    /// Runs it whole: of each kind of call that changes the disk, which ones touch the home, counted in their thread.
    pub fn disk_calls(&self, arguments: &[&str]) -> BTreeMap<&'static str, Vec<usize>> {
        let home = self.home().to_str().unwrap().to_owned();
        let mut found = BTreeMap::<_, Vec<usize>>::new();
        for (call, lines) in self.threads_calls(DISK, arguments) {
            let nths = (1..).zip(&lines).filter(|(_, line)| line.contains(&home)).map(|(nth, _)| nth);
            found.entry(call).or_default().extend(nths);
        }
        for nths in found.values_mut() {
            nths.sort_unstable();
            nths.dedup();
        }
        found.retain(|_, nths| !nths.is_empty());
        found
    }

    /// Runs it whole: for each thread and kind of call, its calls in order, with the names of the files they're about.
    fn threads_calls(&self, kinds: &[&'static str], arguments: &[&str]) -> Vec<(&'static str, Vec<String>)> {
        let mut found = BTreeMap::<(String, &str), Vec<String>>::new();
        for (thread, what) in self.trace(kinds, arguments) {
            if let Some(call) = kinds.iter().find(|call| what.starts_with(&format!("{call}("))) {
                found.entry((thread, call)).or_default().push(what);
            }
        }
        found.into_iter().map(|((_, call), lines)| (call, lines)).collect()
    }

    /// Runs it whole: its calls of these kinds in their order, each with its thread, as strace writes them.
    pub fn trace(&self, kinds: &[&str], arguments: &[&str]) -> Vec<(String, String)> {
        let trace = self.elsewhere("trace");
        let wanted = kinds.iter().map(|call| format!("?{call}")).collect::<Vec<_>>().join(",");
        let output = self
            .traced(
                &["-y", "-s", "96", "-o", trace.to_str().unwrap(), "-e", &format!("trace={wanted}")],
                arguments,
            )
            .output()
            .expect("apt-get install strace");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&std::fs::read(&trace).unwrap()).into_owned();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.map(|(thread, what)| (thread.to_owned(), what.trim_start().to_owned())).collect()
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

    /// Runs it while the Nth of its calls of a kind fails with an error in each thread; with `on`, all that follow too.
    pub fn faulted(&self, call: &str, error: &str, nth: usize, on: bool, arguments: &[&str]) -> Run {
        let from = if on { "+" } else { "" };
        let inject = format!("inject={call}:error={error}:when={nth}{from}");
        let options = ["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
        Run::of(self.traced(&options, arguments).output().unwrap())
    }
}
