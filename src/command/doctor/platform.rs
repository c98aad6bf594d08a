//! Where the program runs: the platform, and what of it nobody has tested yet; and the console.

use super::Examination;
use std::env::consts::{ARCH, OS};

fn in_words(system: &str, processor: &str, musl: bool, wine: bool) -> String {
    let special = match (musl, wine) {
        (true, _) => " (musl)",
        (_, true) => " (Wine)",
        _ => "",
    };
    format!("{system} {processor}{special}")
}

/// What of a platform the program's makers have never seen; `None` where all tests run.
fn never_seen(system: &str, processor: &str, wine: bool) -> Option<&'static str> {
    match (system, processor) {
        ("linux", "x86_64") => None,
        ("linux", "aarch64") => Some("on this processor, the program was tested in an emulator only"),
        ("windows", _) if wine => {
            Some("Wine isn't Windows: it has no access lists, no mandatory file locks and no Ctrl-Break")
        }
        ("windows", _) => Some(
            "the program was tested under Wine only: nobody has tested access lists, mandatory file locks, Ctrl-Break and signing \
             out on Windows itself",
        ),
        ("macos", _) => Some("the program was built for macOS, but nobody has tested it on a Mac"),
        _ => Some("nobody has tested the program on this platform"),
    }
}

/// What is at the other end of the streams. `program`: what draws the terminal, where it says so.
fn console(attended: bool, color: bool, program: Option<&str>) -> String {
    if !attended {
        return "no terminal, or --no-input: nobody can be asked here".into();
    }
    let program = program.map(|program| format!("{program}, ")).unwrap_or_default();
    format!("a terminal: {program}{}", if color { "color" } else { "no color" })
}

impl Examination<'_, '_> {
    /// System and processor, and what is special about them.
    pub(super) fn here(&self) -> String {
        in_words(OS, ARCH, cfg!(target_env = "musl"), self.call.env.surroundings().wine)
    }

    pub(super) fn platform(&mut self) {
        if let Some(never) = never_seen(OS, ARCH, self.call.env.surroundings().wine) {
            let fix = "If something doesn't work here, report it with this output.";
            self.note("platform", format!("{}: {never}", self.here()), Some(fix.into()));
        }
    }

    pub(super) fn console(&mut self) {
        let (terminal, variables) = (&self.call.env.terminal, &self.call.env.variables);
        let program = match variables.get("WT_SESSION") {
            Some(_) => Some("Windows Terminal"),
            None => variables.get("TERM_PROGRAM").or_else(|| variables.get("TERM")),
        };
        let program = program.or(cfg!(windows).then_some("the Windows console"));
        self.well("console", console(terminal.interactive(), terminal.color_err(), program));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_named_with_what_stands_in_its_place() {
        assert_eq!(in_words("linux", "x86_64", false, false), "linux x86_64");
        assert_eq!(in_words("linux", "aarch64", true, false), "linux aarch64 (musl)");
        assert_eq!(in_words("windows", "x86_64", false, true), "windows x86_64 (Wine)");
    }

    #[test]
    fn what_nobody_has_tested_is_named_and_wine_is_not_windows() {
        assert_eq!(never_seen("linux", "x86_64", false), None);
        let wine = never_seen("windows", "x86_64", true).unwrap();
        let windows = never_seen("windows", "x86_64", false).unwrap();
        assert!(wine.starts_with("Wine isn't Windows") && windows.contains("under Wine only"));
        assert!(never_seen("macos", "aarch64", false).unwrap().contains("a Mac"));
        for (system, processor) in [("linux", "aarch64"), ("linux", "riscv64"), ("freebsd", "x86_64")] {
            assert!(never_seen(system, processor, false).is_some());
        }
    }

    #[test]
    fn a_console_is_named_where_a_person_sits_at_it() {
        assert_eq!(console(true, true, Some("Windows Terminal")), "a terminal: Windows Terminal, color");
        assert_eq!(console(true, false, None), "a terminal: no color");
        assert!(console(false, true, Some("xterm")).contains("nobody can be asked"));
    }
}
