//! S52 (and promise 4): no secret is given by argv.

use biotrack_auth::cli;

/// Options with such a name hold no secret, and why.
const HARMLESS: [(&str, &str); 4] = [
    ("password", "hidden, and refused with the reason: the admin's password belongs on BioTrack's page only"),
    ("token-url", "an address"),
    ("token-url-parameter", "a name"),
    ("key", "the name of a setting; no setting of the file is a secret"),
];

fn look(command: &clap::Command, found: &mut Vec<String>) {
    for arg in command.get_arguments() {
        let takes_value = arg.get_action().takes_values();
        let name = arg.get_id().as_str().replace('_', "-").to_lowercase();
        let secret = ["secret", "token", "password", "passphrase", "verifier", "code", "identity", "key"];
        let is_file = arg
            .get_value_names()
            .is_some_and(|names| names.iter().all(|it| ["FILE", "DIR"].contains(&it.as_str())));
        if takes_value
            && !is_file
            && secret.iter().any(|word| name.contains(word))
            && !HARMLESS.iter().any(|(harmless, _)| name == *harmless)
        {
            found.push(format!("{} {name}", command.get_name()));
        }
    }
    command.get_subcommands().for_each(|below| look(below, found));
}

#[test]
fn no_option_takes_a_secret() {
    let mut found = Vec::new();
    look(&cli::tree(), &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_password_is_refused_and_not_repeated() {
    let rig = crate::support::Rig::new();
    let run = rig.run(&crate::support::register("L-1", &["--password", "correct horse"])).exits(2);
    assert!(!run.err.contains("correct horse") && !run.out.contains("correct horse"), "{run:?}");
    run.says("never takes the admin user's password");
}
