//! PostgreSQL: two pools, and a committer that puts the commands of one group together.
//!
//! **Invariant:** a group has at most one transaction of this process in flight. Commands that come
//! for it meanwhile wait and go together in the next (DECISIONS D9), and an advisory lock keeps other
//! processes out, so what a command has read of its group is still so when it commits.

mod conn;
mod connect;
mod signals;
mod tls;
mod types;

pub(super) use conn::Conn;
#[cfg(test)]
pub(super) use conn::lock_key;
pub(super) use types::{bind, bool, bytes, id, int, is_null, text};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::sync::futures::OwnedNotified;
use tokio_postgres::error::DbError;
use uuid::Uuid;

use self::connect::ToAny;
use self::signals::Signals;
use super::group::{self, Job};
use super::{Known, Run, Tx};
use crate::clock::Clock;
use crate::store::audit::Act;
use crate::store::error::Error;
use crate::store::sql::Bind;

/// Commands in one transaction at most.
const GROUP_MAX: usize = 32;
/// Groups and callers that are remembered.
const GROUPS_KNOWN: usize = 10_000;
/// Connections of each of the two pools.
const CONNECTIONS_MAX: usize = 32;
/// How long a request waits for a connection.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long all hosts together may take to connect.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// The longest that a statement of a command may take.
const STATEMENT_MAX: Duration = Duration::from_secs(10);
/// How long past a read's deadline the database has to stop its last statement itself.
const DEADLINE_GRACE: Duration = Duration::from_millis(100);
/// The longest that a command waits for another process's transaction on the same group.
const LOCK_MAX: Duration = Duration::from_secs(2);
/// The longest that a transaction may stand still: a process that hangs must not hold its locks.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// The advisory lock under which a schema is made or changed.
const MIGRATION_LOCK: i64 = 0x666f_6c6b_6d6f_6f74;

/// How a database is opened.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `postgres://USER@HOST:PORT[,HOST:PORT...]/DB?...`
    pub(crate) url: String,
    /// Commands that may wait.
    pub(crate) queue: usize,
    /// The longest that one read may run.
    pub(crate) read_deadline: Duration,
    /// Whether what commands have read of groups is remembered.
    pub(crate) remembers: bool,
}

/// The handle of an open database.
pub(crate) struct Postgres(Arc<Inner>);

struct Inner {
    writes: Pool,
    reads: Pool,
    read_deadline: Duration,
    blobs: PathBuf,
    clock: Arc<Clock>,
    queue_max: usize,
    queued: AtomicUsize,
    /// What waits for each group or tenant that has a transaction in flight.
    waiting: Mutex<HashMap<Uuid, Vec<Box<dyn Job>>>>,
    signals: Signals,
    known: Option<Arc<Known>>,
}

impl Postgres {
    /// Connects; `prepare` runs in a transaction that no other process can run at the same time:
    /// migrations.
    pub(crate) async fn open(
        options: &Options,
        blobs: &Path,
        clock: &Arc<Clock>,
        prepare: impl AsyncFnOnce(&mut Tx) -> Result<(), Error>,
    ) -> Result<Postgres, Error> {
        let (config, connector) = tls::settings(&options.url)?;
        let connector = ToAny(connector);
        let pool = |deadline: Duration, read_only: &str| {
            let mut config = config.clone();
            let timeouts = format!(
                "-c statement_timeout={} -c lock_timeout={} \
                 -c idle_in_transaction_session_timeout={} {read_only} \
                 -c plan_cache_mode=force_generic_plan",
                deadline.as_millis(),
                LOCK_MAX.as_millis(),
                IDLE_MAX.as_millis(),
            );
            let given = config.get_options().unwrap_or_default().to_owned();
            config.options(format!("{timeouts} {given}"));
            let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            Pool::builder(Manager::from_connect(config, connector.clone(), settings))
                .max_size(CONNECTIONS_MAX)
                .runtime(Runtime::Tokio1)
                .wait_timeout(Some(WAIT_MAX))
                .create_timeout(Some(CONNECT_MAX))
                .build()
                .map_err(|error| Error::Defect(error.to_string()))
        };
        let inner = Inner {
            writes: pool(STATEMENT_MAX, "")?,
            read_deadline: options.read_deadline,
            reads: pool(options.read_deadline, "-c default_transaction_read_only=on")?,
            blobs: blobs.to_owned(),
            clock: clock.clone(),
            queue_max: options.queue,
            queued: AtomicUsize::new(0),
            waiting: Mutex::default(),
            known: options.remembers.then(|| Arc::new(Known::new(GROUPS_KNOWN))),
            signals: Signals::start(config.clone(), connector.clone()),
        };
        let mut tx = inner.tx(&inner.writes).await?;
        // A first migration takes longer than a command may.
        tx.batch(&format!(
            "begin; set local statement_timeout = 0; set local lock_timeout = 0; \
             select pg_advisory_xact_lock({MIGRATION_LOCK})"
        ))
        .await?;
        prepare(&mut tx).await?;
        tx.batch("commit").await?;
        drop(tx);
        Ok(Postgres(Arc::new(inner)))
    }

    /// Ends with the next commit of this process, or a word of another's.
    pub(crate) fn changed(&self) -> OwnedNotified {
        self.0.signals.changed()
    }

    /// The heads of a group's feed and a tenant's; 0 where nothing has changed yet.
    pub(crate) async fn heads(&self, group: Uuid, tenant: Uuid) -> Result<(u64, u64), Error> {
        let sql = "select coalesce((select seq from feed_heads where group_id = $1), 0), \
            coalesce((select seq from tenant_feed_heads where tenant_id = $2), 0)";
        let client = self.0.client(&self.0.reads).await?;
        // One statement needs no transaction of its own.
        let read = async {
            let statement = client.prepare_cached(sql).await?;
            let keys = [Bind::Id(group), Bind::Id(tenant)];
            client.query_one(&statement, &[&keys[0], &keys[1]]).await
        };
        let row = read.await.map_err(|error| Error::Unavailable(cause(&error)))?;
        Ok((int(&row, 0)?.unsigned_abs(), int(&row, 1)?.unsigned_abs()))
    }

    /// Runs a command in the next transaction of `scope`, the group or else the tenant that it
    /// changes; its answer comes after the commit.
    pub(crate) async fn write<I, T, E>(
        &self,
        scope: Uuid,
        act: &Arc<Act>,
        input: I,
        command: impl Run<I, T, E>,
    ) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = group::job(act, input, command);
        self.0.submit(scope, job)?;
        group::answer(answer).await
    }

    /// Runs a read on a snapshot.
    pub(crate) async fn read<I, T, E>(&self, input: I, read: impl Run<I, T, E>) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let mut tx = self.0.tx(&self.0.reads).await?;
        if let super::Conn::Postgres(conn) = &mut tx.conn {
            conn.begin_read().await?;
        }
        // Each statement has its time from the database; all of them together have it here. What is dropped
        // in the middle closes its connection.
        let limit = self.0.read_deadline.saturating_add(DEADLINE_GRACE);
        let answer = tokio::time::timeout(limit, read(&mut tx, &input)).await;
        let answer = answer.map_err(|_| Error::Deadline)?;
        if let super::Conn::Postgres(conn) = &mut tx.conn {
            conn.end_read().await;
        }
        answer
    }
}

impl Inner {
    async fn client(&self, pool: &Pool) -> Result<Object, Error> {
        pool.get().await.map_err(|error| Error::Unavailable(cause(&error)))
    }

    async fn tx(&self, pool: &Pool) -> Result<Tx, Error> {
        let client = self.client(pool).await?;
        Ok(Tx::new(super::Conn::Postgres(Conn::new(client)), &self.blobs, &self.clock))
    }

    fn submit(self: &Arc<Self>, scope: Uuid, job: Box<dyn Job>) -> Result<(), Error> {
        if self.queued.fetch_add(1, Ordering::Relaxed) >= self.queue_max {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::Busy);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get_mut(&scope) {
            Some(jobs) => jobs.push(job),
            None => {
                waiting.insert(scope, Vec::new());
                // A task of its own: a caller that goes away leaves no transaction half done.
                tokio::spawn(fly(self.clone(), scope, vec![job]));
            }
        }
        Ok(())
    }

    /// What goes next for `scope`; nothing ends its flight.
    fn next(&self, scope: Uuid) -> Vec<Box<dyn Job>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(jobs) = waiting.get_mut(&scope) else { return Vec::new() };
        let next: Vec<_> = jobs.drain(..jobs.len().min(GROUP_MAX)).collect();
        if next.is_empty() {
            waiting.remove(&scope);
        }
        next
    }
}

/// Ends a flight that was cut off: a panic here is a defect, but must not keep its scope from ever
/// being written again.
struct Landing {
    inner: Arc<Inner>,
    scope: Uuid,
    /// Whether it ended by itself: then the scope is removed already, and another flight may have
    /// begun since.
    landed: bool,
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let mut waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = waiting.remove(&self.scope) {
            // Those that waited hear that it is closing, as their jobs go.
            self.inner.queued.fetch_sub(jobs.len(), Ordering::Relaxed);
        }
    }
}

/// Commits what there is for `scope`, and what comes meanwhile, until there is nothing.
async fn fly(inner: Arc<Inner>, scope: Uuid, mut jobs: Vec<Box<dyn Job>>) {
    let mut landing = Landing { inner: inner.clone(), scope, landed: false };
    while !jobs.is_empty() {
        let committed = match inner.tx(&inner.writes).await {
            Ok(mut tx) => {
                tx.known = inner.known.clone();
                group::commit(&mut tx, &mut jobs, scope).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &committed {
            tracing::error!(commands = jobs.len(), %error, "a transaction was lost");
        }
        if committed.is_ok() {
            inner.signals.tell();
        }
        inner.queued.fetch_sub(jobs.len(), Ordering::Relaxed);
        for mut job in jobs.drain(..) {
            job.finish(committed.as_ref().map(|_| ()));
        }
        jobs = inner.next(scope);
    }
    landing.landed = true;
}

/// An error with all that caused it. Of what the database says, its details are left out, and of data that
/// it could not take all but the code: it shows the values of rows there.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |it| it.source());
    let told = |it: &(dyn std::error::Error + 'static)| match it.downcast_ref::<DbError>() {
        Some(it) if it.code().code().starts_with("22") => {
            format!("{} {}", it.severity(), it.code().code())
        }
        Some(it) => format!("{} {}: {}", it.severity(), it.code().code(), it.message()),
        None => it.to_string(),
    };
    causes.map(told).collect::<Vec<_>>().join(": ")
}
