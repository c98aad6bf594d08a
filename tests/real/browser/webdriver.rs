//! A chromedriver of its own on a port of its own, and the few words of WebDriver that the tests speak.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What is to be done where the browser is missing.
const MISSING: &str = "run tests/run, which installs Chromium and its driver";

/// A running chromedriver; it ends with its browsers when dropped.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts it with this folder as its home; it takes a free port and says which.
    pub fn start(home: &Path) -> Self {
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .env_clear()
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("chromedriver can't be run ({e}): {MISSING}"));
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = said
            .map_while(Result::ok)
            .find_map(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok())
            .unwrap_or_else(|| panic!("chromedriver named no port: {MISSING}"));
        Self { child, port }
    }

    /// Opens a browser; its session's path.
    pub fn session(&self, capabilities: &Value) -> String {
        let asked = json!({ "capabilities": { "alwaysMatch": capabilities } });
        // A machine under load may take longer than the driver waits for the browser: once more, then.
        match self.send("POST", "/session", &asked).or_else(|_| self.send("POST", "/session", &asked)) {
            Ok(session) => format!("/session/{}", session["sessionId"].as_str().unwrap()),
            Err(error) => panic!("Chromium can't be started: {MISSING}\n{error}"),
        }
    }

    /// One command; what it answered, or why it failed.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let told = |e: std::io::Error| format!("{method} {path}: {e}");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(told)?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(told)?;
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).map_err(told)?;
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).map_err(told)?;
            match line.to_ascii_lowercase().split_once("content-length:") {
                Some((_, number)) => length = number.trim().parse().unwrap_or(0),
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut text = vec![0; length];
        answer.read_exact(&mut text).map_err(told)?;
        let mut answer: Value = serde_json::from_slice(&text).map_err(|e| format!("{method} {path}: {e}"))?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => {
                Err(format!("{method} {path}: {error}: {}", value["message"].as_str().unwrap_or("")))
            }
            None => Ok(value),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It closes its browsers first; killed, it would leave them behind.
        if self.send("GET", "/shutdown", &Value::Null).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
