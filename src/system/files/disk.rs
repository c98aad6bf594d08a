//! What the disk under a folder gives: room, locks, and which file system it is.

#[cfg(unix)]
use super::{Entry, aside};
use std::io;
use std::path::Path;

/// How many bytes are free on the disk under a path, for this user; `None` where the system doesn't say.
pub fn free_bytes(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let existing = path.ancestors().find(|it| it.exists())?;
        let disk = rustix::fs::statvfs(existing).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(windows)]
    {
        let existing = path.ancestors().find(|it| it.exists())?;
        fs4::available_space(existing).ok()
    }
}

/// The network, or FUSE, file system that a path is on, by its usual name; `None` where it's none of those, or the system
/// doesn't say. Locks and shared memory are what these may lack.
pub fn remote_file_system(path: &Path) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    {
        let existing = path.ancestors().find(|it| it.exists())?;
        // The type's width and sign are each architecture's own.
        #[allow(clippy::unnecessary_cast)]
        let magic = rustix::fs::statfs(existing).ok()?.f_type as u32;
        named(magic)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

/// statfs(2)'s numbers.
#[cfg(any(target_os = "linux", test))]
fn named(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9p",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x786F_4256 => "a VirtualBox share",
        _ => return None,
    })
}

/// What a lock in that folder fails with, other than that somebody has it; `None` where one can be had, or can't be tried.
pub fn no_locks_in(folder: &Path) -> Option<io::Error> {
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, fcntl_lock};
        let entry = Entry::at(&folder.join("lock")).ok()?;
        // A file of its own: closing the ledger's would let go of the locks that SQLite has on it in this process.
        let name = aside(&entry.name).ok()?;
        let file = entry.folder.create(&name).ok()?;
        let both = || {
            fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)?;
            fcntl_lock(&file, FlockOperation::Unlock)?;
            file.try_lock().map_err(io::Error::from)
        };
        let locked = both();
        let _ = entry.folder.remove(&name);
        locked.err()
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Why a file can't be locked, with the file system where that is the likely cause.
pub fn unlockable(path: &Path, e: &io::Error) -> String {
    match remote_file_system(path) {
        Some(remote) => format!("it can't be locked: {e} (it's on {remote}, which must support locks)"),
        None => format!("it can't be locked: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_that_others_serve_are_named_and_local_ones_are_not() {
        assert_eq!(named(0x6969), Some("NFS"));
        assert_eq!(named(0xFF53_4D42), Some("SMB"));
        // ext4, XFS, Btrfs, overlay, tmpfs.
        for local in [0xEF53, 0x5846_5342, 0x9123_683E, 0x794C_7630, 0x0102_1994] {
            assert_eq!(named(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_folder_that_gives_locks_is_left_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert!(no_locks_in(folder.path()).is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
