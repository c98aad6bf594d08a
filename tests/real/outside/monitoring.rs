//! Debian's Nagios runs the shipped command as its own user, through the shipped sudo rule, and shows the answer.

use super::{in_own_mounts, read};
use crate::support::seed::named;
use crate::support::{PROGRAM, Rig, outside};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const NAGIOS: &str = r#"
cfg_file=FOLDER/objects.cfg
cfg_file=FOLDER/biotrack-auth.cfg
nagios_user=nagios
nagios_group=nagios
log_file=FOLDER/nagios.log
object_cache_file=FOLDER/objects.cache
precached_object_file=FOLDER/objects.precache
status_file=FOLDER/status.dat
temp_file=FOLDER/nagios.tmp
temp_path=FOLDER
lock_file=FOLDER/nagios.pid
check_result_path=FOLDER/results
query_socket=FOLDER/nagios.qh
check_external_commands=0
retain_state_information=0
check_for_updates=0
illegal_macro_output_chars=`~$&|'"<>
use_syslog=0
status_update_interval=1
check_result_reaper_frequency=1
service_inter_check_delay_method=n
"#;

const OBJECTS: &str = "
define timeperiod {
    timeperiod_name 24x7
    alias           always
    sunday 00:00-24:00
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
}
define command {
    command_name nothing
    command_line /bin/true
}
define contact {
    contact_name operator
    host_notification_period 24x7
    service_notification_period 24x7
    host_notification_commands nothing
    service_notification_commands nothing
}
define contactgroup {
    contactgroup_name admins
    alias operators
    members operator
}
define host {
    host_name localhost
    address 127.0.0.1
    max_check_attempts 1
    notification_interval 0
    notification_period 24x7
    contact_groups admins
}
";

/// The ledger's owner is root here: the shipped user's name is put right in both files.
const RUN: &str = r#"
chown -R nagios FOLDER
install -m 440 -o root -g root FOLDER/sudoers /run/biotrack-auth-test-sudoers
mount --bind /run/biotrack-auth-test-sudoers /etc/sudoers
rm /run/biotrack-auth-test-sudoers
/usr/sbin/nagios4 -v FOLDER/nagios.cfg > FOLDER/verified || true
exec /usr/sbin/nagios4 FOLDER/nagios.cfg
"#;

#[test]
fn nagios_shows_the_answer_with_its_perfdata() {
    let rig = Rig::new();
    rig.seed(&[
        named("L-1", "Hudson St", "2020-03-11T12:00:00Z"),
        named("L-2", "Canal St", "2036-03-12T12:00:00Z"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = |name: &str| folder.path().join(name);
    let place = |text: &str| text.replace("FOLDER", folder.path().to_str().unwrap());
    // sudo clears the environment: a script of the owner's knows the home.
    let program = rig.file("biotrack-auth").display().to_string();
    let script = format!("#!/bin/sh\nBIOTRACK_AUTH_HOME={} exec {PROGRAM} \"$@\"\n", rig.home().display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let ours = |text: String| text.replace("/usr/bin/biotrack-auth", &program);
    fs::create_dir(file("results")).unwrap();
    fs::write(file("nagios.cfg"), place(NAGIOS)).unwrap();
    fs::write(file("objects.cfg"), OBJECTS).unwrap();
    let owner = "root";
    let command = read("monitoring/biotrack-auth.cfg").replace("-u biotrack-auth ", &format!("-u {owner} "));
    fs::write(file("biotrack-auth.cfg"), ours(command)).unwrap();
    let rule = read("monitoring/biotrack-auth.sudoers").replace("(biotrack-auth)", &format!("({owner})"));
    fs::write(file("sudoers"), ours(rule)).unwrap();

    outside("nagios4");
    let mut nagios = in_own_mounts(&place(RUN));
    let verified = nagios.until(20, "Nagios' word", || {
        fs::read_to_string(file("verified")).ok().filter(|it| it.contains("Total"))
    });
    assert!(verified.contains("Total Warnings: 0\nTotal Errors:   0\n"), "{verified}");
    let status = nagios.until(60, "Nagios' first check", || checked(&file("status.dat")));
    let says = |key: &str| {
        let line = status.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {key} in {status}")).to_owned()
    };
    assert_eq!(says("current_state"), "2");
    assert_eq!(says("plugin_output"), "BIOTRACK CRITICAL: 1 expired, 1 active, first: Hudson St");
    assert!(says("long_plugin_output").starts_with("CRITICAL: 604001/L-1 (Hudson St): expired, lapsed "));
    assert!(says("long_plugin_output").contains("biotrack-auth renew"), "{status}");
    let data = says("performance_data");
    assert!(data.starts_with("expired=1;;;0 invalid=0;;;0 due=0;;;0 active=1;;;0 "), "{data}");
}

/// The service's block, once it was checked.
fn checked(status: &Path) -> Option<String> {
    let text = fs::read_to_string(status).ok()?;
    let block = text.split("servicestatus {").nth(1)?.split("\n\t}").next()?.to_owned();
    block.contains("has_been_checked=1").then_some(block)
}
