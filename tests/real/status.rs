//! `status`, as its users meet it.

use crate::support::{Rig, valid};

#[test]
fn an_empty_ledger_says_what_to_do_next() {
    Rig::new().run(&["status"]).exits(0).answers("biotrack-auth register");
}

#[test]
fn without_a_configuration_it_says_how_to_make_one() {
    Rig::unconfigured(&[]).run(&["status"]).exits(2).answers_nothing().says("biotrack-auth config init");
}

#[test]
fn the_table_is_plain_where_it_is_piped() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let run = rig.run(&["status"]).exits(0);
    assert!(!run.out.contains('\u{1b}'), "{}", run.out);
    assert!(run.out.contains("✓ active"));
}

#[test]
fn its_json_fits_the_shipped_schema() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    valid("status", &rig.status());
    valid("error", &rig.run(&["renew", "L-1", "--json"]).exits(4).json());
    valid("results", &rig.run(&["deactivate", "L-1", "--yes", "--json"]).exits(0).json());
    valid("error", &rig.run(&["status", "--json", "nobody"]).exits(9).json());
}
