//! A database of its own for each server, where the tests are run on PostgreSQL: then
//! `FOLKMOOT_TEST_POSTGRES` holds the address of a PostgreSQL that is there for them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A database that goes when this does.
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Database {
    /// A new one; `None`, after a word to whoever runs the tests, where there is no PostgreSQL.
    pub(crate) fn new() -> Option<Database> {
        let url = new_database();
        if url.is_none() {
            eprintln!("left out: FOLKMOOT_TEST_POSTGRES does not name a PostgreSQL");
        }
        Some(Database { url: url? })
    }

    /// The same, in which text without a collation of its own is ordered as in a dictionary.
    pub(crate) fn with_dictionary_order() -> Option<Database> {
        let database = Database::new()?;
        drop_database(&database.url);
        let (server, name) = database.url.rsplit_once('/').unwrap();
        let order = "template template0 locale_provider icu icu_locale 'en-US'";
        run(&format!("{server}/postgres"), &format!("create database {name} {order}"));
        Some(database)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop_database(&self.url);
    }
}

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
pub(crate) fn number(url: &str, sql: &str) -> i64 {
    block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.query_one(sql, &[]).await.unwrap().get(0)
    })
}

/// The rows of a query, as PostgreSQL writes them.
pub(crate) fn rows(url: &str, sql: &str) -> Vec<Vec<String>> {
    let messages = block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.simple_query(sql).await.unwrap()
    });
    let rows = messages.iter().filter_map(|it| match it {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| (0..row.len()).map(|at| row.get(at).unwrap_or("null").to_owned()).collect())
        .collect()
}

/// Runs statements.
pub(crate) fn run(url: &str, sql: &str) {
    block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
    });
}

/// Runs statements in a transaction that lasts until what is returned is dropped.
pub(super) fn hold(url: &str, sql: &str) -> mpsc::Sender<()> {
    let (held, until) = mpsc::channel::<()>();
    let (ready, begun) = mpsc::channel();
    let (url, sql) = (url.to_owned(), format!("begin; {sql}"));
    std::thread::spawn(move || {
        block_on(async move {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&sql).await.unwrap();
            ready.send(()).unwrap();
            let _ = until.recv();
            client.batch_execute("rollback").await.unwrap();
        });
    });
    begun.recv().unwrap();
    held
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
