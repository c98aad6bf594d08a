//! What `--help` says, of the program and of every command.

use crate::rig::{Done, Rig};
use crate::snapshot;
use biotrack_auth::cli::tree;

/// A command's words and those of the commands below it, top down.
fn with_those_below(command: &clap::Command, above: &[String], all: &mut Vec<Vec<String>>) {
    let words: Vec<_> = above.iter().cloned().chain([command.get_name().to_owned()]).collect();
    all.push(words.clone());
    command.get_subcommands().for_each(|below| with_those_below(below, &words, all));
}

fn help_of(rig: &Rig, words: &[String], flag: &str) -> Done {
    rig.run_words(&words.iter().map(String::as_str).chain([flag]).collect::<Vec<_>>())
}

#[test]
fn every_command_says_what_it_does_and_how() {
    let rig = Rig::bare();
    for command in tree().get_subcommands() {
        let mut all = Vec::new();
        with_those_below(command, &[], &mut all);
        let told: Vec<_> = all
            .iter()
            .map(|words| {
                let help = help_of(&rig, words, "--help");
                assert_eq!((help.code, help.err.as_str()), (0, ""), "{words:?}");
                format!("$ biotrack-auth {} --help\n{}", words.join(" "), help.out)
            })
            .collect();
        insta::assert_snapshot!(command.get_name(), told.join("\n"));
    }
}

#[test]
fn the_short_help_of_every_command_fits_a_screen_and_names_its_flags() {
    let rig = Rig::bare();
    for command in tree().get_subcommands() {
        let mut all = Vec::new();
        with_those_below(command, &[], &mut all);
        for words in all {
            let (short, long) = (help_of(&rig, &words, "-h"), help_of(&rig, &words, "--help"));
            assert_eq!((short.code, short.err.as_str()), (0, ""), "{words:?}");
            // Those of the flags' own lists: a line of prose may begin with one, too.
            let flags = |text: &str| -> Vec<String> {
                let listed = text.split_once("\nUsage: ").unwrap().1.lines().map(str::trim_start);
                let named = listed.filter(|line| line.starts_with('-') && !line.starts_with("- "));
                named.map(|line| line.split("  ").next().unwrap().to_owned()).collect()
            };
            assert_eq!(flags(&short.out), flags(&long.out), "{words:?}");
            let narrow = |line: &str| {
                line.chars().count() <= 100
                    || line.starts_with("Usage: ")
                    || line.starts_with("  biotrack-auth ")
            };
            assert!(short.out.lines().all(narrow), "{}", short.out);
        }
    }
}

/// A person pastes an example, so it stays on one line, however wide it is.
#[test]
fn an_example_stays_on_one_line() {
    let rig = Rig::bare();
    for command in tree().get_subcommands() {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let shown = help_of(&rig, &[command.get_name().to_owned()], "-h").out;
        for example in examples.lines() {
            // Snapshots show no port.
            let example = example.replace(":18273", ":[PORT]");
            assert!(shown.lines().any(|line| line == example), "{example}: {shown}");
        }
    }
}

#[test]
fn the_program_says_what_there_is() {
    snapshot!(Rig::bare().run("--help"));
}

#[test]
fn the_short_help_of_the_program() {
    snapshot!(Rig::bare().run("-h"));
}

#[test]
fn the_help_command_says_the_same() {
    let rig = Rig::bare();
    rig.run("help").is(0, &rig.run("--help").out, "");
    rig.run("help config init").is(0, &rig.run("config init --help").out, "");
    rig.run("config help init").is(0, &rig.run("config init --help").out, "");
}
