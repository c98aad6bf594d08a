//! Prints an answer: a page under headers that never vary.

use tiny_http::{HTTPVersion, Header, Response, StatusCode};

/// A whole answer to a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The document, already escaped.
    pub html: String,
    /// The one inline style allowed, as in a Content-Security-Policy but unquoted: `sha256-…`.
    pub style_hash: Option<String>,
}

impl Page {
    /// A page that says its status and nothing else.
    pub(super) fn plain(status: u16) -> Page {
        let reason = StatusCode(status).default_reason_phrase();
        let html = format!("<!doctype html><title>{status}</title><p>{reason}</p>\n");
        Page { status, html, style_hash: None }
    }

    /// The answer as it goes over the wire, in one piece so that it is one write.
    pub(super) fn print(self, bodyless: bool) -> Vec<u8> {
        let mut policy = String::from("default-src 'none'");
        // What isn't a hash's alphabet could end the header and start another.
        let in_hash = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
        if let Some(hash) = self.style_hash.filter(|hash| hash.bytes().all(in_hash)) {
            policy.push_str(&format!("; style-src '{hash}'"));
        }
        let mut headers = vec![
            ("Content-Type", "text/html; charset=utf-8"),
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
        let headers =
            headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, *value).ok()).collect();
        let html = self.html.into_bytes();
        let size = html.len();
        let mut bytes = Vec::with_capacity(size + 512);
        let response = Response::new(StatusCode(self.status), headers, html.as_slice(), Some(size), None)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: Page, bodyless: bool) -> String {
        String::from_utf8(page.print(bodyless)).unwrap()
    }

    #[test]
    fn the_constant_headers_are_there_once() {
        let style_hash = Some("sha256-AbC+/9=".to_owned());
        let printed = text(Page { status: 200, html: "<p>hallo</p>".into(), style_hash }, false);
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
            let page = Page { status: 200, html: String::new(), style_hash: Some(hash.into()) };
            let printed = text(page, false);
            assert!(printed.contains("Content-Security-Policy: default-src 'none'\r\n"), "{printed}");
            assert!(!printed.contains("Evil"));
        }
    }

    #[test]
    fn a_large_page_is_not_chunked_and_a_bodyless_one_keeps_its_length() {
        let html = "x".repeat(100_000);
        let printed = text(Page { status: 200, html, style_hash: None }, false);
        assert!(printed.contains("Content-Length: 100000\r\n") && !printed.contains("chunked"));
        let printed = text(Page::plain(405), true);
        assert!(printed.ends_with("\r\n\r\n") && printed.contains("Allow: GET\r\n"));
    }
}
