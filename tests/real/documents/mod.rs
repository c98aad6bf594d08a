//! What README and the documents show is what happens. Each document is one story: its ```` ```console ```` blocks are run in
//! their order, in a terminal, in one home of its own, and their output is compared. Where it differs the document is
//! written anew, and the test fails naming it; the next run passes. What the reader needn't see stands in comments
//! ([`text::Part`]). (`trycmd` has no terminal, no shell and no background; `snapbox` would show `[..]` to the reader.)

mod text;

use crate::support::screen::Screen;
use crate::support::{PROGRAM, Run, admin, clock, outside, team};
use rustix::process::{Pid, Signal, kill_process_group};
use std::cell::OnceCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use text::{Part, Shown, parts, without_chance};

/// How wide the documents' terminal is.
const COLUMNS: u16 = 120;

/// The ports of the stand-ins in the documents; free ones stand for them here, so that many run at once.
const PORTS: [&str; 3] = ["8990", "8991", "8992"];

/// The documents' PostgreSQL server; a database of the tests' own stands for it here.
const LEDGER: &str = "postgres://ledger_owner@db.example/ledger";

/// Behind a command's last output.
const MARK: &str = "⟪its end⟫";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A document's reader: a home, a clock, an admin user at a browser, and what they left running.
struct Reader {
    folder: TempDir,
    ports: [String; PORTS.len()],
    types: Vec<(String, String, bool)>,
    /// The `export`s and `unset`s so far: they hold for what comes after them.
    exported: String,
    background: Vec<Child>,
    /// Made where a document first names it.
    ledger: OnceCell<String>,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // All at once, so that no two are the same.
        let free = PORTS.map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = free.map(|listener| listener.local_addr().unwrap().port().to_string());
        let reader = Self {
            folder,
            ports,
            types: Vec::new(),
            exported: String::new(),
            background: Vec::new(),
            ledger: OnceCell::new(),
        };
        fs::create_dir(reader.home()).unwrap();
        fs::create_dir(reader.at("bin")).unwrap();
        // The program's clock alone: a shell's own children take libfaketime's semaphore with them when they end.
        let clock = clock::variables(&reader.at("clock"));
        let clock: Vec<_> = clock
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.into_string().unwrap()))
            .collect();
        reader.puts_on_path("biotrack-auth", &format!("exec env {} {PROGRAM} \"$@\"", clock.join(" ")));
        // Where nothing is named, the system's opener is asked; this one opens nothing.
        reader.puts_on_path("xdg-open", ":");
        reader.set_clock("2026-11-30 14:50:00");
        reader.set_admin("");
        reader
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.at("sam")
    }

    /// It stands still, so that what is shown has the same times whenever it's run.
    fn set_clock(&self, instant: &str) {
        fs::write(self.at("clock.new"), format!("{instant}\n")).unwrap();
        fs::rename(self.at("clock.new"), self.at("clock")).unwrap();
    }

    /// The browser that `$BROWSER` names: an admin user who fills in the page.
    fn set_admin(&self, options: &str) {
        self.puts_on_path("browser", &format!("exec {} {options} \"$@\"", admin()));
    }

    fn puts_on_path(&self, name: &str, script: &str) {
        let path = self.at("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The words that give a shell this reader's surroundings and this script.
    fn shell(&self, script: &str) -> Vec<String> {
        let mut words: Vec<String> = ["env", "-i", "-C"]
            .map(str::to_owned)
            .into_iter()
            .chain([self.home().display().to_string()])
            .collect();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", self.at("bin").display());
        let home = self.home().display().to_string();
        for (name, value) in [
            ("HOME", home.as_str()),
            ("USER", "sam"),
            ("PATH", &path),
            ("TERM", "tmux-256color"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            // Whoever runs the tests may have a keyring; this reader has none.
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus"),
            ("BROWSER", &self.at("bin/browser").display().to_string()),
        ] {
            words.push(format!("{name}={value}"));
        }
        words.extend(["bash", "-c"].map(str::to_owned));
        words.push(self.typed(&format!("{}{script}", self.exported)));
        words
    }

    /// What a reader would type here in the place of the document's ports and its server.
    fn typed(&self, text: &str) -> String {
        if text.contains(LEDGER) {
            let made = || {
                let server = team::shared();
                format!("'{}'", server.socket(&server.database()))
            };
            return self.typed(&text.replace(LEDGER, self.ledger.get_or_init(made)));
        }
        PORTS.iter().zip(&self.ports).fold(text.to_owned(), |text, (shown, port)| text.replace(shown, port))
    }

    fn command(&self, script: &str) -> Command {
        let words = self.shell(script);
        let mut command = outside(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command
    }

    /// Takes note of what a shell would remember.
    fn remembers(&mut self, command: &str) -> bool {
        let remembered = command.starts_with("export ") || command.starts_with("unset ");
        if remembered {
            self.exported += &format!("{command}\n");
        }
        remembered
    }

    fn sets_up(&mut self, script: &str) {
        for line in script.lines() {
            if self.remembers(line) {
                continue;
            }
            if let Some(command) = line.strip_suffix(" &") {
                self.starts(command, "http://");
            } else {
                Run::of(self.command(line).output().unwrap()).exits(0);
            }
        }
    }

    /// Leaves a command running; what it wrote until these words, on whichever stream.
    fn starts(&mut self, command: &str, until: &str) -> String {
        let written = self.at(&format!("background-{}", self.background.len()));
        let file = fs::File::create(&written).unwrap();
        let mut command = self.command(command);
        command.stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        self.background.push(command.spawn().unwrap());
        self.waits(
            || fs::read_to_string(&written).unwrap(),
            || {
                let said = self.seen(&fs::read_to_string(&written).unwrap());
                (said.ends_with('\n') && without_chance(&said).contains(until)).then_some(said)
            },
        )
    }

    /// Runs a command in a terminal and types what is to be typed: what is on the screen at its end, and the exit code
    /// where it isn't 0.
    fn runs(&mut self, command: &str) -> String {
        let code = self.at("code");
        let _ = fs::remove_file(&code);
        let words = self.shell(command);
        // The shell's own end is no end of the screen. What was written is all there once the mark behind it is.
        let waits =
            format!("\"$@\"; code=$?; echo {MARK}; echo $code > \"$0.new\"; mv \"$0.new\" \"$0\"; exec cat");
        let code_path = code.display().to_string();
        let mut shell = vec!["sh", "-c", waits.as_str(), code_path.as_str()];
        shell.extend(words.iter().map(String::as_str));
        let screen = Screen::new(&self.home(), COLUMNS, &shell);
        for (at, text, enter) in std::mem::take(&mut self.types) {
            screen.shows(&at);
            screen.types(&self.typed(&text));
            if enter {
                screen.key("Enter");
            }
        }
        let ended = self.waits(|| screen.whole(), || fs::read_to_string(&code).ok());
        let whole =
            self.waits(|| screen.whole(), || Some(screen.whole()).filter(|whole| whole.contains(MARK)));
        let mut seen = self.seen(whole.split(MARK).next().unwrap_or_default());
        seen.truncate(seen.trim_end().len());
        if !seen.is_empty() {
            seen.push('\n');
        }
        match ended.trim() {
            "0" => seen,
            code => format!("{seen}(exit {code})\n"),
        }
    }

    /// What a reader of the document would see in the place of this machine's paths and ports.
    fn seen(&self, text: &str) -> String {
        let text = text.replace(&self.home().display().to_string(), "/home/sam");
        let text =
            self.ledger.get().map_or(text.clone(), |ledger| text.replace(ledger.trim_matches('\''), LEDGER));
        let text = PORTS.iter().zip(&self.ports).fold(text, |text, (shown, port)| {
            text.replace(&format!(":{port}"), &format!(":{shown}"))
                .replace(&format!("port {port}"), &format!("port {shown}"))
        });
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    #[track_caller]
    fn waits<T>(&self, seen: impl Fn() -> String, holds: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(found) = holds() {
                return found;
            }
            assert!(Instant::now() < deadline, "its end didn't come:\n{}", seen().trim_end());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn shown_by(&mut self, shown: &Shown) -> String {
        match shown.command.strip_suffix(" &") {
            _ if self.remembers(&shown.command) => String::new(),
            Some(command) => {
                let last = shown.output.lines().last().unwrap_or("http://");
                self.starts(command, &without_chance(last))
            }
            None => self.runs(&shown.command),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for child in &mut self.background {
            // With what the shell started; it has a group of its own.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// Reads a document as its user would, and compares.
fn read(document: &str) {
    let path = root().join(document);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut reader = Reader::new();
    let mut anew = Vec::new();
    for part in parts(&text) {
        match part {
            Part::Clock(instant) => reader.set_clock(&instant),
            Part::Admin(options) => reader.set_admin(&options),
            Part::Types { at, text, enter } => reader.types.push((at, text, enter)),
            Part::Setup(script) => reader.sets_up(&script),
            Part::Command(shown) => {
                let seen = reader.shown_by(&shown);
                if without_chance(&seen) != without_chance(&shown.output) {
                    anew.push((shown, seen));
                }
            }
            Part::Unrun { line, reason, script } => {
                assert!(reason.is_some(), "{document}:{line}: commands that aren't run, and no reason why");
                parses(&format!("{document}:{line}"), &script);
            }
        }
    }
    for (shown, seen) in anew.iter().rev() {
        lines.splice(shown.lines.clone(), seen.lines().map(str::to_owned));
    }
    if !anew.is_empty() {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let commands: Vec<_> = anew.iter().map(|(shown, _)| shown.command.as_str()).collect();
    assert!(
        anew.is_empty(),
        "{document} doesn't show what happens, and is written anew: look at it and commit\n{commands:#?}"
    );
}

/// Whatever isn't run is at least something that the program would take.
fn parses(place: &str, script: &str) {
    for line in script.replace("\\\n", " ").lines() {
        let mut words = shlex::split(line).unwrap_or_else(|| panic!("{place}: a shell can't read: {line}"));
        // As a command, not as another one's argument.
        let begins = |words: &[String], at: usize| {
            words[at] == "biotrack-auth"
                && (at == 0 || ["|", "&&", "||", ";", "-H"].contains(&words[at - 1].as_str()))
        };
        while let Some(at) = (0..words.len()).find(|&at| begins(&words, at)) {
            let rest = words.split_off(at);
            let end = |word: &String| ["|", ">", "<", "&", "&&", "||", ";", "#"].contains(&word.as_str());
            let end = rest.iter().position(end).unwrap_or(rest.len());
            if let Err(error) = biotrack_auth::cli::tree().try_get_matches_from(&rest[..end]) {
                assert_eq!(error.exit_code(), 0, "{place}: {line}\n{error}");
            }
            words = rest[end..].to_vec();
        }
    }
}

macro_rules! documents {
    ($($name:ident: $path:literal,)*) => {
        $(#[test]
        fn $name() {
            read($path);
        })*

        #[test]
        fn each_document_is_read() {
            let mut there = vec!["CONTRIBUTING.md".to_owned(), "README.md".into(), "contrib/README.md".into()];
            for folder in ["docs", "docs/internals"] {
                for entry in fs::read_dir(root().join(folder)).unwrap() {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    if name.ends_with(".md") {
                        there.push(format!("{folder}/{name}"));
                    }
                }
            }
            there.sort();
            assert_eq!(there, DOCUMENTS);
        }

        const DOCUMENTS: &[&str] = &[$($path),*];
    };
}

documents! {
    contributing: "CONTRIBUTING.md",
    readme: "README.md",
    contrib: "contrib/README.md",
    architecture: "docs/architecture.md",
    backup: "docs/backup.md",
    glossary: "docs/glossary.md",
    defenses: "docs/internals/defenses.md",
    measurements: "docs/internals/performance.md",
    trials: "docs/internals/reliability.md",
    operations: "docs/operations.md",
    performance: "docs/performance.md",
    platforms: "docs/platforms.md",
    provider: "docs/provider.md",
    release: "docs/release.md",
    reliability: "docs/reliability.md",
    security: "docs/security.md",
    settings: "docs/settings.md",
    style: "docs/style.md",
    team: "docs/team.md",
    threats: "docs/threats.md",
    troubleshooting: "docs/troubleshooting.md",
}
