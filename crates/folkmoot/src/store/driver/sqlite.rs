//! SQLite: one writer thread with group commit, a few reader threads.
//!
//! **Invariant:** only the writer thread writes. It takes whatever queued while the last commit was
//! on its way to the disk, runs it as one transaction, and answers all of it after the commit
//! (DECISIONS D8). Where the transaction is lost on the way, nobody is told that anything was stored.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use futures_util::FutureExt;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, Row};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use uuid::Uuid;

use super::group::{self, Changed, Job, Made};
use super::{Conn, Run, Tx};
use crate::clock::Clock;
use crate::store::audit::Act;
use crate::store::dialect;
use crate::store::error::Error;
use crate::store::sql::Bind;
use crate::store::stamps::Stamps;

/// Commands in one transaction at most: where groups settle under load by themselves is lower.
const GROUP_MAX: usize = 256;
/// Virtual machine steps between two looks at the deadline: some tens of microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 2_000;

/// How a store is opened.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The database file.
    pub(crate) path: PathBuf,
    /// Whether a commit waits for the disk; false only where nothing is meant to last.
    pub(crate) durable: bool,
    /// Reader threads.
    pub(crate) readers: usize,
    /// Commands and reads that may wait, each.
    pub(crate) queue: usize,
    /// The longest that one read may run.
    pub(crate) read_deadline: Duration,
}

fn value<'r>(row: &'r Row<'_>, column: usize) -> Result<ValueRef<'r>, Error> {
    row.get_ref(column).map_err(defect)
}

pub(super) fn is_null(row: &Row<'_>, column: usize) -> Result<bool, Error> {
    Ok(matches!(value(row, column)?, ValueRef::Null))
}

pub(super) fn int(row: &Row<'_>, column: usize) -> Result<i64, Error> {
    value(row, column)?.as_i64().map_err(|_| wrong_type(column, "integer"))
}

pub(super) fn bool(row: &Row<'_>, column: usize) -> Result<bool, Error> {
    Ok(int(row, column)? != 0)
}

pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, Error> {
    value(row, column)?.as_str().map_err(|_| wrong_type(column, "text"))
}

pub(super) fn bytes<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], Error> {
    value(row, column)?.as_blob().map_err(|_| wrong_type(column, "bytes"))
}

pub(super) fn id(row: &Row<'_>, column: usize) -> Result<Uuid, Error> {
    Uuid::from_slice(bytes(row, column)?).map_err(|_| wrong_type(column, "id"))
}

pub(super) fn bind(row: &Row<'_>, column: usize) -> Result<Bind<'static>, Error> {
    Ok(match value(row, column)? {
        ValueRef::Null => Bind::Null,
        ValueRef::Integer(value) => Bind::Int(value),
        ValueRef::Real(value) => Bind::Real(value),
        ValueRef::Text(_) => Bind::from(text(row, column)?.to_owned()),
        ValueRef::Blob(value) => match Uuid::from_slice(value) {
            Ok(id) => Bind::Id(id),
            Err(_) => Bind::Bytes(value.to_vec().into()),
        },
    })
}

impl ToSql for Bind<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Bind::Null => ValueRef::Null,
            Bind::Bool(value) => ValueRef::Integer((*value).into()),
            Bind::Int(value) => ValueRef::Integer(*value),
            Bind::Real(value) => ValueRef::Real(*value),
            Bind::Text(value) => ValueRef::Text(value.as_bytes()),
            Bind::Bytes(value) => ValueRef::Blob(value),
            Bind::Id(value) => ValueRef::Blob(value.as_bytes()),
        }))
    }
}

/// Runs a statement that returns no rows; how many rows it changed.
pub(super) fn execute(conn: &Connection, sql: &str, binds: &[Bind<'_>]) -> Result<u64, Error> {
    let mut statement = prepare(conn, sql)?;
    let changed = statement.execute(rusqlite::params_from_iter(binds)).map_err(failed)?;
    Ok(changed as u64)
}

/// Runs a statement of the transaction itself.
pub(super) fn run(conn: &Connection, sql: &str) -> Result<(), Error> {
    execute(conn, sql, &[]).map(|_| ())
}

/// Hands rows to `each` while it wants more; whether the statement also writes.
pub(super) fn query(
    conn: &Connection,
    sql: &str,
    binds: &[Bind<'_>],
    mut each: impl FnMut(super::Row<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let mut statement = prepare(conn, sql)?;
    let writes = !statement.readonly();
    let mut rows = statement.query(rusqlite::params_from_iter(binds)).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        if !each(super::Row::Sqlite(row))? {
            break;
        }
    }
    Ok(writes)
}

/// Runs statements one after another.
pub(super) fn batch(conn: &Connection, sql: &str) -> Result<(), Error> {
    conn.execute_batch(sql).map_err(failed)
}

fn prepare<'c>(conn: &'c Connection, sql: &str) -> Result<CachedStatement<'c>, Error> {
    let statement = conn.prepare_cached(sql).map_err(failed)?;
    // SQLite numbers `$n` by first appearance, PostgreSQL by n: they must be the same.
    debug_assert!(
        (1..=statement.parameter_count())
            .all(|it| statement.parameter_name(it) == Some(&format!("${it}"))),
        "the parameters of a statement are out of order: {sql}"
    );
    Ok(statement)
}

/// The handle of an open database; the threads end when the last one is dropped.
pub(crate) struct Sqlite {
    writes: Option<Sender<Box<dyn Job>>>,
    reads: Option<Sender<Box<dyn Job>>>,
    threads: Vec<JoinHandle<()>>,
    stamps: Arc<Stamps>,
    changed: Arc<Notify>,
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.writes = None;
        self.reads = None;
        for thread in self.threads.drain(..) {
            // A panic of a thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Sqlite {
    /// Opens or creates the database and starts its threads. `prepare` runs in the writer's
    /// connection, inside a transaction, before anything else: migrations.
    pub(crate) fn open(
        options: &Options,
        blobs: &Path,
        clock: &Arc<Clock>,
        prepare: impl AsyncFnOnce(&mut Tx) -> Result<(), Error>,
    ) -> Result<Sqlite, Error> {
        let mut writer = Tx::new(Conn::Sqlite(connect(options)?), blobs, clock);
        let prepared = async {
            writer.batch("begin immediate").await?;
            prepare(&mut writer).await?;
            writer.batch("commit").await
        };
        now(prepared)?;

        let stamps = Arc::new(Stamps::new());
        let raised = Arc::clone(&stamps);
        let changed = Arc::new(Notify::new());
        let told = Arc::clone(&changed);
        let (writes, queue) = bounded(options.queue);
        let mut threads = vec![spawn("store-writer", move || {
            write_loop(writer, &queue, &raised, &told);
        })?];
        let (reads, queue) = bounded::<Box<dyn Job>>(options.queue);
        for _ in 0..options.readers {
            let mut conn = connect(options)?;
            conn.pragma_update(None, "query_only", true).map_err(failed)?;
            let deadline = Deadline::watch(&mut conn, options.read_deadline)?;
            let (tx, queue) = (Tx::new(Conn::Sqlite(conn), blobs, clock), queue.clone());
            threads.push(spawn("store-reader", move || read_loop(tx, &queue, &deadline))?);
        }
        Ok(Sqlite { writes: Some(writes), reads: Some(reads), threads, stamps, changed })
    }

    /// Runs a command in the writer's next transaction; its answer comes after the commit.
    pub(crate) async fn write<I, T, E>(
        &self,
        act: &Arc<Act>,
        input: I,
        command: impl Run<I, T, E>,
    ) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        submit(self.writes.as_ref(), group::job(act, input, command)).await
    }

    /// Runs a read on a snapshot.
    pub(crate) async fn read<I, T, E>(
        &self,
        act: &Arc<Act>,
        input: I,
        read: impl Run<I, T, E>,
    ) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        submit(self.reads.as_ref(), group::job(act, input, read)).await
    }

    /// Ends with the next commit.
    pub(crate) fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.changed).notified_owned()
    }

    /// What rises with each commit.
    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }
}

async fn submit<T, E: From<Error>>(
    queue: Option<&Sender<Box<dyn Job>>>,
    (job, answer): Made<T, E>,
) -> Result<T, E> {
    let queue = queue.ok_or_else(|| Error::Unavailable("it is closed".into()))?;
    match queue.try_send(job) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(Error::Busy.into()),
        Err(TrySendError::Disconnected(_)) => {
            return Err(Error::Unavailable("it is closing".into()).into());
        }
    }
    group::answer(answer).await
}

/// The end of what never waits on this driver.
fn now<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    work.now_or_never().unwrap_or_else(|| Err(Error::Defect("a command waited".into())))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    Ok(std::thread::Builder::new().name(name.into()).spawn(body)?)
}

fn read_loop(mut tx: Tx, queue: &Receiver<Box<dyn Job>>, deadline: &Deadline) {
    while let Ok(mut job) = queue.recv() {
        deadline.start();
        let read = now(async {
            tx.execute("begin", &[]).await?;
            job.run(&mut tx).await;
            Ok(())
        });
        deadline.stop();
        // Nothing was written: how the snapshot ends does not matter.
        let _ = now(tx.execute("rollback", &[]));
        job.finish(read.as_ref().copied());
    }
}

fn write_loop(mut tx: Tx, queue: &Receiver<Box<dyn Job>>, stamps: &Stamps, changed: &Notify) {
    let mut jobs: Vec<Box<dyn Job>> = Vec::new();
    while let Ok(job) = queue.recv() {
        jobs.push(job);
        jobs.extend(queue.try_iter().take(GROUP_MAX - 1));
        let committed = now(group::commit(&mut tx, &mut jobs, Uuid::nil()));
        match &committed {
            Ok(Changed::Streams(streams)) => streams.iter().for_each(|it| stamps.raise(*it)),
            Ok(Changed::Anything) => stamps.raise_all(),
            Err(error) => {
                tracing::error!(commands = jobs.len(), %error, "a transaction was lost");
            }
        }
        changed.notify_waiters();
        for mut job in jobs.drain(..) {
            job.finish(committed.as_ref().map(|_| ()));
        }
    }
}

/// Stops a statement that runs past its time.
struct Deadline {
    base: Instant,
    limit: Duration,
    /// Microseconds after `base`.
    at: Arc<AtomicU64>,
}

impl Deadline {
    fn watch(conn: &mut Connection, limit: Duration) -> Result<Deadline, Error> {
        let (base, at) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let watched = Arc::clone(&at);
        let passed = move || micros(base.elapsed()) > watched.load(Ordering::Relaxed);
        conn.progress_handler(STEPS_BETWEEN_LOOKS, Some(passed)).map_err(failed)?;
        Ok(Deadline { base, limit, at })
    }

    fn start(&self) {
        self.at.store(micros(self.base.elapsed() + self.limit), Ordering::Relaxed);
    }

    fn stop(&self) {
        self.at.store(u64::MAX, Ordering::Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn connect(options: &Options) -> Result<Connection, Error> {
    // Made by us, for us alone; the log and its index get the same mode from SQLite.
    let mut file = std::fs::OpenOptions::new();
    file.create(true).truncate(false).write(true).mode(0o600).open(&options.path)?;
    let conn = Connection::open(&options.path).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(256);
    conn.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    // With STAT4, a cached statement would be prepared again at every new bound value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    conn.pragma_update(None, "page_size", 4096).map_err(failed)?;
    conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(failed)?;
    let synchronous = if options.durable { "full" } else { "off" };
    conn.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
    conn.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 4000, |_| Ok(())).map_err(failed)?;
    // With a memory map, every commit of another connection unmaps it.
    conn.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).map_err(failed)?;
    conn.pragma_update(None, "cache_size", -16_384).map_err(failed)?;
    // What a savepoint may have to undo is kept in memory, not in a file: up to one command's pages.
    conn.pragma_update(None, "temp_store", "memory").map_err(failed)?;
    Ok(conn)
}

fn wrong_type(column: usize, expected: &str) -> Error {
    Error::Defect(format!("column {column} does not hold an {expected}"))
}

fn defect(error: rusqlite::Error) -> Error {
    Error::Defect(error.to_string())
}

fn failed(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, message) = &error else { return defect(error) };
    let message = message.as_deref().unwrap_or_default();
    match (code.code, code.extended_code) {
        (
            ErrorCode::ConstraintViolation,
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
        ) => Error::Duplicate(dialect::duplicate(message)),
        (ErrorCode::ConstraintViolation, rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => {
            Error::Dangling
        }
        (ErrorCode::OperationInterrupted, _) => Error::Deadline,
        (ErrorCode::ConstraintViolation | ErrorCode::Unknown, _) => defect(error),
        _ => Error::Unavailable(error.to_string()),
    }
}
