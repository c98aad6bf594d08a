//! The vault against a real keyring: gnome-keyring on a D-Bus session of each test's own.
//! Needs `apt-get install gnome-keyring dbus libsecret-tools`.

#![cfg(target_os = "linux")]

mod keyring;
