//! Opening an address for a person: a plain argument, never a shell, and only an address that is one.

use super::programs::{located, startable};
use super::variables::{Variables, browsers};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// Which browser should open an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrowserChoice {
    /// `--browser CMD`: the command's words; the address becomes its last argument.
    Command(Vec<String>),
    /// `$BROWSER`, else the system's own.
    System,
    /// `--no-browser`: the address is only printed.
    None,
}

/// What became of the attempt. That it started proves nothing: the address is always printed too.
#[derive(Debug, PartialEq, Eq)]
pub enum LaunchOutcome {
    /// A process was started.
    Started,
    /// None could be; the reason has no address in it.
    Failed(String),
}

/// What opens an address.
pub trait Browser: Send + Sync {
    /// Starts the browser and returns at once; the child runs on beside the listener.
    fn open(&self, address: &str, choice: &BrowserChoice, variables: &Variables) -> LaunchOutcome;
}

/// The machine's browsers.
pub struct SystemBrowser;

impl Browser for SystemBrowser {
    fn open(&self, address: &str, choice: &BrowserChoice, variables: &Variables) -> LaunchOutcome {
        if let Err(why) = check_safe_to_open(address) {
            return LaunchOutcome::Failed(why.into());
        }
        let mut failure = "no browser was found".to_owned();
        for command in candidates(address, choice, variables) {
            let program = command.get_program().to_string_lossy().into_owned();
            match start(command) {
                Ok(()) => return LaunchOutcome::Started,
                Err(e) => failure = format!("{program}: {e}"),
            }
        }
        LaunchOutcome::Failed(failure)
    }
}

fn candidates(address: &str, choice: &BrowserChoice, variables: &Variables) -> Vec<Command> {
    match choice {
        BrowserChoice::None => Vec::new(),
        BrowserChoice::Command(words) => command_of(words, Some(address), variables).into_iter().collect(),
        BrowserChoice::System => named(address, variables).chain(open::commands(address)).collect(),
    }
}

/// What `$BROWSER` names.
fn named(address: &str, variables: &Variables) -> impl Iterator<Item = Command> {
    let list = variables.get("BROWSER").into_iter().flat_map(browsers).flatten();
    list.filter_map(move |words| listed(&words, address, variables))
}

/// What would be tried first, of what is there; nothing is started. macOS and Windows have an opener of their own, which starts
/// whichever browser the user chose.
pub fn found(variables: &Variables) -> Option<String> {
    const ADDRESS: &str = "https://example.invalid/";
    let program = |command: &Command| command.get_program().to_string_lossy().into_owned();
    let is_there = |command: &Command| located(&program(command), variables).is_some();
    let shown = |command: Command| Path::new(command.get_program()).display().to_string();
    let named = named(ADDRESS, variables).find(is_there).map(shown);
    named.or_else(|| match cfg!(any(windows, target_os = "macos")) {
        true => Some("the default browser".to_owned()),
        false => open::commands(ADDRESS).into_iter().find(is_there).map(shown),
    })
}

/// Whether a command's program is there at all. A run over many licenses asks before it begins.
pub fn is_there(words: &[String], variables: &Variables) -> bool {
    words.first().is_some_and(|program| located(program, variables).is_some())
}

/// An entry of `$BROWSER`, by the old convention: the address stands where `%s` does, else last.
fn listed(entry: &[String], address: &str, variables: &Variables) -> Option<Command> {
    let words: Vec<_> = entry.iter().map(|word| word.replace("%s", address)).collect();
    command_of(&words, (words == entry).then_some(address), variables)
}

/// The words, and the address as the last argument.
fn command_of(words: &[String], address: Option<&str>, variables: &Variables) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(startable(program.as_ref(), variables));
    command.args(arguments).args(address);
    // defense: S24 opener-without-a-shell
    Some(command)
}

/// Starts it without waiting: one that stays in the foreground must not hold the listener.
fn start(command: Command) -> std::io::Result<()> {
    let (told, started) = mpsc::channel();
    // The thread comes first: where none can be started, no browser is there either that nobody waits for.
    std::thread::Builder::new().name("browser".into()).spawn(move || match apart(command).spawn() {
        Ok(mut child) => {
            let _ = told.send(Ok(()));
            let _ = child.wait();
        }
        Err(e) => drop(told.send(Err(e))),
    })?;
    started.recv().unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
}

/// Its chatter stays off both streams: standard output carries the answer, and standard error the address that a person
/// may be about to copy. It's a person's own from then on: Ctrl-C at our terminal, or its end, is for us alone.
fn apart(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// Whether an opener may see it: https, or http to a loopback literal, with nothing that a program could misread
/// (CVE-2025-6514 in mcp-remote was an authorize address that a shell ran).
pub fn check_safe_to_open(address: &str) -> Result<(), &'static str> {
    let Ok(parsed) = url::Url::parse(address) else { return Err("the address is invalid") };
    // defense: S24 opener-characters
    if address
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii() || "\"'`<>\\^{}|".contains(c))
    {
        return Err("the address contains invalid characters");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("the address contains a user name");
    }
    // A browser reads `https:host` and `https:///host` too, and 127.1 as 127.0.0.1; an opener may read something else.
    // defense: S24 opener-reads-the-same-host
    if !written_host(address, parsed.scheme())
        .is_some_and(|host| parsed.host_str().is_some_and(|it| it.eq_ignore_ascii_case(host)))
    {
        return Err("the address has its host written in an unusual way");
    }
    let loopback = matches!(parsed.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    match parsed.scheme() {
        "https" => Ok(()),
        // defense: S24 opener-http-on-this-machine
        "http" if loopback => Ok(()),
        _ => Err("the address must be https, or on this machine"),
    }
}

/// What stands in an address between `://` and the path: user, host and port as they were written, not as they were
/// read. `None` where no `://` follows the scheme.
pub fn written_authority<'a>(address: &'a str, scheme: &str) -> Option<&'a str> {
    address.get(scheme.len()..)?.strip_prefix("://")?.split(['/', '?', '#']).next()
}

/// The host as it stands there, without the port.
fn written_host<'a>(address: &'a str, scheme: &str) -> Option<&'a str> {
    let authority = written_authority(address, scheme)?;
    Some(match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_no_opener_can_misread_are_opened() {
        for good in [
            "https://biotr.ac/oauth?a=b&c=%20",
            "http://127.0.0.1:8080/x",
            "http://[::1]:1/",
            "http://localhost:9/",
            "HTTPS://BioTr.ac:443",
        ] {
            assert_eq!(check_safe_to_open(good), Ok(()), "{good}");
        }
        for bad in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://biotr.ac/",
            "https://user:pw@biotr.ac/",
            "-h",
            "--help",
            "\\\\host\\share",
            "https://biotr.ac/ x",
            "https://biotr.ac/\n",
            "https://biotr.ac/$(id)`id`",
            "calc.exe",
            "",
            "https://biotr.ac/\"&calc&\"",
            "http://127.0.0.1.evil.example/",
            "https:biotr.ac/x",
            "https:/biotr.ac/x",
            "https:///biotr.ac/x",
            "https:/biotr.ac://biotr.ac/",
            "https://@biotr.ac/",
            "http://127.1/",
            "http://0x7f.0.0.1/",
            "https://ex%61mple.com/",
        ] {
            assert!(check_safe_to_open(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_address_is_the_last_argument_or_stands_where_percent_s_does_in_browser() {
        let said = |command: Option<Command>| -> Vec<String> {
            command.unwrap().get_args().map(|a| a.to_string_lossy().into_owned()).collect()
        };
        let address = "https://a.example/";
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let listed = |text: &str| listed(&words(text), address, &Variables::default());
        assert_eq!(said(listed("firefox --new-tab")), ["--new-tab", address]);
        assert_eq!(said(listed("lynx -x=%s -y")), ["-x=https://a.example/", "-y"]);
        let words = ["sh", "-c", "echo %s"].map(str::to_owned);
        assert_eq!(
            said(command_of(&words, Some(address), &Variables::default())),
            ["-c", "echo %s", address]
        );
    }
}
