//! Files that a person gives: configuration, lists of licenses, records that were exported, and what is written again.

use biotrack_auth::config::{Config, missing};
use biotrack_auth::custody::Bundle;
use biotrack_auth::error::RowProblem;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::ids::{License, LicenseId, Tag, Ubi, Username};
use biotrack_auth::model::odd_cell::{OddText, suspicious_text};
use biotrack_auth::model::rows;
use biotrack_auth::model::secret::Sealable;
use biotrack_auth::model::transfer::{ExportDocument, FileTokens, ImportedRow, TokensHere, merge};
use biotrack_auth::report::{ImportDocument, export_csv, export_json};
use biotrack_auth::system::check_safe_to_open;
use std::path::Path;

/// A configuration: every refusal can be printed, and what is accepted leads nowhere but to addresses that may be called.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (config, problems) = Config::parse(Path::new("/home/ann/config.toml"), text);
    let accepted = problems.is_empty();
    for problem in problems {
        let told = problem.to_string();
        assert!(!told.to_uppercase().contains("AGE-SECRET-KEY-1"), "{told}");
        super::printable(&problem.into());
    }
    for name in config.names().iter().filter(|_| accepted) {
        let provider = config.provider(name).expect("a profile");
        let addresses =
            [provider.issuer.as_ref(), provider.authorize_url.as_ref(), provider.token_url.as_ref()];
        let further = [provider.revocation_url.as_ref(), provider.introspection_url.as_ref()];
        for address in addresses.into_iter().chain(further).flatten().chain([&provider.url]) {
            let known =
                address.starts_with("https://") || address.starts_with("http://") || address.is_empty();
            assert!(known && !address.contains(char::is_whitespace), "{address:?}");
        }
        if let Some(address) = &provider.authorize_url
            && address.is_ascii()
        {
            let _ = check_safe_to_open(address);
        }
        missing(&provider).into_iter().for_each(|lack| super::printable(&lack.into()));
        for setting in config.settings(name).expect("a profile") {
            super::harmless(&setting.key);
        }
    }
}

/// A list of licenses: all of its rows, or every complaint with its line.
pub fn rows(bytes: &[u8]) {
    let complaints = |complaints: Vec<RowProblem>| {
        assert!(!complaints.is_empty());
        for complaint in &complaints {
            super::harmless(&complaint.to_string());
        }
        let mut lines: Vec<u64> = complaints.iter().filter_map(|one| one.line).collect();
        lines.dedup();
        assert!(lines.is_sorted());
    };
    // Each reading builds tables for its delimiters, which takes ten times as long as the rest.
    if bytes.len().is_multiple_of(2) {
        return match rows::incoming(bytes, "ny") {
            Ok(sheet) => sheet.rows.iter().take(2).for_each(taken_in),
            Err(found) => complaints(found),
        };
    }
    match rows::registrations(bytes) {
        Ok(sheet) => {
            sheet.unused.iter().for_each(|name| super::harmless(name));
            for row in &sheet.rows {
                for name in [row.key.ubi.as_str(), row.key.license.as_str(), row.username.as_str()] {
                    super::harmless(name);
                }
            }
            assert!(sheet.rows.is_sorted_by_key(|row| row.line));
            // Whoever may be registered from it may be renewed from it.
            let renewed = rows::renewals(bytes).expect("fewer columns are needed");
            assert_eq!(renewed.rows.len(), sheet.rows.len());
        }
        Err(found) => {
            complaints(found);
            rows::renewals(bytes).map_or_else(complaints, drop);
        }
    }
}

/// A record that is taken in, written again and read again is the same.
fn taken_in(incoming: &ImportedRow) {
    let merged = merge(None, incoming, TokensHere::None, FileTokens::None);
    for line in ImportDocument::of(std::slice::from_ref(&merged), true).in_words().lines() {
        assert!(!line.chars().any(super::steers), "{line:?}");
    }
    let record = Authorization { held_elsewhere: false, ..merged.record };
    written_again(&record);
}

fn written_again(record: &Authorization) {
    let csv = export_csv(&[record]).expect("CSV");
    let texts = [
        ("ubi", Some(record.key.ubi.as_str())),
        ("license", Some(record.key.license.as_str())),
        ("username", Some(record.username.as_str())),
        ("name", record.name.as_ref().map(|it| it.as_str())),
        ("ocm_license", record.ocm_license.as_ref().map(|it| it.as_str())),
        ("contact", record.contact.as_ref().map(|it| it.as_str())),
        ("profile", Some(record.profile.as_str())),
        ("tags", record.tags.first().map(|it| it.as_str()).filter(|_| record.tags.len() == 1)),
    ];
    let wrong = |(column, text): &(&str, Option<&str>)| {
        text.is_some_and(|text| matches!(suspicious_text(column, text), Some(OddText::Wrong(_))))
    };
    if texts.iter().any(wrong) {
        // It came in a document: a spreadsheet's slips are looked for in a CSV alone.
        assert!(rows::incoming(csv.as_bytes(), "other").is_err());
        return;
    }
    let sheet = rows::incoming(csv.as_bytes(), "other").expect("our own CSV");
    let json = export_json(&[record]).expect("JSON");
    let mut document: ExportDocument = serde_json::from_str(&json).expect("our own JSON");
    let from_json = document.authorizations.pop().expect("a record").incoming(1).expect("our own record");
    assert_eq!(sheet.rows.len(), 1);
    for incoming in [&sheet.rows[0], &from_json] {
        let again = merge(None, incoming, TokensHere::None, FileTokens::None).record;
        assert_eq!(&Authorization { held_elsewhere: false, ..again }, record);
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    for cell in
        reader.records().flat_map(|row| row.expect("a row").iter().map(str::to_owned).collect::<Vec<_>>())
    {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
    }
}

/// Records as JSON.
pub fn import_json(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<ExportDocument>(bytes) else { return };
    for (at, record) in document.authorizations.into_iter().enumerate() {
        match record.incoming(at + 1) {
            Ok(incoming) => taken_in(&incoming),
            Err(complaint) => super::harmless(&complaint.to_string()),
        }
    }
}

/// An opened bundle: records, and tokens that are their own license's.
pub fn bundle(bytes: &[u8]) {
    let bundle = match Bundle::read(&Sealable::from_bytes(bytes.to_vec()), "moving.age") {
        Ok(bundle) => bundle,
        Err(e) => return super::printable(&e),
    };
    for (at, row) in bundle.rows.into_iter().enumerate() {
        let Ok(incoming) = row.record.incoming(at + 1) else { continue };
        taken_in(&incoming);
        let Some(tokens) = row.tokens else { continue };
        match Granted::from_sealable(&tokens, &incoming.record.key) {
            Ok(granted) => {
                let again =
                    Granted::from_sealable(&granted.to_sealable(&incoming.record.key), &incoming.record.key);
                assert_eq!(again.expect("what was sealed").access.expose(), granted.access.expose());
                let other = LicenseId { ubi: incoming.record.key.ubi.clone(), license: super::key().license };
                assert!(other == incoming.record.key || Granted::from_sealable(&tokens, &other).is_err());
            }
            Err(e) => super::printable(&e),
        }
    }
}

/// Names as cells: no spreadsheet runs one, and each reads back. They stand one after the other, with an 0xFF between.
pub fn cells(bytes: &[u8]) {
    let texts: Vec<_> = bytes.split(|byte| *byte == 0xff).map(String::from_utf8_lossy).collect();
    let text = |at: usize| texts.get(at).map_or("x", |text| text.as_ref());
    let (Ok(ubi), Ok(license), Ok(username)) =
        (Ubi::parse(text(0)), License::parse(text(1)), Username::parse(text(2)))
    else {
        return;
    };
    let mut record = Authorization::asked("ny", LicenseId { ubi, license }, username);
    record.name = text(3).parse().ok();
    record.contact = text(4).parse().ok();
    record.ocm_license = text(5).parse().ok();
    record.tags = texts.iter().skip(6).filter_map(|tag| Tag::parse(tag).ok()).collect();
    record.tags.sort();
    record.tags.dedup();
    written_again(&record);
}
