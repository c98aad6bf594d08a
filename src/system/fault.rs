//! A fault of the program itself. What Rust says of a panic may hold what the program was working on, so it isn't said:
//! where it happened is all that is needed to mend it.

use std::io::Write;
use std::panic::{self, AssertUnwindSafe, Location};

/// From here on a panic is told in a sentence of ours, without its own words and without a backtrace.
pub fn install_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        // Nobody is left to be told that standard error is gone.
        // defense: S28 panic-without-its-words
        let _ = writeln!(std::io::stderr(), "{}", told(panic.location()));
    }));
}

/// Runs it; `None` where it panicked, which has been told then.
pub fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(run)).ok()
}

fn told(at: Option<&Location<'_>>) -> String {
    let place = at.map(|at| format!(" (at {}:{})", at.file(), at.line())).unwrap_or_default();
    format!(
        "error: biotrack-auth met a fault of its own: this is a bug{place}\n  Nothing that was stored is lost: \
         biotrack-auth status. Please report the place and the command; no secret is in this text."
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const CANARY: &str = "canary-0123456789";

    /// Not a test of its own: the hook is the whole process's, so the next test runs this in another one.
    #[test]
    #[ignore = "run by the next test, in a process of its own"]
    fn panicking() {
        super::install_panic_hook();
        let text = format!("é{CANARY}");
        let cut = std::hint::black_box(1);
        // Its own words quote the text.
        assert_eq!(&text[..cut], "");
    }

    #[test]
    fn a_panic_says_where_it_happened_and_nothing_of_what_was_worked_on() {
        let ours = std::env::current_exe().unwrap();
        let output = Command::new(ours)
            .args(["--ignored", "--exact", "system::fault::tests::panicking", "--nocapture"])
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!output.status.success() && said.contains("this is a bug (at "), "{said}");
        assert!(said.contains("fault.rs:"), "{said}");
        assert!(!said.contains(CANARY) && !said.contains("char boundary"), "{said}");
    }
}
