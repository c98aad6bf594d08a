//! The settings as people look them up: `docs/settings.md`, made of the declarations. The test writes it anew where it's
//! stale, and fails; the next run passes.

use super::presets::Preset;
use super::settings::{DeclaredValue, FILE, INSTALLATION, PROVIDER, Setting};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const HEAD: &str = "<!-- Made of the declarations in src/config/settings: `cargo test --locked reference` writes it anew. -->

# Settings

Every setting of `config.toml`. If the file doesn't set one, its value comes from the profile's preset, then from the default below.
`biotrack-auth config show --origin` shows each value and its source; `biotrack-auth config check` checks them all.
`biotrack-auth config set KEY VALUE` changes one setting and leaves the rest of the file as it is; a profile's key is `profiles.NAME.KEY` there.
Put texts in quotes; one with backslashes, such as a path on Windows, in single quotes. You can also write a key with a dot in a table:
`redirect.port` is `port` under `[profiles.NAME.redirect]`.
The [provider guide](provider.md) says what to settle with a provider first.
";

fn shown(given: DeclaredValue) -> String {
    match given {
        DeclaredValue::Is(value) => format!("`{value}`"),
        DeclaredValue::Open(_) => "–".into(),
    }
}

fn table<T>(title: &str, about: &str, settings: &[Setting<T>]) -> String {
    let mut text =
        format!("\n## {title}\n\n{about}\n\n| setting | meaning | takes | default |\n|---|---|---|---|\n");
    for setting in settings {
        let cells = [setting.doc.to_owned(), setting.kind.takes(), shown(setting.default)];
        writeln!(text, "| `{}` | {} |", setting.key, cells.join(" | ")).unwrap();
    }
    text
}

/// What a preset gives, as a table.
fn preset(preset: Preset) -> String {
    let mut text = format!("\n### {}\n\n| setting | value | |\n|---|---|---|\n", preset.name());
    for setting in PROVIDER {
        for by in setting.preset_values(preset) {
            writeln!(text, "| `{}` | {} | {} |", setting.key_of(by), shown(by.given), by.remark).unwrap();
        }
    }
    text
}

fn reference() -> String {
    let presets = "What each preset gives in place of a default. What is `unverified` was found in public code and never tried \
                   against BioTrack; what is `needed` has no public value at all.";
    [
        HEAD.to_owned(),
        table("The file", "Outside the profiles, for all of them.", FILE),
        table(
            "The provider",
            "In a profile (`[profiles.NAME]`): what the provider is like, and who the integrator is.",
            PROVIDER,
        ),
        table("This installation", "In a profile: what belongs to this installation alone.", INSTALLATION),
        format!("\n## The presets\n\n{presets}\n"),
        Preset::ALL.map(preset).concat(),
    ]
    .concat()
}

#[test]
fn the_shipped_reference_is_what_the_settings_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let made = reference();
    if fs::read_to_string(&file).unwrap_or_default() != made {
        fs::write(&file, made).unwrap();
        panic!("docs/settings.md was stale and is written anew: look at it and commit");
    }
}
