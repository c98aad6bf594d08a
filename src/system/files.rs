//! Private files and folders: 0600 in 0700, ours, and never through a link that someone else laid.

use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

const NO_FOLDER: &str = "it should be a folder, and not a link: put the folder itself there";
const NO_FILE: &str = "it should be a plain file, and not a link: put the file itself there";

fn fault(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.display().to_string(), reason: reason.to_string() }
}

/// Makes the folder, and those above it, 0700; closes one of ours that is open to others; refuses one that is a link
/// or another user's.
pub fn private_folder(path: &Path) -> Result<()> {
    if let Err(missing) = fs::symlink_metadata(path) {
        if missing.kind() != io::ErrorKind::NotFound {
            return Err(fault(path, missing));
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|e| fault(path, e))?;
        restrict(path, 0o700)?;
    }
    let found = fs::symlink_metadata(path).map_err(|e| fault(path, e))?;
    if !found.is_dir() {
        return Err(fault(path, NO_FOLDER));
    }
    mine(path, &found, 0)?;
    restrict(path, 0o700)
}

/// Refuses what exists and isn't a plain file of ours that others can't read.
pub fn check_private_file(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(fault(path, e)),
        // defense: S30 plain-files-alone
        Ok(found) if !found.is_file() => Err(fault(path, NO_FILE)),
        Ok(found) => mine(path, &found, 0o077),
    }
}

/// Refuses a folder that exists and isn't ours, is a link, or is open to others; changes nothing.
pub fn check_private_folder(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(fault(path, e)),
        Ok(found) if !found.is_dir() => Err(fault(path, NO_FOLDER)),
        Ok(found) => mine(path, &found, 0o077),
    }
}

/// Refuses what isn't a plain file that nobody but its owner may write and no stranger may read. A credential that
/// systemd hands to a service belongs to root, and its group bits are those of an access list (systemd.exec(5)).
pub fn check_credential(path: &Path) -> Result<()> {
    let found = fs::symlink_metadata(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => fault(path, "there is no such file"),
        _ => fault(path, e),
    })?;
    if !found.is_file() {
        return Err(fault(path, NO_FILE));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if found.uid() != 0 && found.uid() != rustix::process::geteuid().as_raw() {
            return Err(fault(path, "it belongs to another user than root or this one"));
        }
        if found.mode() & 0o037 != 0 {
            return Err(fault(
                path,
                format!(
                    "it's open to other users (mode {:03o}); systemd makes it 0400 or 0440",
                    found.mode() & 0o777
                ),
            ));
        }
    }
    Ok(())
}

/// How many bytes are free on the disk under a path, for this user; `None` where the system doesn't say.
pub fn room(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let existing = path.ancestors().find(|it| it.exists())?;
        let disk = rustix::fs::statvfs(existing).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Opens for reading and writing, making it 0600 where it's missing, never following a link.
pub fn open_private(path: &Path) -> Result<File> {
    check_private_file(path)?;
    let file = options(false).open(path).map_err(|e| fault(path, e))?;
    restrict(path, 0o600)?;
    Ok(file)
}

/// Opens a file that is only there to be locked, making it where it's missing. Others may remove it at any moment, so
/// nothing is done to its name afterwards.
pub fn open_lock(path: &Path) -> Result<File> {
    check_private_file(path)?;
    options(false).open(path).map_err(|e| fault(path, e))
}

/// Opens for reading what should be a plain file: a link isn't followed, and a pipe that someone laid there isn't
/// waited for.
pub fn open_to_look(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // defense: S30 no-wait-for-a-pipe
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    }
    options.open(path)
}

/// Makes a file that must not exist yet, 0600.
pub fn create_private(path: &Path) -> Result<File> {
    let file = options(true).open(path).map_err(|e| fault(path, e))?;
    restrict(path, 0o600)?;
    Ok(file)
}

/// Writes a file that must not exist yet, 0600, in one step: a sibling is written, synced and renamed, so that a process
/// that is killed leaves all of it under that name, or nothing.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    let sibling = sibling(path);
    let written = (|| {
        let _ = fs::remove_file(&sibling);
        let mut file = options(true).open(&sibling).map_err(|e| fault(path, e))?;
        restrict(&sibling, 0o600)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| fault(path, e))?;
        rename_new(&sibling, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&sibling);
    }
    written
}

/// Writes a file that must not exist yet, 0600, and syncs it with its name: what nobody takes for whole before it's renamed.
pub fn write_unfinished(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = create_private(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| fault(path, e));
    let written = written.and_then(|()| sync_folder_of(path));
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Gives a file a name that nothing has, and makes that last over a power cut.
pub fn rename_new(from: &Path, to: &Path) -> Result<()> {
    moved_to_a_free_name(from, to).map_err(|e| fault(to, e))?;
    sync_folder_of(to)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn moved_to_a_free_name(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that can't: nobody else may come in between, who would have to write there this very moment.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if fs::symlink_metadata(to).is_err() => {
            fs::rename(from, to)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::AlreadyExists.into()),
        moved => Ok(moved?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn moved_to_a_free_name(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// Removes a file without a byte: what was left by whoever was killed between making a file and writing it. `false` where
/// there is no such file; one that somebody writes meanwhile stays.
pub fn remove_empty(path: &Path) -> Result<bool> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0) {
        return Ok(false);
    }
    let aside = sibling(path);
    fs::rename(path, &aside).map_err(|e| fault(path, e))?;
    if fs::symlink_metadata(&aside).is_ok_and(|found| found.len() > 0) {
        rename_new(&aside, path)?;
        return Ok(false);
    }
    fs::remove_file(&aside).map_err(|e| fault(path, e))?;
    Ok(true)
}

/// The name beside a file under which this process writes what takes its place.
fn sibling(path: &Path) -> std::path::PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

/// Puts new content in a file's place in one step: a sibling is written, synced and renamed over it. A link gives way to
/// the file and what it points to stays; what is neither, as /dev/null or a folder, must not be replaced.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    // defense: S30 only-files-are-replaced
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(fault(path, "it's there already, and it's no plain file"));
    }
    let sibling = sibling(path);
    let written = (|| {
        let _ = fs::remove_file(&sibling);
        // What can't be written beside it is told by the name that was given.
        let mut file = options(true).open(&sibling).map_err(|e| fault(path, e))?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| fault(path, e))?;
        restrict(&sibling, mode)?;
        fs::rename(&sibling, path).map_err(|e| fault(path, e))?;
        sync_folder_of(path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&sibling);
    }
    written
}

/// Makes a new name in a folder last over a power cut.
pub fn sync_folder_of(path: &Path) -> Result<()> {
    match path.parent() {
        #[cfg(unix)]
        // A bare name stands in the folder that we are in.
        Some(folder) if folder.as_os_str().is_empty() => sync_folder_of(&Path::new(".").join(path)),
        #[cfg(unix)]
        Some(folder) => File::open(folder).and_then(|f| f.sync_all()).map_err(|e| fault(folder, e)),
        _ => Ok(()),
    }
}

fn options(new: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if new {
        // defense: S30 a-new-file-is-new
        options.create_new(true)
    } else {
        options.create(true).truncate(false)
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    }
    options
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // Whatever the umask was.
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|e| fault(path, e))
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> Result<()> {
    // A user's profile folder is private by its access list on Windows.
    Ok(())
}

#[cfg(unix)]
fn mine(path: &Path, found: &fs::Metadata, forbidden: u32) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    // defense: S30 no-file-of-another-user
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(fault(
            path,
            "it belongs to another user: run as that one, or have root change its owner (chown)",
        ));
    }
    // defense: S30 no-file-open-to-others
    if found.mode() & forbidden != 0 {
        return Err(fault(
            path,
            format!(
                "it's open to other users (mode {:03o}); mend it with chmod {}",
                found.mode() & 0o777,
                if found.is_dir() { "700" } else { "600" }
            ),
        ));
    }
    // defense: S30 no-second-name
    if found.is_file() && found.nlink() > 1 {
        return Err(fault(path, "it has a second name (a hard link): put a copy of it in its place"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn mine(_: &Path, _: &fs::Metadata, _: u32) -> Result<()> {
    Ok(())
}

/// The user's number, where no variable gives the name.
pub(super) fn user_number() -> String {
    #[cfg(unix)]
    return format!("uid {}", rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    return "unknown".into();
}

/// The folder that the program was started in.
pub fn current_folder() -> Option<std::path::PathBuf> {
    std::env::current_dir().ok()
}
