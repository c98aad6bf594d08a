//! The shipped manual pages, judged by a program that isn't ours.

use crate::support::{Run, outside};
use std::path::Path;

#[test]
fn mandoc_finds_nothing_wrong_in_any_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let pages: Vec<_> = std::fs::read_dir(folder).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(pages.len() > 30, "{pages:?}");
    let run = Run::of(outside("mandoc").args(["-Tlint", "-Wall"]).args(pages).output().unwrap());
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
}
