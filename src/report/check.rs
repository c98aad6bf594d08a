//! `status --check`: the monitoring-plugin convention, one summary line with perfdata, then details.

use super::json::Summary;
use super::row::ReportRow;
use crate::error::{Error, Result};
use crate::model::authorization::{Condition, State};
use crate::model::blind_spot::BlindSpot;
use crate::model::duration;
use crate::model::expiry::previous_workday;
use crate::model::selection::UncountedRecords;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;

/// How near an end is too near.
#[derive(Debug, Clone, Copy)]
pub enum Threshold {
    /// This long before the end.
    Before(SignedDuration),
    /// This share of the grant's life is left, in percent.
    Share(u8),
}

impl Threshold {
    /// Reads `14d` or `20%`.
    pub fn parse(name: &'static str, text: &str) -> Result<Self> {
        match text.strip_suffix('%').map(str::parse::<u8>) {
            Some(Ok(percent)) if percent <= 100 => Ok(Self::Share(percent)),
            Some(_) => Err(Error::BadValue {
                name,
                problem: format!("\"{}\" isn't a percentage from 0% to 100%", crate::error::clean(text)),
            }),
            None => duration::parse(name, text).map(Self::Before),
        }
    }

    /// How long before its end it can be reached at the earliest; `None` where that hangs on each grant's life.
    pub fn window(self) -> Option<SignedDuration> {
        match self {
            Self::Before(window) => Some(window),
            Self::Share(_) => None,
        }
    }

    /// Whether a grant is inside it. A weekend's end counts as the Friday before.
    fn reached(self, row: &ReportRow<'_>, now: Timestamp) -> bool {
        let record = &row.standing.record;
        let Some(expires) = record.expires_at else { return false };
        let left = previous_workday(expires, &row.provider.zone).duration_since(now);
        match self {
            Self::Before(window) => left <= window,
            Self::Share(percent) => {
                let since = record.renewed_at.or(record.created_at).unwrap_or(now);
                let life = expires.duration_since(since).as_secs();
                left.as_secs() <= life / 100 * i64::from(percent)
            }
        }
    }
}

pub struct CheckVerdict {
    /// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub exit: u8,
    /// The summary line, and a line for each license that isn't well.
    pub text: String,
}

/// The line of an error: whatever keeps the check from looking is UNKNOWN, never healthy.
pub fn unknown(reason: &str) -> String {
    format!("BIOTRACK UNKNOWN: {}\n", plain(&reason.lines().collect::<Vec<_>>().join(" ")))
}

/// Judges the rows, and counts those that there are beside them, which are well; a deactivated one isn't counted, unless its
/// revocation is pending or uncertain. What the look can't see is never healthy.
pub fn check(
    rows: &[ReportRow<'_>],
    beside: UncountedRecords,
    blind_spots: &[BlindSpot],
    warning: Threshold,
    critical: Threshold,
    allow_empty: bool,
    now: Timestamp,
) -> CheckVerdict {
    let counted: Vec<&ReportRow<'_>> = rows.iter().filter(|row| counts(row)).collect();
    let nothing = counted.is_empty() && beside.active + beside.pending == 0;
    if nothing && blind_spots.is_empty() {
        return match allow_empty {
            true => {
                CheckVerdict { exit: 0, text: "BIOTRACK OK: no licenses are registered or selected\n".into() }
            }
            false => CheckVerdict {
                exit: 3,
                text: unknown("no licenses are registered or selected (--allow-empty accepts that)"),
            },
        };
    }
    let mut judged: Vec<(u8, &ReportRow<'_>)> =
        counted.iter().map(|row| (level(row, warning, critical, now), *row)).collect();
    let worst_first = |(level, row): &(u8, &ReportRow<'_>)| (Reverse(*level), row.standing.record.expires_at);
    judged.sort_by(|one, other| {
        let keys = || one.1.standing.record.key.cmp(&other.1.standing.record.key);
        worst_first(one).cmp(&worst_first(other)).then_with(keys)
    });
    let unseen = blind_spots.iter().map(BlindSpot::level).chain((nothing && !allow_empty).then_some(3));
    let exit =
        judged.iter().map(|(level, _)| *level).chain(unseen).max_by_key(|it| severity(*it)).unwrap_or(0);
    let summary = Summary::of(rows).with_uncounted(beside);
    let mut said: Vec<_> = summary
        .by_state()
        .into_iter()
        .filter(|(state, count)| *count > 0 && *state != State::Deactivated)
        .map(|(state, count)| format!("{count} {}", state.word()))
        .collect();
    if summary.attention > 0 {
        said.push(counted_attention(summary.attention));
    }
    if nothing {
        said.push("no licenses are registered or selected".to_owned());
    }
    said.extend(blind_spots.iter().map(|spot| plain(&spot.in_brief())));
    let mut text = format!("BIOTRACK {}: {}", word(exit), said.join(", "));
    if let Some((_, worst)) = judged.first().filter(|(level, _)| *level > 0) {
        text.push_str(&format!(", first: {}", plain(&worst.called())));
    }
    let days_left = counted.iter().filter_map(|row| row.days_left).chain(beside.days_left).min();
    text.push_str(&format!(" | {}\n", perfdata(&summary, days_left)));
    for spot in blind_spots {
        text.push_str(&format!(
            "{}: {}. {}\n",
            word(spot.level()),
            plain(&spot.in_words()),
            plain(&spot.hint())
        ));
    }
    let several = rows.iter().any(|row| row.standing.record.profile != rows[0].standing.record.profile);
    for (level, row) in judged.iter().filter(|(level, _)| *level > 0) {
        let of = if several { format!("{}: ", row.standing.record.profile) } else { String::new() };
        text.push_str(&detail(*level, row, &of));
    }
    CheckVerdict { exit, text }
}

/// How many licenses need attention, as a clause.
fn counted_attention(count: usize) -> String {
    crate::error::counted(count, "needs attention", "need attention")
}

/// Whether a license is judged at all.
fn counts(row: &ReportRow<'_>) -> bool {
    let revoking = [Condition::RevocationPending, Condition::Uncertain];
    row.state != State::Deactivated || revoking.iter().any(|condition| row.conditions.contains(condition))
}

fn level(row: &ReportRow<'_>, warning: Threshold, critical: Threshold, now: Timestamp) -> u8 {
    const NOTED: [Condition; 5] = [
        Condition::Uncertain,
        Condition::GrantedNotStored,
        Condition::AwaitingApproval,
        Condition::RevocationPending,
        Condition::HandoffLapsed,
    ];
    if row.state == State::Deactivated {
        // When its grant would have ended is nobody's concern any more.
        1
    } else if matches!(row.state, State::Expired | State::Invalid) || critical.reached(row, now) {
        2
    } else if row.state == State::Due
        || warning.reached(row, now)
        || NOTED.iter().any(|condition| row.conditions.contains(condition))
    {
        1
    } else {
        0
    }
}

/// Which of two exit codes is worse: a license that is known to be in trouble comes before one that isn't known of.
fn severity(level: u8) -> u8 {
    match level {
        2 => 3,
        3 => 2,
        _ => level,
    }
}

fn word(level: u8) -> &'static str {
    match level {
        0 => "OK",
        1 => "WARNING",
        2 => "CRITICAL",
        _ => "UNKNOWN",
    }
}

fn perfdata(summary: &Summary, days_left: Option<i64>) -> String {
    let mut data: Vec<String> = summary
        .by_state()
        .into_iter()
        .map(|(state, count)| format!("{}={count};;;0", state.word()))
        .collect();
    data.push(format!("attention={};;;0", summary.attention));
    data.extend(days_left.map(|days| format!("days_left={days}")));
    data.join(" ")
}

fn detail(level: u8, row: &ReportRow<'_>, of: &str) -> String {
    let record = &row.standing.record;
    let mut said = vec![row.state.word().to_owned()];
    said.extend(row.days_in_words());
    said.extend(row.conditions.iter().map(|one| one.word().to_owned()));
    said.extend(row.next_command());
    let called = record.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    format!(
        "{}: {of}{}{}: {}\n",
        word(level),
        plain(&record.key.to_string()),
        plain(&called),
        plain(&said.join(", "))
    )
}

/// A bar begins the perfdata, wherever it stands.
fn plain(text: &str) -> String {
    text.replace('|', "¦")
}
