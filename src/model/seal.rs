//! What a secret is sealed for: written inside the seal, compared with the row that it's found in, and refused anywhere else.

use super::flow::SecretRole;
use super::ids::{FlowId, Generation, LicenseId};
use super::provider::Provider;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of secret a seal holds. A ledger may hold kinds that this program doesn't know yet: the word is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealKind {
    /// A token set that may be used, or may once have been.
    Tokens,
    /// Another admin's token set, which awaits approval.
    Awaiting,
    /// A token set that isn't the one that was asked for, kept only to be revoked.
    Refused,
    /// The state and the verifier of a flow.
    Verifier,
    Code,
    /// A profile's client secret.
    Secret,
}

impl SealKind {
    /// The word inside the seal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Awaiting => "awaiting tokens",
            Self::Refused => "refused tokens",
            Self::Verifier => "verifier",
            Self::Code => "code",
            Self::Secret => "secret",
        }
    }
}

/// Every kind of token set: what came to a flow, before its place is decided.
const TOKEN_SETS: &[SealKind] = &[SealKind::Tokens, SealKind::Awaiting, SealKind::Refused];

impl SecretRole {
    /// The kinds of token sets that may stand in a row of this role. Only what was sealed to be used is used: a row's role is a
    /// word in the ledger, and whoever writes there could change it.
    fn kinds(self) -> &'static [SealKind] {
        match self {
            Self::Live => &[SealKind::Tokens],
            Self::Held => &[SealKind::Awaiting],
            Self::Superseded | Self::Unwanted => TOKEN_SETS,
        }
    }
}

/// Which client of which provider a profile's secrets belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistration {
    /// The issuer; for a provider that names none, its base address.
    pub issuer: String,
    pub client: String,
}

impl From<&Provider> for ClientRegistration {
    fn from(provider: &Provider) -> Self {
        let issuer = provider.issuer.clone().unwrap_or_else(|| provider.url.clone());
        Self { issuer, client: provider.client_id.clone() }
    }
}

impl fmt::Display for ClientRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (client {})", self.issuer, self.client)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealLabel {
    pub ledger: String,
    pub profile: String,
    /// The client and its provider; `None` where the profile wasn't in the configuration of the host that sealed it.
    pub registration: Option<ClientRegistration>,
    /// The UBI; empty for what belongs to the profile itself.
    pub ubi: String,
    /// The license; empty for what belongs to the profile itself.
    pub license: String,
    pub kind: String,
    /// Counts the secrets of one license, or of one profile: an older one that is put back is noticed.
    pub generation: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
}

/// What a secret that is found in a row must have been sealed for.
#[derive(Debug, Clone)]
pub struct ExpectedSeal {
    /// Everything but kind, generation and flow as it must be.
    place: SealLabel,
    kinds: &'static [SealKind],
    generation: Option<Generation>,
    flow: Option<FlowId>,
    author: SealAuthor,
    /// It was there before seals said what they are for.
    pub is_old: bool,
}

/// Who may have sealed what a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SealAuthor {
    /// This host alone, for itself.
    ThisHost,
    /// This host alone, where nobody else may read what it seals.
    OnlyReader,
    /// Any host of the ledger: hosts have no secret in common that could prove it.
    AnyHost,
}

/// How a seal differs from its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealMismatch {
    /// It belongs somewhere else: what it says, and what the row says.
    Elsewhere { sealed: String, row: String },
    /// It's another one of its license than the row says.
    Number { sealed: i64, row: i64 },
    /// It was sealed for the same profile at another provider, or for another client.
    Moved { sealed: String, now: String },
}

impl SealLabel {
    /// The label of a secret of this kind.
    pub fn of(&self, kind: SealKind, generation: Generation, flow: Option<&FlowId>) -> Self {
        let flow = flow.map(|flow| flow.0.clone());
        Self { kind: kind.word().into(), generation: generation.0, flow, ..self.clone() }
    }

    /// What belongs to a license, or to a profile itself, before anything is said of its kind.
    pub fn place(
        ledger: &str,
        profile: &str,
        registration: Option<&ClientRegistration>,
        key: Option<&LicenseId>,
    ) -> Self {
        Self {
            ledger: ledger.into(),
            profile: profile.into(),
            registration: registration.cloned(),
            ubi: key.map(|key| key.ubi.to_string()).unwrap_or_default(),
            license: key.map(|key| key.license.to_string()).unwrap_or_default(),
            kind: String::new(),
            generation: 0,
            flow: None,
        }
    }

    /// Whose it is, for messages.
    pub fn whose(&self) -> String {
        match self.license.is_empty() {
            true => format!("{}'s client secret", self.profile),
            false => self.license.clone(),
        }
    }

    pub fn is(&self, kind: SealKind, generation: Generation) -> bool {
        self.kind == kind.word() && self.generation == generation.0
    }
}

impl ExpectedSeal {
    /// A token set's row.
    pub fn of_tokens(place: SealLabel, role: SecretRole, generation: Generation) -> Self {
        Self::new(place, role.kinds(), Some(generation), None)
    }

    /// A flow's row, where its answer is kept.
    pub fn of_answer(place: SealLabel, flow: &FlowId) -> Self {
        Self::new(place, TOKEN_SETS, None, Some(flow))
    }

    /// A flow's row, for what belongs to the flow alone.
    /// Flows aren't counted: each has a random name of its own.
    pub fn of_flow(place: SealLabel, kind: SealKind, flow: &FlowId) -> Self {
        let kinds: &'static [SealKind] = match kind {
            SealKind::Code => &[SealKind::Code],
            _ => &[SealKind::Verifier],
        };
        Self { author: SealAuthor::ThisHost, ..Self::new(place, kinds, None, Some(flow)) }
    }

    /// The row of a profile's own secret.
    pub fn of_secret(place: SealLabel, generation: Generation) -> Self {
        let row = Self::new(place, &[SealKind::Secret], Some(generation), None);
        Self { author: SealAuthor::ThisHost, ..row }
    }

    fn new(
        place: SealLabel,
        kinds: &'static [SealKind],
        generation: Option<Generation>,
        flow: Option<&FlowId>,
    ) -> Self {
        Self { place, kinds, generation, flow: flow.cloned(), author: SealAuthor::OnlyReader, is_old: false }
    }

    /// It was there before seals said what they are for.
    pub fn that_may_be_old(self, is_old: bool) -> Self {
        Self { is_old, ..self }
    }

    /// Other hosts may have sealed it, too.
    pub fn of_any_host(self) -> Self {
        Self { author: SealAuthor::AnyHost, ..self }
    }

    /// Whether this host must have sealed it itself. `alone`: nobody else may read what this host seals.
    pub fn is_proven_by_its_seal(&self, alone: bool) -> bool {
        match self.author {
            SealAuthor::ThisHost => true,
            SealAuthor::OnlyReader => alone,
            SealAuthor::AnyHost => false,
        }
    }

    /// Whose it is, for messages.
    pub fn whose(&self) -> String {
        self.place.whose()
    }

    /// The label that what is there should have, as a secret of this kind; its number is the row's.
    pub fn label(&self, kind: SealKind) -> SealLabel {
        self.place.of(kind, self.generation.unwrap_or_default(), self.flow.as_ref())
    }

    pub fn kind(&self) -> SealKind {
        self.kinds.first().copied().unwrap_or(SealKind::Tokens)
    }

    /// Whether what is sealed belongs in this row. `has_number`: its number is compared, too; a keyring's items have names of
    /// their own for that.
    pub fn holds(&self, sealed: &SealLabel, has_number: bool) -> Result<(), SealMismatch> {
        let place = &self.place;
        let compared = [
            ("ledger", sealed.ledger.as_str(), place.ledger.as_str()),
            ("profile", &sealed.profile, &place.profile),
            ("UBI", &sealed.ubi, &place.ubi),
            ("license", &sealed.license, &place.license),
        ];
        for (what, theirs, ours) in compared {
            // defense: S60 a-seal-names-its-place
            if theirs != ours {
                let named = |value: &str| match value {
                    "" => format!("no {what}"),
                    value => format!("{what} {value}"),
                };
                return Err(SealMismatch::Elsewhere { sealed: named(theirs), row: named(ours) });
            }
        }
        // defense: S60 a-seal-names-its-kind
        if self.kinds.iter().all(|kind| kind.word() != sealed.kind) {
            let row = self.kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(" or ");
            let sealed = format!("use as {}", sealed.kind);
            return Err(SealMismatch::Elsewhere { sealed, row: format!("use as {row}") });
        }
        // defense: S60 a-seal-names-its-flow
        if let Some(flow) = &self.flow
            && sealed.flow.as_ref() != Some(&flow.0)
        {
            let (sealed, row) = ("another consent for this license".into(), "this one".into());
            return Err(SealMismatch::Elsewhere { sealed, row });
        }
        // defense: S60 a-seal-names-its-generation
        if let Some(generation) = self.generation.filter(|it| has_number && it.0 != sealed.generation) {
            return Err(SealMismatch::Number { sealed: sealed.generation, row: generation.0 });
        }
        // defense: S60 a-seal-names-its-issuer
        if let Some(configured) = &place.registration
            && sealed.registration.as_ref() != Some(configured)
        {
            let sealed = sealed.registration.as_ref();
            let sealed = sealed.map_or("an unknown provider".to_owned(), ToString::to_string);
            return Err(SealMismatch::Moved { sealed, now: configured.to_string() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{License, Ubi};

    fn place(profile: &str, license: &str) -> SealLabel {
        let key = LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() };
        let at = ClientRegistration { issuer: format!("https://{profile}.example"), client: "us".into() };
        SealLabel::place("a-ledger", profile, Some(&at), Some(&key))
    }

    fn flow(id: &str) -> FlowId {
        FlowId(id.into())
    }

    /// What a seal's own row says of it, and what a changed label is refused for.
    fn refusal(changed: impl FnOnce(&mut SealLabel)) -> SealMismatch {
        let mut label = place("ny", "L-1").of(SealKind::Tokens, Generation(3), Some(&flow("a")));
        let row = ExpectedSeal::of_tokens(place("ny", "L-1"), SecretRole::Live, Generation(3));
        row.holds(&label, true).unwrap();
        changed(&mut label);
        row.holds(&label, true).unwrap_err()
    }

    #[test]
    fn a_seal_is_refused_in_every_row_but_its_own() {
        let elsewhere =
            |sealed: &str, row: &str| SealMismatch::Elsewhere { sealed: sealed.into(), row: row.into() };
        assert_eq!(refusal(|it| it.ledger = "other".into()), elsewhere("ledger other", "ledger a-ledger"));
        assert_eq!(refusal(|it| it.profile = "test".into()), elsewhere("profile test", "profile ny"));
        assert_eq!(refusal(|it| it.ubi = "1".into()), elsewhere("UBI 1", "UBI 604001"));
        assert_eq!(refusal(|it| it.license = String::new()), elsewhere("no license", "license L-1"));
        assert_eq!(
            refusal(|it| it.kind = SealKind::Awaiting.word().into()),
            elsewhere("use as awaiting tokens", "use as tokens")
        );
        assert_eq!(refusal(|it| it.generation = 2), SealMismatch::Number { sealed: 2, row: 3 });
        let theirs = ClientRegistration { issuer: "https://ny.example".into(), client: "them".into() };
        let moved = |sealed: &str| SealMismatch::Moved {
            sealed: sealed.into(),
            now: "https://ny.example (client us)".into(),
        };
        assert_eq!(refusal(|it| it.registration = Some(theirs)), moved("https://ny.example (client them)"));
        assert_eq!(refusal(|it| it.registration = None), moved("an unknown provider"));
    }

    #[test]
    fn a_role_takes_only_what_was_sealed_for_it() {
        let label = |kind| place("ny", "L-1").of(kind, Generation(3), None);
        let takes = |role, kind| {
            ExpectedSeal::of_tokens(place("ny", "L-1"), role, Generation(3)).holds(&label(kind), true).is_ok()
        };
        for kind in [SealKind::Awaiting, SealKind::Refused, SealKind::Code, SealKind::Secret] {
            assert!(!takes(SecretRole::Live, kind), "{kind:?}");
        }
        assert!(!takes(SecretRole::Held, SealKind::Tokens));
        for role in [SecretRole::Superseded, SecretRole::Unwanted] {
            assert!(TOKEN_SETS.iter().all(|kind| takes(role, *kind)) && !takes(role, SealKind::Verifier));
        }
    }

    #[test]
    fn what_belongs_to_a_flow_is_refused_in_another() {
        let at = place("ny", "L-1");
        let code = at.of(SealKind::Code, Generation(0), Some(&flow("a")));
        let row = |kind, id| ExpectedSeal::of_flow(at.clone(), kind, &flow(id));
        assert_eq!(row(SealKind::Code, "a").holds(&code, true), Ok(()));
        assert!(row(SealKind::Code, "b").holds(&code, true).is_err());
        assert!(row(SealKind::Verifier, "a").holds(&code, true).is_err());
        assert!(row(SealKind::Code, "a").is_proven_by_its_seal(false));
        let answer = at.of(SealKind::Tokens, Generation(9), Some(&flow("a")));
        assert_eq!(ExpectedSeal::of_answer(at.clone(), &flow("a")).holds(&answer, true), Ok(()));
        assert!(ExpectedSeal::of_answer(at.clone(), &flow("b")).holds(&answer, true).is_err());
    }

    #[test]
    fn a_profile_that_is_not_in_the_configuration_is_not_compared() {
        let unknown = SealLabel { registration: None, ..place("ny", "L-1") };
        let label = place("ny", "L-1").of(SealKind::Tokens, Generation(3), None);
        assert_eq!(
            ExpectedSeal::of_tokens(unknown, SecretRole::Live, Generation(3)).holds(&label, true),
            Ok(())
        );
    }
}
