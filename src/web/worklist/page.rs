//! The worklist as a document. Its script changes text and attributes only; the style gives each state its sign.

use super::state::{WorklistRow, WorklistState};
use super::view::{WorklistEntry, WorklistView};
use crate::model::plan::Progress;
use crate::model::run_counts::RunCounts;
use crate::web::listener::{Page, policy_hash};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use std::sync::LazyLock;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| policy_hash(STYLE));
static SCRIPT_HASH: LazyLock<String> = LazyLock::new(|| policy_hash(SCRIPT));

/// What is counted: the word that the style and the script know it by, and whether it's told while it's none.
const COUNTS: [(&str, bool); 6] = [
    ("left", true),
    ("granted", true),
    ("held", false),
    ("handed_off", false),
    ("failed", false),
    ("skipped", false),
];

pub(super) fn render(path: &str, view: &WorklistView, state: &WorklistState) -> Page {
    let left = count(state.rows(), "left");
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { @match state.ended_as() { Some(_) => "Ended · worklist", None => { (left) " left · worklist" } } }
                style { (PreEscaped(STYLE)) }
            }
            body data-over=[state.ended_as().map(|_| "ended")] {
                header {
                    p.program { "biotrack-auth" span.profile { "profile " (view.profile) } }
                    h1 { "Worklist" }
                    p.counts #counts role="status" {
                        @for (word, always) in COUNTS {
                            @let number = count(state.rows(), word);
                            span data-count=(word) hidden[number == 0 && !always] { b { (number) } " " (label(word)) }
                        }
                    }
                    progress #done max=(view.entries.len()) value=(view.entries.len() - left) aria-label="Licenses done" {}
                }
                main {
                    noscript { p.banner { "This list doesn’t update automatically, because scripts are off in this browser. Reload the page to see the current state." } }
                    div.banner.note #notice role="alert" {
                        @if let Some(text) = state.noticed() { p { (text) } }
                    }
                    div.banner.end #end role="alert" {
                        @if let Some(text) = state.ended_as() { p { (text) } }
                    }
                    (facts(view))
                    (tools(state.rows()))
                    @if state.ended_as().is_none() { (answer()) }
                    (table(path, view, state))
                    p.nothing #nothing hidden { "No license matches. Clear the filter, or choose another state." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Page::html(200, document.into_string()).styled(&STYLE_HASH).scripted(&SCRIPT_HASH)
}

fn facts(view: &WorklistView) -> Markup {
    html! {
        section.facts aria-labelledby="facts" {
            h2 #facts { "What the Grant Access page must show" }
            dl {
                @for (label, value) in &view.facts { div { dt { (label) } dd { (value) } } }
                div { dt { "UBI and location" } dd { "as in the row" } }
            }
            p { "If anything differs, don’t grant access: close the page and skip the license." }
        }
    }
}

/// What needs the script stays hidden without it.
fn tools(rows: &[WorklistRow]) -> Markup {
    html! {
        div.tools #tools role="search" hidden {
            label.filter { span { "Filter" } input #filter type="search" autocomplete="off" spellcheck="false"
                placeholder="License, UBI, store or admin" aria-keyshortcuts="/"; }
            fieldset.states {
                legend { "State" }
                label { input type="radio" name="state" value="all" checked; span { "All " b { (rows.len()) } } }
                @for (word, _) in COUNTS {
                    label { input type="radio" name="state" value=(word); span data-chip=(word) { (label(word)) " " b { (count(rows, word)) } } }
                }
            }
            p.keys {
                label { input #keys type="checkbox" checked aria-label="Keys: slash for the filter, n for the next waiting license"; " Keys:" }
                span { kbd { "/" } " filter" }
                span { kbd { "n" } " next waiting" }
            }
            p.shown #shown role="status" {}
        }
    }
}

/// The field for what an admin elsewhere sent back. Without the script it stays hidden.
fn answer() -> Markup {
    html! {
        div.answer #answer hidden {
            label { span { "Pasted answer" } textarea #pasted rows="2" autocomplete="off" spellcheck="false"
                placeholder="Paste the address that the admin sent back, or the whole mail" {} }
            button type="button" #take { "Submit" }
            span #said role="status" {}
        }
    }
}

fn table(path: &str, view: &WorklistView, state: &WorklistState) -> Markup {
    let numbered: Vec<_> = view.entries.iter().zip(state.rows()).enumerate().collect();
    let over = state.ended_as().is_some();
    html! {
        table #list data-seq=(state.seq()) {
            caption.aside { "The licenses of this run, grouped by admin user" }
            thead {
                tr {
                    th scope="col" { "State" }
                    th scope="col" { "License" }
                    th scope="col" { "UBI" }
                    th scope="col" { "Grant expires" }
                    th scope="col" { "Details" }
                    th scope="col" { "Actions" }
                }
            }
            @for group in numbered.chunk_by(|(_, (a, _)), (_, (b, _))| a.username.same_as(b.username.as_str())) {
                @let (_, (first, _)) = group[0];
                tbody {
                    tr.admin {
                        th scope="rowgroup" colspan="6" {
                            bdi { (first.username) }
                            span { (group.len()) @if group.len() == 1 { " license" } @else { " licenses" }
                                " · sign in to BioTrack as this admin" }
                        }
                    }
                    @for (n, (entry, row)) in group { (line(path, *n, entry, row, over)) }
                }
            }
        }
    }
}

fn line(path: &str, n: usize, entry: &WorklistEntry, row: &WorklistRow, over: bool) -> Markup {
    html! {
        tr data-n=(n) data-state=(row.progress) data-awaiting=[some(&row.awaiting())] data-link=[some(&row.link())] {
            td.state { i aria-hidden="true" {} span { (capitalized(&label(row.progress.word()))) } }
            th.license scope="row" {
                bdi { (entry.key.license) }
                @if let Some(name) = &entry.name { small { bdi { (name) } } }
                @if let Some(ocm) = &entry.ocm_license { small { span.aside { "OCM license " } bdi { (ocm) } } }
            }
            td.ubi { (entry.key.ubi) }
            td.expires { @match &row.expires { Some(expires) => (expires), None => "–" } }
            td.known { span { (row.detail) } small { (row.why) } }
            td.do {
                a href={ (path) "/go/" (n) } target="_blank" rel="noopener noreferrer"
                    aria-label={ "Grant Access for " (entry.key.license) ", opens a new tab" }
                    hidden[over || !matches!(row.progress, Progress::Waiting | Progress::Opened)] { "Grant Access" }
            }
        }
    }
}

fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a state is called.
fn label(word: &str) -> String {
    match word {
        "held" => "awaiting approval".into(),
        word => word.replace('_', " "),
    }
}

/// What the script finds beside a row.
fn some(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

fn count(rows: &[WorklistRow], word: &str) -> usize {
    // A run's own word in the ledger, and so the style's and the script's.
    let word = if word == "held" { "awaiting_approval" } else { word };
    let counts = RunCounts::under_way(rows.iter().map(|row| row.progress)).by_word();
    counts.into_iter().find(|(known, _)| *known == word).map_or(0, |(_, count)| count)
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, STYLE};

    #[test]
    fn style_and_script_end_no_element_and_put_nothing_in_as_markup() {
        assert!(!STYLE.contains('<') && !STYLE.contains("url(") && !STYLE.contains("@import"));
        for never in
            ["</", "<!--", "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "://"]
        {
            assert!(!SCRIPT.contains(never), "{never}");
        }
    }
}
