//! What the program keeps against what the provider logged: no token that lives is missing, no older one over a newer.

use crate::support::Rig;
use crate::support::stored::{hashed, key};
use biotrack_auth::model::flow::SecretRole;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A grant as the provider's log tells it.
#[derive(Debug, Default)]
struct Given {
    license: String,
    access: String,
    refresh: String,
    /// Of the code that it was issued for.
    code: String,
    revoked: bool,
    /// Its code's answer never got through: nobody has its tokens.
    unheard: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    pub issued: usize,
    pub rotated: usize,
    pub revoked: usize,
    /// Why the provider turned requests down, but for refreshes of a grant that a renewal had just taken back: their
    /// processes go on with the new one.
    pub refused: Vec<String>,
    /// And how many of those there were.
    pub overtaken: usize,
    /// Refresh tokens that were sent a second time.
    pub replayed: usize,
    /// Answers that the provider never got through.
    pub lost: usize,
    /// Licenses whose records say themselves that something is open, or that the grant is dead.
    pub in_doubt: BTreeSet<String>,
}

/// Compares them, license by license.
#[track_caller]
pub fn judge(rig: &Rig, licenses: &[String]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut grants: BTreeMap<String, Given> = BTreeMap::new();
    // The grant that was issued last for each license: only that one may be in use.
    let mut newest: BTreeMap<String, String> = BTreeMap::new();
    for line in rig.truth() {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        match line["event"].as_str().unwrap() {
            event @ ("token_issued" | "token_rotated") => {
                let given = grants.entry(text("grant")).or_default();
                (given.license, given.access, given.refresh) =
                    (text("license"), text("access_sha256"), text("refresh_sha256"));
                if event == "token_issued" {
                    verdict.issued += 1;
                    given.code = text("code_sha256");
                    newest.insert(text("license"), text("grant"));
                } else {
                    verdict.rotated += 1;
                }
            }
            "token_revoked" => {
                verdict.revoked += 1;
                verdict.replayed += usize::from(line["why"] == "refresh replayed");
                grants.get_mut(&text("grant")).unwrap().revoked = true;
            }
            "refused" if line["why"] == "invalid_grant: grant revoked" => verdict.overtaken += 1,
            "refused" => verdict.refused.push(text("why")),
            "answer_spoilt" => {
                verdict.lost += 1;
                // A refresh's or a revocation's answer names no code.
                if let Some(code) = line["code_sha256"].as_str()
                    && let Some(of_it) = grants.values_mut().find(|it| it.code == code)
                {
                    of_it.unheard = true;
                }
            }
            _ => {}
        }
    }
    let records = records(rig);
    for (license, granted) in licenses.iter().zip(kept(rig, licenses)) {
        let record = &records[license];
        let state = record["state"].as_str().unwrap();
        let named = record["conditions"] != serde_json::json!([]) || ["invalid", "expired"].contains(&state);
        if named {
            assert!(record["next_command"].is_string(), "{record}");
            verdict.in_doubt.insert(license.clone());
            continue;
        }
        let of_it = grants.iter().filter(|(_, it)| it.license == *license && !it.revoked);
        let (unheard, living): (Vec<_>, Vec<_>) = of_it.partition(|(_, it)| it.unheard);
        if !unheard.is_empty() {
            // Nobody could take it back; but it was told, before a person granted once more.
            let told = rig.run(&["history", license, "--json"]).exits(0).out.matches("\"uncertain\"").count();
            assert!(told >= unheard.len(), "{license}: grants were lost and not told: {unheard:?}");
        }
        let Some((access, refresh)) = granted else {
            assert!(living.is_empty(), "{license}: a grant lives, and nobody has it: {record}");
            assert!(["deactivated", "pending"].contains(&state), "{record}");
            continue;
        };
        assert_eq!(state, "active", "{record}");
        let [(id, given)] = living[..] else {
            // Both sides' word on the license, for whoever looks for what was lost.
            let mut truth = rig.truth();
            truth.retain(|line| line["license"] == *license);
            let history = rig.run(&["history", license]).out;
            let ids: Vec<_> = living.iter().map(|(id, _)| id).collect();
            panic!("{license}: these grants live: {ids:?}\n{record}\n{history}\n{truth:#?}");
        };
        assert_eq!(Some(id), newest.get(license), "{license}: an older grant over a newer");
        assert_eq!(given.refresh, refresh, "{license}: an older refresh token over a newer");
        assert_eq!(given.access, access, "{license}: an older access token over a newer");
    }
    verdict
}

fn records(rig: &Rig) -> BTreeMap<String, Value> {
    let status = rig.status();
    let all = status["authorizations"].as_array().unwrap().iter();
    all.map(|it| (it["license"].as_str().unwrap().to_owned(), it.clone())).collect()
}

/// The hashes of what is kept of each license: of access and refresh token.
fn kept(rig: &Rig, licenses: &[String]) -> Vec<Option<(String, String)>> {
    let keys: Vec<_> = licenses.iter().map(|license| key(license)).collect();
    for role in [SecretRole::Superseded, SecretRole::Unwanted, SecretRole::Held] {
        let left: usize = rig.all_grants(&keys, role).iter().map(Vec::len).sum();
        assert_eq!(left, 0, "{role:?}");
    }
    let live = rig.all_grants(&keys, SecretRole::Live).into_iter();
    live.map(|mut granted| {
        granted.pop().map(|it| (hashed(it.access.expose()), hashed(it.refresh.unwrap().expose())))
    })
    .collect()
}
