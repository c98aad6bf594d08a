//! Secrets are sealed anew for the rows that they stand in: what older versions sealed, by the first command that can read it;
//! and what was sealed for another provider, or by nobody of this host, once somebody has agreed.

use super::labeler::SealLabeler;
use super::listed_recipients;
use crate::custody::moves::move_secrets::{TRIES, forget_left, require_no_open_flows};
use crate::custody::writer::Custody;
use crate::error::{CustodyError, Error, Result, VaultError, counted, first_few};
use crate::ledger::{Ledger, SecretLocation, SecretOwner};
use crate::model::flow::SecretPlace;
use crate::model::history::LedgerEventKind;
use crate::model::seal::{ExpectedSeal, SealMismatch};
use crate::model::secret::Sealable;
use crate::model::vault_kind::VaultKind;
use crate::vault::{FoundSecret, Vault};
use jiff::Timestamp;

/// So many are named in a question.
const NAMED: usize = 5;

/// What came of sealing anew.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResealSummary {
    /// How many secrets were sealed anew.
    pub renewed: usize,
    /// What an older version sealed and this host can't seal anew: for others, or in a consent that is still open.
    pub left: usize,
    /// What stands in a row that it wasn't sealed for: an error each. Nothing takes these over.
    pub refused: Vec<String>,
}

/// Whether seals that only a person can judge are taken over: called with a question.
pub type SealApproval<'a> = dyn FnMut(&str) -> Result<()> + 'a;

/// What is to be done about a secret as it was found.
enum SealJudgment {
    Fits,
    /// An older version sealed it, in this row.
    Old,
    /// It was sealed for the same profile at another provider.
    Moved(String, String),
    /// This host should have sealed it, and didn't; or it doesn't say what it's for.
    Stranger,
    /// It belongs elsewhere.
    Refused(VaultError),
}

fn judge(found: &FoundSecret, row: &ExpectedSeal, is_item: bool) -> SealJudgment {
    let Some(label) = &found.label else {
        return if row.is_old { SealJudgment::Old } else { SealJudgment::Stranger };
    };
    let what = row.whose();
    match row.holds(label, !is_item) {
        Ok(()) if found.is_ours == Some(false) && row.is_proven_by_its_seal(found.alone) => {
            SealJudgment::Stranger
        }
        Ok(()) => SealJudgment::Fits,
        Err(SealMismatch::Moved { sealed, now }) => SealJudgment::Moved(sealed, now),
        Err(SealMismatch::Elsewhere { sealed, row }) => {
            SealJudgment::Refused(VaultError::Elsewhere { what, sealed, row })
        }
        Err(SealMismatch::Number { sealed, row }) => {
            SealJudgment::Refused(VaultError::PutBack { what, sealed, newest: row })
        }
    }
}

/// Seals anew what an older version sealed, and, where somebody agrees, what was sealed for a provider that the profile was
/// moved away from, or by nobody of this host. All in one commit.
///
/// # Errors
/// Where somebody is at work, or doesn't agree: nothing is changed.
pub fn renew_seals(
    ledger: &mut Ledger,
    vault: &Vault,
    seals: &SealLabeler,
    now: Timestamp,
    agree: Option<&mut SealApproval<'_>>,
) -> Result<ResealSummary> {
    let Some(_turn) = ledger.vault_turn()? else { return Err(CustodyError::OtherMove.into()) };
    // A host that would seal to others than the team's list says so first.
    if let Some(e) = listed_recipients::differs(ledger, vault)? {
        return Err(e.into());
    }
    let mut agree = agree;
    let mut agreed = Vec::new();
    for _ in 0..TRIES {
        let seen = require_no_open_flows(ledger, false)?;
        let all = ledger.all_secrets()?;
        let known = all.len();
        let hosts = ledger.listening_hosts(now)?.into_iter().map(|host| host.recipient).collect::<Vec<_>>();
        let mut done = ResealSummary { left: ledger.old_answers()?, ..ResealSummary::default() };
        let (mut sealed, mut asked) = (Vec::new(), Vec::new());
        // Where nobody can agree to more, only what an older version sealed is looked at.
        let wanted =
            |it: &SecretLocation| it.place.vault() == vault.kind() && (agree.is_some() || it.is_marked);
        for secret in all.into_iter().filter(wanted).collect::<Vec<_>>() {
            let row = seals.row_of(&secret);
            let Ok(found) = vault.read_unchecked(&secret.place, &row.whose()) else {
                // Other hosts' identities open it, or nobody's: that is told where it's needed.
                done.left += usize::from(secret.is_old);
                continue;
            };
            let judgment = judge(&found, &row, matches!(secret.place, SecretPlace::Item(_)));
            let question = match judgment {
                SealJudgment::Fits if !secret.is_marked => continue,
                SealJudgment::Refused(e) => {
                    done.refused.push(e.to_string());
                    continue;
                }
                // Beside it, what came to its consent is an older version's, too: that ends soon.
                SealJudgment::Fits | SealJudgment::Old
                    if !seals.knows(&secret) || vault.has_further_readers(&secret.place)? =>
                {
                    done.left += usize::from(secret.is_old);
                    continue;
                }
                _ if matches!(secret.owner, SecretOwner::Memo { waits: false, .. }) => {
                    done.left += usize::from(secret.is_old);
                    continue;
                }
                // One that says what it's for, where an older version's stood: the mark of that one goes.
                SealJudgment::Fits | SealJudgment::Old => None,
                SealJudgment::Moved(sealed, now) => {
                    Some(format!("sealed for {sealed}, but the profile is now {now}"))
                }
                SealJudgment::Stranger => Some("not sealed by this host".to_owned()),
            };
            if let Some(question) = question {
                match agree {
                    Some(_) => asked.push((question, row.whose())),
                    None => continue,
                }
            }
            let place = sealed_anew(vault, seals, &secret, &found, &hosts)?;
            sealed.push((secret, place));
        }
        if let Some(agree) = agree.as_deref_mut() {
            for question in questions(asked) {
                if !agreed.contains(&question) {
                    agree(&question)?;
                    agreed.push(question);
                }
            }
        }
        done.renewed = sealed.len();
        if sealed.is_empty() {
            return Ok(done);
        }
        let detail =
            format!("{} for the rows that they stand in", counted(sealed.len(), "secret", "secrets"));
        if ledger.replace_places((&sealed, None), known, &seen, LedgerEventKind::Resealed, &detail, now)? {
            if vault.kind() == VaultKind::Keyring {
                forget_left(ledger, vault)?;
            }
            return Ok(done);
        }
    }
    Err(CustodyError::SecretsKeepChanging.into())
}

/// One question for each provider, and one for what nobody here sealed, with the licenses that each is about.
fn questions(mut asked: Vec<(String, String)>) -> Vec<String> {
    asked.sort();
    let groups = asked.chunk_by(|one, other| one.0 == other.0);
    let question = |group: &[(String, String)]| {
        let mut whose: Vec<_> = group.iter().map(|(_, whose)| whose.clone()).collect();
        whose.dedup();
        let count = counted(group.len(), "secret was", "secrets were");
        format!("{count} {} ({}). Use them?", group[0].0, first_few(&whose, NAMED))
    };
    groups.map(question).collect()
}

fn sealed_anew(
    vault: &Vault,
    seals: &SealLabeler,
    secret: &SecretLocation,
    found: &FoundSecret,
    hosts: &[String],
) -> Result<SecretPlace> {
    let label = seals.label_of(secret, found.label.as_ref());
    // A name that it doesn't have yet: until the commit, what is there stays.
    let item = match &secret.place {
        SecretPlace::Item(item) => format!("{item}-anew"),
        SecretPlace::Blob(_) => String::new(),
    };
    match &secret.owner {
        SecretOwner::Tokens { .. } => vault.put(&item, &label, &found.secret),
        SecretOwner::Profile { .. } => vault.put_for_this_host(&item, &label, &found.secret),
        SecretOwner::Memo { handed_off, .. } => {
            let memo: Sealable = match vault.kind() {
                VaultKind::Sealed => found.secret.clone(),
                // Behind the identity that its answer is sealed to.
                VaultKind::Keyring => behind_the_first_line(&found.secret),
            };
            let also: &[String] = if *handed_off { hosts } else { &[] };
            vault.put_memo(&item, &label, &memo, also)
        }
    }
}

fn behind_the_first_line(item: &Sealable) -> Sealable {
    let bytes = item.bytes();
    let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    Sealable::from_bytes(bytes[end..].to_vec())
}

impl Custody<'_> {
    /// Once a command's work is done that has opened the sealed vault: what older versions sealed is sealed anew. A keyring's
    /// items are left until their next change: it may ask for each. Whatever hinders it leaves it to the next command.
    pub(in crate::custody) fn renew_old_seals(&mut self) {
        if self.ledger.has_new_seals_alone() {
            return;
        }
        if self.vault.is_open() && has_old_seals(&self.ledger).unwrap_or(false) {
            let now = self.env.clock.now();
            let (vault, seals) = (self.vault.clone(), self.seals.clone());
            match renew_seals(&mut self.ledger, &vault, &seals, now, None) {
                Ok(done) => {
                    tracing::info!(
                        "{} from an older version were resealed, {} are left",
                        done.renewed,
                        done.left
                    );
                }
                Err(e) => tracing::info!("secrets from an older version are not resealed yet: {e}"),
            }
        }
        if let Err(e) = note_new_seals(&self.ledger) {
            tracing::warn!("could not remember that every seal names its purpose: {e}");
        }
    }
}

fn has_old_seals(ledger: &Ledger) -> Result<bool> {
    Ok(ledger.all_secrets()?.iter().any(|it| it.is_marked) || ledger.old_answers()? > 0)
}

/// Has this host remember that no seal of an older version is left, where that is so. A mark whose seal was moved elsewhere
/// counts: where that is put back, it must not be lost.
pub fn note_new_seals(ledger: &Ledger) -> Result<()> {
    if has_old_seals(ledger)? { Ok(()) } else { ledger.note_new_seals() }
}

/// Whether an error is about a seal that stands where it doesn't belong, or that nobody here made.
pub fn is_out_of_place(e: &Error) -> bool {
    matches!(
        e,
        Error::Vault(
            VaultError::Elsewhere { .. }
                | VaultError::PutBack { .. }
                | VaultError::Moved { .. }
                | VaultError::Unauthentic { .. }
                | VaultError::Unlabeled { .. }
        )
    )
}
