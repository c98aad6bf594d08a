//! A folder where the system gives no handle to it: on Windows, where a user's profile is private by its access lists, and
//! nobody else can put something in a file's place there.

use super::judge::{FileFacts, FileKind, ProcessUser};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

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
        fs::rename(self.path.join(from), self.path.join(to))
    }

    pub(super) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::hard_link(self.path.join(from), self.path.join(to))?;
        self.remove(from)
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
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
