//! One license on a card, in words that a support engineer can paste to a customer; and the card before a consent.

use super::row::{ReportRow, sign};
use crate::error::clean;
use crate::model::authorization::{AuthorizationWithFlows, Condition, State, discard_waiting};
use crate::model::consent::Fact;
use crate::model::duration::in_words;
use crate::model::flow::Purpose;
use crate::model::history::HistoryLine;
use crate::model::ids::{LicenseId, Username};
use crate::model::provider::Provider;
use jiff::Timestamp;

const LABELS: usize = 16;

/// What stands beside a label: a line, or several.
enum CardValue {
    Line(String),
    Lines(Vec<String>),
}

impl From<String> for CardValue {
    fn from(line: String) -> Self {
        Self::Line(line)
    }
}

/// A title and what is told under it. Each line is made harmless here, whoever told it: a record may come from a file or from
/// another host, and one with a line end in it would tell a second thing.
fn lines(title: &str, pairs: &[(&str, CardValue)]) -> String {
    let mut text = format!("{}\n", clean(title));
    for (label, told) in pairs {
        let told = match told {
            CardValue::Line(line) => std::slice::from_ref(line),
            CardValue::Lines(lines) => lines,
        };
        for (number, line) in told.iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            // defense: S33 card-is-clean
            text.push_str(&format!("  {label:LABELS$}{}\n", clean(line)));
        }
    }
    text
}

/// A record, its last events and the next command.
pub fn card(row: &ReportRow<'_>, history: &[HistoryLine], now: Timestamp) -> String {
    let record = &row.standing.record;
    let mut pairs: Vec<(&str, CardValue)> = vec![
        ("State", CardValue::Lines(state_in_words(row))),
        ("UBI", record.key.ubi.number().unwrap_or("–").to_owned().into()),
        ("Location", record.key.license.to_string().into()),
    ];
    pairs.extend(record.ocm_license.as_ref().map(|ocm| ("OCM license", ocm.to_string().into())));
    pairs.push(("Admin user", record.username.to_string().into()));
    pairs.extend(record.granted_by.as_ref().map(|who| ("Granted by", who.clone().into())));
    pairs.extend(
        record.held_by.as_ref().map(|who| ("Awaiting", format!("approval of the grant from {who}").into())),
    );
    pairs.extend(record.contact.as_ref().map(|contact| ("Contact", contact.to_string().into())));
    if !record.tags.is_empty() {
        pairs
            .push(("Tags", record.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(", ").into()));
    }
    pairs.extend(record.created_at.map(|at| ("Created At", row.when(at).into())));
    pairs.extend(record.renewed_at.map(|at| ("Renewed", row.when(at).into())));
    pairs.extend(record.expires_at.map(|at| {
        let estimated = if record.expires_estimated { " (estimated)" } else { "" };
        ("Expiration Date", format!("{}{estimated}", row.when(at)).into())
    }));
    if !record.unconfirmed.is_empty() {
        pairs.push(("Not confirmed", record.unconfirmed.join(", ").into()));
    }
    pairs.extend(row.standing.handed_out().map(|flow| {
        let age = in_words(now.duration_since(flow.opened));
        ("Handed out", format!("{age} ago, valid until {}", row.when(flow.deadline)).into())
    }));
    pairs.extend(record.last_used_at.map(|at| ("Last used", row.when(at).into())));
    pairs.extend(record.deactivated_at.map(|at| ("Deactivated", row.when(at).into())));
    if !history.is_empty() {
        pairs.push(("History", CardValue::Lines(history.iter().map(|line| told(line, row)).collect())));
    }
    pairs.extend(row.next_command().map(|command| ("Next", command.into())));
    if row.conditions.contains(&Condition::AwaitingApproval) {
        pairs.push(("Discard it", discard_waiting(record, row.provider.other_profile).into()));
    }
    lines(&row.called(), &pairs)
}

fn told(line: &HistoryLine, row: &ReportRow<'_>) -> String {
    // When each grant ended is a matter for the history itself; the living one's end stands above.
    let detail = line.detail.split(", until ").next().unwrap_or_default();
    format!("{}  {} {detail}", row.when(line.at), line.event).trim_end().to_owned()
}

fn state_in_words(row: &ReportRow<'_>) -> Vec<String> {
    let said = match (row.state, row.days_in_words()) {
        (State::Active, Some(days)) => format!("active, {days}"),
        (State::Due, Some(days)) => format!("due for renewal, {days}"),
        (State::Expired, Some(days)) => format!("EXPIRED: this store isn't reporting; the grant {days}"),
        (State::Invalid, _) => {
            "INVALID: BioTrack no longer accepts this grant; this store isn't reporting".into()
        }
        (State::Pending, _) => "pending: requested, not granted yet".into(),
        (State::Deactivated, _) => "deactivated".into(),
        (other, None) => other.word().into(),
    };
    let mut said = vec![format!("{} {said}", sign(row.state))];
    for condition in &row.conditions {
        let told = match condition {
            Condition::RenewalPending => "a link is open and waits for its answer",
            Condition::HandoffLapsed => "the link has lapsed",
            Condition::Uncertain => uncertain(row.standing),
            Condition::GrantedNotStored if row.standing.has_unstored_grant() => {
                "granted, but the grant isn't stored yet: it is kept sealed, and the next command stores it"
            }
            Condition::GrantedNotStored => {
                "refreshed, but the new tokens aren't stored yet: they are kept sealed, and the next command stores them"
            }
            Condition::RevocationPending => {
                "BioTrack hasn't confirmed a revocation yet; the tokens are kept until it does"
            }
            Condition::AwaitingApproval => "a grant from another admin awaits approval",
            Condition::Exported => "exported with its tokens: another host refreshes and renews it",
        };
        said.push(told.to_owned());
    }
    said
}

/// What is uncertain: that hangs on which answer was lost.
fn uncertain(standing: &AuthorizationWithFlows) -> &'static str {
    let record = &standing.record;
    let revocation = standing.has_lost(&[Purpose::Deactivate, Purpose::BreakFirst])
        || record.deactivated_at.is_some() && record.revocation_pending;
    if standing.is_outdated {
        "uncertain: the ledger went back in time, so this grant may have ended or may have been replaced"
    } else if revocation {
        "uncertain: BioTrack's answer to a revocation was lost, so the grant may or may not still be valid there"
    } else if standing.has_lost(&[Purpose::Refresh]) && record.uncertain_at.is_none() {
        "uncertain: BioTrack's answer to a refresh was lost; the grant itself is still valid, and the next command finds out"
    } else {
        "uncertain: BioTrack's answer was lost, so access may or may not have been granted"
    }
}

/// What the admin must see on the Grant Access page, before anybody clicks.
pub fn consent_card(provider: &Provider, key: &LicenseId, username: &Username) -> String {
    let shown = |fact: Fact| Some((fact.label(), fact.shown(provider, key)?.to_owned().into()));
    let mut pairs: Vec<(&str, CardValue)> = Fact::ALL.into_iter().filter_map(shown).collect();
    pairs.push(("Admin user", format!("{username} (enters the password on BioTrack's page only)").into()));
    let mut text = lines("BioTrack's Grant Access page must say exactly this:", &pairs);
    if !provider.company.is_empty() {
        text.push_str(&format!("  If Company doesn't say {}, stop.\n", provider.company));
    }
    text
}
