//! The rules of codes and tokens, tried without HTTP.

use jiff::{SignedDuration, Timestamp};

use super::*;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const BACK: &str = "http://127.0.0.1:1/callback";

/// An authority, a clock, and a number that makes every secret new.
struct Scene {
    authority: Authority,
    now: Timestamp,
    made: u32,
}

impl Scene {
    fn new() -> Self {
        let terms = GrantTerms {
            lifetime: SignedDuration::from_hours(2_400),
            access_lifetime: SignedDuration::from_hours(1),
        };
        Self { authority: Authority::new(terms), now: "2026-01-01T00:00:00.25Z".parse().unwrap(), made: 0 }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn open(&mut self) -> String {
        self.made += 1;
        let id = format!("page-{}", self.made);
        let ask = PendingAuthorization {
            redirect_uri: BACK.to_owned(),
            state: None,
            code_challenge: Digest::of(VERIFIER).challenge(),
            ubi: "0042".to_owned(),
            license: "L1".to_owned(),
            username: None,
        };
        self.authority.ask(self.now, id.clone(), ask);
        id
    }

    fn click(&mut self, page: &str, ubi: &str, username: &str, password: &str) -> (ConsentClick, String) {
        self.made += 1;
        let code = format!("code-{}", self.made);
        let sign_in =
            SignIn { ubi: ubi.to_owned(), username: username.to_owned(), password: password.to_owned() };
        let decision = self.authority.grant(
            self.now,
            page,
            &sign_in,
            &code,
            |_| false,
            |ask, username| GrantFacts {
                company: "Treez Inc".to_owned(),
                application: "Treez".to_owned(),
                ubi: ask.ubi.clone(),
                access_type: "Integrator",
                location: ask.license.clone(),
                resource: "*",
                operation: "read_write",
                username: username.to_owned(),
            },
        );
        (decision, code)
    }

    fn code(&mut self) -> String {
        let page = self.open();
        let (decision, code) = self.click(&page, " 0042 ", "ann", PASSWORD);
        assert!(matches!(decision, ConsentClick::Granted(_)), "{decision:?}");
        code
    }

    fn exchange(&mut self, code: &str) -> Result<Answer, InvalidGrant> {
        self.exchange_as(code, BACK, VERIFIER)
    }

    fn exchange_as(&mut self, code: &str, back: &str, verifier: &str) -> Result<Answer, InvalidGrant> {
        let minted = self.mint();
        self.authority.exchange(self.now, code, back, verifier, minted)
    }

    fn refresh(&mut self, token: &str) -> Result<Answer, InvalidGrant> {
        let minted = self.mint();
        self.authority.refresh(self.now, token, minted)
    }

    fn mint(&mut self) -> MintedTokens {
        self.made += 1;
        MintedTokens { access: format!("access-{}", self.made), refresh: format!("refresh-{}", self.made) }
    }

    fn granted(&mut self) -> Answer {
        let code = self.code();
        self.exchange(&code).unwrap()
    }

    fn opens(&self, answer: &Answer) -> bool {
        self.authority.access(self.now, &answer.access).is_some()
    }

    fn events(&mut self) -> Vec<String> {
        let line = |event: Event| match event.what.why {
            Some(why) => format!("{}: {why}", event.event),
            None => event.event.to_owned(),
        };
        self.authority.take_events().into_iter().map(line).collect()
    }
}

#[test]
fn a_code_works_once_and_its_replay_revokes_what_it_made() {
    let mut scene = Scene::new();
    let code = scene.code();
    let answer = scene.exchange(&code).unwrap();
    assert!(scene.opens(&answer));
    assert_eq!(answer.expires_in, 3_600);
    // However late it comes.
    scene.wait(3_000);
    assert_eq!(scene.exchange(&code).unwrap_err(), InvalidGrant("code replayed"));
    assert!(!scene.opens(&answer));
    assert_eq!(scene.refresh(&answer.refresh).unwrap_err(), InvalidGrant("grant revoked"));
    scene.exchange(&code).unwrap_err();
    assert_eq!(
        scene.events(),
        [
            "code_issued",
            "token_issued",
            "token_revoked: code replayed",
            "refused: invalid_grant: code replayed",
            "refused: invalid_grant: grant revoked",
            "refused: invalid_grant: code replayed",
        ]
    );
}

#[test]
fn a_code_lives_five_minutes() {
    let mut scene = Scene::new();
    let (early, late) = (scene.code(), scene.code());
    scene.wait(299);
    scene.exchange(&early).unwrap();
    scene.wait(1);
    assert_eq!(scene.exchange(&late).unwrap_err(), InvalidGrant("code expired"));
}

#[test]
fn a_wrong_verifier_or_redirect_address_spoils_the_code() {
    let mut scene = Scene::new();
    let (one, two) = (scene.code(), scene.code());
    let wrong = scene.exchange_as(&one, BACK, "another").unwrap_err();
    assert_eq!(wrong, InvalidGrant("code_verifier doesn't match"));
    let wrong = scene.exchange_as(&two, "http://127.0.0.1:2/callback", VERIFIER).unwrap_err();
    assert_eq!(wrong, InvalidGrant("another redirect_uri than was asked with"));
    scene.exchange(&one).unwrap_err();
    scene.exchange(&two).unwrap_err();
    assert!(scene.exchange("no such code").is_err());
    assert!(!scene.events().contains(&"token_issued".to_owned()));
}

#[test]
fn a_refresh_rotates_and_moves_no_expiry() {
    let mut scene = Scene::new();
    let first = scene.granted();
    scene.wait(86_400);
    assert!(!scene.opens(&first));
    let second = scene.refresh(&first.refresh).unwrap();
    assert!(scene.opens(&second));
    assert_eq!(second.expires_at, first.expires_at);
    assert_eq!(first.expires_at.to_string(), "2026-04-11T00:00:00Z");
}

#[test]
fn a_replayed_refresh_token_revokes_its_grant_alone() {
    let mut scene = Scene::new();
    let (other, first) = (scene.granted(), scene.granted());
    let second = scene.refresh(&first.refresh).unwrap();
    assert!(scene.opens(&first));
    assert_eq!(scene.refresh(&first.refresh).unwrap_err(), InvalidGrant("refresh replayed"));
    assert!(!scene.opens(&first) && !scene.opens(&second) && scene.opens(&other));
    assert!(scene.refresh(&second.refresh).is_err());
    assert!(scene.events().contains(&"token_revoked: refresh replayed".to_owned()));
}

#[test]
fn nothing_outlives_the_grant() {
    let mut scene = Scene::new();
    let first = scene.granted();
    scene.wait(2_400 * 3_600 - 600);
    let last = scene.refresh(&first.refresh).unwrap();
    assert_eq!(last.expires_in, 599);
    scene.wait(600);
    assert!(!scene.opens(&last));
    assert_eq!(scene.refresh(&last.refresh).unwrap_err(), InvalidGrant("grant expired"));
}

#[test]
fn a_renewal_keeps_the_first_date_and_the_older_grant() {
    let mut scene = Scene::new();
    let first = scene.granted();
    scene.wait(86_400);
    let code = scene.code();
    let second = scene.exchange(&code).unwrap();
    assert_eq!(second.created_at, first.created_at);
    assert_eq!(second.created_at.to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(second.expires_at.to_string(), "2026-04-12T00:00:00Z");
    scene.refresh(&first.refresh).unwrap();
}

#[test]
fn a_revocation_ends_one_family_by_any_of_its_tokens() {
    let mut scene = Scene::new();
    let kept = scene.granted();
    let by_access = scene.granted();
    let by_old = scene.granted();
    let rotated = scene.refresh(&by_old.refresh).unwrap();
    scene.events();
    for token in [&by_access.access, &by_access.refresh, &by_old.refresh, "unknown"] {
        scene.authority.revoke(scene.now, token);
    }
    assert_eq!(scene.events(), ["token_revoked: asked", "token_revoked: asked"]);
    assert!(scene.opens(&kept) && !scene.opens(&by_access) && !scene.opens(&rotated));
}

#[test]
fn introspection_tells_live_tokens_from_dead_ones() {
    let mut scene = Scene::new();
    let first = scene.granted();
    let second = scene.refresh(&first.refresh).unwrap();
    let ask = |scene: &mut Scene, token: &str| scene.authority.introspect(scene.now, token);
    assert!(ask(&mut scene, &first.refresh).is_none());
    assert!(ask(&mut scene, "unknown").is_none());
    let refresh = ask(&mut scene, &second.refresh).unwrap();
    assert_eq!((refresh.access, refresh.expires_at), (false, second.expires_at));
    assert!(ask(&mut scene, &second.access).unwrap().access);
    // A refresh token opens nothing by itself.
    assert!(scene.authority.access(scene.now, &second.refresh).is_none());
}

#[test]
fn a_page_is_answered_once_and_in_time() {
    let mut scene = Scene::new();
    let page = scene.open();
    let (again, _) = scene.click(&page, "42", " ", "Sandbox");
    let ConsentClick::Again(_, faults) = again else { panic!("{again:?}") };
    assert_eq!(faults, [Fault::Ubi, Fault::Username, Fault::Password]);
    assert!(matches!(scene.click(&page, "0042", "ann", PASSWORD).0, ConsentClick::Granted(_)));
    assert!(matches!(scene.click(&page, "0042", "ann", PASSWORD).0, ConsentClick::Gone));
    let page = scene.open();
    assert!(matches!(scene.authority.deny(scene.now, &page), ConsentClick::Denied(_)));
    assert!(matches!(scene.authority.deny(scene.now, &page), ConsentClick::Gone));
    let page = scene.open();
    scene.wait(900);
    assert!(matches!(scene.click(&page, "0042", "ann", PASSWORD).0, ConsentClick::Gone));
    assert_eq!(scene.events()[0], "refused: wrong UBI, no username, wrong password");
}
