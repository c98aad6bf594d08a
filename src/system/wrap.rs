//! Lines that fit a terminal: broken between words, and never inside of a command that somebody copies.

use console::measure_text_width;

/// What begins a command to paste.
const COMMANDS: [&str; 2] = ["biotrack-auth", "ssh"];

/// The text in lines no wider than that, where its words and commands allow it; the further lines are moved in by so much, or as
/// far as the line itself is.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let (mut whole, mut at) = (String::new(), 0);
        let indent = indent.max(line.len() - line.trim_start_matches(' ').len());
        for piece in pieces(line) {
            let wide = measure_text_width(piece);
            if at > 0 && at + 1 + wide > width {
                whole.push('\n');
                whole.extend(std::iter::repeat_n(' ', indent));
                at = indent;
            } else if at > 0 {
                whole.push(' ');
                at += 1;
            }
            whole.push_str(piece);
            at += wide;
        }
        lines.push(whole);
    }
    lines.join("\n")
}

/// Words, each command whole: it ends with its sentence. What is moved in stays so.
fn pieces(line: &str) -> Vec<&str> {
    let start = line.len() - line.trim_start().len();
    let (mut pieces, mut begins) = (Vec::new(), 0);
    let mut in_command = false;
    for (at, _) in line.match_indices(' ').chain([(line.len(), "")]) {
        let word = line[begins..at].rsplit(' ').next().unwrap_or_default();
        let bare = word.trim_start_matches(['`', '(']);
        in_command |= COMMANDS.iter().any(|command| bare.starts_with(command));
        let ends = word.ends_with(['.', ';', ',', ':', '`', ')']);
        if at < start || at > begins && in_command && !ends && at < line.len() {
            continue;
        }
        in_command = false;
        pieces.push(&line[begins..at]);
        begins = at + 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_so_do_commands() {
        let hint = "If that admin may grant, accept it: biotrack-auth renew 101-X0007-D1 --awaiting. To discard it: \
                    biotrack-auth deactivate 101-X0007-D1 --awaiting.";
        let told = wrapped(hint, 50, 2);
        assert_eq!(
            told,
            "If that admin may grant, accept it:\n  biotrack-auth renew 101-X0007-D1 --awaiting. To\n  discard it:\n  \
             biotrack-auth deactivate 101-X0007-D1 --awaiting."
        );
        assert_eq!(wrapped("short\n  moved in", 50, 2), "short\n  moved in");
        assert_eq!(wrapped("", 10, 2), "");
        assert_eq!(wrapped("  Admin user  ann (theirs)", 20, 0), "  Admin user  ann\n  (theirs)");
        let long = "x".repeat(90);
        assert_eq!(wrapped(&format!("see {long} there"), 40, 2), format!("see\n  {long}\n  there"));
    }
}
