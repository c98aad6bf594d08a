//! Which settings there are in a profile, and which in the file outside the profiles: by key, table and order.

use super::file::FILE;
use super::setting::ValueForm;
use super::tables::profile;

/// Where a setting stands: in a profile, or in the file outside the profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Scope {
    Profile,
    File,
}

impl Scope {
    /// Every key, with its form.
    fn declared(self) -> Vec<(&'static str, ValueForm)> {
        match self {
            Self::Profile => profile().map(|it| (it.key, it.kind.form())).collect(),
            Self::File => FILE.iter().map(|it| (it.key, it.kind.form())).collect(),
        }
    }

    /// Where a key stands in the order of showing, and its form; `None` where there is no such key.
    pub fn find(self, key: &str) -> Option<(usize, ValueForm)> {
        let is = match self {
            Self::Profile => profile().position(|it| it.has_key(key)),
            Self::File => FILE.iter().position(|it| it.has_key(key)),
        }?;
        self.declared().get(is).map(|(_, form)| (is, *form))
    }

    /// Every key that is a name of its own, in the order of showing.
    pub fn keys(self) -> impl Iterator<Item = &'static str> {
        self.declared().into_iter().map(|(key, _)| key).filter(|key| !key.ends_with("NAME"))
    }

    /// Whether settings stand in a table of this name.
    pub fn has_section(self, name: &str) -> bool {
        self.declared()
            .iter()
            .any(|(key, _)| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Whether it's a key or a table here.
    pub fn knows(self, name: &str) -> bool {
        self.find(name).is_some() || self.has_section(name)
    }

    /// The names that may stand in a table, or outside of all: keys, and the tables there are.
    pub fn names_in(self, section: &str) -> Vec<&'static str> {
        let declared = self.declared();
        let mut names: Vec<&str> = match section {
            "" => declared.iter().map(|(key, _)| *key).collect(),
            _ => {
                declared.iter().filter_map(|(key, _)| key.strip_prefix(section)?.strip_prefix('.')).collect()
            }
        };
        names.retain(|name| !name.ends_with("NAME"));
        if section.is_empty() {
            let tables = declared.iter().filter_map(|(key, _)| Some(key.rsplit_once('.')?.0));
            names.extend(tables.chain((self == Self::File).then_some("profiles")));
        }
        names
    }
}
