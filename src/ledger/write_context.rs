//! What a transaction knows of its writer, and what it has written so far.

use crate::error::ErrorCode;
use crate::model::history::ChainLink;
use crate::model::ids::{License, LicenseId, Ubi};
use crate::model::reminder::HookEventKind;
use crate::system::Invoker;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Who writes, and which hooks are wanted: what each event of the history needs.
pub(super) struct WriteContext {
    pub(super) who: Invoker,
    pub(super) hooks: BTreeSet<HookEventKind>,
    pub(super) written: Rc<RefCell<WrittenRows>>,
}

/// The event that a hook is run for, and the failure that it is told of.
pub(super) type WantedHook = (HookEventKind, Option<ErrorCode>);

/// What a transaction has written so far.
#[derive(Debug, Default)]
pub(super) struct WrittenRows {
    /// Events that aren't chained to the history yet, with the hooks that are wanted for them.
    pub(super) unchained: Vec<(ChainLink, Option<WantedHook>)>,
    pub(super) head: Option<(i64, Vec<u8>)>,
    pub(super) changed: Vec<ChangedRecord>,
}

impl WrittenRows {
    pub(super) fn changes(&mut self, profile: &str, key: &LicenseId, generation: i64, live: i64) {
        let (ubi, license) = (key.ubi.to_string(), key.license.to_string());
        self.changed.push(ChangedRecord { profile: profile.to_owned(), ubi, license, generation, live });
    }
}

/// A record as this host left it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ChangedRecord {
    pub(super) profile: String,
    pub(super) ubi: String,
    pub(super) license: String,
    pub(super) generation: i64,
    /// The number of the token set that this host made live there; 0 where it made none.
    #[serde(default, skip_serializing_if = "is_none_made")]
    pub(super) live: i64,
}

fn is_none_made(live: &i64) -> bool {
    *live == 0
}

impl ChangedRecord {
    /// Which license's record it is, where its name can be read.
    pub(super) fn key(&self) -> Option<LicenseId> {
        Some(LicenseId { ubi: Ubi::parse(&self.ubi).ok()?, license: License::parse(&self.license).ok()? })
    }
}
