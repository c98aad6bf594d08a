//! What is generated and committed. A test that compares it writes anew what is stale, and fails naming it; the next run
//! passes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A path in the repository.
pub fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder, by their names.
pub fn files(folder: &Path) -> BTreeMap<String, String> {
    let Ok(found) = fs::read_dir(folder) else { return BTreeMap::new() };
    found
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap()))
        .collect()
}

/// Compares with what is committed in a folder, and writes anew what differs.
pub fn is_current(folder: &str, made: &BTreeMap<String, String>) {
    let committed = files(&tree(folder));
    let left_over: Vec<_> = committed.keys().filter(|name| !made.contains_key(*name)).collect();
    let stale: Vec<_> =
        made.iter().filter(|(name, text)| committed.get(*name) != Some(text)).map(|(name, _)| name).collect();
    fs::create_dir_all(tree(folder)).unwrap();
    left_over.iter().for_each(|name| fs::remove_file(tree(folder).join(name)).unwrap());
    stale.iter().for_each(|name| fs::write(tree(folder).join(name), &made[*name]).unwrap());
    assert!(
        stale.is_empty() && left_over.is_empty(),
        "{folder}: {stale:?} were stale and are written anew, {left_over:?} had no source and are gone: look at them and commit"
    );
}
