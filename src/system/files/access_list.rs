//! Who may use a folder on Windows, where a list of accounts says what a mode says elsewhere. It's read and set by the
//! system's own tools, `icacls` and `whoami`; what they print and take is read and made here, and tried on every system.

use std::path::Path;

/// What a look at a folder's access list found.
#[cfg(windows)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderAccess {
    /// This user, the system and administrators, and nobody else.
    OursAlone,
    /// These accounts, too.
    Others(Vec<String>),
    /// It couldn't be looked at.
    Unseen(String),
}

/// Accounts that may read everything anyway, and those that stand for whoever made a file: as SDDL shortens them, and whole.
const TRUSTED: [&str; 10] =
    ["SY", "S-1-5-18", "BA", "S-1-5-32-544", "LA", "DA", "CO", "S-1-3-0", "OW", "S-1-3-4"];

/// What people call the others, by SDDL's short forms and whole.
const CALLED: [(&str, &str); 12] = [
    ("WD", "Everyone"),
    ("S-1-1-0", "Everyone"),
    ("BU", "Users"),
    ("S-1-5-32-545", "Users"),
    ("AU", "Authenticated Users"),
    ("S-1-5-11", "Authenticated Users"),
    ("IU", "Interactive users"),
    ("BG", "Guests"),
    ("AN", "Anonymous"),
    ("AC", "All applications"),
    ("DU", "Domain Users"),
    ("PU", "Power Users"),
];

/// This user's number, out of what `whoami /user /fo csv /nh` prints: `"desk\ann","S-1-5-21-…-1001"`.
fn own_number(printed: &str) -> Option<&str> {
    let last = printed.trim().rsplit(',').next()?.trim_matches('"');
    is_number(last).then_some(last)
}

fn is_number(text: &str) -> bool {
    text.strip_prefix("S-1-").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '-'))
}

/// How `icacls` is told who this user is: by number, or, where `whoami` printed none, by the name that it printed.
fn own_account(printed: &str) -> Option<String> {
    if let Some(number) = own_number(printed) {
        return Some(format!("*{number}"));
    }
    let name = printed.trim();
    let is_name =
        !name.is_empty() && !name.contains(|c: char| c.is_control() || "\"/[]:;|=,+*?<>".contains(c));
    is_name.then(|| name.to_owned())
}

/// The list that `icacls FOLDER /save FILE` writes: UTF-16, a line with the name, and one with the list in SDDL.
fn saved_list(content: &[u8]) -> Option<String> {
    let units: Vec<u16> =
        content.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&units).ok()?;
    text.lines().map(str::trim).find(|line| line.starts_with("D:")).map(str::to_owned)
}

/// The accounts that a list lets in, besides this user and those who may read everything anyway. `None` where it can't be read.
/// What a list forbids isn't counted: whoever it lets in may still be meant by another line.
fn others(list: &str, own: &str) -> Option<Vec<String>> {
    let list = list.strip_prefix("D:")?;
    // Where auditing begins, the list has ended.
    let list = list.split("S:").next()?;
    if list.contains("NO_ACCESS_CONTROL") {
        return Some(vec!["Everyone".into()]);
    }
    let mut found = Vec::new();
    for entry in list.split('(').skip(1) {
        let fields: Vec<_> = entry.split(')').next()?.split(';').collect();
        let [kind, _, rights, _, _, account, ..] = fields[..] else { return None };
        // OA and XA are allowances with a condition; all others forbid, or audit.
        if !matches!(kind, "A" | "OA" | "XA")
            || rights.is_empty()
            || account == own
            || TRUSTED.contains(&account)
        {
            continue;
        }
        let called = CALLED.iter().find(|(short, _)| *short == account).map_or(account, |(_, called)| called);
        if !found.iter().any(|it| it == called) {
            found.push(called.to_owned());
        }
    }
    Some(found)
}

/// What `icacls` is told, so that nobody is let in by the folder above, and nobody but this user, the system and
/// administrators by the folder itself; what is made in it has the same list.
fn closing(folder: &Path, own_account: &str) -> Vec<std::ffi::OsString> {
    let mut words = vec![folder.as_os_str().to_owned(), "/inheritance:r".into(), "/grant:r".into()];
    // By numbers: names differ with the system's language.
    words.extend(
        [own_account, "*S-1-5-18", "*S-1-5-32-544"].map(|account| format!("{account}:(OI)(CI)F").into()),
    );
    words.push("/Q".into());
    words
}

/// Whether a new folder has its list from the user's profile, which Windows keeps closed to others.
#[cfg(any(windows, test))]
fn is_in_profile(folder: &Path, profile: Option<&Path>) -> bool {
    let parts = |path: &Path| {
        let parts = path.components().map(|it| it.as_os_str().to_string_lossy().to_lowercase());
        parts.collect::<Vec<_>>()
    };
    profile
        .is_some_and(|profile| !profile.as_os_str().is_empty() && parts(folder).starts_with(&parts(profile)))
}

#[cfg(windows)]
pub(super) use tools::make_closed;
#[cfg(windows)]
pub use tools::{close, look};

/// The system's tools, each from its own folder: whatever of that name is nearer isn't run.
#[cfg(windows)]
mod tools {
    use super::super::{aside, fault, make_folder};
    use super::{FolderAccess, closing, is_in_profile, others, own_account, own_number, saved_list};
    use crate::error::{Result, clean};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    fn tool(name: &str) -> Command {
        #[expect(clippy::disallowed_methods, reason = "where the system itself lies, which no user sets")]
        let system = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
        let mut command = Command::new(PathBuf::from(system).join("System32").join(name));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn printed(mut command: Command) -> Result<String, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let done = command.output().map_err(|e| format!("{name}: {e}"))?;
        match done.status.success() {
            true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
            false => Err(format!("{name} ended with {}", done.status)),
        }
    }

    /// What `whoami` says of this user, out of which `read` takes what is needed.
    fn own(read: fn(&str) -> Option<String>) -> Result<String, String> {
        let mut who = tool("whoami.exe");
        who.args(["/user", "/fo", "csv", "/nh"]);
        let printed = printed(who)?;
        read(&printed).ok_or_else(|| format!("whoami printed {}", clean(printed.trim())))
    }

    /// Who may use a folder.
    pub fn look(folder: &Path) -> FolderAccess {
        let looked = || {
            let own = own(|printed| own_number(printed).map(str::to_owned))?;
            let name = aside("access-list".as_ref()).map_err(|e| e.to_string())?;
            let file = folder.join(name);
            let mut save = tool("icacls.exe");
            save.arg(folder).arg("/save").arg(&file).arg("/Q");
            let saved = printed(save).and_then(|_| std::fs::read(&file).map_err(|e| format!("icacls: {e}")));
            let _ = std::fs::remove_file(&file);
            let list = saved_list(&saved?).ok_or("icacls saved no access list")?;
            others(&list, &own).ok_or_else(|| format!("its access list can't be read: {}", clean(&list)))
        };
        match looked() {
            Ok(others) if others.is_empty() => FolderAccess::OursAlone,
            Ok(others) => FolderAccess::Others(others),
            Err(reason) => FolderAccess::Unseen(reason),
        }
    }

    /// Closes a folder to everybody but this user, the system and administrators; why that can't be.
    pub fn close(folder: &Path) -> Result<(), String> {
        // What was added for single accounts goes first: closing takes away only what comes from the folder above.
        let mut reset = tool("icacls.exe");
        reset.arg(folder).args(["/reset", "/Q"]);
        printed(reset)?;
        let mut icacls = tool("icacls.exe");
        icacls.args(closing(folder, &own(own_account)?));
        printed(icacls).map(drop)
    }

    /// Makes a folder that is closed from the first moment at which it has its name; in a profile it is by itself.
    pub(in super::super) fn make_closed(folder: &Path) -> Result<()> {
        let name = folder.file_name().filter(|_| !is_in_profile(folder, std::env::home_dir().as_deref()));
        let Some(name) = name else { return make_folder(folder) };
        let new = folder.with_file_name(aside(name).map_err(|e| fault(folder, e))?);
        make_folder(&new)?;
        let put_in_place = || {
            close(&new).map_err(|why| fault(folder, format!("it can't be closed to other users: {why}")))?;
            // Before that, others may have put something there.
            if std::fs::read_dir(&new).map_err(|e| fault(&new, e))?.next().is_some() {
                return Err(fault(folder, "while it was made, another user put something into it"));
            }
            std::fs::rename(&new, folder).map_err(|e| fault(folder, e))
        };
        let placed = put_in_place();
        if placed.is_err() {
            let _ = std::fs::remove_dir(&new);
        }
        // Another process of ours may have been first.
        if folder.is_dir() { Ok(()) } else { placed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "S-1-5-21-1004336348-1177238915-682003330-1001";

    #[test]
    fn ones_own_number_is_the_last_field() {
        assert_eq!(own_number(&format!("\"desk\\ann\",\"{ANN}\"\r\n")), Some(ANN));
        assert_eq!(own_number("\"desk, 2\\ann\",\"S-1-5-21-7\"\r\n"), Some("S-1-5-21-7"));
        for none in ["", "\"desk\\ann\"", "ERROR: no such option", "\"a\",\"S-1-5-x\""] {
            assert_eq!(own_number(none), None, "{none}");
        }
    }

    #[test]
    fn the_account_is_the_number_or_the_name() {
        assert_eq!(own_account(&format!("\"desk\\ann\",\"{ANN}\"\r\n")), Some(format!("*{ANN}")));
        assert_eq!(own_account("DESK\\Änne Ö.\r\n").as_deref(), Some("DESK\\Änne Ö."));
        for none in ["", "ERROR: Invalid argument/option", "a\r\nb", "*S-1-1-0"] {
            assert_eq!(own_account(none), None, "{none}");
        }
    }

    #[test]
    fn the_saved_list_is_the_line_behind_the_name() {
        let written = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let list = "D:PAI(A;OICI;FA;;;SY)";
        assert_eq!(saved_list(&written(&format!("Büro D\r\n{list}\r\n"))).as_deref(), Some(list));
        assert_eq!(saved_list(&written(&format!("\u{feff}home\r\n{list}\r\n"))).as_deref(), Some(list));
        assert_eq!(saved_list(&written("home\r\n")), None);
        assert_eq!(saved_list(b""), None);
    }

    #[test]
    fn whoever_else_is_let_in_is_named_once() {
        let of = |list: &str| others(list, ANN);
        let nobody = Some(Vec::new());
        // A profile's folder, and one that was closed.
        assert_eq!(of(&format!("D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;FA;;;{ANN})")), nobody);
        assert_eq!(of(&format!("D:PAI(A;OICI;FA;;;{ANN})(A;OICIIO;GA;;;CO)(D;;FA;;;BG)")), nobody);
        // A folder at the root of a drive, as Windows makes it.
        let root = "D:AI(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)(A;ID;FA;;;SY)(A;OICIIOID;GA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)";
        assert_eq!(of(root), Some(vec!["Users".to_owned(), "Authenticated Users".to_owned()]));
        let colleague = "S-1-5-21-1004336348-1177238915-682003330-1002";
        assert_eq!(
            of(&format!("D:(A;;FR;;;{colleague})S:(AU;SA;FA;;;WD)")),
            Some(vec![colleague.to_owned()])
        );
        // No list at all lets everybody in.
        assert_eq!(of("D:NO_ACCESS_CONTROL"), Some(vec!["Everyone".to_owned()]));
        for unread in ["", "O:BAG:SY", "D:(A;;FA)"] {
            assert_eq!(of(unread), None, "{unread}");
        }
    }

    #[test]
    fn a_folder_is_closed_by_numbers_and_in_one_step() {
        let words = closing(Path::new("D:\\Our licenses"), &format!("*{ANN}"));
        let words: Vec<_> = words.iter().map(|it| it.to_str().unwrap()).collect();
        let own = format!("*{ANN}:(OI)(CI)F");
        let expected = [
            "D:\\Our licenses",
            "/inheritance:r",
            "/grant:r",
            &own,
            "*S-1-5-18:(OI)(CI)F",
            "*S-1-5-32-544:(OI)(CI)F",
            "/Q",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_folder_in_the_profile_has_its_list_from_there() {
        let profile = Path::new("/Users/Änne");
        for (folder, is_in) in [
            ("/users/änne/AppData/Local/biotrack-auth", true),
            ("/Users/Änne", true),
            ("/Users/Änne2/x", false),
            ("/data/biotrack-auth", false),
        ] {
            assert_eq!(is_in_profile(Path::new(folder), Some(profile)), is_in, "{folder}");
        }
        assert!(
            !is_in_profile(Path::new("/data"), None)
                && !is_in_profile(Path::new("/data"), Some(Path::new("")))
        );
    }
}
