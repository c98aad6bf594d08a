//! How a provider is reached: found to answer, with all that its requests need.

use super::endpoints::Endpoints;
use super::exchange::{Code, exchange};
use super::refresh::{Spent, refresh};
use crate::error::{Error, ProviderError, Result};
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::system::{Clock, Http};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

/// How often a request is tried whose connection can't be made.
const TRIES: u32 = 3;

/// How a provider is reached, by whoever asks it something.
#[derive(Clone)]
pub struct ProviderClient {
    /// The client.
    pub http: Http,
    /// The provider.
    pub provider: Arc<Provider>,
    /// Its addresses.
    pub endpoints: Arc<Endpoints>,
    /// The client's secret.
    pub secret: Option<Secret>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl ProviderClient {
    /// Exchanges a code. Sent again only while no byte of it could leave.
    pub async fn exchange(&self, go: Logged<(FlowId, Code)>) -> Result<Granted> {
        let mut tried = 1;
        loop {
            let now = || self.clock.now();
            match exchange(&self.http, &self.provider, &self.endpoints, self.secret.as_ref(), &go, now).await
            {
                Err(Error::Provider(ProviderError::Unreachable { .. })) if tried < TRIES => {
                    self.clock.pass(Duration::from_millis(300) * tried, Box::pin(pending())).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    /// Sends a refresh token, once.
    pub async fn refresh(&self, go: Logged<(FlowId, Spent)>) -> Result<Granted> {
        let now = || self.clock.now();
        refresh(&self.http, &self.provider, &self.endpoints, self.secret.as_ref(), &go, now).await
    }
}
