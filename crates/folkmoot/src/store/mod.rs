//! What lasts: tables, the feed, the index and blobs, behind one handle.
//!
//! **Invariant:** only this folder writes SQL, and of it only `dialect.rs` and `driver/` know which
//! database is behind it. A read of content cannot be planned without an [`Access`].
//!
//! Reads of entities for answers are planned from the model (`plan.rs`, `predicate.rs`, `render.rs`);
//! the files named for tables hold what commands need.
//!
//! [`Access`]: crate::access::Access

mod allow;
pub(crate) mod apps;
pub(crate) mod attachments;
pub(crate) mod audit;
pub(crate) mod blobs;
#[cfg(test)]
pub(crate) mod both;
pub(crate) mod check;
pub(crate) mod conversations;
mod dialect;
mod driver;
mod error;
#[cfg(test)]
mod explain;
pub(crate) mod feed;
pub(crate) mod form;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod identities;
pub(crate) mod index;
pub(crate) mod invitations;
pub(crate) mod join_requests;
mod keys;
mod migrate;
pub(crate) mod partial;
pub(crate) mod passwords;
pub(crate) mod plan;
pub(crate) mod post_children;
pub(crate) mod posts;
mod predicate;
pub(crate) mod preferences;
pub(crate) mod principals;
#[cfg(test)]
mod promises;
pub(crate) mod quotas;
pub(crate) mod ranges;
pub(crate) mod read;
pub(crate) mod recipients;
mod render;
mod scalar;
pub(crate) mod search;
pub(crate) mod senders;
mod share;
pub(crate) mod sign_in;
pub(crate) mod skiptoken;
pub(crate) mod sql;
pub(crate) mod stamps;
pub(crate) mod tenants;
pub(crate) mod threads;
pub(crate) mod unseen;
pub(crate) mod uploads;
pub(crate) mod users;
pub(crate) mod work;

pub(crate) use driver::{Run, Tx};
pub(crate) use error::Error;
pub(crate) use keys::{Key, Purpose};
pub(crate) use render::etag;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Clock;
use crate::store::audit::Act;
use crate::store::driver::{Postgres, PostgresOptions, Sqlite, SqliteOptions};
use crate::store::share::Shares;

/// An open store, in the hands of somebody: what is written through it, they do.
pub(crate) struct Store {
    open: Arc<Open>,
    act: Arc<Act>,
}

struct Open {
    database: Database,
    blobs: PathBuf,
    shares: Shares,
}

enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// What a store is opened with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The data folder, made where it is missing.
    pub(crate) folder: PathBuf,
    /// The address of a PostgreSQL database, where it is not SQLite in the folder.
    pub(crate) postgres: Option<String>,
    /// Whether what is acknowledged must survive a crash of the machine.
    pub(crate) durable: bool,
    /// Threads for reads.
    pub(crate) readers: usize,
    /// How many commands, and how many reads, may wait.
    pub(crate) queue: usize,
    /// How many of the commands may be of one scope.
    pub(crate) share: usize,
    /// The longest that one read may run.
    pub(crate) read_deadline: Duration,
}

impl Store {
    /// Opens the store, made and given its schema where it is new; it is in the server's own hands.
    pub(crate) async fn open(settings: &Settings, clock: &Arc<Clock>) -> Result<Store, Error> {
        blobs::make_folder(&settings.folder)?;
        let blobs = settings.folder.join("blobs");
        let Settings { queue, read_deadline, .. } = *settings;
        let migrate = async |tx: &mut Tx| migrate::migrate(tx, clock).await;
        let database = match &settings.postgres {
            Some(url) => {
                // A command that runs again, because what was remembered is not so any more, takes
                // ids again: with counted ones, the same requests would not get the same.
                let remembers = !matches!(**clock, Clock::Fixed { .. });
                let options = PostgresOptions { url: url.clone(), queue, read_deadline, remembers };
                Database::Postgres(Postgres::open(&options, &blobs, clock, migrate).await?)
            }
            None => {
                let options = SqliteOptions {
                    path: settings.folder.join("folkmoot.db"),
                    durable: settings.durable,
                    readers: settings.readers,
                    queue,
                    read_deadline,
                };
                Database::Sqlite(Sqlite::open(&options, &blobs, clock, migrate)?)
            }
        };
        let open = Open { database, blobs, shares: Shares::new(settings.share) };
        Ok(Store { open: Arc::new(open), act: Arc::new(Act::of_server()) })
    }

    /// The same store in the hands of somebody else.
    pub(crate) fn acting(&self, act: Act) -> Arc<Store> {
        Arc::new(Store { open: self.open.clone(), act: Arc::new(act) })
    }

    /// In whose hands it is.
    pub(crate) fn act(&self) -> &Act {
        &self.act
    }

    /// Runs a command on its input: all of it is stored, or nothing. Its answer comes when it is on
    /// the disk. `scope` is the group that it changes, or else the tenant: what changes the same scope
    /// runs one after another. A command whose transaction is lost may run again.
    pub(crate) async fn write<I, T, E>(
        &self,
        scope: Uuid,
        input: I,
        command: impl Run<I, T, E>,
    ) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let _place = self.open.shares.take(scope)?;
        self.tend(scope, input, command).await
    }

    /// The same for the server's own work on a scope: it has no part in the scope's share of the queue.
    pub(crate) async fn tend<I, T, E>(
        &self,
        scope: Uuid,
        input: I,
        command: impl Run<I, T, E>,
    ) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.open.database {
            // SQLite's one writer runs everything one after another.
            Database::Sqlite(sqlite) => sqlite.write(&self.act, input, command).await,
            Database::Postgres(postgres) => postgres.write(scope, &self.act, input, command).await,
        }
    }

    /// Runs a read on its input; every statement of it sees the same snapshot.
    pub(crate) async fn read<I, T, E>(&self, input: I, read: impl Run<I, T, E>) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.open.database {
            Database::Sqlite(sqlite) => sqlite.read(&self.act, input, read).await,
            Database::Postgres(postgres) => postgres.read(input, read).await,
        }
    }

    /// Ends with the next commit of this process or, where others write too, a word of theirs.
    pub(crate) fn changed(&self) -> tokio::sync::futures::OwnedNotified {
        match &self.open.database {
            Database::Sqlite(sqlite) => sqlite.changed(),
            Database::Postgres(postgres) => postgres.changed(),
        }
    }

    /// Two numbers that rise with each change of a group and of a tenant: what was read after they
    /// were taken is true for as long as they stand.
    pub(crate) async fn stamps(&self, group: Uuid, tenant: Uuid) -> Result<(u64, u64), Error> {
        match &self.open.database {
            Database::Sqlite(sqlite) => {
                let stamps = sqlite.stamps();
                Ok((stamps.of(group), stamps.of(tenant)))
            }
            // Other processes change it too: the database alone knows.
            Database::Postgres(postgres) => postgres.heads(group, tenant).await,
        }
    }

    /// The folder of blobs that are not in the database.
    pub(crate) fn blobs(&self) -> &Path {
        &self.open.blobs
    }
}
