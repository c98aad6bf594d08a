//! The pages that the admin's browser gets back: plain, self-contained, every value escaped, no code and no token in them.

use super::listener::{Page, policy_hash};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::sync::LazyLock;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#f6f8fa;--card:#fff;--line:#d0d7de;--good:#1a7f37;--bad:#b42318;--note:#0a58ca}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--paper:#0d1117;--card:#161b22;--line:#30363d;--good:#3fb950;--bad:#ff7b72;--note:#79b8ff}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 system-ui,sans-serif}\
main{max-width:34rem;width:100%;padding:2rem;background:var(--card);border:1px solid var(--line);border-top:.3rem solid var(--tone);border-radius:.6rem}\
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}\
h1 span{color:var(--tone)}\
p,footer{text-wrap:balance}\
p{margin:.6rem 0}\
b{overflow-wrap:anywhere}\
footer{margin-top:1.5rem;color:var(--soft);font-size:.9rem}\
.good{--tone:var(--good)}.bad{--tone:var(--bad)}.note{--tone:var(--note)}";

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| policy_hash(STYLE));

/// Who reads a page, and so where they are told to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageAudience {
    /// Somebody at the machine on which the program runs.
    Operator,
    /// An admin user, who sits elsewhere: there is no terminal for them.
    Admin,
}

impl PageAudience {
    fn or(self, operator: &'static str, admin: &'static str) -> &'static str {
        match self {
            Self::Operator => operator,
            Self::Admin => admin,
        }
    }
}

fn page(status: u16, tone: &str, sign: &str, title: &str, body: &Markup) -> Page {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · biotrack-auth" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main class=(tone) {
                    h1 { span aria-hidden="true" { (sign) } " " (title) }
                    (body)
                    footer { "This page comes from biotrack-auth. You can close it." }
                }
            }
        }
    };
    Page::html(status, document.into_string()).styled(&STYLE_HASH)
}

pub fn granted(reader: PageAudience, license: &str) -> Page {
    page(
        200,
        "good",
        "✓",
        "Access granted",
        &html! {
            p { "The authorization for location " b { (license) } " is stored." }
            p { (reader.or("Go back to the terminal, which shows the expiration date.", "You are done. Thank you!")) }
        },
    )
}

/// Another admin granted than the one who was asked.
pub fn awaiting_approval(reader: PageAudience, license: &str, granted_by: &str) -> Page {
    page(
        200,
        "note",
        "!",
        "Waiting for approval",
        &html! {
            p { b { (granted_by) } " granted access for location " b { (license) } ", but another user was asked." }
            p { (reader.or("Go back to the terminal to accept or discard the grant.", "The person who sent you the link will decide whether to accept it.")) }
        },
    )
}

/// The grant isn't stored, and why.
pub fn failed(reader: PageAudience, license: &str, reason: &str) -> Page {
    page(
        200,
        "bad",
        "✕",
        "Not authorized",
        &html! {
            p { "Location " b { (license) } " was not authorized." }
            p { (reason) }
            p { (reader.or("Go back to the terminal, which shows the next step.", "Tell the person who sent you the link; they know what to do next.")) }
        },
    )
}

/// The provider's answer was lost: nobody knows.
pub fn uncertain(reader: PageAudience, license: &str, reason: &str) -> Page {
    page(
        200,
        "note",
        "?",
        "Not confirmed yet",
        &html! {
            p { "We could not confirm whether location " b { (license) } " was authorized." }
            p { (reason) }
            p { (reader.or("Go back to the terminal, which shows the next step.", "Tell the person who sent you the link; they know what to do next.")) }
        },
    )
}

/// The answer is kept, and what is still to do is done without the browser.
pub fn being_finished(license: &str) -> Page {
    page(
        200,
        "note",
        "…",
        "Almost done",
        &html! {
            p { "The answer for location " b { (license) } " has arrived and is being processed. This may take a few minutes." }
            p { "There is nothing more to do here. Thank you!" }
        },
    )
}

/// The answer is kept, and the next command finishes it.
pub fn saved(license: &str) -> Page {
    page(
        200,
        "note",
        "…",
        "Your answer is saved",
        &html! {
            p { "The answer for location " b { (license) } " has arrived and is kept. You don't have to grant access again." }
            p { "It isn't stored yet. The terminal shows the reason and the next step." }
        },
    )
}

/// The answer couldn't even be kept, but the same address can bring it again.
pub fn not_now() -> Page {
    page(
        503,
        "note",
        "!",
        "Please try again in a minute",
        &html! {
            p { "We can't accept your answer right now. Nothing is lost: the answer is in the address of this page." }
            p { "Reload this page in a minute. If that doesn't help, tell the person who sent you the link." }
        },
    )
}

/// The flow had been closed before the answer came.
pub fn too_late(license: &str) -> Page {
    page(
        410,
        "note",
        "!",
        "Too late",
        &html! {
            p { "The request for location " b { (license) } " ended before your answer arrived. Nothing was stored." }
            p { "Go back to the terminal or the worklist, and start again for this license." }
        },
    )
}

/// The same answer came again.
pub fn answered_before(license: &str) -> Page {
    page(
        200,
        "note",
        "i",
        "Already received",
        &html! {
            p { "The answer for location " b { (license) } " has been received. There is nothing more to do here." }
        },
    )
}

/// An answer that belongs to no flow of ours.
pub fn belongs_to_no_flow() -> Page {
    page(
        400,
        "bad",
        "✕",
        "This address was ignored",
        &html! {
            p { "This address doesn't belong to the current request. Use only the address that the terminal shows." }
            p { "If you granted access for an earlier request, that still counts: run biotrack-auth complete - in another terminal, and paste the address of this page." }
        },
    )
}

/// An answer that came to a public address, and that no flow waits for: why, for an admin.
pub fn no_open_link(reason: &str) -> Page {
    page(
        400,
        "bad",
        "✕",
        "This answer can't be used",
        &html! {
            p { (reason) }
            p { "Tell the person who sent you the link; they can send you a new one." }
        },
    )
}

/// A one-time address that was opened before, or whose flow is over.
pub fn opened_before() -> Page {
    page(
        410,
        "note",
        "i",
        "This address works only once",
        &html! {
            p { "It was already opened. Continue in the window with BioTrack’s page." }
            p { "If there is no such window, go back to the terminal, which shows the address of BioTrack’s page and how to open a new one." }
        },
    )
}

/// A one-time address that was made for another user of this machine.
pub fn of_another_user() -> Page {
    page(
        403,
        "bad",
        "✕",
        "This address is for another user",
        &html! {
            p { "This address was made for another user of this machine. Nothing was opened, and the address still works for them." }
            p { "If your browser runs as another user on purpose, open the address that the terminal shows." }
        },
    )
}

/// A one-time address, while too many visits came to tell who makes them.
pub fn too_many_visits() -> Page {
    page(
        503,
        "note",
        "!",
        "Try again in a moment",
        &html! {
            p { "This address was opened too often at once. Nothing was opened now, and the address still works." }
            p { "Reload this page, or open the address that the terminal shows." }
        },
    )
}

/// Any other path.
pub fn not_found() -> Page {
    page(
        404,
        "note",
        "i",
        "Nothing here",
        &html! {
            p { "biotrack-auth waits here for an answer from BioTrack only." }
        },
    )
}

/// A link of the worklist that leads nowhere now, and why.
pub fn refused(title: &str, reason: &str) -> Page {
    page(
        409,
        "note",
        "i",
        title,
        &html! {
            p { (reason) }
            p { "Go back to the worklist, which shows the current state." }
        },
    )
}

/// Nothing is done here by a POST.
pub fn not_allowed() -> Page {
    page(405, "note", "i", "Nothing to do here", &html! { p { "This page accepts no submissions." } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let page =
            failed(PageAudience::Operator, "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>");
        let html = page.body();
        assert!(!html.contains("<script>alert") && !html.contains("<img"), "{html}");
        assert!(html.contains("&lt;script&gt;"));
    }
}
