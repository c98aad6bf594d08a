//! This machine: the redirect's port, a browser, the console, what kind of place it is, and the shell's completions.

use super::Examination;
use crate::system::{LoopbackAddress, can_listen, found};
use std::path::{Path, PathBuf};

impl Examination<'_, '_> {
    pub(super) fn machine(&mut self) {
        self.redirect();
        self.browser();
        self.console();
    }

    fn redirect(&mut self) {
        let port = self.provider.as_ref().and_then(|provider| provider.redirect.port);
        let named = port.map_or("any port".into(), |port| format!("port {port}"));
        match can_listen(LoopbackAddress::Ipv4(port.unwrap_or(0))) {
            Ok(()) => self.well("redirect", format!("127.0.0.1, {named}: free")),
            Err(e) => {
                let fix = "Stop the program that uses it (perhaps another consent), or choose another port with redirect.port or --port.";
                self.problem("redirect", format!("127.0.0.1, {named}: {e}"), fix);
            }
        }
        if let Err(e) = can_listen(LoopbackAddress::Ipv6(0)) {
            self.note("redirect", format!("can't listen on [::1]: {e}; 127.0.0.1 is enough"), None);
        }
    }

    fn browser(&mut self) {
        let variables = &self.call.env.variables;
        let around = self.call.env.surroundings();
        let browser = found(variables);
        let places = [(around.ssh, "an SSH session"), (around.wsl, "WSL"), (around.container, "a container")];
        let place: Vec<_> = places.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        let far = around.ssh || around.container || !around.display;
        if !place.is_empty() || !around.display {
            let mut place = place.join(", ");
            if !around.display {
                place += if place.is_empty() { "no display" } else { ", no display" };
            }
            let what = if far {
                "To grant access, a browser must reach 127.0.0.1 on this machine: forward the port (ssh -L), and open the address that \
                 --no-browser prints. Or use --no-wait, and ask the admin to send back the redirect address."
            } else {
                "The Windows browser can normally reach 127.0.0.1 here; if it can't, use --no-browser."
            };
            self.note("surroundings", place, Some(what.into()));
        }
        match browser {
            Some(program) => self.well("browser", program),
            None => self.note(
                "browser",
                "no browser found",
                Some("Use --no-browser, which prints the address; or set BROWSER or --browser CMD.".into()),
            ),
        }
    }

    pub(super) fn completions(&mut self) {
        let variables = &self.call.env.variables;
        let Some(shell) = variables.get("SHELL").and_then(|it| Path::new(it).file_name()?.to_str()) else {
            return;
        };
        let home = PathBuf::from(variables.get("HOME").unwrap_or_default());
        let (places, write): (Vec<PathBuf>, _) = match shell {
            "bash" => (
                vec![
                    home.join(".local/share/bash-completion/completions/biotrack-auth"),
                    "/usr/share/bash-completion/completions/biotrack-auth".into(),
                    "/usr/local/share/bash-completion/completions/biotrack-auth".into(),
                    "/etc/bash_completion.d/biotrack-auth".into(),
                ],
                "biotrack-auth completions bash > ~/.local/share/bash-completion/completions/biotrack-auth",
            ),
            "zsh" => (
                vec![
                    home.join(".zfunc/_biotrack-auth"),
                    "/usr/share/zsh/site-functions/_biotrack-auth".into(),
                    "/usr/share/zsh/vendor-completions/_biotrack-auth".into(),
                    "/usr/local/share/zsh/site-functions/_biotrack-auth".into(),
                ],
                "biotrack-auth completions zsh > ~/.zfunc/_biotrack-auth   # a folder in $fpath",
            ),
            "fish" => (
                vec![
                    home.join(".config/fish/completions/biotrack-auth.fish"),
                    "/usr/share/fish/vendor_completions.d/biotrack-auth.fish".into(),
                ],
                "biotrack-auth completions fish > ~/.config/fish/completions/biotrack-auth.fish",
            ),
            _ => return,
        };
        match places.iter().find(|it| it.exists()) {
            Some(place) => self.well("completions", format!("{shell}: {}", place.display())),
            None => {
                self.note("completions", format!("not installed for {shell}"), Some(write.into()));
            }
        }
    }
}
