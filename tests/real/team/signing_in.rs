//! Who is given a password, and whose schema is used.

use super::Team;
use crate::support::register;
use crate::support::team::{PASSWORD, shared};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::JoinHandle;

/// The request for something before anybody is signed in.
fn request(number: u32, more: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + more.len()).unwrap();
    [&b"R"[..], &length.to_be_bytes(), &number.to_be_bytes(), more].concat()
}

/// Whoever holds the port: answers what a client says first with this, and keeps all that it hears.
fn impostor(mut stream: impl Read + Write, answer: &[u8]) -> Vec<u8> {
    let mut heard = vec![0; 4096];
    let read = stream.read(&mut heard).unwrap();
    heard.truncate(read);
    stream.write_all(answer).unwrap();
    // A client that is refused has gone already.
    let _ = stream.read_to_end(&mut heard);
    heard
}

fn on_a_port(answer: Vec<u8>) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, std::thread::spawn(move || impostor(listener.accept().unwrap().0, &answer)))
}

fn on_a_socket(folder: &Path, answer: Vec<u8>) -> JoinHandle<Vec<u8>> {
    let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
    std::thread::spawn(move || impostor(listener.accept().unwrap().0, &answer))
}

/// A home whose ledger is at an address, with a password at hand for whatever host.
fn with_password(address: &str) -> Team {
    let team = Team::on("postgres://postgres@127.0.0.1/ledger?sslmode=disable", 1);
    let passwords = team.rig.elsewhere("passwords");
    fs::write(&passwords, "*:*:*:*:canary-of-a-password\n").unwrap();
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).unwrap();
    let address = format!("{address}&passfile={}", passwords.display());
    team.is_at(0, &address);
    team
}

#[test]
fn who_holds_a_port_of_loopback_gets_no_password_and_is_not_believed() {
    for (answer, says) in [
        (request(3, b""), "asks for the password in the clear, without TLS"),
        (request(5, b"salt"), "hashed with MD5, without TLS"),
        (request(0, b""), "doesn't prove its identity"),
    ] {
        let (port, listening) = on_a_port(answer);
        let team = with_password(&format!("postgres://ann@127.0.0.1:{port}/ledger?sslmode=disable"));
        team.run(0, &["status"]).exits(7).says("can't be used").says(says).says_not("canary");
        let heard = listening.join().unwrap();
        assert!(heard.windows(3).any(|it| it == b"ann"), "nothing was tried");
        assert!(!heard.windows(6).any(|it| it == b"canary"), "{}", String::from_utf8_lossy(&heard));
        // Nothing follows what a client says first.
        let length = u32::from_be_bytes(heard[..4].try_into().unwrap());
        assert_eq!(heard.len(), length as usize);
    }
}

#[test]
fn a_socket_that_others_could_have_put_there_gets_no_password() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let team = with_password(&format!("postgres://ann@/ledger?host={}", folder.path().display()));
    let listening = on_a_socket(folder.path(), request(3, b""));
    team.run(0, &["status"]).exits(7).says("in the clear");
    assert!(!String::from_utf8_lossy(&listening.join().unwrap()).contains("canary"));
    // In a folder of its own the server alone can answer, and may ask for it.
    fs::remove_file(folder.path().join(".s.PGSQL.5432")).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let listening = on_a_socket(folder.path(), request(3, b""));
    let running = team.command(0, &["status"]).spawn().unwrap();
    // It waits for what follows the password until its patience is over.
    drop(running.wait_with_output());
    assert!(String::from_utf8_lossy(&listening.join().unwrap()).contains("canary"));
}

#[test]
fn a_password_that_was_changed_is_read_again_by_a_process_that_runs_on() {
    let server = shared();
    let database = server.database();
    let role = server.role(&database, "changing", &[]);
    server.says(&database, &format!("ALTER DATABASE {database} OWNER TO {role}"));
    let address = server.address(&database, &role);
    let team = Team::on(&address, 1);
    let passwords = team.rig.elsewhere("passwords");
    let has = |password: &str| {
        fs::write(&passwords, format!("*:*:*:*:{password}\n")).unwrap();
        fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).unwrap();
    };
    has(&PASSWORD.replace('\\', "\\\\").replace(':', "\\:"));
    let (before, _) = address.split_once("&passfile=").unwrap();
    team.is_at(0, &format!("{before}&passfile={}", passwords.display()));
    let mut ledger = team.ledger(0);
    ledger.check_usable().unwrap();
    server.says(&database, &format!("ALTER ROLE {role} PASSWORD 'another'"));
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'");
    server.says(&database, &end);
    team.rig.until(|| {
        ledger.check_usable().is_err_and(|e| e.to_string().contains("password authentication failed"))
    });
    has("another");
    // A server that has just refused isn't asked again for a moment.
    team.rig.until(|| ledger.check_usable().is_ok());
}

#[test]
fn a_schema_that_somebody_else_made_or_put_something_into_is_refused_and_nothing_of_it_runs() {
    let server = shared();
    let database = server.database();
    let eve = server.role(&database, "eve", &[]);
    server.says(&database, &format!("GRANT CREATE ON DATABASE {database} TO {eve}; CREATE TABLE public.ran (who text); GRANT INSERT ON public.ran TO public"));
    let says = |statements: &str| {
        let mut psql = server.psql(&database, &eve);
        let done = psql.args(["-v", "ON_ERROR_STOP=1", "-c", statements]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    const TRAP: &str = "CREATE FUNCTION biotrack_auth.trap() RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.ran VALUES (current_user); RETURN '7'; END $$;";
    says(&format!(
        "CREATE SCHEMA biotrack_auth; {TRAP}
         CREATE VIEW biotrack_auth.meta AS SELECT 'schema' AS name, biotrack_auth.trap() AS value;
         GRANT ALL ON SCHEMA biotrack_auth TO public; GRANT ALL ON ALL TABLES IN SCHEMA biotrack_auth TO public"
    ));
    let team = Team::on(&server.address(&database, "postgres"), 1);
    let refused = || {
        for words in [vec!["status"], register("L-1", &[]), vec!["doctor", "--fix"]] {
            let run = team.run(0, &words);
            assert!(run.code != 0, "{words:?}");
            let said = format!("{}{}", run.out, run.err);
            assert!(
                said.contains(&format!("the role {eve} created the schema biotrack_auth")),
                "{words:?}: {said}"
            );
        }
        assert_eq!(server.says(&database, "SELECT count(*) FROM public.ran"), "0");
    };
    refused();
    team.run(0, &["status"]).exits(7).says(&format!("ALTER DATABASE \"{database}\" OWNER TO \"{eve}\""));
    // One of our own, in which she puts something.
    says("DROP SCHEMA biotrack_auth CASCADE");
    team.run(0, &register("L-1", &[])).exits(0);
    server.says(&database, &format!("GRANT USAGE, CREATE ON SCHEMA biotrack_auth TO {eve}"));
    says(TRAP);
    refused();
    server.says(&database, "DROP FUNCTION biotrack_auth.trap()");
    team.run(0, &["status"]).exits(0);
    // All of it hers, in a database of hers: that is whom the ledger was entrusted to.
    server.says(&database, &format!("GRANT {eve} TO postgres; ALTER DATABASE {database} OWNER TO {eve}"));
    server.says(&database, "DROP SCHEMA biotrack_auth CASCADE");
    Team::on(&server.address(&database, &eve), 1).run(0, &register("L-1", &[])).exits(0);
    team.run(0, &["status"]).exits(0);
}

#[test]
fn a_database_in_another_encoding_is_refused_at_the_start() {
    let server = shared();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let database = format!("other_{}", encoding.to_lowercase());
        server.says(
            "postgres",
            &format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"),
        );
        let team = Team::on(&server.address(&database, "postgres"), 1);
        for words in [vec!["status"], register("L-1", &[])] {
            team.run(0, &words).exits(7).says(&format!("encoding is {encoding}")).says("ENCODING 'UTF8'");
        }
        let made = "SELECT count(*) FROM pg_namespace WHERE nspname = 'biotrack_auth'";
        assert_eq!(server.says(&database, made), "0");
        assert_eq!(team.rig.counted("token_issued"), 0);
    }
}
