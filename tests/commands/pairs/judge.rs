//! Whether what the provider has is what we have and tell.

use super::jobs::{ADOPT, BUNDLES, Before, EDITED, Home, LICENSE};
use crate::rig::{PROFILE, key};
use biotrack_auth::model::flow::SecretRole;
use serde_json::Value;
use std::collections::BTreeSet;

/// Judges it, with what a person would do next where something is left to a person.
pub fn judge(home: &Home) -> Result<(), String> {
    let rig = &home.rig;
    if rig.run("history verify").code != 0 {
        return Err("the history isn't whole".into());
    }
    reminded_once(home)?;
    edited_for_good(home)?;
    if home.before == Before::Ended {
        // Only the provider knows that it's over, until somebody asks for a token.
        let _ = rig.run(&format!("token {LICENSE}"));
    }
    let found = || rig.run("status --json").exits(0).json()["authorizations"][0].clone();
    let mut record = found();
    let is_elsewhere = |record: &Value| conditions(record).contains(&"exported");
    if home.before == Before::Restored && is_elsewhere(&record) {
        rig.run(&(ADOPT.line)(home)).exits(0);
        record = found();
    }
    if is_elsewhere(&record) {
        return moved(home);
    }
    let (state, conditions) = (record["state"].as_str().unwrap_or("unknown"), conditions(&record));
    let has = |condition: &str| conditions.contains(&condition);
    let token = rig.run(&format!("token {LICENSE}"));
    let ours = token.out.trim().to_owned();
    let open =
        ["uncertain", "granted_not_stored", "revocation_pending", "handoff_lapsed"].into_iter().any(has);
    if ["active", "due"].contains(&state) && !open {
        if token.code != 0 {
            return Err(format!("{state} {conditions:?}, but no token is to be had: {}", token.err));
        }
        if !rig.provider.honors(&ours) {
            return Err(format!("{state} {conditions:?}, but its token is dead"));
        }
    } else if token.code == 0 && !rig.provider.honors(&ours) {
        return Err(format!("{state} {conditions:?}, and a dead token is handed out"));
    }
    let others: Vec<_> = rig.provider.living().into_iter().filter(|(_, access)| *access != ours).collect();
    // A grant that awaits approval lives, and is told; so is what an answer that was lost may have made.
    // And so does what was handed over to another home before this one had a new grant, or is another home's until it's
    // taken in here.
    let theirs = [Before::Arriving, Before::Restored].contains(&home.before);
    let bundles = [BUNDLES.iter().any(|file| rig.file(file).exists()), theirs];
    let bundled = bundles.into_iter().filter(|it| *it).count();
    // What a newer grant replaced is kept until the next command on the license has revoked it.
    let ledger = rig.ledger();
    let replaced = ledger.secrets(PROFILE, &key(LICENSE), SecretRole::Superseded).unwrap().len();
    // Each of the two commands may have lost one answer.
    let lost = if open { 2 } else { 0 };
    let explained = bundled + replaced + usize::from(has("awaiting_approval")) + lost;
    if others.len() > explained {
        return Err(format!("{state} {conditions:?}, and nobody tells of {others:?}"));
    }
    Ok(())
}

/// What is told of a license besides its state.
pub fn conditions(record: &Value) -> Vec<&str> {
    record["conditions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What was edited stays so, whatever wrote the record afterwards, unless it was removed.
fn edited_for_good(home: &Home) -> Result<(), String> {
    let found = home.rig.run("history --json").exits(0).json();
    let events: Vec<_> = found["links"].as_array().unwrap().iter().map(|it| it["event"].clone()).collect();
    let last = |event: &str| events.iter().rposition(|it| it == event);
    let Some(edited) = last("edited").filter(|at| last("removed").is_none_or(|gone| gone < *at)) else {
        return Ok(());
    };
    let record = home.rig.standing(LICENSE).record;
    let name = record.name.as_ref().map(|it| it.as_str());
    // A file that came later says that it has no tags, and who the admin is.
    let imported = last("imported").is_some_and(|at| at > edited);
    let whole = imported || record.tags.iter().any(|tag| tag.as_str() == "edited");
    match name == Some(EDITED) && whole {
        true => Ok(()),
        false => Err(format!("an edit was written over: {record:?}")),
    }
}

/// No reminder was given twice.
fn reminded_once(home: &Home) -> Result<(), String> {
    let told = std::fs::read_to_string(home.rig.file("due")).unwrap_or_default();
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let once: BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    if once.len() == events.len() { Ok(()) } else { Err(format!("reminded twice: {told}")) }
}

/// The tokens live in another home: those in a bundle, which must be good there.
fn moved(home: &Home) -> Result<(), String> {
    let rig = &home.rig;
    let other = rig.another_home();
    let identity = rig.file("key.txt");
    // A name that another export took meanwhile is given free, as it's told, and the next command gives it.
    let told = rig.run(&format!("token {LICENSE}")).err;
    if told.contains("another file has its name: move that file away") {
        std::fs::rename(rig.file(BUNDLES[0]), rig.file("another.age")).unwrap();
        let _ = rig.run(&format!("token {LICENSE}"));
    }
    for bundle in BUNDLES.map(|file| rig.file(file)).iter().filter(|it| it.exists()) {
        let import = format!("import --yes {} --identity {}", bundle.display(), identity.display());
        let taken = other.run(&import);
        if taken.code != 0 {
            return Err(format!("the bundle can't be taken in: {}", taken.err));
        }
    }
    let token = other.run(&format!("token {LICENSE}"));
    match token.code == 0 && rig.provider.honors(token.out.trim()) {
        true => Ok(()),
        false => Err(format!("the moved grant is dead in both homes: {}", token.err)),
    }
}
