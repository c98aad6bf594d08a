//! Texts that somebody may have got wrong: what can't be right is refused, what deserves a second look is told.

use crate::error::excerpt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OddText {
    /// It can't be right: what is wrong with it, as a sentence without its subject.
    Wrong(String),
    /// It may be right.
    Unusual(&'static str),
}

/// What is odd about what stands in a record's column, be it a file's cell or typed.
pub fn suspicious_text(column: &str, text: &str) -> Option<OddText> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let shown = || excerpt(text, 60);
    if is_spreadsheet_error(text) {
        return Some(OddText::Wrong(format!("is a spreadsheet error: {}. Fix the formula", shown())));
    }
    match column {
        "ubi" | "license" | "ocm_license" if is_scientific(text) => Some(OddText::Wrong(format!(
            "was changed to a number by a spreadsheet: {}. Set the column's format to Text, and enter the value again",
            shown()
        ))),
        "ubi" | "license" | "ocm_license" => odd_shape(text).map(OddText::Unusual),
        "username" | "contact" => match address(text) {
            Address::One => None,
            Address::NoDot => Some(OddText::Unusual("has no dot after the @")),
            Address::None => Some(OddText::Unusual("isn't an e-mail address")),
            Address::Broken(why) => {
                Some(OddText::Wrong(format!("{why}: {}. Enter one e-mail address only", shown())))
            }
        },
        _ => None,
    }
}

/// Whether a mail can be sent there: one address, and nothing that makes two of it, or another.
pub fn is_mailbox(text: &str) -> bool {
    matches!(address(text.trim()), Address::One | Address::NoDot)
}

/// What Excel and LibreOffice write where a formula fails, or where the column was too narrow.
fn is_spreadsheet_error(text: &str) -> bool {
    const ERRORS: [&str; 13] = [
        "#REF!",
        "#N/A",
        "#VALUE!",
        "#NAME?",
        "#NULL!",
        "#NUM!",
        "#DIV/0!",
        "#SPILL!",
        "#CALC!",
        "#FIELD!",
        "#BLOCKED!",
        "#GETTING_DATA",
        "#UNKNOWN!",
    ];
    let upper = text.to_uppercase();
    ERRORS.contains(&upper.as_str())
        || text.bytes().all(|byte| byte == b'#')
        || upper.strip_prefix("ERR:").is_some_and(|number| number.parse::<u16>().is_ok())
}

/// `6.04E+08`, `6,04E+08`.
fn is_scientific(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let signed = power.strip_prefix(['+', '-']).is_some_and(digits);
    let number = number.strip_prefix('-').unwrap_or(number);
    signed && number.split(['.', ',']).count() <= 2 && number.split(['.', ',']).all(digits)
}

/// Whether a license or UBI has a shape that deserves a second look (no public source gives its shape: so none is refused).
fn odd_shape(text: &str) -> Option<&'static str> {
    let is_dash =
        |c: char| matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}');
    let decimals = text.rsplit_once(['.', ',']).is_some_and(|(number, rest)| {
        let all = |text: &str, like: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(like);
        all(number, u8::is_ascii_digit) && all(rest, |byte| *byte == b'0')
    });
    if text.chars().any(char::is_whitespace) {
        Some("contains a space")
    } else if text.chars().any(is_dash) {
        Some("contains a dash that isn't a hyphen (-)")
    } else if !text.is_ascii() {
        Some("contains letters other than A–Z")
    } else if decimals {
        Some("ends like a decimal number")
    } else {
        None
    }
}

enum Address {
    One,
    NoDot,
    /// It has no `@`: an account may be called so.
    None,
    Broken(&'static str),
}

fn address(text: &str) -> Address {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return match text.contains(['<', '>', ',', ';']) {
            true => Address::Broken("isn't an e-mail address"),
            false => Address::None,
        };
    };
    let why = if text.contains(['<', '>', '"', '(', ')']) {
        "contains more than one address"
    } else if text.contains([',', ';']) {
        "contains a comma or semicolon"
    } else if text.contains(char::is_whitespace) {
        "contains a space"
    } else if local.is_empty() || domain.is_empty() || local.contains(['@', '[', ']', '\\', ':']) {
        "isn't an e-mail address"
    } else if [local, domain]
        .iter()
        .any(|part| part.starts_with('.') || part.ends_with('.') || part.contains(".."))
    {
        "has a dot in a place where an e-mail address can't have one"
    } else if !domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-')) {
        "isn't an e-mail address"
    } else {
        return if domain.contains('.') { Address::One } else { Address::NoDot };
    };
    Address::Broken(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_right_is_told_from_what_may_be() {
        let wrong = |column, text| matches!(suspicious_text(column, text), Some(OddText::Wrong(_)));
        for (column, text) in [
            ("ubi", "6.04E+08"),
            ("ubi", "6,04e+08"),
            ("license", "1E+05"),
            ("license", "#REF!"),
            ("name", "#n/a"),
            ("ubi", "########"),
            ("ocm_license", "Err:502"),
            ("username", "liu@queens,example"),
            ("username", "Ray <ray@store.example>"),
            ("contact", "a@x.example; b@x.example"),
            ("contact", "Ray, Ann"),
            ("username", "ray@"),
            ("username", "@store.example"),
            ("username", "a@b@c.example"),
            ("username", "ray@store..example"),
            ("username", "ray @store.example"),
        ] {
            assert!(wrong(column, text), "{column}: {text}");
        }
        for (column, text, why) in [
            ("ubi", "604 001 234", "contains a space"),
            ("license", "101–X0001–D1", "contains a dash that isn't a hyphen (-)"),
            ("license", "L-é5", "contains letters other than A–Z"),
            ("ubi", "604001234.0", "ends like a decimal number"),
            ("username", "ray", "isn't an e-mail address"),
            ("contact", "555-0100", "isn't an e-mail address"),
            ("contact", "ray@intranet", "has no dot after the @"),
        ] {
            assert_eq!(suspicious_text(column, text), Some(OddText::Unusual(why)), "{column}: {text}");
        }
        for (column, text) in [
            ("ubi", "604001234"),
            ("license", "101-X0007-D1"),
            ("license", "12E5"),
            ("username", "o'neil+biotrack@store-9.example"),
            ("contact", "liu@café.example"),
            ("name", "Ray's, 2nd <Mill>"),
            ("ubi", ""),
        ] {
            assert_eq!(suspicious_text(column, text), None, "{column}: {text}");
        }
    }

    #[test]
    fn a_mailbox_is_one_and_nothing_else() {
        for (text, is) in [
            ("ray@store.example", true),
            ("ray@intranet", true),
            ("liu@queens,example", false),
            ("Ray", false),
        ] {
            assert_eq!(is_mailbox(text), is, "{text}");
        }
    }
}
