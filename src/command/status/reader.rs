//! Which records a look at the status reads: those that are named, or near enough their end to be shown, or all.

use super::Args;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::authorization::Standing;
use crate::model::expiry::horizon;
use crate::model::provider::Provider;
use crate::model::selection::{self, Narrowing, Quiet};
use jiff::{SignedDuration, Timestamp};

/// A record with its profile's settings.
pub(super) type Found<'p> = (Standing, &'p Provider);

/// What there is, and what was asked for.
pub(super) struct Reader<'a> {
    pub args: &'a Args,
    /// `None` where nothing was ever registered.
    pub ledger: Option<&'a Ledger>,
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
        if let Some(ledger) = self.ledger {
            for (provider, narrowing) in self.providers.iter().zip(narrowings) {
                let (seen, quiet) = self.read(ledger, provider, narrowing, checked)?;
                found.extend(seen.into_iter().map(|it| (it, provider)));
                beside = beside.and(quiet);
            }
        }
        let mut found = self.named(found)?;
        found.retain(|(standing, provider)| {
            let of = self.providers.iter().position(|it| std::ptr::eq(it, *provider));
            of.is_some_and(|of| {
                narrowings[of].is_none() || narrowings[of].admits(&standing.record, provider, self.now)
            })
        });
        Ok((found, beside))
    }

    fn read(
        &self,
        ledger: &Ledger,
        provider: &Provider,
        narrowing: &Narrowing,
        checked: Option<SignedDuration>,
    ) -> Result<(Vec<Standing>, Quiet)> {
        let profile = &provider.profile;
        if !self.args.selectors.is_empty() {
            return Ok((ledger.standings_called(profile, &self.args.selectors)?, Quiet::default()));
        }
        let near = |window| ledger.standings_near(profile, horizon(self.now, window));
        if let Some(window) = checked.filter(|_| narrowing.is_none()) {
            let near = near(window.max(provider.due_window))?;
            return Ok((near.standings, near.quiet));
        }
        let standings = match narrowing.window(provider) {
            Some(window) => near(window)?.standings,
            None => ledger.standings(profile)?,
        };
        Ok((standings, Quiet::default()))
    }

    /// Those that were named, each once, whatever it was called.
    fn named(&self, all: Vec<Found<'a>>) -> Result<Vec<Found<'a>>> {
        let selectors = &self.args.selectors;
        if selectors.is_empty() {
            return Ok(all);
        }
        let profile = self.profile.unwrap_or("(all)");
        let found =
            selectors.iter().map(|selector| selection::one(selector, profile, &all, |(it, _)| &it.record));
        let mut found: Vec<Found<'a>> = found.map(|it| it.cloned()).collect::<Result<_>>()?;
        let name = |(it, _): &Found<'a>| (it.record.profile.clone(), it.record.key.clone());
        found.sort_by_key(name);
        found.dedup_by_key(|it| name(it));
        Ok(found)
    }
}
