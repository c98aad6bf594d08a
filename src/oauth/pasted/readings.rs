//! What a pasted text says where it is the source of a mail or a page, or a program's data: each encoding undone. Pure.

use super::ends::{is_between, is_outside_queries};
use crate::error::is_unprintable;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use url::{Url, form_urlencoded};

/// Encodings inside of encodings: `&amp;amp;`, and an address that was percent-encoded twice.
const DEEPEST: usize = 3;

/// A part of a mail in Base64 is longer than this, and a word is shorter.
const SHORTEST_PART: usize = 40;

/// The end of an address, for certain: what a removed control character leaves behind.
const END: &str = "\u{fffd}";

/// The text without what steers a terminal, and without what has no width: browsers and mail programs put that inside of
/// addresses.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        rest = match (c, behind.as_bytes().first()) {
            ('\x1b', Some(b'[')) => control_sequence(&behind[1..], &mut shown),
            ('\x1b', Some(b']')) => system_command(&behind[1..], &mut shown),
            // UTF-16 has one beside each letter.
            ('\0', _) => behind,
            _ if c.is_control() && !c.is_whitespace() => {
                shown.push_str(END);
                behind
            }
            _ => {
                shown.extend((c.is_whitespace() || !is_unprintable(c)).then_some(c));
                behind
            }
        };
    }
    shown
}

/// A color or a movement leaves nothing behind; the mark around a paste ends what stands before it.
fn control_sequence<'t>(sequence: &'t str, shown: &mut String) -> &'t str {
    // Parameters, and one letter; what is broken off leaves the rest of the text as it is.
    let parameters = sequence.find(|c| !(' '..='?').contains(&c)).unwrap_or(sequence.len());
    let last = sequence[parameters..].starts_with(|c| ('@'..='~').contains(&c));
    let (sequence, behind) = sequence.split_at(parameters + usize::from(last));
    if matches!(sequence, "200~" | "201~") {
        shown.push_str("\n\n");
    }
    behind
}

/// A link's address stands in the command that makes it one; all else in such a command is a title, or a color.
fn system_command<'t>(command: &'t str, shown: &mut String) -> &'t str {
    let (command, behind) = match command.find(['\x07', '\x1b']) {
        Some(end) => (&command[..end], command[end + 1..].strip_prefix('\\').unwrap_or(&command[end + 1..])),
        None => (command, ""),
    };
    shown.push_str(END);
    if let Some(link) = command.strip_prefix("8;").and_then(|link| link.split_once(';')) {
        shown.push_str(link.1);
        shown.push_str(END);
    }
    behind
}

/// The text as it is, and as each encoding means it in which it may be, one inside of another.
pub(super) fn readings(text: &str) -> Vec<String> {
    let mut readings = vec![text.to_owned()];
    for part in base64_parts(text) {
        add(&mut readings, part);
    }
    for undone in [quoted_printable, html, backslashes, percent] {
        for at in 0..readings.len() {
            let reading = undone(&readings[at]);
            add(&mut readings, reading);
        }
    }
    readings
}

fn add(readings: &mut Vec<String>, reading: String) {
    if !readings.contains(&reading) {
        readings.push(reading);
    }
}

/// Undone until nothing of it is left.
fn repeatedly(text: &str, undo: impl Fn(&str) -> String) -> String {
    let mut undone = text.to_owned();
    for _ in 0..DEEPEST {
        let next = undo(&undone);
        if next == undone {
            break;
        }
        undone = next;
    }
    undone
}

/// HTML's way of writing what an address has.
fn html(text: &str) -> String {
    repeatedly(text, |text| {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            plain.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            // The longest name that is known has six letters.
            let end = behind.bytes().take(9).position(|byte| byte == b';');
            match end.and_then(|end| Some((end, entity(behind.get(..end)?)?))) {
                Some((end, c)) => {
                    plain.push(c);
                    rest = &behind[end + 1..];
                }
                None => {
                    plain.push('&');
                    rest = behind;
                }
            }
        }
        plain + rest
    })
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        };
        return char::from_u32(code?).filter(|c| !is_unprintable(*c));
    }
    Some(match name {
        "amp" => '&',
        "equals" => '=',
        "quest" => '?',
        "colon" => ':',
        "sol" => '/',
        "period" => '.',
        "lowbar" => '_',
        "percnt" => '%',
        "quot" => '"',
        "apos" => '\'',
        "lt" => '<',
        "gt" => '>',
        "nbsp" => '\u{a0}',
        _ => return None,
    })
}

/// JSON's escapes, and Markdown's, which are a sign behind a backslash.
fn backslashes(text: &str) -> String {
    repeatedly(text, |text| {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            plain.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            let (c, length) = match behind.chars().next() {
                Some('u') => match behind.get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
                    Some(code) => (char::from_u32(code).filter(|c| !is_unprintable(*c)), 5),
                    None => (Some('\\'), 0),
                },
                Some('n' | 'r') => (Some('\n'), 1),
                Some('t') => (Some('\t'), 1),
                Some(c) if c.is_ascii_punctuation() => (Some(c), 1),
                _ => (Some('\\'), 0),
            };
            plain.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            rest = &behind[length..];
        }
        plain + rest
    })
}

/// A mail's transfer encoding (RFC 2045 6.7): soft line breaks, and bytes as `=3D`. Each word is for itself, because a mail has
/// headers and boundaries that aren't encoded, and whatever charset. In a word that is, every `=` is one.
fn quoted_printable(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        match line.trim_end().strip_suffix('=').filter(|_| lines.peek().is_some()) {
            Some(begun) => joined.push_str(begun),
            None => joined.push_str(line),
        }
    }
    let words = joined.split_inclusive(char::is_whitespace);
    words.map(|word| decoded_word(word).unwrap_or_else(|| word.to_owned())).collect()
}

fn decoded_word(word: &str) -> Option<String> {
    let mut pieces = word.split('=');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What mail parts in Base64 say (RFC 2045 6.8).
fn base64_parts(text: &str) -> Vec<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let mut parts = Vec::new();
    let mut part = String::new();
    for line in text.lines().chain([""]) {
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == '>');
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        if !line.is_empty() && line.bytes().all(is_part) {
            part.push_str(line);
            continue;
        }
        if part.len() >= SHORTEST_PART
            && let Ok(bytes) = LENIENT.decode(part.trim_end_matches('='))
        {
            parts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        part.clear();
    }
    parts
}

/// A whole address that is percent-encoded, as the value of some link is: then its scheme is, too.
fn percent(text: &str) -> String {
    text.split_inclusive(is_between)
        .map(|word| {
            if word.contains(['?', '&']) || word.contains("://") || !word.contains('%') {
                return word.to_owned();
            }
            let mut decoded = word.to_owned();
            for _ in 0..DEEPEST {
                decoded = without_percent(&decoded);
                if decoded.contains("://") {
                    return decoded;
                }
            }
            word.to_owned()
        })
        .collect()
}

/// Percent-encoding undone, where a plus sign stays one.
fn without_percent(text: &str) -> String {
    let plus = text.replace('+', "%2B");
    form_urlencoded::parse(plus.replace('=', "%3D").as_bytes())
        .next()
        .map_or_else(String::new, |(decoded, _)| decoded.into_owned())
}

/// An address each of whose values was percent-encoded twice: the issuer, which is an address itself, shows that.
pub(super) fn once_encoded(url: Url) -> Url {
    let is_twice = url.query_pairs().any(|(name, value)| {
        let value = value.to_ascii_lowercase();
        name == "iss" && (value.starts_with("http%3a") || value.starts_with("https%3a"))
    });
    let query = url.query().filter(|_| is_twice).map(|query| query.replace("%25", "%"));
    let mut once = url;
    if let Some(query) = query {
        once.set_query(Some(&query));
    }
    once
}

/// Whether an address is still in a mail's transfer encoding: each of its values begins with an equals sign's.
pub(super) fn is_quoted_printable(url: &Url) -> bool {
    let mut values = url.query_pairs().filter(|(_, value)| !value.is_empty()).peekable();
    values.peek().is_some() && values.all(|(_, value)| value.trim_start_matches('=').starts_with("3D"))
}

/// The links inside of a link: a mail filter's, or a search engine's.
pub(super) fn links_inside(link: &str) -> Vec<String> {
    let Some((_, query)) = link.split_once('?') else { return Vec::new() };
    let mut inside = Vec::new();
    for pair in query.split('&') {
        let pair = &pair[..pair.find(is_outside_queries).unwrap_or(pair.len())];
        let pair = pair.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', ')']);
        for (_, value) in form_urlencoded::parse(pair.as_bytes()) {
            if value.contains("://") {
                inside.push(value.into_owned());
            } else if value.contains("-3A__") {
                // Proofpoint's second form.
                inside.push(without_percent(&value.replace('-', "%").replace('_', "/")));
            }
        }
    }
    inside
}
