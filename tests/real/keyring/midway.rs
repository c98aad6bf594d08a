//! S32: a keyring that locks, or whose daemon dies, while the provider is being asked: bounded, said, and nothing lost.

use super::session::{Session, accounts, lock, log_in_again, signal, within};
use crate::crash::truth::{LICENSE, go_on, is_whole};
use crate::support::crowd::{Crowd, Will};
use crate::support::proxy::{Proxy, Revocations};
use crate::support::{Rig, Run, register};
use serde_json::json;
use std::fs;

/// What befalls it.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Locked,
    Killed,
}

impl Blow {
    const BOTH: [Self; 2] = [Self::Locked, Self::Killed];

    fn falls(self) {
        match self {
            Self::Locked => lock(),
            Self::Killed => signal("-KILL"),
        }
    }
}

/// A crowd whose admin clicks, and then it falls: the code is on its way back.
fn crowd(blow: Blow) -> Crowd {
    Crowd::telling(1, |_| Will::Grant, move |_| blow.falls())
}

#[test]
fn gone_during_a_consent_it_costs_no_grant() {
    within(Session::Unlocked, || {
        for blow in Blow::BOTH {
            let rig = Rig::with_keyring(&[]);
            let browser = crowd(blow);
            let run = rig.run(&register(LICENSE, &["--browser", &browser.browser()]));
            is_kept_for_later(&rig, run, blow, 1);
            let before = rig.live(LICENSE).unwrap();
            let run = rig.run(&["renew", LICENSE, "--browser", &browser.browser()]);
            // The old grant is still the one in use.
            is_kept_for_later_with(&rig, run, blow, 2, || {
                assert_eq!(rig.live(LICENSE).unwrap().access.expose(), before.access.expose(), "{blow:?}");
            });
            assert_eq!(accounts().len(), 1, "{blow:?}");
            rig.run(&["deactivate", LICENSE, "--yes"]).exits(0);
            assert!(accounts().is_empty(), "{blow:?}: {:?}", accounts());
        }
    });
}

#[track_caller]
fn is_kept_for_later(rig: &Rig, run: Run, blow: Blow, issued: usize) {
    is_kept_for_later_with(rig, run, blow, issued, || {});
}

/// It came and can't be stored; once the keyring is back it's stored without a new consent.
#[track_caller]
fn is_kept_for_later_with(rig: &Rig, run: Run, blow: Blow, issued: usize, meanwhile: impl FnOnce()) {
    let run = run.exits(7).answers_nothing();
    assert!(run.err.contains("was granted, but the grant can't be stored yet"), "{blow:?}: {run:?}");
    assert_eq!(
        (rig.counted("token_issued"), &rig.only()["conditions"]),
        (issued, &json!(["granted_not_stored"]))
    );
    rig.keeps_secrets(&[]);
    log_in_again();
    meanwhile();
    go_on(rig, &[]);
    is_whole(rig);
    assert_eq!(rig.counted("token_issued"), issued, "{blow:?}: without a new consent");
}

#[test]
fn gone_during_a_refresh_it_costs_no_token() {
    within(Session::Unlocked, || {
        for blow in Blow::BOTH {
            let rig = Rig::with_keyring(&[]);
            rig.register(LICENSE).exits(0);
            let config = fs::read_to_string(rig.file("config.toml")).unwrap();
            let proxy = Proxy::of(&rig);
            let asking = rig.start(&["token", LICENSE, "--min-valid", "60m"]);
            proxy.seen.recv().unwrap();
            blow.falls();
            proxy.go.send(()).unwrap();
            let run = Run::of(asking.wait_with_output().unwrap()).exits(7).answers_nothing();
            assert!(
                run.err.contains("was refreshed, but its new tokens can't be stored yet"),
                "{blow:?}: {run:?}"
            );
            assert_eq!(
                (rig.counted("token_rotated"), &rig.only()["conditions"]),
                (1, &json!(["granted_not_stored"]))
            );
            rig.keeps_secrets(&[]);
            log_in_again();
            fs::write(rig.file("config.toml"), config).unwrap();
            let run = rig.run(&["token", LICENSE]).exits(0);
            assert_eq!((rig.counted("token_rotated"), &rig.only()["conditions"]), (1, &json!([])));
            assert_eq!(run.out, format!("{}\n", rig.live(LICENSE).unwrap().access.expose()));
            assert!(rig.accepts(&rig.live(LICENSE).unwrap()));
            rig.run(&["deactivate", LICENSE, "--yes"]).exits(0);
            assert!(accounts().is_empty(), "{blow:?}: {:?}", accounts());
        }
    });
}

#[test]
fn gone_during_a_revocation_the_license_is_given_up_and_the_item_goes_later() {
    within(Session::Unlocked, || {
        for blow in Blow::BOTH {
            let rig = Rig::with_keyring(&[]);
            rig.register(LICENSE).exits(0);
            Revocations::of(&rig, move |_| {
                blow.falls();
                None
            });
            // The provider has ended it, and the ledger says so; the token that is left opens nothing.
            rig.run(&["deactivate", LICENSE, "--yes"]).exits(0);
            assert_eq!((rig.counted("token_revoked"), &rig.only()["state"]), (1, &json!("deactivated")));
            log_in_again();
            assert_eq!(accounts().len(), 1, "{blow:?}");
            rig.run(&["doctor"]).answers("keyring");
            let fixed = rig.run(&["doctor", "--fix"]);
            assert!(accounts().is_empty(), "{blow:?}: {:?}\n{fixed:?}", accounts());
        }
    });
}

#[test]
fn locked_from_the_start_nothing_is_asked_and_nothing_deleted() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register(LICENSE).exits(0);
        let (known, before) = (rig.truth().len(), rig.only());
        let crowd = Crowd::of(1, |_| Will::Grant);
        let browser = crowd.browser();
        for blow in Blow::BOTH {
            blow.falls();
            for arguments in [
                &["renew", LICENSE, "--browser", &browser][..],
                &["token", LICENSE],
                &["token", LICENSE, "--min-valid", "60m"],
                &["exec", LICENSE, "--", "true"],
                &["deactivate", LICENSE, "--yes"],
            ] {
                let run = rig.run(arguments).answers_nothing().says("keyring");
                let own = if arguments[0] == "exec" { 125 } else { 7 };
                assert_eq!(run.code, own, "{blow:?}: {arguments:?}: {run:?}");
            }
            assert_eq!((rig.truth().len(), rig.only()), (known, before.clone()), "{blow:?}");
            log_in_again();
            assert!(rig.accepts(&rig.live(LICENSE).unwrap()), "{blow:?}");
        }
        rig.run(&["renew", LICENSE, "--browser", &browser]).exits(0);
        is_whole(&rig);
    });
}
