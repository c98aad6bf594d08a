//! What the provider knows of each licence, read on from where its log was read last.

use crate::support::Rig;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};

/// A grant as it was last issued or rotated: hashes of its newest tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    pub grant: String,
    pub access: String,
    pub refresh: String,
}

/// The sandbox's log so far.
#[derive(Default)]
pub struct Book {
    read: u64,
    newest: BTreeMap<String, Newest>,
    revoked: BTreeSet<String>,
    pub issued: usize,
    pub rotated: usize,
}

impl Book {
    /// Reads what came since.
    pub fn catch_up(&mut self, rig: &Rig) {
        let Ok(mut log) = File::open(rig.elsewhere("sandbox.log")) else { return };
        log.seek(SeekFrom::Start(self.read)).unwrap();
        let mut log = BufReader::new(log);
        let mut line = String::new();
        // A line is written in one step, and whole.
        while log.read_line(&mut line).unwrap() > 0 {
            self.read += line.len() as u64;
            self.note(&serde_json::from_str(&line).unwrap());
            line.clear();
        }
    }

    fn note(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str().unwrap() {
            kind @ ("token_issued" | "token_rotated") => {
                let counted = if kind == "token_issued" { &mut self.issued } else { &mut self.rotated };
                *counted += 1;
                let newest = Newest {
                    grant: text("grant"),
                    access: text("access_sha256"),
                    refresh: text("refresh_sha256"),
                };
                let license = text("license");
                // A refresh of an older grant makes nothing newer.
                let of_older = kind == "token_rotated"
                    && self.newest.get(&license).is_some_and(|it| it.grant != newest.grant);
                if !of_older {
                    self.newest.insert(license, newest);
                }
            }
            "token_revoked" => drop(self.revoked.insert(text("grant"))),
            _ => {}
        }
    }

    /// The newest grant of a licence.
    pub fn newest(&self, license: &str) -> Option<&Newest> {
        self.newest.get(license)
    }

    pub fn is_revoked(&self, newest: &Newest) -> bool {
        self.revoked.contains(&newest.grant)
    }
}
