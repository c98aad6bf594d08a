//! How a provider is reached: found to answer, with all that its requests need.

use super::endpoints::Endpoints;
use super::exchange::{CodeExchange, exchange};
use super::refresh::{RefreshRequest, refresh};
use super::retry::{RetryPolicy, retry};
use crate::error::Result;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::system::{Clock, Http};
use std::sync::Arc;

/// How a provider is reached, by whoever asks it something.
#[derive(Clone)]
pub struct ProviderClient {
    pub http: Http,
    pub provider: Arc<Provider>,
    pub endpoints: Arc<Endpoints>,
    pub secret: Option<Secret>,
    pub clock: Arc<dyn Clock>,
}

impl ProviderClient {
    /// Exchanges a code. Sent again only while no byte of it could leave.
    pub async fn exchange(&self, go: Logged<(FlowId, CodeExchange)>) -> Result<Granted> {
        let now = || self.clock.now();
        retry(
            RetryPolicy::CODE,
            self.clock.clone(),
            None,
            |_, _| {},
            || exchange(&self.http, &self.provider, &self.endpoints, self.secret.as_ref(), &go, now),
        )
        .await
    }

    /// Sends a refresh token, once.
    pub async fn refresh(&self, go: Logged<(FlowId, RefreshRequest)>) -> Result<Granted> {
        let now = || self.clock.now();
        refresh(&self.http, &self.provider, &self.endpoints, self.secret.as_ref(), &go, now).await
    }
}
