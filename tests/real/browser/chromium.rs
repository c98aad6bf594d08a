//! Chromium without a screen, in a profile of its own, and what a person does and sees in it.

use super::webdriver::Driver;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The key of an element in WebDriver's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// As long as anything here may take; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser; gone with its profile when dropped.
pub struct Browser {
    session: String,
    // Before the folder, which it writes to until it ends.
    driver: Driver,
    _home: TempDir,
}

impl Browser {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further arguments.
    pub fn start_with(more: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let driver = Driver::start(home.path());
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        let arguments = [
            &profile,
            "--headless",
            // Root has no sandbox, and containers little shared memory.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let arguments = [&arguments[..], more].concat();
        let session = driver.session(&json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }));
        Self { session, driver, _home: home }
    }

    #[track_caller]
    fn get(&self, what: &str) -> Value {
        let path = format!("{}/{what}", self.session);
        self.driver.send("GET", &path, &Value::Null).unwrap_or_else(|e| panic!("{e}"))
    }

    fn try_post(&self, what: &str, body: &Value) -> Result<Value, String> {
        self.driver.send("POST", &format!("{}/{what}", self.session), body)
    }

    #[track_caller]
    fn post(&self, what: &str, body: &Value) -> Value {
        self.try_post(what, body).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Goes to an address, and waits until its page is there.
    #[track_caller]
    pub fn open(&self, address: &str) {
        self.post("url", &json!({ "url": address }));
    }

    #[track_caller]
    fn element(&self, css: &str) -> String {
        let found = self.post("element", &json!({ "using": "css selector", "value": css }));
        format!("element/{}", found[ELEMENT].as_str().unwrap())
    }

    /// Types into an empty field, key by key.
    #[track_caller]
    pub fn enter(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.post(&format!("{element}/clear"), &json!({}));
        self.post(&format!("{element}/value"), &json!({ "text": text }));
    }

    /// Presses one key, wherever the focus is.
    #[track_caller]
    pub fn press(&self, key: &str) {
        let strokes = ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("actions", &json!({ "actions": [keyboard] }));
    }

    /// Gives the window another size, in CSS pixels.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        self.post("window/rect", &json!({ "width": width, "height": height }));
    }

    /// What the person prefers: `light` or `dark`.
    #[track_caller]
    pub fn prefers(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let media = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.post("goog/cdp/execute", &media);
    }

    /// The open tabs.
    #[track_caller]
    pub fn tabs(&self) -> Vec<String> {
        let handles = self.get("window/handles");
        handles.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    }

    /// Turns to a tab.
    #[track_caller]
    pub fn switch(&self, tab: &str) {
        self.post("window", &json!({ "handle": tab }));
    }

    /// Clicks where a person would; a page that this loads is there afterwards.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let element = self.element(css);
        self.post(&format!("{element}/click"), &json!({}));
    }

    /// The text that is seen.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let element = self.element(css);
        self.get(&format!("{element}/text")).as_str().unwrap().to_owned()
    }

    /// Waits until the page's heading holds these words.
    #[track_caller]
    pub fn headed(&self, words: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let heading = self.try_script("return document.querySelector('h1')?.innerText ?? ''");
            match heading {
                Ok(heading) if heading.as_str().is_some_and(|it| it.contains(words)) => return,
                other if Instant::now() > until => panic!("no heading \"{words}\" but {other:?}"),
                // Between two pages there is nothing to ask.
                _ => std::thread::yield_now(),
            }
        }
    }

    /// What stands in the address bar.
    #[track_caller]
    pub fn address(&self) -> String {
        self.get("url").as_str().unwrap().to_owned()
    }

    fn try_script(&self, script: &str) -> Result<Value, String> {
        self.try_post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What a look into the page answers.
    #[track_caller]
    pub fn script(&self, script: &str) -> Value {
        self.try_script(script).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Waits until a look into the page answers something, and says what: a page shows what a click did a moment later.
    #[track_caller]
    pub fn until(&self, script: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.try_script(script) {
                Ok(found) if !matches!(found, Value::Null | Value::Bool(false)) => return found,
                other if Instant::now() > until => panic!("never so: {script}: {other:?}"),
                _ => std::thread::yield_now(),
            }
        }
    }

    #[track_caller]
    fn log(&self, kind: &str) -> Vec<Value> {
        self.post("se/log", &json!({ "type": kind })).as_array().unwrap().clone()
    }

    /// What the console has shown since this was last asked: errors, and what the pages' policies stopped.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        self.log("browser").iter().map(ToString::to_string).collect()
    }

    /// What the console shows once it shows anything: its line may come after the page that it is about.
    #[track_caller]
    pub fn awaited_complaints(&self) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let complaints = self.complaints();
            if !complaints.is_empty() || Instant::now() > until {
                return complaints;
            }
            std::thread::yield_now();
        }
    }

    /// Every address that a page has asked for since this was last asked.
    #[track_caller]
    pub fn requested(&self) -> Vec<String> {
        let events = self.log("performance").into_iter().map(|entry| {
            let text = entry["message"].as_str().unwrap().to_owned();
            serde_json::from_str::<Value>(&text).unwrap()["message"].take()
        });
        events
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }
}
