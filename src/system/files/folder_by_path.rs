//! A folder where the system gives no handle to it: on Windows, where a user's profile is private by its access lists, and
//! nobody else can put something in a file's place there.

use super::judge::{FileFacts, FileKind, ProcessUser};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whether this user could make something in a folder: the access lists there tell only who tries.
pub(super) fn may_write_in(path: &Path) -> io::Result<()> {
    match path.metadata()?.permissions().readonly() {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    }
}

pub(super) struct Folder {
    path: PathBuf,
}

/// Owner and mode are what a user's own have: access lists say who else may do what.
const OURS: u32 = 0;

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match fs::metadata(path)?.is_dir() {
            true => Ok(Self { path: path.into() }),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn open_itself(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path)?.is_dir() {
            true => Ok(Self { path: path.into() }),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn open_itself_in(&self, name: &OsStr) -> io::Result<Self> {
        Self::open_itself(&self.path.join(name))
    }

    pub(super) fn open_from(&self, path: &Path) -> io::Result<Self> {
        Self::open(&self.path.join(path))
    }

    pub(super) fn facts(&self) -> io::Result<FileFacts> {
        Ok(facts(&fs::metadata(&self.path)?))
    }

    pub(super) fn is_read_only(&self) -> bool {
        false
    }

    pub(super) fn set_mode(&self, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn look(&self, name: &OsStr) -> io::Result<FileFacts> {
        Ok(facts(&fs::symlink_metadata(self.path.join(name))?))
    }

    pub(super) fn leads_to_no_file(&self, name: &OsStr) -> bool {
        fs::metadata(self.path.join(name)).is_ok_and(|found| !found.is_file())
    }

    pub(super) fn link(&self, name: &OsStr) -> io::Result<PathBuf> {
        fs::read_link(self.path.join(name))
    }

    pub(super) fn read(&self, name: &OsStr) -> io::Result<File> {
        self.not_a_link(name)?;
        File::open(self.path.join(name))
    }

    pub(super) fn write(&self, name: &OsStr) -> io::Result<File> {
        self.not_a_link(name)?;
        OpenOptions::new().read(true).write(true).open(self.path.join(name))
    }

    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(name))
    }

    fn not_a_link(&self, name: &OsStr) -> io::Result<()> {
        match fs::symlink_metadata(self.path.join(name))?.is_symlink() {
            true => Err(io::Error::other(Link)),
            false => Ok(()),
        }
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        patiently(|| fs::rename(self.path.join(from), self.path.join(to)), std::thread::sleep)
    }

    /// To a name that nothing has.
    pub(super) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match fs::hard_link(self.path.join(from), self.path.join(to)) {
            Ok(()) => self.remove(from),
            // A file system that can't, as those of memory sticks: nobody else may come in between, who would have to write
            // there this very moment.
            Err(_) if fs::symlink_metadata(self.path.join(to)).is_err() => self.rename(from, to),
            Err(e) => Err(e),
        }
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// How long a file is waited for that somebody has open, in milliseconds: a virus scanner or an indexer reads what is new.
const WAITS: [u64; 7] = [1, 5, 20, 50, 100, 200, 400];

/// Renames as soon as nobody keeps the system from it.
fn patiently(mut rename: impl FnMut() -> io::Result<()>, mut wait: impl FnMut(Duration)) -> io::Result<()> {
    for pause in WAITS {
        match rename() {
            Err(e) if is_in_use(&e) => wait(Duration::from_millis(pause)),
            done => return done,
        }
    }
    rename()
}

/// Access denied is what is said of a file in the way that is open; ERROR_SHARING_VIOLATION of one that is to be renamed.
fn is_in_use(e: &io::Error) -> bool {
    const SHARING_VIOLATION: i32 = 32;
    e.kind() == io::ErrorKind::PermissionDenied || e.raw_os_error() == Some(SHARING_VIOLATION)
}

/// A link was found where none is followed.
#[derive(Debug, thiserror::Error)]
#[error("it's a link")]
struct Link;

pub(super) fn is_a_link(e: &io::Error) -> bool {
    e.get_ref().is_some_and(|it| it.is::<Link>())
}

pub(super) fn facts_of(file: &File) -> io::Result<FileFacts> {
    Ok(facts(&file.metadata()?))
}

fn facts(found: &fs::Metadata) -> FileFacts {
    let kind = match found.file_type() {
        it if it.is_file() => FileKind::File,
        it if it.is_dir() => FileKind::Folder,
        it if it.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    };
    FileFacts { kind, owner: OURS, group: OURS, mode: 0o700, names: 1 }
}

pub(super) fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

pub(super) fn user() -> ProcessUser {
    ProcessUser { number: OURS, groups: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_has_open_is_waited_for_and_another_fault_is_not() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let mut answers = vec![Ok(()), Err(io::Error::from_raw_os_error(32)), Err(denied())];
        let mut waited = Vec::new();
        patiently(|| answers.pop().unwrap(), |pause| waited.push(pause)).unwrap();
        assert_eq!(waited, [1, 5].map(Duration::from_millis));
        let mut pauses = 0;
        let denied = patiently(|| Err(denied()), |_| pauses += 1).unwrap_err();
        assert_eq!((denied.kind(), pauses), (io::ErrorKind::PermissionDenied, WAITS.len()));
        let mut tries = 0;
        let gone = patiently(
            || {
                tries += 1;
                Err(io::ErrorKind::NotFound.into())
            },
            |_| panic!("nobody has it"),
        );
        assert!(gone.is_err() && tries == 1);
    }

    #[test]
    fn a_name_that_something_has_is_not_given_again() {
        let all = tempfile::tempdir().unwrap();
        let folder = Folder::open(all.path()).unwrap();
        for name in ["one", "two"] {
            fs::write(all.path().join(name), name).unwrap();
        }
        assert!(folder.rename_new("one".as_ref(), "two".as_ref()).is_err());
        folder.rename_new("one".as_ref(), "three".as_ref()).unwrap();
        let read = |name: &str| fs::read_to_string(all.path().join(name)).ok();
        assert_eq!([read("one"), read("two"), read("three")], [None, Some("two".into()), Some("one".into())]);
        folder.rename("three".as_ref(), "two".as_ref()).unwrap();
        assert_eq!([read("two"), read("three")], [Some("one".into()), None]);
    }
}
