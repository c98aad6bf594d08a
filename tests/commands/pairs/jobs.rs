//! The commands that are paired, and the homes in which they are.

use crate::rig::{Rig, Visit, register};
use biotrack_auth::vault::{IdentityFile, create_identity, recipient_of};

pub const LICENSE: &str = "101-X0007-D1";

/// What there is of the license when both begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// A record of it, and an admin who said no.
    Refused,
    /// A license that was deactivated.
    Deactivated,
    /// A living grant, whose access token has lapsed.
    Living,
    /// The same, which is near its end, and a hook that reminds of it.
    #[cfg(unix)]
    Due,
    /// The same, which an admin has ended at the provider.
    Ended,
    /// A living grant, and another admin's that waits for approval.
    Waiting,
    /// A living grant, and a link that is out.
    HandedOff,
    /// Nothing, and a link that is out.
    HandedOffFirst,
    /// Nothing, and a file with a living grant that moves here.
    Arriving,
    /// The tokens of a backup, which nobody has adopted. Its old home is gone.
    Restored,
}

/// A command: its name for messages, and its line in a home.
#[derive(Clone, Copy)]
pub struct Job {
    pub name: &'static str,
    pub line: fn(&Home) -> String,
}

/// A home that is ready for both.
pub struct Home {
    pub rig: Rig,
    pub before: Before,
    /// What the admin of the link that is out was sent back to.
    pub answer: String,
}

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

pub const REGISTER: Job = Job { name: "register", line: |_| register(LICENSE) };
pub const REGISTER_LINK: Job = Job {
    name: "register --no-wait",
    line: |_| format!("register --ubi 604001 --license {LICENSE} --username ann@example.com --no-wait"),
};
pub const RENEW: Job = Job { name: "renew", line: |_| format!("renew {LICENSE} --browser scripted") };
pub const TAKE: Job = Job { name: "renew --awaiting", line: |_| format!("renew {LICENSE} --awaiting --yes") };
pub const DISCARD: Job =
    Job { name: "deactivate --awaiting", line: |_| format!("deactivate {LICENSE} --awaiting --yes") };
pub const BREAK_FIRST: Job = Job {
    name: "renew --break-first",
    line: |_| format!("renew {LICENSE} --username bob@example.com --break-first --yes --browser scripted"),
};
pub const HAND_OFF: Job = Job { name: "renew --no-wait", line: |_| format!("renew {LICENSE} --no-wait") };
pub const DEACTIVATE: Job = Job { name: "deactivate", line: |_| format!("deactivate {LICENSE} --yes") };
/// The name that it gives is the one that an import brings, too.
pub const EDIT: Job = Job {
    name: "edit",
    line: |_| format!("edit {LICENSE} --name {EDITED:?} --username bob@example.com --tag edited"),
};
pub const EDITED: &str = "Hudson Street";
pub const REMOVE: Job = Job { name: "remove", line: |_| format!("remove {LICENSE}") };
pub const TOKEN: Job = Job { name: "token", line: |_| format!("token {LICENSE}") };
pub const ONLINE: Job = Job { name: "status --online", line: |_| "status --online".into() };
#[cfg(unix)]
pub const REMIND: Job = Job { name: "remind", line: |_| "remind".into() };
pub const COMPLETE: Job =
    Job { name: "complete", line: |home| shlex::try_join(["complete", &home.answer]).unwrap() };
pub const IMPORT: Job = Job {
    name: "import",
    line: |home| {
        let text = format!("ubi,license,username,name\n604001,{LICENSE},ann@example.com,Hudson Street\n");
        format!("import --yes {}", home.rig.write("rows.csv", &text))
    },
};
pub const IMPORT_TOKENS: Job = Job {
    name: "import BUNDLE",
    line: |home| {
        let (bundle, identity) = (home.rig.file("arriving.age"), home.rig.file("key.txt"));
        format!("import --yes {} --identity {}", bundle.display(), identity.display())
    },
};
pub const ADOPT: Job = Job { name: "import --adopt", line: |_| "import --adopt --yes".into() };
pub const EXPORT: Job = Job { name: "export --with-secrets", line: |home| export(home, BUNDLES[0]) };
/// The same into a file of its own.
pub const EXPORT_TOO: Job =
    Job { name: "export --with-secrets elsewhere", line: |home| export(home, BUNDLES[1]) };
pub const RECIPIENTS: Job =
    Job { name: "config recipients add", line: |_| format!("config recipients add {RECIPIENT}") };
pub const TO_SEALED: Job = Job { name: "config vault sealed", line: |_| "config vault sealed".into() };
pub const TO_KEYRING: Job = Job { name: "config vault keyring", line: |_| "config vault keyring".into() };
pub const PRUNE: Job = Job { name: "history prune", line: |_| "history prune --before 0d --yes".into() };
pub const FIX: Job = Job { name: "doctor --fix", line: |_| "doctor --fix".into() };

/// The files that exports write.
pub const BUNDLES: [&str; 2] = ["moved.age", "moved-too.age"];

fn export(home: &Home, file: &str) -> String {
    // An identity that no move between vaults touches.
    let own = home.rig.file("key.txt");
    let to = recipient_of(IdentityFile::at(&own)).or_else(|_| create_identity(&own)).unwrap();
    format!("export {LICENSE} --with-secrets --recipient {to} --output {}", home.rig.file(file).display())
}

pub fn begin(before: Before, keyring: bool) -> Home {
    begin_in(if keyring { Rig::with_keyring() } else { Rig::new() }, before)
}

/// The same in a home that is configured.
pub fn begin_in(rig: Rig, before: Before) -> Home {
    let mut answer = String::new();
    match before {
        Before::Nothing => {}
        Before::Refused => {
            rig.visits([Visit::Denies]);
            rig.run(&register(LICENSE)).exits(6);
        }
        Before::Deactivated => {
            rig.grant(LICENSE);
            rig.run(&format!("deactivate {LICENSE} --yes")).exits(0);
        }
        Before::Living => drop(rig.grant(LICENSE)),
        #[cfg(unix)]
        Before::Due => {
            rig.provider.grants_for(jiff::SignedDuration::from_hours(6 * 24));
            let hook = toml::Value::from(format!("sh -c 'cat >>\"{}\"'", rig.file("due").display()));
            rig.adds_to_profile(&format!("[hooks]\ndue = {hook}"));
            rig.grant(LICENSE);
        }
        Before::Ended => {
            rig.grant(LICENSE);
            rig.provider.ends_grants_of(LICENSE);
        }
        Before::Waiting => {
            rig.grant(LICENSE);
            rig.visits([Visit::GrantsAs("max@example.com".into())]);
            rig.run(&format!("renew {LICENSE} --browser scripted")).exits(6);
        }
        Before::HandedOff => {
            rig.grant(LICENSE);
            answer = answered(&rig, &format!("renew {LICENSE} --no-wait --json"));
        }
        Before::HandedOffFirst => {
            let line = format!("register --ubi 604001 --license {LICENSE} --username ann@example.com");
            answer = answered(&rig, &format!("{line} --no-wait --json"));
        }
        Before::Arriving => drop(from_another_home(&rig, "")),
        Before::Restored => {
            let import = from_another_home(&rig, "--backup");
            rig.run(&import).exits(0);
        }
    }
    // The access token has lapsed: a token is had by a refresh alone.
    rig.minutes_pass(61);
    Home { rig, before, answer }
}

/// Hands a link out: what its admin is sent back to, who granted.
fn answered(rig: &Rig, hand_off: &str) -> String {
    let handed = rig.run(hand_off).exits(0).json();
    rig.provider.answer_to(handed["results"][0]["authorize_url"].as_str().unwrap())
}

/// Grants in another home, and exports that to this one: the line that imports it.
fn from_another_home(rig: &Rig, more: &str) -> String {
    let identity = rig.file("key.txt");
    let to = create_identity(&identity).unwrap();
    let file = rig.file("arriving.age");
    let other = rig.another_home();
    other.grant(LICENSE);
    other.run(&format!("export --with-secrets --recipient {to} --output {} {more}", file.display())).exits(0);
    format!("import --yes {} --identity {}", file.display(), identity.display())
}
