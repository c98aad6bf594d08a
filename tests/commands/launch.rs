//! The one-time address by which a browser is started: what stands in a program's arguments is read by every user of the
//! machine.

use crate::rig::{Person, Rig, Visit, get, in_words};

const REGISTER: &str = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com";

#[test]
fn what_stands_in_a_browsers_arguments_leads_there_once_and_tells_nothing() {
    let rig = Rig::new();
    let run = rig.run(&format!("{REGISTER} --browser firefox"));
    let run = run.exits(0);
    let (launched, opened) = (rig.launched(), rig.opened());
    assert_eq!((launched.len(), opened.len()), (1, 1));
    let (place, secret) = launched[0].split_once("/launch/").unwrap();
    assert!(place.starts_with("http://127.0.0.1:") && secret.len() == 64, "{launched:?}");
    assert!(opened[0].contains("state=") && !launched[0].contains('?'), "{opened:?}");
    assert!(run.err.contains(&opened[0].split('&').next().unwrap().to_owned()), "{}", run.err);
    assert!(!run.err.contains("/launch/") && !run.out.contains("/launch/"), "{}", run.err);
}

#[test]
fn a_second_visit_is_told_and_a_key_makes_a_flow_in_which_the_first_ones_address_counts_no_longer() {
    let rig = Rig::new();
    rig.with(Person::watching());
    rig.visits([Visit::Leaves]);
    let done = rig.run_while(REGISTER, |running| {
        running.says("Opening it in a browser");
        let second = in_words(&get(&rig.launched()[0]));
        assert!(second.starts_with("HTTP/1.1 410 "), "{second}");
        assert!(second.contains("This address works only once"), "{second}");
        running.says("was opened twice");
        running.hand.types("r");
    });
    done.exits(0);
    let opened = rig.opened();
    let state = |address: &str| address.split('&').find(|it| it.starts_with("state=")).unwrap().to_owned();
    assert_eq!(opened.len(), 2);
    assert_ne!(state(&opened[0]), state(&opened[1]));
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn the_key_does_nothing_while_nobody_opened_it_twice() {
    let rig = Rig::new();
    rig.with(Person::watching());
    rig.visits([Visit::Types("rR", Box::new(Visit::Grants))]);
    rig.run(REGISTER).exits(0);
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn a_link_for_elsewhere_and_an_address_to_be_opened_by_hand_are_the_providers() {
    let rig = Rig::new();
    let run = rig.run(&format!("{REGISTER} --no-wait --json")).exits(0);
    assert!(run.out.contains("state=") && !run.out.contains("/launch/"), "{}", run.out);
    assert_eq!(rig.launched(), Vec::<String>::new());
}
