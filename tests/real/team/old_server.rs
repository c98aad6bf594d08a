//! A ledger on a server that 0.2.0 wrote: what each role may do with it, and that its owner migrates it without losing anything.

use crate::support::old_home::OldHome;
use crate::support::outside;
use crate::support::team::{PASSWORD, Server, shared};
use biotrack_auth::config::Config;
use biotrack_auth::ledger::{Ledger, SCHEMA};
use biotrack_auth::system::Variables;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

/// The ledger of 0.2.0 in a database of its own, which belongs to a role of its own; and the home of a host that uses it.
struct Old {
    home: OldHome,
    server: &'static Server,
    database: String,
}

impl Old {
    fn restored() -> Self {
        let server = shared();
        let database = server.database();
        let owner = format!("owner_{database}");
        let roles = "tests/fixtures/ledgers/0.2.0/server/roles.sql";
        let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        server.says(
            &database,
            &format!(
                "CREATE ROLE {owner} LOGIN PASSWORD '{PASSWORD}'; ALTER DATABASE {database} OWNER TO {owner};
                 GRANT {owner} TO postgres"
            ),
        );
        // As its owner, whose all of it is then.
        let mut psql = outside("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &server.port.to_string()]);
        psql.args(["-U", &owner, "-d", &database, "-f"]);
        psql.arg(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/0.2.0/server/ledger.sql"),
        );
        let done = psql.env("PGPASSWORD", PASSWORD).stdout(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        server.says(&database, &read(roles));
        for role in ["reader", "writer"] {
            server.says(
                &database,
                &format!(
                    "CREATE ROLE {role}_{database} LOGIN PASSWORD '{PASSWORD}';
                     GRANT biotrack_auth_{role} TO {role}_{database}"
                ),
            );
        }
        let old = Self { home: OldHome::of("0.2.0", "server"), server, database };
        old.home.changes_config(|text| text.replace("postgres://LEDGER", &old.address("owner")));
        old
    }

    fn role(&self, role: &str) -> String {
        format!("{role}_{}", self.database)
    }

    fn address(&self, role: &str) -> String {
        self.server.address(&self.database, &self.role(role))
    }

    /// From now on the host is this role.
    fn is(&self, role: &str) {
        self.home.changes_config(|text| {
            let (_, rest) = text.split_once('\n').unwrap();
            format!("ledger = \"{}\"\n{rest}", self.address(role))
        });
    }

    fn schema(&self) -> String {
        self.server.says(&self.database, "SELECT value FROM biotrack_auth.meta WHERE name = 'schema'")
    }

    /// The columns of each table.
    fn columns(&self) -> BTreeMap<String, Vec<String>> {
        let asked = "SELECT table_name, string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position)
                     FROM information_schema.columns WHERE table_schema = 'biotrack_auth' GROUP BY table_name";
        let lines = self.server.says(&self.database, asked);
        let each = lines.lines().map(|line| line.split_once('|').unwrap());
        each.map(|(table, columns)| (table.to_owned(), columns.split(',').map(str::to_owned).collect()))
            .collect()
    }

    /// Every row of these columns.
    fn rows(&self, columns: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
        let of = |(table, columns): (&String, &Vec<String>)| {
            let list = columns.join(", ");
            // What the ledger says of itself is what changes.
            let which = if table == "meta" { "WHERE name <> 'schema'" } else { "" };
            let asked = format!("SELECT {list} FROM biotrack_auth.\"{table}\" {which} ORDER BY {list}");
            (table.clone(), self.server.says(&self.database, &asked))
        };
        columns.iter().map(of).collect()
    }
}

#[test]
fn whoever_uses_an_old_ledger_is_told_both_numbers_and_only_its_owner_migrates_it() {
    let old = Old::restored();
    let columns = old.columns();
    let before = old.rows(&columns);
    for (table, rows) in &before {
        assert!(!rows.is_empty() || table == "left_item", "nothing is tried of {table}");
    }
    let untouched = || (old.schema() == "7") && old.columns() == columns && old.rows(&columns) == before;
    let register =
        ["register", "--ubi", "604001", "--license", "L-1", "--username", "a@b.example", "--no-wait"];
    for role in ["reader", "writer", "owner"] {
        old.is(role);
        for words in [&["status"][..], &register, &["token", "L-ACTIVE"], &["history", "verify"], &["remind"]]
        {
            let refused = old.home.run(words).exits(7);
            let said = refused.err;
            assert!(
                said.contains("has schema 7") && said.contains(&format!("needs schema {SCHEMA}")),
                "{role} {words:?}: {said}"
            );
            assert!(said.contains("biotrack-auth doctor --fix"), "{role} {words:?}: {said}");
        }
        old.home.run(&["status", "--check"]).exits(3);
        let found = old.home.run(&["doctor"]).exits(1).out;
        assert!(found.contains("has schema 7") && found.contains("doctor --fix"), "{role}: {found}");
        assert!(untouched(), "{role}");
    }
    for role in ["reader", "writer"] {
        old.is(role);
        let told = old.home.run(&["doctor", "--fix"]).exits(1).out;
        assert!(told.contains(&format!("its owner, the role {}", old.role("owner"))), "{role}: {told}");
        assert!(untouched(), "{role}");
    }
    old.is("owner");
    let fixed = old.home.run(&["doctor", "--fix"]).exits(0).out;
    assert!(fixed.contains(&format!("migrated from schema 7 to schema {SCHEMA}")), "{fixed}");
    assert_eq!(old.schema(), SCHEMA.to_string());
    assert_eq!(old.rows(&columns), before);
    let again = old.home.run(&["doctor", "--fix"]).exits(0).out;
    assert!(
        !again.contains("migrated from schema") && again.contains(&format!("schema {SCHEMA}: OK")),
        "{again}"
    );

    // What 0.2.0's roles could do beside the program is taken from them, and what is new isn't everybody's.
    let event = "SELECT biotrack_auth.append_to_history('2026-12-01T00:00:00Z', '', '', '', 'granted', 'ann', 'desk', '')";
    for (role, statement) in [
        ("writer", "INSERT INTO biotrack_auth.history SELECT * FROM biotrack_auth.history"),
        ("writer", "INSERT INTO biotrack_auth.history_head VALUES (1, 9, '')"),
        ("reader", event),
    ] {
        let mut psql = old.server.psql(&old.database, &old.role(role));
        let done = psql.args(["-c", statement]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.contains("permission denied"), "{role} {statement}: {said}");
    }
    old.is("reader");
    assert_eq!(old.home.states(), old.home.expected["states"]);
    assert!(old.home.run(&["history", "verify"]).exits(0).out.contains("intact"));
    old.is("writer");
    for (license, hash) in old.home.expected["tokens"].as_object().unwrap() {
        let token = old.home.run(&["token", license]).exits(0).out;
        let hashed: String = Sha256::digest(token.trim()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, &Value::from(hashed), "{license}");
    }
    for license in ["L-OUT", "L-ANSWERED"] {
        let back = old.home.answers(license);
        old.home.run(&["complete", &back]).exits(0);
        assert_eq!(old.home.states()[license], "active", "{license}");
    }
    old.home.run(&["history", "verify"]).exits(0);
}

#[test]
fn every_old_seal_on_a_server_is_made_anew_by_the_first_host_that_can_read_it() {
    let old = Old::restored();
    old.home.run(&["doctor", "--fix"]).exits(0);
    // This host doesn't know the profile ny: what that was sealed for is for a host to say that does.
    let marks = || {
        let asked = "SELECT (SELECT count(*) FROM biotrack_auth.secret WHERE old_seal IS NOT NULL)
                          + (SELECT count(*) FROM biotrack_auth.profile_secret WHERE old_seal IS NOT NULL AND profile <> 'ny')
                          + (SELECT count(*) FROM biotrack_auth.flow WHERE stage = 'asked' AND old_memo IS NOT NULL)";
        old.server.says(&old.database, asked).parse::<u32>().unwrap()
    };
    assert!(marks() > 3);
    old.is("reader");
    old.home.states();
    assert!(marks() > 3, "a reader changes nothing");
    old.is("writer");
    assert!(old.home.run(&["doctor"]).out.contains("sealed by an older version"));
    let tokens = old.home.expected["tokens"].as_object().unwrap();
    old.home.run(&["token", tokens.keys().next().unwrap()]).exits(0);
    assert_eq!(marks(), 0);
    for (license, hash) in tokens {
        let token = old.home.run(&["token", license]).exits(0).out;
        let hashed: String = Sha256::digest(token.trim()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, &Value::from(hashed), "{license}");
    }
    let back = old.home.answers("L-OUT");
    old.home.run(&["complete", &back]).exits(0);
    assert_eq!(old.home.states()["L-OUT"], "active");
}

#[test]
fn owners_who_migrate_at_the_same_moment_do_it_once() {
    let old = Old::restored();
    let config = Config::load(&old.home.env().paths).unwrap();
    let place = config.ledger_place(&Variables::default(), "nobody").unwrap();
    let done: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Ledger::migrate(&old.home.env(), &place).unwrap())).collect();
        all.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(done.iter().flatten().count(), 1, "{done:?}");
    assert_eq!(old.schema(), SCHEMA.to_string());
}

#[test]
fn a_step_that_fails_leaves_the_ledger_as_it_was() {
    let old = Old::restored();
    // Somebody has tried by hand.
    old.server
        .says(&old.database, "ALTER TABLE biotrack_auth.\"authorization\" ADD COLUMN last_used_at BIGINT");
    let told = old.home.run(&["doctor", "--fix"]).exits(1).out;
    assert!(told.contains("can't be migrated") && told.contains("last_used_at"), "{told}");
    assert_eq!(old.schema(), "7");
    old.server.says(&old.database, "ALTER TABLE biotrack_auth.\"authorization\" DROP COLUMN last_used_at");
    old.home.run(&["doctor", "--fix"]).exits(0);
    assert_eq!(old.home.states(), old.home.expected["states"]);
}

/// Another writes, and is about to say that the ledger has moved, or was migrated: whoever waits for it sees that it did.
#[test]
fn who_waits_for_a_move_or_a_migration_goes_on_with_what_came_of_it() {
    for (done, told) in [
        ("INSERT INTO biotrack_auth.meta VALUES ('moved', 'elsewhere')", "has moved to elsewhere"),
        ("UPDATE biotrack_auth.meta SET value = '99' WHERE name = 'schema'", "schema 99"),
    ] {
        let old = Old::restored();
        old.home.run(&["doctor", "--fix"]).exits(0);
        let history = old.server.says(&old.database, "SELECT count(*) FROM biotrack_auth.history");
        let mut psql = outside("psql");
        psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", &old.server.port.to_string()]);
        psql.args(["-U", "postgres", "-d", &old.database]).env("PGPASSWORD", PASSWORD);
        let mut other = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut says, mut answers) =
            (other.stdin.take().unwrap(), BufReader::new(other.stdout.take().unwrap()));
        writeln!(says, "BEGIN; SELECT 'has it' FROM biotrack_auth.history_head FOR UPDATE;").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        assert_eq!(line, "has it\n");
        let register =
            ["register", "--ubi", "604001", "--license", "L-1", "--username", "a@b.example", "--no-wait"];
        let refused = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| old.home.run(&register));
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'biotrack-auth'
                         AND wait_event_type = 'Lock' AND datname = current_database()";
            while old.server.says(&old.database, waits) != "1" {
                assert!(!waiting.is_finished(), "it didn't wait");
                std::thread::yield_now();
            }
            writeln!(says, "{done}; COMMIT;").unwrap();
            waiting.join().unwrap()
        });
        drop(says);
        other.wait().unwrap();
        assert!(refused.err.contains(told), "{refused:?}");
        assert_eq!(refused.code, 7);
        assert_eq!(old.server.says(&old.database, "SELECT count(*) FROM biotrack_auth.history"), history);
    }
}
