//! `renew --due --spread`: so that what was granted on one day doesn't end on one day again.
//!
//! The rule, in three sentences. What can't wait (lapsed, or in the second half of its window) is renewed today. Of
//! what is due besides, so many are taken that today's grants come to a level share of the fleet, or to the pace at
//! which nothing is left to pile up; the others are left for the next days. What is free of the level share then goes
//! to days ahead on which more licenses end than that, soonest first, and only to what is too many there.
//!
//! A day here is the day on which a grant ends, as the calendar has it, and not the working day before it: with 100
//! days the grants of a Wednesday, Thursday and Friday all end by one Friday's work, so that shares counted by working
//! days let two working days in five do nothing, and 200 licenses granted on one day stood at 48 on one Friday after 300
//! days. By calendar days they stand at 4. Without the pace, 200 that are all due at once would be taken four a day
//! and the other 184 on one day.

use super::authorization::{Authorization, State};
use super::expiry::{days_in_words, estimate, previous_workday};
use super::ids::LicenseId;
use super::provider::Provider;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The longest time before its end at which a license can't be left for another day.
const CANNOT_WAIT: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpreadLicense {
    pub key: LicenseId,
    pub expires_at: Option<Timestamp>,
    pub state: State,
}

impl SpreadLicense {
    pub fn at(now: Timestamp, record: &Authorization, provider: &Provider) -> Self {
        Self {
            key: record.key.clone(),
            expires_at: record.expires_at,
            state: record.state(now, provider.due_window, &provider.zone),
        }
    }

    /// Whether there is a grant to renew.
    fn lives(&self) -> bool {
        !matches!(self.state, State::Pending | State::Deactivated)
    }
}

/// One license, and why it's where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpreadChoice {
    pub key: LicenseId,
    pub why: String,
}

/// What `--spread` would renew today. No license stands in two lists; one that is in none stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpreadProposal {
    /// Due, and renewed now: soonest end first.
    pub take: Vec<SpreadChoice>,
    /// Not due yet, and renewed now, because too many end on its day.
    pub along: Vec<SpreadChoice>,
    /// Due, and left for the next days: soonest end first.
    pub leave: Vec<SpreadChoice>,
    /// How many grants a day are enough for now. More are taken only where more can't wait.
    pub per_day: usize,
}

/// What to renew today of the fleet (which may hold pending and deactivated ones: they don't count).
/// `lifetime` is a grant's; `window` is how long before its end it's due.
pub fn spread_renewals(
    now: Timestamp,
    zone: &TimeZone,
    lifetime: SignedDuration,
    window: SignedDuration,
    fleet: &[SpreadLicense],
) -> SpreadProposal {
    let mut living: Vec<&SpreadLicense> = fleet.iter().filter(|member| member.lives()).collect();
    living.sort_by_key(|member| (member.expires_at, &member.key));
    let clock = Clock { now, zone, patience: CANNOT_WAIT.min(window / 2) };
    let level = level(living.len(), lifetime, window);
    let made = made_today(&living, &clock, lifetime);

    let (must, may): (Vec<&SpreadLicense>, Vec<&SpreadLicense>) =
        living.iter().filter(|member| member.state != State::Active).partition(|member| clock.must(member));
    let per_day = level.max(clock.pace(made + must.len(), &may));
    let (taken, left) = may.split_at(may.len().min(per_day.saturating_sub(made + must.len())));
    let taken: Vec<&SpreadLicense> = must.iter().chain(taken).copied().collect();

    let free = level.saturating_sub(made + taken.len());
    SpreadProposal {
        along: along(&living, &taken, &clock, level, free),
        take: taken.iter().map(|member| choice(member, reason(member, &clock))).collect(),
        leave: left.iter().map(|member| choice(member, left_for_later(member, &clock, per_day))).collect(),
        per_day,
    }
}

/// A level share: as many a day as renew the whole fleet in the working days between a grant and its window.
fn level(living: usize, lifetime: SignedDuration, window: SignedDuration) -> usize {
    let days = lifetime.saturating_sub(window).as_hours() / 24;
    let working_days = usize::try_from(days / 7 * 5 + (days % 7).min(5)).unwrap_or_default().max(1);
    living.div_ceil(working_days).max(1)
}

/// How many were granted today already: they end on the day on which a grant made now ends.
fn made_today(living: &[&SpreadLicense], clock: &Clock<'_>, lifetime: SignedDuration) -> usize {
    let day = clock.date(estimate(clock.now, lifetime, clock.zone));
    living.iter().filter(|member| member.expires_at.is_some_and(|at| clock.date(at) == day)).count()
}

/// Today, and how long what is due may be left.
struct Clock<'a> {
    now: Timestamp,
    zone: &'a TimeZone,
    patience: SignedDuration,
}

impl Clock<'_> {
    fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// Whether a license that isn't active can't wait.
    fn must(&self, member: &SpreadLicense) -> bool {
        let Some(expires) = member.expires_at.filter(|_| member.state == State::Due) else { return true };
        previous_workday(expires, self.zone) <= self.horizon()
    }

    /// What ends by then can't wait. A narrow window's half may be over before anybody is at work again, so it's never
    /// before the end of the next working day.
    fn horizon(&self) -> Timestamp {
        let today = self.date(self.now);
        let next = (1..=3).filter_map(|days| day_after(today, days)).find(|day| works(*day));
        let over = next
            .and_then(|day| day_after(day, 1))
            .and_then(|day| day.to_zoned(self.zone.clone()).ok())
            .map_or(self.now, |midnight| midnight.timestamp());
        self.now.saturating_add(self.patience).unwrap_or(Timestamp::MAX).max(over)
    }

    /// How many a day must be renewed so that each of those that are due (soonest first) has had its turn before it
    /// can't wait. `already` have taken their turn today.
    fn pace(&self, already: usize, due: &[&SpreadLicense]) -> usize {
        let today = self.date(self.now);
        let needed = |(at, member): (usize, &&SpreadLicense)| {
            let last = previous_workday(member.expires_at?, self.zone).saturating_sub(self.patience).ok()?;
            Some((already + at + 1).div_ceil(1 + working_days(today, self.date(last))))
        };
        due.iter().enumerate().filter_map(needed).max().unwrap_or_default()
    }
}

/// Active licenses of crowded days: only what is too many there, soonest day first, and a company's together.
fn along(
    living: &[&SpreadLicense],
    taken: &[&SpreadLicense],
    clock: &Clock<'_>,
    level: usize,
    mut free: usize,
) -> Vec<SpreadChoice> {
    if free == 0 {
        return Vec::new();
    }
    let taken: BTreeSet<&LicenseId> = taken.iter().map(|member| &member.key).collect();
    let mut days: BTreeMap<Date, Vec<&SpreadLicense>> = BTreeMap::new();
    for member in living.iter().filter(|member| !taken.contains(&member.key)) {
        if let Some(expires) = member.expires_at {
            days.entry(clock.date(expires)).or_default().push(member);
        }
    }
    let mut chosen = Vec::new();
    for (day, members) in days {
        let mut active: Vec<_> = members.iter().filter(|member| member.state == State::Active).collect();
        active.sort_by_key(|member| &member.key);
        let some = free.min(members.len().saturating_sub(level)).min(active.len());
        let why = format!(
            "renewed early: {} licenses expire on {day}, compared with {level} on a usual day",
            members.len()
        );
        chosen.extend(active.into_iter().take(some).map(|member| choice(member, why.clone())));
        free -= some;
    }
    chosen
}

fn choice(member: &SpreadLicense, why: String) -> SpreadChoice {
    SpreadChoice { key: member.key.clone(), why }
}

/// Why a license is renewed, in words.
fn reason(member: &SpreadLicense, clock: &Clock<'_>) -> String {
    match member.state {
        State::Invalid => "BioTrack no longer accepts its grant".into(),
        _ => ends(member, clock),
    }
}

fn left_for_later(member: &SpreadLicense, clock: &Clock<'_>, per_day: usize) -> String {
    let days = ends(member, clock);
    format!("{days}: postponed, so that no more than {per_day} expire on one day")
}

fn ends(member: &SpreadLicense, clock: &Clock<'_>) -> String {
    member.expires_at.map(|expires| days_in_words(expires, clock.now, clock.zone)).unwrap_or_default()
}

fn day_after(day: Date, days: i64) -> Option<Date> {
    day.checked_add(SignedDuration::from_hours(24 * days)).ok()
}

fn works(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The working days after `from`, up to and with `to`.
fn working_days(from: Date, to: Date) -> usize {
    let days = i64::from((to - from).get_days()).max(0);
    let rest = (1..=days % 7).filter_map(|days| day_after(from, days)).filter(|day| works(*day)).count();
    usize::try_from(days / 7 * 5).unwrap_or_default() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{License, Ubi, Username};
    use proptest::prelude::*;

    const LIFETIME: SignedDuration = SignedDuration::from_hours(100 * 24);
    const WINDOW: SignedDuration = SignedDuration::from_hours(14 * 24);

    fn new_york() -> TimeZone {
        TimeZone::get("America/New_York").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn days(count: i64) -> SignedDuration {
        SignedDuration::from_hours(24 * count)
    }

    fn key(number: usize) -> LicenseId {
        LicenseId {
            ubi: Ubi::parse(&format!("{:06}", 604_000 + number / 7)).unwrap(),
            license: License::parse(&format!("L{number:04}")).unwrap(),
        }
    }

    fn member(number: usize, expires: Option<Timestamp>, now: Timestamp) -> SpreadLicense {
        let mut record = Authorization::asked("ny", key(number), Username::parse("a@x.example").unwrap());
        record.expires_at = expires;
        SpreadLicense {
            key: record.key.clone(),
            expires_at: expires,
            state: record.state(now, WINDOW, &new_york()),
        }
    }

    fn fleet(now: Timestamp, expiries: &[Timestamp]) -> Vec<SpreadLicense> {
        expiries.iter().enumerate().map(|(number, at)| member(number, Some(*at), now)).collect()
    }

    fn propose(now: Timestamp, fleet: &[SpreadLicense]) -> SpreadProposal {
        spread_renewals(now, &new_york(), LIFETIME, WINDOW, fleet)
    }

    /// What a run every working day at noon makes of a fleet in 300 days.
    struct Simulated {
        expiries: Vec<Timestamp>,
        lapsed: usize,
        most_taken: usize,
        most_taken_at_last: usize,
        consents: usize,
    }

    impl Simulated {
        fn crowd(&self, day: impl Fn(Timestamp) -> Timestamp) -> usize {
            let mut counts = BTreeMap::new();
            for expires in &self.expiries {
                *counts.entry(day(*expires).to_zoned(new_york()).date()).or_insert(0) += 1;
            }
            counts.into_values().max().unwrap_or_default()
        }
    }

    fn simulate(start: Timestamp, mut expiries: Vec<Timestamp>) -> Simulated {
        let zone = new_york();
        let mut done =
            Simulated { expiries: vec![], lapsed: 0, most_taken: 0, most_taken_at_last: 0, consents: 0 };
        for day in 1..=300 {
            let noon = start.to_zoned(zone.clone()).date().checked_add(days(day)).unwrap().at(12, 0, 0, 0);
            let now = noon.to_zoned(zone.clone()).unwrap().timestamp();
            done.lapsed += expiries.iter().filter(|expires| **expires <= now).count();
            if !works(noon.date()) {
                continue;
            }
            let members = fleet(now, &expiries);
            let proposal = propose(now, &members);
            let renewed = proposal.take.iter().chain(&proposal.along);
            let count = renewed.clone().count();
            for choice in renewed {
                let at = members.iter().position(|member| member.key == choice.key).unwrap();
                expiries[at] = estimate(now, LIFETIME, &zone);
            }
            if day % 20 == 1 {
                assert!(
                    propose(now, &fleet(now, &expiries)).along.is_empty(),
                    "a second run takes more along"
                );
            }
            done.consents += count;
            done.most_taken = done.most_taken.max(count);
            if day > 240 {
                done.most_taken_at_last = done.most_taken_at_last.max(count);
            }
        }
        done.expiries = expiries;
        done
    }

    fn told(it: &Simulated) -> String {
        format!(
            "lapsed {}, most in a run {} (last 60 days {}), consents {}, most on a day {} (by working day {})",
            it.lapsed,
            it.most_taken,
            it.most_taken_at_last,
            it.consents,
            it.crowd(|at| at),
            it.crowd(|at| previous_workday(at, &new_york()))
        )
    }

    #[test]
    fn what_was_granted_on_one_day_is_level_after_300_days() {
        // A Monday, a Thursday, whose grants end on a Saturday, and a Sunday.
        for (count, share, start) in [(200, 4, 5), (200, 4, 8), (200, 4, 11), (12, 1, 6), (70, 2, 8)] {
            let start = at(&format!("2026-01-{start:02}T15:00:00-05:00"));
            let done = simulate(start, vec![estimate(start, LIFETIME, &new_york()); count]);
            assert_eq!(done.lapsed, 0, "{}", told(&done));
            assert!(done.crowd(|at| at) <= share, "{count}: {}", told(&done));
            assert!(done.most_taken <= share, "{count}: {}", told(&done));
            // One Friday's work are Friday's, Saturday's and Sunday's.
            assert!(done.crowd(|at| previous_workday(at, &new_york())) <= 3 * share, "{}", told(&done));
        }
    }

    #[test]
    fn what_is_due_all_at_once_is_paced_and_level_a_lifetime_later() {
        for start in [5, 9] {
            let start = at(&format!("2026-01-{start:02}T15:00:00-05:00"));
            let done = simulate(start, vec![start + days(14); 200]);
            assert_eq!(done.lapsed, 0, "{}", told(&done));
            assert!(done.most_taken <= 50, "{}", told(&done));
            assert!(done.most_taken_at_last <= 4 && done.crowd(|at| at) <= 4, "{}", told(&done));
        }
    }

    #[test]
    fn a_fleet_out_of_the_past_lapses_never_again() {
        let start = at("2026-01-05T15:00:00-05:00");
        let mixed: Vec<_> = (0..200).map(|n| start + days(1 + (n * n) % 97)).collect();
        let done = simulate(start, mixed);
        assert_eq!(done.lapsed, 0, "{}", told(&done));
        assert!(done.crowd(|at| at) <= 8, "{}", told(&done));
    }

    #[test]
    fn a_level_fleet_is_left_alone() {
        let now = at("2026-01-05T12:00:00-05:00");
        let level: Vec<_> = (0..240).map(|n| now + days(20 + n / 4)).collect();
        assert_eq!(
            propose(now, &fleet(now, &level)),
            SpreadProposal { per_day: 4, ..SpreadProposal::default() }
        );
        let ten: Vec<_> = (0..10).map(|n| now + days(20 + n)).collect();
        assert_eq!(
            propose(now, &fleet(now, &ten)),
            SpreadProposal { per_day: 1, ..SpreadProposal::default() }
        );
        assert_eq!(propose(now, &[]), SpreadProposal { per_day: 1, ..SpreadProposal::default() });
    }

    #[test]
    fn each_choice_says_why() {
        // A Monday; ten licenses a lifetime: one a day.
        let now = at("2026-01-05T12:00:00-05:00");
        let bit = SignedDuration::from_secs(1);
        let lapsed = [now - days(3) - bit, now - days(1) - bit, now - bit, now + days(2)];
        let proposal = propose(now, &fleet(now, &[&lapsed[..], &[now + days(11), now + days(12)]].concat()));
        let whys = |choices: &[SpreadChoice]| choices.iter().map(|it| it.why.clone()).collect::<Vec<_>>();
        assert_eq!(
            whys(&proposal.take),
            ["lapsed 3 days ago", "lapsed 1 day ago", "lapsed today", "2 days left"]
        );
        assert_eq!(proposal.per_day, 2);
        assert_eq!(
            whys(&proposal.leave),
            [11, 12]
                .map(|left| format!("{left} days left: postponed, so that no more than 2 expire on one day"))
        );
        let crowded = propose(now, &fleet(now, &[now + days(60), now + days(60), now + days(61)]));
        assert_eq!(
            whys(&crowded.along),
            ["renewed early: 2 licenses expire on 2026-03-06, compared with 1 on a usual day"]
        );
        assert_eq!(crowded.along[0].key, key(0));
    }

    #[test]
    fn todays_grants_use_up_todays_share() {
        let now = at("2026-01-05T12:00:00-05:00");
        let today = estimate(now - SignedDuration::from_hours(3), LIFETIME, &new_york());
        let proposal = propose(now, &fleet(now, &[today, now + days(12), now + days(60), now + days(60)]));
        assert_eq!((proposal.take.len(), proposal.along.len(), proposal.leave.len()), (0, 0, 1));
    }

    #[test]
    fn what_would_end_before_anyone_is_back_at_work_cannot_wait() {
        // A Friday; a window of four days, whose half is over on Sunday.
        let now = at("2026-01-09T12:00:00-05:00");
        let monday =
            SpreadLicense { state: State::Due, ..member(1, Some(at("2026-01-12T09:00:00-05:00")), now) };
        let granted = member(2, Some(estimate(now, LIFETIME, &new_york())), now);
        let proposal = spread_renewals(now, &new_york(), LIFETIME, days(4), &[monday.clone(), granted]);
        assert_eq!(proposal.take[0].key, monday.key);
    }

    #[test]
    fn working_days_are_counted_without_weekends() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        for (from, to, count) in [
            ("2026-01-05", "2026-01-05", 0),
            ("2026-01-05", "2026-01-12", 5),
            ("2026-01-09", "2026-01-12", 1),
            ("2026-01-03", "2026-01-04", 0),
            ("2026-01-05", "2026-04-15", 72),
            ("2026-01-05", "2026-01-01", 0),
        ] {
            assert_eq!(working_days(day(from), day(to)), count, "{from} {to}");
        }
    }

    proptest! {
        #[test]
        fn a_proposal_keeps_its_promises(
            hours in prop::collection::vec(prop::option::weighted(0.95, -400i64..2400), 0..120),
            crowd in 0usize..60,
            crowded_on in -20i64..100,
            invalid in prop::collection::btree_set(0usize..120, 0..5),
            gone in prop::collection::btree_set(0usize..120, 0..5),
            start in 0i64..400 * 24,
        ) {
            let now = at("2026-01-01T00:30:00Z") + SignedDuration::from_hours(start);
            let mut members: Vec<_> = hours.iter().enumerate()
                .map(|(n, hours)| member(n, hours.map(|hours| now + SignedDuration::from_hours(hours)), now))
                .collect();
            members.extend((0..crowd).map(|n| member(500 + n, Some(now + days(crowded_on)), now)));
            for (set, state) in [(&invalid, State::Invalid), (&gone, State::Deactivated)] {
                set.iter().for_each(|at| if let Some(member) = members.get_mut(*at) { member.state = state });
            }
            let proposal = propose(now, &members);
            let find = |choice: &SpreadChoice| members.iter().find(|it| it.key == choice.key).unwrap();
            let SpreadProposal { take, along, leave, per_day } = &proposal;

            let all: Vec<_> = take.iter().chain(along).chain(leave).map(|it| &it.key).collect();
            prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "one is in two lists");
            prop_assert!(along.iter().all(|it| find(it).state == State::Active));
            let late = |member: &SpreadLicense| {
                let left = member.expires_at.map(|at| previous_workday(at, &new_york()).duration_since(now));
                left.is_none_or(|left| left <= days(7))
            };
            prop_assert!(leave.iter().all(|it| find(it).state == State::Due && !late(find(it))));
            let due = members.iter().filter(|it| matches!(it.state, State::Due | State::Expired | State::Invalid));
            prop_assert_eq!(take.len() + leave.len(), due.count());
            let must = take.iter().map(find).filter(|it| it.state != State::Due || late(it)).count();
            prop_assert!(take.len() + along.len() <= must.max(*per_day));
            // More than the level share only where the pace of what is due asks for it.
            let share = level(members.iter().filter(|it| it.lives()).count(), LIFETIME, WINDOW);
            prop_assert!(*per_day >= share && (*per_day == share || along.is_empty()));
            prop_assert!(along.is_empty() || take.len() + along.len() <= share.max(must));
            // No crowded day is emptied below its share.
            let new_york = new_york();
            for choice in along {
                let day = |member: &SpreadLicense| member.expires_at.map(|at| at.to_zoned(new_york.clone()).date());
                let on = day(find(choice));
                let before = members.iter().filter(|it| it.lives() && day(it) == on).count();
                let gone = take.iter().chain(along).filter(|it| day(find(it)) == on).count();
                prop_assert!(before - gone >= share);
            }
        }
    }
}
