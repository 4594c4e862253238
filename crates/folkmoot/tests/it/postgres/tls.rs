//! An encrypted connection is to a server whose certificate is good for its name, or is not made.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::start::refused;
use crate::support::cluster::{Postgres, own};
use crate::support::{Server, postgres};

#[test]
fn tls_is_to_whom_it_is_meant_for_or_not_at_all() {
    if std::env::var_os("FOLKMOOT_TEST_POSTGRES").is_none() {
        eprintln!("left out: FOLKMOOT_TEST_POSTGRES does not name a PostgreSQL");
        return;
    }
    let cluster = Postgres::start().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (cluster.folder.join("server.crt"), cluster.folder.join("server.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    own(&key).unwrap();
    let maintenance = format!("{}/postgres?sslmode=disable", cluster.url);
    let settings = [("ssl_cert_file", &certificate), ("ssl_key_file", &key)];
    for (name, file) in settings {
        let file = file.display();
        postgres::run(&maintenance, &format!("alter system set {name} = '{file}'"));
    }
    postgres::run(&maintenance, "alter system set ssl = on");
    postgres::run(&maintenance, "create database folkmoot");
    postgres::run(&maintenance, "select pg_reload_conf()");
    let encrypted = "select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) \
        where s.ssl and a.datname = 'folkmoot'";

    let port = cluster.port;
    let address =
        |host: &str| format!("postgres://folkmoot@{host}:{port}/folkmoot?sslmode=require");
    let root = certificate.display();
    let server = Server::on_database(&format!("{}&sslrootcert={root}", address("localhost")));
    server.user("ada@example.org").group("readers", "Public");
    assert!(postgres::number(&maintenance, encrypted) > 0);
    drop(server);

    let folder = TempDir::new().unwrap();
    for (what, store) in [
        ("not known to the system", address("localhost")),
        ("for another name", format!("{}&sslrootcert={root}", address("127.0.0.1"))),
        ("no file", format!("{}&sslrootcert=/nonexistent.pem", address("localhost"))),
    ] {
        let line = refused(folder.path(), &store);
        assert!(
            line.contains("certificate") || line.contains("/nonexistent.pem"),
            "{what}: {line}"
        );
    }
}
