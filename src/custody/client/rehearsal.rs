//! What could fail only after a person has consented is tried before: the provider's endpoints, and the client itself.

use super::client_secret::client_secret_place;
use crate::custody::writer::Custody;
use crate::error::{Error, Result};
use crate::model::authorization::command_with;
use crate::model::ids::{LicenseId, Username};
use crate::model::secret::fingerprint;
use crate::oauth::{ProviderClient, RetryPolicy, handoff_uri, retry};
use crate::system::files;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is to be tried, on whatever thread: it needs no vault and no ledger.
pub struct ClientRehearsal {
    client: ProviderClient,
    test: Option<ClientTest>,
}

/// A token request with a code that can't be right, which tells a wrong client from a right one.
struct ClientTest {
    key: LicenseId,
    username: Username,
    redirect_uri: String,
    unlike_any: String,
    next: String,
    file: PathBuf,
    name: String,
    today: String,
}

impl Custody<'_> {
    /// Sees, before anybody is asked, that each endpoint answers which the consent will need, and once a day that the client is
    /// accepted; about the first of the licenses that are asked about.
    pub fn rehearse(&mut self, key: &LicenseId, username: &Username) -> Result<()> {
        let rehearsal = self.rehearsal(Some((key, username)))?;
        match self.env.wait(async move { rehearsal.problem().await })? {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Somebody who was asked about a license, where anybody was: the client can be tested about that.
    pub fn somebody_asked(&self) -> Result<Option<(LicenseId, Username)>> {
        let (open, profile) = (self.ledger.all_flows()?, &self.provider.profile);
        let consent = open.into_iter().find(|flow| flow.profile == *profile && flow.purpose.is_consent());
        Ok(consent.map(|flow| (flow.key, flow.username)))
    }

    pub fn rehearsal(&self, about: Option<(&LicenseId, &Username)>) -> Result<ClientRehearsal> {
        let client = self.online()?;
        let test = about.and_then(|(key, username)| self.client_test(&client, key, username));
        Ok(ClientRehearsal { client, test })
    }

    /// A file of this host remembers for whom that was done today: the secret is this host's own, and a ledger that several
    /// hosts share, or that is only read, has nothing to do with it. One that can't be read or written costs a request.
    fn client_test(
        &self,
        client: &ProviderClient,
        key: &LicenseId,
        username: &Username,
    ) -> Option<ClientTest> {
        if !self.provider.preflight {
            return None;
        }
        let (file, name) = (self.env.paths.accepted_clients(), self.name_of_client(&client.endpoints.token));
        let today = self.provider.zone.day(self.env.clock.now()).to_string();
        let line = format!("{name} {today}");
        if read(&file).contains(&line) {
            return None;
        }
        Some(ClientTest {
            key: key.clone(),
            username: username.clone(),
            redirect_uri: handoff_uri(&self.provider, None),
            // Nothing hangs on it but that no provider has such a code.
            unlike_any: hex::encode(fingerprint(&format!("{line} {}", self.env.clock.now()))),
            next: command_with("config", &["set-secret"], self.provider.other(), &[]),
            file,
            name,
            today,
        })
    }

    /// The client was refused after all: it's tested again before anybody else is asked.
    pub(in crate::custody) fn distrust_client(&self) {
        let Ok(client) = self.online() else { return };
        let (file, name) = (self.env.paths.accepted_clients(), self.name_of_client(&client.endpoints.token));
        let mut lines = read(&file);
        let before = lines.len();
        lines.retain(|it| !it.starts_with(&name));
        if lines.len() < before {
            write(&file, &lines);
        }
    }

    /// Whose acceptance it is: this profile's on this host, of this client with this secret at this issuer.
    fn name_of_client(&self, token_url: &str) -> String {
        let provider = &self.provider;
        let issuer = provider.issuer.as_deref().unwrap_or(&provider.url);
        let secret = client_secret_place(&self.ledger, &self.vault, &self.seals, &provider.profile);
        let number = secret.ok().flatten().map(|secret| secret.generation.0.to_string()).unwrap_or_default();
        let of = [&provider.profile, &self.env.who.host, &provider.client_id, issuer, token_url, &number];
        hex::encode(fingerprint(&of.join("\n")))
    }
}

impl ClientRehearsal {
    /// The first thing that is wrong; the client is tested only where every endpoint answers.
    pub async fn problem(self) -> Option<Error> {
        let (client, clock) = (&self.client, self.client.clock.clone());
        let told = |e: &Error, _| tracing::info!("{e}; retrying");
        match retry(RetryPolicy::LOOKUP, clock, None, told, || client.try_endpoints()).await {
            Ok(()) => self.wrong_client().await,
            Err(e) => Some(e),
        }
    }

    async fn wrong_client(self) -> Option<Error> {
        let ClientTest { key, username, redirect_uri, unlike_any, next, file, name, today } = self.test?;
        let tested = self.client.test_client((&key, &username), redirect_uri, &unlike_any, next).await;
        match &tested {
            Ok(accepted) => {
                tracing::info!("the client is accepted: {}", if *accepted { "yes" } else { "unknown" });
            }
            Err(_) => return tested.err(),
        }
        let mut lines = read(&file);
        lines.retain(|it| it.ends_with(&today) && !it.starts_with(&name));
        lines.push(format!("{name} {today}"));
        write(&file, &lines);
        None
    }
}

fn read(file: &Path) -> Vec<String> {
    let mut text = String::new();
    match files::read_private(file, files::FileSensitivity::Secret)
        .map(|file| file.map(|mut file| file.read_to_string(&mut text)))
    {
        Ok(Some(Ok(_))) => text.lines().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn write(file: &Path, lines: &[String]) {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    if let Err(e) = files::replace_private(file, text.as_bytes()) {
        tracing::warn!("could not remember that the client is accepted: {e}");
    }
}
