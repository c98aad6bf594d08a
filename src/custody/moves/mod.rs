//! Records and secrets that go to another home, ledger or vault.

pub(super) mod adopt;
pub(super) mod bundle;
pub(super) mod export_records;
pub(super) mod finish_exports;
pub(super) mod import_record;
pub(super) mod move_secrets;
