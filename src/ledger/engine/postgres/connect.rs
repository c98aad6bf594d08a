//! Making a connection: by TLS that makes sure whose server answers, or on this machine, where no password is shown to whoever
//! answers; and what a failure means to an operator.

use super::super::db_error::{is_away, words};
use super::messages::first;
use super::sign_in::{AllowedAuthentication, SignInGuard, SignInRefused};
use crate::model::secret::Secret;
use crate::model::server::{DatabaseHost, DatabaseServer, Encryption};
use crate::system::files::{FileSensitivity, open_provided};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a server calls this program's sessions.
pub(super) const PROGRAM: &str = "biotrack-auth";

/// How long it may take: monitors give a check ten seconds for everything.
const CONNECTING: Duration = Duration::from_secs(6);
/// The same for each of many hosts.
const EACH: Duration = Duration::from_secs(2);

/// How long an answer is waited for: past the server's own limits it isn't there anymore.
pub(super) const ANSWERING: Duration = Duration::from_secs(60);
/// After that a connection is given up on which what was sent isn't confirmed. (The other kernel confirms it, not the server.)
const UNCONFIRMED: Duration = Duration::from_secs(6);

/// How long it takes at most until one of a server's hosts has answered, or none.
pub(super) fn limit(server: &DatabaseServer) -> Duration {
    each(server) * hosts(server)
}

fn each(server: &DatabaseServer) -> Duration {
    EACH.max(CONNECTING / hosts(server))
}

fn hosts(server: &DatabaseServer) -> u32 {
    u32::try_from(server.hosts.len()).unwrap_or(u32::MAX).max(1)
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(super) enum ConnectFailure {
    Away(String),
    Refused(String),
}

impl From<String> for ConnectFailure {
    fn from(reason: String) -> Self {
        Self::Away(reason)
    }
}

/// Connects to the first host that answers, and takes what is written where that is asked for.
pub(super) async fn connect(server: &DatabaseServer) -> Result<Client, ConnectFailure> {
    let passwords = server.passwords.read().map_err(|e| ConnectFailure::Refused(e.to_string()))?;
    let mut why = Vec::new();
    for (host, password) in server.hosts.iter().zip(passwords) {
        let connected = tokio::time::timeout(each(server), connect_to(server, host, password.as_ref())).await;
        let late = || ConnectFailure::Away(format!("no answer within {} seconds", each(server).as_secs()));
        match connected.unwrap_or_else(|_| Err(late())) {
            Ok(client) => return Ok(client),
            // What is wrong with the role, its password or the certificate isn't another host's to make good.
            Err(ConnectFailure::Refused(reason)) => return Err(ConnectFailure::Refused(reason)),
            Err(ConnectFailure::Away(reason)) if server.hosts.len() > 1 => {
                why.push(format!("{}:{}: {reason}", crate::error::clean(&host.name), host.port));
            }
            Err(ConnectFailure::Away(reason)) => why.push(reason),
        }
    }
    Err(ConnectFailure::Away(why.join("; ")))
}

async fn connect_to(
    server: &DatabaseServer,
    host: &DatabaseHost,
    password: Option<&Secret>,
) -> Result<Client, ConnectFailure> {
    let client = connected(server, host, password).await?;
    if !server.takes_writes {
        return Ok(client);
    }
    let answer = client.simple_query("SHOW transaction_read_only").await.map_err(|e| words(&e))?;
    match first(&answer) {
        Some("off") => Ok(client),
        _ => Err("it is a standby and accepts no writes".to_owned().into()),
    }
}

async fn connected(
    server: &DatabaseServer,
    host: &DatabaseHost,
    password: Option<&Secret>,
) -> Result<Client, ConnectFailure> {
    let mut config = tokio_postgres::Config::new();
    config
        .user(&server.user)
        .dbname(&server.database)
        .port(host.port)
        .host(&host.name)
        .application_name(PROGRAM)
        // Of one name's addresses one may be silent.
        .connect_timeout(each(server) / 2)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .tcp_user_timeout(UNCONFIRMED);
    if let Some(password) = password {
        config.password(password.expose());
    }
    match &server.encryption {
        Encryption::Local => {
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            on_this_machine(&config, host, password.is_some()).await
        }
        Encryption::Verified { roots, client } => {
            config.ssl_mode(tokio_postgres::config::SslMode::Require);
            let tls = MakeRustlsConnect::new(
                tls(roots.as_deref(), client.as_ref()).map_err(ConnectFailure::Refused)?,
            );
            let (client, connection) = config.connect(tls).await.map_err(refused)?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

/// Connects without TLS: by a socket, or to loopback. Whoever answers there is watched until it has shown who it is.
async fn on_this_machine(
    config: &Config,
    host: &DatabaseHost,
    has_password: bool,
) -> Result<Client, ConnectFailure> {
    let away = |e: io::Error| ConnectFailure::Away(crate::error::clean(&e.to_string()));
    if !host.is_socket() {
        let stream = TcpStream::connect((host.name.as_str(), host.port)).await.map_err(away)?;
        stream.set_nodelay(true).map_err(away)?;
        // A resolver may think otherwise of `localhost`.
        if !stream.peer_addr().map_err(away)?.ip().is_loopback() {
            return Err(ConnectFailure::Refused(format!(
                "{} isn't on this machine",
                crate::error::clean(&host.name)
            )));
        }
        let proof =
            if has_password { AllowedAuthentication::Scram } else { AllowedAuthentication::NoPassword };
        return signed_in(config, SignInGuard::new(stream, proof)).await;
    }
    #[cfg(unix)]
    {
        let folder = Path::new(&host.name);
        // Where others can put a socket, as in /tmp, the one that is there needn't be the server's.
        let others_write = folder.metadata().map_err(away)?.permissions().mode() & 0o002 != 0;
        let proof =
            if others_write { AllowedAuthentication::NoPassword } else { AllowedAuthentication::None };
        let stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{}", host.port)));
        signed_in(config, SignInGuard::new(stream.await.map_err(away)?, proof)).await
    }
    #[cfg(not(unix))]
    Err(ConnectFailure::Refused("this system has no Unix sockets".to_owned()))
}

async fn signed_in<S>(config: &Config, stream: SignInGuard<S>) -> Result<Client, ConnectFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(refused)?;
    tokio::spawn(connection);
    Ok(client)
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
        CertificateDer::pem_reader_iter(open(file, FileSensitivity::Settings)?)
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
            let key_of = PrivateKeyDer::from_pem_reader(open(key, FileSensitivity::Secret)?)
                .map_err(|e| shown(key, &e))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, key_of)
                .map_err(|e| shown(certificate, &e))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Which of a connection's failures somebody has to fix, and which may be over soon.
fn refused(e: tokio_postgres::Error) -> ConnectFailure {
    match e.code() {
        Some(code) if is_away(code) => ConnectFailure::Away(words(&e)),
        Some(_) => ConnectFailure::Refused(words(&e)),
        None if is_sign_in_refused(&e)
            || e.to_string().contains("TLS")
            || e.to_string().contains("password") =>
        {
            ConnectFailure::Refused(words(&e))
        }
        None => ConnectFailure::Away(words(&e)),
    }
}

/// Whether we ended it, because of what the server asked for.
fn is_sign_in_refused(e: &tokio_postgres::Error) -> bool {
    let io = std::error::Error::source(e).and_then(|below| below.downcast_ref::<io::Error>());
    io.and_then(io::Error::get_ref).is_some_and(|ours| ours.is::<SignInRefused>())
}
