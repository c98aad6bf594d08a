//! An admin user without a screen: fills in the Grant Access page's form, as a browser would post it.

use super::PASSWORD;
use reqwest::Client;
use std::io;
use url::Url;
use url::form_urlencoded::Serializer;

/// Opens an authorize address of the sandbox, grants, and follows the redirect to the listener; the last page's text.
/// Needs a runtime with I/O and time.
pub async fn grant(address: &str) -> io::Result<String> {
    let asked = Url::parse(address).map_err(io::Error::other)?;
    let parameter = |name: &str| {
        asked.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    };
    // A second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let browser = Client::builder().no_proxy().tls_certs_only([]).build().map_err(io::Error::other)?;
    let page = text(browser.get(asked.clone())).await?;
    let request = hidden(&page, "request").ok_or_else(|| io::Error::other("the page has no form"))?;
    let form = Serializer::new(String::new())
        .append_pair("request", request)
        .append_pair("ubi", &parameter("ubi").unwrap_or_default())
        .append_pair("username", &parameter("username").unwrap_or_default())
        .append_pair("password", PASSWORD)
        .append_pair("decision", "grant")
        .finish();
    let action = asked.join("/oauth/grant").map_err(io::Error::other)?;
    text(browser.post(action).header("content-type", "application/x-www-form-urlencoded").body(form)).await
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
