//! Two commands at once on one license: the first is stopped at each of its moments in turn, and the other runs to its end.

use super::bundles::{another_host, bundle_in, export, recipient};
use crate::rig::{Rig, Visit, oracle};
use std::sync::{Arc, Mutex};

/// Two commands, and what they begin with. The second mustn't wait for what the first holds: the claim on the tokens.
struct Pair<P, F, O> {
    prepare: P,
    first: F,
    second: O,
    /// Grants that live elsewhere once they are exported.
    told: &'static [usize],
    /// Whoever was at work in the old vault while everything moved to the new one is told so, and has this.
    afterwards: Option<&'static str>,
}

fn pair<P, F, O>(prepare: P, first: F, second: O) -> Pair<P, F, O>
where
    P: Fn() -> Rig,
    F: Fn(&Rig) -> String,
    O: Fn(&Rig) -> String,
{
    Pair { prepare, first, second, told: &[], afterwards: None }
}

impl<P: Fn() -> Rig, F: Fn(&Rig) -> String, O: Fn(&Rig) -> String> Pair<P, F, O> {
    fn each_grant_is_accounted_for(self) {
        let ready = (self.prepare)();
        let (first, second) = ((self.first)(&ready), (self.second)(&ready));
        let mut wrong = Vec::new();
        for moments in 0_usize.. {
            let rig = Rig::of(ready.world().killed_here());
            let (first, second) = [&first, &second].map(|it| moved_home(it, &ready, &rig)).into();
            let (world, mut left, ran) = (rig.world().clone(), moments, Arc::new(Mutex::new(None)));
            let noted = ran.clone();
            rig.world().watch(move |_| {
                if left == 0 {
                    noted.lock().unwrap().get_or_insert_with(|| {
                        let (world, second) = (world.clone(), second.clone());
                        std::thread::spawn(move || Rig::of(world).run(&second)).join().unwrap()
                    });
                }
                left = left.saturating_sub(1);
            });
            let done = rig.run(&first);
            rig.world().unwatch();
            let Some(other) = ran.lock().unwrap().take() else { break };
            let complaints = oracle::Books::read(&rig).complaints(self.told).join("\n");
            if complaints.is_empty() {
                self.afterwards.iter().for_each(|command| drop(rig.run(command).exits(0)));
                oracle::goes_on(&rig);
                oracle::rests_but(&rig, self.told);
            } else {
                let log = rig.provider.log().join("\n");
                let [first, second] = [done, other].map(|it| it.transcript());
                wrong.push(format!("{moments}:\n{complaints}\nfirst: {first}\nsecond: {second}\n{log}"));
            }
        }
        assert!(wrong.is_empty(), "wrong at {} moments, the first of them moment {}", wrong.len(), wrong[0]);
    }
}

/// A command that names files of one home, for a copy of it.
fn moved_home(command: &str, from: &Rig, to: &Rig) -> String {
    command.replace(&from.home().display().to_string(), &to.home().display().to_string())
}

fn granted(rig: Rig) -> Rig {
    drop(rig.grant("L-1"));
    rig
}

fn lapsed() -> Rig {
    let rig = granted(Rig::new());
    rig.minutes_pass(61);
    rig
}

fn lapsed_in_keyring() -> Rig {
    let rig = granted(Rig::with_keyring());
    rig.minutes_pass(61);
    rig
}

fn held() -> Rig {
    let rig = granted(Rig::new());
    rig.visits([Visit::GrantsAs(super::BOB.into())]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    rig
}

fn always(command: &'static str) -> impl Fn(&Rig) -> String {
    move |_| command.to_owned()
}

fn recipients(rig: &Rig) -> String {
    let identity = rig.file("another.txt");
    format!("config recipients add {}", biotrack_auth::vault::create_identity(&identity).unwrap())
}

fn exporting(rig: &Rig) -> String {
    let there = another_host(rig);
    export("", &recipient(&there), &bundle_in(rig))
}

const TOKEN: &str = "token L-1";
const RENEW: &str = "renew L-1 --browser scripted";
const TAKE: &str = "renew L-1 --any-user --browser scripted";
const DEACTIVATE: &str = "deactivate L-1 --yes";
const TO_SEALED: &str = "config vault sealed";
const TO_KEYRING: &str = "config vault keyring";

#[test]
fn a_refresh_and_a_renewal() {
    pair(lapsed, always(TOKEN), always(RENEW)).each_grant_is_accounted_for();
    pair(lapsed, always(RENEW), always(TOKEN)).each_grant_is_accounted_for();
}

#[test]
fn a_refresh_and_an_export() {
    Pair { told: &[1], ..pair(lapsed, always(TOKEN), exporting) }.each_grant_is_accounted_for();
}

#[test]
fn a_renewal_and_a_deactivation() {
    pair(lapsed, always(RENEW), always(DEACTIVATE)).each_grant_is_accounted_for();
}

#[test]
fn a_move_of_the_secrets_and_a_refresh() {
    pair(lapsed_in_keyring, always(TO_SEALED), always(TOKEN)).each_grant_is_accounted_for();
}

#[test]
fn a_renewal_and_a_move_of_the_secrets() {
    Pair { afterwards: Some(TO_SEALED), ..pair(lapsed_in_keyring, always(RENEW), always(TO_SEALED)) }
        .each_grant_is_accounted_for();
}

#[test]
#[ignore = "reason: a refresh that has read its tokens takes moved or resealed ones for a newer grant's: the living grant is revoked"]
fn a_refresh_and_a_move_of_the_secrets() {
    pair(lapsed, always(TOKEN), recipients).each_grant_is_accounted_for();
    Pair { afterwards: Some(TO_SEALED), ..pair(lapsed_in_keyring, always(TOKEN), always(TO_SEALED)) }
        .each_grant_is_accounted_for();
    Pair { afterwards: Some(TO_KEYRING), ..pair(lapsed, always(TOKEN), always(TO_KEYRING)) }
        .each_grant_is_accounted_for();
}

#[test]
#[ignore = "reason: a waiting grant is taken that waits no more, and the living one is turned away: all are revoked"]
fn a_waiting_grant_is_taken_while_others_are_at_it() {
    pair(held, always(TAKE), always(TAKE)).each_grant_is_accounted_for();
    pair(held, always(TAKE), always(RENEW)).each_grant_is_accounted_for();
    pair(held, always(TAKE), always(DEACTIVATE)).each_grant_is_accounted_for();
}

#[test]
#[ignore = "reason: a waiting grant that was taken meanwhile is given back all the same, and the living grant is dead"]
fn a_waiting_grant_is_given_back_while_others_take_it() {
    pair(held, always(DEACTIVATE), always(TAKE)).each_grant_is_accounted_for();
}
