//! The room's promises: every refusal at its line with the right key, who won, and what init writes.

use super::settings::Scope;
use super::*;
use crate::error::{ConfigError, Error};
use crate::model::consent::Fact;
use crate::model::provider::{ClientAuth, Pkce, RevocationScope};
use crate::model::vault_kind::VaultKind;
use crate::system::{Paths, Variables, files};
use std::fs;
use std::path::Path;

fn parse(text: &str) -> (Config, Vec<ConfigError>) {
    Config::parse(Path::new("/c/config.toml"), text)
}

fn good(text: &str) -> Config {
    let (config, problems) = parse(text);
    assert!(problems.is_empty(), "{problems:?}\n{text}");
    config
}

fn new(preset: Preset) -> NewProfile {
    let address = match preset {
        Preset::Generic => vec![("issuer", "https://op.example/".to_owned())],
        _ if preset_gives(preset, "url") => vec![],
        _ => vec![("url", "http://127.0.0.1:8990".to_owned())],
    };
    NewProfile { name: preset.name().into(), preset, given: address }
}

fn home() -> (tempfile::TempDir, Paths) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::within(&folder.path().join("home"));
    (folder, paths)
}

#[test]
fn each_refusal_names_its_line_and_what_would_be_right() {
    // Put under a profile's header (line 1) and its preset (line 2), so each stands on line 3 unless it says more.
    let in_profile = [
        ("clientid = \"x\"", 3, "unknown key `clientid`", "`client_id`"),
        ("client-id = \"x\"", 3, "unknown key `client-id`", "`client_id`"),
        ("port = 80", 3, "unknown key `port`", "`redirect.port`"),
        ("client_secret = \"canary\"", 3, "unknown key `client_secret`", "set-secret"),
        ("password = \"canary\"", 3, "unknown key `password`", "BioTrack's own page"),
        ("access_token = \"canary\"", 3, "unknown key `access_token`", ""),
        ("frobnicate = 1", 3, "unknown key `frobnicate`", "config show"),
        ("\n[profiles.p.redirect]\nprot = 80", 5, "unknown key `redirect.prot`", "`port`"),
        ("facts.licence = \"location\"", 3, "unknown key `facts.licence`", "`license`"),
        ("metadata = \"yes\"", 3, "`metadata` can't be a string", "true or false"),
        ("redirect.port = \"80\"", 3, "`redirect.port` can't be a string", "whole number"),
        ("redirect.port = 65536", 3, "redirect.port can't be 65536", "65535"),
        ("redirect.port = 99999999999999999999", 3, "", ""),
        ("redirect = 1", 3, "`redirect` should be a table", "[profiles.NAME.redirect]"),
        ("scopes = \"a\"", 3, "`scopes` can't be a string", "list"),
        ("scopes = [\n \"a\",\n 1]", 5, "`scopes` can't be an integer", "list"),
        ("company = \"a\\u001b[0m\"", 3, "`company` contains a character", ""),
        ("pkce = \"plain\"", 3, "pkce can't be \"plain\"", "S256, off"),
        ("pkce = \"s256\"", 3, "pkce can't be \"s256\"", "`S256`"),
        ("client_auth = \"none\"\npkce = \"off\"", 4, "pkce can't be off where", "S256"),
        ("client_auth = \"jwt\"", 3, "client_auth can't be", "post, basic, none"),
        ("iss = \"no\"", 3, "iss can't be", "required, optional"),
        ("state_in = \"paht\"", 3, "state_in can't be", "`path`"),
        ("revocation_scope = \"tokens\"", 3, "revocation_scope can't be", "`token`"),
        ("redirect.host = \"0.0.0.0\"", 3, "redirect.host can't be", "127.0.0.1"),
        ("redirect.path = \"callback\"", 3, "redirect.path can't be", "/callback"),
        ("redirect.path = \"/a b\"", 3, "redirect.path can't be", "/callback"),
        ("redirect.path = \"/a?b\"", 3, "redirect.path can't be", "/callback"),
        ("redirect.path = \"//a\"", 3, "redirect.path can't be", "/callback"),
        ("redirect.path = \"/a/../b\"", 3, "redirect.path can't be", "/callback"),
        ("redirect.public_url = \"http://a.example/\"", 3, "plain http to a.example", "https://"),
        (
            "redirect.public_url = \"https://a.example:6000/\"",
            3,
            "public_url is at port 6000",
            "browsers refuse",
        ),
        (
            "authorize_url = \"https://a.example:5060/x\"",
            3,
            "authorize_url is at port 5060",
            "browsers refuse",
        ),
        ("lifetime = \"100\"", 3, "lifetime can't be \"100\"", "14d"),
        ("lifetime = \"0d\"", 3, "lifetime can't be zero", "100d"),
        ("timeout = \"0s\"", 3, "timeout can't be zero", "20s"),
        ("due_window = \"two weeks\"", 3, "due_window can't be", "14d"),
        ("time_zone = \"America/NewYork\"", 3, "time_zone can't be", "`America/New_York`"),
        ("url = \"http://a.example\"", 3, "url uses plain http to a.example", "https://"),
        ("url = \"https://a.example/?x\"", 3, "url contains a ?", "authorize_parameters"),
        ("url = \"https://u:canary@a.example\"", 3, "url contains a user name or password", "client_id"),
        ("url = \"{url}/x\"", 3, "url isn't a valid address", "https://host/path"),
        ("token_url = \"ftp://a.example/\"", 3, "token_url begins with ftp:", "https://"),
        ("token_url = \"\"", 3, "token_url is empty", "none"),
        ("token_url = \"{ulr}/x\"", 3, "token_url contains a placeholder", "{url}"),
        ("issuer = \"htTps://a.example\"", 3, "capital letters", "lowercase letters"),
        ("issuer = \"http://a.example\"", 3, "issuer uses plain http", "https://"),
        (
            "authorize_parameters.ubi = \"{upi}\"",
            3,
            "authorize_parameters.ubi contains an unknown placeholder {upi}",
            "{ubi}",
        ),
        ("authorize_parameters.x = \"{quux}\"", 3, "unknown placeholder {quux}", "{ubi}, {license}"),
        (
            "authorize_parameters.state = \"x\"",
            3,
            "authorize_parameters.state isn't free",
            "sets it automatically",
        ),
        (
            "token_parameters.client_secret = \"canary\"",
            3,
            "token_parameters.client_secret isn't free",
            "never contains",
        ),
        ("token_parameters.x = 1", 3, "`token_parameters.x` can't be an integer", "text in quotes"),
        (
            "token_url = \"https://a.example/…\"",
            3,
            "token_url still contains the example's …",
            "whole address",
        ),
        ("client_id = \"…\"", 3, "`client_id` still has the example's value …", "real value"),
        ("client_secret = canary", 3, "this isn't valid TOML", ""),
        ("url = ", 3, "this isn't valid TOML", ""),
        ("url = \"https://a.example\"\nurl = \"https://b.example\"", 4, "this isn't valid TOML", ""),
    ];
    for (line, at, problem, right) in in_profile {
        refused(&format!("[profiles.p]\npreset = \"generic\"\n{line}\n"), at, problem, right);
    }
    let whole = [
        ("vault = \"seald\"", 1, "vault can't be \"seald\"", "`sealed`"),
        ("vault = 1", 1, "`vault` can't be an integer", "text in quotes"),
        ("\nvalt = \"sealed\"", 2, "unknown key `valt`", "`vault`"),
        ("url = \"https://a.example\"", 1, "unknown key `url`", "[profiles.NAME]"),
        ("profiles = 1", 1, "`profiles` should be a table", "[profiles.NAME]"),
        ("[profiles]\nny = 1", 2, "`ny` should be a table", "[profiles.ny]"),
        ("[profiles.\"a b\"]\npreset = \"ny\"", 1, "the profile's name \"a b\"", ""),
        ("[profiles.a]\n", 1, "preset is missing", "ny-sandbox"),
        ("[profiles.a]\npreset = \"ny-sandbx\"", 2, "preset can't be", "`ny-sandbox`"),
        ("default_profile = \"nu\"\n[profiles.ny]\npreset = \"ny\"", 1, "no profile \"nu\"", ""),
        ("[sealed]\nrecipient = []", 2, "unknown key `sealed.recipient`", "`recipients`"),
        (
            "[sealed]\nrecipients = [\n\"age1abc\",\n\"ssh-rsa\"]",
            4,
            "sealed.recipients contains \"ssh-rsa\", which isn't an age recipient",
            "age1",
        ),
        (
            "[sealed]\nrecipients = [\"AGE-SECRET-KEY-canary\"]",
            2,
            "a secret key doesn't belong here",
            "new identity",
        ),
        ("age-secret-key-canary = 1", 1, "a secret key doesn't belong here", "new identity"),
        (
            "[profiles.p]\npreset = \"AGE-SECRET-KEY-canary\"",
            2,
            "a secret key doesn't belong here",
            "new identity",
        ),
        (
            "default_profile = \"AGE-SECRET-KEY-canary\"",
            1,
            "a secret key doesn't belong here",
            "new identity",
        ),
        (
            "[sealed]\nrecipients = [\"age1x AGE-SECRET-KEY-canary\"]",
            2,
            "a secret key doesn't belong here",
            "new identity",
        ),
        (
            "[profiles.s]\npreset = \"local-sandbox\"\nurl = \"https://a.example\"",
            3,
            "url is at a.example",
            "another preset",
        ),
        (
            "[profiles.s]\npreset = \"ny\"\nurl = \"https://licensee-api.sandbox-ny.biotr.ac\"",
            3,
            "the preset ny is for production",
            "ny-sandbox",
        ),
    ];
    for (text, at, problem, right) in whole {
        refused(text, at, problem, right);
    }
}

fn refused(text: &str, at: usize, expected: &str, expected_right: &str) {
    let (_, problems) = parse(text);
    let Some(ConfigError::Invalid { path, line, problem, right }) = problems.first() else {
        panic!("not refused: {text}: {problems:?}")
    };
    let right = right.clone().unwrap_or_default();
    assert_eq!((path.as_str(), *line), ("/c/config.toml", at), "{text}: {problem}");
    assert!(problem.contains(expected), "{text}: {problem}");
    assert!(right.contains(expected_right), "{text}: {right}");
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    assert!(!format!("{problems:?}").contains("canary"), "{text}: {problems:?}");
}

#[test]
fn every_problem_is_found_in_the_order_of_its_line() {
    let (_, problems) = parse(
        "[profiles.b]\npreset = \"ny\"\nx = 1\n[profiles.a]\npreset = \"fl\"\npkce = \"no\"\nlifetime = \"\"\n",
    );
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| match problem {
            ConfigError::Invalid { line, .. } => *line,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lines, [3, 6, 7]);
}

#[test]
fn presets_settle_and_say_what_they_lack() {
    let lacks = |preset: Preset| {
        let provider = new(preset).check().unwrap();
        missing(&provider)
            .into_iter()
            .map(|lack| match lack {
                ConfigError::Incomplete { key, .. } => key,
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    for biotrack in [Preset::Ny, Preset::NySandbox, Preset::Fl] {
        assert_eq!(lacks(biotrack), ["token_url", "client_id", "company", "application"]);
    }
    assert_eq!(lacks(Preset::Generic), ["client_id"]);
    assert!(lacks(Preset::LocalSandbox).is_empty());

    let ny = new(Preset::NySandbox).check().unwrap();
    assert_eq!(ny.authorize_url.as_deref(), Some("https://licensee-api.sandbox-ny.biotr.ac/oauth"));
    assert_eq!((ny.client_auth, ny.pkce, ny.metadata), (ClientAuth::Post, Pkce::S256, false));
    assert_eq!(ny.revocation_scope, RevocationScope::Grant);
    assert_eq!(ny.zone.iana_name(), Some("America/New_York"));
    assert!(ny.fact_fields.facts.is_empty() && ny.published_secret.is_none() && needs_secret(&ny));

    let local = new(Preset::LocalSandbox).check().unwrap();
    assert_eq!(local.issuer.as_deref(), Some("http://127.0.0.1:8990"));
    assert_eq!(local.token_url.as_deref(), Some("http://127.0.0.1:8990/oauth/token"));
    assert!(local.on_loopback() && local.iss_required && !needs_secret(&local));
    assert_eq!(local.fact_fields.facts.len(), Fact::ALL.len());
    assert_eq!(local.revocation_scope, RevocationScope::Token);

    let generic = new(Preset::Generic).check().unwrap();
    assert_eq!(
        (generic.url.as_str(), generic.issuer.as_deref()),
        ("https://op.example/", Some("https://op.example/"))
    );
}

#[test]
fn without_an_address_that_alone_is_missing() {
    let config =
        good("[profiles.ny]\npreset = \"ny\"\nclient_id = \"c\"\ncompany = \"C\"\napplication = \"A\"\n");
    let Err(Error::Config(ConfigError::Incomplete { key, .. })) =
        check_complete(&config.provider("ny").unwrap())
    else {
        panic!("ready")
    };
    assert_eq!(key, "url");
}

#[test]
fn the_published_secret_goes_with_its_own_client_only() {
    let with = |line: &str| {
        let text =
            format!("[profiles.s]\npreset = \"local-sandbox\"\nurl = \"http://localhost:2/\"\n{line}\n");
        good(&text).provider("s").unwrap()
    };
    assert!(with("").published_secret.is_some());
    assert!(with("client_id = \"mine\"").published_secret.is_none());
    assert!(with("client_auth = \"none\"").published_secret.is_none());
    assert_eq!(with("").issuer.as_deref(), Some("http://localhost:2"), "a slash at the end isn't doubled");
}

#[test]
fn one_address_elsewhere_needs_the_certificate_store() {
    let text = "[profiles.s]\npreset = \"generic\"\nurl = \"http://127.0.0.1:2\"\n";
    assert!(good(text).provider("s").unwrap().on_loopback());
    let elsewhere = format!("\u{feff}{text}token_url = \"https://a.example/t\"\r\n");
    assert!(!good(&elsewhere).provider("s").unwrap().on_loopback());
}

#[test]
fn a_presets_value_can_be_changed_and_switched_off() {
    let text = "[profiles.s]\npreset = \"local-sandbox\"\nurl = \"http://127.0.0.1:2\"\nrevocation_url = \"none\"\n\
                grant_expiry = \"\"\nfacts.license = \"loc\"\nfacts.ubi = \"\"\nauthorize_parameters.ubi = \"\"\n\
                authorize_parameters.claims = '{\"id_token\":null}'\n";
    let provider = good(text).provider("s").unwrap();
    assert_eq!((&provider.revocation_url, &provider.grant_expiry), (&None, &None));
    assert!(provider.fact_fields.facts.contains(&(Fact::License, "loc".into())));
    assert!(!provider.fact_fields.facts.iter().any(|(fact, _)| *fact == Fact::Ubi));
    let names: Vec<_> = provider.authorize_parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["claims", "license", "username"]);
}

#[test]
fn settings_say_who_won() {
    let config = good(
        "vault = \"sealed\"\n[profiles.x]\npreset = \"ny-sandbox\"\nlifetime = \"90d\"\nredirect.port = 8991\n",
    );
    let settings = config.settings("x").unwrap();
    let origin = |key: &str| {
        settings
            .iter()
            .find(|setting| setting.key == key)
            .map(|s| format!("{} {}", s.value, s.origin))
            .unwrap()
    };
    assert_eq!(origin("vault"), "\"sealed\" /c/config.toml:1");
    assert_eq!(origin("lifetime"), "\"90d\" /c/config.toml:4");
    assert_eq!(origin("redirect.port"), "8991 /c/config.toml:5");
    assert_eq!(origin("authorize_url"), "\"{url}/oauth\" preset ny-sandbox");
    assert_eq!(origin("due_window"), "\"14d\" default");
    let first: Vec<_> = settings.iter().take(3).map(|setting| setting.key.as_str()).collect();
    assert_eq!(first, ["vault", "ledger", "hooks.timeout"]);
    let (file, profile) = settings.split_at(settings.iter().position(|it| it.key == "preset").unwrap());
    assert!(file.iter().all(|it| Scope::File.knows(&it.key)), "{file:?}");
    assert_eq!([&*profile[1].key, &*profile[2].key], ["url", "metadata"], "{profile:?}");
}

#[test]
fn the_profile_is_the_flags_then_the_variables_then_the_files_then_the_only_one() {
    let none = Variables::default();
    let set = Variables::new([("BIOTRACK_AUTH_PROFILE".into(), "b".into())]);
    let two = "[profiles.a]\npreset = \"ny\"\n[profiles.b]\npreset = \"fl\"\n";
    let with_default = good(&format!("default_profile = \"a\"\n{two}"));
    let name = |config: &Config, flag, variables| {
        config.profile_name(flag, variables).map(|(name, origin)| format!("{name} {origin}"))
    };
    assert_eq!(name(&with_default, Some("a"), &set).unwrap(), "a flag --profile");
    assert_eq!(name(&with_default, None, &set).unwrap(), "b environment BIOTRACK_AUTH_PROFILE");
    assert_eq!(name(&with_default, None, &none).unwrap(), "a /c/config.toml:1");
    assert!(!with_default.provider("a").unwrap().other_profile);
    assert!(with_default.provider("b").unwrap().other_profile);

    let without = good(two);
    assert!(matches!(name(&without, None, &none), Err(Error::Config(ConfigError::WhichProfile { .. }))));
    assert!(without.provider("a").unwrap().other_profile);
    assert!(matches!(name(&without, Some("c"), &none), Err(Error::Config(ConfigError::NoProfile { .. }))));

    let one = good("[profiles.a]\npreset = \"ny\"\n");
    assert_eq!(name(&one, None, &none).unwrap(), "a the only profile");
    assert!(matches!(name(&good(""), None, &none), Err(Error::Config(ConfigError::NoProfile { .. }))));
}

#[test]
fn what_is_written_reads_back_as_the_preset() {
    for preset in Preset::ALL {
        let (_folder, paths) = home();
        let new = new(preset);
        let vault =
            NewVault { kind: VaultKind::Sealed, recipients: vec!["age1abc".into(), "age1def".into()] };
        add_profile(&paths, &new, Some(&vault)).unwrap();
        let config = Config::load(&paths).unwrap();
        assert_eq!((config.vault, config.recipients.len()), (VaultKind::Sealed, 2));
        let plain = config.provider(preset.name()).unwrap();
        assert!(!plain.other_profile);
        assert_eq!(format!("{plain:?}"), format!("{:?}", new.check().unwrap()), "{}", preset.name());

        // Taking the # away from every value that holds anyway changes nothing.
        let mut text = fs::read_to_string(&paths.config).unwrap();
        let given = settings::defaults(settings::profile()).merged_under(settings::preset_layer(preset));
        for setting in given.settings() {
            let line = format!("{} = {}", setting.key, setting.value);
            text = text.replacen(&format!("\n#{line}  #"), &format!("\n{line}  #"), 1);
            text = text.replacen(&format!("\n#{line}\n"), &format!("\n{line}\n"), 1);
        }
        assert!(text.contains("\nlifetime = "), "{text}");
        let switched_on = good(&text).provider(preset.name()).unwrap();
        assert_eq!(format!("{switched_on:?}"), format!("{plain:?}"), "{text}");
    }
}

#[test]
fn every_value_that_nobody_could_verify_is_marked() {
    for preset in [Preset::Ny, Preset::NySandbox, Preset::Fl] {
        for key in ["url", "authorize_url", "token_url", "client_auth", "pkce"] {
            let line = settings::preset_lines(preset).into_iter().find(|line| line.key == key).unwrap();
            let line = line.to_string();
            assert!(line.contains("# unverified:") || line.contains("# needed:"), "{line}");
        }
    }
}

#[test]
fn a_profile_is_added_and_every_byte_before_it_stays() {
    let (_folder, paths) = home();
    add_profile(
        &paths,
        &new(Preset::NySandbox),
        Some(&NewVault { kind: VaultKind::Keyring, recipients: vec![] }),
    )
    .unwrap();
    let own =
        fs::read_to_string(&paths.config).unwrap().replace("preset =", "# mine\npreset   =") + "# the end";
    fs::write(&paths.config, &own).unwrap();
    let config = add_profile(&paths, &new(Preset::LocalSandbox), None).unwrap();
    let text = fs::read_to_string(&paths.config).unwrap();
    assert!(text.starts_with(&own));
    assert_eq!(config.names(), ["local-sandbox", "ny-sandbox"]);
    assert!(config.provider("local-sandbox").unwrap().other_profile);

    let again = add_profile(&paths, &new(Preset::LocalSandbox), None).unwrap_err();
    assert!(matches!(again, Error::Config(ConfigError::ProfileExists { .. })));
    assert_eq!(again.exit(), 2);
    assert_eq!(fs::read_to_string(&paths.config).unwrap(), text);
}

#[test]
fn a_file_without_profiles_gets_the_frame_and_keeps_its_comments() {
    let (_folder, paths) = home();
    files::ensure_private_folder(&paths.data).unwrap();
    files::replace(&paths.config, b"# ours\n[sealed] # keys\n", 0o600).unwrap();
    let vault = NewVault { kind: VaultKind::Sealed, recipients: vec!["age1abc".into()] };
    add_profile(&paths, &new(Preset::LocalSandbox), Some(&vault)).unwrap();
    let text = fs::read_to_string(&paths.config).unwrap();
    assert!(text.contains("# ours") && text.contains("[sealed] # keys"), "{text}");
    let config = Config::load(&paths).unwrap();
    assert_eq!((config.vault, config.recipients), (VaultKind::Sealed, vec!["age1abc".into()]));
    assert!(text.contains("default_profile = \"local-sandbox\""));
}

#[test]
fn a_file_that_can_not_be_added_to_is_left_alone() {
    let (_folder, paths) = home();
    files::ensure_private_folder(&paths.data).unwrap();
    for text in ["profiles = { a = { preset = \"ny\" } }\n", "profiles = {\n"] {
        files::replace(&paths.config, text.as_bytes(), 0o600).unwrap();
        let refused = add_profile(&paths, &new(Preset::LocalSandbox), None).unwrap_err();
        assert_eq!(refused.exit(), 2);
        assert_eq!(fs::read_to_string(&paths.config).unwrap(), text);
    }
}

#[test]
fn a_wrong_flag_is_a_usage_error_before_anything_is_written() {
    let remote = NewProfile { given: vec![("url", "http://a.example".into())], ..new(Preset::Ny) };
    assert_eq!(remote.check().unwrap_err().to_string(), "url uses plain http to a.example");
    let quoted = NewProfile { given: vec![("company", "a\"\nclient_id = \"x".into())], ..new(Preset::Ny) };
    assert!(quoted.check().is_err());
    assert_eq!(NewProfile { name: "a]b".into(), ..new(Preset::Ny) }.check().unwrap_err().exit(), 2);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_change_is_refused_and_one_that_they_may_read_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, paths) = home();
    assert!(matches!(Config::load(&paths), Err(Error::Config(ConfigError::Missing { .. }))));
    add_profile(&paths, &new(Preset::LocalSandbox), None).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&paths.config), mode(&paths.data)), (0o600, 0o700));
    fs::set_permissions(&paths.config, fs::Permissions::from_mode(0o666)).unwrap();
    let shared = Config::load(&paths).unwrap_err();
    assert!(shared.to_string().contains("chmod go-w"), "{shared}");
    assert_eq!(shared.exit(), 2);
    // No secret stands in it: whoever may read it may, and goes on doing so when it's changed.
    fs::set_permissions(&paths.config, fs::Permissions::from_mode(0o644)).unwrap();
    change_ledger(&paths, None).unwrap();
    assert_eq!(mode(&paths.config), 0o644);
    fs::set_permissions(&paths.data, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Config::load(&paths).unwrap_err().to_string().contains("chmod go-w"));
}
