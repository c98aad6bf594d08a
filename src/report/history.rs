//! The history as people and scripts see it: a table, JSON, lines, CSV; and what came of verifying and pruning.

use super::csv::sheet;
use super::json::{DOCUMENT_VERSION, line};
use super::row::View;
use super::table::cut;
use crate::error::{Result, clean, counted};
use crate::model::history::{Anchor, BrokenLink, Chain, ChainLink};
use crate::model::ids::Ubi;
use crate::model::instant::{self, Zone, whole_second};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// What `history --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HistoryDocument {
    schema: u8,
    profile: String,
    /// Oldest first.
    links: Vec<LinkJson>,
}

/// One entry of the history.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LinkJson {
    /// From 1, without a gap.
    number: i64,
    /// RFC 3339, UTC.
    at: String,
    /// `null` if the event concerns the whole ledger.
    profile: Option<String>,
    ubi: Option<String>,
    license: Option<String>,
    event: String,
    user: String,
    host: String,
    detail: String,
    /// SHA-256, in hex.
    hash: String,
    /// The PostgreSQL role that wrote it, as the server reports it; `null` for a ledger in a file.
    database_role: Option<String>,
}

/// What `history verify --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct VerifyDocument {
    schema: u8,
    whole: bool,
    /// The number of intact entries.
    links: u64,
    /// The last intact entry's hash, in hex; `null` if there is none.
    head: Option<String>,
    /// Where the chain begins, if it was pruned.
    anchor: Option<AnchorJson>,
    /// The first broken entry.
    broken: Option<BrokenJson>,
}

/// What `history prune --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PruneDocument {
    schema: u8,
    /// How many entries were removed.
    pruned: u64,
    /// The entries before this time were removed. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    before: Timestamp,
    /// The anchor that the rest is verified from.
    anchor: Option<AnchorJson>,
}

/// The anchor that replaces pruned entries.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AnchorJson {
    /// The last pruned entry's number.
    number: i64,
    hash: String,
    /// When that entry was made.
    last: String,
    /// When it was pruned.
    pruned_at: String,
    user: String,
    host: String,
}

/// The first broken entry.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BrokenJson {
    number: i64,
    at: Option<String>,
    license: Option<String>,
    why: String,
}

impl LinkJson {
    fn of(link: &ChainLink) -> Self {
        let some = |text: &String| (!text.is_empty()).then(|| clean(text));
        Self {
            number: link.seq,
            at: clean(&link.at),
            profile: some(&link.profile),
            ubi: some(&link.ubi).filter(|ubi| ubi != Ubi::NONE),
            license: some(&link.license),
            event: clean(&link.event),
            user: clean(&link.user),
            host: clean(&link.host),
            detail: clean(&link.detail),
            hash: hex::encode(&link.hash),
            database_role: link.database_role.as_deref().map(clean),
        }
    }
}

impl HistoryDocument {
    pub fn of(profile: &str, links: &[ChainLink]) -> Self {
        Self {
            schema: DOCUMENT_VERSION,
            profile: profile.to_owned(),
            links: links.iter().map(LinkJson::of).collect(),
        }
    }
}

impl AnchorJson {
    fn of(anchor: &Anchor) -> Self {
        Self {
            number: anchor.seq,
            hash: hex::encode(&anchor.hash),
            last: clean(&anchor.last),
            pruned_at: clean(&anchor.at),
            user: clean(&anchor.user),
            host: clean(&anchor.host),
        }
    }
}

impl BrokenJson {
    fn of(broken: &BrokenLink) -> Self {
        let some = |text: &Option<String>| text.as_deref().filter(|it| !it.is_empty()).map(clean);
        Self {
            number: broken.seq,
            at: some(&broken.at),
            license: some(&broken.license),
            why: broken.why.into(),
        }
    }
}

impl VerifyDocument {
    pub fn of(chain: &Chain) -> Self {
        Self {
            schema: DOCUMENT_VERSION,
            whole: chain.broken.is_none(),
            links: chain.links,
            head: (!chain.head.is_empty()).then(|| hex::encode(&chain.head)),
            anchor: chain.anchor.as_ref().map(AnchorJson::of),
            broken: chain.broken.as_ref().map(BrokenJson::of),
        }
    }

    /// The same for people, who read times in a zone of their own.
    pub fn in_words(&self, zone: &Zone) -> String {
        let mut text = String::new();
        let told = |at: &str| instant::parse(at).map_or_else(|| at.to_owned(), |at| zone.time(at));
        if let Some(anchor) = &self.anchor {
            let AnchorJson { number, last, pruned_at, user, host, .. } = anchor;
            // Writing to a String can't fail.
            let _ = writeln!(
                text,
                "Entries 1 to {number} (up to {}) were pruned at {} by {user}@{host}.",
                told(last),
                told(pruned_at)
            );
        }
        match &self.broken {
            Some(broken) => {
                let when = broken.at.as_deref().map_or(String::new(), |at| format!(" of {}", told(at)));
                let whose = broken.license.as_deref().map_or(String::new(), |it| format!(", license {it}"));
                let _ = writeln!(
                    text,
                    "BROKEN: the first broken entry is number {}{when}{whose}: {}. {} before it are intact.",
                    broken.number,
                    broken.why,
                    counted(self.links, "entry", "entries")
                );
            }
            None => {
                let _ = writeln!(text, "The history is intact: {}.", counted(self.links, "entry", "entries"));
                if let Some(head) = &self.head {
                    let _ = writeln!(text, "Head: {head}");
                }
            }
        }
        text
    }
}

impl PruneDocument {
    /// What pruning did, or would do.
    pub fn of(pruned: u64, before: Timestamp, chain: &Chain) -> Self {
        Self {
            schema: DOCUMENT_VERSION,
            pruned,
            before: whole_second(before),
            anchor: chain.anchor.as_ref().map(AnchorJson::of),
        }
    }
}

pub fn history_lines(links: &[ChainLink]) -> serde_json::Result<String> {
    links.iter().map(|link| line(&LinkJson::of(link))).collect()
}

pub fn history_csv(links: &[ChainLink]) -> Result<String> {
    let columns = [
        "number",
        "at",
        "profile",
        "ubi",
        "license",
        "event",
        "user",
        "host",
        "detail",
        "hash",
        "database_role",
    ];
    let row = |link: &ChainLink| {
        [
            link.seq.to_string(),
            link.at.clone(),
            link.profile.clone(),
            link.ubi.clone(),
            link.license.clone(),
            link.event.clone(),
            link.user.clone(),
            link.host.clone(),
            link.detail.clone(),
            hex::encode(&link.hash),
            link.database_role.clone().unwrap_or_default(),
        ]
    };
    sheet(columns, links.iter().map(row))
}

/// The least that is left of a detail before another column goes.
const LEAST_DETAIL: usize = 24;

/// The links in a table, oldest first, one a line: what doesn't fit the terminal is cut, and who did it is left out
/// where it's narrow.
pub fn history_table(links: &[ChainLink], zone: &Zone, view: &View) -> String {
    let when = |link: &ChainLink| match link.instant() {
        Some(at) => zone.time(at),
        None => clean(&link.at),
    };
    let title = ["WHEN", "EVENT", "LOCATION", "WHO", "DETAIL"].map(str::to_owned);
    let row = |link: &ChainLink| {
        [when(link), clean(&link.event), clean(&link.license), clean(&link.who()), clean(&link.detail)]
    };
    let rows: Vec<_> = std::iter::once(title).chain(links.iter().map(row)).collect();
    let mut widths =
        [0, 1, 2, 3, 4].map(|at: usize| rows.iter().map(|row| row[at].width()).max().unwrap_or(0));
    let mut shown = vec![0, 1, 2, 3, 4];
    if let Some(terminal) = view.width.map(usize::from) {
        let others = |shown: &[usize], widths: &[usize; 5]| -> usize {
            shown.iter().filter(|at| **at != 4).map(|at| widths[*at] + 2).sum()
        };
        if others(&shown, &widths) + widths[4].min(LEAST_DETAIL) > terminal {
            shown.retain(|at| *at != 3);
        }
        widths[2] = widths[2].min(24);
        widths[4] = terminal.saturating_sub(others(&shown, &widths)).clamp(1, widths[4].max(1));
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for at in &shown {
            let cell = cut(&row[*at], widths[*at]);
            let padding = widths[*at].saturating_sub(cell.width()) + 2;
            let _ = write!(line, "{cell}{:padding$}", "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(license: &str, detail: &str) -> ChainLink {
        ChainLink {
            seq: 1,
            at: "2026-11-23T12:00:00Z".into(),
            profile: "ny".into(),
            ubi: "604001".into(),
            license: license.into(),
            event: "granted".into(),
            user: "ann".into(),
            host: "support-desk-17".into(),
            detail: detail.into(),
            hash: vec![7; 32],
            database_role: None,
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_piped_nothing_is_cut() {
        let links = [link("OCM-RETL-24-000064-D1", &"=long 店 ".repeat(20)), link("L", "x")];
        for width in [40, 80, 100, 200] {
            let view = View { now: Timestamp::UNIX_EPOCH, profile: None, color: false, width: Some(width) };
            let text = history_table(&links, &Zone::default(), &view);
            assert!(width < 80 || text.lines().all(|line| line.width() <= usize::from(width)), "{text}");
            assert_eq!(text.lines().count(), 3);
        }
        let view = View { now: Timestamp::UNIX_EPOCH, profile: None, color: false, width: None };
        let piped = history_table(&links, &Zone::default(), &view);
        assert!(piped.contains("ann@support-desk-17") && !piped.contains('…'));
    }
}
