//! Two commands that open one ledger of an older version: it's migrated once, copied once, and loses nothing.

use super::stepper::{Halt, end, halt, start_in};
use super::tally::Tally;
use crate::old_ledgers::home::{OldHome, rows};

/// What the first and the second of a pair do, and whether the license `L-OUT` becomes active by it.
const COMMANDS: [&str; 7] = [
    "status",
    "doctor --fix",
    "token L-ACTIVE",
    "history verify",
    "deactivate L-REFUSED --yes",
    "export",
    "COMPLETE",
];

fn line(home: &OldHome, command: &str) -> String {
    match command {
        "COMPLETE" => shlex::try_join(["complete", &home.answers("L-OUT")]).unwrap(),
        other => other.into(),
    }
}

/// `None`: the first ended before that step.
fn step(version: &str, (first, at): (&str, usize), second: &str) -> Option<Result<(), String>> {
    let home = OldHome::of(version, "file");
    let before = rows(&home.file("ledger.db"), None);
    let lines = (line(&home, first), line(&home, second));
    let start = |line: &str, stop_at| {
        let env = |gate: &std::sync::Arc<crate::rig::Gate>| {
            let mut env = home.env();
            env.steps = gate.clone();
            env.terminal = biotrack_auth::system::Terminal::captured(
                Box::new(std::io::sink()),
                Box::new(std::io::sink()),
            );
            env
        };
        start_in(env, line, stop_at, Box::new(|_| ()))
    };
    let (gate, of_first) = start(&lines.0, Some(at));
    let Halt::At(stopped) = halt(&of_first, first, false) else { return None };
    let (_open, of_second) = start(&lines.1, None);
    let reached = halt(&of_second, second, true);
    gate.open();
    let codes = (
        end(&of_first, first),
        match reached {
            Halt::End(code) => code,
            _ => end(&of_second, second),
        },
    );
    let judged = judge(&home, [first, second], codes, &before);
    Some(
        judged.map_err(|why| {
            format!("{version}: {first} stopped at step {at} ({stopped}) beside {second}: {why}")
        }),
    )
}

fn judge(
    home: &OldHome,
    commands: [&str; 2],
    codes: (u32, u32),
    before: &crate::old_ledgers::home::Rows,
) -> Result<(), String> {
    let twice = commands[0] == commands[1];
    // The second answer to one link, and the second end of one license, are told.
    if codes.0 != 0 && codes.1 != 0 || (codes != (0, 0) && !twice) {
        return Err(format!("they ended with {codes:?}"));
    }
    let copies = std::fs::read_dir(home.file("ledger.db").parent().unwrap()).unwrap();
    let copies: Vec<_> = copies
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("ledger.db.") && !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    if copies != ["ledger.db.schema-7"] {
        return Err(format!("its copies are {copies:?}"));
    }
    if rows(&home.file("ledger.db.schema-7"), None) != *before {
        return Err("the copy isn't the ledger that it was".into());
    }
    let mut expected = home.expected["states"].clone();
    for (command, license, state) in
        [("COMPLETE", "L-OUT", "active"), ("deactivate L-REFUSED --yes", "L-REFUSED", "deactivated")]
    {
        if commands.contains(&command) {
            expected[license] = state.into();
        }
    }
    let states = home.states();
    if states != expected {
        return Err(format!("{states} instead of {expected}"));
    }
    home.run(&["history", "verify"]).exits(0);
    home.run(&["token", "L-DUE"]).exits(0);
    Ok(())
}

#[test]
fn in_a_file_of_an_older_version() {
    let mut tally = Tally::default();
    for version in ["0.1.0", "0.2.0"] {
        for first in COMMANDS {
            for second in COMMANDS {
                let name = format!("a ledger of {version}: {first} beside {second}");
                let (begin, stride) = tally.stride(&name, 27);
                tally.pair(&name, |tally| {
                    for at in (begin..).step_by(stride) {
                        let Some(judged) = step(version, (first, at), second) else { break };
                        tally.count(judged);
                    }
                });
            }
        }
    }
    tally.end();
}
