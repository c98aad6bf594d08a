//! S59: what is on this machine is asked here: not through a proxy that the environment names, and not where a hosts file
//! says that `localhost` is.

use crate::support::scripted::Scripted;
use crate::support::{PROGRAM, Rig, Run, outside, register};

const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[test]
fn no_proxy_hears_what_is_asked_of_this_machine() {
    let (rig, proxy) = (Rig::new(), Scripted::start());
    for arguments in
        [register("L-1", &[]), vec!["token", "L-1"], vec!["deactivate", "L-1", "--yes"], vec!["doctor"]]
    {
        let mut command = rig.command(&arguments);
        command.envs(PROXIES.map(|name| (name, proxy.address())));
        Run::of(command.output().unwrap()).exits(0);
    }
    assert_eq!(proxy.asked(), 0);
    // The control: what is elsewhere goes through it.
    rig.run(&[
        "config",
        "init",
        "--profile",
        "elsewhere",
        "--preset",
        "generic",
        "--issuer",
        "https://as.invalid",
        "--client-id",
        "me",
    ])
    .exits(0);
    let mut command = rig.command(&["doctor", "--profile", "elsewhere"]);
    command.envs(PROXIES.map(|name| (name, proxy.address())));
    Run::of(command.output().unwrap()).exits(1);
    assert!(proxy.asked() > 0);
}

/// Run as root, which alone can give a process another hosts file.
#[test]
fn localhost_is_this_machine_whatever_a_hosts_file_says() {
    let rig = Rig::new();
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    std::fs::write(rig.file("config.toml"), config.replace("http://127.0.0.1", "http://localhost")).unwrap();
    rig.adds_to_profile("metadata = false");
    let hosts = rig.elsewhere("hosts");
    // An address of this machine at which nobody listens.
    std::fs::write(&hosts, "127.99.99.99 localhost\n").unwrap();
    let mut asked = rig.command(&[]);
    let mut command = outside("unshare");
    command
        .args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""])
        .arg(&hosts)
        .arg(PROGRAM);
    command.arg("doctor").env_clear().envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
    asked.env_clear();
    let run = Run::of(command.output().unwrap());
    assert!(run.out.contains("✓ provider"), "{run:?}");
}
