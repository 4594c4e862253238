//! Commands that are one transaction: what a group of them shares, and what each is told.
//!
//! **Invariant:** a command is told that it succeeded only after the commit of the transaction that it
//! ran in last. One that fails leaves nothing behind: where it had written, the transaction is rolled
//! back and the others of its group run again without it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Conn, Run, Tx};
use crate::store::audit::{self, Act};
use crate::store::error::Error;
use crate::store::feed::{self, Change};
use crate::store::quotas;

/// How often a group runs again without a command that had failed after it wrote; then each of it runs
/// alone.
const UNDONE_MAX: usize = 3;
/// How often a group is tried whose transaction another one stood in the way of.
const TRIES: usize = 5;

/// A command or a read of any type, as the drivers see it.
pub(super) trait Job: Send {
    /// Who does it.
    fn act(&self) -> &Arc<Act>;
    /// Runs it. False where it failed.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Takes `error` for its answer, unless it has found a better one itself.
    fn fail(&mut self, error: Error);
    /// Takes `error` for its answer, whatever it had found: its transaction is lost.
    fn lose(&mut self, error: &Error);
    /// Sends its answer; with an error, that error in the place of a good answer.
    fn finish(&mut self, committed: Result<(), &Error>);
}

struct Pending<I, T, E, F> {
    act: Arc<Act>,
    input: I,
    work: F,
    result: Option<Result<T, E>>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

/// A job, and where its answer comes.
pub(super) type Made<T, E> = (Box<dyn Job>, oneshot::Receiver<Result<T, E>>);

/// Makes a job of a command and its input; `act`: who does it.
pub(super) fn job<I, T, E>(act: &Arc<Act>, input: I, work: impl Run<I, T, E>) -> Made<T, E>
where
    I: Send + Sync + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let act = act.clone();
    (Box::new(Pending { act, input, work, result: None, reply: Some(reply) }), answer)
}

/// Waits for the answer of a job.
pub(super) async fn answer<T, E: From<Error>>(
    answer: oneshot::Receiver<Result<T, E>>,
) -> Result<T, E> {
    answer.await.unwrap_or_else(|_| Err(Error::Unavailable("it is closing".into()).into()))
}

impl<I, T, E, F> Job for Pending<I, T, E, F>
where
    I: Send + Sync,
    T: Send,
    E: From<Error> + Send,
    F: Run<I, T, E>,
{
    fn act(&self) -> &Arc<Act> {
        &self.act
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        async move {
            // Whatever a panic leaves behind is rolled back.
            let work = AssertUnwindSafe(async { (self.work)(tx, &self.input).await });
            let result = work
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Error::Defect("a command panicked".into()).into()));
            let good = result.is_ok();
            self.result = Some(result);
            good
        }
        .boxed()
    }

    fn lose(&mut self, error: &Error) {
        self.result = Some(Err(Error::Unavailable(error.to_string()).into()));
    }

    fn fail(&mut self, error: Error) {
        if !matches!(self.result, Some(Err(_))) {
            self.result = Some(Err(error.into()));
        }
    }

    fn finish(&mut self, committed: Result<(), &Error>) {
        let Some(reply) = self.reply.take() else { return };
        let answer = match (self.result.take(), committed) {
            (Some(result), Ok(())) => result,
            // A refusal too may rest on what another command of the group had written.
            (_, Err(why)) => Err(Error::Unavailable(why.to_string()).into()),
            (None, Ok(())) => Err(Error::Defect("a command was left out".into()).into()),
        };
        // A caller that went away does not want its answer.
        let _ = reply.send(answer);
    }
}

/// What a transaction has changed.
pub(super) enum Changed {
    /// What these streams of the feed tell of.
    Streams(Vec<Uuid>),
    /// Something that no stream tells of.
    Anything,
}

/// How a transaction was lost.
pub(super) enum Lost {
    /// Another one stood in its way: the same may go well at the next try.
    Conflict(Error),
    /// The statement of the command at this place failed.
    By(usize, Error),
    /// With its connection, or the disk.
    Gone(Error),
    /// Not at all: the command at this place failed after it had written, and must be undone.
    Undo(usize),
}

/// Runs all commands of a group in one transaction, committed at the end. With an error nothing of it
/// is stored.
pub(super) async fn commit(
    tx: &mut Tx,
    jobs: &mut [Box<dyn Job>],
    scope: Uuid,
) -> Result<Changed, Error> {
    // Those that are not run again: their answers stand whatever becomes of the others. A command that
    // failed without having written runs again with them, for it may have failed by what they did.
    let mut failed = vec![false; jobs.len()];
    let (mut tries, mut undone) = (0, 0);
    tx.trusts = true;
    loop {
        let lost = match attempt(tx, jobs, &failed, scope).await {
            Ok(changed) => return Ok(changed),
            Err(lost) => lost,
        };
        tx.rollback().await?;
        match lost {
            Lost::Gone(error) => return Err(error),
            Lost::Undo(at) => {
                failed[at] = true;
                undone += 1;
                if undone == UNDONE_MAX && jobs.len() > 1 {
                    return Box::pin(one_by_one(tx, jobs, &failed, scope)).await;
                }
            }
            Lost::By(at, error) => {
                jobs[at].fail(error);
                failed[at] = true;
            }
            Lost::Conflict(error) => {
                // It may have been what was remembered of its group.
                tx.trusts = false;
                tries += 1;
                if tries == TRIES {
                    return Err(error);
                }
            }
        }
    }
}

/// Runs the jobs that have not failed, each in a transaction of its own.
async fn one_by_one(
    tx: &mut Tx,
    jobs: &mut [Box<dyn Job>],
    failed: &[bool],
    scope: Uuid,
) -> Result<Changed, Error> {
    let (mut all, mut silent) = (Vec::new(), false);
    for (job, failed) in jobs.iter_mut().zip(failed) {
        if *failed {
            continue;
        }
        match commit(tx, std::slice::from_mut(job), scope).await {
            Ok(Changed::Streams(streams)) => all.extend(streams),
            Ok(Changed::Anything) => silent = true,
            Err(error) => job.lose(&error),
        }
    }
    Ok(if silent { Changed::Anything } else { Changed::Streams(all) })
}

async fn attempt(
    tx: &mut Tx,
    jobs: &mut [Box<dyn Job>],
    failed: &[bool],
    scope: Uuid,
) -> Result<Changed, Lost> {
    tx.begin(scope).await?;
    tx.tenant_changed = false;
    let (mut changes, mut entries, mut silent) = (Vec::new(), Vec::new(), false);
    let mut added = BTreeMap::new();
    for (at, job) in jobs.iter_mut().enumerate() {
        if failed[at] {
            continue;
        }
        tx.start(at);
        tx.act = job.act().clone();
        let mut good = job.run(tx).await;
        if good {
            let held = std::mem::take(&mut tx.held);
            if let Err(error) = quotas::settle(tx, held, &mut added).await {
                job.fail(error);
                good = false;
            }
        }
        tx.standing()?;
        if good {
            silent |= tx.wrote && tx.changes.is_empty() && !tx.unshown;
            tx.tenant_changed |= tx.changes.iter().any(Change::is_of_tenant);
            entries.append(&mut audit::entries(&tx.act, &tx.changes));
            entries.append(&mut tx.deeds);
            changes.append(&mut tx.changes);
            continue;
        }
        if tx.wrote {
            return Err(Lost::Undo(at));
        }
    }
    tx.start(usize::MAX);
    let written = async {
        let clock = tx.clock.clone();
        audit::write(tx, &clock, &entries).await?;
        // Late, since others wait for a stream that has begun to rise, and for a tenant's room.
        let streams = feed::write(tx, changes).await?;
        quotas::write(tx, added).await?;
        Ok(streams)
    };
    let streams = written.await.map_err(|error| tx.lost(error))?;
    tx.commit().await?;
    Ok(if silent { Changed::Anything } else { Changed::Streams(streams) })
}

impl Tx {
    /// Begins a transaction that writes. `scope`: the group or tenant that no other process may
    /// change meanwhile.
    async fn begin(&mut self, scope: Uuid) -> Result<(), Lost> {
        match &mut self.conn {
            Conn::Sqlite(conn) => super::sqlite::run(conn, "begin immediate").map_err(Lost::Gone),
            Conn::Postgres(conn) => conn.begin(scope).await,
        }
    }

    /// The command at this place begins.
    fn start(&mut self, at: usize) {
        self.changes.clear();
        self.deeds.clear();
        self.held.clear();
        self.wrote = false;
        self.unshown = false;
        if let Conn::Postgres(conn) = &mut self.conn {
            conn.start(at);
        }
    }

    /// Whether the transaction still stands after a command.
    fn standing(&mut self) -> Result<(), Lost> {
        match &mut self.conn {
            // After an engine error the whole transaction may be gone, with the commands before this
            // one (SQLITE_FULL, SQLITE_IOERR): then nothing of the group stands.
            Conn::Sqlite(conn) if conn.is_autocommit() => {
                let why = "the database dropped the transaction";
                Err(Lost::Gone(Error::Unavailable(why.into())))
            }
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(conn) => conn.standing(),
        }
    }

    /// Why the transaction is lost, where a statement of the driver's own has failed with `error`.
    fn lost(&mut self, error: Error) -> Lost {
        match &mut self.conn {
            Conn::Sqlite(_) => Lost::Gone(error),
            Conn::Postgres(conn) => conn.lost(error),
        }
    }

    async fn commit(&mut self) -> Result<(), Lost> {
        match &mut self.conn {
            Conn::Sqlite(conn) => super::sqlite::run(conn, "commit").map_err(Lost::Gone),
            Conn::Postgres(conn) => conn.commit().await,
        }
    }

    async fn rollback(&mut self) -> Result<(), Error> {
        match &mut self.conn {
            Conn::Sqlite(conn) if conn.is_autocommit() => Ok(()),
            Conn::Sqlite(conn) => super::sqlite::run(conn, "rollback"),
            Conn::Postgres(conn) => conn.rollback().await,
        }
    }
}
