//! Reads TOML by the declared settings: each value's form and line; collects every refusal instead of stopping.

use super::layer::{Layer, Origin, OriginEntry};
use super::settings::{Scope, ValueForm};
use super::suggest::{did_you_mean, nearest};
use crate::error::ConfigError;
use crate::error::clean;
use toml::Value;
use toml::de::{DeTable, DeValue};

type Table<'a> = toml::Spanned<DeTable<'a>>;
type Item<'a> = toml::Spanned<DeValue<'a>>;

#[derive(Debug, Default)]
pub(super) struct ConfigDocument {
    pub own: Layer,
    pub profiles: Vec<ParsedProfile>,
}

#[derive(Debug)]
pub(super) struct ParsedProfile {
    pub name: String,
    pub line: usize,
    pub values: Layer,
}

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

    /// Reads a whole configuration, before presets and defaults.
    pub fn document(&mut self) -> ConfigDocument {
        let mut document = ConfigDocument::default();
        let Some(root) = self.parse() else { return document };
        if let Some(item) = root.get_ref().get("profiles") {
            self.profiles(item, &mut document);
        }
        self.layer(root.get_ref(), Scope::File, "", &mut document.own);
        document
    }

    fn profiles(&mut self, item: &Item<'a>, document: &mut ConfigDocument) {
        let Some(profiles) = self.table("profiles", "[profiles.NAME]", item) else { return };
        for (name, item) in profiles {
            let at = name.span().start;
            if let Err(problem) = check_name(name.get_ref()) {
                self.refuse(at, format!("the profile's name {problem}"), None);
                continue;
            }
            let name = name.get_ref().clone().into_owned();
            let Some(table) = self.table(&name, &format!("[profiles.{name}]"), item) else { continue };
            let mut values = Layer::default();
            self.layer(table, Scope::Profile, "", &mut values);
            document.profiles.push(ParsedProfile { name, line: self.line(at), values });
        }
    }

    /// The line of a place in the text, from 1.
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    fn origin(&self, item: &Item) -> Origin {
        Origin::File { path: self.file.clone(), line: self.line(item.span().start) }
    }

    fn refuse(&mut self, at: usize, problem: String, right: Option<String>) {
        self.problems.push(ConfigError::invalid(self.file.clone(), self.line(at), problem, right));
    }

    fn parse(&mut self) -> Option<Table<'a>> {
        let (root, faults) = DeTable::parse_recoverable(self.text);
        for fault in &faults {
            let at = fault.span().map_or(0, |span| span.start);
            self.refuse(at, format!("this isn't valid TOML: {}", clean(fault.message())), None);
        }
        // What a parser guesses behind a fault would only be refused for the wrong reason.
        faults.is_empty().then_some(root)
    }

    /// Reads a table whose settings belong to this scope; `section` is the table inside it, or none.
    fn layer(&mut self, table: &DeTable<'a>, scope: Scope, section: &str, layer: &mut Layer) {
        for (key, item) in table {
            let name = key.get_ref().as_ref();
            let dotted = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            if (scope, dotted.as_str()) == (Scope::File, "profiles") {
                continue;
            }
            if let Some((_, form)) = scope.find(&dotted) {
                if let Some(entry) = self.entry(&dotted, form, item) {
                    layer.add(dotted, entry);
                }
            } else if scope.has_section(&dotted) {
                let header = match scope {
                    Scope::Profile => format!("[profiles.NAME.{dotted}]"),
                    Scope::File => format!("[{dotted}]"),
                };
                if let Some(table) = self.table(&dotted, &header, item) {
                    self.layer(table, scope, &dotted, layer);
                }
            } else {
                let right = without_secret(name).unwrap_or_else(|| right_key(name, scope, section));
                self.refuse(key.span().start, format!("unknown key `{}`", clean(&dotted)), Some(right));
            }
        }
    }

    /// A value of this form with its place; one of another form is refused.
    fn entry(&mut self, key: &str, form: ValueForm, item: &Item) -> Option<OriginEntry> {
        let mut lines = Vec::new();
        let value = match (form.of_items(), item.get_ref()) {
            (None, _) => self.single(key, form, form, item)?,
            (Some(of_items), DeValue::Array(items)) => {
                lines = items.iter().map(|item| self.line(item.span().start)).collect();
                let values = items.iter().map(|item| self.single(key, of_items, form, item));
                Value::Array(values.collect::<Option<_>>()?)
            }
            (Some(_), _) => {
                self.refuse_form(key, form, item);
                return None;
            }
        };
        Some(OriginEntry { value, origin: self.origin(item), lines })
    }

    /// One value, in a setting whose form as a whole is another one where it's a list.
    fn single(&mut self, key: &str, form: ValueForm, whole: ValueForm, item: &Item) -> Option<Value> {
        let at = item.span().start;
        let value = match (form, item.get_ref()) {
            (ValueForm::Text, DeValue::String(text)) => {
                return self.text_at(key, at, text).map(Value::String);
            }
            (ValueForm::Flag, DeValue::Boolean(flag)) => Some(Value::Boolean(*flag)),
            (ValueForm::Number, DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Integer)
            }
            _ => None,
        };
        if value.is_none() {
            self.refuse_form(key, whole, item);
        }
        value
    }

    fn refuse_form(&mut self, key: &str, form: ValueForm, item: &Item) {
        let found = item.get_ref().type_str();
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        let problem = format!("`{}` can't be {article} {found}", clean(key));
        self.refuse(item.span().start, problem, Some(format!("Give {}.", form.in_words())));
    }

    fn text_at(&mut self, key: &str, at: usize, text: &str) -> Option<String> {
        if clean(text) != text {
            let problem = format!("`{}` contains a character that can't be shown", clean(key));
            self.refuse(at, problem, None);
            return None;
        }
        if text == "…" {
            let right = Some("Write the real value, or put the # back.".into());
            self.refuse(at, format!("`{}` still has the example's value …", clean(key)), right);
            return None;
        }
        Some(text.to_owned())
    }

    fn table<'t>(&mut self, key: &str, header: &str, item: &'t Item<'a>) -> Option<&'t DeTable<'a>> {
        if let DeValue::Table(table) = item.get_ref() {
            return Some(table);
        }
        let right = Some(format!("Write it as a table: {header}."));
        self.refuse(item.span().start, format!("`{key}` should be a table"), right);
        None
    }
}

/// Where a key looks like a secret's: that it has no place in the file.
pub(super) fn without_secret(key: &str) -> Option<String> {
    let key = key.to_lowercase();
    if key.contains("password") {
        return Some(
            "Remove it: an admin enters the password on BioTrack's own page, and nowhere else.".into(),
        );
    }
    (key.contains("secret") || key.contains("token") && !key.contains('_')).then(|| {
        "Remove it: secrets belong in the vault. To store the client secret: `biotrack-auth config set-secret`."
            .into()
    })
}

/// What to write in place of a key that there isn't.
fn right_key(name: &str, scope: Scope, section: &str) -> String {
    let known = scope.names_in(section);
    if section.is_empty() {
        match scope {
            Scope::File if Scope::Profile.knows(name) => {
                return "It is a profile's setting: move it under [profiles.NAME].".into();
            }
            Scope::Profile if Scope::File.knows(name) => {
                return "It is a setting of the whole file: move it above every [profiles.NAME].".into();
            }
            _ => {}
        }
    }
    match (nearest(name, known.iter().copied()), section) {
        (Some(near), _) => format!("Did you mean `{near}`?"),
        (None, "") => "To see all keys: biotrack-auth config show".into(),
        (None, _) => did_you_mean(name, &known),
    }
}

/// What a profile's name may be: it stands in flags, headers and the names of the vault's items.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match name {
        "" => Err("is empty".into()),
        _ if name.len() > 64 => Err("is longer than 64 characters".into()),
        _ if name.starts_with('-') || !name.chars().all(plain) => Err(format!(
            "\"{}\" may contain only letters, digits, - and _, and may not begin with -",
            clean(name)
        )),
        _ => Ok(()),
    }
}
