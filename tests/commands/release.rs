//! What a release holds together: the version, the changelog, the day on the pages, and the Debian package's list.

use crate::rig::Rig;
use crate::rig::generated::tree;
use std::fs;

/// The versions that CHANGELOG names, newest first, each with its day.
fn released() -> Vec<(String, String)> {
    let changelog = fs::read_to_string(tree("CHANGELOG.md")).unwrap();
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## ["));
    let mut names = headings.map(|line| {
        let (version, day) = line.split_once(']').expect("a heading is ## [VERSION] - DAY");
        (version.to_owned(), day.trim_start_matches(" - ").to_owned())
    });
    assert_eq!(names.next(), Some(("Unreleased".into(), String::new())));
    names.collect()
}

#[test]
fn this_version_heads_the_changelog_and_the_pages_have_its_day() {
    let released = released();
    let (version, day) = &released[0];
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let semver =
        |version: &str| -> Vec<u64> { version.split('.').map(|part| part.parse().unwrap()).collect() };
    let versions: Vec<_> = released.iter().map(|(version, _)| semver(version)).collect();
    assert!(versions.iter().all(|parts| parts.len() == 3) && versions.is_sorted_by(|new, old| new > old));
    let page = Rig::bare().run("man").exits(0).out;
    assert!(page.contains(&format!(" {day} \"biotrack-auth [VERSION]\" ")), "the page's day isn't {day}");
}

#[test]
fn the_debian_package_leaves_nothing_out() {
    let manifest: toml::Table = fs::read_to_string(tree("Cargo.toml")).unwrap().parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let sources: Vec<_> = assets.iter().map(|asset| asset[0].as_str().unwrap()).collect();
    // Each source is there, but for the program, which is built for it.
    for source in sources.iter().filter(|source| !source.starts_with("target/")) {
        let (folder, name) = source.rsplit_once('/').unwrap_or(("", source));
        let (begin, end) = name.split_once('*').unwrap_or((name, ""));
        let fits = |found: &String| found.starts_with(begin) && found.ends_with(end);
        let found =
            fs::read_dir(tree(folder)).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        assert!(found.into_iter().any(|name| fits(&name)), "{source}: there is none");
    }
    // And each folder of contrib is shipped; the units by cargo-deb itself.
    for folder in fs::read_dir(tree("contrib")).unwrap().map(|it| it.unwrap()) {
        let name = folder.file_name().into_string().unwrap();
        let shipped = sources.iter().any(|source| source.starts_with(&format!("contrib/{name}")));
        assert!(shipped, "contrib/{name} isn't in the package");
    }
}
