//! What `doctor` found, for people and scripts; safe to paste.

use super::json::DOCUMENT_VERSION;
use crate::error::clean;
use schemars::JsonSchema;
use serde::Serialize;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingLevel {
    /// It works.
    Well,
    /// A note; nothing is wrong.
    Note,
    /// It was wrong, and `--fix` fixed it.
    Fixed,
    /// It doesn't work, or will soon fail.
    Problem,
}

/// One check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Finding {
    /// The name of the check: `config`, `provider`, `vault`, …
    pub check: &'static str,
    /// The result of the check.
    pub health: FindingLevel,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// What `doctor --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DoctorDocument {
    schema: u8,
    version: &'static str,
    /// Operating system and processor, and what stands in place of the system, such as Wine.
    platform: String,
    profile: Option<String>,
    /// How many problems there are: with any, the exit code is 1.
    problems: usize,
    findings: Vec<Finding>,
}

impl DoctorDocument {
    /// All that was found, redacted; `home` is this user's own folder.
    pub fn of(platform: String, profile: Option<String>, findings: Vec<Finding>, home: Option<&str>) -> Self {
        let told = |text: &str| redacted(&clean(text), home);
        let findings: Vec<_> = findings
            .into_iter()
            .map(|it| Finding { found: told(&it.found), fix: it.fix.as_deref().map(told), ..it })
            .collect();
        Self {
            schema: DOCUMENT_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            platform,
            profile,
            problems: findings.iter().filter(|it| it.health == FindingLevel::Problem).count(),
            findings,
        }
    }

    pub fn problems(&self) -> usize {
        self.problems
    }

    /// The same for people: a line each, and below it what to do.
    pub fn in_words(&self) -> String {
        let mut text = format!("biotrack-auth {} on {}\n\n", self.version, self.platform);
        for Finding { check, health, found, fix } in &self.findings {
            let sign = match health {
                FindingLevel::Well => "✓",
                FindingLevel::Note => "–",
                FindingLevel::Fixed => "*",
                FindingLevel::Problem => "✗",
            };
            text.push_str(&format!("{sign} {check:12} {found}\n"));
            if let Some(fix) = fix {
                text.push_str(&format!("  {:12} → {fix}\n", ""));
            }
        }
        let end = match self.problems {
            0 => "No problems found.".to_owned(),
            1 => "1 problem.".to_owned(),
            several => format!("{several} problems."),
        };
        text + "\n" + &end + "\n"
    }
}

/// Without what belongs to nobody else: the home folder becomes `~`, and of an e-mail address the first letter and the
/// end stay.
fn redacted(text: &str, home: Option<&str>) -> String {
    let home = home.map(|home| home.trim_end_matches('/')).filter(|home| home.len() > 1);
    let text = home.map_or_else(|| text.to_owned(), |home| text.replace(home, "~"));
    let part = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let begins = before
            .rfind(|c: char| !part(c))
            .map_or(0, |it| it + before[it..].chars().next().map_or(1, char::len_utf8));
        let ends = after.find(|c: char| !part(c)).unwrap_or(after.len());
        let (name, domain) = (&before[begins..], &after[..ends]);
        shown.push_str(&before[..begins]);
        if name.is_empty() || domain.is_empty() {
            shown.push_str(name);
            shown.push('@');
            shown.push_str(domain);
        } else {
            shown.extend(name.chars().next());
            shown.push_str("…@…");
            shown.push_str(domain.rsplit_once('.').map_or("", |(_, end)| end));
        }
        rest = &after[ends..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn neither_addresses_nor_homes_are_told() {
        for (text, told) in [
            ("config in /home/ann/.config/x", "config in ~/.config/x"),
            ("asked ann.b+c@store.example, twice", "asked a…@…example, twice"),
            ("a@b", "a…@…"),
            ("@ and x@", "@ and x@"),
            ("é ü@host/ö@x.y", "é ü…@…/ö…@…y"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redacted(text, Some("/home/ann/")), told);
        }
        assert_eq!(redacted("/root", Some("/")), "/root");
    }
}
