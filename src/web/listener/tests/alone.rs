//! Runs a test in a process of its own, where limits, memory and threads are its alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

/// Runs the ignored test `name` of this crate alone, with at most so many descriptors.
pub(super) fn alone(name: &str, descriptors: u32) {
    let output = command(name, descriptors).stdin(Stdio::null()).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn command(name: &str, descriptors: u32) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -S -n {descriptors}; exec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap());
    command.args([&format!("web::listener::tests::{name}"), "--exact", "--ignored", "--nocapture"]);
    command
}

/// A process that opens connections; they close when it is dropped.
pub(super) struct Crowd(Child);

impl Crowd {
    /// Opens `count` connections to the port from another process and writes `say` on each.
    pub(super) fn gather(port: u16, count: usize, say: &str) -> Crowd {
        let mut child = command("alone::a_crowd_played_for_other_tests", 1024)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{port} {count} {say}").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("the crowd stands")));
        Crowd(child)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "a part played for other tests, in a process of its own"]
fn a_crowd_played_for_other_tests() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let mut words = line.trim_end().splitn(3, ' ');
    let Some(port) = words.next().and_then(|word| word.parse().ok()) else { return };
    let count: usize = words.next().unwrap().parse().unwrap();
    let say = words.next().unwrap_or_default();
    let mut open = Vec::new();
    for _ in 0..count {
        let mut stream = super::connect(port);
        // The front server may have ended it already.
        let _ = stream.write_all(say.as_bytes());
        open.push(stream);
    }
    writeln!(std::io::stdout(), "\nthe crowd stands").unwrap();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
