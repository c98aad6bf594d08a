//! All secrets at once: into the other vault, or sealed to other recipients. The new ones are made first, then one commit
//! names them all; only then the old ones go. Killed anywhere, the same command goes on.

use crate::custody::seals::labeler::SealLabeler;
use crate::error::{CustodyError, Error, LedgerError, Result};
use crate::ledger::{Ledger, MoveSummary, SecretLocation, SecretOwner};
use crate::model::flow::{Flow, FlowStage, SecretPlace, SecretRole};
use crate::model::history::LedgerEventKind;
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::system::Env;
use crate::vault::Vault;
use jiff::Timestamp;

/// How often the whole is tried again, where others changed something between reading and commit.
pub(in crate::custody) const TRIES: usize = 5;

/// Moves every secret that isn't in `to` yet out of `from`; has the new vault `named` in the configuration; and forgets the
/// old places, also those that an earlier move left. How many moved.
///
/// # Errors
/// Where a license is being worked on, or what a dead process left of one must be finished first: nothing is changed.
pub fn move_secrets(
    ledger: &mut Ledger,
    from: &Vault,
    to: &Vault,
    seals: &SealLabeler,
    now: Timestamp,
    named: &mut dyn FnMut() -> Result<()>,
) -> Result<usize> {
    let Some(_turn) = ledger.vault_turn()? else { return Err(CustodyError::OtherMove.into()) };
    ledger.mark_alive()?;
    let mut count = 0;
    for tried in 0..=TRIES {
        let all = ledger.all_secrets()?;
        let known = all.len();
        let rest: Vec<_> = all.into_iter().filter(|it| it.place.vault() != to.kind()).collect();
        count = rest.len();
        // Where all are there, what waits to be finished stays as it is.
        let seen = require_no_open_flows(ledger, count > 0)?;
        if tried == TRIES {
            return Err(CustodyError::SecretsKeepChanging.into());
        }
        if rest.is_empty() {
            if ledger.set_vault_kind(to.kind(), &seen)? {
                break;
            }
            continue;
        }
        let mut moved = Vec::with_capacity(rest.len());
        for secret in rest {
            // defense: S35 moved-secrets-stay-until-the-commit
            let place = moved_one(ledger, &secret, from, to, seals)?;
            moved.push((secret, place));
        }
        let detail = format!("{count} secrets, from the {} vault to the {} vault", from.kind(), to.kind());
        if ledger.replace_places((&moved, None), known, &seen, LedgerEventKind::Moved, &detail, now)? {
            break;
        }
    }
    named()?;
    forget_left(ledger, if from.kind() == VaultKind::Keyring { from } else { to })?;
    Ok(count)
}

/// Moves the whole ledger to another place, and has it `named` in the configuration.
///
/// # Errors
/// Where a license is being worked on: nothing is changed.
pub fn move_ledger(
    env: &Env,
    from: &LedgerPlace,
    to: &LedgerPlace,
    named: &mut dyn FnMut() -> Result<()>,
) -> Result<MoveSummary> {
    match Ledger::open(env, from) {
        Ok(ledger) => drop(require_no_open_flows(&ledger, false)?),
        // It has moved already: the same command finishes that.
        Err(Error::Ledger(LedgerError::Moved { .. })) => {}
        Err(e) => return Err(e),
    }
    let carried = Ledger::move_to(env, from, to, env.clock.now())?;
    named()?;
    Ok(carried)
}

fn moved_one(
    ledger: &Ledger,
    secret: &SecretLocation,
    from: &Vault,
    to: &Vault,
    seals: &SealLabeler,
) -> Result<SecretPlace> {
    let (id, row) = (ledger.id(), seals.row_of(secret));
    let (kept, label) = from.get_labeled(&secret.place, &row)?;
    let label = seals.label_of(secret, label.as_ref());
    match &secret.owner {
        SecretOwner::Tokens { id: row, profile, key, role, record } => {
            // The same name at every try, so that one that was cut short leaves nothing that isn't named again.
            let item = format!("{id}/{profile}/{}/{}/{}", key.ubi, key.license, record.0);
            let item = if *role == SecretRole::Live { item } else { format!("{item}-{}-{row}", role.word()) };
            to.put(&item, &label, &kept)
        }
        SecretOwner::Profile { profile, name } => {
            let item = format!("{id}/{profile}/{}-moved", name.replace('_', "-"));
            to.put_for_this_host(&item, &label, &kept)
        }
        SecretOwner::Memo { flow, profile, key, .. } => {
            let (memo, _) = from.reopen_memo(&secret.place, &row)?;
            let item = format!("{id}/{profile}/{}/{}/flow-{flow}", key.ubi, key.license);
            to.put_memo(&item, &label, &memo, &[])
        }
    }
}

/// Seals every token set to the recipients of the vault `to`, whatever it was sealed to, and lists them as those whom every host seals to.
/// How many there are.
///
/// # Errors
/// Where one can't be opened here: nothing is changed.
pub fn reseal(
    ledger: &mut Ledger,
    from: &Vault,
    (to, recipients): (&Vault, &[String]),
    seals: &SealLabeler,
    detail: &str,
    now: Timestamp,
) -> Result<usize> {
    let Some(_turn) = ledger.vault_turn()? else { return Err(CustodyError::OtherMove.into()) };
    for _ in 0..TRIES {
        let seen = require_no_open_flows(ledger, false)?;
        let all = ledger.all_secrets()?;
        let known = all.len();
        let mut sealed = Vec::new();
        for secret in all {
            if let (SecretOwner::Tokens { .. }, SecretPlace::Blob(_)) = (&secret.owner, &secret.place) {
                let (kept, label) = from.get_labeled(&secret.place, &seals.row_of(&secret))?;
                let place = to.put("", &seals.label_of(&secret, label.as_ref()), &kept)?;
                sealed.push((secret, place));
            }
        }
        let count = sealed.len();
        if ledger.replace_places(
            (&sealed, Some(recipients)),
            known,
            &seen,
            LedgerEventKind::Resealed,
            detail,
            now,
        )? {
            return Ok(count);
        }
    }
    Err(CustodyError::SecretsKeepChanging.into())
}

/// Items of the keyring that an earlier commit left behind, and which nothing names any more.
pub(in crate::custody) fn forget_left(ledger: &mut Ledger, keyring: &Vault) -> Result<()> {
    let left = ledger.items_to_delete()?;
    if left.is_empty() {
        return Ok(());
    }
    for item in &left {
        keyring.forget(&SecretPlace::Item(item.clone()))?;
    }
    ledger.items_forgotten(&left)
}

/// Nobody is at work, and nothing is left half done: what is sealed in the journal belongs to the vault it was begun with.
/// `memos`: a flow that only waits moves along; else it isn't touched. The flows that are open, which the commit
/// compares.
pub(in crate::custody) fn require_no_open_flows(ledger: &Ledger, memos: bool) -> Result<Vec<Flow>> {
    let open = ledger.all_flows()?;
    for flow in &open {
        let license = flow.key.license.to_string();
        if ledger.is_worked_on(flow)? {
            let holder = flow.owner.as_ref().map_or_else(String::new, |owner| owner.label.clone());
            return Err(Error::busy(license, holder));
        }
        if memos && flow.stage != FlowStage::Asked {
            return Err(CustodyError::HalfDone { license }.into());
        }
    }
    Ok(open)
}
