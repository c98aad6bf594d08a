//! `status`, as its users meet it.

use crate::support::{Rig, valid};

#[test]
fn its_json_fits_the_shipped_schema() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    valid("status", &rig.status());
    valid("results", &rig.run(&["renew", "L-1", "--json"]).exits(4).json());
    valid("results", &rig.run(&["deactivate", "L-1", "--yes", "--json"]).exits(0).json());
    valid("error", &rig.run(&["status", "--json", "nobody"]).exits(9).json());
}
