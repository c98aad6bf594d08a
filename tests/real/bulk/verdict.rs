//! The program's word on many licenses against the sandbox's log: what was issued, and who knows of it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// UBI and license.
pub type Name = (String, String);

/// One grant that the provider issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The run in which its code was made; its tokens may have been issued a moment after that run was killed.
    pub run: usize,
    /// The access token's hash.
    pub access: String,
    /// What became of the answer on its way, where it never arrived whole.
    pub spoiled: Option<String>,
}

/// What the sandbox's log says of each license.
#[derive(Debug, Default)]
pub struct Story {
    issued: BTreeMap<Name, Vec<Issued>>,
    /// Who was told to come again later.
    limited: BTreeSet<Name>,
    /// What no client may ever do.
    pub wrong: Vec<String>,
    /// The client was tested.
    tested: bool,
}

impl Story {
    /// Reads a log; `ends` holds how many lines it had as each run ended.
    pub fn told(log: &[Value], ends: &[usize]) -> Self {
        let mut story = Self::default();
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        // By its code, and by its own name.
        let mut made_of: BTreeMap<&str, (Name, usize)> = BTreeMap::new();
        for (at, line) in log.iter().enumerate() {
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            let name = || (text("ubi").to_owned(), text("license").to_owned());
            let run = ends.partition_point(|end| *end <= at);
            match text("event") {
                "code_issued" => {
                    codes.insert(text("code_sha256"), run);
                }
                "token_issued" => {
                    let grants = story.issued.entry(name()).or_default();
                    made_of.insert(text("code_sha256"), (name(), grants.len()));
                    made_of.insert(text("grant"), (name(), grants.len()));
                    let run = codes.get(text("code_sha256")).copied().unwrap_or(run);
                    grants.push(Issued { run, access: text("access_sha256").to_owned(), spoiled: None });
                }
                "answer_spoilt" => {
                    if let Some((name, at)) = made_of.get(text("code_sha256")) {
                        story.issued.get_mut(name).unwrap()[*at].spoiled = Some(text("why").to_owned());
                    }
                }
                "refused" if text("why") == "rate-limit" => {
                    story.limited.insert(name());
                }
                // The code that tests the client, once.
                "refused" if text("why") == "invalid_grant: unknown code" && !story.tested => {
                    story.tested = true
                }
                "refused" if text("why") != "denied" => story.wrong.push(line.to_string()),
                // An older grant goes once a newer one is stored; a license's newest never does.
                "token_revoked" => {
                    let newest = |(name, at): &(Name, usize)| at + 1 == story.issued(name).len();
                    if made_of.get(text("grant")).is_none_or(newest) {
                        story.wrong.push(line.to_string());
                    }
                }
                _ => {}
            }
        }
        story
    }

    /// The grants that were issued for a license, the oldest first.
    pub fn issued(&self, name: &Name) -> &[Issued] {
        self.issued.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a license was told to come again later.
    pub fn limited(&self, name: &Name) -> bool {
        self.limited.contains(name)
    }
}

/// What is known of one license from the client's side.
#[derive(Debug, Clone)]
pub struct Client<'c> {
    /// Its row of `status --json` before anything.
    pub before: &'c Value,
    /// Its row now.
    pub now: &'c Value,
    /// The access token that is kept for it: its hash, and whether the provider takes it.
    pub kept: Option<(String, bool)>,
    /// Its admin refuses, every time.
    pub refuses: bool,
    /// The runs that called it uncertain: in an event, or in a status right after them.
    pub uncertain_in: &'c BTreeSet<usize>,
    /// The last run that called it granted.
    pub granted_in: Option<usize>,
}

/// How a license stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Its newest grant is in use.
    Active,
    /// Its admin refused, and its record is as it was.
    Refused,
    /// The answer was spoiled on its way, and the record says uncertain.
    UncertainByFault,
    /// The program was killed over it, and the record says uncertain.
    UncertainByKill,
    /// Nothing was issued, and nothing is claimed: the provider had too much to do.
    Limited,
}

/// Compares one license with the log; an error says what is wrong.
pub fn judge(name: &Name, story: &Story, client: &Client<'_>) -> Result<Verdict, String> {
    let issued = story.issued(name);
    let wrong = |what: &str| {
        let row = client.now;
        Err(format!("{name:?}: {what}\n  issued {issued:?}\n  kept {:?}\n  row {row}", client.kept))
    };
    for pair in issued.windows(2) {
        let between = if pair[0].run == pair[1].run {
            pair[0].run..=pair[0].run
        } else {
            pair[0].run..=pair[1].run - 1
        };
        if client.uncertain_in.range(between).next().is_none() {
            return wrong("granted twice, and never called uncertain in between");
        }
    }
    let uncertain = client.now["conditions"].as_array().is_some_and(|all| all.contains(&"uncertain".into()));
    let as_it_was = ["state", "created_at", "renewed_at", "expires_at", "expires_estimated", "granted_by"]
        .iter()
        .all(|fact| client.before[fact] == client.now[fact]);
    // What is kept is something that was issued, arrived, and works.
    match &client.kept {
        None if !as_it_was => return wrong("changed without a grant"),
        Some((_, false)) => return wrong("the provider doesn't take the token that is kept"),
        Some((kept, true)) if !issued.iter().any(|it| it.access == *kept && it.spoiled.is_none()) => {
            return wrong("the token that is kept was never handed out");
        }
        _ => {}
    }
    if client.refuses {
        return match (issued, uncertain || !as_it_was) {
            ([], false) => Ok(Verdict::Refused),
            _ => wrong("refused, and something is said to have happened"),
        };
    }
    let Some(newest) = issued.last() else {
        return match (story.limited(name), uncertain, client.granted_in) {
            (_, _, Some(_)) => wrong("called granted, and nothing was issued"),
            (true, true, None) => Ok(Verdict::UncertainByFault),
            (true, false, None) => Ok(Verdict::Limited),
            // Killed with its code on the way: it can't know that nothing came of it.
            (false, true, None) => Ok(Verdict::UncertainByKill),
            (false, false, None) => wrong("never asked for, and given up silently"),
        };
    };
    let has_newest = client.kept.as_ref().is_some_and(|(kept, _)| *kept == newest.access);
    if has_newest && client.now["state"] == "active" && !uncertain {
        return Ok(Verdict::Active);
    }
    if client.granted_in.is_some_and(|run| run >= newest.run) {
        return wrong("called granted, and isn't");
    }
    match (uncertain, &newest.spoiled) {
        (false, _) => wrong("a grant was issued, and it's silently lost"),
        (true, Some(_)) => Ok(Verdict::UncertainByFault),
        (true, None) => Ok(Verdict::UncertainByKill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn name() -> Name {
        ("604001".into(), "L-1".into())
    }

    fn line(event: &str, code: &str, more: &Value) -> Value {
        let mut line = json!({"event": event, "ubi": "604001", "license": "L-1", "code_sha256": code});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    }

    /// A grant by this code, whose tokens are named after it.
    fn grant(code: &str) -> Vec<Value> {
        let access = json!({"access_sha256": format!("a-{code}"), "grant": format!("g-{code}")});
        vec![line("code_issued", code, &json!({})), line("token_issued", code, &access)]
    }

    fn spoiled(code: &str) -> Value {
        line("answer_spoilt", code, &json!({"why": "html"}))
    }

    fn row(state: &str, conditions: &[&str]) -> Value {
        let expires = if state == "active" { "2027-01-01T00:00:00Z" } else { "2026-01-01T00:00:00Z" };
        json!({"state": state, "conditions": conditions, "expires_at": expires})
    }

    /// What is found of a license that had lapsed.
    struct Found {
        log: Vec<Value>,
        ends: Vec<usize>,
        now: Value,
        kept: Option<(&'static str, bool)>,
        refuses: bool,
        uncertain_in: Vec<usize>,
        granted_in: Option<usize>,
    }

    impl Found {
        fn of(log: Vec<Value>, now: Value) -> Self {
            let ends = vec![log.len()];
            Self { log, ends, now, kept: None, refuses: false, uncertain_in: Vec::new(), granted_in: None }
        }

        fn active(log: Vec<Value>, kept: &'static str) -> Self {
            Self { kept: Some((kept, true)), ..Self::of(log, row("active", &[])) }
        }

        fn judged(&self) -> Result<Verdict, String> {
            let client = Client {
                before: &row("expired", &[]),
                now: &self.now,
                kept: self.kept.map(|(access, taken)| (access.to_owned(), taken)),
                refuses: self.refuses,
                uncertain_in: &self.uncertain_in.iter().copied().collect(),
                granted_in: self.granted_in,
            };
            judge(&name(), &Story::told(&self.log, &self.ends), &client)
        }

        #[track_caller]
        fn is_wrong(&self, words: &str) {
            let found = self.judged().unwrap_err();
            assert!(found.contains(words), "{found}");
        }
    }

    #[test]
    fn a_grant_in_use_is_active() {
        assert_eq!(Found::active(grant("1"), "a-1").judged(), Ok(Verdict::Active));
        assert_eq!(
            Found { granted_in: Some(0), ..Found::active(grant("1"), "a-1") }.judged(),
            Ok(Verdict::Active)
        );
    }

    #[test]
    fn a_grant_that_nobody_knows_of_is_silently_lost() {
        let lost = || Found::of(grant("1"), row("expired", &[]));
        lost().is_wrong("silently lost");
        Found { log: [grant("1"), vec![spoiled("1")]].concat(), ..lost() }.is_wrong("silently lost");
        let older = [grant("1"), grant("2")].concat();
        Found { uncertain_in: vec![0], ..Found::active(older, "a-1") }.is_wrong("silently lost");
        Found { granted_in: Some(0), ..lost() }.is_wrong("called granted, and isn't");
    }

    #[test]
    fn a_lost_answer_is_uncertain_by_what_lost_it() {
        let uncertain = |log| Found::of(log, row("expired", &["uncertain"])).judged();
        assert_eq!(uncertain(grant("1")), Ok(Verdict::UncertainByKill));
        assert_eq!(uncertain([grant("1"), vec![spoiled("1")]].concat()), Ok(Verdict::UncertainByFault));
        assert_eq!(uncertain(vec![]), Ok(Verdict::UncertainByKill));
    }

    #[test]
    fn a_token_is_kept_only_if_it_arrived_and_works() {
        let log = [grant("1"), vec![spoiled("1")]].concat();
        Found::active(log, "a-1").is_wrong("never handed out");
        Found::active(grant("1"), "a-2").is_wrong("never handed out");
        Found { kept: Some(("a-1", false)), ..Found::active(grant("1"), "a-1") }.is_wrong("doesn't take");
        Found::of(vec![], row("active", &[])).is_wrong("changed without a grant");
    }

    #[test]
    fn a_second_grant_needs_a_word_of_doubt_in_between() {
        let twice = || Found { ends: vec![2, 4], ..Found::active([grant("1"), grant("2")].concat(), "a-2") };
        twice().is_wrong("granted twice");
        assert_eq!(Found { uncertain_in: vec![0], ..twice() }.judged(), Ok(Verdict::Active));
        Found { uncertain_in: vec![1], ..twice() }.is_wrong("granted twice");
        // The tokens were issued a moment after the kill: they belong to the run that made the code.
        assert_eq!(
            Found { uncertain_in: vec![0], ends: vec![1, 4], ..twice() }.judged(),
            Ok(Verdict::Active)
        );
        // Within one run, that run says so itself.
        assert_eq!(Found { uncertain_in: vec![0], ends: vec![4], ..twice() }.judged(), Ok(Verdict::Active));
    }

    #[test]
    fn a_refusal_leaves_all_as_it_was() {
        let refused = |now| Found {
            refuses: true,
            ..Found::of(vec![line("refused", "", &json!({"why": "denied"}))], now)
        };
        assert_eq!(refused(row("expired", &[])).judged(), Ok(Verdict::Refused));
        refused(row("expired", &["uncertain"])).is_wrong("refused, and");
        refused(row("due", &[])).is_wrong("changed without a grant");
        Found { log: grant("1"), ..refused(row("expired", &[])) }.is_wrong("refused, and");
    }

    #[test]
    fn nothing_issued_needs_a_reason() {
        let limit = line("refused", "1", &json!({"why": "rate-limit"}));
        let limited =
            |conditions: &[&str]| Found::of(vec![limit.clone()], row("expired", conditions)).judged();
        assert_eq!(limited(&[]), Ok(Verdict::Limited));
        assert_eq!(limited(&["uncertain"]), Ok(Verdict::UncertainByFault));
        Found::of(vec![], row("expired", &[])).is_wrong("never asked for");
        Found { granted_in: Some(0), ..Found::of(vec![], row("expired", &[])) }
            .is_wrong("nothing was issued");
    }

    #[test]
    fn what_no_client_may_do_is_noticed() {
        let wrong = |event, why| Story::told(&[line(event, "1", &json!({"why": why}))], &[1]).wrong.len();
        assert_eq!(wrong("refused", "invalid_grant: code replayed"), 1);
        assert_eq!(wrong("refused", "followed the token endpoint's redirect"), 1);
        assert_eq!(wrong("token_revoked", "asked"), 1);
        assert_eq!((wrong("refused", "denied"), wrong("refused", "rate-limit")), (0, 0));
    }

    #[test]
    fn only_an_older_grant_may_be_revoked() {
        let log = |revoked: &str| {
            let revoked = line("token_revoked", "", &json!({"grant": revoked}));
            [grant("1"), grant("2"), vec![revoked]].concat()
        };
        assert!(Story::told(&log("g-1"), &[5]).wrong.is_empty());
        assert_eq!(Story::told(&log("g-2"), &[5]).wrong.len(), 1);
    }
}
