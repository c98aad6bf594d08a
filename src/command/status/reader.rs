//! Which records a look at the status reads: those that are named, or near enough their end to be shown, or all.

use super::args::Args;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::model::authorization::{Authorization, Standing};
use crate::model::expiry::{days_left, horizon};
use crate::model::ids::Key;
use crate::model::provider::Provider;
use crate::model::selection::{self, Narrowing, Quiet};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Records of a profile, with its settings.
pub(super) struct Found<'p> {
    pub provider: &'p Provider,
    /// By UBI and license.
    pub standings: Vec<Standing>,
}

/// What there is, and what was asked for.
pub(super) struct Reader<'a> {
    pub args: &'a Args,
    pub ledger: &'a Ledger,
    /// `None`: all of them.
    pub profile: Option<&'a str>,
    pub providers: &'a [Provider],
    pub now: Timestamp,
}

impl<'a> Reader<'a> {
    /// All that selectors, tag and user mean: one that turns out to be invalid is due, whatever its end, and its state
    /// may be what the look is for.
    pub(super) fn all_meant(&self) -> Result<Vec<Found<'a>>> {
        let (tag, user) = (&self.args.tag, &self.args.user);
        let narrowing = Narrowing { tag: tag.clone(), user: user.clone(), ..Narrowing::default() };
        Ok(self.meant(&vec![narrowing; self.providers.len()], None)?.0)
    }

    /// Those that selectors and each provider's narrowing mean. A check, which looks this far ahead, only counts the
    /// others.
    pub(super) fn meant(
        &self,
        narrowings: &[Narrowing],
        checked: Option<SignedDuration>,
    ) -> Result<(Vec<Found<'a>>, Quiet)> {
        let (mut found, mut beside) = (Vec::new(), Quiet::default());
        for (provider, narrowing) in self.providers.iter().zip(narrowings) {
            let (standings, quiet) = self.read(provider, narrowing, checked)?;
            found.push(Found { provider, standings });
            let days_left = quiet.first_end.map(|end| days_left(end, self.now, &provider.zone));
            beside = beside.and(Quiet { days_left, ..quiet });
        }
        self.keep_named(&mut found)?;
        for (Found { provider, standings }, narrowing) in found.iter_mut().zip(narrowings) {
            standings.retain(|it| narrowing.is_none() || narrowing.admits(&it.record, provider, self.now));
        }
        Ok((found, beside))
    }

    fn read(
        &self,
        provider: &Provider,
        narrowing: &Narrowing,
        checked: Option<SignedDuration>,
    ) -> Result<(Vec<Standing>, Quiet)> {
        let (ledger, profile) = (self.ledger, &provider.profile);
        if !self.args.selectors.is_empty() {
            return Ok((ledger.standings_called(profile, &self.args.selectors)?, Quiet::default()));
        }
        let until = |window| horizon(self.now, window);
        if let Some(window) = checked.filter(|_| narrowing.is_none()) {
            let near = ledger.near_and_beside(profile, until(window.max(provider.due_window)))?;
            return Ok((near.standings, near.quiet));
        }
        let standings = match narrowing.window(provider) {
            Some(window) => ledger.standings_near(profile, until(window))?,
            None => ledger.standings(profile)?,
        };
        Ok((standings, Quiet::default()))
    }

    /// Of those that may have been meant, the ones that were named.
    fn keep_named(&self, found: &mut [Found<'a>]) -> Result<()> {
        let selectors = &self.args.selectors;
        if selectors.is_empty() {
            return Ok(());
        }
        let all: Vec<&Authorization> =
            found.iter().flat_map(|it| &it.standings).map(|it| &it.record).collect();
        let profile = self.profile.unwrap_or_default();
        let named = selectors.iter().map(|selector| {
            selection::one(selector, profile, &all, |it| it).map_err(|e| match (e, self.profile) {
                (Error::NotFound { selector, .. }, None) => Error::NotFound { selector, profile: None },
                (e, _) => e,
            })
        });
        let named = named.map(|it| it.map(|it| (it.profile.clone(), it.key.clone())));
        let named: BTreeSet<(String, Key)> = named.collect::<Result<_>>()?;
        for it in found {
            it.standings.retain(|it| named.contains(&(it.record.profile.clone(), it.record.key.clone())));
        }
        Ok(())
    }
}
