//! Reads TOML by the table of keys: each value's form and line; collects every refusal instead of stopping.

use super::keys::{self, Form, did_you_mean, nearest};
use super::layer::{Layer, Origin};
use crate::error::ConfigError;
use crate::error::clean;
use toml::Value;
use toml::de::{DeTable, DeValue};

type Table<'a> = toml::Spanned<DeTable<'a>>;
pub(super) type Item<'a> = toml::Spanned<DeValue<'a>>;

/// A text being read, and what is wrong with it.
pub(super) struct Reader<'a> {
    file: String,
    text: &'a str,
    pub problems: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    /// Over a file's text; the file's name is for messages.
    pub fn new(file: &str, text: &'a str) -> Self {
        Self { file: clean(file), text, problems: Vec::new() }
    }

    /// Reads a profile's keys with nothing around them, as presets are written.
    pub fn bare_layer(mut self, origin: &Origin) -> Layer {
        let mut layer = Layer::default();
        if let Some(root) = self.parse() {
            self.layer(root.get_ref(), "", &mut layer, Some(origin));
        }
        layer
    }

    /// The line of a place in the text, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    pub(super) fn origin(&self, item: &Item) -> Origin {
        Origin::File { path: self.file.clone(), line: self.line(item.span().start) }
    }

    pub(super) fn refuse(&mut self, at: usize, problem: String, right: Option<String>) {
        self.problems.push(ConfigError::invalid(self.file.clone(), self.line(at), problem, right));
    }

    pub(super) fn parse(&mut self) -> Option<Table<'a>> {
        let (root, faults) = DeTable::parse_recoverable(self.text);
        for fault in &faults {
            let at = fault.span().map_or(0, |span| span.start);
            self.refuse(at, format!("this isn't TOML: {}", clean(fault.message())), None);
        }
        // What a parser guesses behind a fault would only be refused for the wrong reason.
        faults.is_empty().then_some(root)
    }

    /// Reads a profile's table, or one of the tables inside it.
    pub(super) fn layer(
        &mut self,
        table: &DeTable<'a>,
        section: &str,
        layer: &mut Layer,
        origin: Option<&Origin>,
    ) {
        for (key, item) in table {
            let name = key.get_ref().as_ref();
            let dotted = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            if section.is_empty() && keys::SECTIONS.contains(&name) {
                if let Some(table) = self.table(name, &format!("[profiles.NAME.{name}]"), item) {
                    self.layer(table, name, layer, origin);
                }
            } else if let Some(form) = keys::form(&dotted) {
                if let Some(value) = self.value(&dotted, form, item) {
                    let origin = origin.cloned().unwrap_or_else(|| self.origin(item));
                    layer.set(dotted, value, origin);
                }
            } else {
                let right = without_secret(name).unwrap_or_else(|| right_key(name, section));
                self.refuse(key.span().start, format!("there is no key `{}`", clean(&dotted)), Some(right));
            }
        }
    }

    pub(super) fn value(&mut self, key: &str, form: Form, item: &Item) -> Option<Value> {
        let at = item.span().start;
        let value = match (form, item.get_ref()) {
            (Form::Text, DeValue::String(text)) => return self.text_at(key, at, text).map(Value::String),
            (Form::Flag, DeValue::Boolean(flag)) => Some(Value::Boolean(*flag)),
            (Form::Number, DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Integer)
            }
            (Form::Texts, DeValue::Array(_)) => {
                return Some(Value::Array(self.texts(key, item)?.into_iter().map(Value::String).collect()));
            }
            _ => None,
        };
        if value.is_none() {
            self.refuse_form(key, form, item);
        }
        value
    }

    fn refuse_form(&mut self, key: &str, form: Form, item: &Item) {
        let found = item.get_ref().type_str();
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        let problem = format!("`{}` doesn't take {article} {found}", clean(key));
        self.refuse(item.span().start, problem, Some(format!("Give {}.", form.in_words())));
    }

    fn text_at(&mut self, key: &str, at: usize, text: &str) -> Option<String> {
        if clean(text) != text {
            let problem = format!("`{}` holds a character that can't be shown", clean(key));
            self.refuse(at, problem, None);
            return None;
        }
        if text == "…" {
            let right = Some("Write the real value, or put the # back.".into());
            self.refuse(at, format!("`{}` is still the example's …", clean(key)), right);
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn texts(&mut self, key: &str, item: &Item) -> Option<Vec<String>> {
        let DeValue::Array(items) = item.get_ref() else {
            self.refuse_form(key, Form::Texts, item);
            return None;
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(self.text_at(key, item.span().start, text)?),
                _ => {
                    self.refuse_form(key, Form::Texts, item);
                    return None;
                }
            }
        }
        Some(texts)
    }

    pub(super) fn table<'t>(
        &mut self,
        key: &str,
        header: &str,
        item: &'t Item<'a>,
    ) -> Option<&'t DeTable<'a>> {
        if let DeValue::Table(table) = item.get_ref() {
            return Some(table);
        }
        let right = Some(format!("Make it a table of its own: {header}."));
        self.refuse(item.span().start, format!("`{key}` should be a table"), right);
        None
    }
}

/// Where a key looks like a secret's: that it has no place in the file.
pub(super) fn without_secret(key: &str) -> Option<String> {
    let key = key.to_lowercase();
    if key.contains("password") {
        return Some(
            "Take it out: an admin's password is typed on BioTrack's own page and nowhere else.".into(),
        );
    }
    (key.contains("secret") || key.contains("token") && !key.contains('_')).then(|| {
        "Take it out: secrets live in the vault, and `biotrack-auth config set-secret` puts the client's there."
            .into()
    })
}

fn right_key(name: &str, section: &str) -> String {
    let known: Vec<_> = match section {
        "" => keys::PROFILE.iter().map(|(name, _)| *name).chain(keys::SECTIONS).collect(),
        _ => keys::PROFILE
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(section)?.strip_prefix('.'))
            .collect(),
    };
    match (nearest(name, known.iter().copied()), section) {
        (Some(near), _) => format!("Did you mean `{near}`?"),
        (None, "") => "The keys that there are: biotrack-auth config show.".into(),
        (None, _) => did_you_mean(name, &known),
    }
}
