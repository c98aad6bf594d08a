//! What is told everywhere is told in one place: no other file writes it in its own way.

use super::layers::sources;
use biotrack_auth::model::run_counts::RunCounts;
use biotrack_auth::report::RunEvent;
use std::fs;
use std::path::Path;

/// What only some files may say: the word, whose it is, and where to go instead.
const ONCE: &[(&str, &[&str], &str)] = &[
    ("strftime", &["src/model/instant.rs"], "an instant is written by model::instant"),
    ("|at| at.to_string()", &[], "an instant is written by model::instant"),
    ("now.to_string()", &[], "an instant is written by model::instant"),
    ("02x}", &[], "bytes are written by hex::encode"),
    ("\"license\", \"licenses\"", &["src/error/text.rs"], "a number of licenses is told by error::licenses"),
];

#[test]
fn nobody_tells_in_their_own_words_what_has_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for path in sources(&root.join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        for (word, may, instead) in ONCE {
            if text.contains(word) && !may.contains(&name.as_str()) {
                wrong.push(format!("{name}: `{word}`: {instead}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_place_still_says_what_it_may() {
    for (word, may, _) in ONCE {
        for file in *may {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            assert!(text.contains(word), "{file} doesn't say `{word}` any more: take it off the list");
        }
    }
}

#[test]
fn events_have_whole_seconds() {
    let at = "2026-12-04T15:05:59.999Z".parse().unwrap();
    let event = serde_json::to_value(RunEvent::summary(at, RunCounts::default(), 0, None)).unwrap();
    assert_eq!(event["at"], "2026-12-04T15:05:59Z");
}
