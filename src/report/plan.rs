//! The dry run's report: what a run over several licenses is going to do, in words and as JSON.

use super::json::DOCUMENT_VERSION;
use super::row::View;
use super::table::cut;
use crate::error::{counted, licenses};
use crate::model::expiry::{days_in_words, days_left};
use crate::model::flow::Purpose;
use crate::model::ids::{LicenseId, Ubi};
use crate::model::instant::whole_second;
use crate::model::plan::{Plan, PlannedLicense};
use crate::model::spread::{SpreadChoice, SpreadProposal};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::UnicodeWidthStr;

/// Above so many licenses, each admin's are told on one line: a list that nobody reads hides what matters.
const IN_FULL: usize = 60;
/// Above so many licenses, an admin's first ones are told and the rest is counted.
const OF_ONE_ADMIN: usize = 20;
/// How many those first ones are.
const FIRST: usize = 5;
/// Up to so many licenses with one reason are named.
const NAMED: usize = 10;
/// The widest that a license's column and a name's are made.
const WIDEST: usize = 24;
/// Narrower than this, the last column isn't made for the sake of the names.
const LEAST_WORDS: usize = 28;

/// The plan in words: the sum, each company's admins with their licenses, what is left out, and the proposal of
/// `--spread` where it wasn't asked for. It fits the view's width; the command to run is the caller's last line.
pub fn plan(plan: &Plan, proposal: Option<&SpreadProposal>, view: &View, zone: &TimeZone) -> String {
    let page = Page { width: view.width.map_or(usize::MAX, usize::from), now: view.now, zone };
    let groups = Groups::of(plan);
    let mut text = page.folded(&groups.sum(plan), "");
    text.push_str(&if plan.items.len() > IN_FULL { page.brief(&groups) } else { page.full(&groups, plan) });
    if !plan.left_out.is_empty() {
        text.push_str(&format!("\nSkipped: {}\n", licenses(plan.left_out.len())));
        text.push_str(&page.reasons(plan.left_out.iter().map(|it| (&it.key, it.why.as_str()))));
    }
    if let Some(proposal) = proposal {
        text.push('\n');
        text.push_str(&page.proposal(proposal));
    }
    text
}

/// The licenses by UBI, then by admin (whose case doesn't matter), each admin's soonest end first.
struct Groups<'p> {
    of_admins: BTreeMap<(&'p Ubi, String), Vec<&'p PlannedLicense>>,
}

impl<'p> Groups<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut of_admins: BTreeMap<_, Vec<&PlannedLicense>> = BTreeMap::new();
        for item in &plan.items {
            of_admins.entry((&item.key.ubi, admin(item))).or_default().push(item);
        }
        for licenses in of_admins.values_mut() {
            licenses.sort_by_key(|item| (item.expires_at.is_none(), item.expires_at, &item.key));
        }
        Self { of_admins }
    }

    fn sum(&self, plan: &Plan) -> String {
        if plan.items.is_empty() {
            return "No admin would be asked.".into();
        }
        let admins: BTreeSet<_> = self.of_admins.keys().map(|(_, admin)| admin).collect();
        let companies: BTreeSet<_> = self.of_admins.keys().map(|(ubi, _)| ubi).collect();
        format!(
            "{} of {} (UBI) would be asked about {}.",
            counted(admins.len(), "admin", "admins"),
            counted(companies.len(), "company", "companies"),
            licenses(plan.items.len())
        )
    }
}

fn admin(item: &PlannedLicense) -> String {
    item.username.as_str().to_lowercase()
}

/// How wide the columns of a license's line are; a name's is 0 where none has a name.
struct Columns {
    license: usize,
    name: usize,
}

impl Columns {
    fn of(plan: &Plan, width: usize) -> Self {
        let widest = |text: fn(&PlannedLicense) -> &str| {
            plan.items.iter().map(|item| text(item).width()).max().unwrap_or_default().min(WIDEST)
        };
        let license = widest(|item| item.key.license.as_str());
        let name = widest(name);
        Self { license, name: name.min(width.saturating_sub(license + LEAST_WORDS + 8).max(12)) }
    }

    /// A license's line up to its last column. A license is never cut: it's what a person would type.
    fn head(&self, item: &PlannedLicense) -> String {
        let license = padded(item.key.license.as_str(), self.license);
        if self.name == 0 {
            return format!("    {license}  ");
        }
        format!("    {license}  {}  ", padded(&cut(name(item), self.name), self.name))
    }

    /// Where the last column begins.
    fn indent(&self) -> String {
        let name = if self.name == 0 { 0 } else { self.name + 2 };
        " ".repeat(4 + self.license + 2 + name)
    }
}

fn name(item: &PlannedLicense) -> &str {
    item.name.as_ref().map_or("", |name| name.as_str())
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{:gap$}", "", gap = width.saturating_sub(text.width()))
}

/// What the text is laid out for.
struct Page<'z> {
    width: usize,
    now: Timestamp,
    zone: &'z TimeZone,
}

impl Page<'_> {
    /// Each company's admins, and a line for each of their licenses.
    fn full(&self, groups: &Groups<'_>, plan: &Plan) -> String {
        let columns = Columns::of(plan, self.width);
        let mut text = String::new();
        let mut before = None;
        for ((ubi, _), of_admin) in &groups.of_admins {
            if before.replace(ubi) != Some(ubi) {
                text.push_str(&format!("\nUBI {ubi}\n"));
            }
            text.push_str(&self.folded(&format!("  {}", who(of_admin)), "    "));
            let shown = if of_admin.len() > OF_ONE_ADMIN { FIRST } else { of_admin.len() };
            let (first, rest) = of_admin.split_at(shown);
            for item in first {
                let line = format!("{}{}", columns.head(item), self.ending_and_why(item));
                text.push_str(&self.folded(&line, &columns.indent()));
            }
            if !rest.is_empty() {
                let line = format!("    and {} more: {}", rest.len(), self.endings(rest));
                text.push_str(&self.folded(&line, "      "));
            }
        }
        text
    }

    /// Each company's admins, and how things stand with their licenses.
    fn brief(&self, groups: &Groups<'_>) -> String {
        let all: Vec<_> = groups.of_admins.values().flatten().copied().collect();
        let mut text = format!("{}\n", self.folded(&format!("{}.", self.endings(&all)), ""));
        let mut before = None;
        let widest =
            groups.of_admins.values().map(|of_admin| who(of_admin).width()).max().unwrap_or_default();
        for ((ubi, _), of_admin) in &groups.of_admins {
            if before.replace(ubi) != Some(ubi) {
                text.push_str(&format!("UBI {ubi}\n"));
            }
            let who = padded(&who(of_admin), widest.min(2 * WIDEST));
            let line = format!("  {who}  {}", self.endings(of_admin));
            text.push_str(&self.folded(&line, "      "));
        }
        text + "\nTo list each license and its reason, add --json.\n"
    }

    /// When it ends and why it's in the plan, each said once.
    fn ending_and_why(&self, item: &PlannedLicense) -> String {
        let ending = self.ending(item);
        if item.why.contains(&ending) { item.why.clone() } else { format!("{ending}: {}", item.why) }
    }

    fn ending(&self, item: &PlannedLicense) -> String {
        let Some(expires) = item.expires_at else { return "no grant yet".into() };
        days_in_words(expires, self.now, self.zone)
    }

    /// How things stand with several licenses.
    fn endings(&self, items: &[&PlannedLicense]) -> String {
        let ends: Vec<_> = items.iter().filter_map(|item| item.expires_at).collect();
        let lapsed = ends.iter().filter(|end| **end <= self.now).count();
        let living =
            || ends.iter().filter(|end| **end > self.now).map(|end| days_left(*end, self.now, self.zone));
        let mut parts = Vec::new();
        if lapsed > 0 {
            parts.push(format!("{lapsed} lapsed"));
        }
        if let (Some(least), Some(most)) = (living().min(), living().max()) {
            let span = if least == most { least.to_string() } else { format!("{least}–{most}") };
            let days = if most == 1 && least == 1 { "day" } else { "days" };
            parts.push(format!("{} with {span} {days} left", living().count()));
        }
        if items.len() > ends.len() {
            parts.push(format!("{} new", items.len() - ends.len()));
        }
        parts.join(", ")
    }

    /// Keys by their reason, most first; named where they are few.
    fn reasons<'k>(&self, keys: impl Iterator<Item = (&'k LicenseId, &'k str)>) -> String {
        let mut by_reason: BTreeMap<&str, Vec<&LicenseId>> = BTreeMap::new();
        keys.for_each(|(key, why)| by_reason.entry(why).or_default().push(key));
        let mut sorted: Vec<_> = by_reason.into_iter().collect();
        sorted.sort_by_key(|(_, keys)| std::cmp::Reverse(keys.len()));
        let told = |(why, keys): (&str, Vec<&LicenseId>)| {
            let mut line = format!("  {}, {why}", licenses(keys.len()));
            if keys.len() <= NAMED {
                let named: Vec<_> = keys.iter().map(|key| key.to_string()).collect();
                line.push_str(&format!(": {}", named.join(", ")));
            }
            self.folded(&line, "    ")
        };
        sorted.into_iter().map(told).collect()
    }

    fn proposal(&self, proposal: &SpreadProposal) -> String {
        let SpreadProposal { take, along, leave, per_day } = proposal;
        let mut text = self.folded(
            &format!(
                "Proposal (--spread): take {}, take along {}, leave {} for the next days; {per_day} a day will do. \
                 Applied only with --spread.",
                take.len(),
                along.len(),
                leave.len()
            ),
            "  ",
        );
        let listed = along.iter().chain(leave);
        text.push_str(&self.reasons(listed.map(|choice| (&choice.key, choice.why.as_str()))));
        text
    }

    /// The line, broken between words where the page is narrower; what follows is indented. A word that is wider than
    /// the page stays whole: it may be what a person copies.
    fn folded(&self, line: &str, indent: &str) -> String {
        let mut text = String::new();
        let mut column = 0;
        // The blanks before a word belong to it, so that columns stay as they were laid out.
        for word in words(line) {
            let wide = word.width();
            if column > 0 && column + wide > self.width && !text.trim().is_empty() {
                text.push('\n');
                text.push_str(indent);
                text.push_str(word.trim_start());
                column = indent.width() + word.trim_start().width();
            } else {
                text.push_str(word);
                column += wide;
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// The words of a line, each with the blanks before it.
fn words(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[blanks..].find(' ').map_or(rest.len(), |at| blanks + at);
        let (word, after) = rest.split_at(end);
        found.push(word);
        rest = after;
    }
    found
}

/// An admin, and how many licenses are theirs.
fn who(of_admin: &[&PlannedLicense]) -> String {
    let name = of_admin.first().map_or("", |item| item.username.as_str());
    format!("{name}: {}", licenses(of_admin.len()))
}

/// What a dry run prints as JSON.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PlanDocument {
    schema: u8,
    /// RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    generated_at: Timestamp,
    profile: String,
    /// In the order in which they would be opened.
    planned: Vec<PlannedJson>,
    left_out: Vec<ChoiceJson>,
    groups: GroupsJson,
    /// `null` if the spread of expiries wasn't checked.
    spread: Option<SpreadJson>,
}

/// One license whose admin would be asked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PlannedJson {
    ubi: Option<String>,
    license: String,
    name: Option<String>,
    /// The admin who would be asked.
    username: String,
    purpose: Purpose,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    /// The reason in words.
    why: String,
}

/// One license, and the reason in words.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ChoiceJson {
    ubi: Option<String>,
    license: String,
    why: String,
}

/// The planned licenses, counted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct GroupsJson {
    admins: Vec<AdminJson>,
    companies: Vec<CompanyJson>,
}

/// How many of the planned licenses one admin would be asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AdminJson {
    username: String,
    licenses: usize,
}

/// How many of the planned licenses are one company's.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CompanyJson {
    ubi: Option<String>,
    licenses: usize,
}

/// The plan with `--spread`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SpreadJson {
    /// The number of renewals a day that is enough for now.
    per_day: usize,
    /// Due, and renewed now.
    take: Vec<ChoiceJson>,
    /// Not due yet, but renewed now, because too many grants expire on the same day.
    along: Vec<ChoiceJson>,
    /// Due, and postponed.
    leave: Vec<ChoiceJson>,
}

impl ChoiceJson {
    fn of(key: &LicenseId, why: &str) -> Self {
        Self {
            ubi: key.ubi.number().map(str::to_owned),
            license: key.license.to_string(),
            why: why.to_owned(),
        }
    }

    fn all(choices: &[SpreadChoice]) -> Vec<Self> {
        choices.iter().map(|choice| Self::of(&choice.key, &choice.why)).collect()
    }
}

impl PlanDocument {
    /// The document of a plan at `now`. Every license stands in it, however many they are.
    pub fn of(plan: &Plan, profile: &str, now: Timestamp, proposal: Option<&SpreadProposal>) -> Self {
        let planned = |item: &PlannedLicense| PlannedJson {
            ubi: item.key.ubi.number().map(str::to_owned),
            license: item.key.license.to_string(),
            name: item.name.as_ref().map(ToString::to_string),
            username: item.username.to_string(),
            purpose: item.purpose,
            expires_at: item.expires_at,
            why: item.why.clone(),
        };
        Self {
            schema: DOCUMENT_VERSION,
            generated_at: whole_second(now),
            profile: profile.to_owned(),
            planned: plan.items.iter().map(planned).collect(),
            left_out: plan.left_out.iter().map(|it| ChoiceJson::of(&it.key, &it.why)).collect(),
            groups: GroupsJson::of(plan),
            spread: proposal.map(|it| SpreadJson {
                per_day: it.per_day,
                take: ChoiceJson::all(&it.take),
                along: ChoiceJson::all(&it.along),
                leave: ChoiceJson::all(&it.leave),
            }),
        }
    }
}

impl GroupsJson {
    fn of(plan: &Plan) -> Self {
        let mut admins: BTreeMap<String, AdminJson> = BTreeMap::new();
        let mut companies: BTreeMap<&Ubi, usize> = BTreeMap::new();
        for item in &plan.items {
            let first = || AdminJson { username: item.username.to_string(), licenses: 0 };
            admins.entry(admin(item)).or_insert_with(first).licenses += 1;
            *companies.entry(&item.key.ubi).or_default() += 1;
        }
        let company =
            |(ubi, licenses): (&Ubi, usize)| CompanyJson { ubi: ubi.number().map(str::to_owned), licenses };
        Self {
            admins: admins.into_values().collect(),
            companies: companies.into_iter().map(company).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{Generation, License, StoreName, Username};
    use crate::model::plan::LeftOut;
    use jiff::SignedDuration;
    use serde_json::json;

    const STORES: [&str; 6] =
        ["Hudson St", "Zoë's 店", "Canal", "A very long name of a store on Long Island", "", "👍🏽 Green"];

    fn now() -> Timestamp {
        "2026-03-02T15:00:00Z".parse().unwrap()
    }

    fn view(width: u16) -> View {
        View { now: now(), profile: Some("ny".into()), color: false, width: Some(width) }
    }

    fn key(company: usize, number: usize) -> LicenseId {
        LicenseId {
            ubi: Ubi::parse(&format!("60400{company:04}")).unwrap(),
            license: License::parse(&format!("101-X{number:04}-D1")).unwrap(),
        }
    }

    fn planned(number: usize, per_company: usize, per_admin: usize) -> PlannedLicense {
        let days = (number as i64 * 5) % 17 - 3;
        let (purpose, expires_at, why) = match number % 6 {
            5 => (Purpose::Register, None, "asked for, never granted".to_owned()),
            _ if days < 0 => (Purpose::Renew, Some(days), format!("lapsed {} days ago", -days)),
            _ => (Purpose::Renew, Some(days), "due".to_owned()),
        };
        let half = SignedDuration::from_hours(12);
        PlannedLicense {
            key: key(number / per_company, number),
            username: Username::parse(&format!("admin{}@store.example", number / per_admin)).unwrap(),
            named: None,
            purpose,
            name: StoreName::parse(STORES[number % STORES.len()]).ok(),
            ocm_license: None,
            contact: None,
            tags: Vec::new(),
            expires_at: expires_at.map(|days| now() + SignedDuration::from_hours(24 * days) + half),
            base: Generation(1),
            why,
        }
    }

    fn plan_of(count: usize, per_company: usize, per_admin: usize) -> Plan {
        let items = (0..count).map(|number| planned(number, per_company, per_admin)).collect();
        Plan { items, left_out: Vec::new() }.ordered()
    }

    fn left_out(plan: &mut Plan, count: usize, why: &str) {
        let first = 900 + plan.left_out.len();
        plan.left_out
            .extend((first..first + count).map(|number| LeftOut { key: key(9, number), why: why.into() }));
    }

    fn proposal() -> SpreadProposal {
        let choices = |from: usize, count: usize, why: &str| {
            (from..from + count).map(|n| SpreadChoice { key: key(2, n), why: why.into() }).collect()
        };
        SpreadProposal {
            take: choices(0, 3, "2 days left"),
            along: choices(
                10,
                2,
                "renewed early: 200 licenses expire on 2026-05-03, compared with 4 on a usual day",
            ),
            leave: choices(20, 12, "12 days left: postponed, so that no more than 4 expire on one day"),
            per_day: 4,
        }
    }

    #[test]
    fn twelve_licenses_are_told_one_by_one() {
        let mut it = plan_of(12, 7, 4);
        left_out(&mut it, 3, "registered already");
        left_out(&mut it, 14, "deactivated");
        let text = plan(&it, Some(&proposal()), &view(80), &TimeZone::UTC);
        assert!(
            text.starts_with("3 admins of 2 companies (UBI) would be asked about 12 licenses.\n\nUBI "),
            "{text}"
        );
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        assert_eq!(text.matches("101-X000").count(), 10, "{text}");
    }

    #[test]
    fn an_admin_of_many_is_cut_short_and_json_keeps_all() {
        let it = plan_of(42, 42, 42);
        let text = plan(&it, None, &view(80), &TimeZone::UTC);
        assert!(text.contains("\n    and 37 more: "), "{text}");
        assert_eq!(text.lines().count(), 3 + 1 + FIRST + 1, "{text}");
        let document = serde_json::to_value(PlanDocument::of(&it, "ny", now(), None)).unwrap();
        assert_eq!(document["planned"].as_array().unwrap().len(), 42);
        assert_eq!(
            document["groups"]["admins"],
            json!([{"username": "admin0@store.example", "licenses": 42}])
        );
        assert_eq!(document["spread"], json!(null));
    }

    #[test]
    fn three_hundred_are_a_page_of_admins() {
        let text = plan(&plan_of(300, 14, 5), None, &view(80), &TimeZone::UTC);
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        // The sum, how things stand, each company, its admins, and the way to more.
        let it = plan_of(300, 14, 5);
        assert_eq!(text.lines().count(), 3 + 22 + Groups::of(&it).of_admins.len() + 2, "{text}");
        assert!(
            text.contains("\n  admin0@store.example: 5 licenses   1 lapsed, 4 with 1–13 days left\n"),
            "{text}"
        );
    }

    #[test]
    fn nothing_to_do_is_said() {
        assert_eq!(plan(&Plan::default(), None, &view(80), &TimeZone::UTC), "No admin would be asked.\n");
    }

    #[test]
    fn a_narrow_page_breaks_between_words_and_cuts_no_license() {
        let mut it = plan_of(3, 7, 4);
        it.items[0].key.license = License::parse(&"L".repeat(64)).unwrap();
        let text = plan(&it, None, &view(50), &TimeZone::UTC);
        assert!(text.contains(&"L".repeat(64)), "{text}");
        assert!(text.lines().filter(|line| !line.contains("LLL")).all(|line| line.width() <= 50), "{text}");
    }

    #[test]
    fn the_document_is_what_its_schema_says() {
        let mut it = plan_of(12, 7, 4);
        left_out(&mut it, 1, "deactivated");
        let document = PlanDocument::of(&it, "ny", now(), Some(&proposal()));
        let document = serde_json::to_value(document).unwrap();
        let schema = serde_json::from_str(&crate::report::schema::<PlanDocument>()).unwrap();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(document["planned"][1]["purpose"], "renew");
        assert_eq!(document["spread"]["per_day"], 4);
        assert_eq!(document["spread"]["leave"].as_array().unwrap().len(), 12);
        assert_eq!(document["groups"]["companies"][1], json!({"ubi": "604000001", "licenses": 5}));
    }
}
