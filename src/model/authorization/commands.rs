//! The commands that a person is told to run, quoted for a POSIX shell: whatever a license or an admin is called.

use super::columns::Authorization;
use crate::error::shell;
use crate::model::ids::LicenseId;
use crate::model::provider::{ClientAuth, Provider};

/// A command on one record, by its unmistakable `UBI/LICENSE`; with `--profile` where it isn't the default one.
pub fn command_for(command: &str, record: &Authorization, other_profile: bool) -> String {
    command_with(command, &[], other_profile.then_some(&record.profile), &[&record.key])
}

/// The same on several records, or on a profile as a whole, with flags.
pub fn command_with(command: &str, flags: &[&str], profile: Option<&String>, keys: &[&LicenseId]) -> String {
    line(command, flags, profile, keys, &[])
}

/// The command that gives the vault another client secret; none where the profile's is published, or it has none.
pub fn set_secret_command(provider: &Provider) -> Option<String> {
    let is_ours = provider.published_secret.is_none() && provider.client_auth != ClientAuth::None;
    is_ours.then(|| command_with("config", &["set-secret"], provider.other(), &[]))
}

/// The same with its flags behind the records, which reads better, where nothing hinders that.
fn flagged(command: &str, record: &Authorization, other_profile: bool, flags: &[&str]) -> String {
    line(command, &[], other_profile.then_some(&record.profile), &[&record.key], flags)
}

fn line(
    command: &str,
    flags: &[&str],
    profile: Option<&String>,
    keys: &[&LicenseId],
    behind: &[&str],
) -> String {
    let selectors: Vec<_> = keys.iter().map(ToString::to_string).collect();
    let mut words = vec!["biotrack-auth", command];
    words.extend(profile.iter().flat_map(|profile| ["--profile", profile]));
    words.extend(flags);
    // What begins with a dash must not be read as a flag, and what follows is none any more.
    if selectors.iter().any(|selector| selector.starts_with('-')) {
        words.extend(behind);
        words.push("--");
        words.extend(selectors.iter().map(String::as_str));
    } else {
        words.extend(selectors.iter().map(String::as_str));
        words.extend(behind);
    }
    shell(words)
}

/// What names a record behind a command and its flags, for a hint that has a command of its own.
pub fn selector(key: &LicenseId, profile: Option<&String>) -> String {
    let selector = key.to_string();
    let mut words: Vec<&str> = profile.iter().flat_map(|profile| ["--profile", profile]).collect();
    if selector.starts_with('-') {
        words.push("--");
    }
    words.push(&selector);
    shell(words)
}

/// The command that accepts the grant that awaits approval.
pub fn accept_waiting(record: &Authorization, other_profile: bool) -> String {
    flagged("renew", record, other_profile, &["--awaiting"])
}

/// The command that discards the grant that awaits approval, and nothing else: run again it revokes it, where that is left.
pub fn discard_waiting(record: &Authorization, other_profile: bool) -> String {
    flagged("deactivate", record, other_profile, &["--awaiting"])
}

/// The command that asks for a token, and hands it to nobody: it finds out what became of a refresh.
pub fn token_for(record: &Authorization, other_profile: bool) -> String {
    let mut words = vec!["biotrack-auth", "exec"];
    if other_profile {
        words.extend(["--profile", &record.profile]);
    }
    // The one `--` that this command knows stands before what it runs: it takes a selector with a dash as it is.
    let selector = record.key.to_string();
    words.extend([&selector, "--", "true"]);
    shell(words)
}

pub fn hand_out_again(record: &Authorization, other_profile: bool) -> String {
    match is_first(record) {
        true => register(record, other_profile, &["--no-wait"]),
        false => flagged("renew", record, other_profile, &["--no-wait"]),
    }
}

/// The command that takes an answer which somebody sends back.
pub fn complete_command(profile: Option<&String>) -> String {
    command_with("complete", &["-"], profile, &[])
}

/// The command that asks about a record's license once more.
pub fn ask_again_command(record: &Authorization, other_profile: bool) -> String {
    match is_first(record) {
        true => register_again(record, other_profile),
        false => command_for("renew", record, other_profile),
    }
}

pub fn register_again(record: &Authorization, other_profile: bool) -> String {
    register(record, other_profile, &[])
}

/// Whether the next consent is its first, since it was registered.
fn is_first(record: &Authorization) -> bool {
    record.created_at.is_none() || record.deactivated_at.is_some()
}

fn register(record: &Authorization, other_profile: bool, behind: &[&str]) -> String {
    let mut words = vec!["biotrack-auth", "register"];
    if other_profile {
        words.extend(["--profile", &record.profile]);
    }
    let key = &record.key;
    let flags = [
        ("--ubi=", key.ubi.as_str()),
        ("--license=", key.license.as_str()),
        ("--username=", record.username.as_str()),
    ]
    .map(|(flag, value)| (flag, value, format!("{flag}{value}")));
    for (flag, value, joined) in &flags {
        if *flag == "--ubi=" && key.ubi.number().is_none() {
            continue;
        }
        if value.starts_with('-') {
            words.push(joined);
        } else {
            words.extend([flag.trim_end_matches('='), value]);
        }
    }
    words.extend(behind);
    shell(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{License, Ubi, Username};

    #[test]
    fn no_name_ends_the_flags_of_a_command_or_hides_one() {
        for (ubi, license, user) in [
            ("604001", "L -- 1", "ann -- x@example.com"),
            ("-604001", "L-1", "-ann@example.com"),
            ("-604001", "-- -L", "-- ann@example.com"),
            ("--", "--", "--"),
        ] {
            let key = LicenseId { ubi: Ubi::parse(ubi).unwrap(), license: License::parse(license).unwrap() };
            let record = Authorization::asked("ny", key.clone(), Username::parse(user).unwrap());
            let whole = key.to_string();
            for (command, flag) in [
                (accept_waiting(&record, true), "--awaiting"),
                (discard_waiting(&record, false), "--awaiting"),
                (hand_out_again(&record, true), "--no-wait"),
            ] {
                let words = shlex::split(&command).unwrap();
                let flag = words.iter().position(|word| word == flag).unwrap();
                let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
                assert!(flag < end, "{command}");
            }
            let mut granted = record.clone();
            granted.created_at = Some(jiff::Timestamp::UNIX_EPOCH);
            let words = shlex::split(&hand_out_again(&granted, false)).unwrap();
            assert!(words.contains(&whole) && words.contains(&"--no-wait".to_owned()), "{words:?}");
        }
    }
}
