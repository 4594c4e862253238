//! SQLite: one writer thread with group commit, a few reader threads.
//!
//! **Invariant:** only the writer thread writes. It takes whatever queued while the last commit was
//! on its way to the disk, runs each command under a savepoint of one transaction, and answers all of
//! them after the commit (DECISIONS D8). Where the transaction is lost on the way, nobody is told
//! that anything was stored.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::store::error::Error;
use crate::store::feed::Change;
use crate::store::index::IndexRow;
use crate::store::sql::Bind;
use crate::store::stamps::Stamps;
use crate::store::{dialect, feed, index};

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

/// A connection inside a transaction.
///
/// Its methods are asynchronous because the same commands will run on a database across a network;
/// here they are done when they return.
pub(crate) struct Tx {
    conn: Connection,
    /// What the command that runs has changed, for the feed.
    changes: Vec<Change>,
    /// What the command that runs wants indexed.
    indexed: Vec<IndexRow>,
    /// Whether the command that runs has written anything.
    wrote: bool,
    /// Where blobs too large for the database stand.
    blobs: PathBuf,
}

/// One row of a result; columns are counted from 0.
pub(crate) struct Row<'r>(&'r rusqlite::Row<'r>);

impl Row<'_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>, Error> {
        self.0.get_ref(column).map_err(defect)
    }

    /// Whether the column is null.
    pub(crate) fn is_null(&self, column: usize) -> Result<bool, Error> {
        Ok(matches!(self.value(column)?, ValueRef::Null))
    }

    /// An integer column.
    pub(crate) fn int(&self, column: usize) -> Result<i64, Error> {
        self.value(column)?.as_i64().map_err(|_| wrong_type(column, "integer"))
    }

    /// A boolean column.
    pub(crate) fn bool(&self, column: usize) -> Result<bool, Error> {
        Ok(self.int(column)? != 0)
    }

    /// A text column.
    pub(crate) fn text(&self, column: usize) -> Result<&str, Error> {
        self.value(column)?.as_str().map_err(|_| wrong_type(column, "text"))
    }

    /// A column of bytes.
    pub(crate) fn bytes(&self, column: usize) -> Result<&[u8], Error> {
        self.value(column)?.as_blob().map_err(|_| wrong_type(column, "bytes"))
    }

    /// A column with an id.
    pub(crate) fn id(&self, column: usize) -> Result<Uuid, Error> {
        Uuid::from_slice(self.bytes(column)?).map_err(|_| wrong_type(column, "id"))
    }

    /// Any column, as a value that can be bound again.
    pub(crate) fn bind(&self, column: usize) -> Result<Bind<'static>, Error> {
        Ok(match self.value(column)? {
            ValueRef::Null => Bind::Null,
            ValueRef::Integer(value) => Bind::Int(value),
            ValueRef::Real(value) => Bind::Real(value),
            ValueRef::Text(_) => Bind::from(self.text(column)?.to_owned()),
            ValueRef::Blob(value) => match Uuid::from_slice(value) {
                Ok(id) => Bind::Id(id),
                Err(_) => Bind::Bytes(value.to_vec().into()),
            },
        })
    }
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

impl Tx {
    /// Runs a statement that returns no rows; how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str, binds: &[Bind<'_>]) -> Result<u64, Error> {
        self.wrote = true;
        self.execute_now(sql, binds)
    }

    /// The same, for the driver and the tables that it writes itself.
    pub(in crate::store) fn execute_now(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
    ) -> Result<u64, Error> {
        let mut statement = prepare(&self.conn, sql)?;
        let changed = statement.execute(rusqlite::params_from_iter(binds)).map_err(failed)?;
        Ok(changed as u64)
    }

    /// The integer in the first column of the one row that a statement returns.
    pub(in crate::store) fn returning_now(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
    ) -> Result<i64, Error> {
        let mut statement = prepare(&self.conn, sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(binds)).map_err(failed)?;
        let row = rows.next().map_err(failed)?;
        let value = row.map(|row| Row(row).int(0)).transpose()?;
        // A statement that returns rows is not done before it has said that there are no more.
        while rows.next().map_err(failed)?.is_some() {}
        value.ok_or_else(|| Error::Defect("a statement returned no row".into()))
    }

    /// Hands each row to `each`.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
        mut each: impl FnMut(Row<'_>) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let mut statement = prepare(&self.conn, sql)?;
        self.wrote |= !statement.readonly();
        let mut rows = statement.query(rusqlite::params_from_iter(binds)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            each(Row(row))?;
        }
        Ok(())
    }

    /// What `read` makes of the first row, if there is one.
    pub(crate) async fn first<T: Send>(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
        read: impl FnOnce(Row<'_>) -> Result<T, Error> + Send,
    ) -> Result<Option<T>, Error> {
        let mut statement = prepare(&self.conn, sql)?;
        self.wrote |= !statement.readonly();
        let mut rows = statement.query(rusqlite::params_from_iter(binds)).map_err(failed)?;
        match rows.next().map_err(failed)? {
            Some(row) => read(Row(row)).map(Some),
            None => Ok(None),
        }
    }

    /// Tells the feed of a change; it is written with the commit.
    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Asks for a post to be indexed; it is, with the commit.
    pub(in crate::store) fn index(&mut self, row: IndexRow) {
        self.indexed.push(row);
    }

    /// The folder of blobs.
    pub(in crate::store) fn blobs(&self) -> &Path {
        &self.blobs
    }

    /// The number that the last insert gave its row.
    pub(in crate::store) fn last_number(&self) -> i64 {
        self.conn.last_insert_rowid()
    }

    /// Runs statements one after another, for migrations.
    pub(in crate::store) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.conn.execute_batch(sql).map_err(failed)
    }
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

/// A command or a read: polled to its end on the thread that owns the connection.
type Work<T, E> = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send>;

/// The handle of an open database; the threads end when the last one is dropped.
pub(crate) struct Sqlite {
    writes: Option<Sender<Box<dyn Job>>>,
    reads: Option<Sender<Box<dyn Job>>>,
    threads: Vec<JoinHandle<()>>,
    stamps: Arc<Stamps>,
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
        prepare: impl FnOnce(&mut Tx) -> Result<(), Error>,
    ) -> Result<Sqlite, Error> {
        let mut writer = connect(options, blobs)?;
        writer.batch("begin immediate")?;
        prepare(&mut writer)?;
        writer.batch("commit")?;

        let (writes, queue) = bounded(options.queue);
        let stamps = Arc::new(Stamps::new());
        let raised = Arc::clone(&stamps);
        let mut threads = vec![spawn("store-writer", move || write_loop(writer, &queue, &raised))?];
        let (reads, queue) = bounded::<Box<dyn Job>>(options.queue);
        for _ in 0..options.readers {
            let mut tx = connect(options, blobs)?;
            tx.conn.pragma_update(None, "query_only", true).map_err(failed)?;
            let deadline = Deadline::watch(&mut tx.conn, options.read_deadline)?;
            let queue = queue.clone();
            threads.push(spawn("store-reader", move || read_loop(tx, &queue, &deadline))?);
        }
        Ok(Sqlite { writes: Some(writes), reads: Some(reads), threads, stamps })
    }

    /// Runs a command in the writer's next transaction; its answer comes after the commit.
    pub(crate) async fn write<T, E, F>(&self, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        submit(self.writes.as_ref(), Box::new(command)).await
    }

    /// What rises with each commit.
    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// Runs a read on a snapshot.
    pub(crate) async fn read<T, E, F>(&self, read: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        submit(self.reads.as_ref(), Box::new(read)).await
    }
}

async fn submit<T, E>(queue: Option<&Sender<Box<dyn Job>>>, work: Work<T, E>) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let job = Pending { work: Some(work), result: None, reply: Some(reply) };
    let queue = queue.ok_or_else(|| Error::Unavailable("it is closed".into()))?;
    match queue.try_send(Box::new(job)) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(Error::Busy.into()),
        Err(TrySendError::Disconnected(_)) => {
            return Err(Error::Unavailable("it is closing".into()).into());
        }
    }
    answer.await.unwrap_or_else(|_| Err(Error::Unavailable("its thread ended".into()).into()))
}

/// Work of any type, as the threads see it.
trait Job: Send {
    /// Runs it. False where it failed and what it wrote must be undone.
    fn run(&mut self, tx: &mut Tx) -> bool;
    /// Sends its answer; with an error, that error in the place of a good answer.
    fn finish(&mut self, committed: Result<&(), &Error>);
}

struct Pending<T, E> {
    work: Option<Work<T, E>>,
    result: Option<Result<T, E>>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

impl<T: Send, E: From<Error> + Send> Job for Pending<T, E> {
    fn run(&mut self, tx: &mut Tx) -> bool {
        let Some(work) = self.work.take() else { return false };
        // Whatever a panic leaves behind is rolled back with the savepoint.
        let done = catch_unwind(AssertUnwindSafe(|| work(tx).now_or_never()));
        let result = match done {
            Ok(Some(result)) => result,
            Ok(None) => Err(Error::Defect("a command waited for something".into()).into()),
            Err(_) => Err(Error::Defect("a command panicked".into()).into()),
        };
        let good = result.is_ok();
        self.result = Some(result);
        good
    }

    fn finish(&mut self, committed: Result<&(), &Error>) {
        let (Some(result), Some(reply)) = (self.result.take(), self.reply.take()) else { return };
        let answer = match (result, committed) {
            (Ok(_), Err(why)) => Err(Error::Unavailable(why.to_string()).into()),
            (result, _) => result,
        };
        // A caller that went away does not want its answer.
        let _ = reply.send(answer);
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    Ok(std::thread::Builder::new().name(name.into()).spawn(body)?)
}

fn read_loop(mut tx: Tx, queue: &Receiver<Box<dyn Job>>, deadline: &Deadline) {
    while let Ok(mut job) = queue.recv() {
        deadline.start();
        let begun = tx.execute_now("begin", &[]);
        if begun.is_ok() {
            job.run(&mut tx);
        }
        deadline.stop();
        // Nothing was written: how the snapshot ends does not matter.
        let _ = tx.execute_now("rollback", &[]);
        job.finish(begun.as_ref().map(|_| &()));
    }
}

fn write_loop(mut tx: Tx, queue: &Receiver<Box<dyn Job>>, stamps: &Stamps) {
    let mut group: Vec<Box<dyn Job>> = Vec::new();
    while let Ok(job) = queue.recv() {
        group.push(job);
        group.extend(queue.try_iter().take(GROUP_MAX - 1));
        let committed = commit_group(&mut tx, &mut group);
        match &committed {
            Ok(Changed::Streams(streams)) => streams.iter().for_each(|it| stamps.raise(*it)),
            Ok(Changed::Anything) => stamps.raise_all(),
            Err(error) => {
                tracing::error!(commands = group.len(), %error, "a transaction was lost");
                if !tx.conn.is_autocommit() {
                    let _ = tx.batch("rollback");
                }
            }
        }
        let committed = committed.as_ref().map(|_| &());
        for mut job in group.drain(..) {
            job.finish(committed);
        }
    }
}

/// What a transaction has changed.
enum Changed {
    /// What these streams of the feed tell of.
    Streams(Vec<Uuid>),
    /// Something that no stream tells of.
    Anything,
}

/// Runs all commands of a group in one transaction, each under its own savepoint.
fn commit_group(tx: &mut Tx, group: &mut [Box<dyn Job>]) -> Result<Changed, Error> {
    tx.execute_now("begin immediate", &[])?;
    let mut silent = false;
    let (mut changes, mut indexed) = (Vec::new(), Vec::new());
    for job in group.iter_mut() {
        tx.changes.clear();
        tx.indexed.clear();
        tx.wrote = false;
        tx.execute_now("savepoint command", &[])?;
        let good = job.run(tx);
        // After an engine error the whole transaction may be gone, the commands before this one
        // included (SQLITE_FULL, SQLITE_IOERR): then nothing of the group stands.
        if tx.conn.is_autocommit() {
            return Err(Error::Unavailable("the database dropped the transaction".into()));
        }
        if good {
            silent |= tx.wrote && tx.changes.is_empty();
            changes.append(&mut tx.changes);
            indexed.append(&mut tx.indexed);
        } else {
            tx.execute_now("rollback to command", &[])?;
        }
        tx.execute_now("release command", &[])?;
    }
    // Last, outside every savepoint: the index flushes at each, and the heads of the feed are rows
    // that all writers of a group share.
    index::write(tx, &indexed)?;
    let streams = feed::write(tx, changes)?;
    tx.execute_now("commit", &[])?;
    Ok(if silent { Changed::Anything } else { Changed::Streams(streams) })
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

fn connect(options: &Options, blobs: &Path) -> Result<Tx, Error> {
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
    Ok(Tx { conn, changes: Vec::new(), indexed: Vec::new(), wrote: false, blobs: blobs.to_owned() })
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
