//! What the provider knows of each license, read on from where its log was read last; and whether a record is true.

use super::truth::gives_up;
use crate::support::Rig;
use crate::support::stored::hashed;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};

/// A grant as it was last issued or rotated, with its newest refresh token's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Newest {
    grant: String,
    refresh: String,
}

/// The sandbox's log so far.
#[derive(Default)]
pub struct Book {
    read: u64,
    newest: BTreeMap<String, Newest>,
    revoked: BTreeSet<String>,
    /// Refresh tokens that a fresh process said to be uncertain: whatever becomes of them isn't silent.
    told: BTreeSet<String>,
    pub issued: usize,
    pub rotated: usize,
    /// How often a fresh process said so.
    pub uncertain: usize,
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
                let newest = Newest { grant: text("grant"), refresh: text("refresh_sha256") };
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

    /// Compares a license's record, as a fresh process shows it, with the log; an error says what is untrue.
    pub fn judges(&mut self, rig: &Rig, license: &str, record: Option<&Value>) -> Result<(), &'static str> {
        let Some(newest) = self.newest.get(license).cloned() else {
            return match record {
                Some(record) if record["state"] == "active" => Err("active, and nothing was ever issued"),
                _ => Ok(()),
            };
        };
        let record = record.ok_or("it has a grant, and there is no record")?;
        let named = record["next_command"].is_string();
        let is = |condition: &str| record["conditions"].as_array().unwrap().contains(&condition.into());
        if is("uncertain") || is("granted_not_stored") || is("revocation_pending") || gives_up(record) {
            self.uncertain += 1;
            self.told.insert(newest.refresh);
            return if named { Ok(()) } else { Err("uncertain, and no command is named") };
        }
        let live = rig.live(license);
        // One that was told of as uncertain isn't lost silently.
        let told = self.told.contains(&newest.refresh);
        let over = told || self.revoked.contains(&newest.grant);
        match (record["state"].as_str().unwrap(), live) {
            ("active", Some(live)) => {
                let kept = live.refresh.as_ref().map(|it| hashed(it.expose())).unwrap_or_default();
                match rig.accepts(&live) {
                    false => Err("active, and the provider refuses its token"),
                    true if !told && kept != newest.refresh => Err("its newest tokens are silently lost"),
                    true => Ok(()),
                }
            }
            ("active", None) => Err("active without tokens"),
            ("deactivated", Some(_)) => Err("deactivated, with tokens"),
            ("invalid", _) if !named => Err("invalid, and no command is named"),
            // Pending: asked again after it was given up.
            ("deactivated" | "invalid" | "pending", _) if over => Ok(()),
            _ => Err("a living grant is silently lost"),
        }
    }
}
