//! Several hosts on one ledger: a real PostgreSQL server, a home and an identity for each host.

mod away;
mod by_hand;
mod crowd;
mod cut;
mod documented;
mod failover;
mod left_answers;
mod listening;
mod many;
mod moving;
mod old_server;
mod server;
mod signing_in;

use crate::support::team::Server;
use crate::support::{Rig, Run};
use biotrack_auth::config::Config;
use biotrack_auth::ledger::Ledger;
use biotrack_auth::system::{Paths, Variables};
use std::path::PathBuf;
use std::process::Command;

/// Hosts that share a ledger, each with its own home; the first one's is the rig's.
pub struct Team {
    pub rig: Rig,
    homes: Vec<PathBuf>,
}

impl Team {
    /// So many hosts on a new database of a server. What one seals all can open.
    pub fn of(server: &Server, many: usize) -> Self {
        Self::on(&server.address(&server.database(), "postgres"), many)
    }

    /// The same on a ledger by its address.
    pub fn on(address: &str, many: usize) -> Self {
        let rig = Rig::unconfigured(&[]);
        let homes: Vec<_> = (0..many).map(|nth| rig.elsewhere(&format!("host-{nth}"))).collect();
        let team = Self { rig, homes };
        let url = team.rig.sandbox().address();
        let mut recipients = Vec::new();
        for nth in 0..many {
            let init = ["config", "init", "--preset", "local-sandbox", "--url", &url, "--vault", "sealed"];
            team.run(nth, &init).exits(0);
            let listed = team.run(nth, &["config", "recipients", "list", "--json"]).exits(0).json();
            recipients.push(listed["recipients"][0]["recipient"].as_str().unwrap().to_owned());
        }
        for home in &team.homes {
            let config = home.join("config.toml");
            let text = std::fs::read_to_string(&config).unwrap();
            let mut document: toml_edit::DocumentMut = text.parse().unwrap();
            document["ledger"] = address.into();
            document["sealed"]["recipients"] =
                toml_edit::value(recipients.iter().collect::<toml_edit::Array>());
            std::fs::write(&config, document.to_string()).unwrap();
        }
        team
    }

    /// A host's ledger is at this address from now on.
    pub fn is_at(&self, host: usize, address: &str) {
        let config = self.homes[host].join("config.toml");
        let mut document: toml_edit::DocumentMut = std::fs::read_to_string(&config).unwrap().parse().unwrap();
        document["ledger"] = address.into();
        std::fs::write(&config, document.to_string()).unwrap();
    }

    /// The program on one of the hosts.
    pub fn command(&self, host: usize, arguments: &[&str]) -> Command {
        let mut command = self.rig.command(arguments);
        command.env("BIOTRACK_AUTH_HOME", &self.homes[host]);
        command
    }

    pub fn run(&self, host: usize, arguments: &[&str]) -> Run {
        Run::of(self.command(host, arguments).output().unwrap())
    }

    /// The ledger, as a host sees it.
    pub fn ledger(&self, host: usize) -> Ledger {
        let machine = self.rig.env();
        let env =
            machine.within(Paths::within(&self.homes[host]), machine.clock.clone(), machine.browser.clone());
        let config = Config::load(&env.paths).unwrap();
        Ledger::open_or_make(&env, &config.ledger_place(&Variables::default(), "nobody").unwrap()).unwrap()
    }

    /// Whether a question is open.
    pub fn asks(&self) -> bool {
        !self.ledger(0).all_flows().unwrap().is_empty()
    }

    pub fn home(&self, host: usize) -> &PathBuf {
        &self.homes[host]
    }
}
