//! Many licenses in one commit on a server.

use super::Team;
use crate::support::team::shared;
use std::fs;

#[test]
fn links_for_many_are_in_the_history_in_the_order_of_their_licenses() {
    let team = Team::of(shared(), 1);
    let mut licenses: Vec<_> = (0..60).rev().map(|number| format!("L-{number}")).collect();
    let rows = licenses.iter().map(|license| format!("604001,{license},ann@example.com\n"));
    let list = team.rig.elsewhere("list.csv");
    fs::write(&list, format!("ubi,license,username\n{}", rows.collect::<String>())).unwrap();
    team.run(0, &["register", "--from", list.to_str().unwrap(), "--no-wait"]).exits(0);
    licenses.sort();
    let ledger = team.ledger(0);
    let links = ledger.links("local-sandbox", |link| link.event == "asked").unwrap();
    assert_eq!(links.into_iter().map(|link| link.license).collect::<Vec<_>>(), licenses);
    let chain = ledger.verify_history().unwrap();
    assert_eq!((chain.links, chain.broken), (60, None));
}
