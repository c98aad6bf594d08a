//! Reading the answers to simple queries.

use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

pub(super) fn rows(messages: &[SimpleQueryMessage]) -> impl Iterator<Item = &SimpleQueryRow> {
    messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

pub(super) fn first(messages: &[SimpleQueryMessage]) -> Option<&str> {
    rows(messages).next()?.get(0)
}
