//! `listen` under load, for 40 seconds or for as many as `BIOTRACK_TEST_SOAK` says (3600: an hour): its log is a pipe that nobody
//! reads, its hook hangs, its PostgreSQL is killed and started again each minute. What an admin was told is so in the end, a monitor
//! is always answered, and its memory stays level.

use crate::support::register;
use crate::support::team::Server;
use crate::team::Team;
use crate::unread::{PUBLIC, Unread, target};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many admins are at it at once.
const ADMINS: usize = 3;

/// After which an admin who was told to come back loads the page again.
const RELOADED: Duration = Duration::from_secs(1);

/// How much more memory a listener may have at the end than once it had been under load for a while.
const LEVEL: u64 = 24 * 1024;

fn length() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    let wanted = std::env::var("BIOTRACK_TEST_SOAK").ok();
    Duration::from_secs(wanted.map_or(40, |seconds| seconds.parse().unwrap()))
}

/// What is resident of a process, in KiB.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// An answer that a browser brought, and what it was told last.
struct Answer {
    browser: String,
    target: String,
    told: (u16, String),
}

impl Answer {
    /// What an admin's browser is told that follows its redirect. Each is somewhere else: what one address may ask is limited.
    fn to(listener: &Unread, browser: String, target: String) -> Self {
        let told = listener.asks_for(&browser, &target, 60);
        Self { browser, target, told }
    }

    fn is_granted(&self) -> bool {
        self.told.0 == 200 && self.told.1.contains("Access granted")
    }
}

#[test]
#[expect(clippy::disallowed_macros, reason = "a test has no Env")]
fn under_load_each_answer_is_stored_or_told_while_log_hook_and_database_fail() {
    let (server, until) = (Server::start(), Instant::now() + length());
    let team = Team::on(&server.address(&server.database(), "postgres"), 2);
    // Links are handed out by another host, which has no hooks.
    for (host, more) in [(0, "\n[hooks]\ngranted = \"sleep 86000\""), (1, "")] {
        let file = OpenOptions::new().append(true).open(team.home(host).join("config.toml"));
        writeln!(file.unwrap(), "\n{PUBLIC}\n{more}").unwrap();
    }
    // The first one makes the ledger.
    assert_eq!(team.run(1, &register("L-none", &["--no-wait", "-q"])).code, 0);
    let listener = Unread::of(team.command(0, &["listen", "--port", "0", "-v"]));
    let (answers, made) = (Mutex::new(BTreeMap::<String, Answer>::new()), AtomicUsize::new(0));
    let (health, is_over) = (Mutex::new(BTreeMap::<u16, usize>::new()), || Instant::now() >= until);
    let (early, slowest) = (Mutex::new(None), Mutex::new(Duration::ZERO));
    std::thread::scope(|scope| {
        for _ in 0..ADMINS {
            scope.spawn(|| {
                while !is_over() {
                    let nth = made.fetch_add(1, Ordering::SeqCst);
                    let (license, browser) =
                        (format!("L-{nth}"), format!("10.0.{}.{}", nth / 250, nth % 250 + 1));
                    // While the server is down there is no link to be had.
                    let link = team.run(1, &register(&license, &["--no-wait", "-q"]));
                    if link.code == 0 {
                        let mut answer = Answer::to(&listener, browser, target(&link.out));
                        // Who was told to come back loads the page again, while the code is good.
                        while !answer.is_granted() && !is_over() {
                            std::thread::sleep(RELOADED);
                            answer = Answer::to(&listener, answer.browser, answer.target);
                        }
                        answers.lock().unwrap().insert(license, answer);
                    }
                }
            });
        }
        scope.spawn(|| {
            while !is_over() {
                let began = Instant::now();
                let (status, _) = listener.asks("/healthz", 30);
                let mut slowest = slowest.lock().unwrap();
                *slowest = began.elapsed().max(*slowest);
                drop(slowest);
                *health.lock().unwrap().entry(status).or_default() += 1;
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        scope.spawn(|| {
            let pause = (length() / 3).min(Duration::from_secs(60));
            while !is_over() {
                std::thread::sleep(pause.min(until.saturating_duration_since(Instant::now())));
                early.lock().unwrap().get_or_insert_with(|| memory(listener.listen.id()));
                server.kill();
                server.up();
            }
        });
    });
    let (mut answers, health) = (answers.into_inner().unwrap(), health.into_inner().unwrap());
    let granted = answers.values().filter(|it| it.is_granted()).count();
    let slowest = slowest.into_inner().unwrap().as_millis();
    println!(
        "{} answers, {granted} granted while the load lasted; /healthz: {health:?}, within {slowest} ms",
        answers.len()
    );
    assert!(granted > 0 && health.get(&200).is_some_and(|well| *well > 0), "{granted} {health:?}");
    assert_eq!(health.keys().find(|status| ![200, 503].contains(*status)), None, "{health:?}");
    let active = || -> BTreeSet<String> {
        let status = team.run(0, &["status", "--json"]);
        let status = if status.code == 0 { status.json() } else { serde_json::Value::Null };
        let all = status["authorizations"].as_array().into_iter().flatten();
        all.filter(|it| it["state"] == "active").map(|it| it["license"].as_str().unwrap().into()).collect()
    };
    // Who was at it when the time was over loads the page again, until it's finished.
    for (license, answer) in answers.iter_mut().filter(|(_, it)| !it.is_granted()) {
        println!("{license} was told {}: {}", answer.told.0, excerpt(&answer.told.1));
        team.rig.until(|| {
            answer.told = listener.asks_for(&answer.browser, &answer.target, 60);
            answer.is_granted() || active().contains(license)
        });
    }
    team.rig.until(|| listener.asks("/healthz", 30).0 == 200);
    let active = active();
    let lost: Vec<_> = answers.iter().filter(|(license, _)| !active.contains(*license)).collect();
    assert!(lost.is_empty(), "{} of {}: {:?}", lost.len(), answers.len(), lost.first().map(|it| it.0));
    let (early, late) = (early.into_inner().unwrap().unwrap(), memory(listener.listen.id()));
    println!("memory: {early} KiB, then {late} KiB");
    assert!(late < early + LEVEL, "{early} KiB, then {late} KiB");
    listener.ends();
}

/// The words of a page that matter.
fn excerpt(page: &str) -> String {
    let text = page.split("<main").nth(1).unwrap_or(page);
    text.split('<')
        .filter_map(|part| part.split_once('>'))
        .map(|(_, words)| words.trim())
        .collect::<Vec<_>>()
        .join(" ")
}
