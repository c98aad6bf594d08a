//! One thing goes wrong at each place in turn: a call of the keyring, a request to the provider, a write to the ledger, the
//! whole process. Whatever it was: nothing is lost silently, nothing is passed off, and the next commands mend it.

use crate::rig::oracle::Books;
use crate::rig::{Done, Moment, Reply, Rig, STRIDE, URL, Visit, World, oracle, register};
use biotrack_auth::model::authorization::State;
use biotrack_auth::oauth::HANDOFF_PORT;
use biotrack_auth::system::KeyringFault;
use std::sync::{Arc, Mutex};

/// A command, and what must have happened before it.
struct Case {
    name: &'static str,
    /// Makes what it begins with, in a home with either vault; the command line.
    prepare: fn(&Rig) -> String,
    /// What the admin does whom the command asks.
    visit: Visit,
    /// Grants that may live unnamed right after a mishap: they have another home until the command succeeds.
    told: &'static [usize],
    /// What the license is once all was gone on with; `None`: the same command once more does something else.
    ends_as: Option<State>,
}

fn cases() -> Vec<Case> {
    let case =
        |name, prepare| Case { name, prepare, visit: Visit::Grants, told: &[], ends_as: Some(State::Active) };
    vec![
        case("register", |_| register("L-1")),
        case("renew", |rig| {
            let _ = rig.grant("L-1");
            "renew L-1 --browser scripted".into()
        }),
        Case {
            visit: Visit::GrantsAs("bob@example.com".into()),
            ..case("renew of another admin's", |rig| {
                let _ = rig.grant("L-1");
                "renew L-1 --browser scripted".into()
            })
        },
        case("taking what is held", |rig| {
            let _ = rig.grant("L-1");
            held(rig);
            "renew L-1 --awaiting --yes".into()
        }),
        Case {
            ends_as: None,
            ..case("giving back what is held", |rig| {
                let _ = rig.grant("L-1");
                held(rig);
                "deactivate L-1 --awaiting --yes".into()
            })
        },
        Case {
            ends_as: Some(State::Deactivated),
            ..case("deactivate", |rig| {
                let _ = rig.grant("L-1");
                "deactivate L-1 --yes".into()
            })
        },
        case("token", |rig| {
            let _ = rig.grant("L-1");
            rig.minutes_pass(61);
            "token L-1".into()
        }),
        case("token of one that lasts", |rig| {
            let _ = rig.grant("L-1");
            rig.minutes_pass(30);
            "token L-1 --min-valid 45m".into()
        }),
        case("complete", |rig| {
            let link = rig.run(&register("L-1").replace("--browser scripted", "--no-wait")).exits(0);
            // The port that a hand-off names, which outputs don't show.
            let link = link.out.trim().replace("[PORT]", &HANDOFF_PORT.to_string());
            format!("complete '{}'", rig.provider.consents(&link, None))
        }),
        case("break first", |rig| {
            let _ = rig.grant("L-1");
            "renew L-1 --username bob@example.com --break-first --yes --browser scripted".into()
        }),
        case("edit", |rig| {
            let _ = rig.grant("L-1");
            let _ = rig.run("renew L-1 --no-wait").exits(0);
            "edit L-1 --name Hudson --username bob@example.com --tag new".into()
        }),
        Case {
            ends_as: None,
            ..case("remove", |rig| {
                let _ = rig.grant("L-1");
                let _ = rig.run("deactivate L-1 --yes").exits(0);
                let _ = rig.run(&register("L-1").replace("--browser scripted", "--no-wait")).exits(0);
                "remove L-1".into()
            })
        },
        case("to the keyring", |rig| {
            let _ = rig.grant("L-1");
            held(rig);
            "config vault keyring".into()
        }),
        case("to the sealed vault", |rig| {
            let _ = rig.grant("L-1");
            held(rig);
            "config vault sealed".into()
        }),
        Case {
            told: &[1],
            ..case("import", |rig| {
                let elsewhere = Rig::of(rig.world().another_host());
                let init = format!("config init --preset local-sandbox --url {} --vault sealed", URL);
                drop(elsewhere.run(&init).exits(0));
                let _ = elsewhere.grant("L-1");
                let identity = rig.file("moving.txt");
                let recipient = biotrack_auth::vault::create_identity(&identity).unwrap();
                let bundle = rig.file("moving.age");
                let export =
                    format!("export --with-secrets --recipient {recipient} --output {}", bundle.display());
                drop(elsewhere.run(&export).exits(0));
                format!("import {} --identity {} --yes", bundle.display(), identity.display())
            })
        },
    ]
}

/// Another admin granted, and that grant is held.
fn held(rig: &Rig) {
    rig.visits([Visit::GrantsAs("bob@example.com".into())]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
}

/// A command that is about to run in a world where all is well.
struct Ready {
    case: Case,
    world: World,
    command: String,
    /// How many consents were given before it.
    consents: usize,
}

impl Ready {
    fn of(name: &str, rig: &Rig) -> Self {
        let case = cases().into_iter().find(|case| case.name == name).unwrap();
        let command = (case.prepare)(rig);
        oracle::holds_but(rig, case.told);
        Self { case, world: rig.world().clone(), command, consents: consents(rig) }
    }

    /// A world of its own for one mishap.
    fn rig(&self) -> Rig {
        let rig = Rig::of(self.world.killed_here());
        rig.visits([self.case.visit.clone()]);
        rig
    }

    /// After a mishap: what holds at once; then the same command once more, and what the records name.
    fn judge(&self, rig: &Rig, mishap: &str, first: Option<&Done>) {
        const VAULT_OR_LEDGER: u32 = 7;
        let consented = consents(rig);
        let kept_aside =
            consented > self.consents && first.is_some_and(|first| first.code == VAULT_OR_LEDGER);
        let what = format!("{}, {mishap}", self.case.name);
        let first = first.map(Done::transcript).unwrap_or_default();
        let judge = |when: &str, told: &[usize]| {
            let complaints = Books::read(rig).complaints(told).join("\n");
            let log = rig.provider.log().join("\n");
            assert!(complaints.is_empty(), "{what}, {when}:\n{complaints}\nfirst:\n{first}\nlog:\n{log}");
        };
        judge("at once", self.case.told);
        let second = rig.run(&self.command);
        judge(&format!("after once more\n{}", second.transcript()), &[]);
        if kept_aside {
            let second = second.transcript();
            assert_eq!(consents(rig), consented, "{what}: a consent was wasted\n{first}\n{second}");
        }
        oracle::goes_on(rig);
        oracle::rests(rig);
        // One that was removed has none.
        let state = Books::read(rig).records.get("L-1").map(|it| it.state);
        assert_eq!(
            state,
            self.case.ends_as.or(state),
            "{what}: it was dropped\n{}",
            rig.provider.log().join("\n")
        );
    }
}

fn consents(rig: &Rig) -> usize {
    rig.provider.log().iter().filter(|line| line.starts_with("consented")).count()
}

/// Each call of the keyring fails once; or it's done, says that it failed, and whatever comes next finds it locked.
fn keyring_fails(name: &str) {
    type Fails = (&'static str, fn(&Rig, usize));
    let ways: [Fails; 2] = [
        ("fails", |rig, calls| rig.keyring.fails_after(calls, KeyringFault::Failed("it crashed".into()))),
        ("says that it failed", |rig, calls| rig.keyring.lies_and_locks_after(calls)),
    ];
    let ready = Ready::of(name, &Rig::with_keyring());
    for (way, fails) in ways {
        for calls in (0..).step_by(STRIDE) {
            let rig = ready.rig();
            fails(&rig, calls);
            let done = rig.run(&ready.command);
            if rig.keyring.mishaps_to_come() > 0 {
                assert!(calls > 0, "it never asked the keyring");
                break;
            }
            rig.keyring.locks(false);
            ready.judge(&rig, &format!("the keyring's call {calls} {way}"), Some(&done));
        }
    }
}

/// Each request fails once.
fn provider_fails(name: &str) {
    let ways = [
        ("doesn't get there", Reply::Unreachable),
        ("isn't answered", Reply::Lost),
        ("is answered with a page", Reply::Status(400, "<html>".into())),
        ("is acted on, and answered with a failure", Reply::Garbled(503, String::new())),
        (
            "is acted on, and answered with a refusal",
            Reply::Garbled(400, r#"{"error":"server_error"}"#.into()),
        ),
    ];
    let ready = Ready::of(name, &Rig::new());
    for (way, reply) in ways {
        for requests in 0.. {
            let rig = ready.rig();
            rig.provider.replies_after(requests, reply.clone());
            let done = rig.run(&ready.command);
            if rig.provider.replies_to_come() > 0 {
                assert!(requests > 0, "it never asked the provider");
                break;
            }
            ready.judge(&rig, &format!("request {requests} {way}"), Some(&done));
        }
    }
}

/// From each moment on, the ledger can't be written any more, until the command has ended.
fn disk_fills_up(name: &str) {
    disk_fills_up_in(name, &Rig::with_keyring());
}

fn disk_fills_up_in_the_sealed_vault(name: &str) {
    disk_fills_up_in(name, &Rig::new());
}

fn disk_fills_up_in_either_vault(name: &str) {
    disk_fills_up(name);
    disk_fills_up_in_the_sealed_vault(name);
}

fn disk_fills_up_in(name: &str, rig: &Rig) {
    let ready = Ready::of(name, rig);
    let mut before = None;
    for moments in (0..).step_by(STRIDE) {
        let rig = ready.rig();
        let (world, mut left, full) = (rig.world().clone(), moments, Arc::new(Mutex::new(None)));
        let filled = full.clone();
        rig.world().watch(move |_| {
            if left == 0 {
                filled.lock().unwrap().get_or_insert_with(|| {
                    let written = world.written();
                    world.ledger_refuses(true);
                    written
                });
            } else {
                left -= 1;
            }
        });
        let done = rig.run(&ready.command);
        rig.world().unwatch();
        let written = *full.lock().unwrap();
        if written.is_none() {
            assert!(moments > 0, "it never met the outside");
            break;
        }
        // Where it wrote nothing since the moment before, that one was the same.
        if std::mem::replace(&mut before, written) != written {
            rig.world().ledger_refuses(false);
            ready.judge(&rig, &format!("no write from moment {moments} on"), Some(&done));
        }
    }
}

/// The process is killed at each moment.
fn is_killed(name: &str) {
    is_killed_in(name, &Rig::with_keyring());
}

fn is_killed_in_the_sealed_vault(name: &str) {
    is_killed_in(name, &Rig::new());
}

fn is_killed_in_either_vault(name: &str) {
    is_killed(name);
    is_killed_in_the_sealed_vault(name);
}

fn is_killed_in(name: &str, rig: &Rig) {
    let ready = Ready::of(name, rig);
    let rig = ready.rig();
    let worlds = Arc::new(Mutex::new(Vec::<(String, Moment, World)>::new()));
    let (world, left) = (rig.world().clone(), worlds.clone());
    rig.world().watch(move |moment| {
        let mut left = left.lock().unwrap();
        let print = world.print();
        if left.last().is_none_or(|(before, ..)| *before != print) {
            left.push((print, moment.clone(), world.killed_here()));
        }
    });
    drop(rig.run(&ready.command));
    rig.world().unwatch();
    let worlds = std::mem::take(&mut *worlds.lock().unwrap());
    assert!(worlds.len() > 1, "it never met the outside");
    for (at, (_, moment, world)) in worlds.into_iter().enumerate().step_by(STRIDE) {
        ready.judge(&Rig::of(world), &format!("killed at {at}, {moment:?}"), None);
    }
}

/// The sweeps over a command, a test each.
macro_rules! sweeps {
    ($($command:ident, $name:literal: $($test:ident by $sweep:ident),*;)*) => {
        $(mod $command {
            $(#[test]
            fn $test() {
                super::$sweep($name);
            })*
        })*
    };
}

sweeps! {
    registering, "register":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    renewing, "renew":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    renewing_by_another_admin, "renew of another admin's":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up, can_be_killed by is_killed;
    taking_what_is_held, "taking what is held":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up, can_be_killed by is_killed;
    giving_back_what_is_held, "giving back what is held":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up, can_be_killed by is_killed;
    deactivating, "deactivate":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    refreshing, "token":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    refreshing_what_lasts, "token of one that lasts":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    completing, "complete":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    breaking_first, "break first":
        outlives_its_keyring by keyring_fails, outlives_its_requests by provider_fails,
        outlives_a_full_disk by disk_fills_up, can_be_killed by is_killed;
    importing, "import":
        outlives_its_keyring by keyring_fails,
        outlives_a_full_disk by disk_fills_up, can_be_killed by is_killed;
    editing, "edit":
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    removing, "remove":
        outlives_its_keyring by keyring_fails,
        outlives_a_full_disk by disk_fills_up_in_either_vault, can_be_killed by is_killed_in_either_vault;
    moving_to_the_sealed_vault, "to the sealed vault":
        outlives_its_keyring by keyring_fails,
        outlives_a_full_disk by disk_fills_up, can_be_killed by is_killed;
    moving_to_the_keyring, "to the keyring":
        outlives_a_full_disk by disk_fills_up_in_the_sealed_vault, can_be_killed by is_killed_in_the_sealed_vault;
}
