//! The files of `contrib/` that run the program by a clock, or keep it running: each is well-formed, and runs only what the program
//! takes.

use super::layers::root;
use biotrack_auth::cli;
use roxmltree::{Document, ParsingOptions};
use std::fs;

fn read(file: &str) -> String {
    fs::read_to_string(root().join("contrib").join(file)).unwrap()
}

/// The words of each command in a text that a shell, cron or a unit reads.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.find("biotrack-auth ").map(|at| &line[at..]))
        .map(|command| shlex::split(command.split(" >>").next().unwrap()).unwrap())
        .collect()
}

/// What each runs, in its order; whatever the program doesn't take fails.
fn run_by(commands: Vec<Vec<String>>) -> Vec<String> {
    let name = |words: Vec<String>| {
        let matches = cli::tree().try_get_matches_from(&words).unwrap_or_else(|e| panic!("{words:?}: {e}"));
        matches.subcommand_name().unwrap().to_owned()
    };
    commands.into_iter().map(name).collect()
}

fn text_of<'a>(document: &'a Document<'_>, tag: &str) -> Vec<&'a str> {
    let named = document.descendants().filter(|node| node.has_tag_name(tag) || node.tag_name().name() == tag);
    named.filter_map(|node| node.text()).collect()
}

#[test]
fn cron_runs_what_the_program_takes() {
    assert_eq!(run_by(commands(&read("cron/biotrack-auth.crontab"))), ["status", "remind"]);
}

#[test]
fn the_task_of_windows_is_well_formed_and_runs_what_the_program_takes() {
    let text = read("windows/biotrack-auth.xml");
    let task = Document::parse(&text).unwrap();
    assert_eq!(task.root_element().tag_name().name(), "Task");
    let (programs, arguments) = (text_of(&task, "Command"), text_of(&task, "Arguments"));
    assert!(programs.iter().all(|program| program.ends_with(r"\biotrack-auth.exe")), "{programs:?}");
    let lines: Vec<_> = arguments.iter().map(|words| format!("biotrack-auth {words}")).collect();
    assert_eq!(run_by(commands(&lines.join("\n"))), ["remind", "status"]);
}

#[test]
fn the_agents_of_macos_are_well_formed_and_run_what_the_program_takes() {
    for (agent, runs) in
        [("biotrack-auth.remind", vec!["remind", "status"]), ("biotrack-auth.listen", vec!["listen"])]
    {
        let text = read(&format!("launchd/{agent}.plist"));
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let plist = Document::parse_with_options(&text, options).unwrap();
        let strings = text_of(&plist, "string");
        assert_eq!(strings[0], agent, "the label is the file's name");
        assert_eq!(run_by(commands(&strings[1..].join("\n"))), runs);
    }
}
