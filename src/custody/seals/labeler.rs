//! What secrets are sealed for here: of which ledger, for which client of which provider, and in which row.

use crate::ledger::{Ledger, SecretLocation, SecretOwner};
use crate::model::flow::{Flow, ProfileSecret, SecretRole, StoredSecret};
use crate::model::ids::{FlowId, Generation, LicenseId};
use crate::model::seal::{ClientRegistration, ExpectedSeal, SealKind, SealLabel};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which client of which provider each profile's secrets belong to, as this host is configured.
pub type ClientRegistrations = BTreeMap<String, ClientRegistration>;

/// Says what a secret is sealed for, and what the seal in a row must say.
#[derive(Debug, Clone)]
pub struct SealLabeler {
    ledger: String,
    /// Other hosts seal into this ledger, too.
    is_shared: bool,
    /// This host has seen the ledger without a seal of an older version.
    are_all_new: bool,
    /// The licenses whose token sets this host has stored before.
    stored_here: Arc<BTreeSet<(String, String, String)>>,
    registrations: Arc<ClientRegistrations>,
}

impl SealLabeler {
    /// Of a ledger, for the profiles of this host.
    pub fn of(ledger: &Ledger, registrations: ClientRegistrations) -> Self {
        Self {
            ledger: ledger.id().to_owned(),
            is_shared: ledger.is_shared(),
            are_all_new: ledger.has_new_seals_alone(),
            stored_here: Arc::new(ledger.made_live_here()),
            registrations: Arc::new(registrations),
        }
    }

    fn place(&self, profile: &str, key: Option<&LicenseId>) -> SealLabel {
        SealLabel::place(&self.ledger, profile, self.registrations.get(profile), key)
    }

    /// The label of a license's token set.
    pub fn tokens(
        &self,
        profile: &str,
        key: &LicenseId,
        kind: SealKind,
        generation: Generation,
        flow: Option<&FlowId>,
    ) -> SealLabel {
        self.place(profile, Some(key)).of(kind, generation, flow)
    }

    pub fn verifier(&self, profile: &str, key: &LicenseId, flow: &FlowId) -> SealLabel {
        self.place(profile, Some(key)).of(SealKind::Verifier, Generation::default(), Some(flow))
    }

    pub fn code(&self, profile: &str, key: &LicenseId, flow: &FlowId) -> SealLabel {
        self.place(profile, Some(key)).of(SealKind::Code, Generation::default(), Some(flow))
    }

    pub fn client_secret(&self, profile: &str, generation: Generation) -> SealLabel {
        self.place(profile, None).of(SealKind::Secret, generation, None)
    }

    /// The row of a token set.
    pub fn row(&self, profile: &str, key: &LicenseId, secret: &StoredSecret) -> ExpectedSeal {
        self.row_of_tokens(profile, key, secret.role, secret.generation, secret.is_old)
    }

    /// The same by its columns.
    pub fn row_of_tokens(
        &self,
        profile: &str,
        key: &LicenseId,
        role: SecretRole,
        generation: Generation,
        is_old: bool,
    ) -> ExpectedSeal {
        let row = ExpectedSeal::of_tokens(self.place(profile, Some(key)), role, generation);
        let row = self.or_of_any_host(row, profile, key);
        self.may_be_old(self.by_its_hosts(row), is_old)
    }

    /// A row of a license of which this host has stored nothing yet: a host that may only seal leaves it to the one that may read.
    pub(in crate::custody) fn or_of_any_host(
        &self,
        row: ExpectedSeal,
        profile: &str,
        key: &LicenseId,
    ) -> ExpectedSeal {
        let record = (profile.to_owned(), key.ubi.to_string(), key.license.to_string());
        if self.stored_here.contains(&record) { row } else { row.of_any_host() }
    }

    pub fn row_of_verifier(&self, flow: &Flow) -> ExpectedSeal {
        self.row_of_memo(&flow.profile, &flow.key, &flow.id, flow.handed_off, flow.old.memo)
    }

    /// The row of a memo by its columns.
    pub fn row_of_memo(
        &self,
        profile: &str,
        key: &LicenseId,
        flow: &FlowId,
        handed_off: bool,
        is_old: bool,
    ) -> ExpectedSeal {
        let row = ExpectedSeal::of_flow(self.place(profile, Some(key)), SealKind::Verifier, flow);
        // Of a link that was handed out, the answer may come to any host that listens: the one that made it sealed it to all.
        let row = if handed_off { self.by_its_hosts(row) } else { row };
        self.may_be_old(row, is_old)
    }

    pub fn row_of_code(&self, flow: &Flow) -> ExpectedSeal {
        let place = self.place(&flow.profile, Some(&flow.key));
        let row = ExpectedSeal::of_flow(place, SealKind::Code, &flow.id);
        self.may_be_old(row, flow.old.sealed)
    }

    pub fn row_of_answer(&self, flow: &Flow) -> ExpectedSeal {
        let row = ExpectedSeal::of_answer(self.place(&flow.profile, Some(&flow.key)), &flow.id);
        self.may_be_old(self.by_its_hosts(row), flow.old.sealed)
    }

    pub fn row_of_client_secret(&self, profile: &str, secret: &ProfileSecret) -> ExpectedSeal {
        self.row_of_secret(profile, secret.generation, secret.is_old)
    }

    /// The row of a client secret by its columns.
    pub fn row_of_secret(&self, profile: &str, generation: Generation, is_old: bool) -> ExpectedSeal {
        self.may_be_old(ExpectedSeal::of_secret(self.place(profile, None), generation), is_old)
    }

    /// What may go to other hosts' identities may come from other hosts, too.
    fn by_its_hosts(&self, row: ExpectedSeal) -> ExpectedSeal {
        if self.is_shared { row.of_any_host() } else { row }
    }

    /// A ledger whose seals all said what they are for has none again that doesn't.
    fn may_be_old(&self, row: ExpectedSeal, is_old: bool) -> ExpectedSeal {
        // defense: S60 no-old-seal-comes-back
        row.that_may_be_old(is_old && !self.are_all_new)
    }

    pub fn row_of(&self, secret: &SecretLocation) -> ExpectedSeal {
        let (generation, is_old) = (secret.generation, secret.is_old);
        match &secret.owner {
            SecretOwner::Tokens { profile, key, role, .. } => {
                self.row_of_tokens(profile, key, *role, generation, is_old)
            }
            SecretOwner::Profile { profile, .. } => self.row_of_secret(profile, generation, is_old),
            SecretOwner::Memo { flow, profile, key, handed_off, .. } => {
                self.row_of_memo(profile, key, flow, *handed_off, is_old)
            }
        }
    }

    /// The label that a secret is sealed with anew. What an older version sealed is what its row says.
    pub(in crate::custody) fn label_of(
        &self,
        secret: &SecretLocation,
        found: Option<&SealLabel>,
    ) -> SealLabel {
        let row = self.row_of(secret);
        let kind = match &secret.owner {
            SecretOwner::Tokens { role, .. } => kind_of(*role, found),
            SecretOwner::Profile { .. } | SecretOwner::Memo { .. } => row.kind(),
        };
        let mut label = row.label(kind);
        // Where this host doesn't know the profile, its secrets stay what they were sealed for.
        label.registration = label.registration.or_else(|| found.and_then(|it| it.registration.clone()));
        label
    }

    /// Whether this host knows the profile that a secret is of.
    pub(super) fn knows(&self, secret: &SecretLocation) -> bool {
        let profile = match &secret.owner {
            SecretOwner::Tokens { profile, .. } | SecretOwner::Profile { profile, .. } => profile,
            SecretOwner::Memo { profile, .. } => profile,
        };
        self.registrations.get(profile).is_some()
    }
}

/// A set that waits for its end stays what it was.
fn kind_of(role: SecretRole, found: Option<&SealLabel>) -> SealKind {
    let was = |kind: SealKind| found.is_some_and(|label| label.kind == kind.word());
    match role {
        SecretRole::Live => SealKind::Tokens,
        SecretRole::Held => SealKind::Awaiting,
        SecretRole::Superseded | SecretRole::Unwanted if was(SealKind::Awaiting) => SealKind::Awaiting,
        SecretRole::Superseded | SecretRole::Unwanted if was(SealKind::Refused) => SealKind::Refused,
        SecretRole::Superseded => SealKind::Tokens,
        // Nobody knows any more why an older version kept it; it's used for nothing but its revocation.
        SecretRole::Unwanted => SealKind::Refused,
    }
}
