//! A profile's settings that are this installation's own: what it trusts, where it is reached, when it reminds. They are
//! nobody else's, and so no description of a provider brings them along.

use super::setting::DeclaredValue::{Is, Open};
use super::setting::Setting;
use super::setting::SettingKind::{Base, File, Time, TimeOrZero};
use crate::model::provider::Provider;

pub(in crate::config) const INSTALLATION: &[Setting<Provider>] = &[
    Setting {
        key: "redirect.public_url",
        doc: "The address in front of `listen`, for admin users elsewhere.",
        kind: Base(|provider, url| provider.redirect.public_url = Some(url)),
        default: Open("https://grants.example.com/callback"),
        presets: &[],
    },
    Setting {
        key: "due_window",
        doc: "How long before its expiry a grant is due.",
        kind: TimeOrZero(|provider, time| provider.due_window = time),
        default: Is("14d"),
        presets: &[],
    },
    Setting {
        key: "timeout",
        doc: "How long one request may take, from connecting (10 s at most) to the last byte read.",
        kind: Time(|provider, time| provider.deadline = time.unsigned_abs()),
        default: Is("20s"),
        presets: &[],
    },
    Setting {
        key: "ca_file",
        doc: "Certificates to trust besides the system's (PEM).",
        kind: File(|provider, file| provider.ca_file = Some(file)),
        default: Open("/etc/ssl/private-ca.pem"),
        presets: &[],
    },
];
