//! From the probe to the stored grant: what is on the disk before anything has an effect, and what is never stored.

use super::*;
use crate::rig::{Visit, World, oracle, register};
use biotrack_auth::custody::{NewFlow, client_secret_place, keep_client_secret};
use biotrack_auth::model::flow::{FlowStage, SecretPlace};
use biotrack_auth::model::provider::ClientAuth;
use biotrack_auth::model::secret::Secret;
use biotrack_auth::model::vault_kind::VaultKind;
use biotrack_auth::system::KeyringFault;
use serde_json::json;
use std::sync::Mutex;

/// All files of a home, one behind the other.
fn on_disk(world: &World) -> String {
    fn read(folder: &std::path::Path, all: &mut Vec<u8>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => read(&path, all),
                false => all.extend(std::fs::read(path).unwrap()),
            }
        }
    }
    let mut all = Vec::new();
    read(world.home(), &mut all);
    String::from_utf8_lossy(&all).into_owned()
}

/// Which part of the way to a stored grant a world has gone.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Way {
    records: usize,
    stage: Option<&'static str>,
    memo_is_kept: bool,
    spool_has_room: bool,
    live: usize,
}

fn way(world: &World) -> Way {
    let rig = Rig::of(world.clone());
    let flow = flows(&rig, "L-1").pop();
    let spools = std::fs::read_dir(world.home().join("spool")).into_iter().flatten();
    Way {
        records: rig.ledger().standings(PROFILE).unwrap().len(),
        stage: flow.as_ref().map(|flow| match flow.stage {
            FlowStage::Asked => "asked",
            FlowStage::Arrived(_) => "arrived",
            FlowStage::Sent | FlowStage::Refused => "sent",
            FlowStage::Answered(_) => "answered",
        }),
        memo_is_kept: flow.is_some_and(|flow| {
            let row = rig.seals().row_of_verifier(&flow);
            let memo = flow.memo.unwrap();
            rig.vault_of(&memo).reopen_memo(&memo, &row).is_ok()
        }),
        spool_has_room: spools.count() == 1,
        live: kept(&rig, "L-1").len(),
    }
}

/// What was on the disk at the first moment of this kind of a registration.
fn way_at(rig: &Rig, moment: Moment) -> Way {
    let (world, found) = (rig.world().clone(), Arc::new(Mutex::new(None)));
    let noted = found.clone();
    at(rig, moment, move || *noted.lock().unwrap() = Some(way(&world)));
    drop(rig.run(&register("L-1")).exits(0));
    rig.world().unwatch();
    found.lock().unwrap().take().unwrap()
}

#[test]
fn the_vault_writes_gives_back_and_deletes_before_anybody_is_asked() {
    for calls in 0..3 {
        let rig = Rig::with_keyring();
        rig.keyring.fails_after(calls, KeyringFault::Failed("it crashed".into()));
        let done = rig.run(&register("L-1")).exits(7);
        assert!(done.err.contains("it crashed"), "{}", done.err);
        assert_eq!(rig.provider.log(), Vec::<String>::new(), "call {calls}");
        assert!(rig.ledger().standings(PROFILE).unwrap().is_empty());
    }
}

#[test]
fn a_vault_that_gives_back_something_else_is_not_used() {
    let rig = Rig::with_keyring();
    let (keyring, probed) = (rig.keyring.clone(), Arc::new(Mutex::new(false)));
    let seen = probed.clone();
    rig.world().watch(move |moment| {
        if let Moment::Asked("set", account) = moment {
            *seen.lock().unwrap() |= account.contains("/local-sandbox/probe-");
            keyring.puts(account, b"something else");
        }
    });
    let done = rig.run(&register("L-1")).exits(7);
    assert!(done.err.contains("the vault returned different data than was stored"), "{}", done.err);
    assert!(*probed.lock().unwrap() && rig.provider.log().is_empty());
    assert_eq!(rig.keyring.accounts(), Vec::<String>::new(), "and nothing of it is left there");
}

#[test]
fn before_the_browser_opens_the_question_is_on_the_disk_with_all_that_its_answer_needs() {
    let expected =
        Way { records: 1, stage: Some("asked"), memo_is_kept: true, spool_has_room: true, live: 0 };
    assert_eq!(way_at(&Rig::new(), Moment::Consents), expected);
    assert_eq!(way_at(&Rig::with_keyring(), Moment::Consents), expected);
}

#[test]
fn that_a_code_is_sent_is_noted_before_a_byte_of_it_leaves() {
    let expected = Way { records: 1, stage: Some("sent"), memo_is_kept: true, spool_has_room: true, live: 0 };
    assert_eq!(way_at(&Rig::new(), arrives(TOKEN)), expected);
    assert_eq!(way_at(&Rig::with_keyring(), arrives(TOKEN)), expected);
}

#[test]
fn an_unsent_code_is_sealed_in_the_journal() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Unreachable, Reply::Unreachable, Reply::Unreachable]);
    drop(rig.run(&register("L-1")).exits(8));
    let flow = flows(&rig, "L-1").pop().unwrap();
    let (memo_row, code_row) = (rig.seals().row_of_verifier(&flow), rig.seals().row_of_code(&flow));
    let FlowStage::Arrived(sealed) = flow.stage else { panic!("{flow:?}") };
    let memo = flow.memo.unwrap();
    let (_, opener) = rig.vault_of(&memo).reopen_memo(&memo, &memo_row).unwrap();
    assert_eq!(opener.open(&sealed, &code_row).unwrap().bytes(), b"\"code-1\"");
}

#[test]
fn the_sealed_code_is_noted_before_it_is_noted_that_it_is_sent() {
    let rig = Rig::new();
    let sent = "CREATE TRIGGER unsent BEFORE UPDATE ON flow WHEN new.stage = 'sent' \
                BEGIN SELECT RAISE(FAIL, 'the disk is full'); END";
    let left = process(&rig, |it| {
        let asked = it.ask("L-1").unwrap();
        rig.world().ledger().execute_batch(sent).unwrap();
        drop(it.arrived(&asked).unwrap());
        assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Arrived(_)));
        rig.world().killed_here()
    });
    // The spool knows that it left: it's never sent again.
    let rig = Rig::of(left);
    rig.world().ledger().execute_batch("DROP TRIGGER unsent").unwrap();
    drop(rig.grant("L-1"));
    assert_eq!((times(&rig, "consented"), history(&rig, "L-1")[1].as_str()), (2, "uncertain"));
}

#[test]
fn no_secret_is_ever_on_the_disk_in_the_clear() {
    let rig = Rig::new();
    let (world, seen) = (rig.world().clone(), Arc::new(Mutex::new(Vec::<&str>::new())));
    let noted = seen.clone();
    rig.world().watch(move |_| {
        let disk = on_disk(&world);
        let secrets = ["code-1", "access-1", "refresh-1", "sandbox-secret"];
        noted.lock().unwrap().extend(secrets.into_iter().filter(|secret| disk.contains(secret)));
    });
    drop(rig.grant("L-1"));
    rig.minutes_pass(61);
    drop(rig.run("token L-1").exits(0));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    assert_eq!(*seen.lock().unwrap(), Vec::<&str>::new());
}

#[test]
fn the_record_names_no_item_before_it_is_in_the_keyring_and_none_that_is_gone() {
    let rig = Rig::with_keyring();
    let (world, gone) = (rig.world().clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = gone.clone();
    rig.world().watch(move |moment| {
        let (rig, there) = (Rig::of(world.clone()), world.keyring.accounts());
        for secret in rig.ledger().all_secrets().unwrap() {
            let SecretPlace::Item(item) = secret.place else { continue };
            if !there.contains(&item) {
                noted.lock().unwrap().push(format!("{moment:?}: {item}"));
            }
        }
    });
    drop(rig.grant("L-1"));
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    drop(rig.run("renew L-1 --awaiting --yes").exits(0));
    rig.minutes_pass(61);
    drop(rig.run("token L-1").exits(0));
    drop(rig.run("renew L-1 --browser scripted").exits(0));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    rig.world().unwatch();
    assert_eq!(*gone.lock().unwrap(), Vec::<String>::new());
    assert_eq!(rig.keyring.accounts(), Vec::<String>::new(), "and nothing is left behind");
}

#[test]
fn an_item_is_named_after_ledger_profile_company_license_and_generation() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let generation = record(&rig, "L-1").generation.0;
    let item = format!("{}/local-sandbox/604001/L-1/{generation}-", rig.ledger().id());
    let named = rig.keyring.accounts();
    assert!(named.len() == 1 && named[0].starts_with(&item), "{named:?}");
    // Never again by the same name, whatever became of the first: what nothing names can be cleared away at any time.
    let another = Rig::of(rig.world().killed_here());
    another.run("deactivate L-1 --yes --local-only").exits(0);
    another.keyring.puts(&named[0], b"what a killed process left");
    drop(
        another
            .run("register --ubi 604001 --license L-1 --username ann@example.com --browser scripted")
            .exits(0),
    );
    let accounts = another.keyring.accounts();
    assert_eq!(accounts.iter().filter(|it| **it != named[0]).count(), 1, "{accounts:?}");
}

#[test]
fn what_was_granted_is_what_the_record_says() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let record = record(&rig, "L-1");
    assert_eq!(record.created_at, Some(rig.now()));
    assert_eq!(record.expires_at, Some(rig.now() + SignedDuration::from_hours(2400)));
    assert_eq!((record.renewed_at, record.expires_estimated), (None, false));
    assert_eq!(record.granted_by.as_deref(), Some(crate::rig::ADMIN));
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    assert_eq!(history(&rig, "L-1"), ["asked", "granted"]);
    assert_eq!(flows(&rig, "L-1"), [], "the question is closed in the same commit");
}

#[test]
fn an_end_that_is_not_told_is_estimated_and_a_fact_that_is_not_reported_is_not_confirmed() {
    let rig = Rig::new();
    let silent = json!({"expiration_date": null, "resource": null, "username": null});
    rig.provider.replies(TOKEN, [Reply::Changed(silent)]);
    let done = rig.run(&register("L-1")).exits(0);
    assert!(done.err.contains("Not confirmed by BioTrack's answer: Resource."), "{}", done.err);
    let record = record(&rig, "L-1");
    assert!(record.expires_estimated && record.expires_at.is_some());
    assert_eq!(record.granted_by, None);
    assert!(last_line(&rig, "L-1").contains("by an admin not named"), "{}", last_line(&rig, "L-1"));
    assert!(last_line(&rig, "L-1").contains("(estimated); not confirmed: Resource"));
}

#[test]
fn an_answer_that_is_lost_or_says_nothing_makes_the_record_uncertain_and_a_refusal_does_not() {
    let lost = [
        Reply::Lost,
        Reply::Status(503, String::new()),
        Reply::Status(200, "<html>".into()),
        Reply::Status(302, String::new()),
    ];
    for reply in lost {
        let rig = Rig::new();
        rig.provider.replies(TOKEN, [reply]);
        drop(rig.run(&register("L-1")).exits(8));
        assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
        assert_eq!(history(&rig, "L-1"), ["asked", "uncertain"]);
        oracle::holds(&rig);
        drop(rig.run(&register("L-1")).exits(0));
        oracle::rests(&rig);
    }
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Status(400, json!({"error": "invalid_grant"}).to_string())]);
    let done = rig.run(&register("L-1")).exits(5);
    assert!(
        done.err.contains("BioTrack refused the code, which had expired or was already used"),
        "{}",
        done.err
    );
    assert_eq!(shown(&rig, "L-1").1, Vec::<&str>::new());
    assert_eq!(history(&rig, "L-1"), ["asked", "failed"]);
}

#[test]
fn a_grant_that_the_vault_cannot_take_waits_sealed_and_needs_no_new_consent() {
    let rig = Rig::with_keyring();
    let keyring = rig.keyring.clone();
    at(&rig, answered(TOKEN), move || keyring.locks(true));
    let done = rig.run(&register("L-1")).exits(7);
    assert!(
        done.err.contains("L-1 was granted, but the grant can't be stored yet: the keyring is locked"),
        "{}",
        done.err
    );
    assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Answered(_)));
    assert!(!rig.page().contains("Granted"), "its browser isn't told that all is well: {}", rig.page());
    oracle::holds(&rig);
    rig.keyring.locks(false);
    let done = rig.run(&register("L-1")).exits(0);
    assert!(
        done.err.contains("Stored the grant for L-1 that an earlier command had left unfinished."),
        "{}",
        done.err
    );
    assert_eq!((times(&rig, "consented"), times(&rig, "issued")), (1, 1));
    oracle::rests(&rig);
}

#[test]
fn a_grant_that_the_ledger_cannot_take_in_its_place_waits_in_the_journal() {
    let rig = Rig::new();
    let world = rig.world().clone();
    at(&rig, answered(TOKEN), move || world.table_refuses("secret", true));
    drop(rig.run(&register("L-1")).exits(7));
    assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Answered(_)));
    assert_eq!(rig.ledger().leftovers().spools, Vec::<std::path::PathBuf>::new());
    rig.world().table_refuses("secret", false);
    drop(rig.run(&register("L-1")).exits(0));
    assert_eq!(times(&rig, "consented"), 1);
    oracle::rests(&rig);
}

#[test]
fn what_not_even_the_journal_can_take_waits_in_the_spool_until_the_next_command() {
    let rig = Rig::new();
    let world = rig.world().clone();
    at(&rig, answered(TOKEN), move || world.ledger_refuses(true));
    drop(rig.run(&register("L-1")).exits(7));
    rig.world().ledger_refuses(false);
    assert_eq!(flows(&rig, "L-1")[0].stage, FlowStage::Sent, "that is all that the journal knows");
    let spooled = std::fs::read_dir(rig.file("spool")).unwrap().count();
    assert_eq!(spooled, 1);
    oracle::holds(&rig);
    drop(rig.run(&register("L-1")).exits(0));
    assert_eq!((times(&rig, "consented"), times(&rig, "issued")), (1, 1));
    assert_eq!(std::fs::read_dir(rig.file("spool")).unwrap().count(), 0);
    oracle::rests(&rig);
}

#[test]
fn questions_that_are_put_together_are_one_commit_and_so_are_grants_that_come_together() {
    let rig = Rig::new();
    let licenses = ["L-1", "L-2", "L-3"];
    process(&rig, |it| {
        let _ = it.ask("L-0").unwrap();
        let before = rig.world().commits();
        let questions = licenses.map(|license| it.question(license, crate::rig::ADMIN, false));
        let asked: Vec<_> = it.asks(questions.into()).unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(rig.world().commits(), before + 1);

        let answers: Vec<_> = asked
            .iter()
            .map(|asked| {
                let go = it.arrived(asked).unwrap();
                (asked.get().0.clone(), it.exchanged(go))
            })
            .collect();
        let before = rig.world().commits();
        let kept = it.store(answers);
        assert!(kept.iter().all(Result::is_ok), "{kept:?}");
        assert_eq!(rig.world().commits(), before + 1);
    });
    for license in licenses {
        assert_eq!((shown(&rig, license).0, flows(&rig, license)), (State::Active, vec![]));
    }
}

#[test]
fn of_grants_that_come_together_each_ends_for_itself() {
    let rig = Rig::new();
    process(&rig, |it| {
        let answers: Vec<_> =
            [("L-1", None), ("L-2", Some(BOB)), ("L-3", None), ("L-4", None), ("L-5", None)]
                .into_iter()
                .map(|(license, who)| {
                    match license {
                        "L-3" => rig.provider.replies(TOKEN, [Reply::Changed(json!({"ubi": "604002"}))]),
                        "L-4" => rig.provider.replies(TOKEN, [Reply::Lost]),
                        _ => {}
                    }
                    it.granted(license, who)
                })
                .collect();
        let ended = it.store(answers);
        assert!(matches!(ended[0], Ok(StoreOutcome::Live { .. })), "{ended:?}");
        assert!(matches!(&ended[1], Ok(StoreOutcome::Held { granted_by }) if granted_by == BOB), "{ended:?}");
        assert!(ended[2].as_ref().is_err_and(|e| e.exit() == 6), "{ended:?}");
        assert!(ended[3].as_ref().is_err_and(|e| e.exit() == 8), "{ended:?}");
        assert!(matches!(ended[4], Ok(StoreOutcome::Live { .. })), "{ended:?}");
    });
    let kept = ["L-1", "L-2", "L-3", "L-4", "L-5"].map(|license| kept(&rig, license));
    let live = |number| vec![(SecretRole::Live, number)];
    assert_eq!(kept, [live(1), vec![(SecretRole::Held, 2)], vec![], vec![], live(5)]);
    oracle::holds(&rig);
}

#[test]
fn a_license_that_somebody_is_at_is_refused_alone() {
    let rig = Rig::new();
    process(&rig, |first| {
        let _waits = first.ask("L-1").unwrap();
        process(&rig, |second| {
            let questions = ["L-1", "L-2"].map(|license| second.question(license, crate::rig::ADMIN, false));
            let asked = second.asks(questions.into()).unwrap();
            let refused = asked[0].as_ref().unwrap_err();
            assert!(
                matches!(refused, Error::Busy { license, why } if license == "L-1" && why.contains("sam@desk"))
            );
            assert!(asked[1].is_ok());
        });
        assert_eq!(flows(&rig, "L-1").len(), 1, "the first one's question stands");
    });
}

#[test]
fn a_record_that_others_keep_writing_is_decided_on_anew_and_in_the_end_refuses_the_question() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    for (writes, is_asked) in [(1, true), (4, true), (5, false)] {
        process(&rig, |it| {
            let decided = std::cell::Cell::new(0);
            let question = NewFlow {
                record: Box::new(|known| {
                    decided.set(decided.get() + 1);
                    if decided.get() <= writes {
                        // After it was read, and before it's written.
                        rig.changes("L-1", |record| record.uncertain_at = Some(rig.now()));
                    }
                    Ok(known.unwrap())
                }),
                ..it.question("L-1", crate::rig::ADMIN, true)
            };
            let items = rig.keyring.accounts();
            match it.asks(vec![question]).unwrap().pop().unwrap() {
                Ok(_) => assert!(is_asked),
                Err(refused) => {
                    assert_eq!(refused.to_string(), "another process changed L-1 in the meantime");
                    assert!(!is_asked);
                    assert_eq!(
                        rig.keyring.accounts(),
                        items,
                        "what its answer would have needed is forgotten"
                    );
                }
            }
            assert!(record(&rig, "L-1").uncertain_at.is_some());
        });
        rig.changes("L-1", |record| record.uncertain_at = None);
    }
    assert_eq!(flows(&rig, "L-1").len(), 1, "the newest link");
}

#[test]
fn a_question_that_nobody_waits_for_stays_open_without_a_condition() {
    let rig = Rig::with_keyring();
    process(&rig, |it| {
        let asked = it.ask("L-1").unwrap();
        it.left_open(&asked.get().0).unwrap();
        it.left_open(&asked.get().0).unwrap();
    });
    assert_eq!(history(&rig, "L-1"), ["asked"]);
    assert_eq!(shown(&rig, "L-1").1, Vec::<&str>::new());
    assert_eq!(flows(&rig, "L-1").len(), 1, "its answer still counts");
}

#[test]
fn an_answer_to_no_question_changes_nothing() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    process(&rig, |it| {
        let stranger = FlowId("stranger".into());
        let told = it.ended(&stranger, Error::Internal("as it was".into()));
        assert_eq!(told.to_string(), "as it was");
        let code = Secret::new("code-9");
        assert!(it.arrived_for(&stranger, &code).is_err());
        let error = it.store(vec![(stranger, Err(Error::Internal("no".into())))]).pop().unwrap();
        assert!(error.is_err());
    });
    assert_eq!(history(&rig, "L-1"), ["asked", "granted"]);
}

#[test]
fn without_a_look_at_the_provider_nothing_is_sent_to_it() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.minutes_pass(61);
    let error = offline(&rig, |it| it.refresh("L-1").unwrap_err());
    assert_eq!(error.to_string(), "the provider was never reached");
    assert_eq!(times(&rig, "refreshed"), 0);
}

#[test]
fn a_secret_of_the_client_is_in_the_vault_alone_and_a_new_one_takes_its_place() {
    let rig = Rig::with_keyring();
    let (vault, mut ledger, env) = (rig.vault(VaultKind::Keyring), rig.ledger(), rig.env());
    let mut keep = |secret: &str| {
        let (profile, secret) = (rig.profile(), Secret::new(secret));
        keep_client_secret(&vault, &mut ledger, &profile, &secret, env.random.as_ref()).unwrap();
    };
    keep("first");
    keep("second");
    assert_eq!(rig.keyring.accounts().len(), 1, "the first one is forgotten");
    let seals = rig.seals();
    let secret = client_secret_place(&rig.ledger(), &vault, &seals, PROFILE).unwrap().unwrap();
    let row = seals.row_of_client_secret(PROFILE, &secret);
    assert_eq!(vault.get(&secret.place, &row).unwrap().bytes(), b"\"second\"");
    assert!(!on_disk(rig.world()).contains("second"));
}

#[test]
fn a_profile_has_its_own_secret_or_the_published_one_or_none_and_says_which_is_missing() {
    let rig = Rig::new();
    let secret = |profile: &dyn Fn(&mut Provider)| offline_with(&rig, profile, |it| it.client_secret());
    assert_eq!(secret(&|_| ()).unwrap().as_deref(), Some("sandbox-secret"));
    assert_eq!(secret(&|it| it.client_auth = ClientAuth::None).unwrap(), None);
    let error = secret(&|it| it.published_secret = None).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains("biotrack-auth config set-secret --profile local-sandbox"), "{hint}");
    let (vault, mut ledger, env) = (rig.vault(VaultKind::Sealed), rig.ledger(), rig.env());
    keep_client_secret(&vault, &mut ledger, &rig.profile(), &Secret::new("ours"), env.random.as_ref())
        .unwrap();
    assert_eq!(secret(&|it| it.published_secret = None).unwrap().as_deref(), Some("ours"));
}
