//! The seven facts of the Grant Access page, by name.

use serde::{Deserialize, Serialize};

/// A fact of the Grant Access page, or of the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The integrator's company name: "Treez Inc".
    Company,
    /// The integrator's product: "Treez".
    Application,
    /// The licensee's company.
    Ubi,
    /// "Integrator".
    AccessType,
    /// The BioTrack location license; the page calls it Location.
    License,
    /// "*".
    Resource,
    /// "`read_write`".
    Operation,
}

impl Fact {
    /// All seven, in the page's order.
    pub const ALL: [Self; 7] = [
        Self::Company,
        Self::Application,
        Self::Ubi,
        Self::AccessType,
        Self::License,
        Self::Resource,
        Self::Operation,
    ];

    /// BioTrack's own label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Company => "Company",
            Self::Application => "Application",
            Self::Ubi => "UBI",
            Self::AccessType => "Access Type",
            Self::License => "Location",
            Self::Resource => "Resource",
            Self::Operation => "Operation",
        }
    }
}
