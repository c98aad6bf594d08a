//! Getting ready to talk to the provider: what could fail later is tried now.

use super::{Invocation, Workspace};
use crate::config;
use crate::custody::Custody;
use crate::error::{Error, Result, clean};
use crate::model::duration::in_words;
use crate::model::provider::Provider;
use crate::oauth::{self, CLOCK_SKEW_TOLERATED, ProviderClient, RetryPolicy};
use crate::system::HttpOptions;
use std::sync::Arc;

impl<'a> Workspace<'a> {
    /// Connects custody with the provider, which answers: what it does from now on may ask there.
    pub(super) fn connect(&mut self, call: &Invocation<'a>) -> Result<ProviderClient> {
        let client = connect(call, &self.provider, &self.custody)?;
        self.custody.connect(client.clone());
        Ok(client)
    }
}

/// Reads the client's secret, makes the HTTP client, and sees that the provider answers.
fn connect(call: &Invocation<'_>, provider: &Arc<Provider>, custody: &Custody<'_>) -> Result<ProviderClient> {
    config::check_complete(provider)?;
    let secret = custody.client_secret()?;
    let http = call.env.http(&HttpOptions {
        deadline: provider.deadline,
        ca_file: provider.ca_file.clone(),
        loopback: provider.on_loopback(),
    })?;
    let clock = call.env.clock.clone();
    let prepared = {
        let (http, provider, clock, now) = (http.clone(), provider.clone(), clock.clone(), clock.now());
        let told = |e: &Error, _| tracing::info!("{e}; retrying");
        call.env.wait(async move {
            oauth::retry(RetryPolicy::LOOKUP, clock, None, told, || oauth::prepare(&http, &provider, now))
                .await
        })??
    };
    tracing::info!("{} responds; codes are exchanged at {}", provider.host(), prepared.token);
    tracing::debug!(
        "authorize at {}, revoke at {:?}, issuer {:?}",
        prepared.authorize,
        prepared.revocation,
        prepared.issuer
    );
    // defense: S40 register-tells-of-clocks
    if let Some(skew) = prepared.skew.filter(|skew| skew.abs() > CLOCK_SKEW_TOLERATED) {
        let way = if skew.is_negative() { "behind" } else { "ahead of" };
        call.env.terminal.info(&format!(
            "Note: the clock of {} is {} {way} this machine's. Check this machine's clock: expiries depend on it.",
            clean(&provider.host()),
            in_words(skew.abs()),
        ));
    }
    Ok(ProviderClient { http, provider: provider.clone(), endpoints: Arc::new(prepared), secret, clock })
}
