//! `ledger = "postgres://…"`: the address as libpq reads it, but never with a password, and never unverified. The password
//! is in the password file, in a service file, or not needed because of a client certificate.
//!
//! Sources: PostgreSQL's manual, 34.1.1.2 (connection URIs), 34.16 (`.pgpass`) and 34.17 (service files).

use super::address::InvalidValue;
use crate::error::{ConfigError, Error, Result, clean};
use crate::model::secret::Secret;
use crate::model::server::{DatabaseHost, DatabaseServer, Encryption, PasswordSource};
use crate::system::Variables;
use crate::system::files::{FileSensitivity, judge_open, open_provided};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use url::Url;

const PORT: u16 = 5432;

/// What may stand behind the question mark, and as a key of a service file.
const OPTIONS: [&str; 11] = [
    "host",
    "port",
    "dbname",
    "user",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "passfile",
    "service",
    "target_session_attrs",
];

/// A person's own files, where libpq looks for them.
struct PersonalFiles {
    passwords: PathBuf,
    services: PathBuf,
}

impl PersonalFiles {
    /// What to do with a password that stands where others read it.
    const PASSWORD_ADVICE: &str = if cfg!(windows) {
        "Remove it, and add it to %APPDATA%\\postgresql\\pgpass.conf as a line host:port:database:user:password."
    } else {
        "Remove it, and add it to ~/.pgpass (mode 0600) as a line host:port:database:user:password."
    };

    /// What to do where no file knows a service.
    const SERVICE_ADVICE: &str = if cfg!(windows) {
        "Add it to %APPDATA%\\postgresql\\.pg_service.conf, or name the file in PGSERVICEFILE."
    } else {
        "Add it to ~/.pg_service.conf, or name the file in PGSERVICEFILE."
    };

    /// On Windows (PostgreSQL's manual, 34.16 and 34.17) there is a folder for them, and mostly no HOME.
    fn find(variables: &Variables, on_windows: bool) -> Option<Self> {
        if on_windows {
            let folder = Path::new(variables.get("APPDATA")?).join("postgresql");
            let (passwords, services) = (folder.join("pgpass.conf"), folder.join(".pg_service.conf"));
            return Some(Self { passwords, services });
        }
        let home = Path::new(variables.get("HOME")?);
        Some(Self { passwords: home.join(".pgpass"), services: home.join(".pg_service.conf") })
    }
}

/// Where Debian's packages have the services of all users; on Windows that hangs on where PostgreSQL was installed.
const OF_ALL: Option<&str> = if cfg!(windows) { None } else { Some("/etc/postgresql-common") };

/// What an address says, before files and defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ParsedAddress(BTreeMap<String, String>);

/// Reads an address, and refuses what could never be right.
pub(super) fn check(text: &str) -> Result<ParsedAddress, InvalidValue> {
    let form = "It looks like postgres://USER@HOST/DATABASE.";
    let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) else {
        return Err(InvalidValue::new("isn't the address of a PostgreSQL database", form));
    };
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(InvalidValue::new("contains a space", form));
    }
    // `url` takes no address without a host, libpq does: the socket's folder stands behind the question mark.
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(InvalidValue::new("contains a password", PersonalFiles::PASSWORD_ADVICE));
    }
    let mut written = BTreeMap::new();
    let mut set = |key: &str, value: String| {
        if !value.is_empty() {
            written.insert(key.to_owned(), value);
        }
    };
    // The scheme is one that `url` keeps as it is written; a host in capitals or a socket's folder stays.
    let parsed = |host: &str| {
        Url::parse(&format!("postgres://{host}{after}"))
            .map_err(|e| InvalidValue::new(format!("isn't a valid address ({e})"), form))
    };
    let url = parsed("localhost")?;
    set("user", unescaped(user));
    if !host.is_empty() {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for host in host.split(',') {
            let url = parsed(host)?;
            hosts.push(unescaped(url.host_str().unwrap_or_default().trim_matches(['[', ']'])));
            ports.push(url.port().map(|port| port.to_string()).unwrap_or_default());
        }
        set("host", hosts.join(","));
        set("port", if ports.iter().all(String::is_empty) { String::new() } else { ports.join(",") });
    }
    set("dbname", unescaped(url.path().trim_start_matches('/')));
    if url.fragment().is_some() {
        return Err(InvalidValue::new("contains a #", form));
    }
    for (key, value) in url.query_pairs() {
        option(&key)?;
        set(&key, value.into_owned());
    }
    let written = ParsedAddress(written);
    written.hosts()?;
    written.takes_writes()?;
    written.encryption()?;
    Ok(written)
}

fn option(key: &str) -> Result<(), InvalidValue> {
    match key {
        "password" => Err(InvalidValue::new("contains a password", PersonalFiles::PASSWORD_ADVICE)),
        known if OPTIONS.contains(&known) => Ok(()),
        other => Err(InvalidValue {
            problem: format!("contains `{}`, which this program doesn't support", clean(other)),
            right: Some(format!("Supported: {}.", OPTIONS.join(", "))),
        }),
    }
}

fn unescaped(text: &str) -> String {
    let pair = format!("v={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

impl ParsedAddress {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The hosts with their ports; one port is all hosts'.
    fn hosts(&self) -> Result<Vec<(&str, u16)>, InvalidValue> {
        let hosts: Vec<_> = self.get("host").map(|hosts| hosts.split(',').collect()).unwrap_or_default();
        let ports = self.get("port").unwrap_or_default().split(',').map(|text| match text {
            "" => Ok(PORT),
            text => text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                InvalidValue::new(
                    format!("has no valid port in \"{}\"", clean(text)),
                    "A port is 1 to 65535.",
                )
            }),
        });
        let ports = ports.collect::<Result<Vec<u16>, _>>()?;
        match ports[..] {
            [port] => Ok(hosts.into_iter().map(|host| (host, port)).collect()),
            _ if ports.len() == hosts.len() => Ok(hosts.into_iter().zip(ports).collect()),
            _ => Err(InvalidValue::new(
                "has a different number of ports and hosts",
                "Give one port for all hosts, or one for each, separated by commas.",
            )),
        }
    }

    /// Whether only a host will do that takes what is written: of several, all the others are standbys.
    fn takes_writes(&self) -> Result<bool, InvalidValue> {
        let several = self.get("host").is_some_and(|hosts| hosts.contains(','));
        match self.get("target_session_attrs") {
            Some("read-write") => Ok(true),
            None | Some("any") if !several => Ok(false),
            None | Some("any") => Err(InvalidValue::new(
                "names several hosts, but only one of them accepts writes",
                "Add target_session_attrs=read-write: then the current primary is used.",
            )),
            Some(other) => Err(InvalidValue {
                problem: format!("contains target_session_attrs={}", clean(other)),
                right: Some(
                    "Use read-write to find the primary among several hosts; with one host, remove it."
                        .into(),
                ),
            }),
        }
    }

    /// Verified, unless it's said that it isn't encrypted and the connection stays on this machine.
    fn encryption(&self) -> Result<Encryption, InvalidValue> {
        let hosts = || self.get("host").unwrap_or_default().split(',');
        let socket = hosts().all(|host| host.starts_with('/'));
        let is_here = |host: &str| match url::Host::parse(host) {
            Ok(url::Host::Domain(name)) => name == "localhost",
            Ok(url::Host::Ipv4(ip)) => ip.is_loopback(),
            _ => host == "::1" || host.starts_with('/'),
        };
        let loopback = || hosts().all(is_here);
        match self.get("sslmode") {
            _ if socket => Ok(Encryption::Local),
            None | Some("verify-full") => {
                let path = |key| self.get(key).map(PathBuf::from);
                let client = match (path("sslcert"), path("sslkey")) {
                    (None, None) => None,
                    (Some(certificate), Some(key)) => Some((certificate, key)),
                    _ => {
                        return Err(InvalidValue::new("has only one of sslcert and sslkey", "Set both, or neither."));
                    }
                };
                Ok(Encryption::Verified {
                    roots: path("sslrootcert").filter(|it| it.as_os_str() != "system"),
                    client,
                })
            }
            Some("disable") if loopback() => Ok(Encryption::Local),
            Some("disable") => Err(InvalidValue::new(
                "turns encryption off",
                "That works for 127.0.0.1, [::1], localhost and Unix sockets only. Remove sslmode.",
            )),
            Some(other) => Err(InvalidValue {
                problem: format!(
                    "contains sslmode={}, which doesn't verify the server's identity",
                    clean(other)
                ),
                right: Some(
                    "Remove it, or use sslmode=verify-full; sslrootcert=FILE sets your own certificate authority."
                        .into(),
                ),
            }),
        }
    }

    /// What a service file adds, which goes behind what the address says itself.
    fn with_service(mut self, variables: &Variables) -> Result<(Self, Option<Secret>)> {
        let Some(service) = self.0.remove("service") else { return Ok((self, None)) };
        let personal = variables
            .get("PGSERVICEFILE")
            .map(PathBuf::from)
            .or_else(|| Some(PersonalFiles::find(variables, cfg!(windows))?.services));
        let of_all = variables.get("PGSYSCONFDIR").or(OF_ALL).map(|it| Path::new(it).join("pg_service.conf"));
        let files = personal.into_iter().chain(of_all);
        for file in files {
            let Some((open, text)) = text_of(&file, FileSensitivity::Settings)? else { continue };
            let Some((found, password)) = section(&text, &service, &file)? else { continue };
            if password.is_some() {
                judge_open(&file, &open, FileSensitivity::Secret).map_err(unusable)?;
            }
            for (key, value) in found {
                self.0.entry(key).or_insert(value);
            }
            return Ok((self, password));
        }
        let reason = format!("no service file contains the service [{}]", clean(&service));
        Err(ConfigError::Ledger { reason, hint: PersonalFiles::SERVICE_ADVICE.into() }.into())
    }

    /// The server, with what the files know; `user` is who runs the program.
    pub(super) fn server(self, address: &str, variables: &Variables, user: &str) -> Result<DatabaseServer> {
        let (named, whose) = (self.clone(), (variables.clone(), user.to_owned()));
        let passwords = PasswordSource::read_by(move || named.clone().passwords(&whose.0, &whose.1));
        let (written, _) = self.with_service(variables)?;
        let takes_writes = written.takes_writes().map_err(of_address)?;
        let encryption = written.encryption().map_err(of_address)?;
        let (database, user) = written.database_and_user(user);
        let hosts = written.hosts().map_err(of_address)?.into_iter();
        let hosts: Vec<_> = hosts.map(|(host, port)| DatabaseHost { name: host.to_owned(), port }).collect();
        if hosts.is_empty() {
            let form = "Use postgres://USER@HOST/DATABASE; for a Unix socket, add its folder: ?host=/run/postgresql.";
            return Err(of_address(InvalidValue::new("names no host", form)).into());
        }
        // A file that can't be used is told of before anything is asked of the server.
        passwords.read()?;
        let address = address.to_owned();
        Ok(DatabaseServer { address, hosts, takes_writes, database, user, encryption, passwords })
    }

    /// The password at each host, as the files have it now.
    fn passwords(self, variables: &Variables, user: &str) -> Result<Vec<Option<Secret>>> {
        let (written, password) = self.with_service(variables)?;
        let (database, user) = written.database_and_user(user);
        let hosts = written.hosts().map_err(of_address)?;
        let of = |(host, port)| match &password {
            Some(password) => Ok(Some(password.clone())),
            None => password_of(&written, host, port, &database, &user, variables),
        };
        hosts.into_iter().map(of).collect()
    }

    fn database_and_user(&self, user: &str) -> (String, String) {
        let user = self.get("user").unwrap_or(user).to_owned();
        (self.get("dbname").unwrap_or(&user).to_owned(), user)
    }
}

fn of_address(wrong: InvalidValue) -> ConfigError {
    ConfigError::Ledger {
        reason: format!("the ledger's address {}", wrong.problem),
        hint: wrong.right.unwrap_or_default(),
    }
}

/// The settings of a service, and its password, if the file has it.
type Service = (BTreeMap<String, String>, Option<Secret>);

fn section(text: &str, service: &str, file: &Path) -> Result<Option<Service>> {
    let mut inside = false;
    let mut found: Option<Service> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            inside = name == service;
            if inside {
                found.get_or_insert_default();
            }
            continue;
        }
        let (true, Some((settings, password))) = (inside, &mut found) else { continue };
        match line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("password", value)) => *password = Some(Secret::new(value)),
            Some((key, value)) if OPTIONS.contains(&key) && key != "service" => {
                settings.insert(key.into(), value.into());
            }
            _ => {
                let key = line.split('=').next().unwrap_or_default();
                let reason = format!(
                    "{} contains `{}` for [{service}], which this program doesn't support",
                    shown(file),
                    clean(key.trim())
                );
                return Err(ConfigError::Ledger {
                    reason,
                    hint: format!("Supported: {} and password.", OPTIONS[..9].join(", ")),
                }
                .into());
            }
        }
    }
    Ok(found)
}

/// The first line of the password file that fits.
fn password_of(
    written: &ParsedAddress,
    host: &str,
    port: u16,
    database: &str,
    user: &str,
    variables: &Variables,
) -> Result<Option<Secret>> {
    let named = written.get("passfile").or_else(|| variables.get("PGPASSFILE")).map(PathBuf::from);
    let Some(file) = named.or_else(|| Some(PersonalFiles::find(variables, cfg!(windows))?.passwords)) else {
        return Ok(None);
    };
    // libpq ignores a password file that others can read, and says so; here that is an end.
    let Some((_, text)) = text_of(&file, FileSensitivity::Secret)? else { return Ok(None) };
    // libpq: a socket in the default folder is written `localhost`.
    let socket = host == "/run/postgresql" || host == "/var/run/postgresql" || host == "/tmp";
    let port = port.to_string();
    let wanted = [host, &port, database, user];
    let fits = |line: &&[String]| {
        line.iter()
            .zip(wanted)
            .enumerate()
            .all(|(n, (has, wants))| has == "*" || has == wants || (n == 0 && socket && has == "localhost"))
    };
    let lines: Vec<_> =
        text.lines().filter(|line| !line.starts_with('#')).map(fields).filter(|it| it.len() == 5).collect();
    Ok(lines.iter().map(Vec::as_slice).find(fits).map(|line| Secret::new(line[4].as_str())))
}

/// The five fields of a line: a colon or backslash in one has a backslash before it.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields.last_mut().into_iter().for_each(|it| it.extend(letters.next())),
            _ => fields.last_mut().into_iter().for_each(|it| it.push(letter)),
        }
    }
    fields
}

/// The file, open, with its text; nothing where there is none.
fn text_of(path: &Path, holds: FileSensitivity) -> Result<Option<(File, String)>> {
    let Some(mut file) = open_provided(path, holds).map_err(unusable)? else { return Ok(None) };
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(|e| unusable(Error::File { path: path.display().to_string(), reason: e.to_string() }))?;
    Ok(Some((file, text)))
}

fn unusable(e: Error) -> Error {
    ConfigError::Ledger {
        reason: format!("a file that the ledger's address needs can't be used: {}", clean(&e.to_string())),
        hint: "Make sure that no other user can change the file, or read a password in it.".into(),
    }
    .into()
}

fn shown(file: &Path) -> String {
    clean(&file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(address: &str, key: &str) -> Option<String> {
        check(address).unwrap().get(key).map(str::to_owned)
    }

    #[test]
    fn an_address_is_read_as_libpq_reads_it() {
        let whole = "postgresql://ann%40store@db.example:6432/led%20ger?sslrootcert=/etc/ca.crt";
        for (key, value) in [
            ("user", "ann@store"),
            ("host", "db.example"),
            ("port", "6432"),
            ("dbname", "led ger"),
            ("sslrootcert", "/etc/ca.crt"),
        ] {
            assert_eq!(get(whole, key).as_deref(), Some(value), "{key}");
        }
        assert_eq!(
            get("postgres:///ledger?host=/run/postgresql", "host").as_deref(),
            Some("/run/postgresql")
        );
        assert_eq!(get("postgres://[::1]/x", "host").as_deref(), Some("::1"));
        assert_eq!(get("postgres://db/x", "port"), None);
    }

    #[test]
    fn what_could_never_be_right_or_safe_is_refused() {
        for (address, says) in [
            ("postgres://ann:secret@db/x", "contains a password"),
            ("postgres://db/x?password=secret", "contains a password"),
            ("postgres://db/x?sslmode=require", "doesn't verify the server's identity"),
            ("postgres://db/x?sslmode=disable", "turns encryption off"),
            ("postgres://127.0.0.1.evil.example/x?sslmode=disable", "turns encryption off"),
            ("postgres://db/x?sslcert=a.crt", "one of sslcert and sslkey"),
            ("postgres://db/x?options=-c", "`options`"),
            ("postgres://a,b/x", "several hosts"),
            ("postgres://a,b/x?target_session_attrs=any", "several hosts"),
            ("postgres://a/x?target_session_attrs=standby", "target_session_attrs=standby"),
            (
                "postgres://a,b/x?port=1,2,3&target_session_attrs=read-write",
                "different number of ports and hosts",
            ),
            (
                "postgres://127.0.0.1,db/x?sslmode=disable&target_session_attrs=read-write",
                "turns encryption off",
            ),
            ("postgres://db/x#y", "a #"),
            ("postgres://db /x", "a space"),
            ("postgres://db:0/x", "no valid port"),
            ("https://db/x", "isn't the address of a PostgreSQL"),
        ] {
            let wrong = check(address).unwrap_err();
            assert!(wrong.problem.contains(says), "{address}: {wrong:?}");
            assert!(!format!("{wrong:?}").contains("secret"), "{wrong:?}");
        }
    }

    #[test]
    fn a_primary_and_its_standbys_are_read_as_libpq_reads_them() {
        let of = |address: &str| {
            let written = check(address).unwrap();
            let hosts = written.hosts().unwrap().into_iter().map(|(host, port)| format!("{host}:{port}"));
            (hosts.collect::<Vec<_>>().join(" "), written.takes_writes().unwrap())
        };
        let both = |hosts: &str| (hosts.to_owned(), true);
        assert_eq!(of("postgres://a,b/x?target_session_attrs=read-write"), both("a:5432 b:5432"));
        assert_eq!(
            of("postgres://ann@a:1,[::1]:2,c/x?target_session_attrs=read-write"),
            both("a:1 ::1:2 c:5432")
        );
        assert_eq!(of("postgres:///x?host=/p,/q&port=7&target_session_attrs=read-write"), both("/p:7 /q:7"));
        assert_eq!(of("postgres://a:9/x"), ("a:9".to_owned(), false));
    }

    #[test]
    fn only_what_stays_on_this_machine_goes_without_tls() {
        for local in ["127.0.0.1", "[::1]", "localhost"] {
            let address = format!("postgres://{local}/x?sslmode=disable");
            assert_eq!(check(&address).unwrap().encryption().unwrap(), Encryption::Local, "{local}");
        }
        let whole = Encryption::Verified { roots: None, client: None };
        for address in ["postgres://127.0.0.1/x", "postgres://db/x?sslmode=verify-full&sslrootcert=system"] {
            assert_eq!(check(address).unwrap().encryption().unwrap(), whole, "{address}");
        }
    }

    #[test]
    fn a_persons_own_files_are_where_libpq_looks_for_them() {
        let of = |on_windows: bool, set: &[(&str, &str)]| {
            let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let found = PersonalFiles::find(&Variables::new(set), on_windows)?;
            Some([found.passwords, found.services])
        };
        let both = [("HOME", "/home/änn"), ("APPDATA", "/Users/Änn/Roaming")];
        assert_eq!(
            of(false, &both),
            Some(["/home/änn/.pgpass", "/home/änn/.pg_service.conf"].map(PathBuf::from))
        );
        let folder = Path::new("/Users/Änn/Roaming").join("postgresql");
        assert_eq!(of(true, &both), Some(["pgpass.conf", ".pg_service.conf"].map(|it| folder.join(it))));
        assert_eq!((of(false, &both[1..]), of(true, &both[..1])), (None, None));
    }

    #[test]
    fn a_password_file_has_five_fields_with_colons_behind_backslashes() {
        assert_eq!(
            fields(r"db.example:5432:*:ann:a\:b\\c:d"),
            ["db.example", "5432", "*", "ann", r"a:b\c:d"]
        );
        assert_eq!(fields("too:few").len(), 2);
    }

    #[test]
    fn a_service_is_found_among_others_and_its_password_is_a_secret() {
        let text = "# ours\n[other]\nhost=elsewhere\n\n[ledger]\nhost = db.example\npassword=canary\n[more]\nport=1\n";
        let (found, password) = section(text, "ledger", Path::new("services")).unwrap().unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("host".into(), "db.example".into())]);
        assert_eq!(password.unwrap().expose(), "canary");
        assert!(section(text, "none", Path::new("services")).unwrap().is_none());
        let unknown =
            section("[x]\ngssencmode=disable\n", "x", Path::new("services")).unwrap_err().to_string();
        assert!(unknown.contains("gssencmode"), "{unknown}");
    }
}
