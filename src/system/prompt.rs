//! Questions at the terminal, and what is pasted there. Each way out of one leaves the terminal as it was.

use super::paste::Burst;
use super::tty::{END, KILL, TerminalModes, WakeReason, show, takes_escapes};
use super::wrap::wrapped;
use console::{Term, truncate_str};
use secrecy::SecretString;
use std::io;
use std::time::Duration;

/// A paste that is this long silent has come whole, or waits for its person.
const QUIET: Duration = Duration::from_millis(500);
/// What still comes of a paste comes within this time.
const REST: Duration = Duration::from_millis(100);

/// The two keys that delete.
const DELETE: [u8; 2] = [8, 127];

/// Asks for a value; what is typed is shown, and can be taken back.
pub(super) fn ask(question: &str, default: Option<&str>) -> io::Result<String> {
    let shown = in_words(&match default {
        None | Some("") => format!("{question}: "),
        Some(default) => format!("{question} [{default}]: "),
    });
    loop {
        let line = line(&shown)?;
        match (line.trim(), default) {
            ("", Some(default)) => return Ok(default.to_owned()),
            ("", None) => {}
            (text, _) => return Ok(text.to_owned()),
        }
    }
}

/// Asks for a secret: nothing of it is shown, and what was typed before the question is thrown away.
pub(super) fn ask_secret(question: &str) -> io::Result<SecretString> {
    let modes = TerminalModes::secret()?;
    let shown = in_words(&format!("{question}: "));
    show(&shown);
    let mut secret: Vec<u8> = Vec::new();
    let done = 'typed: loop {
        match modes.wait(None)? {
            WakeReason::Typed => {}
            WakeReason::Continued => {
                secret.fill(0);
                secret.clear();
                show(&format!("\n{shown}"));
                continue;
            }
            WakeReason::Interrupted | WakeReason::Quiet => break Err(interrupted()),
        }
        let typed = modes.read()?;
        if typed.is_empty() {
            break Err(interrupted());
        }
        for byte in typed {
            match byte {
                b'\n' | b'\r' => break 'typed Ok(()),
                // Half a secret is none.
                END => break 'typed Err(interrupted()),
                KILL => secret.clear(),
                byte if DELETE.contains(&byte) => delete_last(&mut secret),
                byte => secret.push(byte),
            }
        }
    };
    show("\n");
    let text = String::from_utf8_lossy(&secret).into_owned();
    secret.fill(0);
    done.map(|()| text.into())
}

/// Asks for a yes by a single key; no is the default.
pub(super) fn confirm(question: &str) -> io::Result<bool> {
    let modes = TerminalModes::single_key()?;
    let shown = in_words(&format!("{question} [y/N] "));
    show(&shown);
    let answer = loop {
        match modes.wait(None)? {
            WakeReason::Typed => {}
            WakeReason::Continued => {
                show(&format!("\n{shown}"));
                continue;
            }
            WakeReason::Interrupted | WakeReason::Quiet => break Err(interrupted()),
        }
        let typed = modes.read()?;
        match typed.first() {
            None | Some(&END) => break Err(interrupted()),
            Some(b'y' | b'Y') => break Ok(true),
            Some(b'n' | b'N' | b'\n' | b'\r') => break Ok(false),
            Some(_) => {}
        }
    };
    show(match answer {
        Ok(true) => "yes\n",
        Ok(false) => "no\n",
        Err(_) => "\n",
    });
    answer
}

/// Lets one of several be chosen: by the arrows, j and k, or its number; Enter takes the one that is marked.
pub(super) fn choose(question: &str, among: &[String]) -> io::Result<usize> {
    let modes = TerminalModes::list()?;
    let mut at = 0;
    show(&format!("{question}:\n{}", list(among, at, columns())));
    let chosen = loop {
        match modes.wait(None)? {
            WakeReason::Typed => {}
            WakeReason::Continued => {
                show(&format!("\n{question}:\n{}", list(among, at, columns())));
                continue;
            }
            WakeReason::Interrupted | WakeReason::Quiet => break Err(interrupted()),
        }
        let typed = modes.read()?;
        match step(&typed, at, among.len()) {
            ListKey::To(next) => at = next,
            ListKey::Take(taken) => break Ok(taken),
            ListKey::Leave => break Err(interrupted()),
        }
        show(&format!("{}{}", taken_away(among.len()), list(among, at, columns())));
    };
    if let Ok(taken) = chosen {
        // One line more: the question's own.
        show(&format!("{}{question}: {}\n", taken_away(among.len() + 1), among[taken]));
    }
    chosen
}

/// What takes the last lines away; where a terminal can't, they stay.
fn taken_away(lines: usize) -> String {
    if takes_escapes() { format!("\x1b[{lines}A\x1b[J") } else { String::new() }
}

#[derive(Debug, PartialEq, Eq)]
enum ListKey {
    To(usize),
    Take(usize),
    Leave,
}

fn step(typed: &[u8], from: usize, of: usize) -> ListKey {
    let (mut at, mut rest) = (from, typed);
    if rest.is_empty() {
        return ListKey::Leave;
    }
    while let Some(key) = rest.first() {
        let (taken, next) = match rest {
            [0x1b, b'[' | b'O', b'B', ..] => (3, at + 1),
            [0x1b, b'[' | b'O', b'A', ..] => (3, at + of - 1),
            _ => match key {
                b'j' | b'\t' => (1, at + 1),
                b'k' => (1, at + of - 1),
                b'1'..=b'9' if usize::from(key - b'1') < of => (1, usize::from(key - b'1')),
                b'\n' | b'\r' => return ListKey::Take(at),
                &END => return ListKey::Leave,
                _ => (1, at),
            },
        };
        (at, rest) = (next % of.max(1), &rest[taken..]);
    }
    ListKey::To(at)
}

fn list(among: &[String], at: usize, columns: usize) -> String {
    let line = |(place, it): (usize, &String)| {
        // A line that the terminal breaks would be two, and be drawn twice.
        let it = truncate_str(it, columns.saturating_sub(3), "…");
        format!("{} {it}\n", if place == at { '>' } else { ' ' })
    };
    among.iter().enumerate().map(line).collect()
}

/// A question that the terminal doesn't break inside of a word.
fn in_words(question: &str) -> String {
    wrapped(question, columns(), 0)
}

/// As wide as the terminal is now: it may have been made narrower meanwhile.
fn columns() -> usize {
    Term::stderr().size().1.into()
}

/// Reads all that is pasted, and one byte more than the most that may be. It ends with Enter once it's quiet, or Ctrl-D; one line
/// needs no second Enter. Nothing of it is shown, for a code may be in it, and nothing of it is left to the shell.
pub(super) fn read_paste(most: usize, question: &str, tell: &dyn Fn(&str)) -> io::Result<Vec<u8>> {
    let modes = TerminalModes::paste()?;
    tell(question);
    let (mut burst, mut quiet, mut told) = (Burst::new(most), false, false);
    loop {
        let limit = (!burst.is_empty()).then_some(QUIET);
        match modes.wait(limit)? {
            WakeReason::Typed => {}
            WakeReason::Continued => {
                tell(question);
                continue;
            }
            WakeReason::Interrupted => return Err(interrupted()),
            WakeReason::Quiet => {
                let text = burst.text();
                if !text.open && !text.marked && text.is_a_line() {
                    break;
                }
                if !std::mem::replace(&mut told, true) {
                    tell("Press Enter when you have pasted everything.");
                }
                quiet = true;
                continue;
            }
        }
        let typed = modes.read()?;
        let is_enter = matches!(typed.as_slice(), b"\n" | b"\r" | b"\r\n");
        if typed.is_empty() || is_enter && quiet && !burst.text().open {
            break;
        }
        let end = typed.iter().position(|byte| *byte == END);
        burst.add(&typed[..end.unwrap_or(typed.len())]);
        quiet = false;
        if burst.text().is_entered() || end.is_some() {
            break;
        }
    }
    while modes.wait(Some(REST))? == WakeReason::Typed && !modes.read()?.is_empty() {}
    let mut bytes = burst.text().bytes;
    bytes.truncate(most + 1);
    Ok(bytes)
}

/// A line, as it's typed and shown.
fn line(shown: &str) -> io::Result<String> {
    let modes = TerminalModes::line()?;
    show(shown);
    loop {
        match modes.wait(None)? {
            WakeReason::Typed => {
                let line = modes.read()?;
                return match line.is_empty() {
                    true => Err(interrupted()),
                    false => Ok(String::from_utf8_lossy(&line).into_owned()),
                };
            }
            WakeReason::Continued => show(shown),
            WakeReason::Interrupted | WakeReason::Quiet => {
                show("\n");
                return Err(interrupted());
            }
        }
    }
}

/// Takes the last character off, which may be of several bytes.
fn delete_last(text: &mut Vec<u8>) {
    while let Some(last) = text.pop() {
        if !(0x80..0xC0).contains(&last) {
            break;
        }
    }
}

fn interrupted() -> io::Error {
    io::ErrorKind::Interrupted.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_gone_through_by_arrows_letters_and_numbers() {
        for (typed, step_) in [
            ("j", ListKey::To(1)),
            ("jjj\n", ListKey::Take(0)),
            ("\x1b[B\x1b[B", ListKey::To(2)),
            ("\x1b[A", ListKey::To(2)),
            ("k\r", ListKey::Take(2)),
            ("3", ListKey::To(2)),
            ("9", ListKey::To(0)),
            ("\x04", ListKey::Leave),
            ("", ListKey::Leave),
        ] {
            assert_eq!(step(typed.as_bytes(), 0, 3), step_, "{typed:?}");
        }
    }

    #[test]
    fn a_character_of_several_bytes_is_deleted_at_once() {
        let mut text = "aé€".as_bytes().to_vec();
        delete_last(&mut text);
        assert_eq!(text, "aé".as_bytes());
        delete_last(&mut text);
        assert_eq!(text, b"a");
    }
}
