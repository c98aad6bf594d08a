//! What has changed on the worklist, and the pages that ask every second.

use super::paste::{PasteBuffer, PasteProgress, PastedPiece};
use super::view::{HandedOffLink, WorklistEntry};
use crate::error::clean;
use crate::model::granted::AwaitingGrant;
use crate::model::plan::Progress;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a page that was answered takes to ask again: a second, or two in a tab that isn't in front. One that takes longer is closed.
const AWAY: Duration = Duration::from_millis(2500);

/// How the run stands, and which pages are open.
pub(super) struct WorklistState {
    rows: Vec<WorklistRow>,
    notice: Option<String>,
    pasted: PasteBuffer,
    ended: Option<String>,
    /// Counts the changes.
    seq: u64,
    /// When pages were answered that haven't asked again.
    away: VecDeque<Instant>,
    pub(super) away_at_most: Duration,
}

#[derive(Clone, PartialEq)]
pub(super) struct WorklistRow {
    pub(super) progress: Progress,
    pub(super) detail: String,
    /// When its living grant ends.
    pub(super) expires: Option<String>,
    /// Why it's in the run; nothing once that is over.
    pub(super) why: String,
    pub(super) awaiting: Option<AwaitingGrant>,
    pub(super) link: Option<HandedOffLink>,
    changed: u64,
}

impl WorklistRow {
    fn of(entry: &WorklistEntry) -> Self {
        Self {
            progress: Progress::Waiting,
            detail: String::new(),
            expires: entry.expires.clone(),
            why: entry.why.clone(),
            awaiting: None,
            link: None,
            changed: 0,
        }
    }

    /// The grant that awaits approval: who granted, and by which number it's accepted or discarded.
    pub(super) fn awaiting(&self) -> Value {
        // A number of SQLite's is longer than those of JavaScript.
        self.awaiting
            .as_ref()
            .map_or(Value::Null, |it| json!({ "by": clean(&it.granted_by), "id": it.id.to_string() }))
    }

    /// The link that is out, and the message that it's sent in.
    pub(super) fn link(&self) -> Value {
        self.link.as_ref().map_or(Value::Null, |it| json!({ "address": it.address, "message": it.message }))
    }
}

impl WorklistState {
    pub(super) fn new(entries: &[WorklistEntry]) -> Self {
        Self {
            rows: entries.iter().map(WorklistRow::of).collect(),
            notice: None,
            pasted: PasteBuffer::default(),
            ended: None,
            seq: 0,
            away: VecDeque::new(),
            away_at_most: AWAY,
        }
    }

    pub(super) fn paste(&mut self, piece: PastedPiece) -> PasteProgress {
        self.pasted.take(piece)
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn rows(&self) -> &[WorklistRow] {
        &self.rows
    }

    pub(super) fn noticed(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    pub(super) fn ended_as(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// Changes a row; where that changes anything, pages hear of it.
    pub(super) fn change(&mut self, entry: usize, change: impl FnOnce(&mut WorklistRow)) {
        let Some(row) = self.rows.get_mut(entry) else { return };
        let before = row.clone();
        change(row);
        if *row != before {
            self.seq += 1;
            row.changed = self.seq;
        }
    }

    pub(super) fn notice(&mut self, text: Option<String>) {
        if self.notice != text {
            self.seq += 1;
            self.notice = text;
        }
    }

    pub(super) fn end(&mut self, text: String) {
        self.seq += 1;
        self.notice = None;
        self.ended = Some(text);
    }

    pub(super) fn since(&self, seq: u64) -> Value {
        let changed = self.rows.iter().enumerate().filter(|(_, row)| row.changed > seq);
        let rows: Vec<_> = changed
            .map(|(n, row)| {
                json!({
                    "n": n, "progress": row.progress, "detail": row.detail, "expires": row.expires, "why": row.why,
                    "awaiting": row.awaiting(), "link": row.link(),
                })
            })
            .collect();
        json!({ "seq": self.seq, "ended": self.ended, "notice": self.notice, "rows": rows })
    }

    /// A page is answered, and will ask again unless it's told of the end.
    pub(super) fn goes(&mut self) {
        if self.ended.is_none() {
            let at_most = self.away_at_most;
            self.away.retain(|since| since.elapsed() < at_most);
            self.away.push_back(Instant::now());
        }
    }

    /// A page has asked again.
    pub(super) fn comes(&mut self) {
        self.away.pop_front();
    }

    /// Whether the run is over, and a page is about to ask that doesn't know.
    pub(super) fn owes_the_end(&self) -> bool {
        self.ended.is_some() && self.away.iter().any(|since| since.elapsed() < self.away_at_most)
    }
}
