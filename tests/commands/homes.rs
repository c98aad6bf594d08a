//! Where the program's files are: folders with odd names, long ones, and the home of an earlier version.

use crate::rig::Rig;
use std::fs;
use std::path::Path;

/// A grant's whole life; what is in the home works as in any other.
fn lives(rig: &Rig) {
    rig.grant("L-1").exits(0);
    rig.minutes_pass(55);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    let file = rig.file("all.json").display().to_string();
    rig.run_words(&["export", "--format", "json", "--output", &file]).exits(0);
    fs::remove_file(file).unwrap();
    rig.run("history verify").exits(0);
    rig.run("doctor --fix").exits(0);
    rig.run("deactivate L-1 --yes").exits(0);
}

#[test]
fn a_home_may_have_blanks_and_letters_beyond_ascii_in_its_name() {
    for vault in ["sealed", "keyring"] {
        lives(&Rig::in_folder("Zoë's  licenses (2) & more/Größe %41 \u{6f22}\u{5b57}/a", vault));
    }
}

#[test]
fn a_home_may_be_deeper_than_windows_old_limit() {
    // 260 characters were the limit of a whole path.
    let below = ["a folder with a name of forty characters"; 8].join("/");
    lives(&Rig::in_folder(&below, "sealed"));
}

#[test]
fn whoever_sits_there_may_have_a_name_beyond_ascii() {
    let rig = Rig::with_keyring();
    rig.is_used_by("Ünal Çelik");
    lives(&rig);
    assert!(rig.run("history L-1").exits(0).out.contains("Ünal Çelik"));
}

#[test]
fn a_configuration_may_have_the_line_ends_of_windows_and_keeps_them() {
    let rig = Rig::new();
    let file = rig.file("config.toml");
    let text = fs::read_to_string(&file).unwrap().replace('\n', "\r\n");
    fs::write(&file, &text).unwrap();
    lives(&rig);
    rig.run("config check").exits(0);
    rig.run("config set profiles.local-sandbox.redirect.port 8123").exits(0);
    let changed = fs::read_to_string(&file).unwrap();
    assert!(changed.contains("8123") && text.lines().all(|line| changed.contains(line)), "{changed}");
    rig.run("config check").exits(0);
}

/// Moves a file or a folder, wherever both are: a rename wouldn't do between a memory disk and another.
fn carry(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir(to).unwrap();
        fs::read_dir(from)
            .unwrap()
            .map(Result::unwrap)
            .for_each(|it| carry(&it.path(), &to.join(it.file_name())));
        fs::remove_dir(from).unwrap();
    } else {
        fs::copy(from, to).unwrap();
        fs::remove_file(from).unwrap();
    }
}

/// Where an earlier version had its home on Windows: its files, as two folders that are moved.
fn moved_back(rig: &Rig, away: &Path) {
    let (config, data) = (away.join("config"), away.join("data"));
    fs::create_dir_all(&config).unwrap();
    fs::create_dir_all(&data).unwrap();
    for entry in fs::read_dir(rig.home()).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        let is_config = ["config.toml", "identity.txt"].iter().any(|it| *it == name);
        carry(&entry.path(), &(if is_config { &config } else { &data }).join(name));
    }
    rig.had_its_home_in(&[data, config]);
}

#[test]
fn a_home_of_an_earlier_version_is_moved_told_once_and_used() {
    for rig in [Rig::in_a_file(), Rig::with_keyring()] {
        rig.grant("L-1").exits(0);
        let all = tempfile::tempdir().unwrap();
        let away = all.path().join("biotrack-auth").join("biotrack-auth");
        moved_back(&rig, &away);
        let first = rig.run("token L-1").exits(0);
        let told = format!(
            "Moved the configuration and the ledger from {} to [HOME]: they belong to this machine alone.\n",
            away.display()
        );
        assert_eq!((first.out.as_str(), first.err.as_str()), ("access-1\n", told.as_str()));
        rig.run("token L-1").is(0, "access-1\n", "");
        assert_eq!(fs::read_dir(all.path()).unwrap().count(), 0);
        rig.run("history verify").exits(0);
    }
}

#[test]
fn of_two_homes_none_is_touched_and_doctor_names_the_other() {
    let rig = Rig::in_a_file();
    rig.grant("L-1").exits(0);
    let all = tempfile::tempdir().unwrap();
    let away = all.path().join("biotrack-auth").join("biotrack-auth");
    fs::create_dir_all(away.join("data")).unwrap();
    fs::write(away.join("data").join("ledger.db"), "").unwrap();
    rig.had_its_home_in(&[away.join("data"), away.join("config")]);
    rig.run("token L-1").is(0, "access-1\n", "");
    let doctor = rig.run("doctor").exits(0);
    assert!(
        doctor.out.contains(&format!("{} has a configuration or a ledger", away.display())),
        "{}",
        doctor.out
    );
    assert!(away.join("data").join("ledger.db").exists());
}

#[test]
fn no_file_that_holds_something_is_ever_locked() {
    // Where locks are mandatory, nobody could read it meanwhile.
    for rig in [Rig::in_a_file(), Rig::with_keyring()] {
        lives(&rig);
        let locks = fs::read_dir(rig.home()).unwrap().map(Result::unwrap).filter(|entry| {
            // This one names the ledger, and isn't locked.
            entry.file_name() != "ledger.lock" && entry.file_name().to_string_lossy().ends_with(".lock")
        });
        let locks: Vec<_> = locks.map(|entry| (entry.file_name(), entry.metadata().unwrap().len())).collect();
        assert!(locks.len() > 1 && locks.iter().all(|(_, bytes)| *bytes == 0), "{locks:?}");
    }
}
