//! S31: every byte of what is sealed, flipped or with the rest cut off, is noticed. The armored bundle of an export too.

use super::trial::{label, row};
use super::{SealedBytes, Vault, create_identity};
use crate::model::flow::SecretPlace;
use crate::model::secret::Sealable;

#[test]
fn no_byte_of_a_sealed_secret_can_be_changed_or_cut_off_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let identity = folder.path().join("identity.txt");
    create_identity(&identity).unwrap();
    let vault = Vault::sealed(&identity, Vec::new());
    let seal = |text: &[u8]| match vault.put("item", &label(), &Sealable::from_bytes(text.to_vec())).unwrap()
    {
        SecretPlace::Blob(sealed) => sealed.0,
        SecretPlace::Item(item) => panic!("{item}"),
    };
    let (whole, neighbor) =
        (seal(b"canary of a token set"), SecretPlace::Blob(SealedBytes(seal(b"neighbor"))));
    let mut tried = 0;
    for at in 0..whole.len() {
        let flipped = (0..8).map(|bit| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            bytes
        });
        let extended = (at == 0).then(|| [whole.as_slice(), b"\0"].concat());
        for damaged in flipped.chain([whole[..at].to_vec()]).chain(extended) {
            let Err(error) = vault.get(&SecretPlace::Blob(SealedBytes(damaged)), &row()) else {
                panic!("byte {at} of {} was not looked at", whole.len());
            };
            let told = error.to_string();
            assert!(error.exit() == 7 && told.contains("OCM-1") && !told.contains("canary"), "{at}: {told}");
            tried += 1;
        }
        if at % 32 == 0 {
            assert_eq!(vault.get(&neighbor, &row()).unwrap().bytes(), b"neighbor");
        }
    }
    assert_eq!(
        vault.get(&SecretPlace::Blob(SealedBytes(whole.clone())), &row()).unwrap().bytes(),
        b"canary of a token set"
    );
    assert_eq!(tried, whole.len() * 9 + 1);
}
