//! `export`, in this process: records as files, and tokens sealed to a recipient.

use crate::rig::seed::{asked, named, store};
use crate::rig::{Person, Rig, without_home};
use crate::snapshot;
use biotrack_auth::model::authorization::Authorization;

/// Records with all that is hard to write.
fn rig() -> Rig {
    let odd = "2038-01-19T03:14:08Z".parse().unwrap();
    let rig = Rig::new();
    rig.seed(&[
        Authorization {
            tags: vec!["a;b".parse().unwrap(), "c\\".parse().unwrap(), "downstate".parse().unwrap()],
            contact: Some("=cmd|'/c calc'!A1".parse().unwrap()),
            ocm_license: Some("'quoted".parse().unwrap()),
            deactivated_at: Some(odd),
            ..named("101-X0001-D1", "=1+1,\"x\" ünï 店", "2026-12-01T00:00:00Z")
        },
        Authorization {
            granted_by: Some("@bob".into()),
            renewed_at: Some(odd),
            expires_estimated: true,
            invalid_at: Some(odd),
            ..store("-L;2", "2027-12-01T00:00:00Z")
        },
        asked("101-X0003-D1"),
    ]);
    rig
}

/// Two licenses that were granted.
fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    rig.grant("L-2").exits(0);
    rig
}

fn sealed_to(recipient: &str, more: &str) -> String {
    format!("export --with-secrets --recipient {recipient} {more}")
}

#[test]
fn csv() {
    snapshot!(rig().run("export"));
}

#[test]
fn json() {
    let rig = rig();
    snapshot!(rig.run("export --format json"));
    rig.run("export --json").is(0, &rig.run("export --format json").out, "");
}

#[test]
fn nothing_registered_is_an_empty_list() {
    let rig = Rig::new();
    snapshot!("empty_csv", rig.run("export"));
    snapshot!("empty_json", rig.run("export --json"));
}

#[test]
fn selectors_and_tags_narrow_it() {
    let rig = rig();
    snapshot!("selected", rig.run("export 101-X0003-D1"));
    snapshot!("tagged", rig.run("export --tag downstate --json"));
    snapshot!("not_found", rig.run("export nobody"));
    assert_eq!(rig.run("export --tag none").exits(0).out.lines().count(), 1);
}

#[test]
fn a_file_is_written_in_one_step_and_readable_for_all() {
    let rig = rig();
    let file = rig.file("out.csv");
    rig.run_words(&["export", "--output", file.to_str().unwrap()]).is(0, "", "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), rig.run("export").out);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }
}

#[test]
fn formats_that_contradict_each_other_are_refused() {
    snapshot!(rig().run("export --json --format csv"));
}

#[test]
fn secrets_go_to_a_named_recipient_alone() {
    let rig = granted();
    snapshot!("without_a_recipient", rig.run("export --with-secrets"));
    snapshot!("a_recipient_that_is_none", rig.run("export --with-secrets --recipient age1nonsense"));
    snapshot!("a_recipient_without_secrets", rig.run("export --recipient age1nonsense"));
}

#[test]
fn tokens_move_into_a_file_and_are_gone_from_here() {
    let (here, there) = (granted(), Rig::new());
    let file = here.file("moving.age");
    let line = sealed_to(&there.recipient(), &format!("L-1 --output {}", file.display()));
    snapshot!("moved", here.run(&line));
    snapshot!("moved_as_it_shows", here.run("status"));
    snapshot!("never_overwritten", here.run(&line));
    snapshot!("no_token_any_more", here.run("token L-1"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Nothing was asked of the provider, and it still takes them.
    assert_eq!(here.provider.living().len(), 2);
}

#[test]
fn a_move_as_json() {
    let (here, there) = (granted(), Rig::new());
    let file = here.file("moving.age");
    snapshot!("json_without_a_file", here.run(&sealed_to(&there.recipient(), "L-1 --json")));
    let line = sealed_to(&there.recipient(), &format!("L-1 --output {} --json", file.display()));
    snapshot!("moved_json", here.run(&line));
}

#[test]
fn a_backup_leaves_the_tokens_live() {
    let (here, there) = (granted(), Rig::new());
    let file = here.file("backup.age");
    let line = sealed_to(&there.recipient(), &format!("--backup --armor --output {}", file.display()));
    snapshot!("backup", here.run(&line));
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    here.run("token L-1").is(0, "access-1\n", "");
}

#[test]
fn standard_output_gets_the_sealed_file() {
    let (here, there) = (granted(), Rig::new());
    let done = here.run(&sealed_to(&there.recipient(), "--backup"));
    assert!(done.bytes.starts_with(b"age-encryption.org/"));
    snapshot!("sealed_to_standard_output", done);
    let line = sealed_to(&there.recipient(), "--backup");
    let done = here.with(Person::watching()).run(&line).exits(0);
    assert_eq!(done.out.lines().next(), Some("-----BEGIN AGE ENCRYPTED FILE-----"), "a terminal gets text");
}

#[test]
fn records_without_tokens_are_exported_as_they_are() {
    let (here, there) = (rig(), Rig::new());
    let file = here.file("moving.age");
    let line = sealed_to(&there.recipient(), &format!("--output {}", file.display()));
    snapshot!("no_tokens", here.run(&line));
}

/// An export that is killed at each of its steps, judged in the home that is left: with what the next command tells.
fn killed_at_each_step(more: &str, mut judge: impl FnMut(&Rig, &std::path::Path, &str)) {
    let mut told_of = std::collections::BTreeSet::new();
    for at in 0.. {
        let here = granted();
        let file = here.file("moving.age");
        let line = sealed_to(&here.recipient(), &more.replace("FILE", &file.display().to_string()));
        let ended = here.stopped_at(&line, at, || {
            let killed = Rig::of(here.world().killed_here());
            let told = killed.run("token L-2").exits(0).err;
            assert_eq!(killed.run("token L-2").exits(0).err, "", "it's told once");
            killed.run("history verify").exits(0);
            let told = without_home(&told, &std::path::absolute(here.home()).unwrap());
            judge(&killed, &file, &told);
            told_of.insert(told);
        });
        if ended.is_none() {
            assert!(at > 4, "{at}");
            break;
        }
    }
    let name = if more.contains("FILE") { "killed_into_a_file" } else { "killed_to_standard_output" };
    insta::assert_snapshot!(name, told_of.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_export_that_is_killed_leaves_the_tokens_in_one_place_and_says_in_which() {
    let (mut stayed, mut left) = (0, 0);
    killed_at_each_step("L-1 --output FILE", |rig, file, told| {
        let folder = std::fs::read_dir(file.parent().unwrap()).unwrap();
        let names: Vec<_> = folder.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        let bundles: Vec<_> = names.iter().filter(|name| name.starts_with("moving")).collect();
        if rig.run("token L-1").code == 0 {
            assert!(bundles.is_empty(), "{bundles:?}: {told}");
            stayed += 1;
        } else {
            assert_eq!(bundles, ["moving.age"], "{told}");
            let import = format!("import --yes {}", file.display());
            rig.run(&import).exits(0);
            rig.run("token L-1").exits(0);
            left += 1;
        }
    });
    assert!(stayed > 1 && left > 1, "{stayed} {left}");
}

#[test]
fn an_export_to_standard_output_that_is_killed_is_told_of() {
    killed_at_each_step("L-1", |rig, _, told| {
        let lives_here = rig.run("token L-1").code == 0;
        assert!(lives_here || told.is_empty(), "{told}");
    });
}

/// Excel takes a CSV without the mark for Windows' old letters.
#[test]
fn a_mark_for_excel_stands_before_csv_alone_and_is_read_past() {
    let rig = rig();
    for command in ["export", "status --format csv", "history --format csv"] {
        let plain = rig.run(command).exits(0).out;
        rig.run(&format!("{command} --bom")).is(0, &format!("\u{feff}{plain}"), "");
    }
    let file = rig.file("stores.csv").display().to_string();
    rig.run(&format!("export --bom --output {file}")).exits(0);
    let taken = Rig::new();
    let granted = granted();
    granted.run(&format!("export --bom --output {file}")).exits(0);
    taken.run(&format!("import {file} --yes")).exits(0);
    taken.run("export").is(0, &granted.run("export").out, "");
    // A terminal would show it.
    let shown = rig.with(Person::answering(&[])).run("export --bom").exits(0);
    assert!(shown.out.starts_with("profile"), "{}", shown.out);
    for command in
        ["export --json", "status", "status --json", "history", "export --with-secrets --recipient age1x"]
    {
        let refused = rig.run(&format!("{command} --bom")).exits(2);
        assert!(refused.err.contains("--bom is only for CSV"), "{}", refused.err);
    }
}
