//! A license that `deactivate` is asked to give up.

use crate::custody::Extent;
use crate::model::authorization::Standing;

/// A license that is meant.
pub(super) struct Chosen<'s> {
    pub(super) standing: &'s Standing,
    /// What goes; `None` where nothing of it is left.
    pub(super) extent: Option<Extent>,
}
