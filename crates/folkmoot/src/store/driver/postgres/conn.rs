//! One connection inside a transaction, with statements that are on their way.
//!
//! **Invariant:** statements reach the database in the order in which they were asked for. One whose
//! result nobody has waited for is waited for, in that order, before anything else is believed.

use std::pin::{Pin, pin};
use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::super::Row;
use super::super::group::Lost;
use super::cause;
use crate::store::dialect;
use crate::store::error::Error;
use crate::store::sql::Bind;

type Sent = BoxFuture<'static, Result<(), tokio_postgres::Error>>;

/// A connection that is inside a transaction from its begin to its end.
pub(in super::super) struct Conn {
    client: Option<Arc<Object>>,
    /// Statements on their way, each with the place of the command that sent it.
    sent: Vec<(usize, Sent)>,
    /// The place of the command that runs.
    at: usize,
    /// What failed first in this transaction.
    failed: Option<Failed>,
    /// Whether it only reads.
    reads: bool,
    /// Whether a transaction is open: then the connection is no use to anybody else.
    open: bool,
}

struct Failed {
    at: usize,
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Conflict,
    Duplicate(&'static str),
    Dangling,
    Deadline,
    OutOfRange,
    Defect,
    Gone,
}

impl Failed {
    fn error(&self) -> Error {
        match self.kind {
            Kind::Duplicate(name) => Error::Duplicate(name),
            Kind::Dangling => Error::Dangling,
            Kind::Deadline => Error::Deadline,
            Kind::OutOfRange => Error::OutOfRange,
            Kind::Defect => Error::Defect(self.text.clone()),
            Kind::Conflict | Kind::Gone => Error::Unavailable(self.text.clone()),
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.sent.clear();
        if self.open
            && let Some(client) = self.client.take().and_then(Arc::into_inner)
        {
            // Somebody went away in the middle: the connection is closed, which rolls back.
            drop(Object::take(client));
        }
    }
}

impl Conn {
    pub(super) fn new(client: Object) -> Conn {
        let client = Some(Arc::new(client));
        Conn { client, sent: Vec::new(), at: usize::MAX, failed: None, reads: false, open: false }
    }

    fn client(&self) -> Result<Arc<Object>, Error> {
        self.client.clone().ok_or_else(|| Error::Defect("a closed connection".into()))
    }

    /// The statement of a text, prepared where this connection has not met it yet.
    async fn prepare(
        &mut self,
        client: &Object,
        sql: &str,
    ) -> Result<Statement, tokio_postgres::Error> {
        let mut prepared = pin!(client.prepare_cached(sql));
        match prepared.as_mut().now_or_never() {
            Some(prepared) => prepared,
            None => {
                // Answers come in order, and the library holds back all of them while one that is in
                // several pieces is not taken.
                self.settle_sent().await;
                prepared.await
            }
        }
    }

    /// Sends a statement and goes on.
    pub(in super::super) async fn send(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
    ) -> Result<(), Error> {
        let client = self.client()?;
        let statement = match self.prepare(&client, sql).await {
            Ok(statement) => statement,
            Err(error) => return Err(self.failure(error).await),
        };
        let binds: Vec<_> = binds.iter().map(Bind::to_static).collect();
        let mut sent: Sent =
            async move { client.execute_raw(&statement, binds).await.map(|_| ()) }.boxed();
        // The first poll puts it on its way.
        match (&mut sent).now_or_never() {
            None => self.sent.push((self.at, sent)),
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(self.failure(error).await),
        }
        Ok(())
    }

    /// Runs a statement; how many rows it changed.
    pub(in super::super) async fn execute(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
    ) -> Result<u64, Error> {
        let client = self.client()?;
        let done = async {
            let statement = self.prepare(&client, sql).await?;
            let mut done = Box::pin(client.execute_raw(&statement, binds));
            let early = (&mut done).now_or_never();
            Ok(match early {
                Some(done) => done?,
                None => {
                    self.settle_sent().await;
                    done.await?
                }
            })
        };
        match done.await {
            Ok(changed) => self.settle().await.map(|()| changed),
            Err(error) => Err(self.failure(error).await),
        }
    }

    /// Hands rows to `each` while it wants more.
    pub(in super::super) async fn query(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
        mut each: impl FnMut(Row<'_>) -> Result<bool, Error> + Send,
    ) -> Result<(), Error> {
        let client = self.client()?;
        let rows = async {
            let statement = self.prepare(&client, sql).await?;
            let mut rows = Box::pin(client.query_raw(&statement, binds));
            let early = (&mut rows).now_or_never();
            Ok(Box::pin(match early {
                Some(rows) => rows?,
                None => {
                    self.settle_sent().await;
                    rows.await?
                }
            }))
        };
        let mut rows = match rows.await {
            Ok(rows) => rows,
            Err(error) => return Err(self.failure(error).await),
        };
        self.settle().await?;
        loop {
            match rows.try_next().await {
                Ok(Some(row)) if each(Row::Postgres(&row))? => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(self.failure(error).await),
            }
        }
    }

    /// Runs statements one after another.
    pub(in super::super) async fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.settle_sent().await;
        match self.client()?.batch_execute(sql).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failure(error).await),
        }
    }

    /// Waits for all that is on its way, and remembers what failed first.
    async fn settle_sent(&mut self) {
        for (at, sent) in std::mem::take(&mut self.sent) {
            if let Err(error) = sent.await
                && self.failed.is_none()
            {
                self.failed = Some(failed(at, self.reads, &error));
            }
        }
    }

    /// The same; what failed is the error.
    async fn settle(&mut self) -> Result<(), Error> {
        self.settle_sent().await;
        self.failed.as_ref().map_or(Ok(()), |it| Err(it.error()))
    }

    /// What a failed statement is: where an earlier one failed, that.
    async fn failure(&mut self, error: tokio_postgres::Error) -> Error {
        self.settle_sent().await;
        let at = self.at;
        let reads = self.reads;
        self.failed.get_or_insert_with(|| failed(at, reads, &error)).error()
    }

    /// Begins a transaction that writes, alone in its scope.
    pub(in super::super) async fn begin(&mut self, scope: Uuid) -> Result<(), Lost> {
        self.open = true;
        // No command is to blame for what fails before the first one.
        self.at = usize::MAX;
        let begun = async {
            self.send("begin", &[]).await?;
            self.send("select pg_advisory_xact_lock($1)", &[Bind::Int(lock_key(scope))]).await
        };
        begun.await.map_err(|error| self.lost(error))
    }

    /// Sends a statement that fails if the head of a tenant's feed is another.
    pub(in super::super) async fn expect_head(
        &mut self,
        tenant: Uuid,
        head: i64,
    ) -> Result<(), Error> {
        let sql = "select 1 / (case when coalesce((select seq from tenant_feed_heads \
            where tenant_id = $1), 0) = $2 then 1 else 0 end)";
        self.send(sql, &[Bind::Id(tenant), Bind::Int(head)]).await
    }

    /// Sends a statement that fails if the attachments of a tenant have more bytes than they may.
    pub(in super::super) async fn expect_room(&mut self, tenant: Uuid) -> Result<(), Error> {
        let sql = "select 1 / (case when attachment_bytes > attachment_bytes_max then 0 else 1 end) \
            from tenants where id = $1 and attachment_bytes_max > 0";
        self.send(sql, &[Bind::Id(tenant)]).await
    }

    /// Says how the statements that follow are planned, until the end of the transaction.
    pub(in super::super) async fn plan_for_values(&mut self, on: bool) -> Result<(), Error> {
        let sql = match on {
            true => "set local plan_cache_mode = force_custom_plan",
            false => "set local plan_cache_mode = force_generic_plan",
        };
        self.send(sql, &[]).await
    }

    /// The command at this place begins.
    pub(in super::super) fn start(&mut self, at: usize) {
        self.at = at;
    }

    /// Whether the transaction still stands, as far as is known.
    pub(in super::super) fn standing(&self) -> Result<(), Lost> {
        match &self.failed {
            None => Ok(()),
            Some(failed) => Err(failed.lost()),
        }
    }

    /// Why the transaction is lost.
    pub(in super::super) fn lost(&self, error: Error) -> Lost {
        self.failed.as_ref().map_or(Lost::Gone(error), Failed::lost)
    }

    pub(in super::super) async fn commit(&mut self) -> Result<(), Lost> {
        // Of a transaction in which a statement has failed, `commit` makes a rollback; the statement
        // is among those that are waited for.
        let committed = async {
            self.send("commit", &[]).await?;
            self.settle().await
        };
        committed.await.map_err(|error| self.lost(error))?;
        self.open = false;
        Ok(())
    }

    pub(in super::super) async fn rollback(&mut self) -> Result<(), Error> {
        self.settle_sent().await;
        self.failed = None;
        self.execute("rollback", &[]).await?;
        self.open = false;
        Ok(())
    }

    /// Begins a transaction that reads one snapshot.
    pub(super) async fn begin_read(&mut self) -> Result<(), Error> {
        (self.open, self.reads) = (true, true);
        self.send("begin isolation level repeatable read, read only", &[]).await
    }

    /// Ends it; nobody waits for that.
    pub(super) async fn end_read(&mut self) {
        let sent = self.settle().await.is_ok() && self.send("commit", &[]).await.is_ok();
        self.open = !sent && self.rollback().await.is_err();
    }
}

/// The advisory lock of a scope: from the time of its id and its last random bytes, so two groups hardly
/// ever share one, and no harm is done where they do.
pub(in super::super) fn lock_key(scope: Uuid) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *scope.as_bytes();
    let [.., i, j] = *scope.as_bytes();
    i64::from_le_bytes([a ^ g, b ^ h, c, d, e, f, i, j])
}

impl Failed {
    fn lost(&self) -> Lost {
        match self.kind {
            Kind::Conflict => Lost::Conflict(self.error()),
            Kind::Gone => Lost::Gone(self.error()),
            _ if self.at == usize::MAX => Lost::Gone(self.error()),
            _ => Lost::By(self.at, self.error()),
        }
    }
}

fn failed(at: usize, reads: bool, error: &tokio_postgres::Error) -> Failed {
    let kind = match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => {
            let constraint = error.as_db_error().and_then(|it| it.constraint()).unwrap_or_default();
            match dialect::constraint(constraint) {
                // Two tenants' groups took the same number: the next try takes another.
                "groups_number_key" => Kind::Conflict,
                name => Kind::Duplicate(name),
            }
        }
        Some(&SqlState::FOREIGN_KEY_VIOLATION) => Kind::Dangling,
        // The two divisions there are, in `expect_head` and `expect_room`.
        Some(&SqlState::DIVISION_BY_ZERO) => Kind::Conflict,
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => {
            Kind::Conflict
        }
        // A read took too long and should ask for less; a write may go well later.
        Some(&SqlState::QUERY_CANCELED) if reads => Kind::Deadline,
        // SQLite goes on with a number of less precision.
        Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) if reads => Kind::OutOfRange,
        Some(&SqlState::LOCK_NOT_AVAILABLE) => Kind::Gone,
        // Connection, resources, an operator who stops it, the system (classes 08, 53, 57, 58), and a
        // standby that takes no writes.
        Some(code)
            if ["08", "53", "57", "58", "25"].iter().any(|it| code.code().starts_with(it)) =>
        {
            Kind::Gone
        }
        Some(_) => Kind::Defect,
        None if error.is_closed() => Kind::Gone,
        None => {
            let source = std::error::Error::source(error);
            let io = source.is_some_and(|it| it.is::<std::io::Error>());
            if io { Kind::Gone } else { Kind::Defect }
        }
    };
    Failed { at, kind, text: cause(error) }
}

/// Proves to the compiler that a connection may go from thread to thread.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Pin<Box<Conn>>>();
};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::clock::Clock;
    use crate::store::both::on_each;
    use crate::store::dialect::Db;
    use crate::store::sql::Bind;
    use crate::store::{Error, Tx};

    #[tokio::test]
    async fn an_answer_in_pieces_holds_nothing_up() {
        on_each(8, Duration::from_secs(60), async |store, db| {
            if db == Db::Sqlite {
                return;
            }
            let asked = store.write(Clock::System.id(), (), |tx: &mut Tx, ()| {
                Box::pin(async move {
                    let define = "create function pg_temp.said(it bigint) returns bigint \
                        language plpgsql as 'begin raise notice ''%'', it; return it; end'";
                    // A notice ends a piece, so this answer has several, and nobody takes them yet. What
                    // comes next must be prepared before it can go.
                    let say = "select pg_temp.said(it) from generate_series(1, 9) it";
                    tx.execute(define, &[]).await?;
                    tx.send(say, &[]).await?;
                    tx.first("select $1::bigint", &[Bind::Int(7)], |row| row.int(0)).await
                })
            });
            let answer = tokio::time::timeout(Duration::from_secs(30), asked).await;
            let answer: Result<_, Error> = answer.expect("an answer");
            assert_eq!(answer.unwrap(), Some(7));
        })
        .await;
    }
}
