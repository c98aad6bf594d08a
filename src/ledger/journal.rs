//! The rows of flows that are open, and what is remembered of closed ones.

use super::cells::{columns, instant, is_old, key, old_mark, old_mark_of, place, stage, text, words};
use super::engine::{Db, DbError, SqlRow, SqlValue, unexpected_value, values};
use super::records;
use super::spool::SpooledFlow;
use crate::model::authorization::Authorization;
use crate::model::flow::{Flow, FlowOwner, FlowStage, OldSeals, Purpose, SealedBytes, SecretPlace};
use crate::model::ids::{FlowId, Generation, LicenseId, Username};
use crate::model::secret::Fingerprint;
use jiff::Timestamp;

/// What of a flow is no secret, not even a sealed one.
macro_rules! open_columns {
    () => {
        "id, profile, ubi, license, purpose, username, base, redirect_uri, opened, deadline, handed_off, had_answer, owner_mark, owner_label"
    };
}

/// All of a flow.
const COLUMNS: &str = concat!(open_columns!(), ", memo_item, memo_blob, stage, sealed, old_memo, old_sealed");

/// A flow as whoever only looks sees it.
const SEEN: &str = concat!(open_columns!(), ", stage");

/// The mark of flows that are open and that no process works on: no process ever has it.
const LEFT: &str = "left";

/// Who had left it, where that isn't known by name.
const ENDED: &str = "a process that has ended";

/// How long a closed flow's state is remembered, in seconds: 90 days.
const REMEMBERED: i64 = 90 * 24 * 60 * 60;

/// How a flow was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// It was answered, or given up.
    Ended,
    /// A newer one took its place.
    Replaced,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedFlow {
    pub profile: String,
    pub key: LicenseId,
    /// A newer flow took its place before an answer came.
    pub replaced: bool,
}

pub(super) fn insert(tx: Db<'_>, flow: &Flow, state: Option<&Fingerprint>) -> Result<(), DbError> {
    let (memo_item, memo_blob) = flow.memo.as_ref().map_or((None, None), columns);
    let (stage, sealed) = words(&flow.stage);
    let old_memo = flow.memo.as_ref().filter(|_| flow.old.memo).map(old_mark);
    let old_sealed = sealed_of(&flow.stage).filter(|_| flow.old.sealed).map(old_mark_of);
    tx.execute(
        &format!(
            "INSERT INTO flow ({COLUMNS}, state_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
        ),
        values![
            &flow.id.0,
            &flow.profile,
            flow.key.ubi.as_str(),
            flow.key.license.as_str(),
            flow.purpose.word(),
            flow.username.as_str(),
            flow.base.0,
            &flow.redirect_uri,
            flow.opened.as_second(),
            flow.deadline.as_second(),
            flow.handed_off,
            flow.had_answer,
            flow.owner.as_ref().map(|owner| &owner.mark),
            flow.owner.as_ref().map(|owner| &owner.label),
            memo_item,
            memo_blob,
            stage,
            sealed,
            old_memo.as_deref(),
            old_sealed.as_deref(),
            state,
        ],
    )?;
    Ok(())
}

pub(super) fn note(tx: Db<'_>, flow: &FlowId, stage: &FlowStage) -> Result<(), DbError> {
    let (word, sealed) = words(stage);
    tx.execute("UPDATE flow SET stage = ?2, sealed = ?3 WHERE id = ?1", values![&flow.0, word, sealed])?;
    Ok(())
}

/// The same out of a spool.
pub(super) fn note_spooled(tx: Db<'_>, spooled: &SpooledFlow) -> Result<(), DbError> {
    note(tx, &spooled.flow, &spooled.stage)?;
    if let Some(sealed) = sealed_of(&spooled.stage).filter(|_| spooled.is_old) {
        let mark = old_mark_of(sealed);
        tx.execute("UPDATE flow SET old_sealed = ?2 WHERE id = ?1", values![&spooled.flow.0, mark.as_str()])?;
    }
    Ok(())
}

fn sealed_of(stage: &FlowStage) -> Option<&SealedBytes> {
    match stage {
        FlowStage::Arrived(sealed) | FlowStage::Answered(sealed) => Some(sealed),
        FlowStage::Asked | FlowStage::Sent | FlowStage::Refused => None,
    }
}

/// The same for a flow that this process owns. `false` where it doesn't any more: on a server, others may have waited
/// for it for too long.
pub(super) fn note_own(
    tx: Db<'_>,
    flow: &FlowId,
    stage: &FlowStage,
    ours: &FlowOwner,
) -> Result<bool, DbError> {
    let (word, sealed) = words(stage);
    let noted = tx.execute(
        "UPDATE flow SET stage = ?2, sealed = ?3 WHERE id = ?1 AND owner_mark = ?4",
        values![&flow.0, word, sealed, &ours.mark],
    )?;
    Ok(noted == 1)
}

/// Puts a flow into the journal again that others have closed, while this host alone had its answer, or knew that its
/// code was sent. What is stored already, or was overtaken by a newer grant, stays as it is. `false` where another refresh of
/// its license is open, or somebody is giving it up: it has to wait.
pub(super) fn put_again(tx: Db<'_>, spooled: &SpooledFlow) -> Result<bool, DbError> {
    let Some(flow) = &spooled.row else { return Ok(true) };
    let key = &flow.key;
    let needless = match &spooled.stage {
        FlowStage::Answered(answer) => {
            let stored =
                "SELECT count(*) FROM secret WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND blob = ?4";
            let values = values![&flow.profile, key.ubi.as_str(), key.license.as_str(), answer.0.as_slice()];
            tx.number(stored, values)? > 0
        }
        _ => records::generation(tx, &flow.profile, key)? != Some(flow.base),
    };
    if needless {
        return Ok(true);
    }
    let may_stand_beside = |it: &Flow| match flow.purpose {
        Purpose::Refresh => it.purpose != Purpose::Refresh,
        _ => it.purpose == Purpose::Refresh || it.purpose.is_consent(),
    };
    if !of_key(tx, &flow.profile, key)?.iter().all(may_stand_beside) {
        return Ok(false);
    }
    let left = FlowOwner { mark: LEFT.into(), label: ENDED.into() };
    insert(tx, &Flow { owner: Some(left), ..flow.clone() }, None)?;
    Ok(true)
}

pub(super) fn stage_of(tx: Db<'_>, flow: &FlowId) -> Result<Option<FlowStage>, DbError> {
    tx.row("SELECT stage, sealed FROM flow WHERE id = ?1", values![&flow.0], |row| read_stage(row, 0))
}

/// Whether a flow is a process's own.
pub(super) fn has_owner(tx: Db<'_>, flow: &FlowId) -> Result<bool, DbError> {
    let owned = "SELECT count(*) FROM flow WHERE id = ?1 AND owner_mark IS NOT NULL";
    Ok(tx.number(owned, values![&flow.0])? == 1)
}

/// Whether a flow waits for whoever brings its answer, and nobody has taken one up.
pub(super) fn waits_for_anybody(tx: Db<'_>, flow: &FlowId) -> Result<bool, DbError> {
    let waiting = "SELECT count(*) FROM flow WHERE id = ?1 AND owner_mark IS NULL AND stage = 'asked'";
    Ok(tx.number(waiting, values![&flow.0])? == 1)
}

/// Closes a flow. Its state is remembered for a while: an answer that comes again is told so.
pub(super) fn close(tx: Db<'_>, flow: &FlowId, how: CloseReason) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO spent_state (state_hash, profile, ubi, license, replaced, at)
         SELECT state_hash, profile, ubi, license, ?2, unixepoch() FROM flow WHERE id = ?1 AND state_hash IS NOT NULL
         ON CONFLICT (state_hash) DO UPDATE SET replaced = excluded.replaced, at = excluded.at",
        values![&flow.0, how == CloseReason::Replaced],
    )?;
    tx.execute("DELETE FROM spent_state WHERE at < unixepoch() - ?1", values![REMEMBERED])?;
    tx.execute("DELETE FROM flow WHERE id = ?1", values![&flow.0])?;
    Ok(())
}

/// Remembers that the code of an answer is being sent: once it was, it's never taken from an answer again.
pub(super) fn code_is_sent(tx: Db<'_>, flow: &FlowId, code: &Fingerprint) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO spent_state (state_hash, profile, ubi, license, replaced, at)
         SELECT ?2, profile, ubi, license, ?3, unixepoch() FROM flow WHERE id = ?1
         ON CONFLICT (state_hash) DO NOTHING",
        values![&flow.0, code, false],
    )?;
    Ok(())
}

pub(super) fn of_state(db: Db<'_>, state: &Fingerprint) -> Result<Option<Flow>, DbError> {
    db.row(&format!("SELECT {COLUMNS} FROM flow WHERE state_hash = ?1"), values![state], read_full_flow)
}

pub(super) fn open_states(db: Db<'_>) -> Result<Vec<Fingerprint>, DbError> {
    let states = "SELECT state_hash FROM flow WHERE state_hash IS NOT NULL";
    let found: Vec<Vec<u8>> = db.rows(states, values![], |row| row.get(0))?;
    // What isn't one, no answer has.
    Ok(found.into_iter().filter_map(|it| it.try_into().ok()).collect())
}

/// What is remembered of a closed flow's state, or of a code that was sent.
pub(super) fn closed_flow(db: Db<'_>, state: &Fingerprint) -> Result<Option<ClosedFlow>, DbError> {
    db.row(
        "SELECT profile, ubi, license, replaced FROM spent_state WHERE state_hash = ?1",
        values![state],
        |row| Ok(ClosedFlow { profile: row.get(0)?, key: key(row, 1)?, replaced: row.get(3)? }),
    )
}

/// Takes a flow over that nobody is at, with the code that answers it, in one step. `false` where somebody else
/// was quicker.
pub(super) fn claim_answered(
    tx: Db<'_>,
    flow: &FlowId,
    from: Option<&FlowOwner>,
    to: &FlowOwner,
    stage: &FlowStage,
) -> Result<bool, DbError> {
    let noted = stage_of(tx, flow)?;
    // It was taken before, and only the word of that was lost.
    if matches!(noted, Some(FlowStage::Arrived(_))) && is_owned_by(tx, flow, to)? {
        return Ok(true);
    }
    let taken = noted == Some(FlowStage::Asked) && take_over(tx, flow, from, to)?;
    if taken {
        note(tx, flow, stage)?;
    }
    Ok(taken)
}

fn is_owned_by(tx: Db<'_>, flow: &FlowId, owner: &FlowOwner) -> Result<bool, DbError> {
    let found = tx.number(
        "SELECT count(*) FROM flow WHERE id = ?1 AND owner_mark = ?2",
        values![&flow.0, &owner.mark],
    )?;
    Ok(found > 0)
}

/// The same for a process that has ended, which had the answer in its spool alone: whoever goes on finds it as the dead one's.
pub(super) fn claim_for_the_dead(
    tx: Db<'_>,
    flow: &FlowId,
    stage: &FlowStage,
    mark: String,
) -> Result<(), DbError> {
    let dead = FlowOwner { mark, label: ENDED.into() };
    if take_over(tx, flow, None, &dead)? {
        note(tx, flow, stage)?;
    }
    Ok(())
}

pub(super) fn memo(tx: Db<'_>, flow: &FlowId) -> Result<Option<SecretPlace>, DbError> {
    let found =
        tx.row("SELECT memo_item, memo_blob FROM flow WHERE id = ?1", values![&flow.0], |row| place(row, 0))?;
    Ok(found.flatten())
}

pub(super) fn take_over(
    tx: Db<'_>,
    flow: &FlowId,
    from: Option<&FlowOwner>,
    to: &FlowOwner,
) -> Result<bool, DbError> {
    let taken = tx.execute(
        "UPDATE flow SET owner_mark = ?2, owner_label = ?3 WHERE id = ?1 AND owner_mark IS NOT DISTINCT FROM ?4",
        values![&flow.0, &to.mark, &to.label, from.map(|owner| &owner.mark)],
    )?;
    Ok(taken == 1)
}

/// Puts a flow that this process has at hand before whoever brings its next answer. One that was handed out keeps its
/// deadline; any other has until then, or, after an answer that brought nothing, at least until then. One that is closed, or that others have, stays as it is.
pub(super) fn reopen(
    tx: Db<'_>,
    flow: &FlowId,
    until: Timestamp,
    had_answer: bool,
    ours: &FlowOwner,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE flow SET stage = 'asked', sealed = NULL, owner_mark = NULL, owner_label = NULL,
                had_answer = had_answer OR ?3,
                deadline = CASE WHEN handed_off OR (?3 AND deadline > ?2) THEN deadline ELSE ?2 END
         WHERE id = ?1 AND (owner_mark = ?4 OR owner_mark IS NULL)",
        values![&flow.0, until.as_second(), had_answer, &ours.mark],
    )?;
    Ok(())
}

/// Closes the consents of a license that nobody has answered: one brought a grant. Their memos, for the vault to forget.
pub(super) fn close_unanswered(
    tx: Db<'_>,
    profile: &str,
    key: &LicenseId,
) -> Result<Vec<SecretPlace>, DbError> {
    let mut memos = Vec::new();
    for flow in of_key(tx, profile, key)? {
        if flow.purpose.is_consent() && flow.stage == FlowStage::Asked {
            close(tx, &flow.id, CloseReason::Ended)?;
            memos.extend(flow.memo);
        }
    }
    Ok(memos)
}

/// Whom the consents of a record's license ask that its former admin was asked for, and hasn't answered: from now on the one that it
/// names.
pub(super) fn ask_instead(tx: Db<'_>, record: &Authorization, before: &Username) -> Result<(), DbError> {
    if record.username == *before {
        return Ok(());
    }
    for flow in of_key(tx, &record.profile, &record.key)? {
        if flow.purpose.is_consent()
            && !matches!(flow.stage, FlowStage::Answered(_))
            && flow.username.same_as(before.as_str())
        {
            tx.execute(
                "UPDATE flow SET username = ?2 WHERE id = ?1",
                values![&flow.id.0, record.username.as_str()],
            )?;
        }
    }
    Ok(())
}

pub(super) fn asked_user(db: Db<'_>, flow: &FlowId) -> Result<Option<Username>, DbError> {
    db.row("SELECT username FROM flow WHERE id = ?1", values![&flow.0], |row| {
        Username::parse(text(row, 0)?).map_err(|e| unexpected_value(0, e))
    })
}

/// The other consents and deactivations of a flow's license.
pub(super) fn other_flows_of(db: Db<'_>, flow: &FlowId) -> Result<Vec<Flow>, DbError> {
    let which = "WHERE id <> ?1 AND purpose <> 'refresh' AND (profile, ubi, license) =
                       (SELECT profile, ubi, license FROM flow WHERE id = ?1)";
    seen(db, which, values![&flow.0])
}

/// The consents and deactivations of a license.
pub(super) fn of_license(db: Db<'_>, profile: &str, key: &LicenseId) -> Result<Vec<Flow>, DbError> {
    let mut open = of_key(db, profile, key)?;
    open.retain(|flow| flow.purpose != Purpose::Refresh);
    Ok(open)
}

pub(super) fn refresh_of_license(
    db: Db<'_>,
    profile: &str,
    key: &LicenseId,
) -> Result<Option<Flow>, DbError> {
    let open = of_key(db, profile, key)?;
    Ok(open.into_iter().find(|flow| flow.purpose == Purpose::Refresh))
}

/// A flow that this process owns stays open, and nobody is at it: no process ever has this mark. One that others have
/// taken over stays theirs.
pub(super) fn release_own(tx: Db<'_>, flow: &FlowId, ours: &FlowOwner) -> Result<(), DbError> {
    tx.execute(
        "UPDATE flow SET owner_mark = ?2 WHERE id = ?1 AND owner_mark = ?3",
        values![&flow.0, LEFT, &ours.mark],
    )?;
    Ok(())
}

/// A flow that this process owns is started once more: from now on until `deadline`. `false` where it doesn't own it any more.
pub(super) fn again(tx: Db<'_>, flow: &Flow, ours: &FlowOwner) -> Result<bool, DbError> {
    let put = tx.execute(
        "UPDATE flow SET stage = 'sent', sealed = NULL, opened = ?2, deadline = ?3 WHERE id = ?1 AND owner_mark = ?4",
        values![&flow.id.0, flow.opened.as_second(), flow.deadline.as_second(), &ours.mark],
    )?;
    Ok(put == 1)
}

pub(super) fn of_key(db: Db<'_>, profile: &str, key: &LicenseId) -> Result<Vec<Flow>, DbError> {
    let values = values![profile, key.ubi.as_str(), key.license.as_str()];
    flows(db, "WHERE profile = ?1 AND ubi = ?2 AND license = ?3", values)
}

/// The flows about one license, as whoever only looks sees them: no secret is read, sealed or not.
pub(super) fn seen_of_key(db: Db<'_>, profile: &str, key: &LicenseId) -> Result<Vec<Flow>, DbError> {
    let values = values![profile, key.ubi.as_str(), key.license.as_str()];
    seen(db, "WHERE profile = ?1 AND ubi = ?2 AND license = ?3", values)
}

/// The flows of a profile, so seen.
pub(super) fn seen_of_profile(db: Db<'_>, profile: &str) -> Result<Vec<Flow>, DbError> {
    seen(db, "WHERE profile = ?1", values![profile])
}

pub(super) fn of_profile(db: Db<'_>, profile: &str) -> Result<Vec<Flow>, DbError> {
    flows(db, "WHERE profile = ?1", values![profile])
}

pub(super) fn of_all(db: Db<'_>) -> Result<Vec<Flow>, DbError> {
    flows(db, "", values![])
}

fn seen(db: Db<'_>, which: &str, values: &[SqlValue<'_>]) -> Result<Vec<Flow>, DbError> {
    db.rows(&format!("SELECT {SEEN} FROM flow {which} ORDER BY profile, ubi, license"), values, |row| {
        let unread = || Some(SealedBytes(Vec::new()));
        let stage =
            stage(text(row, 14)?, unread()).ok_or_else(|| unexpected_value(14, "an unknown stage"))?;
        read(row, None, stage, OldSeals::default())
    })
}

fn flows(db: Db<'_>, which: &str, values: &[SqlValue<'_>]) -> Result<Vec<Flow>, DbError> {
    db.rows(
        &format!("SELECT {COLUMNS} FROM flow {which} ORDER BY profile, ubi, license"),
        values,
        read_full_flow,
    )
}

fn read_full_flow(row: &SqlRow<'_>) -> Result<Flow, DbError> {
    let (memo, stage) = (place(row, 14)?, read_stage(row, 16)?);
    let old = OldSeals {
        memo: match &memo {
            Some(memo) => is_old(row.get(18)?, memo),
            None => false,
        },
        sealed: match sealed_of(&stage) {
            Some(sealed) => row.get::<Option<&str>>(19)?.is_some_and(|mark| mark == old_mark_of(sealed)),
            None => false,
        },
    };
    read(row, memo, stage, old)
}

fn read(
    row: &SqlRow<'_>,
    memo: Option<SecretPlace>,
    stage: FlowStage,
    old: OldSeals,
) -> Result<Flow, DbError> {
    let owner = match (row.get(12)?, row.get::<Option<String>>(13)?) {
        (Some(mark), label) => Some(FlowOwner { mark, label: label.unwrap_or_default() }),
        (None, _) => None,
    };
    Ok(Flow {
        id: FlowId(row.get(0)?),
        profile: row.get(1)?,
        key: key(row, 2)?,
        purpose: Purpose::of(text(row, 4)?).ok_or_else(|| unexpected_value(4, "an unknown purpose"))?,
        username: Username::parse(text(row, 5)?).map_err(|e| unexpected_value(5, e))?,
        base: Generation(row.get(6)?),
        redirect_uri: row.get(7)?,
        opened: instant(row, 8)?,
        deadline: instant(row, 9)?,
        handed_off: row.get(10)?,
        had_answer: row.get(11)?,
        owner,
        memo,
        stage,
        old,
    })
}

fn read_stage(row: &SqlRow<'_>, first: usize) -> Result<FlowStage, DbError> {
    stage(text(row, first)?, row.get::<Option<Vec<u8>>>(first + 1)?.map(SealedBytes))
        .ok_or_else(|| unexpected_value(first, "an unknown stage"))
}
