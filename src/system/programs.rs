//! Finding a program before it's started, so that one that isn't there is told while nobody waits for it yet.

use super::variables::Variables;
use crate::error::CommandStyle;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What Windows adds to the name of a program, where PATHEXT doesn't say.
const USUAL_ENDINGS: &str = ".COM;.EXE;.BAT;.CMD";

/// Where a program is; `None` where there is no such file.
pub(super) fn located(program: &str, variables: &Variables) -> Option<PathBuf> {
    places(program, variables, CommandStyle::HERE).into_iter().find(|place| is_program(place))
}

/// A program as it's to be started. Windows finds files that end in `.exe` by their name alone; a script (`code`, which is
/// `code.cmd`) is named by its place, and so no program in the current folder is taken for one along `PATH`.
pub(super) fn startable<'p>(program: &'p OsStr, variables: &Variables) -> Cow<'p, OsStr> {
    let found = if cfg!(windows) { located(&program.to_string_lossy(), variables) } else { None };
    found.map_or(Cow::Borrowed(program), |place| Cow::Owned(place.into_os_string()))
}

/// A program that is named by a path from a folder, as it's to be started there. Windows would look for it from this process's
/// own folder, where anybody may have put one.
pub(super) fn from_folder<'p>(program: &'p str, folder: &Path) -> Cow<'p, str> {
    in_folder(program, folder, CommandStyle::HERE)
}

fn in_folder<'p>(program: &'p str, folder: &Path, style: CommandStyle) -> Cow<'p, str> {
    // What begins at a drive or its root isn't from any folder.
    let is_from_folder =
        program.contains(['/', '\\']) && !program.starts_with(['/', '\\']) && !program.contains(':');
    match style {
        CommandStyle::Windows if is_from_folder => folder.join(program).to_string_lossy().into_owned().into(),
        CommandStyle::Windows | CommandStyle::Posix => program.into(),
    }
}

fn is_program(path: &Path) -> bool {
    // What the Microsoft Store installs is a link that nothing but a start can follow.
    path.is_file() || cfg!(windows) && path.symlink_metadata().is_ok_and(|it| !it.is_dir())
}

/// Where a program may be, in the order in which the system looks.
fn places(program: &str, variables: &Variables, style: CommandStyle) -> Vec<PathBuf> {
    let (between, is_a_path) = match style {
        CommandStyle::Posix => (':', program.contains('/')),
        CommandStyle::Windows => (';', program.contains(['/', '\\', ':'])),
    };
    let names = names(program, variables, style);
    if is_a_path {
        return names.into_iter().map(PathBuf::from).collect();
    }
    let folders = variables.get("PATH").into_iter().flat_map(|path| path.split(between));
    folders
        .map(|folder| match style {
            CommandStyle::Posix => folder,
            CommandStyle::Windows => folder.trim_matches('"'),
        })
        .flat_map(|folder| names.iter().map(move |name| Path::new(folder).join(name)))
        .collect()
}

/// What its file may be called. On Windows the ending may be left out.
fn names(program: &str, variables: &Variables, style: CommandStyle) -> Vec<String> {
    if style == CommandStyle::Posix {
        return vec![program.to_owned()];
    }
    let endings = variables.get("PATHEXT").unwrap_or(USUAL_ENDINGS).split(';').filter(|it| !it.is_empty());
    let endings: Vec<_> = endings.map(str::to_lowercase).collect();
    let has_one = endings.iter().any(|ending| program.to_lowercase().ends_with(ending));
    let with = endings.iter().map(|ending| format!("{program}{ending}"));
    let as_it_is = std::iter::once(program.to_owned());
    match has_one {
        true => as_it_is.chain(with).collect(),
        false => with.chain(as_it_is).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(program: &str, style: CommandStyle, set: &[(&str, &str)]) -> Vec<String> {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let found = places(program, &Variables::new(set), style);
        found.iter().map(|place| place.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_program_is_looked_for_where_the_system_would() {
        let path = [("PATH", "/bin:/usr/bin")];
        assert_eq!(of("sh", CommandStyle::Posix, &path).len(), 2);
        assert_eq!(of("./sh", CommandStyle::Posix, &path), ["./sh"]);
        assert_eq!(of("sh", CommandStyle::Posix, &[]), [""; 0]);

        let path = [("PATH", r#""C:\a b";D:\c"#), ("PATHEXT", ".EXE;.CMD")];
        let found = of("code", CommandStyle::Windows, &path);
        let names = |folder: &str| {
            ["code.exe", "code.cmd", "code"]
                .map(|name| format!("{folder}{}{name}", std::path::MAIN_SEPARATOR))
        };
        assert_eq!(found, [names(r"C:\a b"), names(r"D:\c")].concat());
        assert_eq!(of(r"C:\x\code.CMD", CommandStyle::Windows, &path)[0], r"C:\x\code.CMD");
        assert_eq!(
            of("Z:/usr/bin/python3", CommandStyle::Windows, &[]),
            [".com", ".exe", ".bat", ".cmd", ""].map(|ending| format!("Z:/usr/bin/python3{ending}"))
        );
    }

    #[test]
    fn a_program_beside_the_configuration_is_not_looked_for_elsewhere() {
        let folder = Path::new("home");
        let of = |program, style| in_folder(program, folder, style).into_owned();
        for program in ["notify", r"C:\bin\notify", r"\\server\bin\notify", "/bin/notify", "D:notify"] {
            assert_eq!(of(program, CommandStyle::Windows), program);
        }
        for program in ["./notify.cmd", r"bin\notify"] {
            let there = folder.join(program).to_string_lossy().into_owned();
            assert_eq!(of(program, CommandStyle::Windows), there);
            // The system looks there by itself.
            assert_eq!(of(program, CommandStyle::Posix), program);
        }
    }
}
