//! One row for the tests of the vaults, and what is sealed for it.

use crate::model::flow::SecretRole;
use crate::model::ids::{Generation, License, LicenseId, Ubi};
use crate::model::seal::{ExpectedSeal, SealKind, SealLabel};

fn place() -> SealLabel {
    let key = LicenseId { ubi: Ubi::parse("6011").unwrap(), license: License::parse("OCM-1").unwrap() };
    SealLabel::place("a-ledger", "ny", None, Some(&key))
}

pub(super) fn label() -> SealLabel {
    place().of(SealKind::Tokens, Generation(1), None)
}

pub(super) fn row() -> ExpectedSeal {
    ExpectedSeal::of_tokens(place(), SecretRole::Live, Generation(1)).of_any_host()
}
