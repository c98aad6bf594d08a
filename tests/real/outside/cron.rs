//! Debian's cron runs the shipped crontab, with the environment that it gives, and mails what comes of it.

use super::{in_own_mounts, read};
use crate::support::seed::named;
use crate::support::{PROGRAM, Rig};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Lays a crontab, an empty machine and a mailer over the machine's own, in its own mounts, and runs cron.
const CRON: &str = r#"
mount -t tmpfs tmpfs /var/spool/cron/crontabs
mount -t tmpfs tmpfs /etc/cron.d
mount --bind /dev/null /etc/crontab
mkdir /var/spool/cron/crontabs/over /var/spool/cron/crontabs/over/up /var/spool/cron/crontabs/over/work
mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/var/spool/cron/crontabs/over/up,workdir=/var/spool/cron/crontabs/over/work /usr/sbin
install -m 755 FOLDER/sendmail /usr/sbin/sendmail
install -m 600 FOLDER/crontab /var/spool/cron/crontabs/root
mount -t tmpfs tmpfs /run
exec /usr/sbin/cron -f
"#;

/// A hook that keeps what it gets.
fn hook(rig: &Rig) {
    let script = rig.file("hook");
    std::fs::write(&script, format!("#!/bin/sh\nexec cat >> {}/reminded\n", rig.home().display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let hooks = format!("\n[hooks]\nexpired = \"{}\"\n", script.display());
    std::fs::write(rig.file("config.toml"), config + &hooks).unwrap();
}

/// What the shipped crontab runs.
const SHIPPED: [&str; 2] = ["status --all-profiles --due --quiet", "remind --all-profiles"];

/// Its folder isn't mounted, as far as cron knows.
fn without_its_ledger() -> Rig {
    let rig = Rig::new();
    for file in std::fs::read_dir(rig.home()).unwrap().map(|it| it.unwrap()) {
        if file.file_name().to_string_lossy().starts_with("ledger") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    rig
}

/// Somebody named its profile anew, and a store lapses.
fn with_a_renamed_profile() -> Rig {
    let rig = Rig::new();
    rig.seed(&[named("L-3", "Fulton St", "2020-03-11T12:00:00Z")]);
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let config = config
        .replace("[profiles.local-sandbox]", "[profiles.renamed]")
        .replace("default_profile = \"local-sandbox\"", "default_profile = \"renamed\"");
    std::fs::write(rig.file("config.toml"), config).unwrap();
    rig
}

#[test]
fn it_mails_what_must_be_renewed_and_nothing_where_nothing_must() {
    crate::support::outside("cron");
    let (due, quiet) = (Rig::new(), Rig::new());
    let (absent, renamed) = (without_its_ledger(), with_a_renamed_profile());
    due.seed(&[named("L-1", "Hudson St", "2020-03-11T12:00:00Z")]);
    quiet.seed(&[named("L-2", "Canal St", "2036-03-12T12:00:00Z")]);
    let folder = due.home().display().to_string();
    hook(&due);
    let program = Path::new(PROGRAM).parent().unwrap().display().to_string();
    // The shipped lines, but each minute.
    let mut crontab: String = read("cron/biotrack-auth.crontab")
        .lines()
        .map(|line| match line.split_once(" 8 * * * ") {
            Some((_, command)) => format!("* * * * * {command}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    assert!(crontab.contains("\n* * * * * biotrack-auth status --all-profiles --due --quiet\n"), "{crontab}");
    crontab = crontab.replace("PATH=", &format!("BIOTRACK_AUTH_HOME={folder}\nPATH={program}:"));
    crontab += &format!(
        "* * * * * BIOTRACK_AUTH_HOME={0} biotrack-auth status --all-profiles --due --quiet; echo $? > {0}/code\n\
         * * * * * env > {folder}/environment\n",
        quiet.home().display()
    );
    for (home, line) in [&absent, &renamed].into_iter().flat_map(|rig| SHIPPED.map(|line| (rig.home(), line)))
    {
        crontab += &format!("* * * * * BIOTRACK_AUTH_HOME={} biotrack-auth {line}\n", home.display());
    }
    std::fs::write(due.file("crontab"), crontab).unwrap();
    std::fs::write(due.file("sendmail"), format!("#!/bin/sh\nexec cat > {folder}/mail.$$\n")).unwrap();
    let mut cron = in_own_mounts(&CRON.replace("FOLDER", &folder));
    let mails = || -> Vec<String> {
        std::fs::read_dir(due.home())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("mail."))
            .map(|path| std::fs::read_to_string(path).unwrap_or_default())
            .collect()
    };
    let mail = cron.until(130, "cron's mail", || mails().into_iter().find(|mail| mail.contains("Hudson St")));
    let reminded = cron.until(20, "the hook's run", || {
        std::fs::read_to_string(due.file("reminded")).ok().filter(|text| !text.is_empty())
    });
    let code = cron.until(10, "the quiet run", || {
        std::fs::read_to_string(quiet.file("code")).ok().filter(|code| !code.is_empty())
    });
    let environment = cron.until(10, "the environment", || {
        std::fs::read_to_string(due.file("environment")).ok().filter(|text| !text.is_empty())
    });
    // What isn't there is as loud as what is due, at each line.
    for (home, said) in [(&absent, "there is no ledger at"), (&renamed, "which is not in the configuration")]
    {
        for line in SHIPPED {
            let subject = format!("BIOTRACK_AUTH_HOME={} biotrack-auth {line}", home.home().display());
            cron.until(20, "the mail of what isn't there", || {
                mails().into_iter().find(|mail| mail.contains(&subject) && mail.contains(said))
            });
        }
    }
    assert!(!absent.file("ledger.db").exists());
    assert!(mail.contains("Subject: Cron <root@"), "{mail}");
    assert!(mail.contains("biotrack-auth status --all-profiles --due --quiet"), "{mail}");
    assert!(mail.contains("✗ expired") && mail.contains("L-1"), "{mail}");
    let reminded: serde_json::Value = serde_json::from_str(&reminded).unwrap();
    assert_eq!((&reminded["event"], &reminded["license"]), (&"expired".into(), &"L-1".into()), "{reminded}");
    assert_eq!(code, "0\n");
    assert!(!environment.contains("DISPLAY") && !environment.contains("DBUS"), "{environment}");
    assert!(
        mails().iter().all(
            |mail| !mail.contains("Canal St") && (!mail.contains("error:") || mail.contains("no ledger"))
        ),
        "{:?}",
        mails()
    );
}
