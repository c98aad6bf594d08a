//! Looking many grants up at the provider (RFC 7662), a few at once.

use super::client::ProviderClient;
use super::introspect::{GrantValidity, introspect};
use crate::error::Result;
use crate::model::granted::Granted;
use crate::model::ids::LicenseId;
use crate::model::secret::Secret;
use crate::system::Env;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use tokio::sync::Semaphore;

/// How many codes are exchanged, or grants looked up, at once: many in one moment are no storm at the provider.
pub const MAX_PARALLEL: usize = 8;

/// What the provider says of a grant's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntrospectionResult {
    /// The grant lives.
    Active {
        /// It's the refresh token that the provider called active.
        by_refresh: bool,
    },
    /// The grant is dead: a token that should live isn't, and neither is the refresh token.
    Inactive,
    /// Only the refresh token could be asked about, and it's called inactive: dead, unless this provider looks no
    /// refresh tokens up.
    RefreshInactive,
    Unknown,
}

/// Asks about each of these; what is said of one comes as soon as it's there.
pub fn introspect_all(
    env: &Env,
    client: &ProviderClient,
    grants: Vec<(LicenseId, Granted)>,
) -> Result<Receiver<(LicenseId, IntrospectionResult)>> {
    let (net, turns) = (env.net()?, Arc::new(Semaphore::new(MAX_PARALLEL)));
    let (sender, answers) = channel();
    for (key, granted) in grants {
        let (client, turns, sender) = (client.clone(), turns.clone(), sender.clone());
        net.spawn(async move {
            let _turn = turns.acquire().await;
            let said = client.introspect(&granted).await;
            let _ = sender.send((key, said));
        });
    }
    Ok(answers)
}

impl ProviderClient {
    /// Asks about the access token alone; nothing is known where the provider offers no place to ask.
    pub async fn look_at_access(&self, granted: &Granted) -> GrantValidity {
        self.look_at(Some(&granted.access), "access_token").await
    }

    /// The same of the refresh token.
    pub async fn look_at_refresh(&self, granted: &Granted) -> GrantValidity {
        self.look_at(granted.refresh.as_ref(), "refresh_token").await
    }

    async fn look_at(&self, token: Option<&Secret>, hint: &'static str) -> GrantValidity {
        match (&self.endpoints.introspection, token) {
            (Some(address), Some(token)) => {
                introspect(&self.http, &self.provider, address, self.secret.as_ref(), token, hint).await
            }
            _ => GrantValidity::Unknown,
        }
    }

    /// Looks a grant up: first by its access token, unless that has lapsed by our own clock, then by its refresh token.
    async fn introspect(&self, granted: &Granted) -> IntrospectionResult {
        let lapsed = granted.access_expires_at.is_none_or(|at| at <= self.clock.now());
        let access = match granted.access_expires_at {
            Some(_) if lapsed => GrantValidity::Unknown,
            _ => self.look_at_access(granted).await,
        };
        if access == GrantValidity::Active {
            return IntrospectionResult::Active { by_refresh: false };
        }
        let refresh = self.look_at_refresh(granted).await;
        match (access, refresh) {
            (_, GrantValidity::Active) => IntrospectionResult::Active { by_refresh: true },
            (GrantValidity::Inactive, GrantValidity::Inactive) if !lapsed => IntrospectionResult::Inactive,
            (GrantValidity::Inactive, GrantValidity::Unknown) if !lapsed && granted.refresh.is_none() => {
                IntrospectionResult::Inactive
            }
            (_, GrantValidity::Inactive) => IntrospectionResult::RefreshInactive,
            (_, GrantValidity::Unknown) => IntrospectionResult::Unknown,
        }
    }
}
