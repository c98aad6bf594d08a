//! Addresses: what may stand in a profile, and how `{url}` is filled in.

use crate::error::clean;
use crate::system::written_authority;
use url::{Host, Url};

/// Why an address is refused, and what would be right.
#[derive(Debug)]
pub(super) struct InvalidValue {
    pub problem: String,
    pub right: Option<String>,
}

impl InvalidValue {
    pub(super) fn new(problem: impl Into<String>, right: &str) -> Self {
        Self { problem: problem.into(), right: Some(right.into()) }
    }
}

/// Reads an address; what it says of a refused one never repeats a password.
pub(super) fn check(text: &str) -> Result<Url, InvalidValue> {
    let form = "An address looks like https://host/path.";
    if text.contains(|c: char| c.is_whitespace() || c == '\\') {
        return Err(InvalidValue::new("contains a space or a backslash", form));
    }
    if text.contains('…') {
        return Err(InvalidValue::new("still contains the example's …", "Write the whole address."));
    }
    let url =
        Url::parse(text).map_err(|e| InvalidValue::new(format!("isn't a valid address ({e})"), form))?;
    // An empty user leaves no trace in what was parsed.
    let authority = written_authority(text, url.scheme());
    if authority.is_some_and(|authority| authority.contains('@')) || !url.username().is_empty() {
        return Err(InvalidValue::new(
            "contains a user name or password",
            "Remove it. Set the client's id in client_id, and store its secret in the vault: biotrack-auth config set-secret",
        ));
    }
    // Browsers read `https:host` and `https:///host` too; whatever else is given the address may not.
    // defense: S24 configured-address-has-a-host
    let (Some(host), Some(1..)) = (url.host(), authority.map(str::len)) else {
        return Err(InvalidValue::new("isn't a web address", "Begin with https:// and a host."));
    };
    // A scheme may be written in capitals, but the issuer is compared to the letter, and others look for `http://`.
    if !text.starts_with(url.scheme()) {
        return Err(InvalidValue::new(
            "has capital letters or a space in its scheme",
            "Begin with https:// in lowercase letters.",
        ));
    }
    match url.scheme() {
        "https" => {}
        // defense: S24 configured-http-on-this-machine
        "http" if is_loopback(&host) => {}
        "http" => {
            let problem = format!("uses plain http to {}", clean(&host.to_string()));
            let right = "Use https://; plain http works for 127.0.0.1, [::1] and localhost only.";
            return Err(InvalidValue::new(problem, right));
        }
        other => return Err(InvalidValue::new(format!("begins with {other}:"), "Begin with https://.")),
    }
    if url.fragment().is_some() {
        return Err(InvalidValue::new("contains a #", form));
    }
    Ok(url)
}

/// Reads an address that others are built on, or compared with: no query.
pub(super) fn check_base(text: &str) -> Result<Url, InvalidValue> {
    let url = check(text)?;
    match url.query() {
        None => Ok(url),
        Some(_) => Err(InvalidValue::new("contains a ?", "Set further parameters in authorize_parameters.")),
    }
}

/// Fills `{url}` in; nothing where it's needed and there is none.
pub(super) fn resolve(template: &str, url: Option<&str>) -> Result<Option<String>, InvalidValue> {
    let (based, rest) = match template.strip_prefix("{url}") {
        Some(rest) => (true, rest),
        None => (false, template),
    };
    if rest.contains(['{', '}']) {
        let problem = "contains a placeholder that isn't allowed there";
        return Err(InvalidValue::new(problem, "Only {url} is allowed, at the beginning of an address."));
    }
    if based && !(rest.is_empty() || rest.starts_with(['/', '?'])) {
        return Err(InvalidValue::new("continues after {url} without a slash", "Write {url}/… ."));
    }
    Ok(match (based, url) {
        (false, _) => Some(rest.to_owned()),
        (true, Some(url)) => Some(format!("{url}{rest}")),
        (true, None) => None,
    })
}

/// Whether the host is this machine without asking a name server.
pub(super) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => *name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_pass_and_plain_http_only_to_this_machine() {
        for good in [
            "https://a.example/x?y=1",
            "http://127.0.0.1:8990",
            "http://[::1]:1/",
            "http://localhost",
            "http://127.9.9.9/",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example",
            "http://localhost.a.example",
            "http://127.0.0.1.a.example",
            "http://0.0.0.0",
            "http://[::ffff:127.0.0.1]",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "mailto:a@b",
            "https://user:pw@a.example",
            "https://@a.example",
            "https://a.example/#x",
            "https://a.example/ x",
            "https:\\\\a.example",
            "a.example",
            "https:a.example",
            "https:/a.example",
            "https:///a.example",
            "https:/a.example://a.example",
            "https:user:pw@a.example",
            "",
        ] {
            let wrong = check(bad).expect_err(bad);
            assert!(!wrong.problem.contains("pw"), "{}", wrong.problem);
        }
    }

    #[test]
    fn url_stands_at_the_start_or_nowhere() {
        let url = Some("https://h");
        assert_eq!(resolve("{url}/oauth", url).unwrap().unwrap(), "https://h/oauth");
        assert_eq!(resolve("https://o/x", url).unwrap().unwrap(), "https://o/x");
        assert_eq!(resolve("{url}/oauth", None).unwrap(), None);
        for bad in [
            "{ubi}/x",
            "https://{url}",
            "{url}.evil.example",
            "{url}/{ubi}",
            "{url}:1/x",
            "{url}@evil.example/",
        ] {
            assert!(resolve(bad, url).is_err(), "{bad}");
        }
    }
}
