//! What the record of one license means at an instant.

#[cfg(test)]
mod arbitrary;
mod columns;
mod commands;
mod json;

pub use columns::{Authorization, Column, ColumnScope};
pub use commands::{
    accept_waiting, ask_again_command, command_for, command_with, complete_command, discard_waiting,
    hand_out_again, register_again, selector, set_secret_command, token_for,
};
pub use json::{ExportedRecord, ReportedRecord};

use super::expiry;
use super::flow::{FlowStage, OpenFlow, Purpose};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// What an authorization is at an instant. Never stored: time changes it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The grant has expired: the store isn't reporting.
    Expired,
    /// The provider said that the grant is invalid.
    Invalid,
    /// Inside the window before its expiry.
    Due,
    /// Granted.
    Active,
    /// Requested, not granted yet.
    Pending,
    /// Deactivated; its history is kept.
    Deactivated,
}

impl State {
    /// The word, as JSON and tables have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Due => "due",
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Deactivated => "deactivated",
        }
    }
}

/// Conditions beside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A hand-off is open.
    RenewalPending,
    /// A hand-off has lapsed.
    HandoffLapsed,
    /// The answer to a code, refresh or revocation was lost.
    Uncertain,
    /// A grant or refreshed tokens are kept sealed until the vault or the ledger can store them.
    GrantedNotStored,
    /// Tokens are kept until the provider has revoked them.
    RevocationPending,
    /// Another admin granted access, and the grant awaits approval.
    AwaitingApproval,
    /// Exported with its secrets.
    Exported,
}

impl Condition {
    /// The word, as JSON and tables have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::RenewalPending => "renewal_pending",
            Self::HandoffLapsed => "handoff_lapsed",
            Self::Uncertain => "uncertain",
            Self::GrantedNotStored => "granted_not_stored",
            Self::RevocationPending => "revocation_pending",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Exported => "exported",
        }
    }
}

/// A record with the flows that are open for it: what `status` reads.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorizationWithFlows {
    pub record: Authorization,
    pub flows: Vec<OpenFlow>,
    /// The ledger went back in time, and this record was changed since: its grant may have ended, and its refresh token may
    /// be spent.
    pub is_outdated: bool,
}

impl Authorization {
    /// Its state at an instant. A weekend's expiry counts as the Friday before for the window.
    pub fn state(&self, now: Timestamp, window: SignedDuration, zone: &TimeZone) -> State {
        if self.deactivated_at.is_some() {
            return State::Deactivated;
        }
        let Some(expires) = self.expires_at else { return State::Pending };
        // defense: S40 expired-in-the-instant
        if now >= expires {
            State::Expired
        } else if self.invalid_at.is_some() {
            State::Invalid
        } else if expires > expiry::latest_end_within(now, window) {
            // Its weekday doesn't matter, and what that is in a zone is dear to know.
            State::Active
        } else if now
            >= expiry::previous_workday(expires, zone).saturating_sub(window).unwrap_or(Timestamp::MIN)
        {
            State::Due
        } else {
            State::Active
        }
    }

    /// What a consent is for that is asked about it: a first one as long as it has no grant.
    pub fn next_purpose(&self) -> Purpose {
        match self.expires_at {
            None if self.deactivated_at.is_none() => Purpose::Register,
            _ => Purpose::Renew,
        }
    }

    /// Whether it has a grant that wasn't given up, lapsed or not.
    pub fn is_granted(&self) -> bool {
        self.expires_at.is_some() && self.deactivated_at.is_none()
    }

    /// Whether there is a grant in use: one that hasn't ended, and that the provider hasn't called dead.
    pub fn has_valid_grant(&self, now: Timestamp) -> bool {
        self.is_granted() && self.invalid_at.is_none() && self.expires_at.is_some_and(|expires| now < expires)
    }

    /// Whether it's worth noting that an access token is handed out now: once a day, or where a clock was ahead before.
    pub fn should_note_use(&self, now: Timestamp) -> bool {
        const DAY: SignedDuration = SignedDuration::from_hours(24);
        self.last_used_at.is_none_or(|last| now < last || now.duration_since(last) >= DAY)
    }

    /// When the grant ends that it has, or had until it lapsed; `None` where there is none, or it was given up.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.expires_at.filter(|_| self.deactivated_at.is_none())
    }

    /// Calendar days to the grant's end; negative after its last day; `None` where there is no grant.
    pub fn days_left(&self, now: Timestamp, zone: &TimeZone) -> Option<i64> {
        self.ends_at().map(|ends| expiry::days_left(ends, now, zone))
    }

    pub fn days_in_words(&self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        self.ends_at().map(|ends| expiry::days_in_words(ends, now, zone))
    }
}

impl AuthorizationWithFlows {
    /// What holds beside the state, in a fixed order.
    pub fn conditions(&self, now: Timestamp) -> Vec<Condition> {
        let mut found = Vec::new();
        for flow in &self.flows {
            match (&flow.stage, flow.abandoned) {
                (FlowStage::Asked, _) if flow.handed_off => found.push(if now < flow.deadline {
                    Condition::RenewalPending
                } else {
                    Condition::HandoffLapsed
                }),
                // Nothing had been sent: the flow simply wasn't answered.
                (FlowStage::Asked, _) => {}
                // Not a byte of its code has left: the next command sends it.
                (FlowStage::Arrived(_), _) => {}
                // Nothing is lost, whoever is at it: the next command on the license stores it.
                (FlowStage::Answered(_), _) => found.push(Condition::GrantedNotStored),
                (_, true) => found.push(Condition::Uncertain),
                (_, false) => {}
            }
        }
        let record = &self.record;
        let of_the_record = [
            (record.uncertain_at.is_some() || self.is_outdated, Condition::Uncertain),
            (record.revocation_pending, Condition::RevocationPending),
            (record.held_by.is_some(), Condition::AwaitingApproval),
            (record.held_elsewhere, Condition::Exported),
        ];
        found.extend(of_the_record.iter().filter(|(holds, _)| *holds).map(|(_, condition)| *condition));
        found.sort();
        found.dedup();
        found
    }

    /// Whether anything but a refresh is open: a consent, or a deactivation.
    pub fn has_open_flow(&self) -> bool {
        self.flows.iter().any(|flow| flow.purpose != Purpose::Refresh)
    }

    /// Whether a process that is gone left a refresh, whose answer is lost or waits to be stored.
    pub fn has_lost_refresh(&self) -> bool {
        self.flows.iter().any(|flow| flow.purpose == Purpose::Refresh && flow.abandoned)
    }

    /// Whether a grant waits sealed to be stored; what a refresh brought isn't meant.
    pub fn has_unstored_grant(&self) -> bool {
        self.flows
            .iter()
            .any(|flow| flow.purpose.is_consent() && matches!(flow.stage, FlowStage::Answered(_)))
    }

    /// Whether the answer to a request of this kind was lost, which the record doesn't tell by itself.
    pub fn has_lost(&self, purposes: &[Purpose]) -> bool {
        let lost = |stage: &FlowStage| matches!(stage, FlowStage::Sent | FlowStage::Refused);
        self.flows.iter().any(|flow| flow.abandoned && lost(&flow.stage) && purposes.contains(&flow.purpose))
    }

    /// Whether a process that is gone left a code that it hadn't sent.
    fn has_waiting_code(&self) -> bool {
        self.flows.iter().any(|flow| flow.abandoned && matches!(flow.stage, FlowStage::Arrived(_)))
    }

    /// The hand-off that is out, lapsed or not.
    pub fn handed_out(&self) -> Option<&OpenFlow> {
        self.flows.iter().find(|flow| flow.handed_off)
    }

    /// When the open hand-off expires.
    pub fn pending_until(&self) -> Option<Timestamp> {
        self.handed_out().map(|flow| flow.deadline)
    }

    /// The command that a person should run next, quoted for a POSIX shell; `None` where nothing is to be done.
    pub fn next_command(
        &self,
        now: Timestamp,
        window: SignedDuration,
        zone: &TimeZone,
        other_profile: bool,
    ) -> Option<String> {
        let state = self.record.state(now, window, zone);
        self.next_command_in(now, state, &self.conditions(now), other_profile)
    }

    /// The same, where state and conditions are known already.
    pub fn next_command_in(
        &self,
        now: Timestamp,
        state: State,
        conditions: &[Condition],
        other_profile: bool,
    ) -> Option<String> {
        let record = &self.record;
        let renew = || command_for("renew", record, other_profile);
        if conditions.contains(&Condition::Exported) {
            return None;
        }
        // The old grant was being given up for another admin's: that goes on.
        let breaking = |flow: &&OpenFlow| {
            flow.abandoned && flow.purpose == Purpose::BreakFirst && flow.stage != FlowStage::Asked
        };
        if let Some(flow) = self.flows.iter().find(breaking) {
            let flags = ["--username", flow.username.as_str(), "--break-first"];
            let profile = other_profile.then_some(&record.profile);
            return Some(command_with("renew", &flags, profile, &[&record.key]));
        }
        let giving_up = self.flows.iter().any(|flow| flow.abandoned && flow.purpose == Purpose::Deactivate);
        if giving_up || record.deactivated_at.is_some() && record.revocation_pending {
            return Some(command_for("deactivate", record, other_profile));
        }
        if conditions.contains(&Condition::AwaitingApproval) {
            return Some(accept_waiting(record, other_profile));
        }
        // A command ended before its answer came, which can still be sent back.
        if self.flows.iter().any(|flow| flow.is_left_open(now)) && state != State::Deactivated {
            return Some(complete_command(other_profile.then_some(&record.profile)));
        }
        let unfinished = conditions.contains(&Condition::Uncertain)
            || conditions.contains(&Condition::GrantedNotStored)
            || self.has_waiting_code();
        match state {
            // It was being reopened when the answer was lost.
            State::Deactivated if conditions.contains(&Condition::Uncertain) || self.has_unstored_grant() => {
                Some(register_again(record, other_profile))
            }
            State::Deactivated => None,
            // Its admin has a link, and sends back where the browser ended.
            _ if !unfinished && conditions.contains(&Condition::RenewalPending) => {
                Some(complete_command(other_profile.then_some(&record.profile)))
            }
            _ if !unfinished && conditions.contains(&Condition::HandoffLapsed) => {
                Some(hand_out_again(record, other_profile))
            }
            State::Pending => Some(register_again(record, other_profile)),
            State::Due | State::Expired | State::Invalid => Some(renew()),
            // Only the discarded grant goes then; the living one stays, however often it's run.
            State::Active if record.revocation_pending => Some(discard_waiting(record, other_profile)),
            // Only the refresh is uncertain: the next one finds out, and no person is needed for it.
            State::Active
                if self.has_lost_refresh()
                    && record.uncertain_at.is_none()
                    && !self.is_outdated
                    && !self.has_open_flow() =>
            {
                Some(token_for(record, other_profile))
            }
            State::Active if self.has_unstored_grant() => Some(renew()),
            State::Active if conditions.contains(&Condition::Uncertain) => Some(renew()),
            State::Active if self.has_waiting_code() => Some(renew()),
            State::Active => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{License, LicenseId, Ubi, Username};

    fn record(license: &str) -> Authorization {
        let key = LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() };
        Authorization::asked("ny", key, Username::parse("ann@example.com").unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const WINDOW: SignedDuration = SignedDuration::from_hours(14 * 24);

    #[test]
    fn a_state_follows_from_the_record_and_the_instant() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let mut it = record("L1");
        assert_eq!(it.state(at("2026-01-01T00:00:00Z"), WINDOW, &zone), State::Pending);
        // A Wednesday.
        it.expires_at = Some(at("2026-03-11T12:00:00Z"));
        let state = |it: &Authorization, when| it.state(at(when), WINDOW, &zone);
        assert_eq!(state(&it, "2026-02-25T11:59:59Z"), State::Active);
        assert_eq!(state(&it, "2026-02-25T12:00:00Z"), State::Due);
        assert_eq!(state(&it, "2026-03-11T11:59:59Z"), State::Due);
        assert_eq!(state(&it, "2026-03-11T12:00:00Z"), State::Expired);
        it.invalid_at = Some(at("2026-01-02T00:00:00Z"));
        assert_eq!(state(&it, "2026-02-01T00:00:00Z"), State::Invalid);
        it.deactivated_at = Some(at("2026-01-03T00:00:00Z"));
        assert_eq!(state(&it, "2026-02-01T00:00:00Z"), State::Deactivated);
        assert_eq!(it.days_left(at("2026-02-01T00:00:00Z"), &zone), None);
    }

    #[test]
    fn a_use_is_news_once_a_day_and_whenever_the_clock_was_ahead() {
        let mut it = record("L1");
        assert!(it.should_note_use(at("2026-01-01T00:00:00Z")));
        it.last_used_at = Some(at("2026-01-01T00:00:00Z"));
        assert!(!it.should_note_use(at("2026-01-01T00:00:00Z")));
        assert!(!it.should_note_use(at("2026-01-01T23:59:59Z")));
        assert!(it.should_note_use(at("2026-01-02T00:00:00Z")));
        assert!(it.should_note_use(at("2025-12-31T23:59:59Z")));
    }

    #[test]
    fn a_sunday_expiry_is_due_from_the_friday_two_weeks_before() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let mut it = record("L1");
        it.expires_at = Some(at("2026-03-15T16:00:00Z"));
        assert_eq!(it.state(at("2026-02-27T15:59:59Z"), WINDOW, &zone), State::Active);
        assert_eq!(it.state(at("2026-02-27T16:00:00Z"), WINDOW, &zone), State::Due);
    }

    #[test]
    fn what_waits_to_be_stored_is_no_doubt_and_what_was_lost_is() {
        use crate::model::flow::SealedBytes;
        let (now, zone) = (at("2026-01-01T00:00:00Z"), TimeZone::UTC);
        let of = |purpose, stage, abandoned, expires: Option<&str>| {
            let mut record = record("L-1");
            record.expires_at = expires.map(at);
            let username = record.username.clone();
            let (opened, deadline, handed_off, had_answer) = (now, now, false, false);
            let flow =
                OpenFlow { purpose, username, stage, opened, deadline, handed_off, had_answer, abandoned };
            let standing = AuthorizationWithFlows { record, flows: vec![flow], is_outdated: false };
            let next = standing.next_command(now, WINDOW, &zone, false);
            let words: Vec<_> = standing.conditions(now).into_iter().map(Condition::word).collect();
            (words.join(" "), next.unwrap_or_default().replace("biotrack-auth ", ""))
        };
        let is = |words: &str, next: &str| (words.to_owned(), next.to_owned());
        let answered = || FlowStage::Answered(SealedBytes(Vec::new()));
        let living = Some("2026-04-11T00:00:00Z");
        let waits = "granted_not_stored";
        assert_eq!(of(Purpose::Renew, answered(), true, living), is(waits, "renew 604001/L-1"));
        assert_eq!(of(Purpose::Refresh, answered(), true, living), is(waits, "exec 604001/L-1 -- true"));
        // A process that lives finishes it by itself; until then it's told all the same.
        assert_eq!(of(Purpose::Renew, answered(), false, living).0, waits);
        let (told, next) = of(Purpose::Register, answered(), true, None);
        assert!(told == waits && next.starts_with("register --ubi 604001 --license L-1 "), "{next}");
        for purpose in [Purpose::Renew, Purpose::Refresh, Purpose::Deactivate] {
            assert_eq!(of(purpose, FlowStage::Sent, true, living).0, "uncertain");
            assert_eq!(of(purpose, FlowStage::Sent, false, living).0, "");
        }
    }

    #[test]
    fn while_a_link_is_out_its_answer_is_what_comes_next_and_afterwards_another_link() {
        let (opened, until, zone) = (at("2026-01-01T00:00:00Z"), at("2026-01-08T00:00:00Z"), TimeZone::UTC);
        for (expires, anew) in [
            (None, "register --ubi 604001 --license L-1 --username ann@example.com --no-wait"),
            (Some("2026-01-03T00:00:00Z"), "renew 604001/L-1 --no-wait"),
            (Some("2026-04-11T00:00:00Z"), "renew 604001/L-1 --no-wait"),
        ] {
            let mut record = record("L-1");
            record.expires_at = expires.map(at);
            record.created_at = expires.map(|_| opened);
            let flow = OpenFlow {
                purpose: record.next_purpose(),
                username: record.username.clone(),
                stage: FlowStage::Asked,
                opened,
                deadline: until,
                handed_off: true,
                had_answer: false,
                abandoned: true,
            };
            let standing = AuthorizationWithFlows { record, flows: vec![flow], is_outdated: false };
            let next = |now| standing.next_command(at(now), WINDOW, &zone, false).unwrap();
            assert_eq!(next("2026-01-07T00:00:00Z"), "biotrack-auth complete -");
            assert_eq!(next("2026-01-09T00:00:00Z"), format!("biotrack-auth {anew}"));
        }
    }

    // What cmd and PowerShell read is tried beside the quoting itself.
    #[cfg(unix)]
    #[test]
    fn the_next_command_can_be_pasted_into_a_shell() {
        let zone = TimeZone::UTC;
        let mut it = record("it's; $(reboot)");
        it.expires_at = Some(at("2026-01-01T00:00:00Z"));
        let standing = AuthorizationWithFlows { record: it, flows: Vec::new(), is_outdated: false };
        let command = standing.next_command(at("2026-02-01T00:00:00Z"), WINDOW, &zone, true).unwrap();
        assert_eq!(
            shlex::split(&command).unwrap(),
            ["biotrack-auth", "renew", "--profile", "ny", "604001/it's; $(reboot)"]
        );
    }
}
