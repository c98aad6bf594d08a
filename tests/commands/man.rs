//! `man`, in this process: the pages that are shipped, one a command, each with all that a page has.

use crate::rig::Rig;
use crate::rig::generated::{files, is_current};
use crate::snapshot;
use biotrack_auth::cli::tree;
use std::collections::BTreeMap;

/// The pages that it writes into a folder.
fn pages(rig: &Rig) -> BTreeMap<String, String> {
    let folder = rig.file("man");
    let done = rig.run_words(&["man", folder.to_str().unwrap()]);
    let pages = files(&folder);
    done.is(0, "", &format!("{} pages written.\n", pages.len()));
    pages
}

/// The name of each command's page, and of those below it.
fn names(command: &clap::Command, name: &str, all: &mut Vec<String>) {
    all.push(format!("{name}.1"));
    command.get_subcommands().for_each(|below| names(below, &format!("{name}-{}", below.get_name()), all));
}

#[test]
fn the_main_page_goes_to_standard_output() {
    snapshot!(Rig::bare().run("man"));
}

#[test]
fn the_shipped_pages_are_what_the_program_writes() {
    let rig = Rig::bare();
    let pages = pages(&rig);
    assert_eq!(pages["biotrack-auth.1"].as_bytes(), rig.run("man").bytes);
    is_current("man", &pages);
}

#[test]
fn every_command_has_a_page() {
    let mut all = Vec::new();
    names(&tree(), "biotrack-auth", &mut all);
    all.sort();
    assert_eq!(all, pages(&Rig::bare()).into_keys().collect::<Vec<_>>());
}

#[test]
fn every_page_has_every_section_and_examples_of_its_own() {
    let pages = pages(&Rig::bare());
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
fn a_folder_that_cannot_be_made_is_named() {
    let rig = Rig::bare();
    let file = rig.write("file", "");
    snapshot!(rig.run_words(&["man", &format!("{file}/man")]));
}

#[test]
fn a_commands_name_is_its_page_and_a_slip_of_one_makes_no_folder() {
    let rig = Rig::bare();
    let page = rig.run("man renew").exits(0).out;
    assert!(page.contains(".TH BIOTRACK-AUTH-RENEW 1"), "{page}");
    rig.run("man rennew").is(
        2,
        "",
        "error: there is no command or folder with that name\n  For a new folder, pass a path such as ./man1. To list the commands: biotrack-auth --help\n",
    );
    assert!(!std::path::Path::new("rennew").exists());
}
