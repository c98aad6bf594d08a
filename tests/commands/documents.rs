//! Every link in a document leads somewhere, and no file of the repository names a document that isn't there.

use super::layers::root;
use biotrack_auth::error::EXIT_CODES;
use std::fs;
use std::path::{Path, PathBuf};

/// What people don't write: builds, packages that were fetched, inputs of the fuzzer, snapshots.
const SKIPPED: &[&str] = &["target", ".git", "node_modules", "corpus", "seeds", "artifacts", "snapshots"];

/// Every file below a folder that people write.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn written() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(root(), &mut found);
    found.sort();
    found
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// What a document links to: Markdown's links, and pictures in HTML.
fn links(text: &str) -> Vec<String> {
    let forms = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
    forms
        .into_iter()
        .flat_map(|(begin, end)| {
            text.split(begin).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0.to_owned()))
        })
        .filter(|link| !link.starts_with("http") && !link.starts_with("mailto:"))
        .collect()
}

#[test]
fn each_link_leads_somewhere() {
    let mut followed = 0;
    let mut wrong = Vec::new();
    for document in written().iter().filter(|path| path.extension().is_some_and(|it| it == "md")) {
        let text = fs::read_to_string(document).unwrap();
        for link in links(&text) {
            followed += 1;
            let (path, place) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            if !target.exists() {
                wrong.push(format!("{}: {link} leads nowhere", document.display()));
            } else if !place.is_empty() {
                let there = fs::read_to_string(&target).unwrap();
                let mut headings = there
                    .lines()
                    .filter_map(|line| Some(line.trim_start_matches('#')).filter(|it| *it != line));
                if !headings.any(|it| anchor(it.trim()) == place) {
                    wrong.push(format!("{}: {link}: no such heading", document.display()));
                }
            }
        }
    }
    assert!(followed > 40, "{followed} links");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The documents that a text names by their path, such as `docs/NAME.md`.
fn named(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    text.split(|c| !is_part(c))
        .map(|word| word.trim_matches('.').trim_start_matches("./"))
        .filter(|word| word.starts_with("docs/") && word.len() > "docs/.md".len() && word.ends_with(".md"))
        .collect()
}

#[test]
fn no_file_names_a_document_that_is_not_there() {
    let mut wrong = Vec::new();
    for file in written() {
        // What changed is told with the names of its day.
        if file.ends_with("CHANGELOG.md") || file.ends_with("documents.rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for document in named(&text) {
            if !root().join(document).exists() {
                wrong.push(format!("{}: {document}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The table below a heading, from its first row to the blank line behind it.
fn rows<'t>(text: &'t str, heading: &str) -> &'t str {
    let below = text.split_once(heading).expect("the heading is there").1;
    let rows = below.split_once("|---|---|\n").expect("a table is below it").1;
    rows.split_once("\n\n").map_or(rows, |(rows, _)| rows)
}

#[test]
fn the_readme_has_the_exit_codes_of_the_program() {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let row = |(code, meaning): &(u8, &str)| format!("| {code} | {meaning} |");
    let made = EXIT_CODES.iter().map(row).collect::<Vec<_>>().join("\n");
    let shown = rows(&text, "### Exit codes");
    if shown != made {
        fs::write(&path, text.replace(shown, &made)).unwrap();
        panic!("README's exit codes were stale and are written anew: look at them and commit");
    }
}

/// Whoever renames or moves a file finds it here.
#[test]
fn each_source_file_that_the_architecture_names_is_there() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let files: Vec<_> =
        written().iter().map(|path| format!("/{}", path.display()).replace('\\', "/")).collect();
    let is_there = |name: &str| files.iter().any(|path| path.ends_with(&format!("/{name}")));
    let names = text.split('`').skip(1).step_by(2).filter(|it| it.ends_with(".rs") && !it.contains("NAME"));
    let wrong: Vec<_> = names.filter(|name| !is_there(name)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
