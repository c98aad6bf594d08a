//! Every setting that holds in a profile, and who gave it.

use super::configuration::Config;
use super::layer::{EffectiveSetting, Layer};
use super::settings::Scope;
use crate::error::Result;

impl Config {
    /// Every setting that holds in a profile, and who gave it.
    pub fn settings(&self, name: &str) -> Result<Vec<EffectiveSetting>> {
        let in_order = |scope: Scope, values: &Layer| {
            let mut settings: Vec<_> = values.settings().collect();
            settings.sort_by_key(|setting| scope.find(&setting.key));
            settings
        };
        let profile = self.profile(name)?;
        Ok([in_order(Scope::File, &self.outside_profiles), in_order(Scope::Profile, &profile.values)]
            .concat())
    }
}
