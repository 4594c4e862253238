//! A database of its own for each server, where the tests are run on PostgreSQL: then
//! `FOLKMOOT_TEST_POSTGRES` holds the address of a PostgreSQL that is there for them.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

/// The address of a new database; `None` where the tests are run on SQLite.
pub(super) fn new_database() -> Option<String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("FOLKMOOT_TEST_POSTGRES").ok()?;
    let name = format!("t{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    run(&format!("{server}/postgres"), &format!("create database {name}"));
    Some(format!("{server}/{name}"))
}

/// Removes a database whose server has ended.
pub(super) fn drop_database(url: &str) {
    let (server, name) = url.rsplit_once('/').unwrap();
    run(&format!("{server}/postgres"), &format!("drop database {name} with (force)"));
}

/// The number in the first column of the one row of a query.
pub(super) fn number(url: &str, sql: &str) -> i64 {
    block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.query_one(sql, &[]).await.unwrap().get(0)
    })
}

/// Runs statements.
pub(super) fn run(url: &str, sql: &str) {
    block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
    });
}

/// On a thread of its own: some tests run on a runtime already.
fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(work)
        });
        thread.join().unwrap()
    })
}
