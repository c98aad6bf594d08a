//! `config`, in this process: made with flags and with questions, shown, checked, and secrets that move.

use crate::rig::{Done, Person, Rig};
use crate::snapshot;
use biotrack_auth::system::KeyringFault;
use biotrack_auth::vault::create_identity;

/// A recipient that isn't this host's.
const FOREIGN: &str = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

/// A profile of New York's with all that it needs.
const NY: &str = "config init --preset ny --url https://ny.example --token-url https://ny.example/token \
                  --client-id me --company 'Treez Inc' --application Treez";

fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    rig
}

fn file(rig: &Rig) -> String {
    std::fs::read_to_string(rig.file("config.toml")).unwrap()
}

mod init {
    use super::*;

    #[test]
    fn with_flags_a_profile_is_made() {
        let rig = Rig::bare();
        snapshot!("made", rig.run(&format!("{NY} --vault sealed")));
        insta::assert_snapshot!("the_file", file(&rig).replace(&rig.recipient(), "[RECIPIENT]"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for name in ["config.toml", "identity.txt"] {
                assert_eq!(rig.file(name).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
            }
        }
    }

    #[test]
    fn as_json_it_says_what_is_still_missing() {
        let ny = "config init --preset ny --url https://ny.example --client-id me --company 'Treez Inc' --application Treez";
        snapshot!(Rig::bare().run(&format!("{ny} --vault sealed --json")));
    }

    #[test]
    fn the_client_secret_comes_from_standard_input_and_shows_nowhere() {
        let rig = Rig::bare();
        let done =
            rig.with(Person::piping("s3cret\n")).run(&format!("{NY} --vault sealed --client-secret-stdin"));
        snapshot!("with_its_secret", done);
        assert!(!file(&rig).contains("s3cret"));
        let rig = Rig::bare();
        let done = rig.with(Person::piping("\n")).run(&format!("{NY} --vault sealed --client-secret-stdin"));
        snapshot!("with_an_empty_secret", done);
        assert!(!rig.file("config.toml").exists(), "a failure leaves no half-made profile");
    }

    #[test]
    fn unattended_what_is_missing_is_named() {
        let rig = Rig::bare();
        snapshot!("without_a_preset", rig.run("config init"));
        snapshot!("without_an_address", rig.run("config init --preset ny --vault sealed"));
        snapshot!("without_an_address_as_json", rig.run("config init --preset ny --vault sealed --json"));
        snapshot!("without_an_issuer", rig.run("config init --preset generic --vault sealed --client-id me"));
        assert!(!rig.file("config.toml").exists());
    }

    #[test]
    fn a_person_is_asked_for_what_is_missing() {
        let rig = Rig::bare();
        let answers = [
            ("Start from", "ny "),
            ("Base address", "https://ny.example"),
            ("Client id", "me"),
            ("Integrator's company", "Treez Inc"),
            ("Application", "Treez"),
            ("Token address", "later"),
            ("Client secret", "s3cret"),
        ];
        snapshot!("asked", rig.with(Person::answering(&answers)).run("config init"));
        insta::assert_snapshot!("the_file_that_was_asked_for", file(&rig));
    }

    #[test]
    fn each_answer_is_checked_before_the_next_question() {
        let rig = Rig::bare();
        let answers = [
            ("Start from", "ny "),
            ("Base address", "ny.example"),
            ("Base address", "http://ny.example"),
            ("Base address", "https://ny.example"),
            ("Client id", "me"),
            ("Integrator's company", "Treez Inc"),
            ("Application", "Treez"),
            ("Token address", "token"),
            ("Token address", "{url}/token"),
            ("Client secret", "s3cret"),
        ];
        snapshot!("asked_again", rig.with(Person::answering(&answers)).run("config init"));
        rig.run("config check").exits(0);
    }

    #[test]
    fn a_vault_that_does_not_work_is_told_before_anything_is_asked() {
        let rig = Rig::bare();
        rig.keyring.fails(KeyringFault::Absent("no D-Bus session".into()));
        let answers = [("Start from", "ny "), ("Use the sealed vault instead", "n")];
        rig.with(Person::answering(&answers)).run("config init").exits(7);
    }

    #[test]
    fn a_port_that_browsers_refuse_is_none_to_come_back_to() {
        let rig = Rig::new();
        let with_port =
            |port: &str| format!("{}\n[profiles.local-sandbox.redirect]\nport = {port}\n", file(&rig));
        let config = with_port("6000");
        rig.write("config.toml", &config);
        snapshot!("a_port_that_browsers_refuse", rig.run("config check"));
        rig.run("doctor").exits(1);
        let done = rig.run("register --ubi 1 --license L-1 --username a@x.example --port 5060").exits(2);
        assert!(done.err.contains("browsers refuse this port"), "{}", done.err);
    }

    #[test]
    fn a_person_whose_keyring_does_not_work_is_offered_the_sealed_vault() {
        let rig = Rig::bare();
        let offered = |rig: &Rig, answer: &str| {
            rig.keyring.fails(KeyringFault::Absent("no D-Bus session".into()));
            let questions = [("Use the sealed vault instead", answer)];
            rig.with(Person::answering(&questions))
                .run("config init --preset local-sandbox --url http://127.0.0.1:2")
        };
        snapshot!("sealed_is_refused", offered(&rig, "n"));
        assert!(!rig.file("config.toml").exists());
        snapshot!("sealed_is_taken", offered(&rig, "y"));
    }

    #[test]
    fn unattended_without_a_keyring_the_vault_must_be_named() {
        let rig = Rig::bare();
        rig.keyring.fails(KeyringFault::Absent("no D-Bus session".into()));
        snapshot!(rig.run("config init --preset local-sandbox --url http://127.0.0.1:2"));
        assert!(!rig.file("config.toml").exists());
    }

    #[test]
    fn where_the_keyring_works_it_is_chosen() {
        let rig = Rig::bare();
        snapshot!(rig.run("config init --preset local-sandbox --url http://127.0.0.1:2"));
        assert!(rig.keyring.accounts().is_empty(), "the probe is gone again");
    }

    #[test]
    fn a_profile_that_there_is_is_never_overwritten() {
        let rig = Rig::new();
        let before = file(&rig);
        snapshot!("exists", rig.run("config init --preset local-sandbox --url http://127.0.0.1:2"));
        assert_eq!(file(&rig), before);
        let second = "config init --profile second --preset local-sandbox --url http://127.0.0.1:2";
        snapshot!("a_second_one", rig.run(second));
        assert!(file(&rig).starts_with(before.trim_end()), "what was there stays");
    }

    #[test]
    fn another_vault_than_the_one_that_is_settled_is_refused() {
        let second =
            "config init --profile second --preset local-sandbox --url http://127.0.0.1:2 --vault keyring";
        snapshot!(Rig::new().run(second));
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        let rig = Rig::bare();
        let mut told = Vec::new();
        for url in
            ["nonsense", "ftp://ny.example", "http://ny.example", "https://", "https://me:pw@ny.example"]
        {
            let words = ["config", "init", "--preset", "local-sandbox", "--vault", "sealed", "--url", url];
            let done = rig.run_words(&words).exits(2);
            assert_eq!(done.out, "");
            told.push(format!("> {url}\n{}", done.err));
        }
        insta::assert_snapshot!(told.join("\n"));
        assert!(!rig.file("config.toml").exists());
    }

    #[test]
    fn ctrl_c_at_a_question_makes_nothing() {
        let rig = Rig::bare();
        let answers = [("Start from", "ny "), ("Base address", "^C")];
        snapshot!(rig.with(Person::answering(&answers)).run("config init"));
        assert!(!rig.file("config.toml").exists());
    }
}

mod show {
    use super::*;

    /// Without the blanks before each origin: how many there are depends on how long the home's path is.
    fn unaligned(shown: &str) -> String {
        let line = |line: &str| match line.split_once("  # ") {
            Some((setting, origin)) => format!("{}  # {origin}\n", setting.trim_end()),
            None => format!("{line}\n"),
        };
        shown.lines().map(line).collect()
    }

    #[test]
    fn every_setting_that_holds() {
        let rig = Rig::new();
        // TOML has a path with backslashes in single quotes.
        let shown = |line: &str| {
            let done = rig.run(line).exits(0);
            Done { out: done.out.replace("'[HOME]/config.toml'", "\"[HOME]/config.toml\""), ..done }
        };
        snapshot!("settings", shown("config show"));
        let with_origins = shown("config show --origin");
        insta::assert_snapshot!("settings_with_their_origins", unaligned(&with_origins.out));
        snapshot!("settings_as_json", rig.run("config show --json"));
        let file = rig.file("config.toml");
        let given =
            rig.run_words(&["config", "show", "--origin", "--config", file.to_str().unwrap()]).exits(0);
        assert!(unaligned(&given.out).lines().next().unwrap().ends_with("# flag --config"), "{}", given.out);
    }

    #[test]
    fn of_another_profile_and_from_the_environment() {
        let rig = Rig::new();
        rig.run("config init --profile second --preset local-sandbox --url http://127.0.0.1:2").exits(0);
        rig.sets("BIOTRACK_AUTH_PROFILE", "second");
        let chosen = |line: &str| {
            let shown = unaligned(&rig.run(line).exits(0).out);
            shown.lines().find(|line| line.starts_with("profile ")).unwrap().to_owned()
        };
        insta::assert_snapshot!(
            [chosen("config show --origin"), chosen("config show --origin --profile local-sandbox")]
                .join("\n")
        );
    }

    #[test]
    fn of_what_is_not_configured() {
        snapshot!("nothing_to_show", Rig::bare().run("config show"));
        snapshot!("no_such_profile", Rig::new().run("config show --profile nobody"));
    }
}

mod check {
    use super::*;

    #[test]
    fn a_file_that_is_right() {
        let rig = Rig::new();
        snapshot!("right", rig.run("config check"));
        snapshot!("right_as_json", rig.run("config check --json"));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let rig = Rig::new();
        rig.adds_to_profile(
            "no_such_key = 1\ntimeout = \"soon\"\nca_file = \"nowhere.pem\"\ndue_windw = \"3d\"",
        );
        rig.adds_to_config("vault_ = \"sealed\"");
        snapshot!("wrong", rig.run("config check"));
        snapshot!("wrong_as_json", rig.run("config check --json"));
        snapshot!("a_command_says_the_first", rig.run("status"));
    }

    #[test]
    fn what_is_still_missing_is_said() {
        let rig = Rig::bare();
        rig.run("config init --preset ny --vault sealed --url https://ny.example --client-id me --company C --application A")
            .exits(0);
        snapshot!(rig.run("config check"));
    }

    #[test]
    fn a_file_that_is_no_toml_or_open_to_others_or_not_there() {
        let rig = Rig::new();
        rig.write("config.toml", "[profiles.ny\n");
        snapshot!("no_toml", rig.run("config check"));
        snapshot!("not_there", Rig::bare().run("config check"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let open = std::fs::Permissions::from_mode(0o664);
            std::fs::set_permissions(rig.file("config.toml"), open).unwrap();
            snapshot!("open_to_others", rig.run("config check"));
        }
    }
}

#[test]
fn path_says_where_the_file_is_also_where_there_is_none() {
    let rig = Rig::bare();
    rig.run("config path").is(0, "[HOME]/config.toml\n", "");
    snapshot!("path_as_json", rig.run("config path --json"));
    rig.run("config path --config elsewhere.toml").is(0, "elsewhere.toml\n", "");
}

mod set_secret {
    use super::*;

    fn rig() -> Rig {
        let rig = Rig::bare();
        rig.run(&format!("{NY} --vault sealed")).exits(0);
        rig
    }

    #[test]
    fn from_standard_input() {
        let rig = rig();
        snapshot!("from_standard_input", rig.with(Person::piping("s3cret\n")).run("config set-secret"));
        let as_json = rig.with(Person::piping("another\n")).run("config set-secret --json");
        snapshot!("from_standard_input_as_json", as_json);
    }

    #[test]
    fn in_a_file_one_whose_number_no_host_counted_to_is_replaced() {
        let rig = rig();
        rig.with(Person::piping("s3cret\n")).run("config set-secret").exits(0);
        for number in [i64::MAX, 1 << 62, -5] {
            rig.world().ledger().execute("UPDATE profile_secret SET generation = ?1", [number]).unwrap();
            rig.with(Person::piping("another\n")).run("config set-secret").exits(0);
            let read = "SELECT generation FROM profile_secret";
            let counted: i64 = rig.world().ledger().query_row(read, [], |row| row.get(0)).unwrap();
            assert_eq!(counted, 1);
        }
    }

    #[test]
    fn from_a_person_without_being_shown() {
        let person = Person::answering(&[("Client secret of ny", "s3cret")]);
        snapshot!(rig().with(person).run("config set-secret"));
    }

    #[test]
    fn what_can_be_none_is_refused_without_being_said() {
        let rig = rig();
        let mut told = Vec::new();
        for secret in ["", "two\nlines", " s3cret", "s3\u{7}cret"] {
            let done = rig.with(Person::piping(secret)).run("config set-secret").exits(2);
            assert!(done.out.is_empty() && !done.err.contains("cret\n"), "{}", done.transcript());
            told.push(done.err);
        }
        insta::assert_snapshot!(told.concat());
    }

    #[test]
    fn a_profile_that_needs_none_refuses_it() {
        let rig = Rig::bare();
        let init = "config init --preset local-sandbox --url http://127.0.0.1:2 --vault sealed --client-secret-stdin";
        rig.with(Person::piping("s3cret")).run(init).exits(2);
        assert!(!rig.file("config.toml").exists());
        snapshot!(Rig::new().with(Person::piping("s3cret")).run("config set-secret"));
    }
}

mod vault {
    use super::*;

    #[test]
    fn every_secret_moves_and_stays_of_use() {
        let rig = granted();
        snapshot!("into_the_keyring", rig.run("config vault keyring"));
        assert_eq!(rig.keyring.accounts().len(), 1);
        rig.run("token L-1").is(0, "access-1\n", "");
        snapshot!("there_already", rig.run("config vault keyring"));
        snapshot!("back_as_json", rig.run("config vault sealed --json"));
        assert!(rig.keyring.accounts().is_empty());
        rig.run("token L-1").is(0, "access-1\n", "");
        rig.run("history verify").exits(0);
    }

    #[test]
    fn a_vault_that_does_not_work_is_left_alone() {
        let rig = granted();
        rig.keyring.locks(true);
        let before = file(&rig);
        snapshot!("locked", rig.run("config vault keyring"));
        assert_eq!(file(&rig), before);
        rig.run("token L-1").is(0, "access-1\n", "");
        snapshot!("no_such_vault", rig.run("config vault pocket"));
    }
}

mod recipients {
    use super::*;

    #[test]
    fn this_host_is_the_first() {
        let rig = Rig::new();
        snapshot!("listed", rig.run("config recipients list"));
        snapshot!("listed_as_json", rig.run("config recipients list --json"));
    }

    #[test]
    fn another_is_added_and_removed_and_every_token_set_sealed_anew() {
        let rig = granted();
        let other = create_identity(&rig.file("other.txt")).unwrap();
        snapshot!("added", rig.run(&format!("config recipients add {other}")));
        snapshot!("added_already", rig.run(&format!("config recipients add {other} --json")));
        snapshot!("removed", rig.run(&format!("config recipients remove {other}")));
        rig.run("token L-1").is(0, "access-1\n", "");
    }

    #[test]
    fn without_its_own_a_host_is_warned() {
        let rig = granted();
        let own = rig.recipient();
        rig.run(&format!("config recipients add {FOREIGN}")).exits(0);
        snapshot!(rig.run(&format!("config recipients remove {own}")));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let rig = Rig::new();
        let own = rig.recipient();
        snapshot!("no_recipient", rig.run("config recipients add age1nonsense"));
        snapshot!("a_stranger", rig.run(&format!("config recipients remove {FOREIGN}")));
        snapshot!("the_last_one", rig.run(&format!("config recipients remove {own}")));
        snapshot!("of_a_keyring", Rig::with_keyring().run("config recipients list"));
    }
}

mod ledger_move {
    use super::*;

    #[test]
    fn to_where_it_is_already() {
        snapshot!(granted().run("config ledger move sqlite"));
    }

    #[test]
    fn a_keyring_cannot_be_shared() {
        snapshot!(Rig::with_keyring().run("config ledger move postgres://ann@db.example/ledger"));
    }

    #[test]
    fn a_server_that_is_away_changes_nothing() {
        let rig = granted();
        let before = file(&rig);
        // Nothing listens at port 2.
        snapshot!(rig.run("config ledger move postgres://ann@127.0.0.1:2/ledger"));
        assert_eq!(file(&rig), before);
        rig.run("token L-1").is(0, "access-1\n", "");
    }

    #[test]
    fn places_that_are_none_are_refused() {
        let rig = granted();
        let mut told = Vec::new();
        for place in [
            "nowhere",
            "mysql://ann@db.example/ledger",
            "postgres://ann:pw@db.example/ledger",
            "postgres://ann@db.example/ledger?nonsense=1",
        ] {
            let done = rig.run_words(&["config", "ledger", "move", place]);
            assert_eq!((done.code, done.out.as_str()), (2, ""), "{}", done.transcript());
            assert!(!done.err.contains("pw"), "{}", done.err);
            let err = done.err.replace(r"%APPDATA%\postgresql\pgpass.conf", "~/.pgpass (mode 0600)");
            told.push(format!("> {}\n{err}", place.replace(":pw", ":…")));
        }
        insta::assert_snapshot!(told.join("\n"));
    }
}

#[test]
fn an_identity_file_without_a_byte_is_none() {
    let rig = Rig::bare();
    rig.write("identity.txt", "");
    let init = "config init --preset local-sandbox --url http://127.0.0.1:2 --vault sealed";
    rig.run(init).exits(0);
    rig.grant("L-1").exits(0);
    rig.run("token L-1").exits(0);
    // But one in which anything stands is somebody's, and stays.
    let rig = Rig::bare();
    rig.write("identity.txt", "\n");
    assert!(rig.run(init).exits(7).err.contains("it contains no identity"));
    assert_eq!(std::fs::read_to_string(rig.file("identity.txt")).unwrap(), "\n");
}
