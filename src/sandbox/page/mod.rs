//! The pages: Grant Access, trouble, home. No script, nothing from elsewhere, every value escaped.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::behavior::{Fault, GrantFacts, PASSWORD};

const STYLE: &str = include_str!("style.css");

/// `style-src` by the style's own hash, so that nothing injected could style or run.
///
/// There is no `form-action`: Chromium applies it to the redirects after a form post too, so `'self'` would stop
/// the way back to the client's loopback address; and it doesn't fall back on `default-src`.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'")
});

pub(super) fn content_security_policy() -> &'static str {
    &POLICY
}

/// What the form holds when it is shown.
pub(super) struct Form<'a> {
    /// Names the request that waits on the server.
    pub(super) request: &'a str,
    pub(super) ubi: &'a str,
    pub(super) username: &'a str,
    pub(super) faults: &'a [Fault],
}

/// The Grant Access page. A script finds `request`, `ubi`, `username`, `password` and `decision` (`grant` or
/// `refuse`) as both `name` and `id`, the buttons by the ids `grant` and `refuse`.
pub(super) fn consent(facts: &GrantFacts, form: &Form<'_>) -> Markup {
    let rows = [
        ("Company", facts.company.as_str()),
        ("Application", &facts.application),
        ("UBI", &facts.ubi),
        ("Access Type", facts.access_type),
        ("Location", &facts.location),
        ("Resource", facts.resource),
        ("Operation", facts.operation),
    ];
    let title = if form.faults.is_empty() { "Grant Access" } else { "Error: Grant Access" };
    let message = |fault: Fault| form.faults.contains(&fault).then(|| message(fault));
    let focus = |fault: Fault| form.faults.first() == Some(&fault);
    frame(
        title,
        html! {
            h1 { "Grant Access" }
            p.lead { b { (facts.company) } " asks for access to your BioTrack account." }
            dl {
                @for (name, value) in rows {
                    div { dt { (name) } dd { (value) } }
                }
            }
            form method="post" action="/oauth/grant" {
                h2 { "Sign in to grant it" }
                input type="hidden" id="request" name="request" value=(form.request);
                (field(&Field { name: "ubi", label: "UBI", kind: "text", value: form.ubi, autocomplete: "off",
                    hint: None, message: message(Fault::Ubi), focus: focus(Fault::Ubi) }))
                (field(&Field { name: "username", label: "Username", kind: "text", value: form.username,
                    autocomplete: "username", hint: None, message: message(Fault::Username),
                    focus: focus(Fault::Username) }))
                (field(&Field { name: "password", label: "Password", kind: "password", value: "",
                    autocomplete: "current-password",
                    hint: Some(html! { "The password of every account here is " code { (PASSWORD) } ". Never type a real one." }),
                    message: message(Fault::Password), focus: focus(Fault::Password) }))
                div.buttons {
                    button.grant #grant type="submit" name="decision" value="grant" { "Grant Access" }
                    // No sign-in is needed to refuse.
                    button #refuse type="submit" name="decision" value="refuse" formnovalidate { "Refuse" }
                }
            }
        },
    )
}

/// A page that says what went wrong.
pub(super) fn trouble(title: &str, message: &str) -> Markup {
    frame(title, html! { h1 { (title) } p { (message) } })
}

/// What this is, and where everything lies.
pub(super) fn home(issuer: &str) -> Markup {
    let endpoints = [
        ("Authorize", "GET", "/oauth"),
        ("Token", "POST", "/oauth/token"),
        ("Revoke", "POST", "/oauth/revoke"),
        ("Introspect", "POST", "/oauth/introspect"),
        ("Ping", "GET", "/api/ping"),
        ("Metadata", "GET", "/.well-known/oauth-authorization-server"),
    ];
    frame(
        "BioTrack sandbox",
        html! {
            h1 { "BioTrack sandbox" }
            p.lead {
                "An authorization server on this computer, for learning and trying out " code { "biotrack-auth" }
                ". It forgets everything when it stops."
            }
            dl {
                div { dt { "Issuer" } dd { (issuer) } }
                @for (name, method, path) in endpoints {
                    div { dt { (name) } dd { (method) " " (path) } }
                }
            }
        },
    )
}

struct Field<'a> {
    name: &'a str,
    label: &'a str,
    kind: &'a str,
    value: &'a str,
    autocomplete: &'a str,
    hint: Option<Markup>,
    message: Option<&'static str>,
    focus: bool,
}

fn field(field: &Field<'_>) -> Markup {
    let (hint, error) = (format!("{}-hint", field.name), format!("{}-error", field.name));
    let described = [field.message.map(|_| error.as_str()), field.hint.as_ref().map(|_| hint.as_str())];
    let described = described.into_iter().flatten().collect::<Vec<_>>().join(" ");
    html! {
        div.field.wrong[field.message.is_some()] {
            label for=(field.name) { (field.label) }
            input id=(field.name) name=(field.name) type=(field.kind) value=[(field.kind != "password").then_some(field.value)]
                autocomplete=(field.autocomplete) autocapitalize="none" spellcheck="false" required
                aria-invalid=[field.message.map(|_| "true")]
                aria-describedby=[(!described.is_empty()).then_some(described)] autofocus[field.focus];
            @if let Some(message) = field.message {
                p.error id=(error) role="alert" { (message) }
            }
            @if let Some(text) = &field.hint {
                p.hint id=(hint) { (text) }
            }
        }
    }
}

fn message(fault: Fault) -> &'static str {
    match fault {
        Fault::Ubi => "This isn’t the UBI shown above.",
        Fault::Username => "Enter your username.",
        Fault::Password => "The password is wrong.",
    }
}

fn frame(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Sandbox" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { b { "Sandbox:" } " a stand-in for training, not BioTrack" }
                main { (content) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_ends_no_element_and_values_are_escaped() {
        assert!(!STYLE.contains('<'));
        let page = trouble("<script>", "\"><b>&").into_string();
        assert!(!page.contains("<script>") && page.contains("&quot;&gt;&lt;b&gt;&amp;"));
    }
}
