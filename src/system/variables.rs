//! The environment's variables, as they were at the start: those that the program reads can be used, or are an error.

use crate::error::{CommandStyle, Error, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use url::Url;

/// The environment's variables. Empty ones count as unset, as is the custom.
#[derive(Debug, Clone)]
pub struct Variables {
    set: BTreeMap<String, String>,
    names: NameCase,
}

/// Whether names differ that differ in case alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameCase {
    Counts,
    /// The name that everybody writes PATH is `Path` on Windows.
    Ignored,
}

impl NameCase {
    const HERE: Self = if cfg!(windows) { Self::Ignored } else { Self::Counts };

    fn of(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Counts => name.into(),
            Self::Ignored => name.to_ascii_uppercase().into(),
        }
    }
}

impl Default for Variables {
    fn default() -> Self {
        Self { set: BTreeMap::new(), names: NameCase::HERE }
    }
}

/// What a variable holds, where the program reads more of it than that it's set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum VariableForm {
    Name,
    Path,
    Browser,
    Proxy,
    Hosts,
}

/// The variables whose value counts, and which therefore is never passed over.
const READ: &[(&str, VariableForm)] = &[
    ("BIOTRACK_AUTH_HOME", VariableForm::Path),
    ("BIOTRACK_AUTH_PROFILE", VariableForm::Name),
    ("BIOTRACK_AUTH_IDENTITY", VariableForm::Path),
    ("CREDENTIALS_DIRECTORY", VariableForm::Path),
    ("BROWSER", VariableForm::Browser),
    ("HTTPS_PROXY", VariableForm::Proxy),
    ("https_proxy", VariableForm::Proxy),
    ("ALL_PROXY", VariableForm::Proxy),
    ("all_proxy", VariableForm::Proxy),
    ("NO_PROXY", VariableForm::Hosts),
    ("no_proxy", VariableForm::Hosts),
    ("SSL_CERT_FILE", VariableForm::Path),
    ("SSL_CERT_DIR", VariableForm::Path),
    ("PGPASSFILE", VariableForm::Path),
    ("PGSERVICEFILE", VariableForm::Path),
    ("PGSYSCONFDIR", VariableForm::Path),
    ("XDG_CONFIG_HOME", VariableForm::Path),
    ("XDG_DATA_HOME", VariableForm::Path),
    ("HOME", VariableForm::Path),
    ("USERPROFILE", VariableForm::Path),
    ("APPDATA", VariableForm::Path),
    ("LOCALAPPDATA", VariableForm::Path),
];

impl Variables {
    /// Those given.
    pub fn new(all: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::named(all, NameCase::HERE)
    }

    fn named(all: impl IntoIterator<Item = (String, String)>, names: NameCase) -> Self {
        let set = all.into_iter().filter(|(_, value)| !value.is_empty());
        Self { set: set.map(|(name, value)| (names.of(&name).into_owned(), value)).collect(), names }
    }

    /// Those of a process.
    ///
    /// # Errors
    /// Where one that the program reads can't be used. Its value isn't told: a proxy's may hold a password.
    pub(super) fn of_a_process(all: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self> {
        let mut found = Self::default();
        for (name, value) in all {
            let Ok(given) = name.into_string() else { continue };
            let name = found.names.of(&given).into_owned();
            let read = READ.iter().find(|(read, _)| found.names.of(read) == name);
            let value = match (value.into_string(), read) {
                (Ok(value), _) => value,
                // defense: S63 no-variable-is-passed-over
                (Err(_), Some(_)) => return Err(unusable(&given, "isn't UTF-8")),
                // Of the others it counts only that they're set, or each part for itself.
                (Err(value), None) => value.to_string_lossy().into_owned(),
            };
            if value.is_empty() {
                continue;
            }
            if let Some((_, form)) = read
                && let Err(why) = form.fits(&value)
            {
                return Err(unusable(&given, why));
            }
            found.set.insert(name, value);
        }
        Ok(found)
    }

    /// One variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.set.get(&*self.names.of(name)).map(String::as_str)
    }
}

fn unusable(name: &str, why: &str) -> Error {
    Error::Usage {
        what: format!("the environment variable {name} {why}"),
        hint: format!("Set {name} to a valid value, or unset it."),
    }
}

impl VariableForm {
    fn fits(self, value: &str) -> Result<(), &'static str> {
        if value.contains(char::is_control) {
            return Err("contains a control character, such as a line break");
        }
        if self != Self::Browser && value.trim() != value {
            return Err("begins or ends with a space");
        }
        match self {
            Self::Name | Self::Path | Self::Hosts => Ok(()),
            Self::Browser if browsers(value).any(|words| words.is_none()) => {
                Err("has a quote that isn't closed")
            }
            Self::Browser => Ok(()),
            Self::Proxy => match proxy_address(value) {
                None => Err(
                    "isn't a proxy address such as http://host:port; percent-encode everything but letters and digits in the user name and the password",
                ),
                Some(address) if !["http", "https"].contains(&address.scheme()) => {
                    Err("names an unsupported kind of proxy: use http:// or https://")
                }
                Some(_) => Ok(()),
            },
        }
    }
}

/// The address of a proxy. Without a scheme it's http, as for everybody who reads these variables. One with a path is none:
/// a password with a slash in it makes a host of the user's name, and a port of the password's beginning.
fn proxy_address(value: &str) -> Option<Url> {
    let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let address = Url::parse(&whole).ok()?;
    // defense: S63 no-part-of-a-password-is-a-host
    let bare =
        matches!(address.path(), "" | "/") && address.query().is_none() && address.fragment().is_none();
    (bare && address.host_str().is_some_and(|host| !host.is_empty())).then_some(address)
}

/// The commands of `$BROWSER`, each as its words; `None` where its quotes don't close.
pub(super) fn browsers(list: &str) -> impl Iterator<Item = Option<Vec<String>>> {
    browsers_of(list, CommandStyle::HERE)
}

/// The same in a platform's style: a path on Windows has a colon, so that its lists have semicolons.
fn browsers_of(list: &str, style: CommandStyle) -> impl Iterator<Item = Option<Vec<String>>> {
    let (between, quotes, escapes): (_, &[_], _) = match style {
        CommandStyle::Posix => (':', &['\'', '"'], true),
        CommandStyle::Windows => (';', &['"'], false),
    };
    // Inside of quotes it separates nothing.
    let mut entries = vec![String::new()];
    let mut quote = None;
    let mut letters = list.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (letter, None) if letter == between => {
                entries.push(String::new());
                continue;
            }
            ('\\', Some('"') | None) if escapes => {
                entries.last_mut().into_iter().for_each(|it| it.push(letter));
                entries.last_mut().into_iter().for_each(|it| it.extend(letters.next()));
                continue;
            }
            (letter, None) if quotes.contains(&letter) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            _ => {}
        }
        entries.last_mut().into_iter().for_each(|it| it.push(letter));
    }
    entries.into_iter().map(|entry| style.words(&entry)).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Option<String>> {
        let found = Variables::of_a_process([(name.into(), value.into())])?;
        Ok(found.get(name).map(str::to_owned))
    }

    #[test]
    fn one_that_cannot_be_used_is_an_error_that_names_it_and_not_its_value() {
        for (name, value) in [
            ("BIOTRACK_AUTH_HOME", "/srv/canary\r"),
            ("BIOTRACK_AUTH_HOME", "/srv/canary "),
            ("BIOTRACK_AUTH_PROFILE", "canary\n"),
            ("BIOTRACK_AUTH_IDENTITY", " /canary"),
            ("HTTPS_PROXY", "http://canary:1\r"),
            ("https_proxy", "http://canary:1 "),
            ("ALL_PROXY", "http://"),
            ("all_proxy", "http://me:canary@"),
            ("HTTPS_PROXY", "socks5://canary:1080"),
            ("HTTPS_PROXY", "http://canary:99999"),
            ("HTTPS_PROXY", "http://canary:12/34@proxy.example:3128"),
            ("HTTPS_PROXY", "http://me:12?canary@proxy.example:3128"),
            ("https_proxy", "me:12#canary@proxy.example:3128"),
            ("NO_PROXY", "canary.example\r"),
            ("no_proxy", "canary.example "),
            ("SSL_CERT_FILE", "/canary.pem\r"),
            ("BROWSER", "canary \"open"),
            ("BROWSER", "canary\r"),
        ] {
            let e = read(name, value).unwrap_err();
            let said = format!("{e} {}", e.hint().unwrap());
            assert_eq!(e.exit(), 2, "{said}");
            assert!(said.contains(name) && !said.contains("canary"), "{value:?}: {said}");
        }
        for (name, value) in [
            ("HTTPS_PROXY", "proxy.example:3128"),
            ("HTTPS_PROXY", "http://me:secret@proxy.example:3128/"),
            ("NO_PROXY", "a.example, .b.example,10.0.0.0/8"),
            ("NO_PROXY", "*"),
            ("BROWSER", "w3m:firefox --new-tab '%s' "),
            ("BIOTRACK_AUTH_HOME", "/srv/our home/é"),
            ("NO_COLOR", " "),
            ("UNREAD", "\r"),
        ] {
            assert_eq!(read(name, value).unwrap().as_deref(), Some(value), "{name}");
        }
        assert_eq!(read("BIOTRACK_AUTH_HOME", "").unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn one_that_is_not_utf_8_is_an_error_where_it_counts_what_it_says() {
        use std::os::unix::ffi::OsStringExt;
        let of =
            |name: &str| Variables::of_a_process([(name.into(), OsString::from_vec(b"/srv/\xff".to_vec()))]);
        for (name, _) in READ {
            assert!(of(name).unwrap_err().to_string().contains(name), "{name}");
        }
        assert!(of("NO_COLOR").unwrap().get("NO_COLOR").is_some());
        assert!(of("UNREAD").is_ok());
    }

    #[test]
    fn a_browser_is_a_list_of_commands_with_quotes() {
        let words =
            |list: &str, style| browsers_of(list, style).map(Option::unwrap_or_default).collect::<Vec<_>>();
        let unix = |list: &str| words(list, CommandStyle::Posix);
        assert_eq!(unix("w3m:links -g"), [vec!["w3m"], vec!["links", "-g"]]);
        assert_eq!(unix("'/opt/my browser/run' \"a:b\" %s"), [vec!["/opt/my browser/run", "a:b", "%s"]]);
        assert_eq!(unix(r"a\ b:c"), [vec!["a b"], vec!["c"]]);
        let windows = |list: &str| words(list, CommandStyle::Windows);
        assert_eq!(
            windows(r#""C:\Program Files\x;y\firefox.exe" -new-tab %s;C:\b\chrome.exe"#),
            [vec![r"C:\Program Files\x;y\firefox.exe", "-new-tab", "%s"], vec![r"C:\b\chrome.exe"]]
        );
        assert!(browsers_of("\"open", CommandStyle::Windows).any(|words| words.is_none()));
    }

    #[test]
    fn on_windows_a_name_is_the_same_in_any_case() {
        let set = [("Path".to_owned(), "C:\\a".to_owned())];
        assert_eq!(Variables::named(set.clone(), NameCase::Ignored).get("PATH"), Some("C:\\a"));
        assert_eq!(Variables::named(set, NameCase::Counts).get("PATH"), None);
    }
}
