//! What could fail only after a person has consented is tried before: the provider's endpoints, and the client itself.

use super::writer::Custody;
use crate::error::{Error, Result};
use crate::model::authorization::next_of;
use crate::model::ids::{Key, Username};
use crate::model::secret::fingerprint;
use crate::oauth::{Patience, again, handoff_uri};
use crate::system::files;
use std::io::Read;
use std::path::Path;

impl Custody<'_> {
    /// Sees, before anybody is asked, that each endpoint answers which the consent will need, and once a day that the client is
    /// accepted; about the first of the licenses that are asked about.
    pub fn rehearse(&mut self, key: &Key, username: &Username) -> Result<()> {
        let client = self.online()?;
        let clock = self.env.clock.clone();
        let told = |e: &Error, _| tracing::info!("{e}; it's tried again");
        self.env.wait(async move {
            again(Patience::LOOK, clock, None, told, || client.try_endpoints()).await
        })??;
        self.test_client(key, username)
    }

    /// A file of this host remembers for whom that was done today: the secret is this host's own, and a ledger that several
    /// hosts share, or that is only read, has nothing to do with it. One that can't be read or written costs a request.
    fn test_client(&mut self, key: &Key, username: &Username) -> Result<()> {
        let client = self.online()?;
        if !self.provider.preflight {
            return Ok(());
        }
        let (file, name) = (self.env.paths.accepted_clients(), self.name_of_client(&client.endpoints.token));
        let today = self.provider.zone.day(self.env.clock.now());
        let line = format!("{name} {today}");
        let mut lines = read(&file);
        if lines.contains(&line) {
            return Ok(());
        }
        let redirect_uri = handoff_uri(&self.provider, None);
        // Nothing hangs on it but that no provider has such a code.
        let unlike_any = hex::encode(fingerprint(&format!("{line} {}", self.env.clock.now())));
        let next = next_of("config", &["set-secret"], self.provider.other(), &[]);
        let (key, username) = (key.clone(), username.clone());
        let accepted = self.env.wait(async move {
            client.test_client((&key, &username), redirect_uri, &unlike_any, next).await
        })??;
        tracing::info!("the client is accepted: {}", if accepted { "yes" } else { "can't be told" });
        lines.retain(|it| it.ends_with(&today) && !it.starts_with(&name));
        lines.push(line);
        write(&file, &lines);
        Ok(())
    }

    /// The client was refused after all: it's tested again before anybody else is asked.
    pub(super) fn distrust_client(&self) {
        let Ok(client) = self.online() else { return };
        let (file, name) = (self.env.paths.accepted_clients(), self.name_of_client(&client.endpoints.token));
        let mut lines = read(&file);
        let before = lines.len();
        lines.retain(|it| !it.starts_with(&name));
        if lines.len() < before {
            write(&file, &lines);
        }
    }

    /// Whose acceptance it is: this profile's on this host, of this client at this issuer.
    fn name_of_client(&self, token_url: &str) -> String {
        let provider = &self.provider;
        let issuer = provider.issuer.as_deref().unwrap_or(&provider.url);
        let of = [&provider.profile, &self.env.who.host, &provider.client_id, issuer, token_url];
        hex::encode(fingerprint(&of.join("\n")))
    }
}

fn read(file: &Path) -> Vec<String> {
    let mut text = String::new();
    match files::read_private(file, files::Holds::Secret)
        .map(|file| file.map(|mut file| file.read_to_string(&mut text)))
    {
        Ok(Some(Ok(_))) => text.lines().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn write(file: &Path, lines: &[String]) {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    if let Err(e) = files::replace_private(file, text.as_bytes()) {
        tracing::warn!("that the client is accepted isn't remembered: {e}");
    }
}
