//! What a server has still to do, and when: what couldn't be finished, and what is looked at now and then.

use crate::model::ids::{FlowId, LicenseId};
use crate::model::plan::PlannedLicense;
use crate::model::secret::Secret;
use crate::oauth::ProviderClient;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How soon it's tried again to finish what couldn't be finished; each further wait is twice as long, up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// What is still to be done.
pub(super) struct RetrySchedule {
    /// Flows that are over here, and that the ledger couldn't be told of, or not as it should be.
    pub(super) own: BTreeMap<FlowId, PlannedLicense>,
    /// Licenses of which an earlier process left something that can't be finished yet.
    pub(super) left: Vec<PlannedLicense>,
    /// What earlier processes left couldn't even be read.
    pub(super) is_unread: bool,
    /// When that is tried again, and how long it was waited for.
    again: Option<(Instant, Duration)>,
    /// What was said of what couldn't be finished, by license.
    pub(super) told: BTreeMap<LicenseId, String>,
    /// When the ledger was last told that this host listens.
    pub(super) listed: Instant,
    /// What was wrong when it was last tried what exchanges need.
    pub(super) unready: Option<String>,
    /// The client's secret as codes are exchanged with it.
    pub(super) secret: Option<Secret>,
    /// When it's looked again whether another one was set.
    pub(super) secret_again: Option<Instant>,
}

impl RetrySchedule {
    pub(super) fn new(client: &ProviderClient) -> Self {
        Self {
            own: BTreeMap::new(),
            left: Vec::new(),
            is_unread: false,
            again: None,
            told: BTreeMap::new(),
            listed: Instant::now(),
            unready: None,
            secret: client.secret.clone(),
            secret_again: None,
        }
    }

    /// When something is to be done.
    pub(super) fn next(&self) -> Option<Instant> {
        self.again.map(|(at, _)| at).into_iter().chain(self.secret_again).min()
    }

    /// Something couldn't be finished: soon it's tried again.
    pub(super) fn plan(&mut self) {
        self.again.get_or_insert((Instant::now() + FIRST, FIRST));
    }

    /// How long it was waited for, where it's time to try again to finish what couldn't be finished.
    pub(super) fn is_time(&mut self) -> Option<Duration> {
        let (_, waited) = self.again.take_if(|(at, _)| *at <= Instant::now())?;
        Some(waited)
    }

    /// What couldn't be finished then is tried after a longer wait.
    pub(super) fn wait_longer(&mut self, waited: Duration) {
        let wait = (waited * 2).min(LONGEST);
        self.again = self.again.map(|_| (Instant::now() + wait, wait));
    }
}
