//! Which records a look at the status reads: those that are named, or near enough their end to be shown, or all.

use super::args::Args;
use crate::error::{Error, Result, clean};
use crate::ledger::Ledger;
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::expiry::{days_left, latest_end_within};
use crate::model::ids::LicenseId;
use crate::model::provider::Provider;
use crate::model::selection::{self, Filter, UncountedRecords, contains_text};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Records of a profile, with its settings.
pub(super) struct FoundRecords<'p> {
    pub provider: &'p Provider,
    pub standings: Vec<AuthorizationWithFlows>,
}

/// What there is, and what was asked for.
pub(super) struct StatusReader<'a> {
    pub args: &'a Args,
    pub ledger: &'a Ledger,
    /// `None`: all of them.
    pub profile: Option<&'a str>,
    pub providers: &'a [Provider],
    pub now: Timestamp,
    /// A person reads the answer: a text that names no record may mean all in which it stands.
    pub guesses: bool,
}

/// What was meant.
pub(super) struct StatusMatches<'p> {
    pub found: Vec<FoundRecords<'p>>,
    pub beside: UncountedRecords,
    /// The texts that name no record, and stand in those that are shown.
    pub guessed: BTreeSet<String>,
}

impl<'a> StatusReader<'a> {
    /// All that selectors, tag and user mean: one that turns out to be invalid is due, whatever its end, and its state
    /// may be what the look is for.
    pub(super) fn all_meant(&self) -> Result<Vec<FoundRecords<'a>>> {
        let (tag, user) = (&self.args.tag, &self.args.user);
        let narrowing = Filter { tag: tag.clone(), user: user.clone(), ..Filter::default() };
        Ok(self.meant(&vec![narrowing; self.providers.len()], None)?.found)
    }

    /// Those that selectors and each provider's narrowing mean. A check, which looks this far ahead, only counts the
    /// others.
    pub(super) fn meant(
        &self,
        narrowings: &[Filter],
        checked: Option<SignedDuration>,
    ) -> Result<StatusMatches<'a>> {
        let (mut found, mut beside) = (Vec::new(), UncountedRecords::default());
        for (provider, narrowing) in self.providers.iter().zip(narrowings) {
            let (standings, quiet) = self.read(provider, narrowing, checked)?;
            found.push(FoundRecords { provider, standings });
            let days_left = quiet.first_end.map(|end| days_left(end, self.now, &provider.zone));
            beside = beside.and(UncountedRecords { days_left, ..quiet });
        }
        let guessed = self.keep_named(&mut found)?;
        for (FoundRecords { provider, standings }, narrowing) in found.iter_mut().zip(narrowings) {
            standings.retain(|it| narrowing.is_none() || narrowing.admits(&it.record, provider, self.now));
        }
        Ok(StatusMatches { found, beside, guessed })
    }

    fn read(
        &self,
        provider: &Provider,
        narrowing: &Filter,
        checked: Option<SignedDuration>,
    ) -> Result<(Vec<AuthorizationWithFlows>, UncountedRecords)> {
        let (ledger, profile) = (self.ledger, &provider.profile);
        if !self.args.selectors.is_empty() {
            return Ok((
                ledger.find_by_selectors(profile, &self.args.selectors)?,
                UncountedRecords::default(),
            ));
        }
        let until = |window| latest_end_within(self.now, window);
        if let Some(window) = checked.filter(|_| narrowing.is_none()) {
            let near = ledger.expiring_and_uncounted(profile, until(window.max(provider.due_window)))?;
            return Ok((near.standings, near.quiet));
        }
        let standings = match narrowing.window(provider) {
            Some(window) => ledger.standings_near(profile, until(window))?,
            None => ledger.standings(profile)?,
        };
        Ok((standings, UncountedRecords::default()))
    }

    /// Of those that may have been meant, the ones that were named. In the table a text that names none shows every record
    /// in which it stands.
    fn keep_named(&self, found: &mut [FoundRecords<'a>]) -> Result<BTreeSet<String>> {
        let selectors = &self.args.selectors;
        let mut guessed = BTreeSet::new();
        if selectors.is_empty() {
            return Ok(guessed);
        }
        let all: Vec<&Authorization> =
            found.iter().flat_map(|it| &it.standings).map(|it| &it.record).collect();
        let mut named: BTreeSet<(String, LicenseId)> = BTreeSet::new();
        let mut take = |it: &Authorization| {
            named.insert((it.profile.clone(), it.key.clone()));
        };
        for selector in selectors {
            match selection::resolve_one(selector, self.profile, &all, |it| it) {
                Ok(it) => take(it),
                Err(e @ Error::NotFound { .. }) => {
                    let like: Vec<_> =
                        all.iter().filter(|it| self.guesses && contains_text(selector, it)).collect();
                    if like.is_empty() {
                        return Err(e);
                    }
                    like.into_iter().for_each(|it| take(it));
                    guessed.insert(clean(selector.trim()));
                }
                Err(e) => return Err(e),
            }
        }
        for it in found {
            it.standings.retain(|it| named.contains(&(it.record.profile.clone(), it.record.key.clone())));
        }
        Ok(guessed)
    }
}
