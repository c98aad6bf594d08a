//! The requests of a grant, with one fixed PKCE pair (RFC 7636, appendix B): a floor needn't guard anything.

use crate::http::{Connection, decoded, encoded, parameter, split};
use std::collections::HashMap;
use std::io;

/// The stand-in's client and its secret, which open nothing but a stand-in.
const CLIENT: &str = "client_id=biotrack-auth-sandbox&client_secret=sandbox-secret";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Where an admin is sent to be asked.
pub fn authorize(provider: &str, back: &str, license: &str) -> String {
    format!(
        "{provider}/oauth?response_type=code&client_id=biotrack-auth-sandbox&redirect_uri={}&state=s\
         &code_challenge={CHALLENGE}&code_challenge_method=S256&ubi=604001234&license={license}\
         &username=ann@hudson.example",
        encoded(back)
    )
}

/// The form that makes tokens of a code. `code` is as it stands in the redirect.
pub fn exchange(code: &str, back: &str) -> String {
    format!(
        "grant_type=authorization_code&code={code}&redirect_uri={}&code_verifier={VERIFIER}&{CLIENT}",
        encoded(back)
    )
}

/// The form that makes new tokens of a refresh token.
pub fn refresh(token: &str) -> String {
    format!("grant_type=refresh_token&refresh_token={}&{CLIENT}", encoded(token))
}

/// A text field of a flat JSON answer; no token has anything escaped in it.
pub fn field<'j>(json: &'j str, name: &str) -> Option<&'j str> {
    let name = format!("\"{name}\"");
    let after = &json[json.find(&name)? + name.len()..];
    after.trim_start_matches([':', ' ']).strip_prefix('"')?.split('"').next()
}

/// A browser with an admin at it who grants at once. It keeps its connections.
#[derive(Default)]
pub struct Admin {
    connections: HashMap<String, Connection>,
}

impl Admin {
    /// Follows an authorize address up to the redirect that carries the code: that one's address, not visited yet.
    pub fn grant(&mut self, address: &str) -> io::Result<String> {
        let mut at = address.to_owned();
        for _ in 0..5 {
            let (host, path) = split(&at)?;
            let answer = self.at(host).get(path)?;
            let next = match answer.location {
                Some(next) => next,
                None => self.fill_in(host, path, &answer.body)?,
            };
            at = if next.starts_with('/') { format!("http://{host}{next}") } else { next };
            if parameter(&at, "code").is_some() {
                return Ok(at);
            }
        }
        Err(io::Error::other(format!("no code came of {address}")))
    }

    /// Visits an address: its status.
    pub fn visit(&mut self, address: &str) -> io::Result<u16> {
        let (host, path) = split(address)?;
        Ok(self.at(host).get(path)?.status)
    }

    fn at(&mut self, host: &str) -> &mut Connection {
        self.connections.entry(host.to_owned()).or_insert_with(|| Connection::to(host))
    }

    /// The stand-in's Grant Access page: its form, as a browser would post it.
    fn fill_in(&mut self, host: &str, path: &str, page: &str) -> io::Result<String> {
        let hidden = page.split("<input").find(|tag| tag.contains("name=\"request\""));
        let value = hidden.and_then(|tag| tag.split_once("value=\"")?.1.split('"').next());
        let request = value.ok_or_else(|| io::Error::other(format!("no form at {path}: {page:.300}")))?;
        let asked = |name| parameter(path, name).unwrap_or_default();
        let username = encoded(&decoded(asked("username")));
        let form = format!(
            "request={request}&ubi={}&username={username}&password=sandbox&decision=grant",
            asked("ubi")
        );
        let answer = self.at(host).post("/oauth/grant", &form)?;
        answer
            .location
            .ok_or_else(|| io::Error::other(format!("the form was taken amiss: {:.300}", answer.body)))
    }
}
