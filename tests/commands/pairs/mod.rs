//! Two commands on one license: the first is stopped at each of its steps in turn (before and after each commit, each
//! request, each call of the keyring), the second runs to its end, the first goes on. Whatever comes of it, nothing is
//! lost and nothing wrong is said: what the provider has is compared with what we have and what we tell.
//!
//! A usual run takes a stride of the steps that differs from pair to pair. `BIOTRACK_TEST_ALL=1` steps through all of
//! them; `BIOTRACK_TEST_DONE=FILE` has each pair noted in a file once nothing of it was wrong, and leaves out those that
//! are noted there: a run that was cut short goes on. A change of the program wants a new file. The whole, in figures:
//!
//! ```text
//! export BIOTRACK_TEST_ALL=1 BIOTRACK_TEST_DONE=target/pairs.done
//! cargo test --locked --features real-parts --test commands -- --nocapture pairs::
//! BIOTRACK_TEST_LEDGER=postgres cargo test --locked --features real-parts --test commands -- --nocapture pairs:: \
//!     --skip in_a_file
//! ```

mod jobs;
mod judge;
mod migrating;
#[cfg(all(feature = "real-parts", target_os = "linux"))]
mod moving;
mod stepper;
mod tally;

pub use jobs::{Before, COMPLETE, DEACTIVATE, DISCARD, EDIT, Home, Job, REMOVE, RENEW, TAKE, TOKEN, begin};
pub use judge::judge;
pub use stepper::{Halt, end, halt, start_watched};
pub use tally::Tally;

use jobs::{
    ADOPT, BREAK_FIRST, EXPORT, EXPORT_TOO, FIX, HAND_OFF, IMPORT, IMPORT_TOKENS, ONLINE, PRUNE, RECIPIENTS,
    REGISTER, REGISTER_LINK, TO_KEYRING, TO_SEALED,
};
use stepper::{Homes, Second};

/// Those that change one license whose grant lives.
const OF_ONE: [Job; 6] = [RENEW, BREAK_FIRST, HAND_OFF, DEACTIVATE, TOKEN, ONLINE];
/// Those that change all, wherever the secrets are.
const OF_ALL: [Job; 4] = [IMPORT, EXPORT, PRUNE, FIX];

fn sealed(before: Before, firsts: &[Job], how: Second, seconds: &[Job]) {
    let homes = Homes { name: &format!("{before:?}"), begin: &|| begin(before, false) };
    stepper::pairs(homes, firsts, how, seconds);
}

fn in_keyring(before: Before, firsts: &[Job], how: Second, seconds: &[Job]) {
    let homes = Homes { name: &format!("{before:?} in the keyring"), begin: &|| begin(before, true) };
    stepper::pairs(homes, firsts, how, seconds);
}

/// Every pair of the two lists, both ways round.
fn both_ways(take: fn(Before, &[Job], Second, &[Job]), before: Before, some: &[Job], others: &[Job]) {
    take(before, some, Second::Ends, others);
    take(before, others, Second::Ends, some);
}

/// The tests of everything that doesn't ask where the secrets are.
macro_rules! in_both_vaults {
    ($($name:ident / $in_keyring:ident: |$take:ident| $tried:expr;)+) => {$(
        #[test]
        fn $name() {
            let $take = sealed;
            $tried;
        }

        #[test]
        fn $in_keyring() {
            let $take = in_keyring;
            $tried;
        }
    )+};
}

in_both_vaults! {
    of_a_new_license / in_a_file_of_a_new_license_in_the_keyring: |take| {
        take(
            Before::Nothing,
            &[REGISTER, REGISTER_LINK, IMPORT],
            Second::Ends,
            &[REGISTER, REGISTER_LINK, IMPORT, FIX, PRUNE],
        );
        take(Before::Nothing, &[FIX, PRUNE], Second::Ends, &[REGISTER, REGISTER_LINK]);
    };
    of_a_license_that_was_refused / in_a_file_of_a_license_that_was_refused_in_the_keyring: |take| {
        let all = [REGISTER, RENEW, DEACTIVATE, IMPORT];
        take(Before::Refused, &all, Second::Ends, &all);
    };
    of_a_living_grant / in_a_file_of_a_living_grant_in_the_keyring: |take| {
        take(Before::Living, &OF_ONE, Second::Ends, &OF_ONE);
    };
    of_a_grant_that_an_admin_ended / in_a_file_of_a_grant_that_an_admin_ended_in_the_keyring: |take| {
        let all = [ONLINE, TOKEN, RENEW, DEACTIVATE];
        take(Before::Ended, &all, Second::Ends, &all);
    };
    of_a_grant_that_awaits_approval / in_a_file_of_a_grant_that_awaits_approval_in_the_keyring: |take| {
        let some = [TAKE, DISCARD, RENEW, DEACTIVATE];
        take(Before::Waiting, &some, Second::Ends, &[TAKE, DISCARD, RENEW, DEACTIVATE, TOKEN, ONLINE]);
        take(Before::Waiting, &OF_ALL, Second::Ends, &some);
    };
    of_a_link_that_is_out / in_a_file_of_a_link_that_is_out_in_the_keyring: |take| {
        let some = [COMPLETE, RENEW, DEACTIVATE];
        take(Before::HandedOff, &some, Second::Ends, &[COMPLETE, RENEW, DEACTIVATE, TOKEN, HAND_OFF, ONLINE]);
        take(Before::HandedOff, &[TOKEN, HAND_OFF, ONLINE], Second::Ends, &some);
        both_ways(take, Before::HandedOff, &[COMPLETE, HAND_OFF], &OF_ALL);
    };
    of_a_first_link_that_is_out / in_a_file_of_a_first_link_that_is_out_in_the_keyring: |take| {
        let all = [COMPLETE, REGISTER, REGISTER_LINK, DEACTIVATE];
        take(Before::HandedOffFirst, &all, Second::Ends, &all);
        both_ways(take, Before::HandedOffFirst, &[COMPLETE], &OF_ALL);
    };
    of_tokens_that_move_here / in_a_file_of_tokens_that_move_into_the_keyring: |take| {
        take(Before::Arriving, &[IMPORT_TOKENS], Second::Ends, &[IMPORT_TOKENS]);
        let others = [REGISTER, REGISTER_LINK, TOKEN, DEACTIVATE, IMPORT, EXPORT, PRUNE, FIX];
        both_ways(take, Before::Arriving, &[IMPORT_TOKENS], &others);
    };
    of_a_backup_that_is_adopted / in_a_file_of_a_backup_that_is_adopted_in_the_keyring: |take| {
        take(Before::Restored, &[ADOPT], Second::Ends, &[ADOPT]);
        both_ways(take, Before::Restored, &[ADOPT], &[RENEW, TOKEN, DEACTIVATE, IMPORT_TOKENS]);
        both_ways(take, Before::Restored, &[ADOPT], &OF_ALL);
    };
    of_jobs_of_all_and_jobs_of_one / in_a_file_of_jobs_of_all_and_jobs_of_one_in_the_keyring: |take| {
        both_ways(take, Before::Living, &OF_ALL, &OF_ONE);
    };
    of_two_jobs_of_all / in_a_file_of_two_jobs_of_all_in_the_keyring: |take| {
        take(Before::Living, &OF_ALL, Second::Ends, &[IMPORT, EXPORT, EXPORT_TOO, PRUNE, FIX]);
    };
    of_edits / in_a_file_of_edits_in_the_keyring: |take| {
        both_ways(take, Before::Living, &[EDIT], &OF_ONE);
        both_ways(take, Before::Living, &[EDIT], &OF_ALL);
        take(Before::Living, &[EDIT], Second::Ends, &[EDIT]);
        both_ways(take, Before::Refused, &[EDIT], &[REGISTER, RENEW, DEACTIVATE, IMPORT]);
        both_ways(take, Before::HandedOff, &[EDIT], &[COMPLETE, HAND_OFF, RENEW]);
        both_ways(take, Before::HandedOffFirst, &[EDIT], &[COMPLETE, REGISTER_LINK]);
        both_ways(take, Before::Waiting, &[EDIT], &[TAKE, DISCARD]);
        both_ways(take, Before::Restored, &[EDIT], &[ADOPT]);
    };
    of_removals / in_a_file_of_removals_in_the_keyring: |take| {
        let others = [REGISTER, REGISTER_LINK, RENEW, DEACTIVATE, EDIT, IMPORT, FIX, PRUNE];
        both_ways(take, Before::Refused, &[REMOVE], &others);
        both_ways(take, Before::Deactivated, &[REMOVE], &[REGISTER, REGISTER_LINK, DEACTIVATE, EDIT, IMPORT]);
        both_ways(take, Before::HandedOffFirst, &[REMOVE], &[COMPLETE, REGISTER, REGISTER_LINK, DEACTIVATE]);
        both_ways(take, Before::Living, &[REMOVE], &[DEACTIVATE, EXPORT]);
        take(Before::Refused, &[REMOVE], Second::Ends, &[REMOVE]);
    };
    of_two_that_both_stop / in_a_file_of_two_that_both_stop_in_the_keyring: |take| {
        take(Before::Living, &[TOKEN, DEACTIVATE, ONLINE], Second::Stops, &[RENEW]);
        take(Before::Living, &[IMPORT, EXPORT], Second::Stops, &[TOKEN, RENEW]);
        take(Before::Living, &[IMPORT, FIX], Second::Stops, &[DEACTIVATE]);
        take(Before::Waiting, &[TAKE, DISCARD], Second::Stops, &[TAKE, DISCARD, RENEW, DEACTIVATE]);
        take(Before::HandedOff, &[COMPLETE], Second::Stops, &[COMPLETE, RENEW]);
        take(Before::Nothing, &[REGISTER], Second::Stops, &[REGISTER]);
        take(Before::Living, &[EDIT], Second::Stops, &[RENEW, DEACTIVATE]);
        take(Before::Refused, &[REMOVE], Second::Stops, &[REGISTER]);
        take(Before::Arriving, &[IMPORT_TOKENS], Second::Stops, &[IMPORT_TOKENS, FIX]);
    };
}

/// Hooks are programs: sh stands on every such system.
#[cfg(unix)]
mod reminding {
    use super::*;
    use jobs::REMIND;

    in_both_vaults! {
        of_reminders / in_a_file_of_reminders_in_the_keyring: |take| {
            take(Before::Due, &[REMIND], Second::Ends, &[REMIND]);
            both_ways(take, Before::Due, &[REMIND], &[RENEW, DEACTIVATE, TOKEN, IMPORT, EXPORT, PRUNE, FIX]);
        };
    }
}

#[test]
fn of_other_recipients() {
    both_ways(sealed, Before::Living, &[RECIPIENTS], &OF_ONE);
    both_ways(sealed, Before::Living, &[RECIPIENTS], &OF_ALL);
    sealed(Before::Living, &[RECIPIENTS], Second::Ends, &[RECIPIENTS]);
    both_ways(sealed, Before::HandedOff, &[RECIPIENTS], &[COMPLETE, HAND_OFF]);
    both_ways(sealed, Before::Nothing, &[RECIPIENTS], &[REGISTER, REGISTER_LINK]);
    both_ways(sealed, Before::Waiting, &[RECIPIENTS], &[TAKE, DISCARD]);
    both_ways(sealed, Before::Arriving, &[RECIPIENTS], &[IMPORT_TOKENS]);
    both_ways(sealed, Before::Restored, &[RECIPIENTS], &[ADOPT]);
    sealed(Before::Living, &[RECIPIENTS], Second::Stops, &[TOKEN, RENEW, DEACTIVATE]);
}

/// A move between vaults beside everything else, and both of them stopped.
fn of_a_vaults_move(take: fn(Before, &[Job], Second, &[Job]), it: Job) {
    both_ways(take, Before::Living, &[it], &OF_ONE);
    both_ways(take, Before::Living, &[it], &OF_ALL);
    take(Before::Living, &[it], Second::Ends, &[it, TO_SEALED, TO_KEYRING]);
    both_ways(take, Before::HandedOff, &[it], &[COMPLETE, HAND_OFF]);
    both_ways(take, Before::Nothing, &[it], &[REGISTER, REGISTER_LINK]);
    both_ways(take, Before::Waiting, &[it], &[TAKE, DISCARD]);
    both_ways(take, Before::Arriving, &[it], &[IMPORT_TOKENS]);
    both_ways(take, Before::Restored, &[it], &[ADOPT]);
    take(Before::Living, &[it], Second::Stops, &[TOKEN, RENEW, DEACTIVATE]);
}

#[test]
fn in_a_file_of_a_move_into_the_keyring() {
    of_a_vaults_move(sealed, TO_KEYRING);
    both_ways(sealed, Before::Living, &[TO_KEYRING], &[RECIPIENTS]);
}

#[test]
fn in_a_file_of_a_move_out_of_the_keyring() {
    of_a_vaults_move(in_keyring, TO_SEALED);
}
