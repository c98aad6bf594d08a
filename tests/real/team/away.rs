//! Answers that come while the server is away: it restarts, it's stopped, or the line to it is silent. Whoever waits hears of it
//! meanwhile, and nothing is lost.

use super::Team;
use crate::hostile::granted;
use crate::support::line::Line;
use crate::support::team::{PASSWORD, Server, shared};
use crate::support::{Rig, Run, admin, past_the_proxy, register, send as signal};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// A listener behind its proxy.
pub struct Listener {
    listening: Child,
    port: u16,
    said: Receiver<String>,
}

impl Listener {
    pub fn start(mut command: std::process::Command) -> Self {
        let mut listening = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(listening.stderr.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let port = first.split_whitespace().nth(2).unwrap_or_else(|| panic!("{first}"));
        let port = port.rsplit(':').next().unwrap().parse().unwrap();
        let (tell, said) = channel();
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|it| drop(tell.send(it))));
        Self { listening, port, said }
    }

    /// What a browser gets there: the status, and the page behind it.
    pub fn asks(&self, target: &str) -> String {
        let (status, page) = past_the_proxy(self.port, target, &[]);
        format!("{status} {page}")
    }

    /// What the operator was told since.
    pub fn told(&self) -> String {
        self.said.try_iter().collect::<Vec<_>>().join("\n")
    }

    pub fn stops(mut self) {
        signal("TERM", &self.listening);
        assert!(self.listening.wait().unwrap().success());
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.listening.kill();
        let _ = self.listening.wait();
    }
}

const PUBLIC: &str = "redirect.public_url = \"https://auth.example.com/callback\"";

/// A host that listens on a server of this test's own, by this address; with a link that waits for its answer.
fn listening(address: &str) -> (Team, Listener, String) {
    let team = Team::on(address, 1);
    has_a_public_address(&team, 0);
    let back = answer_to(&team, "L-1");
    let listener = Listener::start(team.command(0, &["listen", "--port", "0"]));
    // Which questions are open it has looked up once it takes requests.
    team.rig.until(|| listener.asks("/healthz").contains("\"ok\":true"));
    (team, listener, back)
}

pub fn has_a_public_address(team: &Team, host: usize) {
    let config = team.home(host).join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n{PUBLIC}\n")).unwrap();
}

/// Where the browser of a license's admin is sent back to.
pub fn answer_to(team: &Team, license: &str) -> String {
    let link = team.run(0, &register(license, &["--no-wait", "-q"])).exits(0).out;
    let back = granted(link.trim_end());
    format!("{}?{}", back.path(), back.query().unwrap())
}

fn by(line: &Line, server: &Server) -> String {
    by_line(line, server, &server.database())
}

/// A database of a server over a line.
pub fn by_line(line: &Line, server: &Server, database: &str) -> String {
    let passwords = server.for_clients("passwords").display().to_string();
    format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable&passfile={passwords}", line.port)
}

/// What an admin reads whose answer is finished without their doing.
#[track_caller]
pub fn is_kept(page: &str) {
    assert!(page.starts_with("200") && page.contains("being processed"), "{page}");
    assert!(!page.contains("postgres") && !page.contains("ledger"), "{page}");
}

#[test]
fn an_answer_that_comes_while_the_server_restarts_is_taken_behind_that() {
    let server = Server::start();
    let (team, listener, back) = listening(&server.address(&server.database(), "postgres"));
    assert!(listener.asks("/healthz").contains("\"ok\":true"));
    server.kill();
    is_kept(&listener.asks(&back));
    assert!(listener.asks(&back).contains("lready"));
    team.rig.until(|| listener.asks("/healthz").starts_with("503"));
    team.rig.until(|| listener.told().contains("can't be reached"));
    assert_eq!(team.rig.counted("token_issued"), 0);
    server.up();
    team.rig.until(|| listener.asks("/healthz").contains("\"ok\":true"));
    team.rig.until(|| team.run(0, &["token", "L-1"]).code == 0);
    listener.stops();
    assert_eq!(team.rig.counted("token_issued"), 1);
}

#[test]
fn a_silent_line_holds_up_neither_browser_nor_monitor_nor_the_end() {
    let server = Server::start();
    let line = Line::to(server.port);
    let (team, listener, back) = listening(&by(&line, &server));
    assert!(listener.asks("/healthz").contains("\"ok\":true"));
    line.goes_silent();
    let health = listener.asks("/healthz");
    assert!(health.starts_with("503") && health.contains("is not responding"), "{health}");
    is_kept(&listener.asks(&back));
    assert!(listener.asks("/healthz").starts_with("503"));
    team.rig.until(|| listener.told().contains("can't be reached"));
    line.carries();
    team.rig.until(|| listener.asks("/healthz").contains("\"ok\":true"));
    team.rig.until(|| team.run(0, &["token", "L-1"]).code == 0);
    line.goes_silent();
    // Though nothing can be told to the server any more.
    listener.stops();
    assert_eq!(team.rig.counted("token_issued"), 1);
}

#[test]
fn a_server_that_is_stopped_and_goes_on_loses_no_answer() {
    let server = Server::start();
    let (team, listener, back) = listening(&server.address(&server.database(), "postgres"));
    server.signal("STOP");
    is_kept(&listener.asks(&back));
    // One that nobody here knew of is asked for again.
    let unknown = listener.asks("/callback?code=c&state=s");
    assert!(unknown.starts_with("503") && unknown.contains("eload"), "{unknown}");
    let health = listener.asks("/healthz");
    assert!(health.starts_with("503"), "{health}");
    let check = team.run(0, &["status", "--check"]).exits(3);
    assert!(check.out.contains("UNKNOWN") && check.out.contains("no answer within"), "{check:?}");
    server.signal("CONT");
    team.rig.until(|| team.run(0, &["token", "L-1"]).code == 0);
    listener.stops();
    assert_eq!(team.rig.counted("token_issued"), 1);
}

/// The code is sent, and the grant kept here, sealed; the browser and whoever waits at the command hear of it.
#[test]
fn a_grant_that_comes_over_a_silent_line_is_kept_here_while_it_is_silent() {
    let server = Server::start();
    let line = Line::to(server.port);
    let team = Team::on(&by(&line, &server), 1);
    let (gate, page) = (team.rig.elsewhere("go"), team.rig.elsewhere("page"));
    let browser = format!("{} --wait {} --say {}", admin(), gate.display(), page.display());
    let asking = team.command(0, &register("L-1", &["--browser", &browser])).spawn().unwrap();
    team.rig.until(|| team.asks());
    line.goes_silent();
    fs::write(&gate, "").unwrap();
    let ended = Run::of(asking.wait_with_output().unwrap()).exits(7);
    ended
        .says("L-1 was granted, but the grant can't be stored yet")
        .says("stores the grant without asking the admin again");
    team.rig.until(|| fs::read_to_string(&page).is_ok_and(|page| page.contains("kept")));
    assert_eq!(team.rig.counted("token_issued"), 1);
    line.carries();
    team.run(0, &register("L-1", &[])).exits(0);
    team.run(0, &["token", "L-1"]).exits(0);
    assert_eq!(team.rig.counted("token_issued"), 1);
}

#[test]
fn what_nobody_answers_ends_in_its_time_though_the_line_is_silent() {
    let server = Server::start();
    let line = Line::to(server.port);
    let team = Team::on(&by(&line, &server), 1);
    let asking = team.command(0, &register("L-1", &["--no-browser", "--timeout", "3s"])).spawn().unwrap();
    team.rig.until(|| team.asks());
    line.goes_silent();
    Run::of(asking.wait_with_output().unwrap()).exits(5);
    // Nor do commands that begin in the silence wait.
    team.run(0, &["status"]).exits(7).says("no answer within");
    let check = team.run(0, &["status", "--check"]).exits(3);
    assert!(check.out.contains("UNKNOWN") && check.out.contains("no answer within"), "{check:?}");
    let mut key = team.command(0, &["--", "biotrack-auth", "token", ""]);
    key.env("BIOTRACK_AUTH_COMPLETE", "fish");
    Run::of(key.output().unwrap()).exits(0).answers_nothing();
}

#[test]
fn a_listener_reads_a_password_that_was_changed() {
    let database = shared().database();
    let role = shared().role(&database, "changing", &[]);
    shared().says(&database, &format!("GRANT ALL ON DATABASE {database} TO {role}"));
    let folder = tempfile::tempdir().unwrap();
    let passwords = folder.path().join("passwords");
    let is = |password: &str| {
        let quoted = password.replace('\\', "\\\\").replace(':', "\\:");
        let next = folder.path().join("next");
        fs::write(&next, format!("*:*:*:*:{quoted}\n")).unwrap();
        fs::set_permissions(&next, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        fs::rename(next, &passwords).unwrap();
    };
    is(PASSWORD);
    let port = shared().port;
    let passfile = passwords.display();
    let address =
        format!("postgres://{role}@127.0.0.1:{port}/{database}?sslmode=disable&passfile={passfile}");
    let (team, listener, back) = listening(&address);
    shared().says(&database, &format!("ALTER ROLE {role} PASSWORD 'another one'"));
    let ends =
        format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{role}'");
    shared().says(&database, &ends);
    team.rig.until(|| listener.asks("/healthz").starts_with("503"));
    is("another one");
    team.rig.until(|| listener.asks("/healthz").contains("\"ok\":true"));
    let page = listener.asks(&back);
    assert!(page.contains("Access granted"), "{page}");
    listener.stops();
}

/// Something else, a backup for example, has the ledger's file locked while the answer comes, until it was answered.
#[test]
fn an_answer_that_comes_while_the_ledgers_file_is_locked_is_kept_and_finished_by_itself() {
    let rig = Rig::with_file(&[]);
    rig.adds_to_profile(PUBLIC);
    let link = rig.run(&register("L-1", &["--no-wait", "-q"])).exits(0).out;
    let back = granted(link.trim_end());
    let back = format!("{}?{}", back.path(), back.query().unwrap());
    let listener = Listener::start(rig.command(&["listen", "--port", "0"]));
    let other = rusqlite::Connection::open(rig.file("ledger.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let page = listener.asks(&back);
    assert!(page.starts_with("200") && page.contains("being processed"), "{page}");
    assert!(!page.contains("Not authorized") && !page.contains("ledger"), "{page}");
    let health = listener.asks("/healthz");
    assert!(health.starts_with("503") && health.contains("ledger"), "{health}");
    assert_eq!(rig.counted("token_issued"), 0);
    other.execute_batch("ROLLBACK").unwrap();
    rig.until(|| rig.run(&["token", "L-1"]).code == 0);
    assert_eq!(rig.counted("token_issued"), 1);
    listener.stops();
}

/// Something else has the ledger's file for itself, for longer than a monitor waits.
#[test]
fn a_check_tells_in_time_which_ledger_does_not_answer() {
    let rig = Rig::with_file(&[]);
    rig.register("L-1").exits(0);
    let other = rusqlite::Connection::open(rig.file("ledger.db")).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let check = rig.run(&["status", "--check"]).exits(3);
    assert!(
        check.out.contains("UNKNOWN") && check.out.contains("ledger.db stayed busy for 7 seconds"),
        "{check:?}"
    );
    drop(other);
    rig.run(&["status", "--check"]).exits(0);
}
