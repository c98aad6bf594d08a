//! The redirect address in whatever a person sent back: a bare address, a sentence, a whole mail, a link that a mail filter has
//! rewritten. Pure. Which of the addresses it is, only the flows that are open can tell; where one ends, often only they.

mod ends;
mod readings;

use super::returned::ReturnedAddress;
use ends::{AddressEnd, CodeEnd, TrailingText, ends_from, is_between};
use readings::{is_quoted_printable, links_inside, once_encoded, readings, shown};
use url::Url;

/// The most that is read of a paste, in bytes: a whole mail with what it quotes.
pub const MAX_PASTE_BYTES: usize = 256 * 1024;

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
    ends: Vec<(ReturnedAddress, TrailingText, CodeEnd)>,
}

/// What an address comes to that fits an open flow.
struct FittingAddress {
    /// With the likeliest end.
    returned: ReturnedAddress,
    /// Every code that it may have; without one, the refusal.
    codes: Vec<Option<String>>,
    code: CodeEnd,
}

/// What keeps the address from being told.
const NONE: &str = "contains no redirect address";
const UNCLEAR: &str =
    "has words after the address that may belong to it: paste only the address, on one line";
const CUT_SHORT: &str = "has only a part of the address: paste the whole address";
const OUR_LINK: &str = "is the link that the admin opens. Paste the address that the browser shows after Grant Access was clicked";

impl PastedCandidates {
    /// Finds every address. Why there is none, in words that follow "what was pasted".
    pub fn of(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_PASTE_BYTES {
            return Err("is too long: paste only the address");
        }
        let shown = shown(text);
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
    /// said of it what is wrong. Of an address that is there twice, one clear end is enough.
    ///
    /// # Errors
    /// The inner one: why it can't be told, in words that follow "what was pasted".
    pub fn pick<E>(
        &self,
        mut fits: impl FnMut(&ReturnedAddress) -> Result<bool, E>,
    ) -> Result<Result<ReturnedAddress, &'static str>, E> {
        let (mut clear, mut unclear) = (None::<FittingAddress>, Vec::new());
        for address in &self.addresses {
            let Some(found) = address.fitting(&mut fits)? else { continue };
            match (found.code, &clear) {
                (CodeEnd::Clear, Some(other)) if found.codes != other.codes => return Ok(Err(UNCLEAR)),
                (CodeEnd::Clear, Some(_)) => {}
                (CodeEnd::Clear, None) => clear = Some(found),
                _ => unclear.push(found),
            }
        }
        let agrees = |it: &FittingAddress| match &clear {
            Some(clear) => it.codes.contains(&clear.codes[0]) || it.code == CodeEnd::CutShort,
            None => false,
        };
        if let Some(other) = unclear.iter().find(|it| !agrees(it)) {
            return Ok(Err(if other.code == CodeEnd::CutShort { CUT_SHORT } else { UNCLEAR }));
        }
        let likeliest = self.addresses.first().and_then(|address| address.ends.first());
        let picked = clear.map(|it| it.returned).or_else(|| likeliest.map(|(returned, ..)| returned.clone()));
        Ok(picked.ok_or(if self.has_our_link { OUR_LINK } else { NONE }))
    }

    fn look(&mut self, text: &str, depth: usize) {
        for at in beginnings(text) {
            if self.addresses.len() >= ADDRESSES {
                return;
            }
            let mut ends = Vec::new();
            for AddressEnd { address, behind, code, is_likeliest } in ends_from(text, at) {
                if depth < DEEPEST && is_likeliest {
                    links_inside(&address).iter().for_each(|inside| self.look(inside, depth + 1));
                }
                for url in urls(&address).into_iter().filter(|url| !is_quoted_printable(url)) {
                    if is_our_link(&url) {
                        self.has_our_link = true;
                    } else if let Ok(returned) = ReturnedAddress::of(once_encoded(url))
                        && returned.is_answer()
                    {
                        ends.push((returned, behind, code));
                    }
                }
            }
            if !ends.is_empty() {
                self.addresses.push(AddressSpan { ends });
            }
        }
    }
}

impl AddressSpan {
    /// What it comes to; `None` where it fits nowhere. A code has no length that is known: where it comes last and may go on,
    /// nobody can tell, and a spoiled one isn't sent.
    fn fitting<E>(
        &self,
        fits: &mut impl FnMut(&ReturnedAddress) -> Result<bool, E>,
    ) -> Result<Option<FittingAddress>, E> {
        let mut found = None::<FittingAddress>;
        for (returned, behind, code) in &self.ends {
            if !fits(returned)? {
                continue;
            }
            let found = found.get_or_insert_with(|| FittingAddress {
                returned: returned.clone(),
                codes: Vec::new(),
                code: *code,
            });
            let its = returned.callback.code().map(|code| code.expose().to_owned());
            if !found.codes.contains(&its) {
                found.codes.push(its);
            }
            if *behind == TrailingText::Words && *code == CodeEnd::Clear {
                break;
            }
        }
        if let Some(found) = found.as_mut().filter(|it| it.code == CodeEnd::Clear && it.codes.len() > 1) {
            found.code = CodeEnd::Unclear;
        }
        Ok(found)
    }
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
            found.push(at + word.find(char::is_alphanumeric).unwrap_or_default());
        }
        at += word.len() + text[at + word.len()..].chars().next().map_or(0, char::len_utf8);
    }
    found.sort_unstable();
    found.dedup();
    found
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::is_unprintable;
    use crate::oauth::callback::AuthorizationResponse;
    use base64::Engine;
    use proptest::prelude::*;
    use std::convert::Infallible;
    use url::form_urlencoded;

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
    fn what_is_glued_to_it_is_left_out() {
        for around in [
            "{{}}",
            "\\url{{}}",
            "{}\\",
            "see {}}, ok",
            "{}`",
            "{}^",
            "{}—Ann",
            "{}。谢谢",
            "（{}）",
            "{}👍",
            "{}€.",
            "[url]{}[/url]",
            "[url={}]it[/url]",
            "(see {}).\nRegards",
            "(see {})Ann",
            "_{}_",
            "_{}_.",
            "*{}*, and so on",
            "**{}**",
            "~~{}~~!",
            "|{}|Ann|",
            "{}&Ann",
            "{}#Ann",
            "\u{1b}[200~{}\u{1b}[201~\n",
            "\u{1b}[200~{}\u{1b}[201~Ann",
            "\u{1b}]8;;{}\u{1b}\\link\u{1b}]8;;\u{1b}\\\n",
            "\u{1b}]8;id=1;{}\u{7}link\u{1b}]8;;\u{7}\n",
            "\u{1b}[31m{}\u{1b}[0m\n",
            "\u{1b}[2\n{}\n",
            "http://127.0.0.1:18273/callback?code=c{}",
            "{}\u{16}\n",
            "{\"text\": \"{}\"}",
        ] {
            each(|address| around.replace("{}", address));
        }
    }

    /// The same of a provider that encodes nothing.
    fn of_a_lax_provider(address: &str) -> String {
        address.replace("%3A%2F%2F", "://")
    }

    #[test]
    fn where_two_codes_are_possible_none_is_sent() {
        let address = ending_with("code");
        for around in
            ["see {}*", "see {})Ann", "see {}!Ann", "_{}_Ann", "{\"text\": \"{}\\nAnn\"}", "\"{}\nAnn\""]
        {
            let picked = picked(&around.replace("{}", &address));
            assert_eq!(picked.map(|found| code(&found).to_owned()), Err(UNCLEAR), "{around}");
        }
        for around in [
            "see {}/",
            "see {}/Ann",
            "{}/",
            "{};",
            "see {},Ann",
            "see {};Ann",
            "see {}$ now",
            "see {}[Ann]",
            "{}|Ann",
            "{}\\ Ann, a clerk",
        ] {
            is_found(&around.replace("{}", &address));
        }
        for around in [
            "see {}/",
            "see {}/Ann",
            "see {}*",
            "see {}[Ann]",
            "see {})Ann",
            "see {},Ann",
            "see {};Ann",
            "see {}$ now",
            "{}\\nAnn",
            "{}|Ann",
            "_{}_Ann",
        ] {
            let text = around.replace("{}", &of_a_lax_provider(&address));
            assert_eq!(picked(&text).unwrap_err(), UNCLEAR, "{text}");
        }
        for around in ["{}...", "{}…", "({}...)", "{}…&x=1"] {
            assert_eq!(picked(&around.replace("{}", &address)).unwrap_err(), CUT_SHORT, "{around}");
        }
        assert_eq!(picked(&ending_with("state").replace("sandbox", "san...")).unwrap_err(), CUT_SHORT);
        // One clear end is enough.
        is_found(&format!("{address}*\n\n<{address}>"));
        is_found(&format!("{}...\n\n<{address}>", &address[..address.len() - 3]));
    }

    #[test]
    fn an_open_flow_tells_where_its_state_and_its_issuer_end() {
        for last in ["state", "iss"] {
            let address = ending_with(last);
            for behind in [
                "/", "/Ann", "*", "[Ann]", ")Ann", ",Ann", "$", "\\nAnn", "|Ann", "...", "…", "_", "-Ann",
                "\nAnn",
            ] {
                is_found(&format!("{address}{behind}"));
                is_found(&format!("see {address}{behind}"));
            }
        }
        let raw = ending_with("iss").replace("https%3A%2F%2F", "https://");
        is_found(&format!("see {raw}/."));
    }

    #[test]
    fn an_address_that_stands_alone_is_taken_to_the_letter() {
        for end in [
            "*", "!", "'", ";", ":", ",", "?", ")", "/", "-", "_", "~", "=", "==", "..", "$$", "@", "(a)",
            "/x", "a,b",
        ] {
            let of = |around: &str| {
                let address = of_a_lax_provider(&ending_with("code"));
                let text = around.replace("{}", &format!("{address}{end}"));
                picked(&text)
                    .map(|found| code(&found).to_owned())
                    .unwrap_or_else(|why| panic!("{text:?} {why}"))
            };
            assert_eq!(of(" {}\r\n"), format!("{CODE}{end}"));
            assert_eq!(of("<{}>"), format!("{CODE}{end}"));
        }
        for end in ["-", "_", "~", "=", "=="] {
            let text = format!("It says {}{end}, what now?", ending_with("code"));
            assert_eq!(code(&picked(&text).unwrap()), format!("{CODE}{end}"));
        }
        for hex in ["3Dab", "41b", "%2541", "%2526x", "%3D"] {
            let text = ending_with("code").replace(CODE, hex);
            let meant = form_urlencoded::parse(hex.as_bytes()).next().unwrap().0.into_owned();
            assert_eq!(code(&picked(&text).unwrap()), meant, "{text}");
        }
    }

    #[test]
    fn an_encoding_is_undone_wherever_it_is_and_whatever_stands_beside_it() {
        let quoted = |address: &str| address.replace('=', "=3D");
        each(|address| format!("Ren=E9 here: {}\n", quoted(address)));
        each(|address| format!("I don=92t know, it says\n{}\n", quoted(address)));
        each(|address| {
            format!(
                "From: =?iso-8859-1?Q?J=F6rg?= <j@x>\nContent-Transfer-Encoding: quoted-printable\n\n{}\n",
                quoted(address)
            )
        });
        each(|address| format!("DKIM-Signature: bh=abc=; b=Zm9v==\n\n{}\n", quoted(address)));
        each(|address| format!("boundary=cafe01\n\n--cafe01\n\n{}\n\n--cafe01--\n", quoted(address)));
        each(|address| format!("boundary=\"=_ab12\"\n\n--=_ab12\n\n{}\n\n--=_ab12--\n", quoted(address)));
        each(|address| address.replace('&', "&amp;amp;"));
        each(|address| address.replace('&', "&#x26;").replace('=', "&#x3d;"));
        each(|address| address.replace('&', "&#38;").replace('=', "&equals;"));
        each(|address| {
            format!("{{\"url\": \"{}\"}}", address.replace('&', "\\u0026").replace('=', "\\u003d"))
        });
        each(|address| format!("{{\"url\": \"{}\"}}", address.replace('/', "\\/")));
        each(|address| address.replace('_', "\\_").replace('&', "\\&"));
        each(|address| address.replace('-', "\\-"));
        for last in ["state", "iss"] {
            is_found(&ending_with(last).replace("c1-", "c1\\-"));
        }
        let escaped = ending_with("code").replace("c1-", "c1\\-");
        assert_eq!(picked(&escaped).map(|_| ()), Err(UNCLEAR), "its end, or an escape");
        each(|address| form_urlencoded::byte_serialize(address.as_bytes()).collect());
        each(|address| {
            let once: String = form_urlencoded::byte_serialize(address.as_bytes()).collect();
            format!("see {}.", form_urlencoded::byte_serialize(once.as_bytes()).collect::<String>())
        });
        each(|address| address.replace('%', "%25"));
        for line in [76, 60] {
            each(|address| {
                let encoded =
                    base64::engine::general_purpose::STANDARD.encode(format!("Grüße:\n\n{address}\n\nAnn\n"));
                let lines: Vec<_> =
                    encoded.as_bytes().chunks(line).map(|it| str::from_utf8(it).unwrap()).collect();
                format!("Content-Transfer-Encoding: base64\n\n{}\n\n--b--\n", lines.join("\r\n"))
            });
        }
        for last in ["state", "iss"] {
            let address = ending_with(last);
            let pieces: Vec<_> =
                address.as_bytes().chunks(60).map(|it| str::from_utf8(it).unwrap()).collect();
            is_found(&format!("Sent: Sunday\n\n| {}\n|\n| Ann\n", pieces.join("\n| ")));
        }
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
        fn whatever_is_glued_to_it_no_spoiled_code_is_picked(
            before in "(\\PC|\n){0,20}[ (\\[{*_|]", glue in "[^0-9A-Za-z.*_~+%=-]".prop_filter("has a width", |it| !it.chars().any(is_unprintable)),
            after in "(\\PC|\n){0,30}",
            last in prop::sample::select(vec!["state", "iss", "code"])
        ) {
            // An address beside which there is nothing is taken to the letter, and so is one in quotation marks.
            let text = format!("see {before}{}{glue}{after}", ending_with(last));
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
