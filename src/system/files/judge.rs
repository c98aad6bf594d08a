//! The rule for what must be private: nobody but this user and root may change it, and no stranger may read a secret.
//! Pure: facts about a file in, what is wrong with it out.

use crate::error::shell;
use std::path::Path;

/// What a file holds, as far as it matters to who may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSensitivity {
    /// A secret, or what is kept about licenses: this user, root and this user's groups may read it.
    Secret,
    /// No secret, but what the program obeys: everybody may read it.
    Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    File,
    Folder,
    Link,
    Other,
}

/// What the system says of a file or folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileFacts {
    pub(super) kind: FileKind,
    pub(super) owner: u32,
    pub(super) group: u32,
    /// Permission bits, with set-id and sticky bits.
    pub(super) mode: u32,
    /// How many names it has.
    pub(super) names: u64,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct ProcessUser {
    pub(super) number: u32,
    pub(super) groups: Vec<u32>,
}

const ROOT: u32 = 0;
const STICKY: u32 = 0o1000;

impl ProcessUser {
    fn trusts(&self, owner: u32) -> bool {
        owner == self.number || owner == ROOT
    }

    /// Root's own group has nobody in it who isn't as good as root; the bits of a file that systemd hands over are those
    /// of its access list (systemd.exec(5)).
    fn is_in(&self, group: u32) -> bool {
        // On macOS nearly every account of the machine is in this one, "staff".
        const EVERYBODY: u32 = 20;
        let is_everybody = cfg!(target_os = "macos") && group == EVERYBODY;
        group == ROOT || !is_everybody && self.groups.contains(&group)
    }
}

/// What is wrong with a plain file, told with the command that fixes it; nothing where it is as it must be.
pub(super) fn file(
    path: &Path,
    facts: &FileFacts,
    user: &ProcessUser,
    holds: FileSensitivity,
) -> Result<(), String> {
    // defense: S30 plain-files-alone
    if facts.kind != FileKind::File {
        return Err("it must be a plain file, not a link: put the file itself there".into());
    }
    let fits = |facts: &FileFacts| is_closed(facts, user, holds) && can_be_read(facts, user);
    let remedy = || remedy(path, facts, user, fits);
    if !user.trusts(facts.owner) {
        return Err(of_another(facts, &remedy()));
    }
    // defense: S55 nobody-else-changes-it
    if facts.mode & 0o022 != 0 {
        return Err(changed_by_others(facts, &remedy()));
    }
    // defense: S30 no-file-open-to-others
    if holds == FileSensitivity::Secret && facts.mode & 0o004 != 0 {
        return Err(format!(
            "other users can read it (mode {}). {}",
            shown(facts),
            closing(facts, user, &remedy())
        ));
    }
    // defense: S55 no-secret-for-another-group
    if holds == FileSensitivity::Secret && facts.mode & 0o040 != 0 && !user.is_in(facts.group) {
        let (mode, group) = (shown(facts), facts.group);
        return Err(format!(
            "a group that this user isn't in (gid {group}) can read it (mode {mode}). {}",
            closing(facts, user, &remedy())
        ));
    }
    // defense: S30 no-second-name
    if facts.owner == user.number && facts.names > 1 {
        return Err("it has another hard link: replace it with a copy".into());
    }
    Ok(())
}

/// Whether nobody but who may changes or reads a file.
fn is_closed(facts: &FileFacts, user: &ProcessUser, holds: FileSensitivity) -> bool {
    let is_open = facts.mode & 0o004 != 0 || facts.mode & 0o040 != 0 && !user.is_in(facts.group);
    user.trusts(facts.owner) && facts.mode & 0o022 == 0 && (holds == FileSensitivity::Settings || !is_open)
}

/// Whether this user can read it.
fn can_be_read(facts: &FileFacts, user: &ProcessUser) -> bool {
    user.number == ROOT
        || match (facts.owner == user.number, user.groups.contains(&facts.group)) {
            (true, _) => facts.mode & 0o400 != 0,
            (_, true) => facts.mode & 0o040 != 0,
            _ => facts.mode & 0o004 != 0,
        }
}

/// What is wrong with whose it is.
#[cfg(unix)]
pub(super) fn owner(path: &Path, facts: &FileFacts, user: &ProcessUser) -> Result<(), String> {
    // defense: S30 no-file-of-another-user
    if !user.trusts(facts.owner) {
        return Err(of_another(facts, &remedy(path, facts, user, |_| true)));
    }
    Ok(())
}

/// What is wrong with a folder that holds what must be private. In one that is shared and sticky, as /tmp is, only a
/// file's owner can put something else in its place; in one that can't be written, nobody can.
pub(super) fn folder(
    path: &Path,
    facts: &FileFacts,
    user: &ProcessUser,
    is_read_only: bool,
) -> Result<(), String> {
    if facts.kind != FileKind::Folder {
        return Err(NO_FOLDER.into());
    }
    let is_open = |facts: &FileFacts| facts.mode & 0o022 != 0 && facts.mode & STICKY == 0 && !is_read_only;
    let remedy = || remedy(path, facts, user, |facts| !is_open(facts));
    // defense: S55 no-folder-of-another-user
    if !user.trusts(facts.owner) {
        return Err(of_another(facts, &remedy()));
    }
    // defense: S55 nobody-else-writes-the-folder
    if is_open(facts) {
        return Err(changed_by_others(facts, &remedy()));
    }
    Ok(())
}

/// The same of a folder that the program puts its own files into.
pub(super) fn own_folder(path: &Path, facts: &FileFacts, user: &ProcessUser) -> Result<(), String> {
    folder(path, facts, user, false).map_err(|said| format!("{said}{}", instead(path, facts, user)))
}

/// What is wrong with a folder that is to be this program's alone, as /tmp never can be.
pub(super) fn shared_folder(facts: &FileFacts) -> Result<(), String> {
    match facts.mode & STICKY != 0 && facts.mode & 0o022 != 0 {
        true => Err(format!(
            "all users of this machine share it (mode {}): use a folder in it that belongs to you alone",
            shown(facts)
        )),
        false => Ok(()),
    }
}

/// What is wrong with a folder that should be closed to all others.
pub(super) fn closed_folder(path: &Path, facts: &FileFacts, user: &ProcessUser) -> Result<(), String> {
    own_folder(path, facts, user)?;
    match facts.owner == user.number && facts.mode & 0o077 != 0 {
        true => Err(format!(
            "it's open to other users (mode {}). Fix it: {}",
            shown(facts),
            command(&["chmod", "700"], path)
        )),
        false => Ok(()),
    }
}

/// What is wrong with a link on the way to a file. Where it leads is judged for itself.
pub(super) fn link(facts: &FileFacts, user: &ProcessUser) -> Result<(), String> {
    // defense: S55 no-link-of-another-user
    if facts.kind != FileKind::Link || !user.trusts(facts.owner) {
        return Err(format!("it's a link that another user (uid {}) made: remove it", facts.owner));
    }
    Ok(())
}

pub(super) const NO_FOLDER: &str = "it must be a folder, not a link or a file: put the folder itself there";

fn of_another(facts: &FileFacts, remedy: &Remedy) -> String {
    format!(
        "it belongs to another user (uid {}), who can change what is in it. Run this as that user; or, if everything in it is yours, have root give it to you: {}",
        facts.owner, remedy.commands
    )
}

/// A folder that isn't ours and that we can write, as a volume that a container is given, needn't be changed by anybody.
fn instead(path: &Path, facts: &FileFacts, user: &ProcessUser) -> String {
    let is_writable =
        facts.mode & 0o002 != 0 || facts.mode & 0o020 != 0 && user.groups.contains(&facts.group);
    match facts.kind == FileKind::Folder && facts.owner != user.number && is_writable {
        true => {
            let below = path.join("biotrack-auth");
            let below = shell([&*below.to_string_lossy()]);
            format!(". Or name a folder in it, which is made for this user alone: BIOTRACK_AUTH_HOME={below}")
        }
        false => String::new(),
    }
}

fn changed_by_others(facts: &FileFacts, remedy: &Remedy) -> String {
    let who = if facts.mode & 0o002 != 0 { "every user" } else { "its group" };
    format!("{who} can change it (mode {}). {}", shown(facts), remedy.told())
}

/// How a secret is closed to strangers.
fn closing(facts: &FileFacts, user: &ProcessUser, remedy: &Remedy) -> String {
    match facts.owner == user.number {
        true => remedy.told(),
        false => format!("{} (for a secret of Kubernetes: defaultMode: 0440, with fsGroup)", remedy.told()),
    }
}

/// What makes of a file or folder what it must be.
struct Remedy {
    /// One behind the other, as a shell takes them.
    commands: String,
    /// Its owner can do it, which is this user.
    by_us: bool,
}

impl Remedy {
    fn told(&self) -> String {
        let who = if self.by_us { "Fix it" } else { "Root can fix it" };
        format!("{who}: {}", self.commands)
    }
}

/// The least that makes it fit: whose it is, its mode, and where no mode is enough, its group, so that this user can still read it.
fn remedy(path: &Path, facts: &FileFacts, user: &ProcessUser, fits: impl Fn(&FileFacts) -> bool) -> Remedy {
    let is_given = !user.trusts(facts.owner);
    let owner = if is_given { user.number } else { facts.owner };
    let theirs = FileFacts { owner, ..*facts };
    let modes = |facts: FileFacts| {
        let closed = FileFacts { mode: facts.mode & !0o022, ..facts };
        let (word, mode) = if owner == user.number { ("600", 0o600) } else { ("440", 0o440) };
        [(None, facts), (Some("go-w"), closed), (Some(word), FileFacts { mode, ..facts })]
    };
    let grouped = user.groups.iter().rev().map(|group| (Some(*group), FileFacts { group: *group, ..theirs }));
    let ways = std::iter::once((None, theirs)).chain(grouped);
    let mut ways = ways.flat_map(|(group, facts)| modes(facts).map(|(mode, facts)| (group, mode, facts)));
    let (group, mode, _) = ways.find(|(_, _, facts)| fits(facts)).unwrap_or((None, Some("go-w"), theirs));
    let number = |number: u32| number.to_string();
    let given = is_given.then(|| command(&["chown", &number(user.number)], path));
    let grouped = group.map(|group| command(&["chgrp", &number(group)], path));
    let closed = mode.map(|mode| command(&["chmod", mode], path));
    let commands: Vec<_> = [given, grouped, closed].into_iter().flatten().collect();
    Remedy { commands: commands.join(" && "), by_us: facts.owner == user.number && group.is_none() }
}

fn command(words: &[&str], path: &Path) -> String {
    let path = path.to_string_lossy();
    shell(words.iter().copied().chain([&*path]))
}

fn shown(facts: &FileFacts) -> String {
    format!("{:04o}", facts.mode & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u32 = 1000;

    fn user() -> ProcessUser {
        ProcessUser { number: US, groups: vec![1000, 2000] }
    }

    fn facts(kind: FileKind, owner: u32, group: u32, mode: u32) -> FileFacts {
        FileFacts { kind, owner, group, mode, names: 1 }
    }

    #[test]
    fn a_file_is_ours_or_roots_and_nobody_else_may_change_it_or_read_a_secret() {
        // Owner, group, mode; whether it may hold settings, and a secret.
        for (owner, group, mode, settings, secret) in [
            (US, US, 0o600, true, true),
            (US, US, 0o400, true, true),
            (US, US, 0o640, true, true),
            (US, 2000, 0o440, true, true),
            (US, 3000, 0o640, true, false),
            (US, US, 0o644, true, false),
            (US, US, 0o604, true, false),
            (US, US, 0o660, false, false),
            (US, US, 0o620, false, false),
            (US, US, 0o602, false, false),
            (0, 0, 0o644, true, false),
            (0, 2000, 0o440, true, true),
            (0, 0, 0o440, true, true),
            (0, 3000, 0o440, true, false),
            (0, 0, 0o664, false, false),
            (1001, 1000, 0o600, false, false),
            (1001, 1001, 0o444, false, false),
        ] {
            let facts = facts(FileKind::File, owner, group, mode);
            let path = Path::new("/etc/it's here");
            let judged = |holds| file(path, &facts, &user(), holds);
            assert_eq!(judged(FileSensitivity::Settings).is_ok(), settings, "{owner} {group} {mode:o}");
            assert_eq!(judged(FileSensitivity::Secret).is_ok(), secret, "{owner} {group} {mode:o}");
            if let Err(said) = judged(FileSensitivity::Secret) {
                // What to type, with the name as a shell takes it; and whose or which mode it is.
                assert!(said.contains(r#""/etc/it's here""#), "{said}");
                let commands = ["chmod", "chown 1000 ", "chgrp 2000 "];
                assert!(commands.iter().any(|command| said.contains(command)), "{said}");
                assert!(said.contains(&format!("{mode:04o}")) || said.contains("uid 1001"), "{said}");
            }
        }
    }

    #[test]
    fn root_trusts_nobody_but_root() {
        let root = ProcessUser { number: 0, groups: vec![0] };
        let of = |owner| {
            file(Path::new("f"), &facts(FileKind::File, owner, 0, 0o600), &root, FileSensitivity::Settings)
        };
        assert!(of(0).is_ok());
        assert!(of(US).unwrap_err().contains("chown 0 f"));
    }

    #[test]
    fn a_second_name_of_ours_is_refused_and_one_of_roots_is_not() {
        let named = |owner| FileFacts { names: 2, ..facts(FileKind::File, owner, 0, 0o400) };
        assert!(file(Path::new("f"), &named(US), &user(), FileSensitivity::Settings).is_err());
        assert!(file(Path::new("f"), &named(0), &user(), FileSensitivity::Settings).is_ok());
    }

    #[test]
    fn in_a_folder_nobody_else_can_put_something_in_a_files_place() {
        for (owner, mode, read_only, fine) in [
            (US, 0o700, false, true),
            (US, 0o755, false, true),
            (0, 0o755, false, true),
            // /tmp, and the mount of a Kubernetes secret.
            (0, 0o1777, false, true),
            (US, 0o775, false, false),
            (0, 0o2775, false, false),
            (0, 0o777, false, false),
            // The mount of a Kubernetes config map.
            (0, 0o777, true, true),
            (1001, 0o700, false, false),
            (1001, 0o1777, false, false),
            (1001, 0o555, true, false),
        ] {
            let facts = facts(FileKind::Folder, owner, owner, mode);
            assert_eq!(folder(Path::new("f"), &facts, &user(), read_only).is_ok(), fine, "{owner} {mode:o}");
        }
        assert!(folder(Path::new("f"), &facts(FileKind::File, US, US, 0o700), &user(), false).is_err());
        assert!(shared_folder(&facts(FileKind::Folder, US, US, 0o1777)).is_err());
    }

    #[test]
    fn on_a_volume_that_we_may_write_a_folder_in_it_is_named() {
        let said = |owner, group, mode| {
            let facts = facts(FileKind::Folder, owner, group, mode);
            own_folder(Path::new("/data"), &facts, &user()).unwrap_err()
        };
        let named = Path::new("/data").join("biotrack-auth");
        let below = &*format!("BIOTRACK_AUTH_HOME={}", named.display());
        assert!(said(0, 2000, 0o2775).ends_with(below));
        assert!(said(1001, 2000, 0o2770).ends_with(below));
        // Ours is ours to close, and in one that we can't write there is nothing to be made.
        assert!(!said(US, 2000, 0o2775).contains(below));
        assert!(!said(0, 3000, 0o2775).contains(below));
    }

    /// What the commands in a hint make of a file.
    fn followed(said: &str, mut facts: FileFacts) -> FileFacts {
        let commands = said.rsplit_once(": ch").map(|(_, rest)| format!("ch{rest}")).unwrap();
        for command in commands.split(" (for").next().unwrap().split(" && ") {
            let words: Vec<_> = command.split(' ').collect();
            match words[..2] {
                ["chown", owner] => facts.owner = owner.parse().unwrap(),
                ["chgrp", group] => facts.group = group.parse().unwrap(),
                ["chmod", "go-w"] => facts.mode &= !0o022,
                ["chmod", mode] => facts.mode = u32::from_str_radix(mode, 8).unwrap(),
                _ => panic!("{said}"),
            }
        }
        facts
    }

    #[test]
    fn every_hint_mends_it_when_followed() {
        let path = Path::new("f");
        for owner in [US, 0, 1001] {
            for group in [US, 2000, 3000, 0] {
                for mode in 0..0o1000 {
                    let facts = facts(FileKind::File, owner, group, mode);
                    for holds in [FileSensitivity::Settings, FileSensitivity::Secret] {
                        let Err(said) = file(path, &facts, &user(), holds) else { continue };
                        let mended = followed(&said, facts);
                        assert_eq!(file(path, &mended, &user(), holds), Ok(()), "{facts:?}: {said}");
                        assert!(can_be_read(&mended, &user()), "{facts:?}: {said}");
                    }
                    let facts = FileFacts { kind: FileKind::Folder, ..facts };
                    let Err(said) = folder(path, &facts, &user(), false) else { continue };
                    assert_eq!(
                        folder(path, &followed(&said, facts), &user(), false),
                        Ok(()),
                        "{facts:?}: {said}"
                    );
                    assert!(!said.contains("BIOTRACK_AUTH_HOME"), "{said}");
                }
            }
        }
        let foreign = facts(FileKind::File, 0, 3000, 0o440);
        let said = file(path, &foreign, &user(), FileSensitivity::Secret).unwrap_err();
        assert!(said.contains("Root can fix it: chgrp 2000 f (for a secret"), "{said}");
    }

    #[test]
    fn a_link_is_ours_or_roots() {
        assert!(link(&facts(FileKind::Link, US, US, 0o777), &user()).is_ok());
        assert!(link(&facts(FileKind::Link, 0, 0, 0o777), &user()).is_ok());
        assert!(link(&facts(FileKind::Link, 1001, US, 0o777), &user()).is_err());
    }
}
