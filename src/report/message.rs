//! A message for an admin user who isn't an engineer: which links to click, what the page must show, what to send back.

use crate::model::consent::Fact;
use crate::model::ids::{LicenseId, StoreName};
use crate::model::provider::Provider;
use jiff::Timestamp;
use std::fmt::Write;

pub struct MessageLink<'l> {
    pub key: &'l LicenseId,
    pub name: Option<&'l StoreName>,
    pub expires_at: Option<Timestamp>,
    pub address: &'l str,
}

/// All that one admin is asked for.
pub struct Message<'l> {
    pub username: &'l str,
    pub to: Vec<&'l str>,
    pub links: Vec<MessageLink<'l>>,
    pub now: Timestamp,
    pub until: Timestamp,
    pub redirect_uri: &'l str,
}

/// The message, ready to be mailed: its head and its text.
pub fn message(message: &Message<'_>, provider: &Provider) -> String {
    let many = message.links.len() > 1;
    let company = Some(&provider.company).filter(|company| !company.is_empty());
    let (grant_us, who) = match company {
        Some(company) => (format!("grant {company} access"), format!("{company} reports")),
        None => ("grant us access".to_owned(), "We report".to_owned()),
    };
    let (locations, them) = match message.links.len() {
        1 => ("your location".to_owned(), "this"),
        count => (format!("your {count} locations"), "each of them"),
    };
    let mut text = match &message.to[..] {
        // Who sends it knows where to.
        [] => String::new(),
        to => format!("To: {}\n", to.join(", ")),
    };
    let _ = writeln!(text, "Subject: BioTrack: please {grant_us} for {locations}\n");
    let _ = writeln!(
        text,
        "Hello,\n\n{who} to the state through BioTrack for {locations}.\n\
         BioTrack lets us do that only while you allow it, and asks you again from\n\
         time to time. Please allow {them} now.\n\n\
         You need your BioTrack account {} and its password.\n\
         Enter the password on BioTrack's own page only. We never ask for it: don't\n\
         send it to us or to anyone.\n",
        message.username
    );
    text.push_str(if many { "Your links:\n" } else { "Your link:\n" });
    for (number, link) in message.links.iter().enumerate() {
        let name = link.name.map(|name| format!("{name}, ")).unwrap_or_default();
        let ends = link.expires_at.map(|at| {
            let day = provider.zone.day_in_letters(at);
            format!(
                "     The current access {} on {day}.\n",
                if at <= message.now { "ended" } else { "ends" }
            )
        });
        let _ = writeln!(
            text,
            "\n  {}. {name}location {}, UBI {}\n{}\n     {}",
            number + 1,
            link.key.license,
            link.key.ubi,
            ends.unwrap_or_default(),
            link.address
        );
    }
    text.push_str("\nWhat to do");
    text.push_str(if many { ", with one link after the other:\n\n" } else { ":\n\n" });
    text.push_str(
        "  1. Click the link. BioTrack's page \"Grant Access\" opens in your browser.\n\
         \x20 2. Compare. The page must show exactly this:\n\n",
    );
    for fact in Fact::ALL {
        let value = match (fact, &message.links[..]) {
            (Fact::Ubi, [_, _, ..]) => "the UBI above the link",
            (Fact::License, [_, _, ..]) => "the location above the link",
            (fact, [link, ..]) => match fact.shown(provider, link.key) {
                Some(value) => value,
                None => continue,
            },
            (_, []) => "",
        };
        let _ = writeln!(text, "       {:<14}{value}", fact.label());
    }
    let _ = writeln!(
        text,
        "\n     If anything is different, don't go on. Close the page, and tell us.\n\
         \x20 3. Sign in there, and click the green button \"Grant Access\"."
    );
    let when = provider.zone.time_in_letters(message.until);
    if provider.redirect.public_url.is_some() {
        text.push_str(
            "  4. A page says that access is granted. That's all:\n     there is nothing to send back.\n",
        );
    } else {
        let _ = writeln!(
            text,
            "  4. Your browser then says that it can't connect, or that the site can't be\n\
             \x20    reached. This is expected: nothing is broken.\n\
             \x20 5. The address at the top of the browser now begins with\n\n       {}\n\n\
             \x20    Click into it, copy all of it, and send it back to us AT ONCE, as the\n\
             \x20    answer to this message. It works for a few minutes only, so don't keep\n\
             \x20    it for later. Nobody else can use it.",
            message.redirect_uri
        );
    }
    let _ = writeln!(
        text,
        "\n{} until {when}, once.\nIf something goes wrong, tell us, and we will send a new one.\n\nThank you!\n{}",
        if many { "Each link works" } else { "The link works" },
        company.map_or("", |company| company)
    );
    text
}

/// A QR code of an address, for a dark or a light ground; `None` where it's too long for one.
pub fn qr(address: &str, dark_ground: bool) -> Option<String> {
    use qrcode::render::unicode::Dense1x2;
    let code = qrcode::QrCode::with_error_correction_level(address, qrcode::EcLevel::L).ok()?;
    let (dark, light) = match dark_ground {
        true => (Dense1x2::Light, Dense1x2::Dark),
        false => (Dense1x2::Dark, Dense1x2::Light),
    };
    Some(code.render::<Dense1x2>().dark_color(dark).light_color(light).build())
}
