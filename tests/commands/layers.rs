//! The house's map holds: which room may know which, who attests, and that no test is left out of the binary.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import besides `model`, `error` and itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("main", &["cli", "system"]),
    ("lib", &[]),
    ("cli", &["command", "system"]),
    (
        "command",
        &["config", "consent", "custody", "web", "oauth", "vault", "ledger", "report", "sandbox", "system"],
    ),
    ("consent", &["custody", "web", "oauth", "system"]),
    ("custody", &["oauth", "vault", "ledger", "system"]),
    ("web", &["oauth", "system"]),
    ("oauth", &["system"]),
    ("vault", &["system"]),
    ("ledger", &["system"]),
    ("config", &["system"]),
    ("report", &[]),
    ("model", &[]),
    ("sandbox", &["system"]),
    ("system", &[]),
    ("error", &[]),
];

/// Rooms that may not even import what all others may.
const NOT_MODEL: &[&str] = &["sandbox", "system", "error"];

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder.
pub(super) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text without comments and without what stands in plain string literals.
pub(super) fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'/'") {
            3
        } else if rest.starts_with('"') && kept.ends_with("r#") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else if let Some(text) = rest.strip_prefix('"') {
            let mut escaped = false;
            let inside = text.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            inside.map_or(rest.len(), |end| end + 2)
        } else {
            kept.push_str(&rest[..1]);
            rest = &rest[1..];
            continue;
        };
        rest = &rest[skipped..];
    }
    kept + rest
}

/// The names that follow a path's head, wherever it stands: one, or each of a group in braces.
fn heads<'t>(code: &'t str, head: &str) -> Vec<&'t str> {
    let name = |text: &'t str| {
        let text = text.trim_start();
        &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
    };
    let mut found = Vec::new();
    for (at, _) in code.match_indices(head) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let after = &code[at + head.len()..];
        let Some(group) = after.strip_prefix('{') else {
            found.push(name(after));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in group.char_indices() {
            if begins && depth == 0 && !c.is_whitespace() {
                found.push(name(&group[at..]));
                begins = false;
            }
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ => {}
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn room(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// How many modules a file's own code is below the root.
fn depth(path: &Path) -> usize {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.components().count() - usize::from(path.ends_with("mod.rs"))
}

#[test]
fn no_room_knows_another_than_the_map_says() {
    let mut wrong = Vec::new();
    let mut rooms = BTreeSet::new();
    for path in sources(&root().join("src")) {
        let (room, code) = (room(&path), code(&fs::read_to_string(&path).unwrap()));
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: a room that isn't on the map", path.display()));
            continue;
        };
        let common: &[&str] =
            if NOT_MODEL.contains(&room.as_str()) { &["error"] } else { &["model", "error"] };
        for known in heads(&code, "crate::").into_iter().chain(heads(&code, "biotrack_auth::")) {
            if known != room && !allowed.contains(&known) && !common.contains(&known) {
                wrong.push(format!("{}: {room} knows {known}", path.display()));
            }
        }
        // A relative path that climbs to the root would name a room unseen.
        let own = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        if own.contains(&"super::".repeat(depth(&path))) {
            wrong.push(format!("{}: a path climbs to the root by super", path.display()));
        }
        if code.contains("use crate as ") || heads(&code, "crate::").contains(&"self") {
            wrong.push(format!("{}: the root under another name", path.display()));
        }
        rooms.insert(room);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let map: BTreeSet<_> = MAY_IMPORT.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(rooms, map, "the map has a room that isn't there");
}

/// The rooms of a table in Markdown, and what it lets each import; names in prose are none.
fn table(text: &str) -> Vec<(String, Vec<String>)> {
    let rows = text.lines().filter_map(|line| line.trim_start_matches("//! ").strip_prefix("| "));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let room = |cell: &str| cell.trim_matches(['[', ']', '`']).to_owned();
    let known = |name: &str| MAY_IMPORT.iter().any(|(room, _)| *room == name);
    cells
        .filter(|row| known(&room(row[0])))
        .map(|row| {
            let may = row[2].split(", ").filter(|name| known(name)).map(str::to_owned).collect();
            (room(row[0]), may)
        })
        .collect()
}

#[test]
fn the_map_that_people_read_says_the_same() {
    let mut meant: Vec<(String, Vec<String>)> = MAY_IMPORT
        .iter()
        .map(|(room, may)| ((*room).to_owned(), may.iter().map(|it| (*it).to_owned()).collect()))
        .collect();
    let mut drawn = table(&fs::read_to_string(root().join("docs/architecture.md")).unwrap());
    meant.retain(|(room, _)| room != "lib");
    drawn.sort();
    meant.sort();
    assert_eq!(drawn, meant);
}

#[test]
fn no_reexport_hides_a_room() {
    for path in sources(&root().join("src")) {
        let code = code(&fs::read_to_string(&path).unwrap());
        let words: Vec<_> = code.split_whitespace().collect();
        for (at, pair) in words.windows(2).enumerate() {
            let public = at > 0 && words[at - 1].starts_with("pub");
            let elsewhere = pair[1].starts_with("crate::") || pair[1].starts_with("super::super");
            assert!(!(public && pair[0] == "use" && elsewhere), "{}: {}", path.display(), pair[1]);
        }
    }
}

#[test]
fn only_the_ledger_attests() {
    let attesting: BTreeSet<_> = sources(&root().join("src"))
        .into_iter()
        .filter(|path| code(&fs::read_to_string(path).unwrap()).contains("attested_by_the_ledger("))
        .map(|path| room(&path))
        .collect();
    let expected = ["ledger", "model"].map(str::to_owned);
    assert_eq!(attesting, BTreeSet::from(expected), "model defines it, ledger alone calls it");
    let model = code(&fs::read_to_string(root().join("src/model/flow.rs")).unwrap());
    assert_eq!(model.matches("attested_by_the_ledger(").count(), 1);
}

#[test]
fn every_test_file_is_a_module_of_its_binary() {
    let folders = ["tests/commands", "tests/real"].map(|folder| root().join(folder));
    for (tests, path) in
        folders.iter().flat_map(|tests| sources(tests).into_iter().map(move |path| (tests, path)))
    {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path == tests.join("main.rs") {
            continue;
        }
        let folder = path.parent().unwrap();
        let (name, declared_in) = match stem.as_str() {
            "mod" => (folder.file_name().unwrap().to_str().unwrap().to_owned(), folder.parent().unwrap()),
            _ => (stem, folder),
        };
        let parent =
            if declared_in == tests.as_path() { tests.join("main.rs") } else { declared_in.join("mod.rs") };
        let parent = code(&fs::read_to_string(parent).unwrap());
        assert!(parent.contains(&format!("mod {name};")), "{} is no module", path.display());
    }
    let others: Vec<_> = fs::read_dir(root().join("tests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .collect();
    assert!(others.is_empty(), "{others:?} would be binaries of their own");
}

#[test]
fn the_reader_of_paths_sees_what_it_should() {
    let text = "use crate::{system::{Env, Paths}, error::Result};\n// crate::no\nfn f() { crate::vault::x(\"crate::no\"); }";
    assert_eq!(heads(&code(text), "crate::"), ["system", "error", "vault"]);
}
