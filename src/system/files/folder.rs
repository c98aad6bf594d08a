//! A folder that is open: what is done in it is done by its handle, so that nothing that is put in its place, or in a
//! file's place, between two steps is ever met.

use super::judge::{FileFacts, FileKind, ProcessUser};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Whether this user could make something in a folder.
pub(super) fn may_write_in(path: &Path) -> io::Result<()> {
    let how = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Ok(rustix::fs::accessat(rustix::fs::CWD, path, how, AtFlags::EACCESS)?)
}

pub(super) struct Folder {
    handle: File,
}

impl Folder {
    /// Links on the way to it are followed: what counts is the folder that is open.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(rustix::fs::CWD, path, OFlags::empty())
    }

    /// Only where the name itself is a folder's.
    pub(super) fn open_itself(path: &Path) -> io::Result<Self> {
        Self::open_at(rustix::fs::CWD, path, OFlags::NOFOLLOW)
    }

    /// The same of a folder in this one.
    pub(super) fn open_itself_in(&self, name: &OsStr) -> io::Result<Self> {
        Self::open_at(&self.handle, name.as_ref(), OFlags::NOFOLLOW)
    }

    /// A folder that a link in this one leads to.
    pub(super) fn open_from(&self, path: &Path) -> io::Result<Self> {
        Self::open_at(&self.handle, path, OFlags::empty())
    }

    fn open_at(from: impl rustix::fd::AsFd, path: &Path, more: OFlags) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | more;
        let open = |how| rustix::fs::openat(&from, path, flags | how, Mode::empty());
        let opened = match open(OFlags::RDONLY) {
            // A folder may let its files be used and not be listed.
            #[cfg(target_os = "linux")]
            Err(Errno::ACCESS) => open(OFlags::PATH),
            opened => opened,
        };
        Ok(Self { handle: opened?.into() })
    }

    pub(super) fn facts(&self) -> io::Result<FileFacts> {
        facts_of(&self.handle)
    }

    /// Nothing in it can be changed from here, whatever its mode says.
    pub(super) fn is_read_only(&self) -> bool {
        rustix::fs::fstatvfs(&self.handle).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::RDONLY))
    }

    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.handle.set_permissions(Permissions::from_mode(mode))
    }

    /// What a name in it stands for; a link is looked at itself.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<FileFacts> {
        self.stat(name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Whether what a name leads to is there, and no plain file.
    pub(super) fn leads_to_no_file(&self, name: &OsStr) -> bool {
        self.stat(name, AtFlags::empty()).is_ok_and(|it| it.kind != FileKind::File)
    }

    fn stat(&self, name: &OsStr, flags: AtFlags) -> io::Result<FileFacts> {
        let found = rustix::fs::statat(&self.handle, name, flags)?;
        let kind = match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Folder,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        };
        // Their types are each system's own.
        #[allow(clippy::useless_conversion)]
        let (mode, names) = (u32::from(found.st_mode) & 0o7777, u64::from(found.st_nlink));
        Ok(FileFacts { kind, owner: found.st_uid, group: found.st_gid, mode, names })
    }

    pub(super) fn link(&self, name: &OsStr) -> io::Result<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let target = rustix::fs::readlinkat(&self.handle, name, Vec::new())?;
        Ok(std::ffi::OsString::from_vec(target.into_bytes()).into())
    }

    /// For reading. No link is followed, and a pipe that someone laid there isn't waited for.
    pub(super) fn read(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::RDONLY)
    }

    /// For reading and writing what is there.
    pub(super) fn write(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::RDWR)
    }

    /// A new file, 0600 whatever the umask is.
    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        // defense: S30 a-new-file-is-new
        let file = self.file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        set_mode(&file, 0o600)?;
        Ok(file)
    }

    fn file(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        // defense: S30 no-wait-for-a-pipe
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(rustix::fs::openat(&self.handle, name, flags, mode)?.into())
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    /// To a name that nothing has.
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    pub(super) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let moved = rustix::fs::renameat_with(
            &self.handle,
            from,
            &self.handle,
            to,
            rustix::fs::RenameFlags::NOREPLACE,
        );
        match moved {
            // A file system that can't: nobody else may come in between, who would have to write there this very moment.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match self.look(to) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => self.rename(from, to),
            },
            moved => Ok(moved?),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    pub(super) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        rustix::fs::linkat(&self.handle, from, &self.handle, to, AtFlags::empty())?;
        self.remove(from)
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Makes new names in it last over a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

/// What is open, whatever has its name by now.
pub(super) fn facts_of(file: &File) -> io::Result<FileFacts> {
    let found: Metadata = file.metadata()?;
    let kind = match found.file_type() {
        it if it.is_file() => FileKind::File,
        it if it.is_dir() => FileKind::Folder,
        _ => FileKind::Other,
    };
    let mode = found.mode() & 0o7777;
    Ok(FileFacts { kind, owner: found.uid(), group: found.gid(), mode, names: found.nlink() })
}

pub(super) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// What the system says where a link was found and none is followed.
pub(super) fn is_a_link(e: &io::Error) -> bool {
    e.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

pub(super) fn user() -> ProcessUser {
    let mut groups: Vec<u32> =
        rustix::process::getgroups().unwrap_or_default().into_iter().map(|it| it.as_raw()).collect();
    groups.push(rustix::process::getegid().as_raw());
    ProcessUser { number: rustix::process::geteuid().as_raw(), groups }
}
