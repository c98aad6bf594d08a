//! Where an address ends that stands in a text. Pure.
//!
//! A provider writes a redirect's query form-encoded (RFC 6749 4.1.2): letters, digits and `*-._` stay as they are, and all else
//! becomes `%` or `+`. Few providers leave more of what RFC 3986 allows in a query, none what it doesn't. So a sign that no query
//! has ends the address, and one that a form has belongs to it. Between the two, a provider that encodes the address of its issuer
//! encodes the rest as well. Of another one, a text that is nothing but the address is taken to the letter, and in any other what
//! a sentence puts behind a word is left out.

/// An address is broken by mail programs into so many pieces at most.
const PIECES: usize = 64;

/// So many ends are tried of an address whose end an open flow can tell.
const TRIED: usize = 16;

/// How far before an address a bracket may open that closes behind it, in bytes.
const BEFORE: usize = 2_000;

/// What a sentence puts directly behind a word.
const OF_A_SENTENCE: [char; 7] = ['.', ',', ';', ':', '!', '?', '\''];

/// One end that an address may have.
#[derive(Debug)]
pub(super) struct AddressEnd {
    pub(super) address: String,
    pub(super) behind: TrailingText,
    pub(super) code: CodeEnd,
    /// The likeliest of those that a piece has.
    pub(super) is_likeliest: bool,
}

/// What stands behind an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrailingText {
    /// Nothing, or words: the address is whole.
    Words,
    /// A piece that may be the rest of a broken address.
    Piece,
}

/// What is known of the code's end. An open flow tells its state and its issuer, and nobody a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeEnd {
    Clear,
    /// It may be longer or shorter.
    Unclear,
    /// Something of it is left out.
    CutShort,
}

/// What stands around an address.
#[derive(Clone, Copy)]
struct Surroundings<'t> {
    before: &'t str,
    /// There is nothing around it.
    is_bare: bool,
}

/// What no address has in it, as a browser shows it.
pub(super) fn is_between(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "<>\"`“”„«»‘’‚".contains(c)
}

/// What no query has in it (RFC 3986 3.4), as it comes from a provider.
pub(super) fn is_outside_queries(c: char) -> bool {
    !c.is_ascii_alphanumeric() && !"-._~%!$&'()*+,;=:@/?".contains(c)
}

/// What form encoding leaves in a value.
fn is_of_a_form(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._*%+~".contains(c)
}

/// What a provider leaves that encodes what has a meaning in an address: four signs are JavaScript's, and with an equals sign
/// Base64 ends, which no sentence puts there.
fn is_left_by_an_encoder(c: char) -> bool {
    is_of_a_form(c) || "!'()=".contains(c)
}

/// Whether a query's colons and slashes are encoded.
fn is_encoded(query: &str) -> bool {
    let query = query.to_ascii_lowercase();
    query.contains("%3a") || query.contains("%2f")
}

/// The address that begins there, up to each of its possible ends, the likeliest first.
pub(super) fn ends_from(text: &str, at: usize) -> Vec<AddressEnd> {
    let (before, from) = text.split_at(at);
    if let Some(framed) = framed(before, from) {
        return framed;
    }
    let mut around = Surroundings { before, is_bare: before.trim().is_empty() };
    let mut ends = Vec::new();
    let (mut whole, mut rest) = (String::new(), from);
    for _ in 0..PIECES {
        let piece = &rest[..length(rest, whole.contains('?'))];
        whole.push_str(piece);
        let behind = &rest[piece.len()..];
        around.is_bare &= behind.trim().is_empty();
        let (next, kind) = what_follows(behind);
        // A piece of another address isn't this one's, and a bracket that closes is no part of any.
        let is_over = next.contains("://") || closes_before_its_end(&whole, before);
        let kind = if is_over { TrailingText::Words } else { kind };
        let is_cut = behind.starts_with('…');
        let its = ends_of(&whole, around, is_cut).into_iter().enumerate();
        ends.extend(its.map(|(place, (address, code))| AddressEnd {
            address,
            behind: kind,
            code,
            is_likeliest: place == 0,
        }));
        if kind == TrailingText::Words {
            break;
        }
        rest = next;
    }
    ends
}

/// How long a piece of an address is. Beyond ASCII there may be something in a host and a path, and nothing in a query.
fn length(from: &str, in_query: bool) -> usize {
    let mut in_query = in_query;
    let end = from.find(|c: char| {
        in_query |= c == '?';
        is_between(c) || in_query && !c.is_ascii()
    });
    end.unwrap_or(from.len())
}

/// The next piece, and whether it may belong to the address.
fn what_follows(behind: &str) -> (&str, TrailingText) {
    // Line breaks, and the signs of a mail that is quoted: `> `, or `| `.
    let mut broken = false;
    let next = behind.trim_start_matches(|c: char| {
        broken |= c == '\n';
        c.is_whitespace() || c == '>' || c == '|' && broken
    });
    let gap = &behind[..behind.len() - next.len()];
    let line = next.lines().next().unwrap_or_default();
    let piece = &line[..line.find(is_between).unwrap_or(line.len())];
    let is_broken = !gap.is_empty() && gap.matches('\n').count() < 2;
    let has_more_words = line[piece.len()..].chars().any(char::is_alphanumeric);
    let goes_on = piece.contains(['&', '=', '%']) || !has_more_words;
    match is_broken && goes_on && piece.is_ascii() && piece.contains(|c: char| c.is_ascii_alphanumeric()) {
        true => (next, TrailingText::Piece),
        false => (next, TrailingText::Words),
    }
}

/// What closes what stands before an address.
fn closing(before: Option<char>) -> Option<char> {
    Some(match before? {
        '<' => '>',
        '"' => '"',
        '“' | '„' => '”',
        '(' => ')',
        '[' => ']',
        // The tags of bulletin boards.
        ']' => '[',
        '{' => '}',
        '\'' => '\'',
        '`' => '`',
        '«' => '»',
        '|' => '|',
        _ => return None,
    })
}

/// The address between two signs that belong together; `None` where it isn't.
fn framed(before: &str, from: &str) -> Option<Vec<AddressEnd>> {
    let open = before.chars().next_back();
    let close = closing(open)?;
    let inside = enclosed(from, open?, close)?;
    let end = |address: &str, behind| AddressEnd {
        address: address.to_owned(),
        behind,
        code: CodeEnd::Clear,
        is_likeliest: true,
    };
    if let Some((address, shown)) = inside.split_once('|').filter(|_| close == '>') {
        // Slack's form: what is shown of the address stands behind it. Where that may be the end of a code, nobody can tell.
        return Some(match is_shown_of(shown, address) {
            true => vec![end(address, TrailingText::Words)],
            false => vec![end(address, TrailingText::Piece), end(&inside, TrailingText::Words)],
        });
    }
    let (_, query) = inside.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    // Brackets stand around words, and a quotation is to the letter.
    let is_quoted = !"([]{|".contains(open?);
    let last = query.rsplit(['=', '&']).next().unwrap_or_default();
    if query.contains(is_outside_queries)
        || query.contains("...")
        || !is_quoted && !last.chars().all(is_of_a_form)
    {
        return None;
    }
    // A sentence's full stop stands inside of quotation marks, and never inside of angle brackets or an attribute.
    let is_exact = close == '>' || before.trim_end_matches(['"', '\'']).ends_with('=');
    let whole = if is_exact { &inside } else { inside.trim_end_matches(OF_A_SENTENCE) };
    Some(vec![end(whole, TrailingText::Words)])
}

/// All of a line, or of several between angle brackets, up to a closing sign; the signs of a quoted mail and the line breaks left out. `None` where there
/// are words in between.
fn enclosed(from: &str, open: char, close: char) -> Option<String> {
    let mut inside = String::new();
    let (mut begins_line, mut depth) = (false, 0_usize);
    for c in from.chars() {
        match c {
            '>' if begins_line => {}
            c if c == close && depth == 0 => return Some(inside),
            // Angle brackets alone are put around an address that may be broken (RFC 3986 C).
            '\n' if close != '>' => return None,
            '\n' => begins_line = true,
            '\r' => {}
            c if c.is_whitespace() && begins_line => {}
            c if is_between(c) => return None,
            c => {
                match c {
                    c if c == close => depth -= 1,
                    c if c == open => depth += 1,
                    _ => {}
                }
                begins_line = false;
                inside.push(c);
            }
        }
    }
    None
}

/// Whether a text is how an address is shown: all of it, or its beginning, with or without its scheme.
fn is_shown_of(shown: &str, address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, host)| host);
    shown.contains("://") || (!shown.is_empty() && host.starts_with(shown.trim_end_matches(['.', '…'])))
}

/// Each end within a piece.
fn ends_of(whole: &str, around: Surroundings<'_>, is_cut: bool) -> Vec<(String, CodeEnd)> {
    let whole = &whole[..whole.find('#').unwrap_or(whole.len())];
    // urldefense.com's third form puts the address between these, and what it has replaced behind it.
    if (around.before.ends_with("__") || whole.contains("/__http"))
        && let Some((address, replaced)) = whole.split_once("__;")
    {
        let is_whole = replaced.is_empty() || replaced.starts_with("!!");
        return if is_whole { vec![(address.to_owned(), CodeEnd::Clear)] } else { Vec::new() };
    }
    let Some(query_at) = whole.find('?') else { return Vec::new() };
    let mut at = query_at + 1;
    let (mut code_at, mut last_at, mut is_followed) = (None, at, false);
    for pair in whole[at..].split('&') {
        match pair.split_once('=') {
            Some(("code", _)) => code_at = Some(at + "code=".len()),
            Some(("state" | "iss", _)) => is_followed = code_at.is_some(),
            _ => {}
        }
        last_at = at;
        at += pair.len() + 1;
    }
    // Escapes before the value that may end it mean something else, which is another reading of the text. One in it may be its end.
    let before_the_end = code_at.filter(|_| !is_followed).unwrap_or(last_at);
    if has_backslashes(&whole[query_at..before_the_end]) {
        return Vec::new();
    }
    let Some(code_at) = code_at else { return tried_ends(whole, last_at, CodeEnd::Clear) };
    let code = whole[code_at..].split('&').next().unwrap_or_default();
    if code.contains("://") {
        // Another address begins in it.
        return Vec::new();
    }
    if is_followed {
        // What stands behind the code is the flow's, so it ends before that.
        let end = if code.contains("...") { CodeEnd::CutShort } else { CodeEnd::Clear };
        return tried_ends(whole, last_at, end);
    }
    let is_last = code_at + code.len() == whole.len();
    if code.contains("...") || is_last && is_cut {
        return vec![(whole.to_owned(), CodeEnd::CutShort)];
    }
    if !is_last && (around.is_bare || code.chars().all(is_of_a_form)) {
        return vec![(whole.to_owned(), CodeEnd::Clear)];
    }
    let upto = |length: usize| whole[..code_at + length].to_owned();
    match code_length(code, around, is_encoded(&whole[query_at..])) {
        (length, true) => vec![(upto(length), CodeEnd::Clear)],
        (length, false) => vec![(upto(length), CodeEnd::Unclear), (upto(code.len()), CodeEnd::Unclear)],
    }
}

/// Whether a text has an escape of JSON or Markdown in it.
fn has_backslashes(text: &str) -> bool {
    let behind = |at: usize| text[at + 1..].chars().next();
    text.match_indices('\\')
        .any(|(at, _)| behind(at).is_some_and(|c| c.is_ascii_punctuation() || "nrtu".contains(c)))
}

/// The ends of an address in which not the code comes last: an open flow tells which is right.
fn tried_ends(whole: &str, last_at: usize, code: CodeEnd) -> Vec<(String, CodeEnd)> {
    let last = &whole[last_at..];
    let likeliest = last.trim_end_matches(OF_A_SENTENCE).len();
    let signs = last.char_indices().filter(|(_, c)| !c.is_ascii_alphanumeric() && *c != '%');
    let lengths = [likeliest, last.len()].into_iter().chain(signs.map(|(at, _)| at));
    lengths.take(TRIED).map(|length| (whole[..last_at + length].to_owned(), code)).collect()
}

/// How long a code is that comes last, and whether that is clear.
fn code_length(code: &str, around: Surroundings<'_>, is_encoded: bool) -> (usize, bool) {
    let closed = closes(code, around.before);
    let (code, is_bare) = (&code[..closed.unwrap_or(code.len())], around.is_bare && closed.is_none());
    let is_left = |c: char| if is_encoded { is_left_by_an_encoder(c) } else { !is_outside_queries(c) };
    let allowed = &code[..code.find(|c| !is_left(c)).unwrap_or(code.len())];
    let is_literal = is_bare && allowed.len() == code.len();
    if is_literal && !is_encoded {
        let ends_sentence = code.ends_with('.') && !code.ends_with("..");
        return (code.len() - usize::from(ends_sentence), true);
    }
    let (length, is_marked) = stripped(allowed, around.before);
    if is_literal {
        return (length, true);
    }
    let behind = &code[allowed.len()..];
    let goes_on = !is_encoded && behind.contains(|c: char| c.is_ascii_alphanumeric());
    if goes_on || behind.starts_with('\\') && behind.len() > 1 {
        return (length, false);
    }
    let rest = &allowed[..length];
    let odd = rest.trim_end_matches('=').find(|c| !is_of_a_form(c));
    let closed_early = markup(around.before).filter(|_| !is_marked).and_then(|(mark, _)| rest.find(mark));
    match odd.or(closed_early).or_else(|| rest.ends_with('*').then(|| rest.trim_end_matches('*').len())) {
        Some(at) => (at, false),
        None => (length, true),
    }
}

/// Where a bracket closes that was opened before the address began.
fn closes(value: &str, before: &str) -> Option<usize> {
    let from = before.len().saturating_sub(BEFORE);
    let from = (from..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(before.len());
    let near = &before[from..];
    [('(', ')'), ('[', ']'), ('{', '}')]
        .into_iter()
        .filter(|(open, close)| near.matches(*open).count() > near.matches(*close).count())
        .filter_map(|(open, close)| {
            let mut depth = 0_usize;
            value.char_indices().find_map(|(at, c)| {
                if c == close && depth == 0 {
                    return Some(at);
                }
                depth = if c == open { depth + 1 } else { depth - usize::from(c == close) };
                None
            })
        })
        .min()
}

/// Whether the last value of an address has a sign in it that ends the address for certain.
fn closes_before_its_end(whole: &str, before: &str) -> bool {
    let last = whole.rsplit(['&', '?']).next().unwrap_or_default();
    last.contains(is_outside_queries) || closes(last, before).is_some()
}

/// The sign of emphasis directly before an address, and how many there are of it.
fn markup(before: &str) -> Option<(char, usize)> {
    let mark = before.chars().next_back().filter(|c| "*_~".contains(*c))?;
    Some((mark, before.len() - before.trim_end_matches(mark).len()))
}

/// How long a value is without what a sentence puts behind it, and whether emphasis ended there, too.
fn stripped(value: &str, before: &str) -> (usize, bool) {
    let (mut rest, mut is_marked) = (value, false);
    let mut marks = markup(before);
    while let Some(last) = rest.chars().next_back() {
        match &mut marks {
            Some((mark, count)) if *mark == last && *count > 0 => {
                *count -= 1;
                is_marked = true;
            }
            _ if OF_A_SENTENCE.contains(&last) => {}
            _ if last == ')' && rest.matches('(').count() < rest.matches(')').count() => {}
            _ => break,
        }
        rest = &rest[..rest.len() - last.len_utf8()];
    }
    (rest.len(), is_marked)
}
