//! Which hosts take answers for others: this one, where it listens; and to whom a hand-off's verifier is sealed therefore.

use crate::custody::writer::Custody;
use crate::error::Result;

impl Custody<'_> {
    /// Lists this host in the ledger as one that listens: hand-offs that are made from now on, anywhere, can be finished here.
    /// Where secrets are in the keyring, only this machine's own can, and no list is needed.
    pub fn list_this_host(&mut self) -> Result<()> {
        match self.vault.own_recipient()? {
            Some(recipient) => {
                let name = self.env.who.host.clone();
                self.ledger.list_host(&recipient, &name, self.env.clock.now())
            }
            None => Ok(()),
        }
    }

    /// What seals to the hosts that listen.
    pub(in crate::custody) fn listeners(&self) -> Result<Vec<String>> {
        let hosts = self.ledger.listening_hosts(self.env.clock.now())?;
        Ok(hosts.into_iter().map(|host| host.recipient).collect())
    }
}
