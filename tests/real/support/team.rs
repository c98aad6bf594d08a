//! A real PostgreSQL server of Debian's on loopback: with TLS of an authority of its own, and passwords in a file. One for
//! all tests of a run, gone with it; a database each.

use super::{Rig, outside};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use tempfile::TempDir;

/// The superuser's password, and every other role's.
pub const PASSWORD: &str = "canary-of-postgresql:\\1";

/// What a team's roles may do.
pub const ROLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/postgresql/roles.sql");

/// Whether this run of the tests has its ledgers on a server: `BIOTRACK_TEST_LEDGER=postgres`.
pub fn wanted() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var_os("BIOTRACK_TEST_LEDGER").is_some_and(|it| it == "postgres")
}

/// A server.
pub struct Server {
    folder: TempDir,
    pub port: u16,
    process: Mutex<Option<Child>>,
    /// Ends it when this process ends, however it does: its standard input closes then.
    _watch: Child,
}

/// The one that all tests share, each with its own database.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::start)
}

impl Server {
    /// A new one, on a port that was free.
    pub fn start() -> Self {
        let server = Self::empty();
        let (data, own) = (server.file("data"), server.file("own"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("password"), PASSWORD).unwrap();
        server.give_away(&own);
        server.tool(
            "initdb",
            &[
                "-D",
                text(&data),
                "-U",
                "postgres",
                "-A",
                "scram-sha-256",
                "--no-sync",
                "--pwfile",
                text(&own.join("password")),
            ],
        );
        server.certificates();
        fs::write(
            server.for_clients("passwords"),
            format!("*:*:*:*:{}\n", PASSWORD.replace('\\', "\\\\").replace(':', "\\:")),
        )
        .unwrap();
        fs::set_permissions(server.for_clients("passwords"), fs::Permissions::from_mode(0o600)).unwrap();
        server.up();
        server
    }

    /// A standby of this one, which follows it until one of them is told otherwise.
    pub fn standby(&self) -> Self {
        let standby = Self::empty();
        let own = standby.file("own");
        let copied = Command::new("cp").args(["-r", text(&self.file("own")), text(&own)]).status().unwrap();
        assert!(copied.success());
        for name in ["passwords", "ca.crt"] {
            fs::copy(self.for_clients(name), standby.for_clients(name)).unwrap();
        }
        standby.give_away(&own);
        let (data, port) = (standby.file("data"), self.port.to_string());
        let from = [
            "-D",
            text(&data),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
        ];
        let mut command = self.as_its_user(&Self::program("pg_basebackup"));
        let done = command.args(from).env("PGPASSWORD", PASSWORD).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        standby.up();
        standby
    }

    /// A folder and a port of its own, and nothing in it.
    fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let watch = "cat >/dev/null; pid=$(head -n 1 \"$1/data/postmaster.pid\" 2>/dev/null) && kill -s QUIT \"$pid\"; rm -rf \"$1\"";
        let mut watcher = Command::new("sh");
        watcher.args(["-c", watch, "watch", text(folder.path())]).stdin(Stdio::piped()).process_group(0);
        let server = Self { port, process: Mutex::new(None), _watch: watcher.spawn().unwrap(), folder };
        server.give_away(server.folder.path());
        fs::create_dir(server.for_clients("")).unwrap();
        server
    }

    /// Starts it, or starts it again; returns once it answers.
    pub fn up(&self) {
        let (port, sockets, data) = (self.port.to_string(), self.file("own"), self.file("data"));
        let tls = |name: &str| self.file("own").join(name).display().to_string();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", sockets.display()),
            "ssl=on".into(),
            format!("ssl_cert_file={}", tls("server.crt")),
            format!("ssl_key_file={}", tls("server.key")),
            format!("ssl_ca_file={}", tls("ca.crt")),
            // It's never the machine that fails here, only processes: what the kernel has is safe.
            "fsync=off".into(),
            "max_connections=200".into(),
            // No compiler: a statement that the server would compile, which takes far longer than any of ours, fails.
            "jit_provider=plpgsql".into(),
        ];
        let mut command = self.as_its_user(&Self::program("postgres"));
        command.args(["-D", text(&data), "-p", &port]);
        command.args(settings.iter().flat_map(|it| ["-c", it]));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut all = String::new();
        loop {
            assert!(said.read_line(&mut all).unwrap() > 0, "{all}");
            // A standby accepts those that read.
            if all.contains("ready to accept") {
                break;
            }
        }
        // Else it would be stopped by a full pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        *self.process.lock().unwrap() = Some(child);
    }

    /// Ends it at once, as a crash would, and every process of it.
    pub fn kill(&self) {
        let Some(mut child) = self.process.lock().unwrap().take() else { return };
        let tool = Self::program("pg_ctl");
        let stop = self
            .as_its_user(&tool)
            .args(["stop", "-m", "immediate", "-D", text(&self.file("data"))])
            .output();
        assert!(stop.unwrap().status.success());
        child.wait().unwrap();
    }

    /// Sends a signal to every process of it.
    pub fn signal(&self, name: &str) {
        let own = fs::read_to_string(self.file("data").join("postmaster.pid")).unwrap();
        let own = own.lines().next().unwrap().to_owned();
        let mut kill = outside("sh");
        // One of them may just have ended.
        let each = "kill -s \"$1\" \"$2\" && for child in $(pgrep -P \"$2\"); do kill -s \"$1\" \"$child\"; done; true";
        kill.args(["-c", each, "signal", name, &own]);
        assert!(kill.status().unwrap().success());
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is in its folder for those who connect.
    pub fn for_clients(&self, name: &str) -> PathBuf {
        self.folder.path().join("clients").join(name)
    }

    /// psql as a role, in a database; what it's to do comes behind that.
    pub fn psql(&self, database: &str, role: &str) -> Command {
        let mut psql = outside("psql");
        psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        psql.args(["-U", role, "-d", database]).env("PGPASSWORD", PASSWORD);
        psql
    }

    /// Gives the roles of a team what they may do in a ledger.
    pub fn grants_roles(&self, database: &str) {
        let done = self.psql(database, "postgres").args(["-f", ROLES]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// A role that signs in with the tests' password, and may do what these roles may; its name.
    pub fn role(&self, database: &str, name: &str, of: &[&str]) -> String {
        let role = format!("{name}_{database}");
        self.says(database, &format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"));
        for of in of {
            self.says(database, &format!("GRANT {of} TO {role}"));
        }
        role
    }

    /// The superuser's statements.
    pub fn says(&self, database: &str, statements: &str) -> String {
        let mut psql = self.psql(database, "postgres");
        let done = psql.args(["-v", "ON_ERROR_STOP=1", "-c", statements]).output().unwrap();
        assert!(done.status.success(), "{statements}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// A database of its own.
    pub fn database(&self) -> String {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ledger{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.says("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Its address as the configuration names it.
    pub fn address(&self, database: &str, user: &str) -> String {
        let (port, roots, passwords) = (self.port, self.for_clients("ca.crt"), self.for_clients("passwords"));
        format!(
            "postgres://{user}@localhost:{port}/{database}?sslrootcert={}&passfile={}",
            roots.display(),
            passwords.display()
        )
    }

    /// Its address by its socket: no certificate, whose days a clock that was set would be outside of.
    pub fn socket(&self, database: &str) -> String {
        let (sockets, passwords) = (self.file("own"), self.for_clients("passwords"));
        let (sockets, passwords) = (sockets.display(), passwords.display());
        format!("postgres://postgres@/{database}?host={sockets}&port={}&passfile={passwords}", self.port)
    }

    fn program(name: &str) -> String {
        let versions =
            fs::read_dir("/usr/lib/postgresql").expect("postgresql isn't installed: tests/run installs it");
        let mut found: Vec<_> =
            versions.map(|it| it.unwrap().path().join("bin").join(name)).filter(|it| it.exists()).collect();
        found.sort();
        found.pop().expect("postgresql isn't installed: tests/run installs it").display().to_string()
    }

    /// It refuses to run as root, and so do its tools.
    pub fn as_its_user(&self, program: &str) -> Command {
        let mut command = match rustix::process::geteuid().is_root() {
            true => {
                let mut command = outside("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
                command
            }
            false => Command::new(program),
        };
        // Ctrl-C at the tests isn't for it.
        command.process_group(0).current_dir("/");
        command
    }

    fn tool(&self, name: &str, arguments: &[&str]) {
        let done = self.as_its_user(&Self::program(name)).args(arguments).output().unwrap();
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn give_away(&self, path: &Path) {
        if rustix::process::geteuid().is_root() {
            // What is for clients stays ours: nobody else may put something in its place.
            for (how, path) in [("-h", self.folder.path()), ("-R", path)] {
                let given = Command::new("chown").args([how, "postgres:postgres"]).arg(path).status();
                assert!(given.unwrap().success());
            }
        }
    }

    /// An authority, and a certificate of it for `localhost`.
    fn certificates(&self) {
        let own = self.file("own");
        let script = format!(
            "cd {} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=test authority' -keyout ca.key -out ca.crt \
             && openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr \
             && printf 'subjectAltName=DNS:localhost' > names \
             && openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt \
             && chmod 600 *.key && cp ca.crt {}",
            own.display(),
            self.for_clients("ca.crt").display()
        );
        let done = outside("sh").args(["-c", &script]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.give_away(&own);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Rig {
    /// The home's ledger is a database of this server from now on.
    pub fn shares_ledger(&self, address: &str) {
        let config = self.file("config.toml");
        let whole = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("ledger = \"{address}\"\n{whole}")).unwrap();
    }
}
