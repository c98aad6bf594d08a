//! Prints an answer: a page under headers that never vary.

use crate::system::check_safe_to_open;
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use tiny_http::{HTTPVersion, Header, Response, StatusCode};

/// A whole answer to a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub(super) status: u16,
    /// The document, already escaped.
    pub(super) body: String,
    kind: Kind,
    style_hash: Option<String>,
    script_hash: Option<String>,
    location: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Html,
    Json,
}

impl Page {
    /// A document, already escaped, in which nothing runs and nothing is styled.
    pub fn html(status: u16, html: impl Into<String>) -> Page {
        let (style_hash, script_hash, location) = (None, None, None);
        Page { status, body: html.into(), kind: Kind::Html, style_hash, script_hash, location }
    }

    /// Allows the document's one inline style of this [`policy_hash`].
    pub fn styled(mut self, hash: &str) -> Page {
        self.style_hash = Some(hash.to_owned());
        self
    }

    /// Allows the document's one inline script of this [`policy_hash`], and that it asks this port and no other.
    pub fn scripted(mut self, hash: &str) -> Page {
        self.script_hash = Some(hash.to_owned());
        self
    }

    pub fn json(json: String) -> Page {
        Page { kind: Kind::Json, ..Page::html(200, json) }
    }

    pub fn with_status(self, status: u16) -> Page {
        Page { status, ..self }
    }

    /// Done, and there is nothing to show.
    pub fn done() -> Page {
        Page::html(204, "")
    }

    /// Sends the browser on. Why not, where the address is none that a browser of ours would be sent to.
    pub fn see_other(address: &str) -> Result<Page, &'static str> {
        check_safe_to_open(address)?;
        Ok(Page { location: Some(address.to_owned()), ..Page::html(303, "") })
    }

    pub fn body(&self) -> &str {
        &self.body
    }

    #[cfg(test)]
    pub(in crate::web) fn status(&self) -> u16 {
        self.status
    }

    /// A page that says its status and nothing else.
    pub(super) fn plain(status: u16) -> Page {
        let reason = StatusCode(status).default_reason_phrase();
        Page::html(status, format!("<!doctype html><title>{status}</title><p>{reason}</p>\n"))
    }

    /// What the page may do: nothing, but for the style and the script that it names by their hashes.
    fn policy(&self) -> String {
        // What isn't a hash's alphabet could end the header and start another.
        let in_hash = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
        let clean = |hash: &Option<String>| hash.clone().filter(|hash| hash.bytes().all(in_hash));
        // defense: S21 pages-run-nothing
        let mut policy = String::from("default-src 'none'");
        if let Some(hash) = clean(&self.style_hash) {
            policy.push_str(&format!("; style-src '{hash}'"));
        }
        if let Some(hash) = clean(&self.script_hash) {
            policy.push_str(&format!(
                "; script-src '{hash}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ));
        }
        policy
    }

    /// The answer as it goes over the wire, in one piece so that it is one write.
    pub(super) fn print(self, bodyless: bool) -> Vec<u8> {
        let policy = self.policy();
        let kind = match self.kind {
            Kind::Html => "text/html; charset=utf-8",
            Kind::Json => "application/json",
        };
        let mut headers = vec![
            ("Content-Type", kind),
            ("Content-Security-Policy", policy.as_str()),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("X-Frame-Options", "DENY"),
            ("Server", "biotrack-auth"),
        ];
        if self.status == 405 {
            headers.push(("Allow", "GET"));
        }
        if matches!(self.status, 429 | 503) {
            headers.push(("Retry-After", "60"));
        }
        if let Some(location) = &self.location {
            headers.push(("Location", location));
        }
        let headers =
            headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, *value).ok()).collect();
        let size = self.body.len();
        let mut bytes = Vec::with_capacity(size + 512);
        let response =
            Response::new(StatusCode(self.status), headers, self.body.as_bytes(), Some(size), None)
                .with_chunked_threshold(usize::MAX);
        // A Vec takes every write.
        let _ = response.raw_print(&mut bytes, HTTPVersion(1, 1), &[], bodyless, None);
        // tiny_http keeps Connection to itself and then doesn't send it.
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            bytes.splice(end + 1..end + 1, *b"Connection: close\r\n");
        }
        bytes
    }
}

/// The hash by which a Content-Security-Policy lets an inline style or script through: `sha256-…`.
pub fn policy_hash(inline: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(inline)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: Page, bodyless: bool) -> String {
        String::from_utf8(page.print(bodyless)).unwrap()
    }

    #[test]
    fn the_constant_headers_are_there_once() {
        let printed = text(Page::html(200, "<p>hallo</p>").styled("sha256-AbC+/9="), false);
        let (head, body) = printed.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "<p>hallo</p>");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
        for line in [
            "Connection: close",
            "Content-Type: text/html; charset=utf-8",
            "Content-Security-Policy: default-src 'none'; style-src 'sha256-AbC+/9='",
            "X-Content-Type-Options: nosniff",
            "Referrer-Policy: no-referrer",
            "Cache-Control: no-store",
            "X-Frame-Options: DENY",
            "Content-Length: 12",
        ] {
            assert_eq!(head.lines().filter(|other| *other == line).count(), 1, "{line} in {head}");
        }
    }

    #[test]
    fn a_hash_that_is_none_cannot_add_to_the_policy_or_the_head() {
        for hash in ["sha256-a'; script-src 'unsafe-inline", "sha256-a\r\nX-Evil: 1"] {
            let printed = text(Page::html(200, "").styled(hash).scripted(hash), false);
            assert!(printed.contains("Content-Security-Policy: default-src 'none'\r\n"), "{printed}");
            assert!(!printed.contains("Evil"));
        }
    }

    #[test]
    fn a_large_page_is_not_chunked_and_a_bodyless_one_keeps_its_length() {
        let printed = text(Page::html(200, "x".repeat(100_000)), false);
        assert!(printed.contains("Content-Length: 100000\r\n") && !printed.contains("chunked"));
        let printed = text(Page::plain(405), true);
        assert!(printed.ends_with("\r\n\r\n") && printed.contains("Allow: GET\r\n"));
    }

    #[test]
    fn a_script_may_ask_its_own_port_and_nothing_else() {
        let printed = text(Page::html(200, "").styled("sha256-A").scripted("sha256-B"), false);
        let policy = "default-src 'none'; style-src 'sha256-A'; script-src 'sha256-B'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        assert!(printed.contains(&format!("Content-Security-Policy: {policy}\r\n")), "{printed}");
    }

    #[test]
    fn a_browser_is_sent_on_only_to_an_address_that_is_one() {
        let printed = text(Page::see_other("https://biotr.ac/oauth?a=b&c=%20").unwrap(), false);
        assert!(printed.starts_with("HTTP/1.1 303 "), "{printed}");
        assert!(printed.contains("\r\nLocation: https://biotr.ac/oauth?a=b&c=%20\r\n"), "{printed}");
        assert!(printed.contains("\r\nReferrer-Policy: no-referrer\r\n"), "{printed}");
        for bad in
            ["https://biotr.ac/\r\nSet-Cookie: a=b", "https://biotr.ac/\n", "javascript:alert(1)", "/x", ""]
        {
            assert!(Page::see_other(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_scripts_answer_is_json_under_the_same_headers() {
        let printed = text(Page::json("{}".into()), false);
        assert!(printed.contains("Content-Type: application/json\r\n") && printed.ends_with("\r\n\r\n{}"));
        assert!(printed.contains("nosniff") && printed.contains("no-store"), "{printed}");
        let printed = text(Page::done(), false);
        assert!(printed.starts_with("HTTP/1.1 204 ") && printed.ends_with("\r\n\r\n"), "{printed}");
    }
}
