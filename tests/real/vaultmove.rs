//! `config vault` and `config recipients`: every secret at once, resumable, nothing lost.

use crate::crash::points::at_each_point_slowly;
use crate::crash::truth::Found;
use crate::keyring::session::{Session, accounts, within};
use crate::support::screen::Screen;
use crate::support::stored::{PROFILE, key};
use crate::support::{Rig, admin};
use biotrack_auth::model::flow::{SecretPlace, SecretRole};
use biotrack_auth::vault::create_identity;
use std::fs;

fn own(rig: &Rig) -> String {
    let text = fs::read_to_string(rig.file("identity.txt")).unwrap();
    text.lines().next().unwrap().trim_start_matches("# public key: ").to_owned()
}

/// Another host's identity: its file and recipient.
fn host(rig: &Rig, name: &str) -> (std::path::PathBuf, String) {
    let file = rig.elsewhere(name);
    let recipient = create_identity(&file).unwrap();
    (file, recipient)
}

impl Rig {
    /// Whether every token set is in this vault, by the ledger's word.
    fn kept_in(&self, vault: &str) -> bool {
        let ledger = self.read_ledger().unwrap();
        let all =
            ["L-1", "L-2"].map(|license| ledger.secrets(PROFILE, &key(license), SecretRole::Live).unwrap());
        let kept = all.concat();
        assert_eq!(kept.len(), 2);
        kept.iter().all(|it| matches!(it.place, SecretPlace::Item(_)) == (vault == "keyring"))
    }
}

#[test]
fn the_keyring_is_emptied_into_the_sealed_vault_and_back() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register("L-1").exits(0);
        rig.register("L-2").exits(0);
        let token = rig.live("L-1").unwrap().access.expose().to_owned();
        assert_eq!(accounts().len(), 2);
        let answer = rig.run(&["config", "vault", "sealed", "--json"]).exits(0).json();
        assert_eq!((&answer["moved"], &answer["vault"]), (&2.into(), &"sealed".into()));
        assert!(accounts().is_empty(), "{:?}", accounts());
        assert_eq!(rig.live("L-1").unwrap().access.expose(), token);
        rig.keeps_secrets(std::slice::from_ref(&token));
        rig.run(&["config", "show"]).exits(0).answers("= \"sealed\"");
        rig.run(&["renew", "L-2", "--browser", &admin()]).exits(0);
        rig.run(&["config", "vault", "sealed"]).exits(0).says("already there");
        rig.run(&["config", "vault", "keyring"]).exits(0).says("2 secrets moved");
        assert_eq!(accounts().len(), 2);
        assert_eq!(rig.live("L-1").unwrap().access.expose(), token);
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
        rig.run(&["deactivate", "L-2", "--yes"]).exits(0).answers("revoked");
        assert_eq!(accounts().len(), 1);
        rig.run(&["history", "verify"]).exits(0);
        rig.run(&["doctor"]).exits(0);
    });
}

#[test]
fn a_move_is_killed_everywhere_and_goes_on() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register("L-1").exits(0);
        rig.register("L-2").exits(0);
        let token = rig.live("L-1").unwrap().access.expose().to_owned();
        let named =
            |vault: &str| rig.run(&["config", "show"]).exits(0).out.contains(&format!("= \"{vault}\""));
        for (to, back) in [("sealed", "keyring"), ("keyring", "sealed")] {
            let arguments = ["config", "vault", to];
            rig.run(&["config", "vault", back]).exits(0);
            let calls = rig.calls(&arguments);
            at_each_point_slowly(&format!("config vault {to}"), 3, &calls, |call, nth| {
                rig.run(&["config", "vault", back]).exits(0);
                rig.killed(call, nth, &arguments).then(|| {
                    assert_eq!(rig.status()["summary"]["active"], 2, "{call} {nth}");
                    rig.keeps_secrets(std::slice::from_ref(&token));
                    assert_eq!(rig.live("L-1").unwrap().access.expose(), token, "{call} {nth}");
                    assert_eq!(rig.grants("L-2", SecretRole::Live).len(), 1, "{call} {nth}");
                    // Whoever needs a token meanwhile has it, or is told what to do.
                    let used = rig.run(&["token", "L-1"]);
                    assert!(used.code == 0 || used.err.contains("config vault"), "{call} {nth}: {used:?}");
                    let found = match (rig.kept_in(to), named(to)) {
                        (false, false) => Found::Before,
                        (true, true) => Found::Done,
                        // One commit moves all: what is left is the file's word for it.
                        (true, false) => Found::Uncertain,
                        (false, true) => panic!("{call} {nth}: named, and not moved"),
                    };
                    rig.run(&arguments).exits(0);
                    assert!(rig.kept_in(to) && named(to), "{call} {nth}");
                    assert_eq!(rig.live("L-1").unwrap().access.expose(), token, "{call} {nth}");
                    let kept = if to == "keyring" { 2 } else { 0 };
                    let left: Vec<_> = accounts().into_iter().filter(|it| !it.contains("probe")).collect();
                    assert_eq!(left.len(), kept, "{call} {nth}: {left:?}");
                    found
                })
            });
        }
        rig.run(&["history", "verify"]).exits(0);
    });
}

#[test]
fn while_a_consent_is_under_way_nothing_moves() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        let mut child = rig.start(&crate::support::register("L-1", &["--no-browser"]));
        rig.until(|| rig.counted_asked() == 1);
        rig.run(&["config", "vault", "sealed"]).exits(1).says("L-1 is busy: ");
        child.kill().unwrap();
        child.wait().unwrap();
        rig.run(&["config", "vault", "sealed"]).exits(0).says("1 secret moved");
        assert!(accounts().is_empty());
        rig.register("L-1").exits(0);
    });
}

#[test]
fn recipients_are_added_and_removed_and_every_token_set_sealed_anew() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let token = rig.live("L-1").unwrap().access.expose().to_owned();
    let mine = own(&rig);
    let (identity, other) = host(&rig, "other");
    rig.run(&["config", "recipients", "list"]).exits(0).answers(&format!("{mine}  # this host"));
    let added = rig.run(&["config", "recipients", "add", &other, "--json"]).exits(0).json();
    assert_eq!((added["resealed"].as_u64(), added["recipients"].as_array().unwrap().len()), (Some(1), 2));
    // The other host reads it; so does this one.
    let elsewhere = |exit: i32| {
        let mut command = rig.command(&["export", "--with-secrets", "--backup", "--recipient", &mine]);
        let output = command.env("BIOTRACK_AUTH_IDENTITY", &identity).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}", String::from_utf8_lossy(&output.stderr));
    };
    elsewhere(0);
    assert_eq!(rig.live("L-1").unwrap().access.expose(), token);
    rig.run(&["config", "recipients", "add", "ssh-ed25519"]).exits(2);
    rig.run(&["config", "recipients", "remove", "age1nobody"]).exits(2).says("is not one of the recipients");
    rig.run(&["config", "recipients", "remove", &mine, &other])
        .exits(2)
        .says("no host could read the tokens");
    rig.run(&["config", "recipients", "remove", &other]).exits(0).says_not("is not one of the recipients");
    elsewhere(7);
    rig.run(&["config", "recipients", "add", &other]).exits(0);
    rig.run(&["config", "recipients", "remove", &mine])
        .exits(0)
        .says("this host is not one of the recipients");
    elsewhere(0);
    // From here on this host can only seal; what it can't read it says, and changes nothing.
    rig.run(&["config", "recipients", "add", &mine])
        .exits(7)
        .says("can be opened only on a host with the identity of");
    rig.register("L-2").exits(0);
    rig.run(&["history", "verify"]).exits(0);
    rig.keeps_secrets(&[token]);
}

#[test]
fn killed_while_sealing_anew_everything_stays_readable() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.register("L-2").exits(0);
    let (_, other) = host(&rig, "other");
    let add = ["config", "recipients", "add", &other];
    let remove = ["config", "recipients", "remove", &other];
    let calls = rig.calls(&add);
    rig.run(&remove).exits(0);
    for (call, most) in &calls {
        for nth in (1..=*most).step_by(crate::crash::points::stride()) {
            rig.killed(call, nth, &add);
            assert!(rig.live("L-1").is_some() && rig.live("L-2").is_some());
            rig.run(&add).exits(0);
            let list = rig.run(&["config", "recipients", "list", "--json"]).exits(0).json();
            assert_eq!(list["recipients"].as_array().unwrap().len(), 2);
            rig.run(&remove).exits(0);
        }
    }
}

#[test]
fn an_identity_wrapped_by_a_passphrase_is_not_opened_where_nobody_is() {
    let rig = Rig::new();
    let text = fs::read(rig.file("identity.txt")).unwrap();
    let mut recipient = age::scrypt::Recipient::new("correct horse".to_owned().into());
    recipient.set_work_factor(4);
    fs::write(rig.file("identity.txt"), age::encrypt(&recipient, &text).unwrap()).unwrap();
    rig.register("L-1")
        .exits(7)
        .answers_nothing()
        .says("has a passphrase, and this session is not interactive");
    assert!(rig.truth().is_empty());
    for (typed, shows) in
        [("correct horse", "# this host"), ("wrong", "the passphrase doesn't open the identity")]
    {
        let screen = Screen::new(rig.home(), 200, &["bash", "--norc", "--noprofile", "-i"]);
        screen.types("PS1=; clear; biotrack-auth config recipients list").key("Enter");
        screen.shows("Passphrase of");
        screen.hides();
        screen.types(typed).key("Enter");
        let seen = screen.shows(shows);
        assert!(!seen.contains(typed), "{seen}");
    }
}

#[test]
fn a_credential_of_systemd_may_belong_to_root_and_be_read_by_its_group() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let folder = rig.elsewhere("credentials");
    fs::create_dir(&folder).unwrap();
    let handed = folder.join("biotrack-auth-identity");
    fs::rename(rig.file("identity.txt"), &handed).unwrap();
    let renew = |mode: u32| {
        fs::set_permissions(&handed, fs::Permissions::from_mode(mode)).unwrap();
        let browser = admin();
        let mut command = rig.command(&["renew", "L-1", "--browser", &browser]);
        crate::support::Run::of(command.env("CREDENTIALS_DIRECTORY", &folder).output().unwrap())
    };
    for mode in [0o400, 0o440] {
        renew(mode).exits(0);
    }
    for (mode, says) in [(0o444, "can read it"), (0o460, "can change it"), (0o644, "can read it")] {
        renew(mode).exits(7).says(says);
    }
    // The same file named plainly is held to the same rule.
    for (mode, exit) in [(0o440, 0), (0o444, 7)] {
        fs::set_permissions(&handed, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = rig.command(&["config", "recipients", "list"]);
        let output = command.env("BIOTRACK_AUTH_IDENTITY", &handed).output().unwrap();
        crate::support::Run::of(output).exits(exit);
    }
}

/// As a container's user, whose group is the pod's `fsGroup`: the identity is a secret as Kubernetes mounts one, and the
/// configuration a map as it mounts one, root's, through links, read-only.
#[test]
fn as_root_a_kubernetes_secret_is_an_identity() {
    use std::os::unix::fs::PermissionsExt;
    const MOUNTED: &str = "set -e; mount -t tmpfs -o mode=$1 tmpfs \"$0\"; cd \"$0\"; mkdir ..1; cat > ..1/$2; chmod $3 ..1/$2; \
        chown root:2000 ..1/$2; ln -s ..1 ..data; ln -s ..data/$2 $2; mount -o remount,ro \"$0\"";
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let (secret, map) = (rig.elsewhere("secret"), rig.elsewhere("map"));
    for folder in [&secret, &map] {
        fs::create_dir(folder).unwrap();
    }
    for folder in [secret.parent().unwrap(), rig.home()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (identity, config) = (rig.elsewhere("identity.txt"), rig.elsewhere("config.toml"));
    fs::rename(rig.file("identity.txt"), &identity).unwrap();
    fs::rename(rig.file("config.toml"), &config).unwrap();
    let given = crate::support::outside("chown").arg("-R").arg("12345:12345").arg(rig.home()).status();
    assert!(given.unwrap().success());
    let run = |mode: &str, arguments: &[&str]| {
        let script = format!(
            "mounted() {{ sh -c '{MOUNTED}' \"$@\"; }}; mounted {secret} 1777 identity.txt {mode} < {identity}; \
             mounted {map} 0777 config.toml 0644 < {config}; \
             exec setpriv --reuid=12345 --regid=12345 --groups=2000 \"$0\" \"$@\"",
            secret = secret.display(),
            map = map.display(),
            identity = identity.display(),
            config = config.display(),
        );
        let own = rig.command(&[]);
        let mut command = crate::support::outside("unshare");
        command.args(["--mount", "sh", "-ec", &script, crate::support::PROGRAM]).args(arguments);
        command.args(["--config", map.join("config.toml").to_str().unwrap()]).env_clear();
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("BIOTRACK_AUTH_IDENTITY", secret.join("identity.txt"));
        crate::support::Run::of(command.output().unwrap())
    };
    let admin = admin();
    run("0440", &["renew", "L-1", "--browser", &admin]).exits(0);
    run("0440", &["token", "L-1"]).exits(0);
    run("0444", &["token", "L-1"]).exits(7).says("can read it (mode 0444)").says("defaultMode: 0440");
    run("0464", &["token", "L-1"]).exits(7).says("can change it (mode 0464)");
}
