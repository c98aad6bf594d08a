//! What the vaults cost: `cargo test --release --test keyring_vault costs -- --ignored --nocapture`.

use super::session::{Session, within};
use super::{item, label, row, secret};
use biotrack_auth::system::{KeyringThread, OsRandom};
use biotrack_auth::vault::{Vault, create_identity};
use std::time::Instant;

const ROUNDS: u32 = 200;

fn measure(label: &str, mut work: impl FnMut(u32)) {
    let mut took: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let began = Instant::now();
            work(round);
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    {
        println!("{label}: median {:.3} ms, worst {:.3} ms", took[took.len() / 2], took[took.len() - 1]);
    }
}

fn each(name: &str, vault: &Vault) {
    let tokens = secret(&"t".repeat(2000));
    let began = Instant::now();
    vault.probe(&item(0), &OsRandom).unwrap();
    let first = began.elapsed().as_secs_f64() * 1000.0;
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    {
        println!("{name}: first probe, with the connection: {first:.3} ms");
    }
    measure(&format!("{name} probe"), |_| vault.probe(&item(0), &OsRandom).unwrap());
    let mut places = Vec::new();
    measure(&format!("{name} put"), |round| places.push(vault.put(&item(round), &label(), &tokens).unwrap()));
    measure(&format!("{name} get"), |round| drop(vault.get(&places[round as usize], &row()).unwrap()));
    measure(&format!("{name} forget"), |round| vault.forget(&places[round as usize]).unwrap());
    let mut envelopes = Vec::new();
    measure(&format!("{name} envelope"), |round| {
        envelopes.push(vault.envelope(&item(round), &label(), &secret("verifier"), &[]).unwrap());
    });
    let (mut seals, memos): (Vec<_>, Vec<_>) = envelopes.into_iter().unzip();
    measure(&format!("{name} close of a seal"), |_| {
        drop(seals.pop().unwrap().answer.close(&label(), &tokens).unwrap())
    });
    measure(&format!("{name} unfold"), |round| {
        drop(vault.reopen_memo(&memos[round as usize], &row()).unwrap())
    });
}

#[test]
#[ignore = "a measurement"]
fn costs_are_a_measurement() {
    within(Session::Unlocked, || {
        each("keyring", &Vault::keyring(KeyringThread::of_the_platform()));
        let folder = tempfile::tempdir().unwrap();
        let identity = folder.path().join("identity.txt");
        let recipient = create_identity(&identity).unwrap();
        each("sealed", &Vault::sealed(&identity, vec![recipient]));
    });
}
