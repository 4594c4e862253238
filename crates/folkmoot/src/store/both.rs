//! One body of a test for both databases.
//!
//! **Invariant:** a test that uses it cannot tell, and need not, which database it is on.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::dialect::Db;
use super::{Settings, Store};
use crate::clock::Clock;

/// Runs `test` on a new SQLite store and, where `FOLKMOOT_TEST_POSTGRES` names a server, on a new
/// database of it.
pub(crate) async fn on_each(queue: usize, read_deadline: Duration, test: impl AsyncFn(Store, Db)) {
    let open = async |postgres: Option<String>| {
        let folder = TempDir::new().unwrap();
        let settings = Settings {
            folder: folder.path().to_owned(),
            postgres,
            durable: false,
            readers: 1,
            queue,
            // Tests of the queue fill it from one scope.
            share: usize::MAX,
            read_deadline,
        };
        (Store::open(&settings, &Arc::new(Clock::System)).await.unwrap(), folder)
    };
    let (store, _folder) = open(None).await;
    test(store, Db::Sqlite).await;

    let Ok(server) = std::env::var("FOLKMOOT_TEST_POSTGRES") else {
        eprintln!("on SQLite alone: FOLKMOOT_TEST_POSTGRES does not name a PostgreSQL");
        return;
    };
    let name = format!("lib_{}", Clock::System.id().simple());
    let address = format!("{server}/postgres");
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await.unwrap();
    let (store, _folder) = open(Some(format!("{server}/{name}"))).await;
    test(store, Db::Postgres).await;
    client.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
}
