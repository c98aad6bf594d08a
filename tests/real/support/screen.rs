//! A real terminal without a window: tmux, typed into and looked at.

use super::outside;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// One tmux server with one window; gone when dropped.
pub struct Screen {
    socket: String,
    folder: TempDir,
}

impl Screen {
    /// A shell's command line in a bare environment, in a window of this width.
    pub fn new(home: &Path, width: u16, shell: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let screen = Self { socket: folder.path().join("screen").display().to_string(), folder };
        let program = Path::new(super::PROGRAM).parent().unwrap().display().to_string();
        let environment = [
            "env".to_owned(),
            "-i".into(),
            format!("HOME={}", home.display()),
            format!("BIOTRACK_AUTH_HOME={}", home.display()),
            format!("PATH={program}:/usr/local/bin:/usr/bin:/bin"),
            "TERM=tmux-256color".into(),
            "LC_ALL=C.UTF-8".into(),
        ];
        let words: Vec<&str> = environment.iter().map(String::as_str).chain(shell.iter().copied()).collect();
        let command = shlex::try_join(words).unwrap();
        let width = width.to_string();
        screen.tmux(&["new-session", "-d", "-x", &width, "-y", "50", &command]);
        screen
    }

    /// Types text as a person does; `Enter` and `Tab` are [`Self::key`]s.
    pub fn types(&self, text: &str) -> &Self {
        self.tmux(&["send-keys", "-l", text]);
        self
    }

    /// Presses a key by tmux's name for it.
    pub fn key(&self, key: &str) -> &Self {
        self.tmux(&["send-keys", key]);
        self
    }

    /// Waits until the screen holds these words, and says what it holds.
    #[track_caller]
    pub fn shows(&self, words: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let seen = self.tmux(&["capture-pane", "-p"]);
            if seen.contains(words) {
                return seen;
            }
            assert!(Instant::now() < deadline, "no \"{words}\" on the screen:\n{seen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Pastes text, as a terminal does that marks it where the program asks for that, or as one that doesn't.
    pub fn pastes(&self, text: &str, marked: bool) {
        let file = self.folder.path().join("paste");
        std::fs::write(&file, text).unwrap();
        self.tmux(&["load-buffer", "-b", "paste", file.to_str().unwrap()]);
        let mut paste = vec!["paste-buffer", "-b", "paste"];
        paste.extend(marked.then_some("-p"));
        self.tmux(&paste);
    }

    /// Sends a signal to our program at this terminal.
    pub fn ends_programs(&self, signal: &str) {
        self.ends("biotrack-auth", signal);
    }

    /// Sends a signal to a program at this terminal.
    pub fn ends(&self, program: &str, signal: &str) {
        let sent = outside("pkill").args([&format!("-{signal}"), "-t", &self.terminal(), program]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether our program runs at this terminal.
    pub fn has_programs(&self) -> bool {
        let found = outside("pgrep").args(["-t", &self.terminal(), "biotrack-auth"]).output().unwrap();
        !found.stdout.is_empty()
    }

    /// Whether the cursor is shown.
    pub fn has_cursor(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim() == "1"
    }

    /// The terminal's name, as processes at it have it.
    fn terminal(&self) -> String {
        let path = self.tmux(&["display-message", "-p", "#{pane_tty}"]);
        path.trim().trim_start_matches("/dev/").to_owned()
    }

    /// Waits until what is typed isn't shown.
    #[track_caller]
    pub fn hides(&self) {
        self.has_mode("-echo");
    }

    /// Waits until what is typed is shown, and taken line by line.
    #[track_caller]
    pub fn echoes(&self) {
        self.has_mode("echo");
        self.has_mode("icanon");
    }

    #[track_caller]
    fn has_mode(&self, mode: &str) {
        let terminal = format!("/dev/{}", self.terminal());
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let said = outside("stty").args(["-F", &terminal, "-a"]).output().unwrap();
            if String::from_utf8_lossy(&said.stdout).split_whitespace().any(|word| word == mode) {
                return;
            }
            assert!(Instant::now() < deadline, "the terminal isn't at {mode}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it holds, with its colors as escapes.
    pub fn colored(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// All that was written to it, what has scrolled away too; a line that was broken at the edge is one again.
    pub fn whole(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// What tmux tells programs of itself in their environment, which is bare here.
    pub fn variable(&self) -> String {
        format!("TMUX={},1,0", self.socket)
    }

    /// What was copied last.
    pub fn copied(&self) -> String {
        self.tmux(&["show-buffer"])
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = outside("tmux");
        tmux.env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .args(["-f", "/dev/null", "-S", &self.socket])
            .args(arguments);
        let output = tmux.output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = outside("tmux").args(["-S", &self.socket, "kill-server"]).output();
    }
}
