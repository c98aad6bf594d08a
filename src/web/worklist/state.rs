//! What has changed on the worklist, and the pages that wait to hear of it.

use crate::model::plan::Progress;
use crate::web::listener::Request;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long a page waits for a change: shorter than any browser's or proxy's own patience.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many pages may wait: each takes a place behind the front server, which redirects need too.
const PARKED: usize = 8;

/// How long a page that was answered takes to ask again; one that takes longer is closed.
const AWAY: Duration = Duration::from_millis(1500);

/// How the run stands, and who waits for a change.
pub(super) struct WorklistState {
    rows: Vec<Row>,
    notice: Option<String>,
    ended: Option<String>,
    /// Counts the changes.
    seq: u64,
    parked: VecDeque<(WaiterId, Request)>,
    last: u64,
    /// When pages were answered that haven't asked again.
    away: VecDeque<Instant>,
    pub(super) patience: Duration,
    pub(super) away_at_most: Duration,
    pub(super) runtime: Option<Handle>,
}

/// How far one license has come.
pub(super) struct Row {
    pub(super) progress: Progress,
    pub(super) detail: String,
    changed: u64,
}

/// One waiting page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct WaiterId(u64);

impl WorklistState {
    pub(super) fn new(rows: usize) -> Self {
        let row = || Row { progress: Progress::Waiting, detail: String::new(), changed: 0 };
        Self {
            rows: std::iter::repeat_with(row).take(rows).collect(),
            notice: None,
            ended: None,
            seq: 0,
            parked: VecDeque::new(),
            last: 0,
            away: VecDeque::new(),
            patience: PATIENCE,
            away_at_most: AWAY,
            runtime: None,
        }
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn noticed(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    pub(super) fn ended_as(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    pub(super) fn show(&mut self, entry: usize, progress: Progress, detail: &str) {
        let Some(row) = self.rows.get_mut(entry) else { return };
        if row.progress != progress || row.detail != detail {
            self.seq += 1;
            *row = Row { progress, detail: detail.to_owned(), changed: self.seq };
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

    /// What has changed since.
    pub(super) fn since(&self, seq: u64) -> Value {
        let changed = self.rows.iter().enumerate().filter(|(_, row)| row.changed > seq);
        let rows: Vec<_> = changed
            .map(|(n, row)| json!({ "n": n, "progress": row.progress, "detail": row.detail }))
            .collect();
        json!({ "seq": self.seq, "ended": self.ended, "notice": self.notice, "rows": rows })
    }

    pub(super) fn park(&mut self, request: Request) -> WaiterId {
        self.last += 1;
        self.parked.push_back((WaiterId(self.last), request));
        WaiterId(self.last)
    }

    /// Those that wait longest, where more wait than may.
    pub(super) fn one_too_many(&mut self) -> Vec<Request> {
        let surplus = self.parked.len().saturating_sub(PARKED);
        self.parked.drain(..surplus).map(|(_, request)| request).collect()
    }

    #[cfg(test)]
    pub(super) fn parked(&self) -> usize {
        self.parked.len()
    }

    pub(super) fn all_parked(&mut self) -> Vec<Request> {
        self.parked.drain(..).map(|(_, request)| request).collect()
    }

    /// One that still waits.
    pub(super) fn take(&mut self, ticket: WaiterId) -> Vec<Request> {
        let at = self.parked.iter().position(|(parked, _)| *parked == ticket);
        at.and_then(|at| self.parked.remove(at)).map(|(_, request)| request).into_iter().collect()
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
