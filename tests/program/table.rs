//! The table of `status` on a real terminal: narrow, wide, light, dark, and with names that are hard to cut.

use crate::support::Rig;
use crate::support::screen::Screen;
use crate::support::seed::{named, store};
use biotrack_auth::model::authorization::Authorization;

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
        named("101-X0003-D1", "🌿🌿 Green 👩‍🌾 Leaf 🇺🇸 🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿", "2026-06-11T12:00:00Z"),
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
    (seen, screen.coloured())
}

#[test]
fn look() {
    let rig = rig();
    for width in [80, 200, 60, 40] {
        let (seen, coloured) = shown(&rig, width, "");
        let (seen, coloured) = (seen.trim_end(), coloured.trim_end());
        std::fs::write(format!("/tmp/ar/table{width}.txt"), format!("{seen}\n")).unwrap();
        std::fs::write(format!("/tmp/ar/table{width}.ansi"), format!("{coloured}\n")).unwrap();
    }
}
