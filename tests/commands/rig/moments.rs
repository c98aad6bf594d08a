//! The moments at which a command meets the outside. A test may look at the world then, copy it as a process that is
//! killed would leave it, or have another command do something in between.

use std::sync::Mutex;
use std::time::Duration;

/// A command meets the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// It asks for the time.
    Clock,
    /// It waits, for so long.
    Waits(Duration),
    /// An admin is at the provider's page, and grants.
    Consents,
    /// A request to this path has come to the provider, which hasn't acted yet.
    Arrives(String),
    /// The provider has acted, and its answer hasn't come back yet.
    Answered(String),
    /// The keyring is asked to do this ("set", "get", "delete" or "list") to an account, and hasn't done it yet.
    Asks(&'static str, String),
    /// The keyring has done it, or failed to.
    Asked(&'static str, String),
}

type Look = Box<dyn FnMut(&Moment) + Send>;

/// Whoever looks.
#[derive(Default)]
pub struct Watch(Mutex<Option<Look>>);

impl Watch {
    /// From now on this looks at each moment; what it does itself is no moment.
    pub fn set(&self, look: impl FnMut(&Moment) + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(look));
    }

    /// Nobody looks any more.
    pub fn end(&self) {
        self.0.lock().unwrap().take();
    }

    pub(super) fn sees(&self, moment: &Moment) {
        let look = self.0.lock().unwrap().take();
        if let Some(mut look) = look {
            look(moment);
            self.0.lock().unwrap().get_or_insert(look);
        }
    }
}
