//! What others write while a command reads, thinks, or waits at its question: it's never written over, and what was decided on
//! the older record is decided anew.

use crate::rig::seed::store;
use crate::rig::{Gate, News, PROFILE, Person, Reply, Rig, Visit, key};
use crate::snapshot;
use biotrack_auth::cli;
use biotrack_auth::config::Config;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::vault::{IdentityFile, Vault, create_identity};
use jiff::Timestamp;
use serde_json::json;
use std::sync::mpsc::channel;
use std::time::Duration;

const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";

/// A note that one command makes on a record, and what it leaves to be seen.
struct Note {
    name: &'static str,
    made: fn(&Rig),
    is_told: fn(&Authorization) -> bool,
}

/// Each of them leaves the generation as it is.
const NOTES: [Note; 3] = [
    Note {
        name: "uncertain",
        made: |rig| {
            rig.provider.replies(TOKEN, [Reply::Lost]);
            drop(rig.run("renew L-1 --browser scripted").exits(8));
        },
        is_told: |record| record.uncertain_at.is_some(),
    },
    Note {
        name: "invalid",
        made: |rig| {
            rig.provider.ends_grants_of("L-1");
            drop(rig.run("token L-1").exits(4));
        },
        is_told: |record| record.invalid_at.is_some(),
    },
    Note {
        name: "revocation_pending",
        made: |rig| {
            rig.provider.replies(TOKEN, [Reply::Changed(json!({"location": "L-2"}))]);
            rig.provider.replies(REVOKE, [Reply::Unreachable]);
            drop(rig.run("renew L-1 --browser scripted").exits(6));
        },
        is_told: |record| record.revocation_pending,
    },
];

/// A license whose access token has lapsed, and another terminal at the same home.
fn two_terminals() -> (Rig, Rig) {
    let rig = Rig::new();
    rig.grant("L-1");
    rig.minutes_pass(61);
    let other = Rig::of(rig.world().clone());
    (rig, other)
}

fn sheet(rig: &Rig, name: &str) -> String {
    rig.write("rows.csv", &format!("ubi,license,username,name\n604001,L-1,ann@example.com,{name}\n"))
}

#[test]
fn an_import_that_waits_at_its_question_keeps_what_others_note() {
    for Note { name, made, is_told } in NOTES {
        let (rig, other) = two_terminals();
        let file = sheet(&rig, "Hudson");
        let person = Person::answering(&[("import these records", "y")]).while_others(move || made(&other));
        rig.with(person).run(&format!("import {file}")).exits(0);
        let record = rig.standing("L-1").record;
        assert!(is_told(&record), "{name} is lost: {record:?}");
        assert_eq!(record.name.map(|it| it.to_string()).as_deref(), Some("Hudson"), "{name}");
    }
}

#[test]
fn an_import_that_would_change_something_else_by_now_asks_again() {
    let (rig, other) = two_terminals();
    let file = sheet(&rig, "Hudson");
    let twice = [("import these records", "y"), ("import these records", "y")];
    let person = Person::answering(&twice).while_others(move || {
        let theirs =
            other.write("theirs.csv", "ubi,license,username,name\n604001,L-1,ann@example.com,Canal\n");
        drop(other.run(&format!("import {theirs} --yes")).exits(0));
    });
    snapshot!(rig.with(person).run(&format!("import {file}")));
    assert_eq!(rig.standing("L-1").record.name.map(|it| it.to_string()).as_deref(), Some("Hudson"));
}

#[test]
fn an_import_whose_change_others_have_made_changes_nothing() {
    let (rig, other) = two_terminals();
    let file = sheet(&rig, "Hudson");
    let theirs = file.clone();
    let person = Person::answering(&[("import these records", "y")])
        .while_others(move || drop(other.run(&format!("import {theirs} --yes")).exits(0)));
    snapshot!(rig.with(person).run(&format!("import {file}")));
    let imported = rig.ledger().last_lines(PROFILE, &key("L-1"), 9).unwrap();
    assert_eq!(imported.iter().filter(|line| line.event == "imported").count(), 1);
}

/// Runs a command that is stopped at each of its commits in turn; others change every record there. It goes on and succeeds,
/// and nothing of what they wrote is lost.
fn others_write_beside(
    home: impl Fn() -> Rig,
    line: impl Fn(&Rig) -> String,
    licenses: &[&str],
    write: fn(&mut Authorization),
    is_kept: fn(&Authorization) -> bool,
) {
    let mut tried = 0;
    for at in 0.. {
        let rig = home();
        let line = line(&rig);
        let words = crate::rig::words(&line);
        let arguments: Vec<_> =
            std::iter::once("biotrack-auth".into()).chain(words.into_iter().map(Into::into)).collect();
        let (sender, news) = channel();
        let gate = Gate::new(Some(at), sender);
        let (env, told) = (rig.env_through(&gate), gate.clone());
        let running = std::thread::spawn(move || told.tell(News::Ended(cli::run(&arguments, env))));
        let heard = || news.recv_timeout(Duration::from_secs(120)).unwrap();
        let News::Stopped(step) = heard() else { break };
        if step == "before a commit" {
            licenses.iter().for_each(|license| rig.changes(license, write));
            tried += 1;
        }
        gate.open();
        assert_eq!(heard(), News::Ended(0), "{line}, stopped at step {at} ({step})");
        running.join().unwrap();
        for license in licenses.iter().filter(|_| step == "before a commit") {
            let record = rig.standing(license).record;
            assert!(is_kept(&record), "{line}, stopped at step {at}, wrote over what others had: {record:?}");
        }
    }
    assert!(tried > 0, "it never commits");
}

fn gets_a_contact(record: &mut Authorization) {
    record.contact = Some("bob@example.com".parse().unwrap());
}

fn has_the_contact(record: &Authorization) -> bool {
    record.contact.is_some()
}

fn becomes_uncertain(record: &mut Authorization) {
    record.uncertain_at = Some(Timestamp::from_second(1_772_000_000).unwrap());
}

fn is_uncertain(record: &Authorization) -> bool {
    record.uncertain_at.is_some()
}

fn living() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1");
    rig.minutes_pass(61);
    rig
}

#[test]
fn what_others_write_beside_a_command_on_one_license_stays() {
    for line in [
        "renew L-1 --browser scripted",
        "renew L-1 --no-wait",
        "register --ubi 604001 --license L-1 --username ann@example.com --no-wait",
        "deactivate L-1 --yes",
        "token L-1",
    ] {
        let home = || match line.starts_with("register") {
            false => living(),
            true => {
                let rig = living();
                drop(rig.run("deactivate L-1 --yes").exits(0));
                rig
            }
        };
        others_write_beside(home, |_| line.to_owned(), &["L-1"], gets_a_contact, has_the_contact);
    }
}

#[test]
fn what_others_write_beside_an_answer_from_elsewhere_stays() {
    let line = |rig: &Rig| {
        let handed = rig.run("renew L-1 --no-wait --json").exits(0).json();
        let answer = rig.provider.answer_to(handed["results"][0]["authorize_url"].as_str().unwrap());
        shlex::try_join(["complete", &answer]).unwrap()
    };
    others_write_beside(living, line, &["L-1"], gets_a_contact, has_the_contact);
}

#[test]
fn what_others_write_beside_a_grant_that_is_taken_stays() {
    let home = || {
        let rig = living();
        rig.visits([Visit::GrantsAs("max@example.com".into())]);
        drop(rig.run("renew L-1 --browser scripted").exits(6));
        rig
    };
    let line = |_: &Rig| "renew L-1 --awaiting --yes".to_owned();
    others_write_beside(home, line, &["L-1"], gets_a_contact, has_the_contact);
}

#[test]
fn what_others_note_beside_links_for_many_stays() {
    const LICENSES: [&str; 3] = ["L-1", "L-2", "L-3"];
    let home = || {
        let rig = Rig::new();
        rig.seed(LICENSES.map(|license| store(license, "2026-05-01T00:00:00Z")));
        rig
    };
    let line = |_: &Rig| "renew --all --no-wait".to_owned();
    others_write_beside(home, line, &LICENSES, becomes_uncertain, is_uncertain);
    others_write_beside(home, line, &LICENSES, gets_a_contact, has_the_contact);
}

#[test]
fn links_for_800_beside_40_notes_lose_none_of_them() {
    let rig = Rig::new();
    let licenses: Vec<_> = (0..800).map(|number| format!("L-{number}")).collect();
    rig.seed(licenses.iter().map(|license| store(license, "2026-05-01T00:00:00Z")));
    let noted: Vec<_> = licenses.iter().step_by(20).collect();
    let running = rig.start("renew --all --no-wait");
    for license in &noted {
        // Whoever finds that the others were quicker looks again.
        while !rig.tries_to_change(license, becomes_uncertain) {}
    }
    assert_eq!(running.join().unwrap(), 0);
    let standings = rig.ledger().standings(PROFILE).unwrap();
    let has =
        |license: &str| standings.iter().any(|it| it.record.key == key(license) && is_uncertain(&it.record));
    assert_eq!(noted.iter().filter(|license| has(license)).count(), noted.len());
    assert_eq!(standings.iter().filter(|it| it.handed_out().is_some()).count(), 800);
}

#[test]
fn what_others_note_beside_an_import_stays() {
    let line = |rig: &Rig| format!("import --yes {}", sheet(rig, "Hudson"));
    others_write_beside(living, line, &["L-1"], becomes_uncertain, is_uncertain);
    others_write_beside(living, line, &["L-1"], gets_a_contact, has_the_contact);
}

#[test]
fn what_others_note_beside_an_export_with_secrets_stays() {
    for more in ["", " --backup"] {
        let line = |rig: &Rig| {
            let (to, file) = (rig.recipient(), rig.file("moved.age"));
            format!("export --with-secrets{more} --recipient {to} --output {}", file.display())
        };
        others_write_beside(living, line, &["L-1"], becomes_uncertain, is_uncertain);
    }
}

#[test]
fn what_others_note_beside_an_adoption_stays() {
    let home = || {
        let (from, rig) = (living(), Rig::new());
        let file = rig.file("backup.age");
        let export = format!("export --with-secrets --backup --recipient {} --output", rig.recipient());
        drop(from.run(&format!("{export} {}", file.display())).exits(0));
        drop(rig.run(&format!("import --yes {}", file.display())).exits(0));
        rig
    };
    let line = |_: &Rig| "import --adopt --yes".to_owned();
    others_write_beside(home, line, &["L-1"], becomes_uncertain, is_uncertain);
}

/// Two that add a recipient at once: both are named, and all is sealed to both.
#[test]
fn recipients_that_are_added_at_once_can_both_read_what_is_sealed() {
    for at in 0..2 {
        let rig = living();
        let [one, other] = ["one.txt", "other.txt"].map(|name| create_identity(&rig.file(name)).unwrap());
        let arguments = ["biotrack-auth", "config", "recipients", "add", &one].map(Into::into);
        let (sender, news) = channel();
        let gate = Gate::new(Some(at), sender);
        let (env, told) = (rig.env_through(&gate), gate.clone());
        let running = std::thread::spawn(move || told.tell(News::Ended(cli::run(&arguments, env))));
        let heard = || news.recv_timeout(Duration::from_secs(120)).unwrap();
        assert!(matches!(heard(), News::Stopped(_)));
        let add = format!("config recipients add {other}");
        let second = rig.run(&add);
        gate.open();
        assert_eq!(heard(), News::Ended(0));
        running.join().unwrap();
        // Once the first has begun to move, the second is told to come again.
        if second.code != 0 {
            assert!(
                second.err.contains("another process is moving or cleaning up secrets"),
                "{}",
                second.err
            );
            drop(rig.run(&add).exits(0));
        }
        let recipients = Config::load(&rig.env().paths).unwrap().recipients;
        assert!(recipients.contains(&one) && recipients.contains(&other), "{at}: {recipients:?}");
        for name in ["one.txt", "other.txt"] {
            let vault = Vault::sealed(IdentityFile::at(&rig.file(name)), Vec::new());
            let secrets = rig.ledger().all_secrets().unwrap();
            let opened = secrets.iter().filter(|it| vault.read_unchecked(&it.place, "L-1").is_ok()).count();
            assert_eq!(opened, 1, "{at}: {name}");
        }
    }
}
