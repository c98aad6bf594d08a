//! S9 S43 S51 What reads the bytes of others, fed with the corpora of `fuzz/` and with mutations of them: a short cut of
//! what `fuzz/run` does, the same each time. `BIOTRACK_TEST_ALL=1` mutates every file as often as CI mutates them all.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/lib.rs"]
mod checks;

/// How often the files of a target are mutated.
const MUTATIONS: u32 = 4_000;

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// Every target that there is.
        const TARGETS: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                survives(stringify!($name), checks::$name);
            }
        )*
    };
}

targets!(
    address,
    bundle,
    callback,
    cells,
    config,
    error_answer,
    import_json,
    introspection,
    metadata,
    refresh_answer,
    request_head,
    returned,
    rows,
    sealed,
    shell,
    spool,
    terminal,
    token_answer,
    words,
);

#[track_caller]
fn survives(target: &str, check: fn(&[u8])) {
    let files = corpus(target);
    let inputs: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    for (file, input) in files.iter().zip(&inputs) {
        judged(check, input, &file.display().to_string());
    }
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    let all = std::env::var_os("BIOTRACK_TEST_ALL").is_some();
    let each = if all { inputs.len() } else { 1 };
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for number in 0..MUTATIONS as usize * each {
        let input = dice.mutated(&inputs[number % inputs.len()], &inputs);
        judged(check, &input, "a mutation");
    }
}

/// Checks one input; where that fails, the input is shown as a string of Rust.
#[track_caller]
fn judged(check: fn(&[u8]), input: &[u8], what: &str) {
    if let Err(why) = std::panic::catch_unwind(|| check(input)) {
        let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
        panic!("{what}: b\"{}\": {why}", input.escape_ascii());
    }
}

/// What the fuzzer found worth keeping, and the seeds it began with.
fn corpus(target: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let folders = [fuzz.join("seeds").join(target), fuzz.join("corpus").join(target)];
    let listed = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no corpus");
    files
}

/// Numbers that are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end.max(1)
    }

    /// A few changes, as a fuzzer makes them.
    fn mutated(&mut self, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        const TELLING: &[&[u8]] = &[
            b"\0",
            b"\n",
            b"\r\n",
            b"\x1b[2J",
            b"\"",
            b"'",
            b"\\",
            b"&",
            b"=",
            b"%00",
            b"%",
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b"@",
            b"-1",
            b"1e30",
            b"99999999999999999999",
            b"null",
            b"true",
            b"\xff",
            b"\xc3\x28",
            "\u{feff}".as_bytes(),
            "\u{202e}".as_bytes(),
            b"../",
            b"//",
        ];
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(9)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => drop(bytes.splice(at..at, TELLING[self.below(TELLING.len())].iter().copied())),
                3 => drop(bytes.splice(at..end, TELLING[self.below(TELLING.len())].iter().copied())),
                4 => {
                    let again = bytes[at..end].to_vec();
                    drop(bytes.splice(at..at, again));
                }
                _ => {
                    let other = &others[self.below(others.len())];
                    bytes.truncate(at);
                    bytes.extend(&other[self.below(other.len() + 1)..]);
                }
            }
        }
        bytes.truncate(8192);
        bytes
    }
}

#[test]
fn every_target_of_the_fuzzer_is_checked_here_and_has_a_small_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut found: Vec<_> =
        fs::read_dir(fuzz.join("fuzz_targets")).unwrap().map(|it| stem(it.unwrap().path())).collect();
    found.sort();
    assert_eq!(found, TARGETS);
    for target in TARGETS {
        let files = corpus(target);
        let size: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
        assert!(files.len() <= 220 && size <= 330_000, "{target}: {} files, {size} bytes", files.len());
    }
}
