//! A link that one host makes is finished by the host that listens.

use super::Team;
use super::away::{Listener, answer_to, by_line, has_a_public_address, is_kept};
use crate::support::line::Line;
use crate::support::team::{Server, shared};

/// The second host, which has looked up once which questions are open.
fn second_listens(team: &Team) -> Listener {
    let listener = Listener::start(team.command(1, &["listen", "--port", "0"]));
    team.rig.until(|| listener.asks("/healthz").contains("\"ok\":true"));
    listener
}

#[test]
fn a_link_that_one_host_made_is_finished_by_the_one_that_listens() {
    let team = Team::of(shared(), 2);
    (0..2).for_each(|host| has_a_public_address(&team, host));
    let before = answer_to(&team, "L-1");
    let listener = second_listens(&team);
    let page = listener.asks(&before);
    assert!(page.contains("can't accept the answer to this link"), "{page}");
    let page = listener.asks(&answer_to(&team, "L-2"));
    assert!(page.contains("Access granted"), "{page}");
    listener.stops();
    assert_eq!(team.rig.counted("token_issued"), 1);
    // Both read the grant, and the first one's link waits on.
    assert_eq!(team.run(0, &["token", "L-2"]).exits(0).out, team.run(1, &["token", "L-2"]).exits(0).out);
    team.run(0, &["complete", &format!("https://auth.example.com{before}")]).exits(0);
    assert_eq!(team.rig.counted("token_issued"), 2);
}

/// The line of the host that listens is silent while answers to the other host's links come.
#[test]
fn answers_to_another_hosts_links_are_kept_or_asked_for_again_while_the_ledger_is_silent() {
    let server = Server::start();
    let line = Line::to(server.port);
    let database = server.database();
    let team = Team::on(&server.address(&database, "postgres"), 2);
    team.is_at(1, &by_line(&line, &server, &database));
    (0..2).for_each(|host| has_a_public_address(&team, host));
    let elsewhere = answer_to(&team, "L-1");
    // From here on it's known as a host that takes answers, and links are made for it, too.
    second_listens(&team).stops();
    let known = answer_to(&team, "L-2");
    let listener = second_listens(&team);
    line.goes_silent();
    let unknown = answer_to(&team, "L-3");
    is_kept(&listener.asks(&known));
    // What isn't kept isn't called so.
    for back in [&unknown, &elsewhere] {
        let page = listener.asks(back);
        assert!(page.starts_with("503") && page.contains("Reload this page"), "{page}");
        assert!(page.contains("Nothing is lost") && !page.contains("kept"), "{page}");
        assert!(!page.contains("being processed"), "{page}");
    }
    team.rig.until(|| listener.told().contains("can't be reached"));
    assert_eq!(team.rig.counted("token_issued"), 0);
    line.carries();
    team.rig.until(|| team.run(0, &["token", "L-2"]).code == 0);
    // The admins reload their pages.
    team.rig.until(|| listener.asks(&unknown).contains("Access granted"));
    let page = listener.asks(&elsewhere);
    assert!(page.contains("can't accept the answer to this link"), "{page}");
    team.run(0, &["token", "L-3"]).exits(0);
    listener.stops();
    team.run(0, &["complete", &format!("https://auth.example.com{elsewhere}")]).exits(0);
    assert_eq!(team.rig.counted("token_issued"), 3);
}
