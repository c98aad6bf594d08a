//! Where config, ledger, identity, spool and private sockets live.

use super::files;
use super::variables::Variables;
use crate::error::{Error, Result};
use etcetera::app_strategy::{AppStrategy, AppStrategyArgs, choose_native_strategy};
use etcetera::base_strategy::BaseStrategy;
use std::path::{Path, PathBuf};

/// The program's folders and files.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The configuration file.
    pub config: PathBuf,
    /// The folder of ledger, spool and owners' marks.
    pub data: PathBuf,
    /// The sealed vault's identity of this host.
    pub identity: PathBuf,
    /// The identity is a credential that systemd hands over, which belongs to root.
    pub credential: bool,
    /// Where processes of this user claim what several homes share, which is the keyring's content. It hangs on no
    /// variable but the home folder's, so that all of them find the same; `None` where there is no home folder.
    shared_claims: Option<PathBuf>,
    /// The folders of a home where earlier versions had it, whose content belongs into [`Self::data`] now; the ledger's first.
    pub earlier: Vec<PathBuf>,
}

/// The name under which systemd's `LoadCredential=` hands the identity over, where no variable names another.
const CREDENTIAL: &str = "biotrack-auth-identity";

impl Paths {
    /// `BIOTRACK_AUTH_HOME` holds everything where it's set; else the platform's own folders.
    pub fn find(variables: &Variables) -> Result<Self> {
        let mut paths = match variables.get("BIOTRACK_AUTH_HOME") {
            Some(home) => Self::within(&std::path::absolute(home).unwrap_or_else(|_| home.into())),
            None => Self::native()?,
        };
        paths.shared_claims = shared_claims(variables);
        let credentials = variables.get("CREDENTIALS_DIRECTORY").map(Path::new);
        let handed = credentials.map(|folder| folder.join(CREDENTIAL)).filter(|file| file.exists());
        if let Some(identity) = variables.get("BIOTRACK_AUTH_IDENTITY") {
            paths.identity = identity.into();
            paths.credential = credentials.is_some_and(|folder| paths.identity.parent() == Some(folder));
        } else if let Some(handed) = handed {
            (paths.identity, paths.credential) = (handed, true);
        }
        Ok(paths)
    }

    /// The platform's own folders.
    fn native() -> Result<Self> {
        let homeless = |_| Error::Usage {
            what: "there is no home folder".into(),
            hint: "Set HOME, or set BIOTRACK_AUTH_HOME to a folder for everything.".into(),
        };
        if cfg!(windows) {
            let native = etcetera::base_strategy::Windows::new().map_err(homeless)?;
            return Ok(Self::on_windows(&native.cache_dir(), &native.data_dir()));
        }
        let native = choose_native_strategy(AppStrategyArgs {
            top_level_domain: "dev".into(),
            author: "biotrack-auth".into(),
            app_name: "biotrack-auth".into(),
        })
        .map_err(homeless)?;
        Ok(Self {
            config: native.config_dir().join("config.toml"),
            identity: native.config_dir().join("identity.txt"),
            data: native.data_dir(),
            credential: false,
            shared_claims: None,
            earlier: Vec::new(),
        })
    }

    /// Everything in the part of the profile that stays on this machine: a grant has one home. Versions before 0.3 had it in
    /// the part that a domain copies to others.
    fn on_windows(local: &Path, roaming: &Path) -> Self {
        let earlier = roaming.join("biotrack-auth").join("biotrack-auth");
        let earlier = ["data", "config"].map(|folder| earlier.join(folder)).to_vec();
        Self { earlier, ..Self::within(&local.join("biotrack-auth")) }
    }

    /// Everything in one folder.
    pub fn within(home: &Path) -> Self {
        Self {
            config: home.join("config.toml"),
            identity: home.join("identity.txt"),
            data: home.into(),
            credential: false,
            shared_claims: None,
            earlier: Vec::new(),
        }
    }

    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.data.join("ledger.db")
    }

    /// What SQLite keeps beside the ledger's file while it is used: parts of the ledger, which go where it goes.
    pub fn beside_ledger(&self) -> [PathBuf; 3] {
        ["ledger.db-wal", "ledger.db-shm", "ledger.db-journal"].map(|name| self.data.join(name))
    }

    /// Where answers go when the ledger itself can't take them.
    pub fn spool(&self) -> PathBuf {
        self.data.join("spool")
    }

    /// The same for a ledger on a server, by the ledger's own name.
    pub fn spool_of(&self, ledger: &str) -> PathBuf {
        self.data.join(format!("spool-{ledger}"))
    }

    /// Where processes claim a license's tokens for seconds: with a keyring where every home of the user looks, else
    /// beside the ledger, which holds the tokens.
    pub fn claims(&self, keyring: bool) -> PathBuf {
        match &self.shared_claims {
            Some(shared) if keyring => shared.clone(),
            _ => self.data.join("claims"),
        }
    }

    /// What this host has seen of a ledger: beside the identity, and not where a ledger's own file is restored; beside the
    /// configuration where the identity is handed over, so that nothing can be written beside it.
    pub fn head_of(&self, ledger: &str) -> PathBuf {
        let is_handed_over = self.credential || files::is_closed_to_us(&self.identity);
        let beside = if is_handed_over { &self.config } else { &self.identity };
        beside.with_file_name(format!("seen-{ledger}"))
    }

    /// Noted there by this host that every seal of a ledger says what it is for: one that doesn't is never taken again.
    pub fn new_seals_of(&self, ledger: &str) -> PathBuf {
        self.head_of(ledger).with_file_name(format!("new-seals-{ledger}"))
    }

    /// Which clients the provider has accepted today, as this host proves them.
    pub fn accepted_clients(&self) -> PathBuf {
        self.data.join("accepted-clients")
    }

    /// Where the event of a hook that runs is.
    pub fn hooks(&self) -> PathBuf {
        self.data.join("hooks")
    }

    /// Where living processes show that they live.
    pub fn owners(&self) -> PathBuf {
        self.data.join("owners")
    }
}

fn shared_claims(variables: &Variables) -> Option<PathBuf> {
    let (variable, below) = if cfg!(windows) {
        ("USERPROFILE", "AppData/Local/biotrack-auth/claims")
    } else if cfg!(target_os = "macos") {
        ("HOME", "Library/Application Support/biotrack-auth/claims")
    } else {
        ("HOME", ".local/state/biotrack-auth/claims")
    };
    Some(Path::new(variables.get(variable)?).join(below)).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_windows_everything_is_in_one_folder_that_stays_on_the_machine() {
        let paths = Paths::on_windows(Path::new("/Ünal/Local"), Path::new("/Ünal/Roaming"));
        let home = Path::new("/Ünal/Local/biotrack-auth");
        assert_eq!((paths.config, paths.identity), (home.join("config.toml"), home.join("identity.txt")));
        assert_eq!(paths.data, home);
        let earlier = Path::new("/Ünal/Roaming/biotrack-auth/biotrack-auth");
        assert_eq!(paths.earlier, [earlier.join("data"), earlier.join("config")]);
    }
}
