//! `-v` in tests that run beside each other.
//!
//! tracing remembers of each place that logs whether anybody listens, and asks only the thread that comes by first as long
//! as there is one listener at most: a test without `-v` would silence that place for the test that has it. Two listeners
//! that hear nothing, but want to be asked each time, keep every place awake.

use std::sync::LazyLock;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};

static LISTENERS: LazyLock<[Dispatch; 2]> =
    LazyLock::new(|| [Dispatch::new(AsksEachTime), Dispatch::new(AsksEachTime)]);

/// To be called before anything is run.
pub fn stays_awake() {
    LazyLock::force(&LISTENERS);
}

struct AsksEachTime;

impl Subscriber for AsksEachTime {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
