//! Licenses of a file that are very like another one, and companies' numbers that lost a zero: a slip is likelier than that.

use super::ids::{LicenseId, SimilarityKey};
use crate::error::RowProblem;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many rows make a length the usual one.
const USUAL: usize = 3;

/// What is likely a slip among the rows of a file, each with its line, and beside what is known already. Said, never refused.
pub fn likely_typos<'k>(
    rows: &[(u64, &'k LicenseId)],
    known: impl IntoIterator<Item = &'k LicenseId>,
) -> Vec<RowProblem> {
    let known: HashSet<&LicenseId> = known.into_iter().collect();
    let lines: HashMap<&LicenseId, u64> = rows.iter().map(|(line, key)| (*key, *line)).collect();
    let mut notes = Vec::new();
    likenesses(rows, &known, &lines, &mut notes);
    companies(rows, &known, &mut notes);
    notes.sort_by_key(|note| note.line);
    notes
}

/// New licenses that are very like a known one, or another of the file, of the same company.
fn likenesses(
    rows: &[(u64, &LicenseId)],
    known: &HashSet<&LicenseId>,
    lines: &HashMap<&LicenseId, u64>,
    notes: &mut Vec<RowProblem>,
) {
    let (mut by_bare, mut by_stem) =
        (HashMap::<_, Vec<&LicenseId>>::new(), HashMap::<_, Vec<&LicenseId>>::new());
    let mut all: Vec<&LicenseId> = rows.iter().map(|(_, key)| *key).collect();
    let mut others: Vec<&LicenseId> = known.iter().filter(|key| !lines.contains_key(*key)).copied().collect();
    others.sort();
    all.extend(others);
    for key in all {
        let SimilarityKey { bare, stem } = key.license.likeness();
        by_bare.entry((&key.ubi, bare)).or_default().push(key);
        if let Some(stem) = stem {
            by_stem.entry((&key.ubi, stem)).or_default().push(key);
        }
    }
    for (line, key) in rows.iter().filter(|(_, key)| !known.contains(key)) {
        let SimilarityKey { bare, stem } = key.license.likeness();
        let (bare, stem) = ((&key.ubi, bare), stem.map(|stem| (&key.ubi, stem)));
        let like = [by_bare.get(&bare), stem.and_then(|stem| by_bare.get(&stem)), by_stem.get(&bare)];
        let other = like.into_iter().flatten().flatten().find(|other| other.license != key.license);
        if let Some(other) = other {
            let place = match lines.get(other) {
                Some(line) => format!("in line {line}"),
                None => "which is already registered".to_owned(),
            };
            let problem = format!(
                "{} is very similar to {}, {place}. Make sure it is a different location",
                key.license, other.license
            );
            notes.push(RowProblem { line: Some(*line), column: Some("license"), problem });
        }
    }
}

/// Companies' numbers that are like another one but for zeros at the beginning, or shorter than all others.
fn companies(rows: &[(u64, &LicenseId)], known: &HashSet<&LicenseId>, notes: &mut Vec<RowProblem>) {
    let number = |key: &LicenseId| {
        let ubi = key.ubi.as_str();
        ubi.bytes().all(|byte| byte.is_ascii_digit()).then(|| ubi.to_owned())
    };
    let numbers: HashSet<String> =
        rows.iter().map(|(_, key)| *key).chain(known.iter().copied()).filter_map(number).collect();
    let mut lengths = BTreeMap::<usize, usize>::new();
    let mut whole = HashMap::<&str, &str>::new();
    for ubi in &numbers {
        *lengths.entry(ubi.len()).or_default() += 1;
        let longest = whole.entry(ubi.trim_start_matches('0')).or_insert(ubi);
        if ubi.len() > longest.len() {
            *longest = ubi;
        }
    }
    let usual = lengths.iter().max_by_key(|(_, count)| **count).filter(|(_, count)| **count >= USUAL);
    for (line, key) in rows.iter().filter(|(_, key)| !known.contains(key)) {
        let Some(ubi) = number(key) else { continue };
        let longest = whole.get(ubi.trim_start_matches('0')).filter(|longest| longest.len() > ubi.len());
        let problem = match (longest, usual) {
            (Some(longest), _) => format!("{ubi} is {longest} without its leading zeros"),
            (None, Some((usual, _))) if ubi.len() < *usual => format!(
                "{ubi} has {} digits, but most have {usual}: a spreadsheet may have removed leading zeros",
                ubi.len()
            ),
            _ => continue,
        };
        notes.push(RowProblem { line: Some(*line), column: Some("ubi"), problem });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{License, Ubi};

    fn key(text: &str) -> LicenseId {
        let (ubi, license) = text.split_once('/').unwrap();
        LicenseId { ubi: Ubi::parse(ubi).unwrap(), license: License::parse(license).unwrap() }
    }

    fn told(rows: &[&str], known: &[&str]) -> Vec<String> {
        let (rows, known): (Vec<_>, Vec<_>) =
            (rows.iter().map(|it| key(it)).collect(), known.iter().map(|it| key(it)).collect());
        let numbered: Vec<_> = rows.iter().enumerate().map(|(at, key)| (at as u64 + 2, key)).collect();
        likely_typos(&numbered, &known).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_license_that_is_like_another_is_told_with_where_that_stands() {
        assert_eq!(
            told(&["1/X-1", "1/x1", "2/X-1", "1/00123-D1", "1/123-D1"], &["1/Y-7-D1", "1/X-1"]),
            [
                "line 3, column license: x1 is very similar to X-1, in line 2. Make sure it is a different location",
                "line 5, column license: 00123-D1 is very similar to 123-D1, in line 6. Make sure it is a different location",
                "line 6, column license: 123-D1 is very similar to 00123-D1, in line 5. Make sure it is a different location",
            ]
        );
        assert_eq!(
            told(&["1/Y-7"], &["1/Y-7-D1"]),
            [
                "line 2, column license: Y-7 is very similar to Y-7-D1, which is already registered. Make sure it is a different location"
            ]
        );
    }

    #[test]
    fn a_number_that_lost_its_zeros_is_told() {
        assert_eq!(
            told(&["4001234/A-1", "604001235/A-2", "604001236/A-3"], &["004001234/B-1", "604001237/B-2"]),
            ["line 2, column ubi: 4001234 is 004001234 without its leading zeros"]
        );
        assert_eq!(
            told(&["4001234/A-1", "604001235/A-2", "604001236/A-3", "604001237/A-4"], &[]),
            [
                "line 2, column ubi: 4001234 has 7 digits, but most have 9: a spreadsheet may have removed leading zeros"
            ]
        );
        assert!(told(&["1/A-1", "22/A-2", "none/A-3"], &[]).is_empty());
    }
}
