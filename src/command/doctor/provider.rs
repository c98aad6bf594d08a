//! The provider: whether it answers, its clock, its metadata, and the way to it.

use super::Examination;
use crate::config;
use crate::error::{Error, Result};
use crate::model::duration::in_words;
use crate::model::provider::{Pkce, Provider};
use crate::oauth::{CLOCK_SKEW_TOLERATED, Endpoints, prepare, silent_endpoints};
use crate::system::{HttpOptions, Proxy, ProxyRules};
use std::sync::Arc;
use std::time::Duration;

/// No longer is waited for the provider, whatever the profile says.
const LONGEST: Duration = Duration::from_secs(15);

impl Examination<'_, '_> {
    pub(super) fn provider(&mut self) {
        let Some(provider) = self.provider.clone() else { return };
        if provider.pkce == Pkce::Off {
            let found =
                format!("pkce = \"off\" in profile {}: others could use a stolen code", provider.profile);
            let fix = "Remove the line, unless the provider refuses PKCE; ask the provider to allow S256.";
            self.note("pkce", found, Some(fix.into()));
        }
        let lacking = config::missing(&provider);
        for lack in &lacking {
            let hint = lack.hint().unwrap_or_default();
            self.problem("config", lack.to_string(), hint);
        }
        self.way(&provider);
        if !lacking.is_empty() {
            return;
        }
        match self.ask(&provider) {
            Ok((endpoints, silent)) => {
                self.answered(&provider, &endpoints);
                silent.iter().for_each(|e| self.failed("endpoint", e));
            }
            Err(e) => self.failed("provider", &e),
        }
    }

    /// TLS and proxy, as they would be used.
    fn way(&mut self, provider: &Provider) {
        if provider.on_loopback() {
            return self.well("network", "the provider is on this machine: no TLS, no proxy");
        }
        let variables = &self.call.env.variables;
        let certificates = match variables.get("SSL_CERT_FILE") {
            Some(file) => format!("the certificates of SSL_CERT_FILE ({file})"),
            None => "the system's certificates".into(),
        };
        let trusted = match &provider.ca_file {
            Some(file) => format!("{certificates} and {}", file.display()),
            None => certificates,
        };
        let address = provider.url.parse().ok();
        let through = match address.and_then(|address| ProxyRules::of(variables).between(&address)) {
            Some(Proxy { named_by, place }) => format!("through the proxy {place} ({named_by})"),
            None => "with no proxy".into(),
        };
        self.well("network", format!("TLS by rustls with {trusted}, {through}"));
    }

    /// Its addresses, and what is wrong with each that doesn't answer.
    fn ask(&self, provider: &Arc<Provider>) -> Result<(Endpoints, Vec<Error>)> {
        let env = self.call.env;
        let http = env.http(&HttpOptions {
            deadline: provider.deadline.min(LONGEST),
            ca_file: provider.ca_file.clone(),
            loopback: provider.on_loopback(),
        })?;
        let (provider, now) = (provider.clone(), env.clock.now());
        env.wait(async move {
            let endpoints = prepare(&http, &provider, now).await?;
            let silent = silent_endpoints(&http, endpoints.all(), provider.deadline.min(LONGEST)).await;
            Ok((endpoints, silent))
        })?
    }

    fn answered(&mut self, provider: &Provider, endpoints: &Endpoints) {
        let metadata = match (&provider.issuer, provider.metadata) {
            (Some(issuer), true) => format!("its metadata matches, issuer {issuer}"),
            _ => "addresses from the profile, no metadata".into(),
        };
        self.well("provider", format!("{} responds; {metadata}", provider.host()));
        if endpoints.revocation.is_none() {
            let found = "the provider offers no revocation: deactivate works locally only";
            self.note("provider", found, None);
        }
        if provider.introspect && endpoints.introspection.is_none() {
            let found =
                "introspect = true, but the provider offers no introspection: it confirms no new grant";
            let fix = "Set introspection_url, or remove introspect = true from the profile.";
            self.problem("introspection", found, fix);
        }
        match endpoints.skew {
            // defense: S40 doctor-tells-of-clocks
            Some(skew) if skew.abs() > CLOCK_SKEW_TOLERATED => {
                let way = if skew.is_negative() { "behind" } else { "ahead of" };
                let found = format!("the provider's clock is {} {way} this machine's", in_words(skew.abs()));
                self.problem("clock", found, "Set this machine's clock (NTP): expiries depend on it.");
            }
            Some(_) => self.well("clock", "this machine's clock matches the provider's"),
            None => self.note("clock", "the provider doesn't report its time", None),
        }
    }
}
