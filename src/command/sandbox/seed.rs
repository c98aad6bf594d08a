//! `sandbox seed`: made-up authorizations in a profile of the stand-in: records alone, without grants.

use crate::command::{Invocation, open_ledger};
use crate::error::{Error, Result};
use crate::model::authorization::Authorization;
use crate::model::flow::RecordCommit;
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::{License, LicenseId, StoreName, Tag, Ubi, Username};
use crate::report::DOCUMENT_VERSION;
use jiff::{SignedDuration, Timestamp};

/// Fill the ledger with made-up authorizations, for tests and training
///
/// They are records alone, in every state, without tokens. Only a profile of the preset local-sandbox takes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth sandbox seed 10000")]
pub struct Args {
    /// Create this many authorizations
    #[arg(value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
}

/// What `sandbox seed --json` prints.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Seeded {
    schema: u8,
    profile: String,
    /// How many were asked for.
    asked: u32,
    /// How many were new.
    made: usize,
}

const HOURS_OF_A_LIFE: i64 = 100 * 24;

/// How many go into one commit.
const BATCH: usize = 10_000;

const STREETS: [&str; 8] = [
    "Hudson Street",
    "Canal Street",
    "Buffalo Grove",
    "Saratoga Springs Road",
    "Ithaca Commons",
    "Flushing 法拉盛",
    "Rochester Park Avenue Dispensary and Wellness Center",
    "Zoë’s Corner",
];

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    let (config, provider) = call.provider()?;
    if provider.preset != "local-sandbox" {
        return Err(Error::Usage {
            what: format!(
                "profile {} isn't a local-sandbox profile, and made-up records don't belong there",
                provider.profile
            ),
            hint: "Use a profile with the preset local-sandbox: --profile NAME.".into(),
        });
    }
    let mut ledger = open_ledger(call.env, &config)?;
    let now = call.env.clock.now();
    let changes: Vec<RecordCommit> =
        (0..args.count).map(|at| made_up(&provider.profile, at, now)).collect::<Result<_>>()?;
    let mut made = 0;
    for batch in changes.chunks(BATCH) {
        made += ledger.commit(batch)?.iter().filter(|kept| kept.is_ok()).count();
    }
    let asked = args.count;
    let profile = provider.profile.clone();
    let text = match call.json {
        true => call.json_text(&Seeded { schema: DOCUMENT_VERSION, profile, asked, made })?,
        false => format!("{made} of {asked} made-up authorizations added to profile {profile}.\n"),
    };
    call.env.terminal.answer(&text)?;
    Ok(0)
}

/// The same ones every time, so that a second run adds nothing twice. Of 20, 2 have lapsed, 3 are due, 1 is pending,
/// 1 deactivated, and the others are active.
fn made_up(profile: &str, at: u32, now: Timestamp) -> Result<RecordCommit> {
    let key = LicenseId {
        ubi: Ubi::parse(&format!("604{:06}", at / 5))?,
        license: License::parse(&format!("{}-X{at:06}-D{}", 101 + at % 7, 1 + at % 3))?,
    };
    let username = Username::parse(&format!("admin{}@store.example", at / 5))?;
    let mut record = Authorization::asked(profile, key, username);
    let street = STREETS[at as usize % STREETS.len()];
    record.name = Some(StoreName::parse(&format!("{street} {}", at + 1))?);
    record.tags = vec![Tag::parse(if at.is_multiple_of(2) { "upstate" } else { "downstate" })?];
    let days_left = match at % 20 {
        0 | 1 => -1 - i64::from(at / 20 % 10),
        2..=4 => 1 + i64::from(at / 20 % 10),
        5 => return Ok(change(record, HistoryEventKind::Asked, now)),
        _ => 18 + i64::from(at % 80),
    };
    let after = |hours: i64| now.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(now);
    record.created_at = Some(after(days_left * 24 - HOURS_OF_A_LIFE));
    record.expires_at = Some(after(days_left * 24));
    record.granted_by = Some(record.username.to_string());
    if at % 20 == 6 {
        record.deactivated_at = Some(now);
    }
    Ok(change(record, HistoryEventKind::Granted, now))
}

fn change(mut record: Authorization, happened: HistoryEventKind, at: Timestamp) -> RecordCommit {
    record.generation = record.generation.next();
    let (profile, key) = (record.profile.clone(), record.key.clone());
    let event = HistoryEvent { at, profile, key, happened, detail: "made up".into(), failure: None };
    RecordCommit { record, moves: Vec::new(), ends: None, events: vec![event] }
}
