//! The hooks: which command runs for which event, and on which days someone is reminded.

use super::keys::{Form, did_you_mean};
use super::layer::{Origin, Setting};
use super::reader::{Item, Reader, without_secret};
use crate::error::clean;
use crate::model::duration;
use crate::model::reminder::{Hooks, Occasion};
use std::time::Duration;
use toml::Value;
use toml::de::DeValue;

/// Every key of the table.
const KEYS: [&str; 8] = ["due", "expired", "granted", "failed", "deactivated", "timeout", "days", "digest"];

/// The most days before an end that a reminder makes sense on.
const FARTHEST: i64 = 3650;

impl<'a> Reader<'a> {
    /// Reads `[hooks]`; what the file doesn't give keeps its default.
    pub(super) fn hooks(&mut self, item: &Item<'a>) -> (Hooks, Vec<Setting>) {
        let mut hooks = Hooks::default();
        let mut settings = Vec::new();
        let Some(table) = self.table("hooks", "[hooks]", item) else { return (hooks, settings) };
        for (key, item) in table {
            let name = key.get_ref().as_ref();
            let dotted = format!("hooks.{}", clean(name));
            let read = match name {
                "timeout" => self.timeout(&dotted, item, &mut hooks),
                "days" => self.days(&dotted, item, &mut hooks),
                "digest" => self.value(&dotted, Form::Flag, item).inspect(|value| {
                    hooks.digest = value.as_bool().unwrap_or_default();
                }),
                _ => match Occasion::of(name) {
                    Some(occasion) => self.hook(&dotted, occasion, item, &mut hooks),
                    None => {
                        let right = without_secret(name).unwrap_or_else(|| did_you_mean(name, &KEYS));
                        self.refuse(key.span().start, format!("there is no key `{dotted}`"), Some(right));
                        None
                    }
                },
            };
            let origin: Origin = self.origin(item);
            settings.extend(read.map(|value| Setting { key: dotted, value, origin }));
        }
        (hooks, settings)
    }

    fn hook(&mut self, key: &str, occasion: Occasion, item: &Item<'a>, hooks: &mut Hooks) -> Option<Value> {
        let value = self.value(key, Form::Text, item)?;
        match shlex::split(value.as_str()?).filter(|words| !words.is_empty()) {
            Some(words) => {
                hooks.commands.insert(occasion, words);
                Some(value)
            }
            None => {
                let right =
                    Some("Give the command's words; a quote must be closed. No shell is used.".into());
                self.refuse(item.span().start, format!("`{key}` isn't a command"), right);
                None
            }
        }
    }

    fn timeout(&mut self, key: &str, item: &Item<'a>, hooks: &mut Hooks) -> Option<Value> {
        let value = self.value(key, Form::Text, item)?;
        match duration::parse("timeout", value.as_str()?)
            .map(|time| Duration::try_from(time).unwrap_or_default())
        {
            Ok(time) if !time.is_zero() => {
                hooks.timeout = time;
                Some(value)
            }
            _ => {
                self.refuse(
                    item.span().start,
                    format!("`{key}` isn't a time"),
                    Some("Give one such as \"30s\".".into()),
                );
                None
            }
        }
    }

    fn days(&mut self, key: &str, item: &Item<'a>, hooks: &mut Hooks) -> Option<Value> {
        let numbers = match item.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                        .ok()
                        .filter(|days| (1..=FARTHEST).contains(days)),
                    _ => None,
                })
                .collect::<Option<Vec<i64>>>(),
            _ => None,
        };
        let Some(mut days) = numbers.filter(|days| !days.is_empty()) else {
            let right = Some("Give whole numbers of days, from 1: [30, 14, 7, 3, 1].".into());
            self.refuse(item.span().start, format!("`{key}` isn't a list of days"), right);
            return None;
        };
        days.sort_unstable_by(|one, other| other.cmp(one));
        days.dedup();
        let value = Value::Array(days.iter().map(|day| Value::Integer(*day)).collect());
        hooks.days = days.into_iter().filter_map(|day| u32::try_from(day).ok()).collect();
        Some(value)
    }
}
