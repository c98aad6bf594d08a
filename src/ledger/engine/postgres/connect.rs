//! Making a connection: by TLS that makes sure whose server answers, and with what a failure means to an operator.

use super::super::db_error::{is_away, words};
use super::messages::first;
use crate::model::server::{Encryption, Host, Server};
use crate::system::files::{Holds, open_provided};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long it may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long an answer is waited for: past the server's own limits it isn't there any more.
pub(super) const ANSWERING: Duration = Duration::from_secs(60);

/// Why there is no connection.
pub(super) enum Reason {
    Away(String),
    Refused(String),
}

impl From<String> for Reason {
    fn from(reason: String) -> Self {
        Self::Away(reason)
    }
}

/// Connects to the first host that answers, and takes what is written where that is asked for.
pub(super) async fn connect(server: &Server) -> Result<Client, Reason> {
    let mut why = Vec::new();
    for host in &server.hosts {
        match connect_to(server, host).await {
            Ok(client) => return Ok(client),
            // What is wrong with the role, its password or the certificate isn't another host's to make good.
            Err(Reason::Refused(reason)) => return Err(Reason::Refused(reason)),
            Err(Reason::Away(reason)) if server.hosts.len() > 1 => {
                why.push(format!("{}:{}: {reason}", crate::error::clean(&host.name), host.port));
            }
            Err(Reason::Away(reason)) => why.push(reason),
        }
    }
    Err(Reason::Away(why.join("; ")))
}

async fn connect_to(server: &Server, host: &Host) -> Result<Client, Reason> {
    let client = connected(server, host).await?;
    if !server.takes_writes {
        return Ok(client);
    }
    let asked = tokio::time::timeout(CONNECTING, client.simple_query("SHOW transaction_read_only"));
    let answer = asked.await.map_err(|_| "it doesn't answer".to_owned())?.map_err(|e| words(&e))?;
    match first(&answer) {
        Some("off") => Ok(client),
        _ => Err("it is a standby, and takes nothing that is written".to_owned().into()),
    }
}

async fn connected(server: &Server, host: &Host) -> Result<Client, Reason> {
    let mut config = tokio_postgres::Config::new();
    config
        .user(&server.user)
        .dbname(&server.database)
        .port(host.port)
        .application_name("biotrack-auth")
        .connect_timeout(CONNECTING)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .tcp_user_timeout(ANSWERING);
    match host.is_socket() {
        #[cfg(unix)]
        true => config.host_path(&host.name),
        _ => config.host(&host.name),
    };
    if let Some(password) = &host.password {
        config.password(password.expose());
    }
    let whole = async {
        match &server.encryption {
            Encryption::Local => {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
                tokio::spawn(connection);
                Ok(client)
            }
            Encryption::Verified { roots, client } => {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                let tls =
                    MakeRustlsConnect::new(tls(roots.as_deref(), client.as_ref()).map_err(Reason::Refused)?);
                let (client, connection) = config.connect(tls).await.map_err(refused)?;
                tokio::spawn(connection);
                Ok(client)
            }
        }
    };
    match tokio::time::timeout(CONNECTING, whole).await {
        Ok(connected) => connected,
        Err(_) => Err(Reason::Away(format!("no answer within {} seconds", CONNECTING.as_secs()))),
    }
}

fn tls(roots: Option<&Path>, client: Option<&(PathBuf, PathBuf)>) -> Result<ClientConfig, String> {
    // A second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let shown = |file: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
    let open = |file: &Path, holds| match open_provided(file, holds) {
        Ok(Some(open)) => Ok(open),
        Ok(None) => Err(shown(file, &"there is no such file")),
        Err(e) => Err(e.to_string()),
    };
    let certificates = |file: &Path| -> Result<Vec<CertificateDer<'static>>, String> {
        CertificateDer::pem_reader_iter(open(file, Holds::Settings)?)
            .collect::<Result<_, _>>()
            .map_err(|e| shown(file, &e))
    };
    let builder = ClientConfig::builder();
    let builder = match roots {
        Some(file) => {
            let mut trusted = RootCertStore::empty();
            if trusted.add_parsable_certificates(certificates(file)?).0 == 0 {
                return Err(format!("{} holds no PEM certificates", file.display()));
            }
            builder.with_root_certificates(trusted)
        }
        None => builder.with_platform_verifier().map_err(|e| e.to_string())?,
    };
    match client {
        Some((certificate, key)) => {
            let key_of =
                PrivateKeyDer::from_pem_reader(open(key, Holds::Secret)?).map_err(|e| shown(key, &e))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, key_of)
                .map_err(|e| shown(certificate, &e))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Which of a connection's failures somebody has to mend, and which may be over soon.
fn refused(e: tokio_postgres::Error) -> Reason {
    match e.code() {
        Some(code) if is_away(code) => Reason::Away(words(&e)),
        Some(_) => Reason::Refused(words(&e)),
        None if e.to_string().contains("TLS") || e.to_string().contains("password") => {
            Reason::Refused(words(&e))
        }
        None => Reason::Away(words(&e)),
    }
}
