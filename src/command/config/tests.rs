//! `config` as scripts meet it: nobody to ask, flags in, exit codes and JSON out, secrets to the vault alone.

use super::*;
use crate::error::Error;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::model::vault_kind::VaultKind;
use crate::system::{Paths, Terminal};
use clap::Parser;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

#[derive(Default)]
struct Fake {
    chosen: usize,
    kept: Vec<(VaultKind, String)>,
    broken: bool,
}

impl VaultChooser for Fake {
    fn choose(&mut self, asked: Option<VaultKind>) -> Result<VaultChoice> {
        if self.broken {
            return Err(Error::Internal("no vault".into()));
        }
        self.chosen += 1;
        Ok(VaultChoice {
            kind: asked.unwrap_or(VaultKind::Keyring),
            recipients: if asked == Some(VaultKind::Sealed) { vec!["age1abc".into()] } else { vec![] },
            why: "It answers.".into(),
        })
    }
    fn keep(&mut self, vault: VaultKind, _: &[String], provider: &Provider, _: &Secret) -> Result<()> {
        self.kept.push((vault, provider.profile.clone()));
        Ok(())
    }
}

struct Rig {
    env: Env,
    out: Buffer,
    err: Buffer,
    fake: Fake,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (out, err) = (Buffer::default(), Buffer::default());
        let system = Env::system().unwrap();
        let terminal = Terminal::captured(Box::new(out.clone()), Box::new(err.clone()));
        let paths = Paths::within(&folder.path().join("home"));
        let mut env = system.within(paths, system.clock.clone(), system.browser.clone());
        env.terminal = terminal;
        env.variables = Default::default();
        Self { env, out, err, fake: Fake::default(), _folder: folder }
    }

    fn run(&mut self, line: &str, globals: Globals) -> Result<u8> {
        let cli = Cli::try_parse_from(std::iter::once("config").chain(line.split_whitespace()))
            .unwrap_or_else(|e| panic!("{e}"));
        run(&cli.args, globals, &self.env, &mut self.fake)
    }

    fn json(&mut self, line: &str) -> serde_json::Value {
        self.run(line, Globals { json: true, ..Globals::default() }).unwrap();
        serde_json::from_str(&self.out.take()).unwrap()
    }
}

const LOCAL: &str = "init --preset local-sandbox --url http://127.0.0.1:8990";

#[test]
fn a_script_makes_the_local_sandbox_ready_in_one_line() {
    let mut rig = Rig::new();
    let made = rig.json(&format!("{LOCAL} --vault sealed"));
    assert_eq!(made["missing"], serde_json::json!([]));
    assert_eq!((&made["vault"], &made["secret_missing"]), (&"sealed".into(), &false.into()));
    assert!(rig.err.take().contains("Next: biotrack-auth register\n"));
    assert!(rig.fake.kept.is_empty());
    assert_eq!(rig.run("check", Globals::default()).unwrap(), 0);
    assert!(rig.out.take().contains("is right: local-sandbox"));
}

#[test]
fn nobody_to_ask_names_every_flag_and_makes_nothing() {
    let mut rig = Rig::new();
    let Err(Error::MissingFlags { flags }) = rig.run("init --preset ny", Globals::default()) else {
        panic!()
    };
    assert_eq!(flags, ["--url", "--client-id", "--company", "--application"]);
    let Err(Error::MissingFlags { flags }) = rig.run("init", Globals::default()) else { panic!() };
    assert_eq!(flags, ["--preset"]);
    let Err(Error::MissingFlags { flags }) = rig.run("init --preset generic", Globals::default()) else {
        panic!()
    };
    assert_eq!(flags, ["--issuer", "--client-id"]);
    assert!(
        rig.run("init --preset local-sandbox --url http://a.example", Globals::default()).unwrap_err().exit()
            == 2
    );
    assert!(!rig.env.paths.config.exists());
    assert_eq!(rig.fake.chosen, 0);
}

#[test]
fn a_vault_that_does_not_work_leaves_no_file() {
    let mut rig = Rig::new();
    rig.fake.broken = true;
    assert!(rig.run(LOCAL, Globals::default()).is_err());
    assert!(!rig.env.paths.config.exists());
}

#[test]
fn a_second_profile_keeps_the_vault_and_a_known_one_is_refused() {
    let mut rig = Rig::new();
    rig.run(&format!("{LOCAL} --vault sealed"), Globals::default()).unwrap();
    let other =
        rig.run(&format!("{LOCAL} --vault keyring"), Globals { profile: Some("x"), ..Globals::default() });
    assert!(matches!(other, Err(Error::Config(crate::error::ConfigError::OtherVault { .. }))));
    assert_eq!(rig.run(LOCAL, Globals::default()).unwrap_err().exit(), 2);
    rig.run(
        "init --preset ny-sandbox --client-id c --company C --application A",
        Globals { profile: Some("x"), ..Globals::default() },
    )
    .unwrap();
    assert_eq!(rig.fake.chosen, 1);
    let said = rig.err.take();
    assert!(said.contains("Add token_url = ") && said.contains("set-secret --profile x"), "{said}");
    assert_eq!(rig.run("check", Globals::default()).unwrap(), 2);
    let found = rig.out.take();
    assert!(found.starts_with("profile x has no token_url. Add token_url"), "{found}");
    assert_eq!(found.lines().count(), 1);
}

#[test]
fn check_prints_every_problem_with_its_line() {
    let mut rig = Rig::new();
    rig.run(LOCAL, Globals::default()).unwrap();
    let file = rig.env.paths.config.clone();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("vualt = 1\n{text}\nclientid = \"x\"\n")).unwrap();
    assert_eq!(rig.run("check", Globals::default()).unwrap(), 2);
    let found = rig.out.take();
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(found.contains("config.toml:1: there is no key `vualt`. Did you mean `vault`?"), "{found}");
    let answer = {
        assert_eq!(rig.run("check", Globals { json: true, ..Globals::default() }).unwrap(), 2);
        serde_json::from_str::<serde_json::Value>(&rig.out.take()).unwrap()
    };
    assert_eq!(answer["problems"][1]["code"], "config");
}

#[test]
fn show_says_who_won() {
    let mut rig = Rig::new();
    rig.run(LOCAL, Globals::default()).unwrap();
    rig.run("show --origin", Globals { config_given: true, ..Globals::default() }).unwrap();
    let shown = rig.out.take();
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.split(' ').next() == Some(key)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(line("config").ends_with("# flag --config"));
    assert!(line("profile").starts_with("profile = \"local-sandbox\" #") && line("profile").ends_with(":4"));
    assert_eq!(line("iss"), "iss = \"required\" # preset local-sandbox");
    assert_eq!(line("timeout"), "timeout = \"20s\" # default");
    assert!(!shown.contains("sandbox-secret"));
    let json = rig.json("show");
    assert_eq!((&json["schema"], &json["profile"]), (&2.into(), &"local-sandbox".into()));
    let settings = json["settings"].as_array().unwrap();
    assert!(
        settings
            .iter()
            .any(|s| s["key"] == "metadata" && s["value"] == true && s["origin"] == "preset local-sandbox")
    );
    let path = rig.json("path");
    assert_eq!(path["path"], rig.env.paths.config.display().to_string());
}

#[test]
fn a_profile_without_a_use_for_a_secret_takes_none() {
    let mut rig = Rig::new();
    assert_eq!(rig.run(&format!("{LOCAL} --client-secret-stdin"), Globals::default()).unwrap_err().exit(), 2);
    assert!(!rig.env.paths.config.exists());
    rig.run(LOCAL, Globals::default()).unwrap();
    assert_eq!(rig.run("set-secret", Globals::default()).unwrap_err().exit(), 2);
    assert!(rig.fake.kept.is_empty());
}

#[test]
fn what_can_not_be_a_secret_is_refused_and_not_repeated() {
    for bad in ["", "canary\ncanary", " canary"] {
        let refused = set_secret::checked(Secret::new(bad)).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("canary"));
    }
    assert!(set_secret::checked(Secret::new("s p")).is_ok());
}
