//! Which start of the machine this is: a note that wasn't synced survives a process's end, but not the machine's.

/// A short name of this start of the machine; `None` where the system doesn't tell one start from another.
pub(super) fn boot() -> Option<String> {
    // random(4): made anew at each start.
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let name: String = text.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    (name.len() == 12).then_some(name)
}
