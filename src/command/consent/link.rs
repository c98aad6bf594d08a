//! Hand-offs: a link is made for an admin who sits elsewhere, and nobody waits for its answer here.

use super::args::ConsentArgs;
use super::outcome::outcome_of_left;
use crate::command::{Invocation, Workspace, outcome_or_error};
use crate::consent::{IssuedLink, finish_left_over, hand_out, outcome_of_handed, prepare_without_session};
use crate::error::{Error, Result};
use crate::model::duration::in_words;
use crate::model::odd_cell::is_mailbox;
use crate::model::plan::PlannedLicense;
use crate::model::provider::Provider;
use crate::report::{Message, MessageLink, message};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// `--no-wait` for one license.
pub(in crate::command) fn hand_off<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    item: PlannedLicense,
    any_user: bool,
    waiting: &ConsentArgs,
) -> Result<u8> {
    let handing = &waiting.handing_off;
    handing.check(call.json, false)?;
    let (key, life) = (item.key.clone(), handing.life()?);
    let ready = workspace
        .connect(call)
        .and_then(|client| Ok((finish_left_over(call.env, &mut workspace.custody, &item)?, client)));
    let made = match ready {
        // Nobody is to be asked any more.
        Ok((Some(kept), _)) => {
            let outcome = outcome_of_left(call, workspace, &item, kept, any_user);
            return workspace.finish(call, outcome);
        }
        Ok((None, client)) => prepare_without_session(&mut workspace.custody, &item).and_then(|()| {
            let made = hand_out(
                call.env,
                &mut workspace.custody,
                &client.endpoints,
                vec![item],
                waiting.port,
                life,
            )?
            .into_iter()
            .next();
            made.ok_or_else(|| Error::Internal("nothing was handed out".into()))?.1
        }),
        Err(e) => Err(e),
    };
    let handed = match made {
        Ok(handed) => handed,
        Err(e) => {
            let outcome = outcome_or_error(workspace, &key, e)?;
            return workspace.finish(call, outcome);
        }
    };
    let outcome = outcome_of_handed(&handed, workspace.custody.standing_to_tell(&key));
    let provider = workspace.provider.clone();
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
    call: &Invocation<'_>,
    provider: &Provider,
    handed: &[IssuedLink],
    life: SignedDuration,
) {
    let Some(first) = handed.first() else { return };
    let terminal = &call.env.terminal;
    let (word, they) = if handed.len() == 1 { ("link", "It is") } else { ("links", "They are") };
    terminal.info(&format!(
        "Send the {word} to the admin user. {they} valid for {}, until {}.",
        in_words(life),
        provider.zone.time(first.until),
    ));
    let dead: Vec<_> = handed.iter().filter(|it| it.replaced).map(|it| it.item.key.to_string()).collect();
    if !dead.is_empty() {
        terminal.info(&format!(
            "The earlier link for {} no longer works: use only the new one.",
            dead.join(", ")
        ));
    }
    terminal.info(&match &provider.redirect.public_url {
        Some(public) => format!("The answer goes to {public}, where biotrack-auth listen receives it."),
        None => {
            let profile = provider.other_profile.then(|| format!("--profile {} ", provider.profile));
            format!(
                "After Grant Access, the admin's browser says that it can't connect. Ask the admin to send back the address in the address bar at once, because its code is valid for minutes. Then run: biotrack-auth complete {}-",
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
            let contact = one.item.contact.as_ref().map(|it| it.as_str());
            // What is no single address would be two recipients, or somebody else.
            let mailbox =
                [contact, Some(one.item.username.as_str())].into_iter().flatten().find(|it| is_mailbox(it));
            to.extend(mailbox.filter(|mailbox| !to.contains(mailbox)));
        }
        let links = theirs.iter().map(|one| MessageLink {
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
        crate::model::provider::StateLocation::Query => &handed.redirect_uri,
        crate::model::provider::StateLocation::Path => {
            handed.redirect_uri.rsplit_once('/').map_or(handed.redirect_uri.as_str(), |(base, _)| base)
        }
    }
}
