//! No file leads back to itself: whoever reads one file needs only what stands below it.
//!
//! **The rule.** File A knows file B where A's code, without its tests, has a path to something that B defines: in a `use`
//! list or in the middle of a line, by `crate::`, by `super::`, or by the name of a module. A path through a re-export leads
//! to the file that defines the thing, so that a `mod.rs` which only declares and re-exports is in nobody's way. A re-export
//! itself isn't a use: a `pub use` counts only where the file's own code names the thing as well, and so does a plain `use` of
//! what is in a child of the file's own, which its other children find there.
//! A `mod.rs` is a file as any other. It may use its children, or be used by them, but a child that uses something that is
//! defined in a `mod.rs` which uses this child is a circle. What is called as a method isn't seen.

use super::layers::{code, root, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module by its path below the crate's root; a file is one.
type Module = Vec<String>;

/// What one `use` brings into a file.
struct Import {
    name: String,
    path: Vec<String>,
    public: bool,
}

/// What the code of a file says.
#[derive(Default)]
struct File {
    imports: Vec<Import>,
    paths: Vec<Vec<String>>,
    named: BTreeSet<String>,
}

struct House {
    files: BTreeMap<Module, File>,
}

/// Names, `::`, and single signs.
fn tokens(code: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), code.trim_start());
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let long = match word {
            0 if rest.starts_with("::") => 2,
            0 => rest.chars().next().map_or(1, char::len_utf8),
            word => word,
        };
        found.push(&rest[..long]);
        rest = rest[long..].trim_start();
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Where the bracket that opens at `at` closes.
fn closing(tokens: &[&str], at: usize) -> usize {
    let (open, close) = match tokens[at] {
        "(" => ("(", ")"),
        _ => ("{", "}"),
    };
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        depth += i32::from(*token == open) - i32::from(*token == close);
        if depth == 0 {
            return i;
        }
    }
    tokens.len() - 1
}

impl File {
    fn read(text: &str) -> Self {
        // A brace that is a letter opens nothing.
        let code = code(text).replace("'{'", "' '").replace("'}'", "' '");
        let mut file = Self::default();
        file.take(&tokens(&code), false);
        file
    }

    /// `inside`: of a module in the file's own text, where `super` is the file.
    fn take(&mut self, tokens: &[&str], inside: bool) {
        let mut at = 0;
        let mut public = false;
        let begins = |at: usize, words: &[&str]| tokens[at..].starts_with(words);
        while at < tokens.len() {
            if begins(at, &["#", "[", "cfg", "(", "test", ")", "]", "mod"]) {
                at += 9;
                if tokens[at] == "{" {
                    at = closing(tokens, at);
                }
            } else if begins(at, &["pub", "("]) {
                (at, public) = (closing(tokens, at + 1), true);
            } else if tokens[at] == "pub" {
                public = true;
            } else if tokens[at] == "use" && tokens.get(at + 1) != Some(&"<") {
                at = self.take_use(tokens, at + 1, &mut Vec::new(), public, inside);
                public = false;
            } else if tokens[at] == "mod" && tokens.get(at + 2) == Some(&"{") {
                let end = closing(tokens, at + 2);
                self.take(&tokens[at + 3..end], true);
                (at, public) = (end, false);
            } else if is_name(tokens[at]) {
                let mut path = vec![tokens[at].to_owned()];
                while tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some_and(|it| is_name(it)) {
                    path.push(tokens[at + 2].to_owned());
                    at += 2;
                }
                self.named.insert(path[0].clone());
                if path.len() > 1 {
                    self.paths.push(here(path, inside));
                }
                public = false;
            }
            at += 1;
        }
    }

    /// A `use` tree behind what stands before it; where it ends.
    fn take_use(
        &mut self,
        tokens: &[&str],
        mut at: usize,
        before: &mut Vec<String>,
        public: bool,
        inside: bool,
    ) -> usize {
        let known = before.len();
        while at < tokens.len() {
            match tokens[at] {
                "{" => {
                    at += 1;
                    while tokens[at] != "}" {
                        at = self.take_use(tokens, at, before, public, inside);
                        at += usize::from(tokens[at] == ",");
                    }
                    at += 1;
                    before.truncate(known);
                    return at;
                }
                "," | "}" | ";" => break,
                "as" => {
                    let path = here(before.clone(), inside);
                    self.imports.push(Import { name: tokens[at + 1].to_owned(), path, public });
                    before.truncate(known);
                    return at + 2;
                }
                "::" => {}
                name => before.push(name.to_owned()),
            }
            at += 1;
        }
        if before.len() > known {
            let mut path = before.clone();
            if path.last().is_some_and(|last| last == "self" || last == "*") && path.len() > 1 {
                path.pop();
            }
            let name = path.last().cloned().unwrap_or_default();
            self.imports.push(Import { name, path: here(path, inside), public });
        }
        before.truncate(known);
        at
    }
}

/// A path as it's written outside of a module in the file's own text.
fn here(mut path: Vec<String>, inside: bool) -> Vec<String> {
    if inside && path[0] == "super" {
        path[0] = "self".into();
    }
    path
}

impl House {
    /// Every file of a crate but its tests.
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in sources(src) {
            let inside = path.strip_prefix(src).unwrap().with_extension("");
            let mut module: Module = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod" || module.len() == 1 && last == "lib") {
                module.pop();
            }
            files.insert(module, fs::read_to_string(&path).unwrap());
        }
        Self::of(files)
    }

    fn of(mut files: BTreeMap<Module, String>) -> Self {
        let of_tests: Vec<Module> = files
            .iter()
            .flat_map(|(module, text)| {
                text.split("#[cfg(test)]\nmod ").skip(1).filter_map(move |rest| {
                    let (name, _) = rest.split_once(';')?;
                    is_whole_name(name).then(|| [module.clone(), vec![name.to_owned()]].concat())
                })
            })
            .collect();
        files.retain(|module, _| !of_tests.iter().any(|tests| module.starts_with(tests)));
        Self { files: files.into_iter().map(|(module, text)| (module, File::read(&text))).collect() }
    }

    /// The file that defines what a path in `module` leads to; `None` where that isn't of this crate.
    fn file_of(&self, module: &Module, path: &[String]) -> Option<Module> {
        self.lead(module, path, 0).map(|(file, _)| file)
    }

    /// The same, and whether the path ends at the module itself.
    fn lead(&self, module: &Module, path: &[String], turns: usize) -> Option<(Module, bool)> {
        let (head, mut rest) = path.split_first()?;
        let mut now = match head.as_str() {
            "crate" | "biotrack_auth" => Vec::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            _ => {
                let known = self.knows(module, head);
                return known.then(|| self.step(module, path, turns)).flatten();
            }
        };
        while let Some((next, behind)) = rest.split_first().filter(|(next, _)| *next == "super") {
            now.pop().filter(|_| next == "super")?;
            rest = behind;
        }
        self.step(&now, rest, turns)
    }

    /// Whether a file has a child or an import of that name.
    fn knows(&self, module: &Module, name: &str) -> bool {
        self.files.contains_key(&child(module, name))
            || self.files.get(module).is_some_and(|file| file.imports.iter().any(|it| it.name == name))
    }

    fn step(&self, module: &Module, path: &[String], turns: usize) -> Option<(Module, bool)> {
        // No chain of re-exports is so long; one that ends nowhere leads nowhere.
        const LONGEST: usize = 20;
        if turns > LONGEST {
            return None;
        }
        let Some((next, rest)) = path.split_first() else { return Some((module.clone(), true)) };
        let below = child(module, next);
        if self.files.contains_key(&below) {
            return self.step(&below, rest, turns);
        }
        let Some(import) = self.files.get(module)?.imports.iter().find(|it| it.name == *next) else {
            return Some((module.clone(), false));
        };
        // A crate of that name, which is imported under it.
        if import.path.len() == 1 && import.path[0] == *next {
            return None;
        }
        let (leads_to, is_module) = self.lead(module, &import.path, turns + 1)?;
        if is_module { self.step(&leads_to, rest, turns + 1) } else { Some((leads_to, false)) }
    }

    /// Which files a file knows.
    fn known_to(&self, module: &Module) -> BTreeSet<Module> {
        let file = &self.files[module];
        let used = file.imports.iter().filter(|import| {
            let own = self.file_of(module, &import.path).is_some_and(|to| to.starts_with(module));
            file.named.contains(&import.name) || !(import.public || own)
        });
        let paths = used.map(|import| &import.path).chain(&file.paths);
        let mut known: BTreeSet<_> = paths.filter_map(|path| self.file_of(module, path)).collect();
        known.remove(module);
        known
    }

    /// Files of which each leads to all others, and the steps between them.
    fn circles(&self) -> Vec<BTreeMap<Module, Vec<Module>>> {
        let knows: BTreeMap<_, _> =
            self.files.keys().map(|module| (module.clone(), self.known_to(module))).collect();
        let reached = |from: &Module| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(file) = next.pop() {
                next.extend(knows.get(file).into_iter().flatten().filter(|to| reached.insert((*to).clone())));
            }
            reached
        };
        let reached: BTreeMap<_, _> = knows.keys().map(|file| (file, reached(file))).collect();
        let mut circles = BTreeMap::new();
        for (file, all) in reached.iter().filter(|(file, all)| all.contains(**file)) {
            let circle: BTreeSet<_> = all.iter().filter(|to| reached[*to].contains(*file)).cloned().collect();
            let steps = |from: &Module| knows[from].intersection(&circle).cloned().collect();
            circles.insert(circle.clone(), circle.iter().map(|it| (it.clone(), steps(it))).collect());
        }
        circles.into_values().collect()
    }
}

fn child(module: &Module, name: &str) -> Module {
    [module.clone(), vec![name.to_owned()]].concat()
}

fn is_whole_name(text: &str) -> bool {
    is_name(text) && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[test]
fn no_file_leads_back_to_itself() {
    let house = House::read(&root().join("src"));
    let mut told = String::new();
    for circle in house.circles() {
        told += "a circle:\n";
        for (file, to) in &circle {
            let to: Vec<_> = to.iter().map(|it| it.join("::")).collect();
            told += &format!("  {} → {}\n", file.join("::"), to.join(", "));
        }
    }
    assert!(told.is_empty(), "{told}");
}

#[test]
fn a_circle_is_seen_and_a_reexport_is_none() {
    let circles = |texts: &[(&str, &str)]| {
        let module =
            |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let files = texts.iter().map(|(name, text)| (module(name), (*text).to_owned())).collect();
        let circles = House::of(files).circles();
        circles.iter().map(|it| it.keys().map(|file| file.join("::")).collect()).collect::<Vec<Vec<_>>>()
    };
    let declares = ("", "mod a;");
    let a = ("a", "mod b;\nmod c;\npub use b::B;\nuse c::C;");
    let b = ("a::b", "use super::C;\npub struct B(C);");
    let c = ("a::c", "pub struct C;\n#[cfg(test)]\nmod tests {\n    use crate::a::b::B;\n}");
    assert!(circles(&[declares, a, b, c]).is_empty(), "neither what only declares, nor tests");
    let c = ("a::c", "pub struct C;\nfn c(_: crate::a::B) {}");
    assert_eq!(circles(&[declares, a, b, c]), [["a::b", "a::c"]], "through the re-export");
    let a = ("a", "mod b;\npub use b::B;\npub struct A(B);");
    let b = ("a::b", "pub struct B;\nfn b(_: &super::A) {}");
    assert_eq!(circles(&[declares, a, b]), [["a", "a::b"]], "a parent and its child");
    let b = ("a::b", "pub struct B;\n// super::A\nmod inner {\n    use super::B;\n}");
    assert!(circles(&[declares, a, b]).is_empty(), "a module in the file's own text");
}
