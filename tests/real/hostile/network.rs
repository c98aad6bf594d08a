//! S44, S46: who stands between us and the provider. A certificate that isn't the provider's is refused,
//! no switch makes it pass, and nobody is followed elsewhere.

use super::is_harmless;
use crate::support::crowd::{Crowd, Will};
use crate::support::scripted::{Answer, Scripted, whole};
use crate::support::{Rig, outside, register};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Certificates of one authority, made by openssl.
struct Authority<'r> {
    rig: &'r Rig,
}

impl<'r> Authority<'r> {
    fn new(rig: &'r Rig) -> Self {
        let it = Self { rig };
        it.signed("ca", "/CN=an authority", &["-addext", "basicConstraints=critical,CA:TRUE"]);
        let config = "[ca]\ndefault_ca = it\n[it]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\n\
                      default_md = sha256\npolicy = any\ncopy_extensions = copy\nunique_subject = no\n[any]\ncommonName = supplied\n";
        std::fs::write(it.folder().join("ca.cnf"), config).unwrap();
        std::fs::write(it.folder().join("index"), "").unwrap();
        it
    }

    fn openssl(&self, arguments: &[&str]) {
        let made = outside("openssl").args(arguments).current_dir(self.folder()).output().unwrap();
        assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    }

    fn folder(&self) -> PathBuf {
        self.rig.elsewhere("ca").parent().unwrap().to_path_buf()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.pem"))
    }

    /// One that signs itself.
    fn signed(&self, name: &str, subject: &str, more: &[&str]) {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let all = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            subject,
            "-keyout",
            &key,
            "-out",
            &pem,
        ];
        self.openssl(&[&all[..], more].concat());
    }

    /// One that the authority signs, for this name and these days.
    fn signs(&self, name: &str, alternative: &str, valid: &[&str]) {
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let alternative = format!("subjectAltName={alternative}");
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=x",
            "-addext",
            &alternative,
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        let sign = [
            "ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in",
            &request, "-out", &pem,
        ];
        self.openssl(&[&sign[..], valid].concat());
    }
}

/// TLS in front of the sandbox, in Python; it ends with the test.
struct Front {
    child: Child,
    port: u16,
}

impl Front {
    fn of(rig: &Rig, certificate: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/hostile/tls_front.py");
        let mut child = outside("python3")
            .arg(script)
            .arg(rig.sandbox().address())
            .arg(certificate)
            .arg(certificate.with_extension("key"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A license registered through TLS at this name; who may be trusted stands in the profile or the environment.
#[track_caller]
fn registers(rig: &Rig, url: &str, crowd: &Crowd, license: &str, trusted: &[(&str, &Path)]) -> (i32, String) {
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let sandbox = rig.sandbox().address();
    let mut changed = text.replace(&sandbox, url);
    // The page is no part of this, and the sandbox knows itself by its own name alone.
    changed.push_str(&format!(
        "\nissuer = {sandbox:?}\nmetadata = false\nauthorize_url = \"{sandbox}/oauth\"\n"
    ));
    let mut command: Command = rig.command(&register(license, &["--browser", &crowd.browser()]));
    for (how, file) in trusted {
        match *how {
            "ca_file" => changed = format!("{changed}\nca_file = {file:?}\n"),
            variable => drop(command.env(variable, file)),
        }
    }
    std::fs::write(&config, changed).unwrap();
    let run = crate::support::Run::of(command.output().unwrap());
    std::fs::write(&config, text).unwrap();
    is_harmless(url, &run);
    (run.code, run.err)
}

#[test]
fn a_certificate_that_is_not_the_providers_is_refused_before_anyone_is_asked() {
    let rig = Rig::new();
    let authority = Authority::new(&rig);
    let days = ["-days", "2"];
    let past = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
    let future = ["-startdate", "20900101000000Z", "-enddate", "20900201000000Z"];
    authority.signs("good", "DNS:localhost,IP:127.0.0.1", &days);
    authority.signs("other", "DNS:other.example,IP:127.0.0.9", &days);
    authority.signs("wide", "DNS:*", &days);
    authority.signs("mixed", "DNS:localhost.evil.example", &days);
    authority.signs("expired", "DNS:localhost,IP:127.0.0.1", &past);
    authority.signs("early", "DNS:localhost,IP:127.0.0.1", &future);
    authority.signed("self", "/CN=localhost", &["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    let (crowd, ca) = (Crowd::of(1, |_| Will::Grant), authority.file("ca"));
    let trusted = [("ca_file", ca.as_path())];
    let mut tried = 0;
    for (name, trusted) in [
        ("other", &trusted[..]),
        ("wide", &trusted),
        ("mixed", &trusted),
        ("expired", &trusted),
        ("early", &trusted),
        ("self", &trusted),
        ("self", &[]),
        ("good", &[]),
    ] {
        let front = Front::of(&rig, &authority.file(name));
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("https://{host}:{}", front.port);
            let (code, said) = registers(&rig, &url, &crowd, "L-1", trusted);
            assert_eq!(code, 8, "{name} at {host}: {said}");
            assert!(said.contains("certificate") || said.contains("can't be reached"), "{name}: {said}");
            tried += 1;
        }
    }
    assert_eq!((tried, crowd.tally().opened, rig.truth().len()), (16, 0, 0));
    assert_eq!(rig.status()["summary"]["total"], 0);
    // The control: the same server with the right certificate, its authority named.
    let front = Front::of(&rig, &authority.file("good"));
    for (nth, (host, how)) in
        [("localhost", "ca_file"), ("127.0.0.1", "ca_file"), ("localhost", "SSL_CERT_FILE")]
            .into_iter()
            .enumerate()
    {
        let url = format!("https://{host}:{}", front.port);
        let (code, said) = registers(&rig, &url, &crowd, &format!("L-{nth}"), &[(how, &ca)]);
        assert_eq!(code, 0, "{host} by {how}: {said}");
    }
    assert_eq!(rig.counted("token_issued"), 3);
}

#[test]
fn no_switch_makes_an_insecure_connection_pass() {
    let rig = Rig::new();
    let authority = Authority::new(&rig);
    authority.signed("self", "/CN=localhost", &["-addext", "subjectAltName=DNS:localhost"]);
    let front = Front::of(&rig, &authority.file("self"));
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let url = format!("https://localhost:{}", front.port);
    std::fs::write(&config, text.replace(&rig.sandbox().address(), &url)).unwrap();
    for flag in ["--insecure", "-k", "--no-verify", "--allow-insecure", "--tls-skip-verify"] {
        rig.run(&register("L-1", &[flag])).exits(2);
    }
    for key in ["insecure", "verify", "tls_verify", "danger_accept_invalid_certs", "allow_insecure"] {
        let before = std::fs::read_to_string(&config).unwrap();
        rig.adds_to_profile(&format!("{key} = true"));
        rig.run(&register("L-1", &["--browser", "true"])).exits(2).says(key);
        std::fs::write(&config, before).unwrap();
    }
    for variable in [
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "PYTHONHTTPSVERIFY",
        "CURL_INSECURE",
        "SSL_VERIFY",
        "BIOTRACK_AUTH_INSECURE",
    ] {
        let mut command = rig.command(&register("L-1", &["--browser", "true"]));
        let run = crate::support::Run::of(command.env(variable, "0").output().unwrap());
        run.exits(8);
    }
    assert_eq!(rig.status()["summary"]["total"], 0);
}

#[test]
fn nobody_is_followed_elsewhere() {
    let rig = Rig::new();
    for license in ["L-0", "L-1"] {
        rig.register(license).exits(0);
    }
    let (away, trap) = (Scripted::start(), Scripted::start());
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    for (nth, status) in ["302 Found", "307 Temporary"].into_iter().enumerate() {
        away.says(Answer::Bytes(whole(&format!("{status}\r\nlocation: {}/there", trap.address()), "")));
        let (license, new) = (format!("L-{nth}"), format!("L-new-{nth}"));
        let commands: [(&str, Vec<&str>, i32); 5] = [
            ("issuer", register(&new, &[]), 8),
            ("token_url", register(&new, &[]), 8),
            // The token that lives is handed out.
            ("token_url", vec!["token", &license, "--min-valid", "60m"], 0),
            ("introspection_url", vec!["status", "--online"], 0),
            ("revocation_url", vec!["deactivate", &license, "--yes"], 8),
        ];
        for (key, arguments, exit) in commands {
            std::fs::write(&config, format!("{text}\n{key} = {:?}\n", away.address())).unwrap();
            let before = away.asked();
            rig.run(&arguments).exits(exit);
            assert!(away.asked() > before, "{key}");
            assert_eq!(trap.asked(), 0, "{key} was followed elsewhere");
        }
    }
}
