//! What a setting is: its key, what it takes, where its value goes, and what holds where nobody gives one.

use crate::config::address::InvalidValue;
use crate::config::presets::Preset;
use crate::model::provider::PLACEHOLDERS;
use jiff::SignedDuration;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::Value;

/// One setting. Its value goes into a `T`: a profile's into its `Provider`, the file's own into the `Config`.
pub(in crate::config) struct Setting<T: 'static> {
    /// As the file has it, with dots. `NAME` at its end stands for any name.
    pub key: &'static str,
    /// What it says, in one sentence.
    pub doc: &'static str,
    /// What it takes, and where that goes.
    pub kind: SettingKind<T>,
    /// What holds where neither the file nor a preset says otherwise.
    pub default: DeclaredValue,
    /// What presets say.
    pub presets: &'static [PresetDefaults],
}

/// What a setting takes, and the function that puts it where it is used; no refused value gets there.
pub(in crate::config) enum SettingKind<T: 'static> {
    /// Any text. An empty one is none, and so switches a preset's value off.
    Text(fn(&mut T, String)),
    /// True or false.
    Flag(fn(&mut T, bool)),
    /// A port that a browser goes to.
    Port(fn(&mut T, u16)),
    /// Whole numbers in a range, at least one.
    Numbers(RangeInclusive<i64>, fn(&mut T, Vec<i64>)),
    /// Texts, each of which passes the check.
    Texts(fn(&str) -> Result<(), InvalidValue>, fn(&mut T, Vec<String>)),
    /// One of a few words.
    Words(&'static [Word<T>]),
    /// A length of time above zero.
    Time(fn(&mut T, SignedDuration)),
    /// A length of time, zero too.
    TimeOrZero(fn(&mut T, SignedDuration)),
    /// An address without a query. An empty one is none.
    Base(fn(&mut T, String)),
    /// An address that may begin with `{url}`; "none" switches a preset's off.
    Address(QueryRule, fn(&mut T, String)),
    /// A file, seen from the configuration's folder. An empty one is none.
    File(fn(&mut T, PathBuf)),
    /// A program and its arguments; no shell is used.
    Command(fn(&mut T, Vec<String>)),
    /// Parameters of a request, by any name but these.
    Parameters(&'static [&'static str], fn(&mut T, String, String)),
    /// What the profile starts from.
    Preset(fn(&mut T, Preset)),
    /// A text with a form of its own: that form in words, and what reads it.
    Read(&'static str, fn(&mut T, &str) -> Result<(), InvalidValue>),
}

/// A word, and what it does.
type Word<T> = (&'static str, fn(&mut T));

/// Whether an address may have a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum QueryRule {
    Allowed,
    Refused,
}

/// What is given for a setting: a text as it is, anything else as TOML has it.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum DeclaredValue {
    /// This value.
    Is(&'static str),
    /// Nothing; a value may look like this.
    Open(&'static str),
}

/// What presets give for a setting.
pub(in crate::config) struct PresetDefaults {
    presets: &'static [Preset],
    /// The parameter's name, where the key ends in `NAME`.
    name: &'static str,
    pub given: DeclaredValue,
    /// How sure that is, or what to do about it.
    pub remark: &'static str,
}

/// What these presets give, and how sure that is.
pub(super) const fn by(
    presets: &'static [Preset],
    given: DeclaredValue,
    remark: &'static str,
) -> PresetDefaults {
    PresetDefaults { presets, name: "", given, remark }
}

impl PresetDefaults {
    /// The parameter of this name.
    pub(super) const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

impl DeclaredValue {
    /// The value that holds.
    pub(super) fn value(self, form: ValueForm) -> Option<Value> {
        match self {
            Self::Is(written) => form.read(written),
            Self::Open(_) => None,
        }
    }

    /// The value that holds, or the example of one.
    pub(super) fn shown(self, form: ValueForm) -> Option<Value> {
        match self {
            Self::Is(written) | Self::Open(written) => form.read(written),
        }
    }
}

impl<T> Setting<T> {
    /// The key of what a preset gives.
    pub fn key_of(&self, given: &PresetDefaults) -> String {
        self.key.replace("NAME", given.name)
    }

    /// What a preset gives for it: several parameters, perhaps.
    pub fn preset_values(&self, preset: Preset) -> impl Iterator<Item = &'static PresetDefaults> {
        self.presets.iter().filter(move |it| it.presets.contains(&preset))
    }

    /// What stands beside it in a file: the words that there are, and what it says.
    pub(super) fn remark(&self) -> String {
        match self.kind {
            SettingKind::Words(_) => format!("{}. {}", self.kind.takes().replace('`', "\""), self.doc),
            _ => self.doc.into(),
        }
    }

    /// Whether the key, as somebody wrote it, is this setting's.
    pub(super) fn has_key(&self, key: &str) -> bool {
        match self.key.strip_suffix("NAME") {
            Some(section) => key.strip_prefix(section).is_some_and(|name| !name.is_empty()),
            None => key == self.key,
        }
    }
}

impl<T> SettingKind<T> {
    /// The form that the reader lets through.
    pub(super) fn form(&self) -> ValueForm {
        match self {
            Self::Flag(_) => ValueForm::Flag,
            Self::Port(_) => ValueForm::Number,
            Self::Numbers(..) => ValueForm::Numbers,
            Self::Texts(..) => ValueForm::Texts,
            _ => ValueForm::Text,
        }
    }

    /// What it takes, in words.
    pub fn takes(&self) -> String {
        let one_of = |words: &[&str]| match words {
            [others @ .., last] if !others.is_empty() => format!("`{}` or `{last}`", others.join("`, `")),
            _ => words.concat(),
        };
        match self {
            Self::Text(_) => "text".into(),
            Self::Flag(_) => "`true` or `false`".into(),
            Self::Port(_) => "a whole number from 0 to 65535, except ports that browsers refuse".into(),
            Self::Numbers(range, _) => {
                format!("a list of whole numbers from {} to {}", range.start(), range.end())
            }
            Self::Texts(..) => "a list of strings".into(),
            Self::Words(words) => one_of(&words.iter().map(|(word, _)| *word).collect::<Vec<_>>()),
            Self::Time(_) => "a time such as `20s`, `10m` or `100d`".into(),
            Self::TimeOrZero(_) => "a time such as `12h` or `14d`; `0d` too".into(),
            Self::Base(_) => "an address".into(),
            Self::Address(..) => "an address, which may begin with `{url}`, or `none`".into(),
            Self::File(_) => "a file, relative to the configuration's folder".into(),
            Self::Command(_) => {
                "a command with its arguments; no shell is used, and paths are relative to this file's folder"
                    .into()
            }
            Self::Parameters(..) => {
                format!("text with the placeholders `{{{}}}`", PLACEHOLDERS.join("}`, `{"))
            }
            Self::Preset(_) => one_of(&Preset::ALL.map(Preset::name)),
            Self::Read(form, _) => (*form).into(),
        }
    }
}

/// The form of a value in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum ValueForm {
    Text,
    Flag,
    Number,
    Numbers,
    Texts,
}

impl ValueForm {
    /// What the value should look like.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Text => "text in quotes",
            Self::Flag => "true or false, without quotes",
            Self::Number => "a whole number, without quotes",
            Self::Numbers => "a list of whole numbers: [14, 7]",
            Self::Texts => "a list of strings: [\"…\"]",
        }
    }

    /// What is to be typed for it in a command.
    pub fn as_typed(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Flag => "true or false",
            Self::Number => "a whole number",
            Self::Numbers => "whole numbers separated by commas: 14,7",
            Self::Texts => "strings separated by commas",
        }
    }

    /// The form of a list's items.
    pub fn of_items(self) -> Option<Self> {
        match self {
            Self::Numbers => Some(Self::Number),
            Self::Texts => Some(Self::Text),
            _ => None,
        }
    }

    /// A declared value.
    fn read(self, written: &str) -> Option<Value> {
        match self {
            Self::Text => Some(Value::String(written.into())),
            _ => written.parse().ok(),
        }
    }
}
