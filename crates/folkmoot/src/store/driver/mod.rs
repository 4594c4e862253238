//! The databases: connections, transactions, rows.
//!
//! **Invariant:** a command's statements and the feed rows that tell of them are one transaction. An
//! answer leaves only after the commit that makes it true.

#[cfg(test)]
mod feed_tests;
mod group;
mod made;
mod postgres;
mod sqlite;

pub(crate) use postgres::{Options as PostgresOptions, Postgres};
pub(crate) use sqlite::{Options as SqliteOptions, Sqlite};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::access::GroupFacts;
use crate::clock::Clock;
use crate::ids::{GroupId, TenantId, UserId};
use crate::store::audit::{Act, Deed, Entry};
use crate::store::dialect::Db;
use crate::store::error::Error;
use crate::store::feed::Change;
use crate::store::sql::Bind;

/// A connection inside a transaction.
pub(crate) struct Tx {
    conn: Conn,
    /// What the command that runs has changed, for the feed.
    changes: Vec<Change>,
    /// Who does it.
    act: Arc<Act>,
    /// What else the command that runs has done, for the audit.
    deeds: Vec<Entry>,
    /// Gives the audit's rows their ids.
    clock: Arc<Clock>,
    /// What the command that runs keeps more of a group's attachments, or less: bytes.
    held: Vec<(GroupId, i64)>,
    /// Whether the command that runs has written anything.
    wrote: bool,
    /// Whether the command that runs has said that no answer that is kept shows what it writes.
    unshown: bool,
    /// Where blobs too large for the database stand.
    blobs: PathBuf,
    /// What is remembered of groups, where asking again costs a round trip.
    known: Option<Arc<Known>>,
    /// Whether what is remembered is believed: not by a transaction that runs again.
    trusts: bool,
    /// Whether an earlier command of the transaction has changed something of the tenant: then what
    /// is read of groups is neither what is remembered nor, before the commit, to be remembered.
    tenant_changed: bool,
}

/// What commands have read of a group and its caller, each with the tenant's feed's head of then.
pub(in crate::store) type Known = quick_cache::sync::Cache<Key, (i64, GroupFacts)>;
/// Of which group, for which caller.
pub(in crate::store) type Key = (TenantId, GroupId, Option<UserId>);

enum Conn {
    Sqlite(rusqlite::Connection),
    Postgres(postgres::Conn),
}

/// One row of a result; columns are counted from 0.
pub(crate) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
    /// What was just written, column by column.
    Made(&'r [Bind<'r>]),
}

macro_rules! column {
    ($(#[$doc:meta])* $name:ident -> $ty:ty) => {
        $(#[$doc])*
        pub(crate) fn $name(&self, column: usize) -> Result<$ty, Error> {
            match self {
                Row::Sqlite(row) => sqlite::$name(row, column),
                Row::Postgres(row) => postgres::$name(row, column),
                Row::Made(row) => made::$name(row, column),
            }
        }
    };
}

impl Row<'_> {
    column!(/// Whether the column is null.
        is_null -> bool);
    column!(/// An integer column.
        int -> i64);
    column!(/// A boolean column.
        bool -> bool);
    column!(/// A text column.
        text -> &str);
    column!(/// A column of bytes.
        bytes -> &[u8]);
    column!(/// A column with an id.
        id -> Uuid);
    column!(/// Any column, as a value that can be bound again.
        bind -> Bind<'static>);
}

impl Tx {
    fn new(conn: Conn, blobs: &Path, clock: &Arc<Clock>) -> Tx {
        Tx {
            conn,
            changes: Vec::new(),
            act: Arc::new(Act::of_server()),
            deeds: Vec::new(),
            clock: clock.clone(),
            held: Vec::new(),
            wrote: false,
            unshown: false,
            blobs: blobs.to_owned(),
            known: None,
            trusts: false,
            tenant_changed: false,
        }
    }

    /// What is remembered of groups, and whether it may be believed; none where this transaction has
    /// changed it.
    pub(in crate::store) fn known(&self) -> Option<(Arc<Known>, bool)> {
        let changed = self.tenant_changed || self.changes.iter().any(Change::is_of_tenant);
        self.known.clone().filter(|_| !changed).map(|known| (known, self.trusts))
    }

    /// Makes the transaction fail, and run again believing nothing, if a tenant's feed has moved on
    /// from `head`. Nobody waits for it.
    pub(in crate::store) async fn expect_head(
        &mut self,
        tenant: TenantId,
        head: i64,
    ) -> Result<(), Error> {
        match &mut self.conn {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(conn) => conn.expect_head(tenant.0, head).await,
        }
    }

    /// Whether the statements that follow are planned anew for the values that they are given, where
    /// the database would else keep one plan for all. Nobody waits for it.
    pub(in crate::store) async fn plan_for_values(&mut self, on: bool) -> Result<(), Error> {
        match &mut self.conn {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(conn) => conn.plan_for_values(on).await,
        }
    }

    /// Which database it is, for texts that must differ.
    pub(crate) fn db(&self) -> Db {
        match &self.conn {
            Conn::Sqlite(_) => Db::Sqlite,
            Conn::Postgres(_) => Db::Postgres,
        }
    }

    /// Runs a statement that returns no rows; how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str, binds: &[Bind<'_>]) -> Result<u64, Error> {
        traced(sql);
        let changed = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite::execute(conn, sql, binds)?,
            Conn::Postgres(conn) => conn.execute(sql, binds).await?,
        };
        self.wrote = true;
        Ok(changed)
    }

    /// Runs a statement without waiting for its result, where the database is across a network: the
    /// next statement that waits, or the commit, fails where this one did. For statements whose
    /// failure no command looks at.
    pub(crate) async fn send(&mut self, sql: &str, binds: &[Bind<'_>]) -> Result<(), Error> {
        traced(sql);
        match &mut self.conn {
            Conn::Sqlite(conn) => drop(sqlite::execute(conn, sql, binds)?),
            Conn::Postgres(conn) => conn.send(sql, binds).await?,
        }
        self.wrote = true;
        Ok(())
    }

    /// Hands each row to `each`.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
        mut each: impl FnMut(Row<'_>) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        self.query_while(sql, binds, |row| each(row).map(|()| true)).await
    }

    /// Hands rows to `each` for as long as it says that it wants more.
    pub(crate) async fn query_while(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
        each: impl FnMut(Row<'_>) -> Result<bool, Error> + Send,
    ) -> Result<(), Error> {
        traced(sql);
        match &mut self.conn {
            Conn::Sqlite(conn) => {
                let wrote = sqlite::query(conn, sql, binds, each)?;
                self.wrote |= wrote;
                Ok(())
            }
            Conn::Postgres(conn) => {
                self.wrote |= is_write(sql);
                conn.query(sql, binds, each).await
            }
        }
    }

    /// What `read` makes of the first row, if there is one.
    pub(crate) async fn first<T: Send>(
        &mut self,
        sql: &str,
        binds: &[Bind<'_>],
        read: impl FnOnce(Row<'_>) -> Result<T, Error> + Send,
    ) -> Result<Option<T>, Error> {
        let (mut read, mut first) = (Some(read), None);
        self.query_while(sql, binds, |row| {
            if let Some(read) = read.take() {
                first = Some(read(row)?);
            }
            // A statement that writes is not done before it has said that there is no more.
            Ok(is_write(sql))
        })
        .await?;
        Ok(first)
    }

    /// Tells the feed of a change, and the audit; it is written with the commit.
    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Tells the audit of what no change tells of; it is written with the commit.
    pub(crate) fn done(&mut self, deed: Deed) {
        self.deeds.push(Entry::of_deed(&self.act, deed));
    }

    /// Says that so many more bytes are kept for attachments of a group, or fewer; what does not fit into the
    /// tenant's quota fails the command at its end.
    pub(in crate::store) fn hold(&mut self, group: GroupId, bytes: i64) {
        self.held.push((group, bytes));
    }

    /// Makes the transaction fail, and run again, if a tenant's attachments have more bytes than they may.
    /// Nobody waits for it.
    pub(in crate::store) async fn expect_room(&mut self, tenant: TenantId) -> Result<(), Error> {
        match &mut self.conn {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(conn) => conn.expect_room(tenant.0).await,
        }
    }

    /// Says of a command that tells the feed nothing that no answer that is kept shows what it writes.
    pub(crate) fn unshown(&mut self) {
        self.unshown = true;
    }

    /// The folder of blobs.
    pub(in crate::store) fn blobs(&self) -> &Path {
        &self.blobs
    }

    /// The number that the last insert gave its row; only SQLite's rows have one.
    pub(in crate::store) fn last_number(&self) -> Option<i64> {
        match &self.conn {
            Conn::Sqlite(conn) => Some(conn.last_insert_rowid()),
            Conn::Postgres(_) => None,
        }
    }

    /// Runs statements one after another, for migrations.
    pub(in crate::store) async fn batch(&mut self, sql: &str) -> Result<(), Error> {
        match &mut self.conn {
            Conn::Sqlite(conn) => sqlite::batch(conn, sql),
            Conn::Postgres(conn) => conn.batch(sql).await,
        }
    }
}

/// Tells the log of a statement, never of its values: that what is hidden and what is not there cost the same
/// can be seen there.
fn traced(sql: &str) {
    tracing::trace!(target: "folkmoot::sql", "{sql}");
}

/// Whether a statement that returns rows also writes some.
fn is_write(sql: &str) -> bool {
    !(sql.starts_with("select") || sql.starts_with("with") || sql.starts_with("explain"))
}

/// What a command or a read is: run on a transaction, with its input, to its end. A command may be
/// run again when a transaction is lost on its way, so it leaves its input as it was.
pub(crate) trait Run<I, T, E>:
    for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static
{
}

impl<I, T, E, F> Run<I, T, E> for F where
    F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static
{
}
