//! The program while it waits for a consent: `--no-browser`, the address read from what it says.

use crate::support::{Rig, Run};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command};

/// A command that has said its address and waits; it's ended when dropped.
pub struct Asked {
    child: Child,
    talk: BufReader<ChildStderr>,
    said: String,
    /// Where the admin user is sent.
    pub address: String,
}

impl Asked {
    /// Runs the command until it has said its address.
    pub fn start(rig: &Rig, arguments: &[&str]) -> Self {
        Self::by(&mut rig.command(arguments))
    }

    /// The same of a command in an environment of its own.
    pub fn by(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(talk.read_line(&mut line).unwrap(), 0, "it ended without an address:\n{said}");
            said.push_str(&line);
            if line.trim().starts_with("http://") {
                break line.trim().to_owned();
            }
        };
        Self { child, talk, said, address }
    }

    /// The port at which it waits for the browser to come back.
    pub fn port(&self) -> u16 {
        let asked = url::Url::parse(&self.address).unwrap();
        let (_, back) = asked.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
        url::Url::parse(&back).unwrap().port().unwrap()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the command's own end, and what it said from first to last.
    pub fn ended(mut self) -> Run {
        self.talk.read_to_string(&mut self.said).unwrap();
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Run { code, out, err: std::mem::take(&mut self.said) }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
