//! `doctor`, in this process: what works, what doesn't, and what `--fix` clears away. It tells no secret.

use crate::rig::{Done, Reply, Rig, register};
use crate::snapshot;
use biotrack_auth::system::{KeyringFault, KeyringStore, Surroundings};
use jiff::SignedDuration;
use rusqlite::Connection;
use serde_json::Value;
use std::fs;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;

/// Without what is so of this machine alone (its kind, its disk, whether it has IPv6), and of this version alone.
fn here(done: Done) -> Done {
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let out = done.out.replace(&platform, "[PLATFORM]").replace(&version, "\"version\": \"[VERSION]\"");
    let out = without(&out, "– redirect     [::1]", "\n");
    let out =
        without(&out, "– platform     ", "→ If something doesn't work here, report it with this output.\n");
    let no_ipv6 = "    {\n      \"check\": \"redirect\",\n      \"health\": \"note\"";
    let out = without(&out, no_ipv6, "    },\n");
    let digit = |c: char| c.is_ascii_digit();
    let lines = out.lines().map(|line| match (line.split_once(" MiB free"), line.split_once(", schema ")) {
        (Some((before, after)), _) => {
            format!("{}[MANY] MiB free{after}\n", before.trim_end_matches(digit))
        }
        (_, Some((before, after))) => {
            format!("{before}, schema [NEWEST]{}\n", after.trim_start_matches(digit))
        }
        // Windows always has one.
        _ if cfg!(windows) && line == "✓ browser      the default browser" => "– browser      no browser found\n               → Use --no-browser, which prints the address; or set BROWSER or --browser CMD.\n".to_owned(),
        // Windows tells it of an access list.
        _ if cfg!(windows) && line.contains(" files        ") && line.contains("[HOME]") => {
            "✓ files        private, in [HOME]\n".to_owned()
        }
        _ => format!("{line}\n"),
    });
    Done { out: lines.collect(), ..done }
}

/// The text without the piece that begins and ends so.
fn without(text: &str, begin: &str, end: &str) -> String {
    let Some((before, rest)) = text.split_once(begin) else { return text.to_owned() };
    format!("{before}{}", rest.split_once(end).map_or("", |(_, after)| after))
}

fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    rig
}

/// The problems that it finds, as `check: found → fix`.
fn problems(rig: &Rig) -> Vec<String> {
    let document = rig.run("doctor --json").json();
    let told = |it: &Value| {
        let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {} → {}", text("check"), text("found"), text("fix"))
    };
    let all = document["findings"].as_array().unwrap();
    all.iter().filter(|it| it["health"] == "problem").map(told).collect()
}

fn tamper(rig: &Rig, statements: &str) {
    Connection::open(rig.file("ledger.db")).unwrap().execute_batch(statements).unwrap();
}

/// Every file of the home with its content, but for the one that a look itself may touch.
fn content(rig: &Rig) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![rig.home().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("ledger.db-shm") {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// As old as a file that nobody is about to lock.
#[cfg(unix)]
fn ages(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn where_all_is_well_it_says_so() {
    let rig = granted();
    let browser = rig.write("browser", "#!/bin/sh\n");
    #[cfg(unix)]
    set_mode(Path::new(&browser), 0o755);
    rig.sets("BROWSER", &browser);
    snapshot!("well", here(rig.run("doctor")));
    snapshot!("well_as_json", here(rig.run("doctor --json")));
}

#[test]
fn what_it_tells_can_be_pasted() {
    let rig = granted();
    rig.sets("HOME", &rig.home().display().to_string());
    rig.sets("SHELL", "/bin/zsh");
    fs::create_dir(rig.file(".zfunc")).unwrap();
    rig.write(".zfunc/_biotrack-auth", "");
    let mut done = rig.run("doctor").exits(0);
    done.out = done.out.replace('\\', "/");
    assert!(!done.out.contains("[HOME]") && !done.out.contains("ann@example.com"), "{}", done.out);
    assert!(
        done.out.contains("~/config.toml") && done.out.contains("zsh: ~/.zfunc/_biotrack-auth"),
        "{}",
        done.out
    );
}

#[test]
fn it_works_where_nothing_is_configured_yet() {
    let rig = Rig::bare();
    snapshot!(here(rig.run("doctor")));
    assert!(content(&rig).is_empty());
}

#[test]
fn a_keyring_that_works() {
    let rig = Rig::with_keyring();
    rig.grant("L-1").exits(0);
    snapshot!(here(rig.run("doctor")));
}

#[test]
fn several_findings_at_once() {
    let rig = granted();
    rig.adds_to_profile("pkce = \"off\"\nno_such_key = 1");
    rig.provider.replies("/.well-known/oauth-authorization-server", vec![Reply::Unreachable; 9]);
    tamper(&rig, "DROP TRIGGER history_is_not_rewritten; UPDATE history SET detail = 'x' WHERE seq = 1");
    tamper(&rig, "DELETE FROM secret");
    snapshot!("several_findings", here(rig.run("doctor")));
    snapshot!("several_findings_as_json", here(rig.run("doctor --json")));
}

#[test]
fn a_provider_without_revocation_whose_clock_is_off() {
    let rig = Rig::new();
    rig.provider.revokes_nothing();
    rig.provider.clock_is_ahead(SignedDuration::from_mins(20));
    snapshot!(here(rig.run("doctor")));
}

#[test]
fn introspection_that_is_wanted_and_not_offered_is_named() {
    let rig = Rig::new();
    rig.adds_to_profile("introspect = true");
    let without = crate::rig::Reply::Changed(serde_json::json!({"introspection_endpoint": null}));
    rig.provider.replies("/.well-known/oauth-authorization-server", [without]);
    let done = rig.run("doctor").exits(1);
    assert!(done.out.contains("the provider offers no introspection"), "{}", done.out);
}

#[test]
fn a_grant_that_waits_to_be_stored_is_told_everywhere_and_stored_by_the_next_command() {
    let rig = Rig::with_keyring();
    rig.world().watch({
        let keyring = rig.keyring.clone();
        move |moment| {
            // Locked in mid-flow: what the exchange brings can't be stored.
            if *moment == crate::rig::Moment::Answered("/oauth/token".into()) {
                keyring.locks(true);
            }
        }
    });
    rig.run(&crate::rig::register("L-1")).exits(7);
    rig.world().unwatch();
    rig.keyring.locks(false);
    snapshot!("waiting_card", rig.run("status L-1"));
    snapshot!("waiting_check", rig.run("status --check"));
    snapshot!("waiting_token", rig.run("token L-1"));
    let it = rig.run("status --json").exits(0).json()["authorizations"][0].clone();
    assert_eq!(it["conditions"], serde_json::json!(["granted_not_stored"]));
    let done = rig.run("doctor").exits(1);
    assert!(done.out.contains("granted, but not stored yet; each grant is kept sealed: L-1"), "{}", done.out);
    let next = it["next_command"].as_str().unwrap().trim_start_matches("biotrack-auth ").to_owned();
    rig.run(&format!("{next} --no-input --no-browser")).exits(0);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
}

#[test]
fn a_place_far_from_a_screen() {
    let rig = Rig::new();
    rig.is_in(Surroundings { ssh: true, wsl: false, container: true, display: false, wine: false });
    snapshot!(here(rig.run("doctor")));
}

#[test]
fn a_profile_of_the_states_with_all_that_is_still_missing() {
    let rig = Rig::bare();
    rig.run("config init --preset ny --vault sealed --url https://ny.example --client-id me --company 'Treez Inc' --application Treez")
        .exits(0);
    rig.sets("HTTPS_PROXY", "http://proxy.example:3128");
    snapshot!(here(rig.run("doctor")));
}

#[test]
fn a_port_that_is_taken_is_found() {
    let rig = Rig::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    rig.adds_to_profile(&format!("redirect = {{ port = {port} }}"));
    let found = problems(&rig);
    assert!(
        found.len() == 1 && found[0].starts_with(&format!("redirect: 127.0.0.1, port {port}: ")),
        "{found:?}"
    );
}

/// Several checks need the configuration: what is wrong with it is reported once.
#[cfg(unix)]
#[test]
fn a_configuration_that_others_can_change_is_named_once() {
    let rig = Rig::new();
    set_mode(&rig.file("config.toml"), 0o664);
    let done = rig.run("doctor").exits(1);
    assert_eq!(done.out.matches("its group can change it").count(), 1, "{}", done.out);
}

#[cfg(unix)]
#[test]
fn what_others_can_read_is_found() {
    let rig = granted();
    set_mode(&rig.file("config.toml"), 0o666);
    set_mode(&rig.file("ledger.db"), 0o644);
    set_mode(rig.home(), 0o755);
    snapshot!(here(rig.run("doctor")));
}

#[test]
fn an_identity_that_is_gone_and_another_in_its_place() {
    let rig = granted();
    fs::remove_file(rig.file("identity.txt")).unwrap();
    snapshot!("no_identity", here(rig.run("doctor")));
    biotrack_auth::vault::create_identity(&rig.file("identity.txt")).unwrap();
    snapshot!("another_identity", here(rig.run("doctor")));
}

#[test]
fn secrets_that_are_damaged_or_gone_are_named_with_the_command() {
    let rig = granted();
    tamper(&rig, "UPDATE secret SET blob = x'00'");
    snapshot!("damaged", here(rig.run("doctor")));
    tamper(&rig, "DELETE FROM secret");
    snapshot!("gone", here(rig.run("doctor")));
}

#[test]
fn a_ledger_that_is_none() {
    let rig = granted();
    rig.spoil_the_ledger();
    snapshot!(here(rig.run("doctor")));
}

#[test]
fn the_keyring_and_the_ledger_are_compared_both_ways() {
    let rig = Rig::with_keyring();
    rig.grant("L-1").exits(0);
    let id = rig.ledger().id().to_owned();
    let orphan = format!("{id}/local-sandbox/604001/L-9/1");
    rig.keyring.set(&orphan, b"x").unwrap();
    rig.keyring.set("another-ledger/local-sandbox/604001/L-9/1", b"x").unwrap();
    snapshot!("an_orphan", here(rig.run("doctor")));
    assert_eq!(rig.keyring.accounts().len(), 3, "a look changes nothing");
    snapshot!("an_orphan_is_cleared_away", here(rig.run("doctor --fix")));
    let left = rig.keyring.accounts();
    assert!(left.len() == 2 && !left.contains(&orphan), "another ledger's stays: {left:?}");
    rig.keyring.delete(left.iter().find(|it| it.starts_with(&id)).unwrap()).unwrap();
    snapshot!("an_item_is_gone", here(rig.run("doctor")));
    rig.keyring.locks(true);
    snapshot!("locked", here(rig.run("doctor")));
}

/// Some keyrings keep an item's name and lose its secret.
#[test]
fn an_empty_secret_is_none() {
    let rig = Rig::with_keyring();
    rig.grant("L-1").exits(0);
    let item = rig.keyring.accounts().pop().unwrap();
    rig.keyring.puts(&item, b"");
    let told = rig.run("doctor").exits(1).out;
    assert!(told.contains("✗ vault        the secret of L-1 is missing or damaged"), "{told}");
    assert!(told.contains("biotrack-auth renew 604001/L-1") && !told.contains("names is there"), "{told}");
    rig.run("token L-1").exits(7);
    rig.run("renew L-1 --browser scripted").exits(0);
    rig.run("deactivate L-1 --yes").exits(0);
    assert_eq!(rig.keyring.accounts(), Vec::<String>::new());
}

#[test]
fn what_a_revocation_waits_with_and_is_lost_is_told_with_the_command_that_status_names() {
    let rig = Rig::with_keyring();
    rig.grant("L-1").exits(0);
    rig.provider.replies("/oauth/revoke", [Reply::Status(400, String::new())]);
    rig.run("deactivate L-1 --yes").exits(8);
    let item = rig.keyring.accounts().pop().unwrap();
    rig.keyring.loses(&item);
    let told = rig.run("doctor").exits(1).out;
    assert!(told.contains("the tokens of L-1 for a pending revocation are missing or damaged"), "{told}");
    let next = "biotrack-auth deactivate 604001/L-1";
    assert!(told.contains(&format!("{next}\n")) && rig.run("status L-1 --json").out.contains(next), "{told}");
    let done = rig.run("deactivate L-1 --yes").exits(0);
    assert!(done.out.contains("a grant may still be valid"), "{}", done.out);
    assert!(!rig.run("doctor").out.contains("✗ vault"));
}

/// Where the entry that is right can't be told, whoever looks is sent to the keyring's own program.
#[test]
fn two_entries_of_one_name_that_differ() {
    let rig = Rig::with_keyring();
    rig.grant("L-1").exits(0);
    let item = rig.keyring.accounts().pop().unwrap();
    rig.keyring.doubles(&item);
    for (line, exit) in [("doctor", 1), ("token L-1", 7)] {
        let done = rig.run(line).exits(exit);
        let said = done.out + &done.err;
        assert!(said.contains(&format!("the keyring has 2 entries named {item}, and they differ")), "{said}");
        assert!(said.contains("Delete the wrong entry in the keyring's own program"), "{said}");
    }
}

/// Without the keyring nothing moves away from it: the command that would is no way out, and isn't named.
#[test]
fn a_keyring_that_is_away_sends_nobody_in_a_circle() {
    let rig = Rig::with_keyring();
    let away = || rig.keyring.fails(KeyringFault::Absent("no D-Bus session".into()));
    away();
    let done = rig.run(&register("L-1")).exits(7);
    assert!(done.err.contains("biotrack-auth config vault sealed"), "nothing is in it yet: {}", done.err);
    rig.grant("L-1").exits(0);
    for line in ["token L-1", "renew L-1 --browser scripted", "deactivate L-1 --yes", "config vault sealed"] {
        away();
        let done = rig.run(line).exits(7);
        assert!(!done.err.contains("config vault"), "{line}: {}", done.err);
        assert!(
            done.err.contains("start the keyring. The secrets of this ledger are in it."),
            "{line}: {}",
            done.err
        );
    }
    away();
    let told = rig.run("doctor").exits(1).out;
    assert!(
        told.contains("The secrets of this ledger are in it.") && !told.contains("config vault"),
        "{told}"
    );
    // Where nothing is left in it, it isn't asked.
    rig.run("deactivate L-1 --yes").exits(0);
    away();
    rig.run("config vault sealed").exits(0);
    rig.grant("L-1").exits(0);
}

#[cfg(unix)]
#[test]
fn only_fix_changes_anything() {
    let rig = granted();
    for folder in ["owners", "spool"] {
        rig.write(&format!("{folder}/dead"), "\n");
        ages(&rig.file(folder).join("dead"));
    }
    // One that is just being made.
    rig.write("owners/young", "");
    set_mode(rig.home(), 0o755);
    let before = content(&rig);
    snapshot!("leftovers", here(rig.run("doctor")));
    assert_eq!((content(&rig), mode(rig.home())), (before, 0o755));
    snapshot!("leftovers_are_cleared_away", here(rig.run("doctor --fix")));
    assert!(!rig.file("owners/dead").exists() && !rig.file("spool/dead").exists());
    assert!(rig.file("owners/young").exists());
    assert_eq!(mode(rig.home()), 0o700);
    assert_eq!(problems(&rig), Vec::<String>::new());
}

#[test]
fn without_a_client_secret_or_a_folder_for_the_ledger_something_is_wrong() {
    let rig = Rig::bare();
    let init = "config init --preset ny --url https://ny.example --token-url https://ny.example/token --client-id me \
                --company Treez --application Treez --vault sealed";
    rig.run(init).exits(0);
    let told = rig.run("doctor").exits(1).out;
    assert!(told.contains("✗ vault        no client secret is stored yet"), "{told}");
}

/// A row of the hooks' queue of which the history says nothing that can be read, one of each other queue, and a counter that no host
/// counted to.
const BY_HAND: &str = "
    INSERT INTO history (seq, at, profile, ubi, license, event, user, host, detail, hash)
        VALUES (900, '10000-01-01T00:00:00Z', 'local-sandbox', '', '', 'granted', 'u', 'h', 'd', x'00');
    INSERT INTO hook_queue (seq, profile, occasion) VALUES (900, 'local-sandbox', 'granted');
    INSERT INTO run VALUES (70, 'local-sandbox', 9223372036854775807, 'x', 'x'), (71, 'local-sandbox', 1, 'x', 'x');
    INSERT INTO run_item (run, place, ubi, license, username, purpose, tags, base, why, progress)
        VALUES (71, 3, '', '', '', 'nonsense', '', 1, '', 'waiting');
    INSERT INTO host VALUES ('age1x', 'x', 9223372036854775807, 9223372036854775807);
    INSERT INTO reminded VALUES ('local-sandbox', '604001', 'L-1', 1, -1, 1);";

#[test]
fn in_a_file_rows_that_nobody_can_read_stop_nobody_and_are_named_and_removed() {
    let rig = granted();
    rig.adds_to_profile("[hooks]\ngranted = \"true\"");
    tamper(&rig, BY_HAND);
    for line in ["remind", "renew L-1 --browser scripted", "status", "renew --resume"] {
        let done = rig.run(line);
        assert!(!done.err.contains("can't read"), "{line}: {}", done.err);
    }
    rig.run("remind").exits(0);
    let found = problems(&rig);
    for what in [
        "the waiting hook of history entry 900",
        "run 70 over",
        "license 3 of run 71",
        "host age1x",
        "1 notes",
    ] {
        let of_it = found.iter().find(|it| it.contains(what)).unwrap_or_else(|| panic!("{what}: {found:#?}"));
        assert!(of_it.contains("can't be read") && of_it.ends_with("biotrack-auth doctor --fix"), "{of_it}");
    }
    let fixed = rig.run("doctor --fix").out;
    assert!(fixed.contains("removed 5 rows that can't be read, repaired 0 damaged counters"), "{fixed}");
    assert!(!problems(&rig).iter().any(|it| it.contains("can't be read")));
}

#[test]
fn in_a_file_a_counter_that_no_host_counted_to_is_refused_before_anybody_is_asked_and_repaired() {
    for set in [
        "UPDATE authorization SET generation = 4611686018427387904",
        "UPDATE authorization SET generation = 9223372036854775807",
        "UPDATE authorization SET revision = 9223372036854775807",
        "INSERT INTO removed_record VALUES ('local-sandbox', '604001', 'L-2', 9223372036854775807)",
    ] {
        let rig = granted();
        tamper(&rig, set);
        let (line, license) = match set.contains("removed_record") {
            true => (
                "register --ubi 604001 --license L-2 --username ann@hudson.example --browser scripted",
                "L-2",
            ),
            false => ("renew L-1 --browser scripted", "L-1"),
        };
        let asked = rig.opened().len();
        let refused = rig.run(line).exits(7).err;
        assert!(
            refused.contains(&format!("a counter of {license} in the ledger is damaged")),
            "{set}: {refused}"
        );
        assert_eq!(rig.opened().len(), asked, "{set}");
        rig.run("status").exits(0);
        let found = problems(&rig);
        assert!(
            found.iter().any(|it| it.contains(&format!("{license} (local-sandbox)"))),
            "{set}: {found:#?}"
        );
        let fixed = rig.run("doctor --fix").out;
        assert!(fixed.contains("repaired 1 damaged counter"), "{set}: {fixed}");
        rig.run(line).exits(0);
        assert!(!problems(&rig).iter().any(|it| it.contains("counter")), "{set}");
    }
}
