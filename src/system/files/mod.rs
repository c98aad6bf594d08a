//! Files that must be private, or that take another's place: each is opened once, in a folder that is open, and judged
//! and changed by its handle. Whoever puts something else there meanwhile finds nobody who looks at it.

#[cfg(any(windows, test))]
mod access_list;
mod disk;
#[cfg(unix)]
mod folder;
#[cfg(not(unix))]
#[path = "folder_by_path.rs"]
mod folder;
#[cfg(all(unix, test))]
#[expect(dead_code, reason = "its parts that don't depend on the system are tested everywhere")]
mod folder_by_path;
mod judge;

#[cfg(windows)]
pub use access_list::{FolderAccess, close, look};
pub use disk::{free_bytes, no_locks_in, remote_file_system, unlockable};
pub use judge::FileSensitivity;

use super::random::{OsRandom, Random};
use crate::error::{Error, Result};
use folder::Folder;
use judge::{FileFacts, FileKind};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// So many links are followed to a file that somebody provides: a Kubernetes secret has two.
const LINKS: usize = 8;

fn fault(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.display().to_string(), reason: reason.to_string() }
}

/// A name in a folder that is open.
struct Entry {
    folder: Folder,
    name: OsString,
    path: PathBuf,
}

impl Entry {
    /// Without a look at whose the folder is.
    fn at(path: &Path) -> io::Result<Self> {
        let folder = Folder::open(path.parent().unwrap_or(Path::new("")))?;
        Ok(Self { folder, name: name_of(path)?, path: path.into() })
    }

    /// Where nobody else can put something in a file's place.
    fn private(path: &Path) -> Result<Self> {
        Self::at(path).map_err(|e| fault(path, e))?.in_a_judged_folder()
    }

    /// The same; `None` where there is no such folder.
    fn if_private(path: &Path) -> Result<Option<Self>> {
        match Self::at(path) {
            Err(e) if is_nothing(&e) => Ok(None),
            found => found.map_err(|e| fault(path, e))?.in_a_judged_folder().map(Some),
        }
    }

    fn in_a_judged_folder(self) -> Result<Self> {
        let path = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let facts = self.folder.facts().map_err(|e| fault(path, e))?;
        judge::folder(path, &facts, &folder::user(), self.folder.is_read_only())
            .map_err(|said| fault(path, said))?;
        Ok(self)
    }

    fn fault(&self, reason: impl ToString) -> Error {
        fault(&self.path, reason)
    }

    fn judged(&self, file: File, holds: FileSensitivity) -> Result<File> {
        // defense: S55 judged-by-the-handle
        let facts = folder::facts_of(&file).map_err(|e| self.fault(e))?;
        self.judge(&facts, holds).map(|()| file)
    }

    fn judge(&self, facts: &FileFacts, holds: FileSensitivity) -> Result<()> {
        judge::file(&self.path, facts, &folder::user(), holds).map_err(|said| self.fault(said))
    }

    /// What was opened of ours, where no link may be; `None` where there is nothing.
    fn ours(&self, opened: io::Result<File>, holds: FileSensitivity) -> Result<Option<File>> {
        match opened {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            // What can't be opened may be no file at all, which says more.
            Err(e) => {
                if let Ok(facts) = self.folder.look(&self.name) {
                    self.judge(&facts, holds)?;
                }
                Err(self.fault(e))
            }
            Ok(file) => self.judged(file, holds).map(Some),
        }
    }

    /// Where a link here leads.
    fn followed(self) -> Result<Self> {
        let facts = self.folder.look(&self.name).map_err(|e| self.fault(e))?;
        // Once it's ours or root's, in such a folder, nobody else can lay another.
        judge::link(&facts, &folder::user()).map_err(|said| self.fault(said))?;
        let target = self.folder.link(&self.name).map_err(|e| self.fault(e))?;
        let (parent, name) = (target.parent().unwrap_or(Path::new("")), name_of(&target));
        let name = name.map_err(|e| self.fault(e))?;
        let folder = self.folder.open_from(parent).map_err(|e| match is_nothing(&e) {
            true => self.fault(format!("it's a link to {}, which doesn't exist", target.display())),
            false => self.fault(e),
        })?;
        let path = self.path.parent().unwrap_or(Path::new("")).join(&target);
        Ok(Self { folder, name, path })
    }

    /// Puts new content here in one step: another file is written, synced and renamed over it.
    fn replace(&self, content: &[u8], mode: u32) -> Result<()> {
        self.by_another(content, mode, |aside| self.folder.rename(aside, &self.name))
    }

    /// Writes a file beside this one that is then given its name, whole and synced.
    fn by_another(
        &self,
        content: &[u8],
        mode: u32,
        name_it: impl FnOnce(&OsStr) -> io::Result<()>,
    ) -> Result<()> {
        let aside = aside(&self.name)?;
        // What can't be written beside it is told by the name that was given.
        let mut file = self.folder.create(&aside).map_err(|e| self.fault(e))?;
        let written = (|| {
            file.write_all(content)?;
            // defense: S55 mode-by-the-handle
            folder::set_mode(&file, mode)?;
            file.sync_all()?;
            name_it(&aside)
        })();
        if let Err(e) = written {
            let _ = self.folder.remove(&aside);
            return Err(self.fault(e));
        }
        self.sync()
    }

    fn sync(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        self.folder.sync().map_err(|e| fault(folder, e))
    }
}

fn name_of(path: &Path) -> io::Result<OsString> {
    path.file_name().map(OsStr::to_owned).ok_or_else(|| io::ErrorKind::IsADirectory.into())
}

fn is_nothing(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A name beside a file that nobody can know beforehand, for what takes its place.
fn aside(name: &OsStr) -> Result<OsString> {
    let mut aside = name.to_owned();
    aside.push(format!(".{}.new", OsRandom.name()?));
    Ok(aside)
}

/// Makes the folder, and those above it, 0700; closes one of ours that is open to others; refuses one that is a link,
/// another user's, or shared.
pub fn ensure_private_folder(path: &Path) -> Result<()> {
    prepared(path, Links::Refused)
}

/// The same for a folder that a person or the system names: it may be a link, where it, and where it leads, are ours or
/// root's, as systemd's to the state of a dynamic user.
pub fn ensure_folder(path: &Path) -> Result<()> {
    prepared(path, Links::Followed)
}

/// Refuses what [`provided_folder`] would refuse, where it exists; changes nothing.
pub fn check_usable_folder(path: &Path) -> Result<()> {
    let path = &without_a_slash_behind(path);
    own_folder(path, Links::Followed)?.map_or(Ok(()), |(_, facts)| usable(path, &facts))
}

/// Refuses a folder that exists and isn't ours, or is open to others; changes nothing.
pub fn check_private_folder(path: &Path) -> Result<()> {
    let path = &without_a_slash_behind(path);
    let Some((_, facts)) = own_folder(path, Links::Followed)? else { return Ok(()) };
    judge::shared_folder(&facts)
        .and_then(|()| judge::closed_folder(path, &facts, &folder::user()))
        .map_err(|said| fault(path, said))
}

/// Whether a folder may be a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    Refused,
    Followed,
}

fn prepared(path: &Path, links: Links) -> Result<()> {
    let path = &without_a_slash_behind(path);
    if let Err(missing) = fs::symlink_metadata(path) {
        if missing.kind() != io::ErrorKind::NotFound {
            return Err(fault(path, missing));
        }
        match links {
            // What the program makes in it has its access list from there.
            #[cfg(windows)]
            Links::Followed => access_list::make_closed(path)?,
            _ => make_folder(path)?,
        }
    }
    let (folder, facts) = own_folder(path, links)?.ok_or_else(|| fault(path, judge::NO_FOLDER))?;
    usable(path, &facts)?;
    match facts.owner == folder::user().number && facts.mode & 0o777 != 0o700 {
        true => folder.set_mode(0o700).map_err(|e| fault(path, e)),
        false => Ok(()),
    }
}

/// Makes a folder, and those above it.
fn make_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| fault(path, e))
}

/// What is wrong with a folder that is to hold what is private, once one of ours is closed to others.
fn usable(path: &Path, facts: &FileFacts) -> Result<()> {
    let user = folder::user();
    let closed = FileFacts { mode: facts.mode & !0o022, ..*facts };
    let judged = if facts.owner == user.number { &closed } else { facts };
    let is_shared = judge::shared_folder(facts);
    is_shared.and_then(|()| judge::own_folder(path, judged, &user)).map_err(|said| fault(path, said))
}

/// Whether a folder is there, or can be made: nothing is made.
///
/// # Errors
/// What is in the way, in words.
pub fn can_be_made(path: &Path) -> Result<(), String> {
    let there = path.ancestors().find(|it| !it.as_os_str().is_empty() && it.symlink_metadata().is_ok());
    let Some(there) = there.filter(|there| *there != path) else { return Ok(()) };
    if !there.is_dir() {
        return Err(format!("{} isn't a folder", there.display()));
    }
    folder::may_write_in(there).map_err(|e| format!("can't create files in {}: {e}", there.display()))
}

/// A folder of the program's; `None` where there is nothing.
fn own_folder(path: &Path, links: Links) -> Result<Option<(Folder, FileFacts)>> {
    let opened = match Folder::open_itself(path) {
        Err(e) if is_no_folder(&e) && links == Links::Followed => linked_folder(path)?,
        opened => opened,
    };
    match opened {
        Ok(folder) => {
            let facts = folder.facts().map_err(|e| fault(path, e))?;
            Ok(Some((folder, facts)))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if is_no_folder(&e) => Err(fault(path, judge::NO_FOLDER)),
        Err(e) => Err(fault(path, e)),
    }
}

/// The folder that a link leads to, by steps of which nobody else can have laid one.
fn linked_folder(path: &Path) -> Result<io::Result<Folder>> {
    let Ok(mut entry) = Entry::at(path) else { return Ok(Err(io::ErrorKind::NotADirectory.into())) };
    for _ in 0..LINKS {
        match entry.folder.look(&entry.name) {
            Ok(facts) if facts.kind == FileKind::Link => entry = entry.in_a_judged_folder()?.followed()?,
            _ => break,
        }
        match entry.folder.open_itself_in(&entry.name) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(fault(
                    path,
                    format!("it's a link to {}, which doesn't exist", entry.path.display()),
                ));
            }
            Err(e) if is_no_folder(&e) => {}
            opened => return Ok(opened),
        }
    }
    Ok(Err(io::ErrorKind::NotADirectory.into()))
}

/// What the system says of something else than a folder, or of a link that isn't followed.
fn is_no_folder(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::NotADirectory || folder::is_a_link(e)
}

/// With one, a link would be followed.
fn without_a_slash_behind(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Opens what a person or the system provides, for reading: a configuration, an identity, a password file. A link is
/// followed where it, and where it leads, are ours or root's. `None` where there is nothing.
pub fn open_provided(path: &Path, holds: FileSensitivity) -> Result<Option<File>> {
    Ok(provided(path, holds)?.and_then(|(_, file)| file))
}

/// Judges what was opened as something that holds more than was known then.
pub fn judge_open(path: &Path, file: &File, holds: FileSensitivity) -> Result<()> {
    let facts = folder::facts_of(file).map_err(|e| fault(path, e))?;
    judge::file(path, &facts, &folder::user(), holds).map_err(|said| fault(path, said))
}

/// Where what is provided lies at the end of its links, and the file, where it is there.
fn provided(path: &Path, holds: FileSensitivity) -> Result<Option<(Entry, Option<File>)>> {
    let mut entry = match Entry::at(path) {
        Err(e) if is_nothing(&e) => return Ok(None),
        found => found.map_err(|e| fault(path, e))?,
    };
    for _ in 0..=LINKS {
        let opened = entry.folder.read(&entry.name);
        // Where there is nothing, whoever could lay something there has laid nothing.
        if opened.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            return Ok(Some((entry, None)));
        }
        entry = entry.in_a_judged_folder()?;
        match opened {
            Ok(file) => {
                let file = entry.judged(file, holds)?;
                return Ok(Some((entry, Some(file))));
            }
            Err(e) if folder::is_a_link(&e) => entry = entry.followed()?,
            Err(e) => {
                // Whose it is says more than that it can't be read.
                if let Ok(facts) = entry.folder.look(&entry.name) {
                    entry.judge(&facts, holds)?;
                }
                return Err(entry.fault(e));
            }
        }
    }
    Err(fault(path, format!("it follows more than {LINKS} links")))
}

/// Puts new content where a configuration lies, at the end of its links: it stays as readable as it was.
pub fn replace_settings(path: &Path, content: &[u8]) -> Result<()> {
    match provided(path, FileSensitivity::Settings)? {
        Some((entry, file)) => {
            let entry = entry.in_a_judged_folder()?;
            let mode = match file {
                Some(file) => folder::facts_of(&file).map_err(|e| entry.fault(e))?.mode & 0o644,
                None => 0,
            };
            entry.replace(content, mode | 0o600)
        }
        None => Err(fault(path, io::Error::from(io::ErrorKind::NotFound))),
    }
}

/// Refuses what exists and isn't a plain file of ours or root's that strangers can neither change nor read. It isn't
/// opened: closing a ledger's file would let go of the locks that SQLite has on it in this process.
pub fn check_private_file(path: &Path) -> Result<()> {
    let Some(entry) = Entry::if_private(path)? else { return Ok(()) };
    match entry.folder.look(&entry.name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(entry.fault(e)),
        Ok(facts) => entry.judge(&facts, FileSensitivity::Secret),
    }
}

/// Whether another user could answer at a socket: it's theirs, or in a folder of theirs.
#[cfg(unix)]
pub fn is_in_other_hands(socket: &Path) -> bool {
    let judged = Entry::at(socket).map(Entry::in_a_judged_folder);
    match judged {
        // There is none; whoever wants to be connected hears of it.
        Err(_) => false,
        Ok(Err(_)) => true,
        Ok(Ok(entry)) => {
            let facts = entry.folder.look(&entry.name);
            facts.is_ok_and(|facts| judge::owner(socket, &facts, &folder::user()).is_err())
        }
    }
}

/// Opens a file of ours for reading and writing, making it 0600 where it's missing, never following a link.
pub fn open_private(path: &Path) -> Result<File> {
    let entry = Entry::private(path)?;
    loop {
        if let Some(file) = entry.ours(entry.folder.write(&entry.name), FileSensitivity::Secret)? {
            return Ok(file);
        }
        match entry.folder.create(&entry.name) {
            // Another process was quicker.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map_err(|e| entry.fault(e)),
        }
    }
}

/// Opens a file of ours for reading and writing, where it's there.
pub fn open_existing(path: &Path) -> Result<Option<File>> {
    let Some(entry) = Entry::if_private(path)? else { return Ok(None) };
    entry.ours(entry.folder.write(&entry.name), FileSensitivity::Secret)
}

/// Opens a file of ours for reading, where it's there.
pub fn read_private(path: &Path, holds: FileSensitivity) -> Result<Option<File>> {
    let Some(entry) = Entry::if_private(path)? else { return Ok(None) };
    entry.ours(entry.folder.read(&entry.name), holds)
}

/// Makes a file that must not exist yet, 0600.
pub fn create_private(path: &Path) -> Result<File> {
    let entry = Entry::private(path)?;
    entry.folder.create(&entry.name).map_err(|e| entry.fault(e))
}

/// Writes a file that must not exist yet, 0600, in one step: another is written, synced and renamed, so that a process
/// that is killed leaves all of it under that name, or nothing.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    let entry = Entry::at(path).map_err(|e| fault(path, e))?;
    entry.by_another(content, 0o600, |aside| entry.folder.rename_new(aside, &entry.name))
}

/// The same in a folder in which nobody else can put something in its place.
pub fn write_new_private(path: &Path, content: &[u8]) -> Result<()> {
    let entry = Entry::private(path)?;
    entry.by_another(content, 0o600, |aside| entry.folder.rename_new(aside, &entry.name))
}

/// Writes a file that must not exist yet, 0600, and syncs it with its name: what nobody takes for whole before it's renamed.
pub fn write_unfinished(path: &Path, content: &[u8]) -> Result<()> {
    let entry = Entry::at(path).map_err(|e| fault(path, e))?;
    let mut file = entry.folder.create(&entry.name).map_err(|e| entry.fault(e))?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| entry.fault(e));
    let written = written.and_then(|()| entry.sync());
    if written.is_err() {
        let _ = entry.folder.remove(&entry.name);
    }
    written
}

/// Gives a file a name beside it that nothing has, and makes that last over a power cut.
pub fn rename_new(from: &Path, to: &Path) -> Result<()> {
    let entry = Entry::at(to).map_err(|e| fault(to, e))?;
    let name = name_of(from).map_err(|e| fault(from, e))?;
    entry.folder.rename_new(&name, &entry.name).map_err(|e| entry.fault(e))?;
    entry.sync()
}

/// Removes a file without a byte: what was left by whoever was killed between making a file and writing it. `false` where
/// there is no such file; one that somebody writes meanwhile stays.
pub fn remove_empty(path: &Path) -> Result<bool> {
    let Some(entry) = Entry::if_private(path)? else { return Ok(false) };
    let is_empty = |name: &OsStr| {
        let opened = entry.folder.read(name).and_then(|file| file.metadata());
        opened.is_ok_and(|found| found.is_file() && found.len() == 0)
    };
    if !is_empty(&entry.name) {
        return Ok(false);
    }
    let aside = aside(&entry.name)?;
    entry.folder.rename(&entry.name, &aside).map_err(|e| entry.fault(e))?;
    if !is_empty(&aside) {
        entry.folder.rename_new(&aside, &entry.name).map_err(|e| entry.fault(e))?;
        entry.sync()?;
        return Ok(false);
    }
    entry.folder.remove(&aside).map_err(|e| entry.fault(e))?;
    Ok(true)
}

/// Puts new content in a file's place in one step: another is written, synced and renamed over it. A link gives way to
/// the file and what it points to stays; what is neither, as /dev/null or a folder, must not be replaced.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let entry = Entry::at(path).map_err(|e| fault(path, e))?;
    // defense: S30 only-files-are-replaced
    if entry.folder.leads_to_no_file(&entry.name) {
        return Err(entry.fault("it already exists and isn't a plain file"));
    }
    entry.replace(content, mode)
}

/// Puts new content in the place of a file of ours, 0600, in a folder in which nobody else can do that.
pub fn replace_private(path: &Path, content: &[u8]) -> Result<()> {
    let entry = Entry::private(path)?;
    match entry.folder.look(&entry.name) {
        Ok(facts) if facts.kind != FileKind::Link => entry.judge(&facts, FileSensitivity::Secret)?,
        _ => {}
    }
    entry.replace(content, 0o600)
}

/// Makes a new name in a folder last over a power cut.
pub fn sync_folder_of(path: &Path) -> Result<()> {
    Entry::at(path).map_err(|e| fault(path, e))?.sync()
}

/// Whether a file's folder is there and nothing can be written in it by this user.
pub(super) fn is_closed_to_us(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        use rustix::io::Errno;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
        matches!(written, Err(Errno::ACCESS | Errno::ROFS | Errno::PERM))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// The user's number, where no variable gives the name.
pub(super) fn user_number() -> String {
    #[cfg(unix)]
    return format!("uid {}", rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    return "unknown".into();
}

/// A path as SQLite has to be told it: on Windows, one that is longer than the old limit goes by its form without one. (Rust's
/// own library does that by itself.)
pub fn as_sqlite_takes_it(path: &Path) -> std::borrow::Cow<'_, Path> {
    match path.to_str().filter(|_| cfg!(windows)).and_then(without_a_limit) {
        Some(long) => PathBuf::from(long).into(),
        None => path.into(),
    }
}

/// Windows' form of a long path without the limit; `None` where it needs none, or hasn't one.
fn without_a_limit(path: &str) -> Option<String> {
    // 260 is the limit, and what SQLite keeps beside a file has a longer name.
    const LONG: usize = 240;
    if path.encode_utf16().count() < LONG || path.starts_with(r"\\?\") || path.starts_with(r"\\.\") {
        return None;
    }
    let path = path.replace('/', r"\");
    if let Some(share) = path.strip_prefix(r"\\") {
        return Some(format!(r"\\?\UNC\{share}"));
    }
    let has_drive = matches!(path.as_bytes(), [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic());
    has_drive.then(|| format!(r"\\?\{path}"))
}

/// The folder that the program was started in.
pub fn current_folder() -> Option<PathBuf> {
    std::env::current_dir().ok()
}

#[cfg(test)]
mod long_paths {
    use super::without_a_limit;

    #[test]
    fn a_long_path_of_windows_has_a_form_without_a_limit() {
        let deep = "a folder, größer/".repeat(15) + "ledger.db";
        let back = deep.replace('/', r"\");
        assert_eq!(without_a_limit(&format!("C:/{deep}")), Some(format!(r"\\?\C:\{back}")));
        assert_eq!(without_a_limit(&format!(r"\\server\{deep}")), Some(format!(r"\\?\UNC\server\{back}")));
        for left in [
            r"C:\short\ledger.db",
            &deep,
            &format!(r"\\?\C:\{deep}"),
            &format!(r"\\.\C:\{deep}"),
            &format!("/{deep}"),
        ] {
            assert_eq!(without_a_limit(left), None, "{left}");
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn text(file: Option<File>) -> String {
        let mut text = String::new();
        file.unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// A folder with a file in it, and another with one of the same name.
    fn two() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let all = tempfile::tempdir().unwrap();
        let (ours, other) = (all.path().join("ours"), all.path().join("other"));
        for folder in [&ours, &other] {
            fs::create_dir(folder).unwrap();
            set_mode(folder, 0o700);
            fs::write(folder.join("file"), folder.file_name().unwrap().to_str().unwrap()).unwrap();
            set_mode(&folder.join("file"), 0o600);
        }
        (all, ours, other)
    }

    #[test]
    fn what_can_be_made_is_known_before_it_is() {
        let all = tempfile::tempdir().unwrap();
        let file = all.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(can_be_made(all.path()), Ok(()));
        assert_eq!(can_be_made(&all.path().join("a/b")), Ok(()));
        assert_eq!(can_be_made(&file.join("b")), Err(format!("{} isn't a folder", file.display())));
        assert!(!all.path().join("a").exists());
    }

    #[test]
    fn s55_what_is_judged_and_changed_is_what_was_opened_whatever_has_its_name_by_then() {
        let (all, ours, other) = two();
        let entry = Entry::at(&ours.join("file")).unwrap();
        let file = entry.folder.read(&entry.name).unwrap();
        // Now another folder has its name, in which others may write, and another file.
        fs::rename(&ours, all.path().join("away")).unwrap();
        fs::rename(&other, &ours).unwrap();
        set_mode(&ours, 0o777);
        set_mode(&ours.join("file"), 0o666);
        let away = all.path().join("away");
        fs::rename(away.join("file"), away.join("moved")).unwrap();
        fs::write(away.join("file"), "laid").unwrap();
        set_mode(&away.join("file"), 0o666);
        let entry = entry.in_a_judged_folder().unwrap();
        assert_eq!(text(Some(entry.judged(file, FileSensitivity::Secret).unwrap())), "ours");
        entry.replace(b"new", 0o640).unwrap();
        assert_eq!(
            (fs::read(away.join("file")).unwrap(), mode(&away.join("file"))),
            (b"new".to_vec(), 0o640)
        );
        assert_eq!(
            (fs::read(ours.join("file")).unwrap(), mode(&ours.join("file"))),
            (b"other".to_vec(), 0o666)
        );
        assert_eq!(fs::read_dir(&ours).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_followed_to_what_is_provided_as_kubernetes_lays_it_and_judged_where_it_leads() {
        let (all, ours, _) = two();
        symlink("ours", all.path().join("..data")).unwrap();
        let link = all.path().join("identity");
        symlink("..data/file", &link).unwrap();
        assert_eq!(text(open_provided(&link, FileSensitivity::Secret).unwrap()), "ours");
        set_mode(&ours.join("file"), 0o604);
        assert!(open_provided(&link, FileSensitivity::Secret).unwrap_err().to_string().contains("chmod 600"));
        assert_eq!(text(open_provided(&link, FileSensitivity::Settings).unwrap()), "ours");
        set_mode(&ours, 0o770);
        assert!(
            open_provided(&link, FileSensitivity::Settings).unwrap_err().to_string().contains("chmod go-w")
        );
        set_mode(&ours, 0o700);
        // What is put in its place comes to the end of the links, and they stay.
        replace_settings(&link, b"changed").unwrap();
        assert_eq!(
            (fs::read(ours.join("file")).unwrap(), mode(&ours.join("file"))),
            (b"changed".to_vec(), 0o604)
        );
        assert!(link.is_symlink());
        symlink("circle", all.path().join("circle")).unwrap();
        assert!(open_provided(&all.path().join("circle"), FileSensitivity::Settings).is_err());
        symlink("nowhere/at/all", all.path().join("dangling")).unwrap();
        let dangling = open_provided(&all.path().join("dangling"), FileSensitivity::Settings);
        assert!(dangling.unwrap_err().to_string().contains("a link to nowhere/at/all"));
    }

    #[test]
    fn what_is_ours_is_never_reached_by_a_link() {
        let (_all, ours, other) = two();
        let link = ours.join("link");
        symlink(other.join("file"), &link).unwrap();
        for refused in [
            open_private(&link).map(drop),
            open_existing(&link).map(drop),
            read_private(&link, FileSensitivity::Secret).map(drop),
            check_private_file(&link),
        ] {
            assert!(refused.unwrap_err().to_string().contains("not a link"));
        }
        assert!(
            create_private(&ours.join("file")).is_err() && write_new(&ours.join("file"), b"new").is_err()
        );
        assert_eq!(fs::read(ours.join("file")).unwrap(), b"ours");
        replace_private(&link, b"new").unwrap();
        assert_eq!(fs::read(other.join("file")).unwrap(), b"other");
        assert_eq!((fs::read(&link).unwrap(), mode(&link)), (b"new".to_vec(), 0o600));
    }

    #[test]
    fn a_folder_that_everybody_shares_is_never_closed() {
        let (_all, ours, _) = two();
        set_mode(&ours, 0o1777);
        assert!(ensure_private_folder(&ours).unwrap_err().to_string().contains("share"));
        assert!(check_private_folder(&ours).is_err());
        assert_eq!(mode(&ours), 0o1777);
        // A file of ours in it is safe.
        assert_eq!(text(open_provided(&ours.join("file"), FileSensitivity::Secret).unwrap()), "ours");
        set_mode(&ours, 0o755);
        ensure_private_folder(&ours).unwrap();
        assert_eq!(mode(&ours), 0o700);
    }

    #[test]
    fn a_folder_that_a_person_names_may_be_a_link_of_ours_and_one_of_the_programs_may_not() {
        let (all, ours, _) = two();
        let (link, second) = (all.path().join("link"), ours.join("second"));
        symlink("ours", &link).unwrap();
        symlink("../link", &second).unwrap();
        set_mode(&ours, 0o755);
        for named in [&link, &second] {
            assert!(ensure_private_folder(named).is_err());
            check_usable_folder(named).unwrap();
        }
        assert_eq!(mode(&ours), 0o755, "a look changed it");
        ensure_folder(&link).unwrap();
        assert_eq!(mode(&ours), 0o700);
        check_private_folder(&second).unwrap();
        symlink("nowhere", all.path().join("dangling")).unwrap();
        let dangling = ensure_folder(&all.path().join("dangling")).unwrap_err().to_string();
        assert!(dangling.contains("nowhere, which doesn't exist"), "{dangling}");
        symlink("circle", all.path().join("circle")).unwrap();
        assert!(ensure_folder(&all.path().join("circle")).is_err());
        // Where others can lay a link, it's nobody's word.
        set_mode(all.path(), 0o777);
        assert!(ensure_folder(&link).unwrap_err().to_string().contains("every user can change it"));
    }

    #[test]
    fn a_socket_is_in_other_hands_where_others_can_put_one_there() {
        let (_all, ours, _) = two();
        assert!(!is_in_other_hands(&ours.join("bus")));
        assert!(!is_in_other_hands(Path::new("/nowhere/bus")));
        set_mode(&ours, 0o770);
        assert!(is_in_other_hands(&ours.join("bus")));
    }
}
