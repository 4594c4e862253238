//! How a server starts: on a schema newer than it is, together with others, by an address with several
//! hosts, and by one that leads nowhere.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::postgres::Database;
use crate::support::{BINARY, Done, Server, folkmoot, postgres, sqlite_rows};

/// How long a start may take that comes to nothing.
const END_MAX: Duration = Duration::from_secs(15);

/// Runs `serve`, which must end by itself with status 1; its last line on standard error.
#[track_caller]
pub(super) fn refused(data: &Path, store: &str) -> String {
    let child = Command::new(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--store", store, "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (pid, begun) = (child.id().to_string(), Instant::now());
    let (tell, ended) = channel();
    let waiter = std::thread::spawn(move || tell.send(child.wait_with_output().unwrap()));
    let ended = ended.recv_timeout(END_MAX);
    if ended.is_err() {
        Command::new("kill").args(["-s", "KILL", &pid]).status().unwrap();
    }
    waiter.join().unwrap().ok();
    let output = ended.unwrap_or_else(|_| panic!("{store}: runs after {:?}", begun.elapsed()));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{store}: {stderr}");
    let line = stderr.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("folkmoot: "), "{store}: {stderr}");
    assert!(!stderr.contains("sesame"), "{store}: {stderr}");
    line
}

/// Every row of every table.
fn contents(rows: &dyn Fn(&str) -> Vec<Vec<String>>, tables: &str) -> Vec<String> {
    let mut all = Vec::new();
    for table in rows(tables) {
        let name = &table[0];
        let mut lines: Vec<_> = rows(&format!("select * from \"{name}\""))
            .iter()
            .map(|row| format!("{name}: {}", row.join(" | ")))
            .collect();
        lines.sort();
        all.push(name.clone());
        all.append(&mut lines);
    }
    all
}

/// A store of a version to come, refused by every command that opens it and left as it is. Its key is
/// taken away: whoever opened it after all would make one.
fn assert_newer_is_refused(data: &Path, store: &str, read: &dyn Fn() -> Vec<String>) {
    let before = read();
    assert!(before.iter().any(|it| it.contains("from the future")), "{before:?}");
    let says = |line: &str| {
        let expected = "the store has schema version 99, this program knows ";
        assert!(line.contains(expected) && line.contains("use a newer program"), "{line}");
    };
    says(&refused(data, store));
    for args in [&["token", "--user", "ada@example.org"][..], &["check"]] {
        let Done { status, stdout, stderr } = folkmoot(&[args, &["--store", store]].concat(), data);
        assert_eq!((status, stdout.as_str()), (Some(1), ""), "{args:?}: {stderr}");
        says(stderr.lines().last().unwrap_or_default());
    }
    assert_eq!(read(), before);
}

const TO_THE_FUTURE: &str =
    "insert into schema_versions values (99, 'from the future', 0); delete from keys;";

#[test]
fn a_newer_schema_is_refused_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let made = folkmoot(&["token", "--user", "ada@example.org"], folder.path());
    assert_eq!(made.status, Some(0), "{}", made.stderr);
    let database = rusqlite::Connection::open(folder.path().join("folkmoot.db")).unwrap();
    database.execute_batch(TO_THE_FUTURE).unwrap();
    drop(database);
    // The tables behind the full-text index have its rows; it itself shows none.
    let tables = "select name from sqlite_master where type = 'table' and name <> 'post_index' \
        order by name";
    let read = || contents(&|sql| sqlite_rows(folder.path(), sql), tables);
    assert_newer_is_refused(folder.path(), "sqlite", &read);
}

#[test]
fn a_newer_schema_is_refused_on_postgres() {
    let Some(database) = Database::new() else { return };
    let folder = TempDir::new().unwrap();
    let args = ["token", "--user", "ada@example.org", "--store", &database.url];
    let made = folkmoot(&args, folder.path());
    assert_eq!(made.status, Some(0), "{}", made.stderr);
    postgres::run(&database.url, TO_THE_FUTURE);
    let tables = "select tablename from pg_tables where schemaname = current_schema() order by 1";
    let read = || contents(&|sql| postgres::rows(&database.url, sql), tables);
    assert_newer_is_refused(folder.path(), &database.url, &read);
}

#[test]
fn servers_that_start_at_once_on_an_empty_database_all_start() {
    for _ in 0..3 {
        let Some(database) = Database::new() else { return };
        let servers = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..3).map(|_| scope.spawn(|| Server::on_database(&database.url))).collect();
            starts.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        for (table, rows) in [("tenants", 1), ("keys", 1)] {
            let count = format!("select count(*) from {table}");
            assert_eq!(servers[0].number(&count), rows, "{table}");
        }
        let versions = postgres::rows(
            &database.url,
            "select count(*), count(distinct version), max(version) from schema_versions",
        );
        assert!(versions[0].iter().all(|it| *it == versions[0][0]), "{versions:?}");
        // A token of one is good for all, and what is written to one is read from all.
        let ada = servers[0].user("ada@example.org");
        let group = ada.group("readers", "Private");
        ada.talk(&group, "x", "y");
        for server in &servers {
            let ada = ada.at(server);
            let path = format!("/v1.0/groups/{group}/conversations");
            assert_eq!(ada.get(&path).ok()["value"][0]["preview"], "y");
        }
    }
}

/// A port at which connections are taken, by the system, and nobody ever says anything.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn a_host_that_refuses_is_passed_over_for_the_next() {
    let Some(database) = Database::new() else { return };
    let url = database.url.replace('@', "@127.0.0.1:1,");
    let server = Server::on_database(&url);
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    ada.talk(&group, "x", "y");
    assert_eq!(ada.all(&format!("/v1.0/groups/{group}/conversations")).len(), 1);
}

#[test]
fn an_address_that_leads_nowhere_ends_the_start_with_the_reason() {
    let Some(database) = Database::new() else { return };
    let (_listener, dead) = silent();
    let there = database.url.rsplit_once('@').unwrap().1;
    let (host, name) = there.split_once('/').unwrap();
    for (address, expected) in [
        (format!("127.0.0.1:1/{name}"), "refused"),
        (format!("127.0.0.1:1,127.0.0.1:2/{name}"), "refused"),
        (format!("nowhere.invalid/{name}"), "lookup"),
        (format!("{dead}/{name}"), "Timeout"),
        (format!("{host}/nowhere"), "database \"nowhere\" does not exist"),
        (format!("{host}/{name}?sslmode=require"), "TLS"),
        (format!("127.0.0.1:port/{name}"), "port"),
        (format!("{host}/{name}?bogus=1"), "bogus"),
        (format!("{host}/{name}?sslrootcert=/nowhere.pem"), "/nowhere.pem"),
        (format!("{host}/{name}?target_session_attrs=read-only"), "not read only"),
    ] {
        let folder = TempDir::new().unwrap();
        let line = refused(folder.path(), &format!("postgres://folkmoot:sesame@{address}"));
        assert!(line.contains(expected), "{address}: {line}");
    }
    let folder = TempDir::new().unwrap();
    let line = refused(folder.path(), &format!("postgres://nobody:sesame@{there}"));
    assert!(line.contains("nobody"), "{line}");
}

#[test]
fn a_host_that_is_silent_is_passed_over_for_the_next() {
    let Some(database) = Database::new() else { return };
    let (_listener, dead) = silent();
    let url = database.url.replace('@', &format!("@{dead},"));
    let server = Server::on_database(&url);
    assert_eq!(server.anonymous().get("/readyz").status, 200);
}

#[test]
fn a_mistyped_scheme_does_not_print_the_password() {
    let folder = TempDir::new().unwrap();
    let line = refused(folder.path(), "postgre://folkmoot:sesame@127.0.0.1/db");
    assert!(line.contains("--store"), "{line}");
}
