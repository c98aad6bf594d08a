//! An OAuth and OpenID provider whose consent takes no time, for whatever client: any code and any refresh token is
//! taken, and fresh tokens come of it. Prints its address.
#![forbid(unsafe_code)]

use floor::http::{Head, answer, decoded, listen, parameter};
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

static ISSUED: AtomicU64 = AtomicU64::new(0);

fn main() -> io::Result<()> {
    let (listener, port) = listen()?;
    let own = format!("http://127.0.0.1:{port}");
    println!("{own}");
    for stream in listener.incoming() {
        let (stream, own) = (stream?, own.clone());
        // A client that goes away is no trouble.
        std::thread::spawn(move || serve(stream, &own));
    }
    Ok(())
}

fn serve(stream: TcpStream, own: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let head = Head::read(&mut stream)?;
        let body = head.body(&mut stream, false)?;
        let target = head.first.split(' ').nth(1).unwrap_or_default().to_owned();
        let reply = match target.split('?').next().unwrap_or_default() {
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
                json(&metadata(own))
            }
            "/oauth" => redirect(&target, own),
            "/oauth/token" => json(&tokens(&body)),
            "/userinfo" => json(r#"{"sub":"ann"}"#),
            _ => answer("404 Not Found", "", ""),
        };
        stream.get_mut().write_all(reply.as_bytes())?;
        if head.closes() && head.value("connection").is_some() {
            return Ok(());
        }
    }
}

fn json(text: &str) -> String {
    answer("200 OK", "Content-Type: application/json\r\nCache-Control: no-store\r\n", text)
}

fn redirect(target: &str, own: &str) -> String {
    let asked = |name| parameter(target, name).unwrap_or_default();
    let mut back = decoded(asked("redirect_uri"));
    if back.matches('/').count() == 2 {
        // As a browser would go there.
        back.push('/');
    }
    let joint = if back.contains('?') { '&' } else { '?' };
    let code = ISSUED.fetch_add(1, Ordering::Relaxed);
    let to =
        format!("{back}{joint}code=code-{code}&state={}&iss={}", asked("state"), floor::http::encoded(own));
    answer("302 Found", &format!("Location: {to}\r\n"), "")
}

/// As long as the tokens of a real provider.
fn tokens(form: &str) -> String {
    let number = ISSUED.fetch_add(1, Ordering::Relaxed);
    let scope = parameter(form, "scope").map_or_else(|| "openid offline_access".into(), decoded);
    format!(
        r#"{{"access_token":"access-{number:0>60}","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-{number:0>60}","scope":"{}"}}"#,
        scope.replace('+', " ")
    )
}

fn metadata(own: &str) -> String {
    format!(
        r#"{{"issuer":"{own}","authorization_endpoint":"{own}/oauth","token_endpoint":"{own}/oauth/token","userinfo_endpoint":"{own}/userinfo","jwks_uri":"{own}/jwks","scopes_supported":["openid","profile","offline_access"],"response_types_supported":["code"],"grant_types_supported":["authorization_code","refresh_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"],"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"],"authorization_response_iss_parameter_supported":true}}"#
    )
}
