//! A home where versions before 0.3 had it on Windows: in the roaming part of the profile, which a domain copies to other
//! machines. It's moved to where this version looks, once; whoever is killed in the middle of that loses nothing.

use super::files::{self, FileSensitivity};
use super::paths::Paths;
use crate::error::{Error, Result};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Held while a home is moved. Nothing is ever written to it: on Windows nobody could read what is locked.
const LOCK: &str = "moving.lock";
/// There from the first step of a move to its last: what the new home has by then is the old one's.
const MARK: &str = "moving";

impl Paths {
    /// Moves a home of an earlier version to this one's folder; from where, if that was done now. Two processes that start at
    /// once do it one after the other, and the second finds it done.
    ///
    /// # Errors
    /// Where somebody still uses it, or it can't be moved: the same is tried at the next start.
    pub fn move_earlier_home(&self) -> Result<Option<PathBuf>> {
        self.move_by_steps(&mut || Ok(()))
    }

    /// The folder of an earlier home that stays, because there is one at the new place, too.
    pub fn left_home(&self) -> Option<&Path> {
        self.earlier.iter().find(|folder| has_files(folder)).and_then(|folder| folder.parent())
    }

    /// `step` is called before each change.
    fn move_by_steps(&self, step: &mut dyn FnMut() -> io::Result<()>) -> Result<Option<PathBuf>> {
        let is_there = || self.earlier.iter().any(|folder| has_files(folder));
        let mark = self.data.join(MARK);
        if self.earlier.is_empty() || !is_there() && fs::symlink_metadata(&mark).is_err() {
            return Ok(None);
        }
        files::ensure_folder(&self.data)?;
        let path = self.data.join(LOCK);
        let lock = files::open_private(&path)?;
        lock.lock().map_err(|e| fault(&path, files::unlockable(&path, &e)))?;
        let begun = fs::symlink_metadata(&mark).is_ok();
        if !begun && (!is_there() || self.data.join("config.toml").exists() || self.ledger().exists()) {
            return Ok(None);
        }
        if !begun {
            step().map_err(|e| fault(&mark, e))?;
            files::write_new_private(&mark, b"")?;
        }
        for folder in &self.earlier {
            move_folder(folder, &self.data, step)?;
        }
        // Whoever looks from here on finds neither mark nor home.
        step().and_then(|()| fs::remove_file(&mark)).map_err(|e| fault(&mark, e))?;
        let above = self.earlier.first().and_then(|folder| folder.parent());
        for folder in
            self.earlier.iter().map(PathBuf::as_path).chain(above).chain(above.and_then(Path::parent))
        {
            // Only what is empty goes.
            let _ = fs::remove_dir(folder);
        }
        Ok(above.map(Path::to_owned))
    }
}

fn has_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn fault(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.display().to_string(), reason: reason.to_string() }
}

/// Moves what is in a folder into another. The ledger goes first: where a process still has it open, Windows refuses that, and
/// nothing was moved.
fn move_folder(from: &Path, to: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> Result<()> {
    let entries = match fs::read_dir(from) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(|e| fault(from, e))?,
    };
    let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.sort_by_key(|name| (name != "ledger.db", name.clone()));
    for name in names {
        let (old, new) = (from.join(&name), to.join(&name));
        let moved = move_entry(&old, &new, step);
        moved.map_err(|e| {
            fault(
                &old,
                format!(
                    "it can't be moved to {}: {e}. End what still uses it, and run this again",
                    to.display()
                ),
            )
        })?;
    }
    files::sync_folder_of(&to.join(MARK))
}

fn move_entry(old: &Path, new: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(old)?.is_dir();
    if fs::symlink_metadata(new).is_ok() {
        return match is_folder {
            true => move_inside(old, new, step),
            // An earlier try copied it, and was killed before the old one went.
            false if is_same(old, new)? => step().and_then(|()| fs::remove_file(old)),
            false => {
                let mut beside = new.as_os_str().to_owned();
                beside.push(".earlier");
                step().and_then(|()| fs::rename(old, beside))
            }
        };
    }
    step()?;
    match fs::rename(old, new) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices && is_folder => {
            fs::create_dir(new)?;
            move_inside(old, new, step)
        }
        Err(e) if e.kind() == ErrorKind::CrossesDevices => copy(old, new, step),
        moved => moved,
    }
}

/// A roaming folder may be on a server, from which nothing can be renamed.
fn copy(old: &Path, new: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut aside = new.as_os_str().to_owned();
    aside.push(".copy");
    fs::copy(old, &aside)?;
    fs::OpenOptions::new().write(true).open(&aside)?.sync_all()?;
    step()?;
    fs::rename(&aside, new)?;
    step()?;
    fs::remove_file(old)
}

fn move_inside(old: &Path, new: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(old)?.collect::<io::Result<Vec<_>>>()? {
        move_entry(&entry.path(), &new.join(entry.file_name()), step)?;
    }
    step()?;
    fs::remove_dir(old)
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let content = |path: &Path| {
        let mut bytes = Vec::new();
        let file = files::read_private(path, FileSensitivity::Settings);
        let file = file.map_err(|e| io::Error::other(e.to_string()))?.ok_or(ErrorKind::NotFound)?;
        (&file).read_to_end(&mut bytes).map(|_| bytes)
    };
    Ok(content(one)? == content(other)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const FILES: [&str; 8] = [
        "config/config.toml",
        "config/identity.txt",
        "config/seen-1",
        "data/ledger.db",
        "data/ledger.db-wal",
        "data/ledger.lock",
        "data/owners/synced.1",
        "data/spool/2",
    ];

    /// An old home as it was, and where the new one is to be.
    fn old(all: &Path) -> Paths {
        let old = all.join("Roaming").join("biotrack-auth").join("biotrack-auth");
        for file in FILES {
            let path = old.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let earlier = vec![old.join("data"), old.join("config")];
        let mut paths = Paths::within(&all.join("Local").join("biotrack-auth"));
        paths.earlier = earlier;
        paths
    }

    fn content(folder: &Path, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            match entry.path().is_dir() {
                true => content(&entry.path(), into),
                false => {
                    let name = entry.file_name().into_string().unwrap();
                    let twice = into.insert(name, fs::read_to_string(entry.path()).unwrap());
                    assert_eq!(twice, None);
                }
            }
        }
    }

    fn expected() -> BTreeMap<String, String> {
        let name = |file: &str| file.rsplit('/').next().unwrap().to_owned();
        let moved = FILES.iter().map(|file| (name(file), (*file).to_owned()));
        moved.chain([(LOCK.to_owned(), String::new())]).collect()
    }

    fn new_home(paths: &Paths) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        content(&paths.data, &mut found);
        found
    }

    #[test]
    fn a_home_is_moved_once_and_its_old_folders_go() {
        let all = tempfile::tempdir().unwrap();
        let paths = old(all.path());
        let from = paths.earlier[0].parent().unwrap().to_owned();
        assert_eq!(paths.move_earlier_home().unwrap(), Some(from));
        assert_eq!(new_home(&paths), expected());
        assert!(!all.path().join("Roaming/biotrack-auth").exists() && all.path().join("Roaming").exists());
        assert_eq!(paths.move_earlier_home().unwrap(), None);
        // Nor is there one where none was.
        let bare = tempfile::tempdir().unwrap();
        let mut none = Paths::within(&bare.path().join("new"));
        none.earlier = vec![bare.path().join("a/b/data")];
        assert_eq!(none.move_earlier_home().unwrap(), None);
        assert_eq!(fs::read_dir(bare.path()).unwrap().count(), 0);
    }

    #[test]
    fn cut_short_at_any_step_the_next_start_finishes_it() {
        for steps in 0.. {
            let all = tempfile::tempdir().unwrap();
            let paths = old(all.path());
            let mut left = steps;
            let cut = paths.move_by_steps(&mut || match left {
                0 => Err(ErrorKind::Interrupted.into()),
                _ => {
                    left -= 1;
                    Ok(())
                }
            });
            let is_done = cut.is_ok();
            assert_eq!(paths.move_earlier_home().unwrap().is_some(), !is_done, "after {steps} steps");
            assert_eq!(new_home(&paths), expected(), "after {steps} steps");
            assert_eq!(paths.left_home(), None);
            if is_done {
                assert!(steps > FILES.len() - 2, "only {steps} steps");
                return;
            }
        }
    }

    #[test]
    fn a_copy_whose_original_is_still_there_is_one_file_and_what_differs_is_kept_beside() {
        let all = tempfile::tempdir().unwrap();
        let paths = old(all.path());
        fs::create_dir_all(paths.data.join("owners")).unwrap();
        for (name, text) in
            [(MARK, ""), ("ledger.db", "data/ledger.db"), ("seen-1", "another"), ("owners/3", "3")]
        {
            fs::write(paths.data.join(name), text).unwrap();
        }
        assert!(paths.move_earlier_home().unwrap().is_some());
        let mut all = expected();
        all.extend(
            [("seen-1", "another"), ("seen-1.earlier", "config/seen-1"), ("3", "3")]
                .map(|(a, b)| (a.into(), b.into())),
        );
        assert_eq!(new_home(&paths), all);
    }

    #[test]
    fn of_many_processes_that_start_at_once_one_moves_it() {
        let all = tempfile::tempdir().unwrap();
        let paths = old(all.path());
        let moved: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| paths.move_earlier_home().unwrap())).collect();
            starts.into_iter().filter_map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(moved.len(), 1);
        assert_eq!(new_home(&paths), expected());
    }

    #[test]
    fn where_both_places_have_one_neither_is_touched() {
        let all = tempfile::tempdir().unwrap();
        let paths = old(all.path());
        files::ensure_folder(&paths.data).unwrap();
        fs::write(paths.ledger(), "new").unwrap();
        assert_eq!(paths.move_earlier_home().unwrap(), None);
        assert_eq!(fs::read_to_string(paths.ledger()).unwrap(), "new");
        assert_eq!(paths.left_home(), paths.earlier[0].parent());
    }
}
