//! Hand-offs: a link is made for an admin who sits elsewhere, and nobody waits for its answer here.

use super::{Waiting, outcome_of_left};
use crate::command::{Bench, Call, outcome_or_error};
use crate::consent::{IssuedLink, LIFE, finish_left_over, hand_out, outcome_of_handed};
use crate::error::{Error, Result};
use crate::model::duration::{in_words, parse};
use crate::model::plan::Planned;
use crate::model::provider::Provider;
use crate::report::{Link, Message, message, qr};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How a hand-off is made and shown.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hand-off options")]
pub struct HandingOff {
    /// Don't wait: print the address for an admin who sits elsewhere, and leave; complete takes what they send back
    #[arg(long, conflicts_with_all = ["browser", "no_browser", "timeout"])]
    pub no_wait: bool,

    /// With --no-wait: until when the answer counts [default: 7d]
    #[arg(long, value_name = "TIME", requires = "no_wait")]
    pub expires: Option<String>,

    /// With --no-wait: print text ready to mail, one message for each admin user with all their locations
    #[arg(long, requires = "no_wait")]
    pub message: bool,

    /// Show the address as a QR code, on standard error
    #[arg(long)]
    pub qr: bool,

    /// Put the address, or the message, into the terminal's clipboard (OSC 52)
    #[arg(long)]
    pub copy: bool,
}

impl HandingOff {
    /// How long a hand-off lives.
    pub(in crate::command) fn life(&self) -> Result<SignedDuration> {
        match &self.expires {
            None => Ok(LIFE),
            Some(text) => match parse("hand-off's time", text)? {
                none if none.is_zero() => Err(Error::BadValue {
                    name: "hand-off's time",
                    problem: "can't be zero: nobody could answer".into(),
                }),
                life => Ok(life),
            },
        }
    }

    /// What doesn't go together, and clap can't know.
    pub(in crate::command) fn check(&self, json: bool, several: bool) -> Result<()> {
        let wrong = |what: &str, hint: &str| Err(Error::Usage { what: what.into(), hint: hint.into() });
        // Clap drops a requirement that conflicts with another flag.
        if !self.no_wait && (self.message || self.expires.is_some()) {
            return wrong(
                "--message and --expires are for a hand-off",
                "Add --no-wait, and leave --browser out.",
            );
        }
        if json && self.message {
            return wrong(
                "--message is text, which doesn't go with JSON",
                "Leave --message out: authorize_url is in the results; or leave --json or --format out.",
            );
        }
        if several && !self.no_wait && (self.qr || self.copy) {
            return wrong(
                "--qr and --copy are for one license, or for --no-wait",
                "Leave them out, or add --no-wait.",
            );
        }
        Ok(())
    }

    /// Shows an address that is on the terminal already in the further ways that were asked for.
    pub(in crate::command) fn show(&self, call: &Call<'_>, address: &str, copied: Option<&str>) {
        let terminal = &call.env.terminal;
        if self.qr {
            match qr(address, !terminal.color_err()) {
                Some(code) => terminal.picture(&code),
                None => terminal.insist("The address is too long for a QR code."),
            }
        }
        if let Some(copied) = copied.filter(|_| self.copy) {
            match terminal.copy(copied) {
                true => terminal.say("It's in the clipboard, where the terminal allows that."),
                false => terminal.say("Nothing was copied: standard error is no terminal."),
            }
        }
    }
}

/// `--no-wait` for one license.
pub(in crate::command) fn one<'a>(
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    item: Planned,
    any_user: bool,
    waiting: &Waiting,
) -> Result<u8> {
    let handing = &waiting.handing_off;
    handing.check(call.json, false)?;
    let (key, life) = (item.key.clone(), handing.life()?);
    let ready = super::super::online::exchange(call, &bench.provider, &bench.custody).and_then(|exchange| {
        bench.custody.connect(exchange.clone());
        Ok((finish_left_over(call.env, &mut bench.custody, &item)?, exchange))
    });
    let made = match ready {
        // Nobody is to be asked any more.
        Ok((Some(kept), _)) => {
            let outcome = outcome_of_left(call, bench, &item, kept, any_user);
            return bench.finish(call, outcome);
        }
        Ok((None, exchange)) => bench.custody.probe().and_then(|()| {
            let made =
                hand_out(call.env, &mut bench.custody, &exchange.endpoints, vec![item], waiting.port, life)?
                    .into_iter()
                    .next();
            made.ok_or_else(|| Error::Internal("nothing was handed out".into()))?.1
        }),
        Err(e) => Err(e),
    };
    let standing = bench.custody.standing(&key)?;
    let handed = match made {
        Ok(handed) => handed,
        Err(e) => {
            let outcome = outcome_or_error(&key, standing, e)?;
            return bench.finish(call, outcome);
        }
    };
    let outcome = outcome_of_handed(&handed, standing);
    let provider = bench.provider.clone();
    let text = match handing.message {
        true => messages(std::slice::from_ref(&handed), &provider, call.env.clock.now()),
        false => format!("{}\n", handed.address),
    };
    let exit = call.finish(&provider, &[outcome], &text)?;
    say_what_comes(call, &provider, std::slice::from_ref(&handed), life);
    handing.show(call, &handed.address, Some(text.trim_end()));
    Ok(exit)
}

/// What the person at the terminal does next.
pub(in crate::command) fn say_what_comes(
    call: &Call<'_>,
    provider: &Provider,
    handed: &[IssuedLink],
    life: SignedDuration,
) {
    let Some(first) = handed.first() else { return };
    let terminal = &call.env.terminal;
    let (word, they) = if handed.len() == 1 { ("link", "it") } else { ("links", "they") };
    terminal.say(&format!(
        "The {word} can be sent to the admin user; {they} can be answered for {}, until {}.",
        in_words(life),
        provider.zone.time(first.until),
    ));
    terminal.say(&match &provider.redirect.public_url {
        Some(public) => format!("The answer comes to {public}, where biotrack-auth listen takes it."),
        None => {
            let profile = provider.other_profile.then(|| format!("--profile {} ", provider.profile));
            format!(
                "Afterwards their browser says that it can't connect. They send back the address in its bar, at once: \
                 a code lives minutes. Then: biotrack-auth complete {}-",
                profile.unwrap_or_default()
            )
        }
    });
}

/// One message for each admin user, with all their locations; a line between two.
pub(in crate::command) fn messages(handed: &[IssuedLink], provider: &Provider, now: Timestamp) -> String {
    let mut admins: BTreeMap<String, Vec<&IssuedLink>> = BTreeMap::new();
    for one in handed {
        admins.entry(one.item.username.as_str().to_lowercase()).or_default().push(one);
    }
    let written = admins.values().map(|theirs| {
        let first = theirs[0];
        let mut to: Vec<&str> = Vec::new();
        for one in theirs {
            let contact = one.item.contact.as_ref().map_or(one.item.username.as_str(), |it| it.as_str());
            if !to.contains(&contact) {
                to.push(contact);
            }
        }
        let links = theirs.iter().map(|one| Link {
            key: &one.item.key,
            name: one.item.name.as_ref(),
            expires_at: one.item.expires_at,
            address: &one.address,
        });
        message(
            &Message {
                username: first.item.username.as_str(),
                to,
                links: links.collect(),
                now,
                until: first.until,
                // Of several, what they all begin with.
                redirect_uri: provider_redirect(first, provider),
            },
            provider,
        )
    });
    written.collect::<Vec<_>>().join(&format!("\n{}\n\n", "-".repeat(72)))
}

/// The redirect address without a state that stands in its path.
fn provider_redirect<'h>(handed: &'h IssuedLink, provider: &Provider) -> &'h str {
    match provider.state_in {
        crate::model::provider::StateIn::Query => &handed.redirect_uri,
        crate::model::provider::StateIn::Path => {
            handed.redirect_uri.rsplit_once('/').map_or(handed.redirect_uri.as_str(), |(base, _)| base)
        }
    }
}
