//! An admin user without a screen: fills in the Grant Access page's form, as a browser would post it.

use super::PASSWORD;
use reqwest::Client;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use std::io;
use url::Url;
use url::form_urlencoded::Serializer;

/// What an admin does with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminChoice {
    /// Grants, as whoever the page was opened for.
    Grant,
    /// Grants, signed in as somebody else.
    GrantAs(String),
    Refuse,
}

/// A browser that keeps its connections, and goes where it's sent only when told to.
pub struct Visitor(Client);

impl Visitor {
    /// A browser. It's used in a runtime with I/O and time.
    pub fn new() -> io::Result<Self> {
        // A second call finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let browser = Client::builder().no_proxy().tls_certs_only([]).redirect(Policy::none()).build();
        browser.map(Self).map_err(io::Error::other)
    }

    /// Where a one-time address leads, by which a browser was started; any other address stays as it is.
    pub async fn led(&self, address: &str) -> io::Result<Url> {
        let address = Url::parse(address).map_err(io::Error::other)?;
        if !address.path().starts_with("/launch/") {
            return Ok(address);
        }
        let answer = self.0.get(address.clone()).send().await.map_err(io::Error::other)?;
        let led = answer.headers().get(LOCATION).and_then(|led| led.to_str().ok());
        let led = led.ok_or_else(|| io::Error::other("the one-time address leads nowhere"))?;
        Url::parse(led).map_err(io::Error::other)
    }

    /// Opens an authorize address of the sandbox and answers its form: where the browser is sent back to.
    pub async fn answer(&self, address: &str, decision: &AdminChoice) -> io::Result<Url> {
        let asked = self.led(address).await?;
        let parameter = |name: &str| {
            asked.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
        };
        let page = text(self.0.get(asked.clone())).await?;
        let request = hidden(&page, "request").ok_or_else(|| io::Error::other("the page has no form"))?;
        let username = match decision {
            AdminChoice::GrantAs(username) => username.clone(),
            AdminChoice::Grant | AdminChoice::Refuse => parameter("username").unwrap_or_default(),
        };
        let form = Serializer::new(String::new())
            .append_pair("request", request)
            .append_pair("ubi", &parameter("ubi").unwrap_or_default())
            .append_pair("username", &username)
            .append_pair("password", PASSWORD)
            .append_pair("decision", if *decision == AdminChoice::Refuse { "refuse" } else { "grant" })
            .finish();
        let action = asked.join("/oauth/grant").map_err(io::Error::other)?;
        let post = self.0.post(action).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = post.send().await.map_err(io::Error::other)?;
        let back = answer.headers().get(LOCATION).and_then(|back| back.to_str().ok());
        let back = back.ok_or_else(|| io::Error::other("the form was taken amiss"))?;
        Url::parse(back).map_err(io::Error::other)
    }

    /// Goes where it was sent back to; the last page's text.
    pub async fn follow(&self, back: Url) -> io::Result<String> {
        text(self.0.get(back)).await
    }
}

/// Opens an authorize address of the sandbox, grants, and follows the redirect to the listener; the last page's text.
/// Needs a runtime with I/O and time.
pub async fn grant(address: &str) -> io::Result<String> {
    let visitor = Visitor::new()?;
    let back = visitor.answer(address, &AdminChoice::Grant).await?;
    visitor.follow(back).await
}

async fn text(request: reqwest::RequestBuilder) -> io::Result<String> {
    request.send().await.map_err(io::Error::other)?.text().await.map_err(io::Error::other)
}

/// A hidden field's value; the sandbox's own values need no unescaping.
fn hidden<'p>(page: &'p str, name: &str) -> Option<&'p str> {
    let tag = page.split("<input").find(|tag| tag.contains(&format!("name=\"{name}\"")))?;
    let value = &tag[tag.find("value=\"")? + 7..];
    value.split('"').next()
}
