//! The settings that stand outside the profiles and hold for all of them.

use super::setting::DeclaredValue::{Is, Open};
use super::setting::Setting;
use super::setting::SettingKind::{Command, Flag, Numbers, Read, Text, Texts, Time, Words};
use crate::config::{Config, read};
use crate::model::reminder::HookEventKind;
use crate::model::vault_kind::VaultKind;

pub(in crate::config) const FILE: &[Setting<Config>] = &[
    Setting {
        key: "default_profile",
        doc: "The profile that a command uses if you don't select one.",
        kind: Text(|config, name| config.default_profile = Some(name)),
        default: Open("…"),
        presets: &[],
    },
    Setting {
        key: "vault",
        doc: "Where secrets are kept: the OS keyring, or sealed to age recipients inside the ledger.",
        kind: Words(&[
            ("keyring", |config| config.vault = VaultKind::Keyring),
            ("sealed", |config| config.vault = VaultKind::Sealed),
        ]),
        default: Is("keyring"),
        presets: &[],
    },
    Setting {
        key: "sealed.recipients",
        doc: "The age keys of the hosts that may read the sealed tokens; the first is this host's own.",
        kind: Texts(read::recipient, |config, recipients| config.recipients = recipients),
        default: Open("[\"age1…\"]"),
        presets: &[],
    },
    Setting {
        key: "ledger",
        doc: "Where the records are: this host's file, or a PostgreSQL database that several hosts share.",
        kind: Read("`sqlite`, or an address such as `postgres://USER@HOST/DATABASE`", |config, address| {
            if address != "sqlite" {
                read::ledger(address)?;
                config.ledger = Some(address.into());
            }
            Ok(())
        }),
        default: Is("sqlite"),
        presets: &[],
    },
    Setting {
        key: "hooks.due",
        doc: "The command that `remind` runs for a grant that expires soon.",
        kind: Command(|config, words| config.set_hook(HookEventKind::Due, words)),
        default: Open("notify-send"),
        presets: &[],
    },
    Setting {
        key: "hooks.expired",
        doc: "The command that `remind` runs for a grant that has expired or is invalid.",
        kind: Command(|config, words| config.set_hook(HookEventKind::Expired, words)),
        default: Open("notify-send"),
        presets: &[],
    },
    Setting {
        key: "hooks.granted",
        doc: "The command that runs after a grant is stored.",
        kind: Command(|config, words| config.set_hook(HookEventKind::Granted, words)),
        default: Open("notify-send"),
        presets: &[],
    },
    Setting {
        key: "hooks.failed",
        doc: "The command that runs after a consent ends without a grant.",
        kind: Command(|config, words| config.set_hook(HookEventKind::Failed, words)),
        default: Open("notify-send"),
        presets: &[],
    },
    Setting {
        key: "hooks.deactivated",
        doc: "The command that runs after a license is deactivated.",
        kind: Command(|config, words| config.set_hook(HookEventKind::Deactivated, words)),
        default: Open("notify-send"),
        presets: &[],
    },
    Setting {
        key: "hooks.timeout",
        doc: "How long one hook may run.",
        kind: Time(|config, time| config.hooks.timeout = time.unsigned_abs()),
        default: Is("30s"),
        presets: &[],
    },
    Setting {
        key: "hooks.days",
        doc: "How many days before the expiry `remind` runs its hooks.",
        kind: Numbers(1..=3650, |config, days| {
            let mut days: Vec<u32> = days.into_iter().filter_map(|day| day.try_into().ok()).collect();
            days.sort_unstable_by(|one, other| other.cmp(one));
            days.dedup();
            config.hooks.days = days;
        }),
        default: Is("[30, 14, 7, 3, 1]"),
        presets: &[],
    },
    Setting {
        key: "hooks.digest",
        doc: "Whether `remind` runs a hook once for all licenses, instead of once for each license.",
        kind: Flag(|config, on| config.hooks.digest = on),
        default: Is("false"),
        presets: &[],
    },
];
