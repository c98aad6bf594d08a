//! The redirect address in whatever a person sent back: a bare address, a sentence, a whole mail, a link that a mail filter has
//! rewritten. Pure. Which of the addresses it is, only the flows that are open can tell; where one ends, often only they.

use super::returned::ReturnedAddress;
use crate::error::is_unprintable;
use crate::oauth::callback::AuthorizationResponse;
use url::{Url, form_urlencoded};

/// The most that is read of a paste, in bytes: a whole mail with what it quotes.
pub const MAX_PASTE_BYTES: usize = 256 * 1024;

/// An address is broken by mail programs into so many pieces at most.
const PIECES: usize = 64;

/// Links in links in links.
const DEEPEST: usize = 3;

/// So many addresses are looked at.
const ADDRESSES: usize = 200;

/// All that may be the address in a pasted text.
#[derive(Debug)]
pub struct PastedCandidates {
    addresses: Vec<AddressSpan>,
    has_our_link: bool,
}

/// One place in the text at which an address begins, with each end that it may have, the nearest first.
#[derive(Debug)]
struct AddressSpan {
    ends: Vec<(ReturnedAddress, TrailingText)>,
}

/// What stands behind an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrailingText {
    /// Nothing, or words: the address is whole.
    Words,
    /// A piece that may be the rest of a broken address.
    Piece,
}

/// What keeps the address from being told.
const NONE: &str = "contains no redirect address";
const UNCLEAR: &str =
    "has words after the address that may belong to it: paste only the address, on one line";
const OUR_LINK: &str = "is the link that the admin opens. Paste the address that the browser shows after Grant Access was clicked";

impl PastedCandidates {
    /// Finds every address. Why there is none, in words that follow "what was pasted".
    pub fn of(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_PASTE_BYTES {
            return Err("is too long: paste only the address");
        }
        let shown: String = text.chars().filter(|c| c.is_whitespace() || !is_unprintable(*c)).collect();
        if shown.trim().is_empty() {
            return Err("is empty");
        }
        let mut found = Self { addresses: Vec::new(), has_our_link: false };
        for reading in readings(&shown) {
            found.look(&reading, 0);
        }
        match (found.addresses.is_empty(), found.has_our_link) {
            (true, true) => Err(OUR_LINK),
            (true, false) => Err(NONE),
            _ => Ok(found),
        }
    }

    /// The address that `fits` an open flow: by its state, its place and its issuer. Where none does, the likeliest: it will be
    /// said of it what is wrong.
    ///
    /// # Errors
    /// The inner one: why it can't be told, in words that follow "what was pasted".
    pub fn pick<E>(
        &self,
        mut fits: impl FnMut(&ReturnedAddress) -> Result<bool, E>,
    ) -> Result<Result<ReturnedAddress, &'static str>, E> {
        let (mut likeliest, mut found) = (None, None::<ReturnedAddress>);
        for address in &self.addresses {
            let mut fitting = Vec::new();
            for (returned, behind) in &address.ends {
                match fits(returned)? {
                    true => fitting.push((returned.clone(), *behind)),
                    false => {
                        likeliest.get_or_insert_with(|| returned.clone());
                    }
                }
            }
            match (pick_end(fitting), &found) {
                (None, _) => {}
                (Some(Err(why)), _) => return Ok(Err(why)),
                (Some(Ok(picked)), Some(other)) if !picked.says_the_same(other) => return Ok(Err(UNCLEAR)),
                (Some(Ok(picked)), _) => found = found.or(Some(picked)),
            }
        }
        if let Some(found) = found {
            return Ok(Ok(found));
        }
        Ok(likeliest.ok_or(if self.has_our_link { OUR_LINK } else { NONE }))
    }

    fn look(&mut self, text: &str, depth: usize) {
        for at in beginnings(text) {
            if self.addresses.len() >= ADDRESSES {
                return;
            }
            let mut ends = Vec::new();
            for (whole, behind) in ends_from(text, at) {
                self.look_inside(&whole, depth);
                for url in urls(&whole) {
                    if is_our_link(&url) {
                        self.has_our_link = true;
                    } else if let Ok(returned) = ReturnedAddress::of(url)
                        && returned.is_answer()
                    {
                        ends.push((returned, behind));
                    }
                }
            }
            if !ends.is_empty() {
                self.addresses.push(AddressSpan { ends });
            }
        }
    }

    /// A link that leads to a link: a mail filter's, or a search engine's.
    fn look_inside(&mut self, whole: &str, depth: usize) {
        if depth == DEEPEST {
            return;
        }
        let Some((_, query)) = whole.split_once('?') else { return };
        for (_, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.contains("://") {
                self.look(&value, depth + 1);
            } else if value.contains("-3A__") {
                // Proofpoint's second form.
                let escaped = value.replace('-', "%").replace('_', "/");
                if let Some((inner, _)) = form_urlencoded::parse(escaped.as_bytes()).next() {
                    self.look(&inner, depth + 1);
                }
            }
        }
    }
}

/// Where an address ends that fits; `None` where it fits nowhere. A code has no length that is known: where it comes last and
/// may go on, nobody can tell, and a spoiled one isn't sent.
fn pick_end(fitting: Vec<(ReturnedAddress, TrailingText)>) -> Option<Result<ReturnedAddress, &'static str>> {
    let whole = fitting.iter().position(|(_, behind)| *behind == TrailingText::Words);
    let mut ends = fitting.into_iter().take(whole.map_or(usize::MAX, |at| at + 1));
    let first = ends.next()?;
    let is_clear = ends.all(|(next, _)| next.says_the_same(&first.0));
    Some(if is_clear { Ok(first.0) } else { Err(UNCLEAR) })
}

/// The text as it stands, and as it's meant where a mail's source was pasted.
fn readings(text: &str) -> Vec<String> {
    let mut readings = vec![text.to_owned()];
    let mut add = |reading: String| {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    };
    let quoted = quoted_printable(text);
    add(unescaped(text));
    add(quoted.clone());
    add(unescaped(&quoted));
    readings
}

/// HTML's way of writing what an address has.
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escaped, meant) in [
        ("&#38;", "&"),
        ("&#x26;", "&"),
        ("&#61;", "="),
        ("&#x3D;", "="),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        plain = plain.replace(escaped, meant);
    }
    plain.replace("&amp;", "&")
}

/// A mail's transfer encoding undone (RFC 2045 6.7): soft line breaks, and bytes as `=3D`.
fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "").replace("=\n", "");
    let mut plain = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let [first, behind @ ..] = rest {
        let byte = behind.get(..2).and_then(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            (*first == b'=').then(|| u8::from_str_radix(digits, 16).ok())?
        });
        match byte {
            Some(byte) => {
                plain.push(byte);
                rest = &behind[2..];
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(plain).unwrap_or(joined)
}

/// Where an address may begin: at its scheme, or at a word that has a question mark in it.
fn beginnings(text: &str) -> Vec<usize> {
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<usize> = ["http://", "https://"]
        .iter()
        .flat_map(|scheme| lower.match_indices(scheme))
        .map(|(at, _)| at)
        .collect();
    let mut at = 0;
    for word in text.split(is_between) {
        if word.contains('?') && !word.contains("://") {
            found.push(at);
        }
        at += word.len() + text[at + word.len()..].chars().next().map_or(0, char::len_utf8);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What no address has in it, as a browser shows it.
fn is_between(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "<>\"`“”„«»‘’‚".contains(c)
}

/// What closes what stands before an address.
fn closing(before: Option<char>) -> Option<char> {
    Some(match before? {
        '<' => '>',
        '"' => '"',
        '“' | '„' => '”',
        '(' => ')',
        '[' => ']',
        '\'' => '\'',
        '`' => '`',
        '«' => '»',
        _ => return None,
    })
}

/// The address that begins there, up to each of its possible ends, and what stands behind that.
fn ends_from(text: &str, at: usize) -> Vec<(String, TrailingText)> {
    let from = &text[at..];
    if let Some(close) = closing(text[..at].chars().next_back())
        && let Some(inside) = enclosed(from, close)
    {
        return match inside.split_once('|').filter(|_| close == '>') {
            // Slack's form: what is shown of the address stands behind it. Where that may be the end of a code, nobody can tell.
            Some((address, shown)) if is_shown_of(shown, address) => {
                vec![(address.to_owned(), TrailingText::Words)]
            }
            Some((address, _)) => {
                vec![(address.to_owned(), TrailingText::Piece), (inside, TrailingText::Words)]
            }
            None => vec![(inside, TrailingText::Words)],
        };
    }
    let mut ends = Vec::new();
    let (mut whole, mut rest) = (String::new(), from);
    for _ in 0..PIECES {
        let piece = &rest[..rest.find(is_between).unwrap_or(rest.len())];
        let piece = &piece[..unmatched(piece).unwrap_or(piece.len())];
        whole.push_str(piece);
        let behind = &rest[piece.len()..];
        let (next, kind) = what_follows(behind);
        // A piece of another address isn't this one's.
        let kind = if next.contains("://") { TrailingText::Words } else { kind };
        ends.extend(trimmed(&whole).map(|whole| (whole, kind)));
        if kind == TrailingText::Words {
            break;
        }
        rest = next;
    }
    ends
}

/// Whether a text is how an address is shown: all of it, or its beginning, with or without its scheme.
fn is_shown_of(shown: &str, address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, host)| host);
    shown.contains("://") || (!shown.is_empty() && host.starts_with(shown.trim_end_matches(['.', '…'])))
}

/// All of a line, or of several, up to a closing sign; the signs of a quoted mail and the line breaks left out. `None` where there
/// are words in between.
fn enclosed(from: &str, close: char) -> Option<String> {
    let mut inside = String::new();
    let mut begins_line = false;
    for c in from.chars() {
        match c {
            '>' if begins_line => {}
            c if c == close => return trimmed(&inside),
            '\n' => begins_line = true,
            '\r' => {}
            c if c.is_whitespace() && begins_line => {}
            c if is_between(c) => return None,
            c => {
                begins_line = false;
                inside.push(c);
            }
        }
    }
    None
}

/// Where a bracket closes that was opened before the address began.
fn unmatched(piece: &str) -> Option<usize> {
    let mut open = 0_i32;
    for (at, c) in piece.char_indices() {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' if open == 0 => return Some(at),
            ')' | ']' => open -= 1,
            _ => {}
        }
    }
    None
}

/// Without the full stop of the sentence that it ends. `None` where something of it is left out: signs that a mail filter has
/// replaced, or whatever three dots stand for.
fn trimmed(address: &str) -> Option<String> {
    // urldefense.com's third form puts the address between these, and what it has replaced behind it.
    let address = match address.split_once("__;") {
        Some((address, replaced)) if replaced.is_empty() || replaced.starts_with("!!") => address,
        Some(_) => return None,
        None => address,
    };
    let whole = !address.ends_with("...") && !address.contains('…');
    whole.then(|| address.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*']).to_owned())
}

/// The next piece, and whether it may belong to the address.
fn what_follows(behind: &str) -> (&str, TrailingText) {
    // Line breaks, and the signs of a mail that is quoted: `> `.
    let next = behind.trim_start_matches(|c: char| c.is_whitespace() || c == '>');
    let gap = &behind[..behind.len() - next.len()];
    let line = next.lines().next().unwrap_or_default();
    let piece = &line[..line.find(is_between).unwrap_or(line.len())];
    let is_broken = !gap.is_empty() && gap.matches('\n').count() < 2;
    let has_more_words = line[piece.len()..].chars().any(|c| !c.is_whitespace() && c != '>');
    let goes_on = piece.contains(['&', '=', '%']) || !has_more_words;
    match is_broken && goes_on && piece.is_ascii() && piece.contains(|c: char| c.is_ascii_alphanumeric()) {
        true => (next, TrailingText::Piece),
        false => (next, TrailingText::Words),
    }
}

/// The address with its scheme, which some browsers hide from what is copied.
fn urls(whole: &str) -> Vec<Url> {
    let is_ours = |url: &Url| matches!(url.scheme(), "http" | "https") && url.query().is_some();
    let texts = match whole.split('?').next().is_some_and(|head| head.contains("://")) {
        true => vec![whole.to_owned()],
        false => vec![format!("http://{whole}"), format!("https://{whole}")],
    };
    texts.iter().filter_map(|text| Url::parse(text).ok()).filter(is_ours).collect()
}

/// Whether it's the address at which an admin is asked (RFC 6749 4.1.1), and not the one at which they end.
fn is_our_link(url: &Url) -> bool {
    let has = |name: &str| url.query_pairs().any(|(found, _)| found == name);
    has("client_id") && has("response_type")
}

impl ReturnedAddress {
    /// Whether it carries a code or a refusal, and something that may be a state.
    fn is_answer(&self) -> bool {
        self.callback.answered.is_ok() && !self.states().is_empty()
    }

    fn says_the_same(&self, other: &Self) -> bool {
        let code = |it: &Self| match &it.callback.answered {
            Ok(AuthorizationResponse::Code(code)) => Some(code.expose().to_owned()),
            _ => None,
        };
        code(self) == code(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    const STATE: &str = "s-1_x";
    const CODE: &str = "c1-sandbox";
    const PLACE: &str = "http://127.0.0.1:18273/callback";

    fn ending_with(last: &str) -> String {
        let code = format!("code={CODE}");
        let state = format!("state={STATE}");
        let issuer = "iss=https%3A%2F%2Fbiotrack.example".to_owned();
        let mut all = vec![code, state, issuer];
        let at = all.iter().position(|it| it.starts_with(last)).unwrap();
        let moved = all.remove(at);
        all.push(moved);
        format!("{PLACE}?{}", all.join("&"))
    }

    fn picked(text: &str) -> Result<ReturnedAddress, &'static str> {
        PastedCandidates::of(text)?
            .pick::<Infallible>(|it| {
                let is_issuers =
                    it.callback.iss.as_deref().is_none_or(|iss| iss == "https://biotrack.example");
                let has_state = it.states().iter().any(|state| state.expose() == STATE);
                Ok(has_state && it.is_at(PLACE) && is_issuers)
            })
            .unwrap()
    }

    fn code(returned: &ReturnedAddress) -> &str {
        match &returned.callback.answered {
            Ok(AuthorizationResponse::Code(code)) => code.expose(),
            _ => "no code",
        }
    }

    #[track_caller]
    fn is_found(text: &str) {
        let found = picked(text).unwrap_or_else(|why| panic!("{text:?} {why}"));
        assert_eq!(code(&found), CODE, "{text:?}");
    }

    /// Wherever the address ends.
    fn each(with: impl Fn(&str) -> String) {
        for last in ["code", "state", "iss"] {
            is_found(&with(&ending_with(last)));
        }
    }

    #[test]
    fn what_stands_around_it_is_left_out() {
        for around in [
            "{}",
            "  {}\r\n",
            "{}.",
            "{}.\n",
            "({})",
            "({}).",
            "<{}>",
            "\"{}\"",
            "'{}'",
            "“{}”,",
            "«{}»",
            "*{}*",
            "\u{feff}{}\u{200b}",
            "Here it is: {}",
            "It says {}, what now?",
            "{}\n\nSent from my iPhone",
            "{}\nSent from my iPhone",
            "{}\r\n-- \r\nAnn",
            "{} Thanks, Ann",
            "[{}]({})",
            "<a href=\"{}\">{}</a>",
            "Hi,\nmy browser can't connect. ({})\nRegards",
            "> {}\n> \n> Ann",
            "{}#_=_",
            "| {} |",
            "<{}|{}>",
            "<{}|127.0.0.1:18273>",
            "See <{}|127.0.0.1:18273/callback>!",
            "On Monday you wrote:\n> Open https://biotrack.example/grant?client_id=a&response_type=code&state=s-1_x\n\n{}\n",
        ] {
            each(|address| around.replace("{}", address));
        }
        each(|address| address.replace('&', "&amp;"));
        each(|address| address.replace("http://", ""));
    }

    #[test]
    fn a_mails_source_is_read_as_it_is_meant() {
        each(|address| {
            let encoded = address.replace('=', "=3D");
            let (head, tail) = encoded.split_at(60);
            format!("Content-Transfer-Encoding: quoted-printable\n\n{head}=\n{tail}\n")
        });
        each(|address| {
            format!("<p>See <a href=3D\"{}\">it</a></p>", address.replace('=', "=3D").replace('&', "&amp;"))
        });
    }

    #[test]
    fn a_link_that_a_filter_or_a_search_engine_wrote_leads_to_it() {
        let escaped = |address: &str| form_urlencoded::byte_serialize(address.as_bytes()).collect::<String>();
        each(|address| {
            format!(
                "https://eur01.safelinks.protection.outlook.com/?url={}&data=05%7C02&reserved=0",
                escaped(address)
            )
        });
        each(|address| format!("https://www.google.com/url?q={}&sa=D&source=gmail", escaped(address)));
        each(|address| format!("https://urldefense.com/v3/__{address}__;!!abc!def$"));
        each(|address| {
            let inner = format!("https://www.google.com/url?q={}", escaped(address));
            format!("https://safelinks.protection.outlook.com/?url={}&data=1.", escaped(&inner))
        });
    }

    #[test]
    fn one_that_is_broken_into_lines_is_joined() {
        for width in [20, 40, 60, 76, 90] {
            for (between, before) in [("\n", ""), ("\r\n", ""), ("\n> ", "> "), ("\n>> ", ">> "), ("> ", "")]
            {
                for last in ["state", "iss"] {
                    let address = ending_with(last);
                    let pieces: Vec<_> =
                        address.as_bytes().chunks(width).map(|it| str::from_utf8(it).unwrap()).collect();
                    is_found(&format!("{before}{}", pieces.join(between)));
                    is_found(&format!("{before}{}\n\nSent from my phone", pieces.join(between)));
                }
            }
        }
        is_found(&format!("<{}>", ending_with("code").replace("sand", "sand\n> ")));
    }

    #[test]
    fn where_it_ends_is_not_guessed() {
        let address = ending_with("code");
        for text in [
            address.replace("sandbox", "sand\nbox"),
            format!("<{address}|here>"),
            format!("{address}\nThanks"),
            format!("{address}\n\n{}", address.replace("sandbox", "another")),
        ] {
            assert_eq!(picked(&text).unwrap_err(), UNCLEAR, "{text}");
        }
    }

    #[test]
    fn words_are_never_taken_for_the_end_of_a_code() {
        let address = ending_with("code");
        is_found(&format!("({address} is what it says)"));
        is_found(&format!("<{address} it says>"));
        for shortened in [
            address.replace("sandbox", "san…"),
            address.replace("sandbox", "san..."),
            format!("https://urldefense.com/v3/__{}__;Iw!!abc$", address.replace("sandbox", "*box")),
        ] {
            let picked = picked(&shortened);
            assert!(picked.is_err(), "{shortened}");
        }
    }

    #[test]
    fn what_is_no_answer_says_what_it_is() {
        for (text, why) in [
            ("", "is empty"),
            (" \r\n", "is empty"),
            ("I clicked it", NONE),
            (PLACE, NONE),
            ("javascript:alert(1)?x", NONE),
            ("https://biotrack.example/grant?client_id=a&response_type=code&state=s-1_x", OUR_LINK),
            ("See (https://biotrack.example/grant?response_type=code&client_id=a&state=s-1_x).", OUR_LINK),
        ] {
            assert_eq!(PastedCandidates::of(text).unwrap_err(), why, "{text:?}");
        }
        assert!(PastedCandidates::of(&"x".repeat(MAX_PASTE_BYTES + 1)).is_err());
        // Of another flow: what is wrong with it is said by whoever knows.
        let other = format!("{PLACE}?code=c&state=other.");
        assert_eq!(picked(&other).unwrap().states()[0].expose(), "other");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn whatever_surrounds_it_it_is_found_or_the_text_is_refused(
            before in "(\\PC|\n){0,40}", after in "(\\PC|\n){0,60}", last in prop::sample::select(vec!["state", "iss", "code"])
        ) {
            let address = ending_with(last);
            // A separate word, as a person would paste it.
            let text = format!("{before}\n{address}\n{after}");
            if let Ok(found) = picked(&text)
                && found.states().iter().any(|state| state.expose() == STATE)
                && found.callback.iss.as_deref() == Some("https://biotrack.example")
            {
                prop_assert_eq!(code(&found), CODE, "{:?}", text);
            }
        }

        #[test]
        fn no_text_takes_it_down(text in "(\\PC|[ \n<>=&?%/:.\"'()])*") {
            let _ = picked(&text);
        }
    }
}
