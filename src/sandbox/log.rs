//! The truth, as JSON lines: what was issued, rotated, revoked, refused and spoiled, written before it is answered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

/// One line. Codes and tokens stand in it only as lowercase hex SHA-256.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Event {
    /// Counts this run's lines from 1: the order in which things happened.
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) event: &'static str,
    #[serde(flatten)]
    pub(super) what: LogSubject,
}

/// What an event is about; fields that don't apply are left out of the line.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct LogSubject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// Names the consent and its whole token family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ubi: Option<String>,
    /// The location license that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) license: Option<String>,
    /// The location that was granted: another one under `--fail wrong-location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<String>,
    /// Who signed in on the page, also under `--fail other-user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_sha256: Option<String>,
    /// The refresh token that a rotation killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old_refresh_sha256: Option<String>,
    /// The token that was presented for revocation, introspection or in a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) active: Option<bool>,
    /// The end of the grant; of the code itself in `code_issued`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
}

/// The file that the lines go to.
pub(super) struct Log(File);

impl Log {
    /// Opens `path` for appending, readable by its owner alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            let file = options.mode(0o600).open(path)?;
            if file.metadata()?.permissions().mode() & 0o777 != 0o600 && file.metadata()?.is_file() {
                file.set_permissions(PermissionsExt::from_mode(0o600))?;
            }
            Ok(Self(file))
        }
        #[cfg(not(unix))]
        Ok(Self(options.open(path)?))
    }

    /// Appends the events, each on a line. One write for all: appends of different requests don't mix.
    pub(super) fn write(&self, events: &[Event]) -> io::Result<()> {
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event)?;
            lines.push(b'\n');
        }
        (&self.0).write_all(&lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_to_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let log = Log::open(&path).unwrap();
        let event = Event { seq: 1, event: "refused", ..Event::default() };
        log.write(&[event.clone(), event]).unwrap();
        let line = r#"{"seq":1,"at":"1970-01-01T00:00:00Z","event":"refused"}"#;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{{}}\n{line}\n{line}\n"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
