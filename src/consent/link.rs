//! Links for admins who sit elsewhere: made here, and nobody waits for their answers.

use super::fit::still_fits;
use crate::custody::{Custody, NewFlow, RecordUpdate};
use crate::error::Result;
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::instant::whole_second;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::plan::PlannedLicense;
use crate::oauth::{self, Endpoints};
use crate::system::Env;
use jiff::{SignedDuration, Timestamp};

/// How long a hand-off lives where nothing else is said.
pub const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

pub struct IssuedLink {
    pub item: PlannedLicense,
    pub address: String,
    pub redirect_uri: String,
    pub until: Timestamp,
    /// It took the place of a link that was out, which is dead now.
    pub replaced: bool,
}

/// Makes the links: one commit for all of them. What went wrong with one is its outcome, and the others are made.
pub fn hand_out(
    env: &Env,
    custody: &mut Custody<'_>,
    endpoints: &Endpoints,
    items: Vec<PlannedLicense>,
    port: Option<u16>,
    life: SignedDuration,
) -> Result<Vec<(PlannedLicense, Result<IssuedLink>)>> {
    let provider = custody.provider().clone();
    let now = env.clock.now();
    let until = now.saturating_add(life).unwrap_or(Timestamp::MAX);
    // Whole seconds, as the ledger keeps them: what is told is what counts.
    let until = whole_second(until);
    let base = oauth::handoff_uri(&provider, port);
    let mut flows = Vec::with_capacity(items.len());
    for item in &items {
        let random = env.random.as_ref();
        let ask = oauth::ask(&provider, endpoints, &item.key, &item.username, &base, random)?;
        let record: RecordUpdate<'_> = Box::new(|known| {
            still_fits(item, known.as_ref(), &provider, now)?;
            Ok(item.record_while_asked(known, &provider.profile))
        });
        flows.push(NewFlow { ask, record, purpose: item.purpose, deadline: until, handed_off: true });
    }
    let is_out = |custody: &Custody<'_>, item: &PlannedLicense| -> Result<bool> {
        let standing = custody.standing(&item.key)?;
        Ok(standing.and_then(|it| it.handed_out().map(|out| out.deadline > now)).unwrap_or_default())
    };
    let out: Vec<_> = items.iter().map(|item| is_out(custody, item)).collect::<Result<_>>()?;
    let recorded = custody.record_flows(flows)?;
    let mut made = Vec::with_capacity(items.len());
    for ((item, recorded), replaced) in items.into_iter().zip(recorded).zip(out) {
        // What is known of the store, whether it was typed now or before.
        let known = custody.standing_to_tell(&item.key).map(|standing| standing.record);
        let item = match known {
            Some(record) if recorded.is_ok() => {
                PlannedLicense { name: record.name, contact: record.contact, ..item }
            }
            _ => item,
        };
        let handed = recorded.map(|recorded| {
            let (_, ask) = recorded.get();
            let (address, redirect_uri) = (ask.address.clone(), ask.redirect_uri.clone());
            IssuedLink { item: item.clone(), address, redirect_uri, until, replaced }
        });
        made.push((item, handed));
    }
    Ok(made)
}

pub fn outcome_of_handed(handed: &IssuedLink, standing: Option<AuthorizationWithFlows>) -> Outcome {
    let authorize_url = Some(handed.address.clone());
    Outcome { authorize_url, ..Outcome::of(handed.item.key.clone(), OutcomeKind::HandedOff, standing) }
}
