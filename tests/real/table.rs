//! The table of `status` on a real terminal: narrow, wide, light, dark, and with names that are hard to cut.

use crate::support::Rig;
use crate::support::screen::Screen;
use crate::support::seed::{named, store};
use biotrack_auth::model::authorization::Authorization;
use unicode_width::UnicodeWidthStr;

const AT: &str = "2026-03-01T12:00:00Z";

fn rig() -> Rig {
    let rig = Rig::new();
    let gone = Authorization {
        deactivated_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..named("L-6", "Closed", "2026-06-10T12:00:00Z")
    };
    let held = Authorization {
        held_by: Some("boss@example.com".into()),
        revocation_pending: true,
        ..named("L-5", "Canal St", "2026-06-10T12:00:00Z")
    };
    rig.seed(&[
        named(
            &"X".repeat(64),
            "A name of a store that is far longer than any terminal of eighty columns could show",
            "2026-03-11T12:00:00Z",
        ),
        named(
            "101-X0002-D1",
            "漢字の店漢字の店漢字の店漢字の店漢字の店漢字の店漢字の店",
            "2026-02-20T12:00:00Z",
        ),
        named("101-X0003-D1", "🌿🌿 Green 👩 Leaf 🇺🇸 🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿", "2026-06-11T12:00:00Z"),
        named("101-X0004-D1", "Hudson St", "2026-06-12T12:00:00Z"),
        store("101-X0007-D1", "2026-06-13T12:00:00Z"),
        held,
        gone,
    ]);
    rig
}

fn shown(rig: &Rig, width: u16, arguments: &str) -> (String, String) {
    let screen = Screen::new(rig.home(), width, &["bash", "--norc", "--noprofile", "-i"]);
    screen
        .types(&format!("PS1=; clear; biotrack-auth status --at {AT} {arguments}; echo do''ne"))
        .key("Enter");
    let seen = screen.shows("done");
    (seen, screen.colored())
}

/// One line a license, none wider than the terminal, and the dates of all in one column.
fn well_laid(seen: &str, width: usize) {
    let lines: Vec<_> = seen.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 8, "{seen}");
    assert!(seen.lines().all(|line| line.width() <= width), "{seen}");
    let column = lines[0][..lines[0].find("EXPIRATION DATE").unwrap_or_else(|| panic!("{seen}"))].width();
    let dates = lines[1..7].iter().map(|line| line[..line.find("2026-0").unwrap()].width());
    assert!(dates.clone().all(|at| at == column), "{column}: {:?}\n{seen}", dates.collect::<Vec<_>>());
    let signs = ["✗ expired", "! due", "✓ active", "✓ active", "✓ active", "✓ active", "– deactivated"];
    assert!(lines[1..].iter().zip(signs).all(|(line, sign)| line.starts_with(sign)), "{seen}");
}

#[test]
fn eighty_columns_show_what_matters_and_cut_the_rest() {
    let (seen, _) = shown(&rig(), 80, "");
    well_laid(&seen, 80);
    for words in ["XXXXXXXXXXX…", "A name of a…", "漢字の店漢…", "🌿🌿 Green…", "  Hudson St  ", "revocati…"]
    {
        assert!(seen.contains(words), "no {words} in\n{seen}");
    }
    assert!(!seen.contains("ADMIN USER"), "{seen}");
}

#[test]
fn the_colors_are_the_themes_own_and_can_be_refused() {
    let rig = rig();
    let (_, colored) = shown(&rig, 80, "");
    // Not the bright ones, which vanish on a light ground; tmux writes the plain ones in either form.
    for (code, sign) in [("1", "✗ expired"), ("3", "! due"), ("2", "✓ active")] {
        let forms = [format!("\u{1b}[3{code}m{sign}"), format!("\u{1b}[38;5;{code}m{sign}")];
        assert!(forms.iter().any(|form| colored.contains(form)), "{colored}");
    }
    let (_, plain) = shown(&rig, 80, "--color never");
    assert!(!plain.contains('\u{1b}') && plain.contains("✗ expired"), "{plain}");
}

#[test]
fn piped_it_is_plain_and_whole() {
    let rig = rig();
    for color in [&["status", "--at", AT][..], &["status", "--at", AT, "--color", "never"]] {
        let out = rig.run(color).exits(0).says_nothing().out;
        assert!(!out.contains('\u{1b}') && !out.contains('…'), "{out}");
        assert!(!out.chars().any(|c| ('\u{2500}'..='\u{257f}').contains(&c) || c == '|'), "{out}");
        assert!(out.contains(&"X".repeat(64)) && out.contains("could show  "), "{out}");
    }
    let out = rig.run(&["status", "--at", AT, "--color", "always"]).exits(0).out;
    assert!(out.contains("\u{1b}[38;5;1m✗ expired"), "{out:?}");
}
