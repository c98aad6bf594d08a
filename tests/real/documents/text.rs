//! A document as the test reads it: what its blocks and its comments ask for.

/// One thing that a document asks for, in its order.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A command of a ```` ```console ```` block, and the output that the document shows.
    Command(Shown),
    /// A block of commands that isn't run, and the reason that the comment above it gives.
    Unrun { line: usize, reason: Option<String>, script: String },
    /// `<!-- run: SCRIPT -->`: makes what the story needs, unseen by the reader.
    Setup(String),
    /// `<!-- clock: YYYY-MM-DD HH:MM:SS -->`: it stands still there, in UTC.
    Clock(String),
    /// `<!-- admin: OPTIONS -->`: how the admin user goes on from here; see `support/admin.py`.
    Admin(String),
    /// `<!-- types: WORDS => TEXT -->`: where the next command shows WORDS, somebody types TEXT and Enter;
    /// `<!-- presses: WORDS => KEY -->`: or that key alone.
    Types { at: String, text: String, enter: bool },
}

/// A command, and what stands below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    /// As bash reads it.
    pub command: String,
    /// The lines of the document that show its output; the first, and the one after the last.
    pub lines: std::ops::Range<usize>,
    pub output: String,
}

const SHELLS: [&str; 4] = ["sh", "bash", "shell", "zsh"];

/// Reads a document.
pub fn parts(text: &str) -> Vec<Part> {
    let lines: Vec<&str> = text.lines().collect();
    let mut parts = Vec::new();
    let mut reason = None;
    let mut at = 0;
    while at < lines.len() {
        if let Some(begun) = lines[at].strip_prefix("<!-- ") {
            let end = at + lines[at..].iter().position(|line| line.ends_with("-->")).expect("a comment ends");
            let mut comment = vec![begun];
            comment.extend(&lines[at + 1..=end]);
            match directive(comment.join("\n").trim_end_matches("-->").trim()) {
                Some(Directive::NotRun(why)) => reason = Some(why),
                Some(Directive::Part(part)) => parts.push(part),
                None => {}
            }
            at = end + 1;
        } else if let Some(language) = lines[at].strip_prefix("```") {
            let end = at
                + 1
                + lines[at + 1..].iter().position(|line| *line == "```").expect("a block ends as it begins");
            match language {
                "console" => {
                    parts.extend(commands(&lines[..end], at + 1).into_iter().map(Part::Command));
                }
                shell if SHELLS.contains(&shell) => {
                    let script = lines[at + 1..end].join("\n");
                    parts.push(Part::Unrun { line: at + 1, reason: reason.take(), script });
                }
                _ => {}
            }
            reason = None;
            at = end + 1;
        } else {
            at += 1;
        }
    }
    parts
}

enum Directive {
    Part(Part),
    NotRun(String),
}

fn directive(comment: &str) -> Option<Directive> {
    let (name, value) = comment.split_once(':')?;
    let value = value.trim().to_owned();
    Some(Directive::Part(match name {
        "run" => Part::Setup(value),
        "clock" => Part::Clock(value),
        "admin" => Part::Admin(value),
        "types" | "presses" => {
            let (at, text) = value.split_once(" => ").expect("WORDS => TEXT");
            Part::Types { at: at.into(), text: text.into(), enter: name == "types" }
        }
        "not run" => return Some(Directive::NotRun(value)),
        _ => return None,
    }))
}

/// The commands of the block that begins here and ends with the last line.
fn commands(lines: &[&str], begin: usize) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    for (at, line) in lines.iter().enumerate().skip(begin) {
        if let Some(command) = line.strip_prefix("$ ") {
            found.push(Shown { command: command.into(), lines: at + 1..at + 1, output: String::new() });
        } else {
            let shown = found.last_mut().expect("a console block begins with a command");
            match line.strip_prefix("> ") {
                Some(more) if shown.output.is_empty() => {
                    shown.command = format!("{}\n{more}", shown.command);
                    shown.lines = at + 1..at + 1;
                }
                _ => {
                    shown.output += line;
                    shown.output.push('\n');
                    shown.lines.end = at + 1;
                }
            }
        }
    }
    found
}

/// What differs from run to run is one thing: the ports of this machine, its name and how far that moves a column, and long
/// random words (a state, a verifier's challenge, a key). The clock stands still, so that no time differs.
pub fn without_chance(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut rest = text;
    let mut kept = String::new();
    while !rest.is_empty() {
        let host = kept.ends_with("sam@");
        let length = rest.find(|c| !(word(c) || host && c == '.')).unwrap_or(rest.len());
        if length == 0 {
            let next = rest.chars().next().expect("it isn't empty");
            if !(next == ' ' && kept.ends_with(' ')) {
                kept.push(next);
            }
            rest = &rest[next.len_utf8()..];
            continue;
        }
        let (found, after) = rest.split_at(length);
        let digits = found.bytes().filter(u8::is_ascii_digit).count();
        let port = digits == length && (kept.ends_with("127.0.0.1:") || after.starts_with(":127.0.0.1:"));
        let encoded_port = found.starts_with("3A") && kept.ends_with("127.0.0.1%");
        // 32 random bytes are 43 letters, and once in a while there is no digit among them.
        let some = |is: fn(&u8) -> bool| found.bytes().any(|b| is(&b));
        let random = some(u8::is_ascii_lowercase)
            && (length >= 22 && digits > 0 || length == 43 && some(u8::is_ascii_uppercase));
        kept.push_str(if port || encoded_port {
            "PORT"
        } else if host {
            "HOST"
        } else if random {
            "RANDOM"
        } else {
            found
        });
        rest = after;
    }
    kept
}

#[test]
fn a_document_is_read_as_it_is_meant() {
    let text = "# T\n<!-- clock: 2026-11-30 14:50:00 -->\n<!-- run:\nmkdir a\ncd a\n-->\n```console\n$ one \\\n> two\nout\n\n$ three\n```\n<!-- not run: it needs root -->\n```sh\nfour\n```\n```toml\nfive = 5\n```\n";
    let shown =
        |command: &str, lines, output: &str| Shown { command: command.into(), lines, output: output.into() };
    assert_eq!(
        parts(text),
        [
            Part::Clock("2026-11-30 14:50:00".into()),
            Part::Setup("mkdir a\ncd a".into()),
            Part::Command(shown("one \\\ntwo", 9..11, "out\n\n")),
            Part::Command(shown("three", 12..12, "")),
            Part::Unrun { line: 15, reason: Some("it needs root".into()), script: "four".into() },
        ]
    );
}

#[test]
fn only_what_is_left_to_chance_is_left_out_of_the_comparison() {
    assert_eq!(
        without_chance(
            "http://127.0.0.1:8990/oauth?state=Ha0ab_CyBJHbFjwzV2MuwY1BMps4JORP4BbxqflC0fo&redirect_uri=http%3A%2F%2F127.0.0.1%3A35301%2Fcallback"
        ),
        "http://127.0.0.1:PORT/oauth?state=RANDOM&redirect_uri=http%3A%2F%2F127.0.0.1%PORT%2Fcallback"
    );
    assert_eq!(
        without_chance("WHO     WHAT\nsam@vm  asked"),
        without_chance("WHO       WHAT\nsam@desk  asked")
    );
    assert_eq!(without_chance("99 days, OCM-RETL-24-000064"), "99 days, OCM-RETL-24-000064");
}
