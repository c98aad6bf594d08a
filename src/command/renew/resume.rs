//! What an earlier run left.

use crate::command::bulk::Resumed;
use crate::command::{Bench, Call};
use crate::consent::{fits, why_not};
use crate::error::{Result, licenses};
use crate::model::authorization::Standing;
use crate::model::plan::{LeftOut, Plan, Progress};
use jiff::Timestamp;

/// What wasn't done. The records tell what was granted, whatever the run had noted.
pub(super) fn plan(
    call: &Call<'_>,
    bench: &mut Bench<'_>,
    standings: &[Standing],
    now: Timestamp,
) -> Result<(Plan, Option<Resumed>)> {
    let provider = bench.provider.clone();
    let ledger = bench.custody.ledger_mut();
    let Some(left) = ledger.take_run(&provider.profile)? else { return Ok((Plan::default(), None)) };
    let began = provider.zone.time(left.began);
    call.env.terminal.say(&format!(
        "Resuming the run started {began} by {}: {} left.",
        left.owner,
        licenses(left.items.len())
    ));
    let (mut plan, mut places) = (Plan::default(), Vec::new());
    for (place, mut item) in left.items {
        let record = standings.iter().map(|it| &it.record).find(|record| record.key == item.key);
        let generation = record.map(|record| record.generation).unwrap_or_default();
        if generation != item.base {
            // Stored just before the run was cut short, or by somebody else since.
            let (progress, why) = match record.and_then(|record| record.held_by.as_ref()) {
                Some(by) => (Progress::Held, format!("granted by {by}, and held")),
                None => (Progress::Granted, "granted already".into()),
            };
            ledger.note_run(left.id, place, progress)?;
            plan.left_out.push(LeftOut { key: item.key, why });
        } else if let Err(e) = fits(item.purpose, record, &provider, now) {
            ledger.note_run(left.id, place, Progress::Skipped)?;
            plan.left_out.push(LeftOut { key: item.key, why: why_not(&e) });
        } else {
            item.expires_at = record.and_then(|record| record.expires_at);
            plan.items.push(item);
            places.push(place);
        }
    }
    Ok((plan, Some(Resumed { run: left.id, places })))
}
