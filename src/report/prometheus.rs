//! Gauges in Prometheus' text format, for a textfile collector. Instants, not ages: an alert stays true after expiry.

use super::json::Summary;
use super::row::ReportRow;
use crate::model::blind_spot::BlindSpot;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A metric's name, what it says, and its lines.
struct Metric {
    name: &'static str,
    help: &'static str,
    lines: Vec<String>,
}

/// The gauges. `profiles`: those reported on, so that an empty one shows its zeros.
pub fn prometheus(
    rows: &[ReportRow<'_>],
    profiles: &[String],
    blind_spots: &[BlindSpot],
    now: Timestamp,
) -> String {
    let mut expires = Metric {
        name: "biotrack_auth_expires_timestamp_seconds",
        help: "When the grant of a license expires, in Unix time.",
        lines: Vec::new(),
    };
    let mut counted = Metric {
        name: "biotrack_auth_authorizations",
        help: "Number of authorizations in each state.",
        lines: Vec::new(),
    };
    let mut attention = Metric {
        name: "biotrack_auth_attention",
        help: "How many authorizations need attention.",
        lines: Vec::new(),
    };
    let mut by_profile: BTreeMap<&str, Summary> =
        profiles.iter().map(|profile| (profile.as_str(), Summary::default())).collect();
    for row in rows {
        let record = &row.standing.record;
        if let Some(summary) = by_profile.get_mut(record.profile.as_str()) {
            summary.count(row);
        }
        if let Some(at) = record.expires_at.filter(|_| record.deactivated_at.is_none()) {
            let labels = labels(&[
                ("profile", &record.profile),
                ("ubi", record.key.ubi.as_str()),
                ("license", record.key.license.as_str()),
                ("name", record.name.as_ref().map_or("", |name| name.as_str())),
            ]);
            expires.lines.push(format!("{labels} {}", at.as_second()));
        }
    }
    for (profile, summary) in by_profile {
        for (state, count) in summary.by_state() {
            counted
                .lines
                .push(format!("{} {count}", labels(&[("profile", profile), ("state", state.word())])));
        }
        attention.lines.push(format!("{} {}", labels(&[("profile", profile)]), summary.attention));
    }
    let unnamed = Metric {
        name: "biotrack_auth_unnamed_profile_authorizations",
        help: "How many authorizations have a profile that is not in the configuration.",
        lines: blind_spots
            .iter()
            .filter_map(|spot| match spot {
                BlindSpot::UnnamedProfile { profile, licenses } => {
                    Some(format!("{} {licenses}", labels(&[("profile", profile)])))
                }
                BlindSpot::ClockBehind { .. } => None,
            })
            .collect(),
    };
    let by_profile_names = profiles.iter().map(String::as_str);
    let last_run = Metric {
        name: "biotrack_auth_last_run_timestamp_seconds",
        help: "When this was written, in Unix time.",
        // Two homes on one host would tell the same without it.
        lines: by_profile_names
            .map(|profile| format!("{} {}", labels(&[("profile", profile)]), now.as_second()))
            .collect(),
    };
    // Most never have one: its name alone would say nothing.
    let unnamed = Some(unnamed).filter(|it| !it.lines.is_empty());
    let all = [Some(expires), Some(counted), Some(attention), unnamed, Some(last_run)];
    all.iter().flatten().map(Metric::text).collect()
}

impl Metric {
    fn text(&self) -> String {
        let name = self.name;
        let lines: String = self.lines.iter().map(|line| format!("{name}{line}\n")).collect();
        format!("# HELP {name} {}\n# TYPE {name} gauge\n{lines}", self.help)
    }
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}
