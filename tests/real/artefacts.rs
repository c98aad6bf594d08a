//! What is generated and committed: `completions/` and `man/`. `cargo test --locked --features real-parts --test real artefacts` writes
//! anew what is stale, and fails naming it; the next run passes.

use crate::support::{Rig, Run, outside};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn tree(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let Ok(found) = fs::read_dir(folder) else { return BTreeMap::new() };
    found
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap()))
        .collect()
}

/// Compares, and writes anew what differs.
fn is_current(folder: &str, made: &BTreeMap<String, String>) {
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

#[test]
fn the_shipped_completions_are_what_the_program_prints() {
    let rig = Rig::unconfigured(&[]);
    let script = |(shell, name): (&str, &str)| {
        (name.to_owned(), rig.run(&["completions", shell]).exits(0).says_nothing().out)
    };
    let made = [
        ("bash", "biotrack-auth.bash"),
        ("zsh", "_biotrack-auth"),
        ("fish", "biotrack-auth.fish"),
        ("powershell", "biotrack-auth.ps1"),
        ("elvish", "biotrack-auth.elv"),
    ];
    is_current("completions", &made.map(script).into_iter().collect());
}

fn pages(rig: &Rig) -> BTreeMap<String, String> {
    let folder = rig.file("man");
    rig.run(&["man", folder.to_str().unwrap()]).exits(0).answers_nothing();
    files(&folder)
}

#[test]
fn the_shipped_pages_are_what_the_program_writes() {
    let rig = Rig::unconfigured(&[]);
    let pages = pages(&rig);
    assert_eq!(pages["biotrack-auth.1"], rig.run(&["man"]).exits(0).out);
    is_current("man", &pages);
}

#[test]
fn every_page_has_every_section_and_examples_of_its_own() {
    let rig = Rig::unconfigured(&[]);
    let pages = pages(&rig);
    let examples = |page: &str| {
        let from = page.split(".SH EXAMPLES\n").nth(1).expect("a page without EXAMPLES");
        from.split(".SH").next().unwrap().to_owned()
    };
    for (name, page) in &pages {
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"GLOBAL OPTIONS\"",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "\"SEE ALSO\"",
        ] {
            assert!(page.contains(&format!(".SH {section}\n")), "{name} has no {section}");
        }
        let own = name == "biotrack-auth.1" || examples(page) != examples(&pages["biotrack-auth.1"]);
        assert!(own, "{name} has no examples: give its Args an after_help that begins with \"Examples:\"");
    }
}

#[test]
fn mandoc_finds_nothing_wrong_in_any_page() {
    let rig = Rig::unconfigured(&[]);
    let mut mandoc = outside("mandoc");
    mandoc.args(["-Tlint", "-Wall"]);
    mandoc.args(pages(&rig).keys().map(|name| rig.file("man").join(name)));
    let run = Run::of(mandoc.output().unwrap());
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
}

#[test]
fn the_long_help_says_all_that_a_commands_docs_say() {
    let rig = Rig::unconfigured(&[]);
    rig.run(&["status", "--help"]).exits(0).answers("no keyring, no network");
    rig.run(&["renew", "--help"]).exits(0).answers("until the new one is proven and stored");
}

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
    let page = Rig::unconfigured(&[]).run(&["man"]).exits(0).out;
    assert!(page.contains(&format!(" {day} \"biotrack-auth {version}\" ")), "the page's day isn't {day}");
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
