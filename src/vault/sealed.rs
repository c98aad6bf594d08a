//! The sealed vault: secrets encrypted to age recipients, opened with this host's own identity.

use super::SealedBytes;
use super::binding::{OpenedSecret, SealerKey};
use super::envelope::{Envelope, Opener, Sealer};
use crate::error::clean;
use crate::error::{Error, Result, UnsealError, VaultError};
use crate::model::flow::SecretPlace;
use crate::model::seal::{ExpectedSeal, SealLabel};
use crate::model::secret::Sealable;
use crate::system::PassphrasePrompt;
use crate::system::files::{self, FileSensitivity};
use age::armor::ArmoredReader;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// No identity file is longer; what is isn't one.
const LONGEST: u64 = 64 * 1024;

/// This host's identity file, and who may be asked for the passphrase that wraps it.
#[derive(Debug, Clone)]
pub struct IdentityFile {
    path: PathBuf,
    credential: bool,
    asker: Option<PassphrasePrompt>,
}

impl IdentityFile {
    /// A file of ours; nobody is asked.
    pub fn at(path: &Path) -> Self {
        Self { path: path.into(), credential: false, asker: None }
    }

    /// It's handed over by systemd: it may belong to root.
    pub fn from_systemd(self, credential: bool) -> Self {
        Self { credential, ..self }
    }

    /// Asks where it's wrapped.
    pub fn asking(self, asker: PassphrasePrompt) -> Self {
        Self { asker: Some(asker), ..self }
    }
}

impl From<&Path> for IdentityFile {
    fn from(path: &Path) -> Self {
        Self::at(path)
    }
}

impl From<&PathBuf> for IdentityFile {
    fn from(path: &PathBuf) -> Self {
        Self::at(path)
    }
}

/// Seals to recipients, and opens with the identity of this host.
pub struct SealedVault {
    identity: IdentityFile,
    recipients: Vec<String>,
    keys: OnceLock<Keys>,
}

/// What the identity file and the configured recipients come to.
struct Keys {
    opener: Opener,
    own: Recipient,
    sealer: SealerKey,
    /// Some of `recipients` is one of this host's own.
    opens_here: bool,
    recipients: Vec<Recipient>,
}

impl SealedVault {
    pub(super) fn new(identity: IdentityFile, recipients: Vec<String>) -> Self {
        Self { identity, recipients, keys: OnceLock::new() }
    }

    /// Proves that the identity can be read, and that what is sealed opens with it. Where none of the recipients
    /// is this host, sealing is all that can be proven.
    pub(super) fn probe(&self, secret: &Sealable) -> Result<()> {
        let keys = self.keys()?;
        let proven = |sealed: SealedBytes| match keys.opener.open_bare(&sealed, "the probe") {
            Ok(opened) if opened.bytes() == secret.bytes() => Ok(()),
            _ => Err(VaultError::Unfaithful),
        };
        proven(Sealer::to(std::slice::from_ref(&keys.own), None)?.close_bare(secret)?)?;
        let sealed = Sealer::to(&keys.recipients, None)?.close_bare(secret)?;
        if keys.opens_here {
            proven(sealed)?;
        }
        Ok(())
    }

    /// What of the others is no recipient, is left out: nobody can open what is sealed to it.
    pub(super) fn envelope(
        &self,
        label: &SealLabel,
        memo: &Sealable,
        also: &[String],
    ) -> Result<(Envelope, SecretPlace)> {
        Ok((self.another_envelope()?, self.seal_memo(label, memo, also).map(SecretPlace::Blob)?))
    }

    pub(super) fn seal_memo(
        &self,
        label: &SealLabel,
        memo: &Sealable,
        also: &[String],
    ) -> Result<SealedBytes> {
        let keys = self.keys()?;
        let mut to = vec![keys.own.clone()];
        for text in also {
            match recipient(text) {
                Ok(other) if !to.contains(&other) => to.push(other),
                Ok(_) => {}
                Err(e) => tracing::warn!("could not seal to a host in the ledger's list: {e}"),
            }
        }
        Sealer::to(&to, Some(&keys.sealer))?.close(label, memo)
    }

    pub(super) fn another_envelope(&self) -> Result<Envelope> {
        let keys = self.keys()?;
        let sealer = Some(&keys.sealer);
        Ok(Envelope {
            code: Sealer::to(std::slice::from_ref(&keys.own), sealer)?,
            answer: Sealer::to(&keys.recipients, sealer)?,
        })
    }

    pub(super) fn own_recipient(&self) -> Result<String> {
        Ok(self.keys()?.own.to_string())
    }

    /// Those that are configured, or where none are, this host's own.
    pub(super) fn recipients(&self) -> Result<Vec<String>> {
        match self.recipients.as_slice() {
            [] => Ok(vec![self.own_recipient()?]),
            named => Ok(named.to_vec()),
        }
    }

    pub(super) fn opener(&self) -> Result<Opener> {
        Ok(self.keys()?.opener.clone())
    }

    pub(super) fn reopen_memo(&self, memo: &SealedBytes, row: &ExpectedSeal) -> Result<(Sealable, Opener)> {
        Ok((self.open(memo, row)?, self.opener()?))
    }

    pub(super) fn seal(&self, label: &SealLabel, secret: &Sealable) -> Result<SealedBytes> {
        let keys = self.keys()?;
        Sealer::to(&keys.recipients, Some(&keys.sealer))?.close(label, secret)
    }

    pub(super) fn seal_own(&self, label: &SealLabel, secret: &Sealable) -> Result<SealedBytes> {
        let keys = self.keys()?;
        Sealer::to(std::slice::from_ref(&keys.own), Some(&keys.sealer))?.close(label, secret)
    }

    /// How many may read what is sealed here.
    pub(super) fn count_recipients(&self) -> Result<usize> {
        Ok(self.keys()?.recipients.len())
    }

    pub(super) fn open(&self, sealed: &SealedBytes, row: &ExpectedSeal) -> Result<Sealable> {
        self.open_labeled(sealed, row).map(|(secret, _)| secret)
    }

    pub(super) fn open_labeled(
        &self,
        sealed: &SealedBytes,
        row: &ExpectedSeal,
    ) -> Result<(Sealable, Option<SealLabel>)> {
        self.or_foreign(|opener| opener.open_labeled(sealed, row))
    }

    /// Whether the identity was read already.
    pub(super) fn is_open(&self) -> bool {
        self.keys.get().is_some()
    }

    pub(super) fn unseal(&self, sealed: &SealedBytes, whose: &str) -> Result<OpenedSecret> {
        self.or_foreign(|opener| opener.unseal(sealed, whose))
    }

    fn or_foreign<T>(&self, open: impl FnOnce(&Opener) -> Result<T>) -> Result<T> {
        let keys = self.keys()?;
        open(&keys.opener).map_err(|e| match e {
            Error::Vault(VaultError::Sealed { what, reason: UnsealError::OtherIdentity })
                if !keys.opens_here =>
            {
                VaultError::Foreign { what, recipients: self.recipients.clone() }.into()
            }
            other => other,
        })
    }

    /// Read on first use, and once.
    fn keys(&self) -> Result<&Keys> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let identities = read_identities(&self.identity)?;
        let all_own: Vec<Recipient> = identities.iter().map(Identity::to_public).collect();
        let own = first(&self.identity.path, &all_own)?.clone();
        let sealer = SealerKey::of(first(&self.identity.path, &identities)?);
        let recipients = match self.recipients.as_slice() {
            [] => vec![own.clone()],
            named => named.iter().map(|text| recipient(text)).collect::<Result<_>>()?,
        };
        let opens_here = recipients.iter().any(|r| all_own.contains(r));
        let alone = recipients.iter().all(|r| all_own.contains(r));
        let keys = Keys { opener: Opener::with(identities, alone), own, sealer, opens_here, recipients };
        Ok(self.keys.get_or_init(|| keys))
    }
}

/// Makes a new identity in a file that must not exist yet, 0600; returns its recipient.
pub fn create_identity(path: &Path) -> Result<String> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty() && !f.exists()) {
        files::ensure_folder(folder)?;
    }
    let identity = Identity::generate();
    let recipient = identity.to_public().to_string();
    let key = identity.to_string();
    // As age-keygen writes it.
    let mut content = Zeroizing::new(String::with_capacity(512));
    for piece in ["# public key: ", &recipient, "\n", key.expose_secret(), "\n"] {
        content.push_str(piece);
    }
    if path.symlink_metadata().is_ok() {
        return Err(VaultError::IdentityExists { path: path.display().to_string() }.into());
    }
    files::write_new_private(path, content.as_bytes()).map_err(as_identity)?;
    Ok(recipient)
}

/// The recipient of this host's identity file, which is made where there is none. One without a byte is none: whoever made it
/// was killed before it wrote anything, and nothing was ever sealed to it.
pub fn find_or_create_identity(identity: impl Into<IdentityFile>) -> Result<String> {
    let identity = identity.into();
    if identity.credential {
        return recipient_of(identity);
    }
    files::remove_empty(&identity.path).map_err(as_identity)?;
    match identity.path.symlink_metadata() {
        Ok(_) => recipient_of(identity),
        // Another process may have made one by now.
        Err(_) => create_identity(&identity.path).or_else(|e| match identity.path.symlink_metadata() {
            Ok(_) => recipient_of(identity),
            Err(_) => Err(e),
        }),
    }
}

/// The recipient of an identity file: of its first identity, to which this host seals.
pub fn recipient_of(identity: impl Into<IdentityFile>) -> Result<String> {
    let identity = identity.into();
    let identities = read_identities(&identity)?;
    Ok(first(&identity.path, &identities)?.to_public().to_string())
}

/// Whether a text is a recipient that a vault can seal to.
pub fn check_recipient(text: &str) -> Result<()> {
    recipient(text).map(drop)
}

/// What opens what is sealed to an identity file.
pub(super) fn opener(identity: &IdentityFile) -> Result<Opener> {
    let identities = read_identities(identity)?;
    first(&identity.path, &identities)?;
    Ok(Opener::with(identities, false))
}

pub(super) fn recipient(text: &str) -> Result<Recipient> {
    text.trim().parse().map_err(|_| {
        // defense: S28 identity-is-not-repeated
        let reason = if text.to_uppercase().contains("AGE-SECRET-KEY-") {
            // It must not be shown again, pasted behind its recipient neither.
            return VaultError::Recipient {
                recipient: "AGE-SECRET-KEY-…".into(),
                reason: "it is an identity, which is a secret".into(),
            }
            .into();
        } else if text.trim().starts_with("age1") {
            "a character is wrong or missing, or it isn't an X25519 recipient"
        } else {
            "it doesn't begin with age1"
        };
        Error::from(VaultError::Recipient { recipient: clean(text), reason: reason.into() })
    })
}

fn first<'a, T>(path: &Path, all: &'a [T]) -> Result<&'a T> {
    all.first().ok_or_else(|| unusable(path, "it contains no identity"))
}

fn unusable(path: &Path, reason: impl ToString) -> Error {
    VaultError::Identity { path: path.display().to_string(), reason: reason.to_string() }.into()
}

/// What a file or its folder has wrong, as the identity's.
fn as_identity(e: Error) -> Error {
    match e {
        Error::File { path, reason } => VaultError::ExposedIdentity { path, reason }.into(),
        other => other,
    }
}

/// All identities of a file in age's own format: one a line, with comments between them; or that, wrapped by a
/// passphrase (`age -p`).
fn read_identities(file: &IdentityFile) -> Result<Vec<Identity>> {
    let path = file.path.as_path();
    let opened = files::open_provided(path, FileSensitivity::Secret).map_err(as_identity)?;
    let opened = opened.ok_or_else(|| unusable(path, "there is no such file"))?;
    let bytes = read_bytes(opened).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => unusable(path, "it isn't an identity file"),
        _ => unusable(path, e),
    })?;
    let wrapped = bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE");
    let bytes = if wrapped { unwrap(file, &bytes)? } else { bytes };
    let text = str::from_utf8(&bytes).map_err(|_| unusable(path, "it isn't an identity file"))?;
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, line)| {
            line.parse()
                .map_err(|_| unusable(path, format!("its line {} isn't an X25519 age identity", at + 1)))
        })
        .collect()
}

/// Opens a wrapped identity file with the passphrase that a person types.
fn unwrap(file: &IdentityFile, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let shown = || file.path.display().to_string();
    let question = format!("Passphrase of {}", clean(&shown()));
    let Some(passphrase) = file.asker.as_ref().and_then(|asker| asker.ask(&question)) else {
        return Err(VaultError::Passphrase { path: shown() }.into());
    };
    let identity = age::scrypt::Identity::new(passphrase?);
    let open = || {
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(wrapped))?;
        let mut reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))?;
        // Never longer than what was wrapped, so the buffer never moves and leaves no copy behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(wrapped.len()));
        reader.read_to_end(&mut plain)?;
        Ok(plain)
    };
    open().map_err(|e: DecryptError| match e {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            VaultError::WrongPassphrase { path: shown() }.into()
        }
        DecryptError::NoMatchingKeys => {
            unusable(&file.path, "it is sealed to a key, not protected by a passphrase")
        }
        DecryptError::ExcessiveWork { .. } => {
            unusable(&file.path, "its passphrase would take too long to try")
        }
        _ => unusable(&file.path, "it is damaged"),
    })
}

fn read_bytes(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = file.metadata()?.len();
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // With room to spare, so that the buffer never moves and leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length as usize + 64));
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vault_kind::VaultKind;
    use crate::system::OsRandom;
    use crate::vault::Vault;
    use crate::vault::trial::{label, row};
    use std::fs;

    struct Host {
        folder: tempfile::TempDir,
        recipient: String,
    }

    impl Host {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let recipient = create_identity(&folder.path().join("identity.txt")).unwrap();
            Self { folder, recipient }
        }

        fn identity(&self) -> PathBuf {
            self.folder.path().join("identity.txt")
        }

        fn vault(&self, recipients: &[&str]) -> Vault {
            Vault::sealed(&self.identity(), recipients.iter().map(|r| r.to_string()).collect())
        }
    }

    fn secret(text: &str) -> Sealable {
        Sealable::from_bytes(text.as_bytes().to_vec())
    }

    fn message<T>(result: Result<T>) -> String {
        match result {
            Ok(_) => panic!("it should have failed"),
            Err(e) => {
                assert_eq!(e.exit(), 7, "{e}");
                assert!(e.hint().is_some());
                e.to_string()
            }
        }
    }

    #[test]
    fn a_secret_comes_back_and_so_does_an_envelope() {
        let host = Host::new();
        let vault = host.vault(&[&host.recipient]);
        assert_eq!(vault.kind(), VaultKind::Sealed);
        vault.probe("probe", &OsRandom).unwrap();

        let place = vault.put("item", &label(), &secret("tokens")).unwrap();
        assert_eq!(vault.get(&place, &row()).unwrap().bytes(), b"tokens");
        vault.forget(&place).unwrap();

        let (envelope, memo) = vault.envelope("memo", &label(), &secret("verifier"), &[]).unwrap();
        let code = envelope.code.close(&label(), &secret("code")).unwrap();
        let answer = envelope.answer.close(&label(), &secret("answer")).unwrap();
        // Another process, after a crash.
        let (again, opener) = host.vault(&[&host.recipient]).reopen_memo(&memo, &row()).unwrap();
        assert_eq!(again.bytes(), b"verifier");
        assert_eq!(opener.open(&code, &row()).unwrap().bytes(), b"code");
        assert_eq!(opener.open(&answer, &row()).unwrap().bytes(), b"answer");
        assert_eq!(vault.get(&SecretPlace::Blob(answer), &row()).unwrap().bytes(), b"answer");
    }

    #[test]
    fn an_answer_goes_to_the_recipients_but_memo_and_code_to_this_host_alone() {
        let (here, there) = (Host::new(), Host::new());
        let vault = here.vault(&[&there.recipient]);
        vault.probe("probe", &OsRandom).unwrap();
        let (envelope, memo) = vault.envelope("memo", &label(), &secret("verifier"), &[]).unwrap();
        let code = envelope.code.close(&label(), &secret("code")).unwrap();
        let answer = SecretPlace::Blob(envelope.answer.close(&label(), &secret("answer")).unwrap());
        let other = there.vault(&[]);
        assert_eq!(vault.reopen_memo(&memo, &row()).unwrap().1.open(&code, &row()).unwrap().bytes(), b"code");
        assert_eq!(other.get(&answer, &row()).unwrap().bytes(), b"answer");
        let foreign = message(vault.get(&answer, &row()));
        assert!(foreign.contains("OCM-1") && foreign.contains(&there.recipient), "{foreign}");
        for foreign in
            [message(other.reopen_memo(&memo, &row())), message(other.get(&SecretPlace::Blob(code), &row()))]
        {
            assert!(foreign.contains("OCM-1") && foreign.contains("another identity"), "{foreign}");
        }
    }

    #[test]
    fn a_memo_opens_where_it_was_sealed_to_and_its_code_is_sealed_anew_there() {
        let (here, there, elsewhere) = (Host::new(), Host::new(), Host::new());
        let also = [there.recipient.clone(), here.recipient.clone(), "age1nonsense".into(), String::new()];
        let (_, memo) =
            here.vault(&[&here.recipient]).envelope("memo", &label(), &secret("verifier"), &also).unwrap();
        for host in [&here, &there] {
            let vault = host.vault(&[&here.recipient]);
            let (opened, opener) = vault.reopen_memo(&memo, &row()).unwrap();
            assert_eq!(opened.bytes(), b"verifier");
            let code =
                vault.another_envelope(&opener).unwrap().code.close(&label(), &secret("code")).unwrap();
            assert_eq!(opener.open(&code, &row()).unwrap().bytes(), b"code");
        }
        message(elsewhere.vault(&[]).reopen_memo(&memo, &row()));
    }

    #[test]
    fn several_recipients_can_each_open() {
        let (here, there) = (Host::new(), Host::new());
        let place = here
            .vault(&[&here.recipient, &there.recipient])
            .put("item", &label(), &secret("tokens"))
            .unwrap();
        for host in [&here, &there] {
            assert_eq!(host.vault(&[]).get(&place, &row()).unwrap().bytes(), b"tokens");
        }
    }

    #[test]
    fn the_first_identity_seals_and_all_open() {
        let (old, new) = (Host::new(), Host::new());
        let sealed_before = old.vault(&[]).put("item", &label(), &secret("tokens")).unwrap();
        let both = fs::read_to_string(new.identity()).unwrap()
            + "\r\n# retired\r\n"
            + &fs::read_to_string(old.identity()).unwrap();
        fs::write(new.identity(), both).unwrap();
        assert_eq!(recipient_of(&new.identity()).unwrap(), new.recipient);
        assert_eq!(new.vault(&[]).get(&sealed_before, &row()).unwrap().bytes(), b"tokens");
    }

    #[test]
    fn opening_touches_nothing() {
        let vault = Vault::sealed(Path::new("/nowhere/identity.txt"), vec!["nonsense".into()]);
        assert!(message(vault.put("item", &label(), &secret("x"))).contains("there is no such file"));
    }

    #[test]
    fn an_identity_is_never_overwritten_and_only_ours_to_read() {
        let host = Host::new();
        let before = fs::read(host.identity()).unwrap();
        assert!(message(create_identity(&host.identity())).contains("never overwritten"));
        assert_eq!(fs::read(host.identity()).unwrap(), before);
        assert_eq!(recipient_of(&host.identity()).unwrap(), host.recipient);
        let text = String::from_utf8(before).unwrap();
        assert!(
            text.starts_with(&format!("# public key: {}\nAGE-SECRET-KEY-1", host.recipient)),
            "age's format"
        );
    }

    #[cfg(unix)]
    #[test]
    fn an_identity_that_others_can_read_or_lay_is_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let host = Host::new();
        let mode = fs::metadata(host.identity()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = host.folder.path().join("link");
        symlink(host.identity(), &link).unwrap();
        assert_eq!(recipient_of(&link).unwrap(), host.recipient);
        assert!(message(create_identity(&link)).contains("never overwritten"));
        symlink("/nowhere", host.folder.path().join("dangling")).unwrap();
        message(create_identity(&host.folder.path().join("dangling")));
        let folder = host.folder.path();
        for (path, mode, says) in [
            (host.identity(), 0o604, "chmod 600"),
            (host.identity(), 0o620, "chmod go-w"),
            (folder.to_owned(), 0o770, "chmod go-w"),
        ] {
            let before = fs::metadata(&path).unwrap().permissions();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            for identity in [host.identity(), link.clone()] {
                assert!(message(recipient_of(&identity)).contains(says), "{mode:o}");
            }
            fs::set_permissions(&path, before).unwrap();
        }
        assert_eq!(recipient_of(&link).unwrap(), host.recipient);
    }

    #[test]
    fn what_is_no_identity_is_said_without_being_shown() {
        let host = Host::new();
        for (content, says) in [
            (&b""[..], "contains no identity"),
            (b"# only a comment\n", "contains no identity"),
            (b"\n\nAGE-SECRET-KEY-1CANARY\n", "line 3"),
            (b"AGE-PLUGIN-CANARY-1QQ\n", "line 1"),
            (b"age-encryption.org/v1\n-> scrypt canary", "not interactive"),
            (b"\xff\xfe\x00canary", "isn't an identity file"),
        ] {
            fs::write(host.identity(), content).unwrap();
            let said = message(recipient_of(&host.identity()));
            assert!(said.contains(says) && !said.to_lowercase().contains("canary"), "{said}");
        }
    }

    #[test]
    fn a_recipient_that_is_none_is_named_unless_it_is_a_secret() {
        let host = Host::new();
        for (recipient, says) in [
            ("ssh-ed25519 AAAA", "begin with age1"),
            (&host.recipient[..40], "character"),
            ("age1\u{1b}[2J", "character"),
        ] {
            let said = message(host.vault(&[recipient]).probe("probe", &OsRandom));
            assert!(said.contains(says) && !said.contains('\u{1b}'), "{said}");
        }
        let file = fs::read_to_string(host.identity()).unwrap();
        let key = file.lines().last().unwrap();
        for pasted in [key.to_owned(), format!("{} {key}", host.recipient), file.clone()] {
            assert!(
                !message(host.vault(&[&pasted]).put("item", &label(), &secret("x"))).contains(key),
                "{pasted}"
            );
        }
    }

    #[test]
    fn a_place_of_the_other_vault_is_told_apart() {
        let host = Host::new();
        let item = SecretPlace::Item("a/ny/6011/OCM-1/1".into());
        let sealed = host.vault(&[]);
        assert!(message(sealed.get(&item, &row())).contains("is in the keyring vault"));
        message(sealed.forget(&item));
        message(sealed.reopen_memo(&item, &row()));
        let blob = sealed.put("item", &label(), &secret("x")).unwrap();
        let keyring = Vault::keyring(crate::system::KeyringThread::of_the_platform());
        assert!(message(keyring.get(&blob, &row())).contains("is in the sealed vault"));
        keyring.forget(&blob).unwrap();
    }
}
