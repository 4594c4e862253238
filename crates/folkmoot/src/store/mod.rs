//! What lasts: tables, the feed, the index and blobs, behind one handle.
//!
//! **Invariant:** only this folder writes SQL, and of it only `dialect.rs` and `driver/` know which
//! database is behind it. A read of content cannot be planned without an [`Access`].
//!
//! Reads of entities for answers are planned from the model (`plan.rs`, `predicate.rs`, `render.rs`);
//! the files named for tables hold what commands need.
//!
//! [`Access`]: crate::access::Access

pub(crate) mod blobs;
pub(crate) mod conversations;
mod dialect;
mod driver;
mod error;
#[cfg(test)]
mod explain;
pub(crate) mod feed;
pub(crate) mod groups;
pub(crate) mod index;
mod keys;
mod migrate;
pub(crate) mod plan;
pub(crate) mod posts;
mod predicate;
pub(crate) mod read;
mod render;
pub(crate) mod skiptoken;
pub(crate) mod sql;
pub(crate) mod stamps;
pub(crate) mod tenants;
pub(crate) mod threads;
pub(crate) mod users;

pub(crate) use driver::Tx;
pub(crate) use error::Error;
pub(crate) use keys::{Key, Purpose};
pub(crate) use render::etag;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::store::driver::{Options, Sqlite};
use crate::store::stamps::Stamps;

/// An open store.
pub(crate) struct Store {
    db: Sqlite,
    blobs: PathBuf,
}

/// What a store is opened with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The data folder, made where it is missing.
    pub(crate) folder: PathBuf,
    /// Whether what is acknowledged must survive a crash of the machine.
    pub(crate) durable: bool,
    /// Threads for reads.
    pub(crate) readers: usize,
    /// How many commands, and how many reads, may wait.
    pub(crate) queue: usize,
    /// The longest that one read may run.
    pub(crate) read_deadline: Duration,
}

impl Store {
    /// Opens the store in a folder, made and given its schema where it is new.
    pub(crate) fn open(settings: &Settings, clock: &Clock) -> Result<Store, Error> {
        std::fs::create_dir_all(&settings.folder)?;
        let blobs = settings.folder.join("blobs");
        let options = Options {
            path: settings.folder.join("folkmoot.db"),
            durable: settings.durable,
            readers: settings.readers,
            queue: settings.queue,
            read_deadline: settings.read_deadline,
        };
        let db = Sqlite::open(&options, &blobs, |tx| migrate::migrate(tx, clock))?;
        Ok(Store { db, blobs })
    }

    /// Runs a command: all of it is stored, or nothing. Its answer comes when it is on the disk.
    pub(crate) async fn write<T, E, F>(&self, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.db.write(command).await
    }

    /// Runs a read; every statement of it sees the same snapshot.
    pub(crate) async fn read<T, E, F>(&self, read: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.db.read(read).await
    }

    /// What says whether a group has changed, for answers that are kept.
    pub(crate) fn stamps(&self) -> &Stamps {
        self.db.stamps()
    }

    /// The folder of blobs that are not in the database.
    pub(crate) fn blobs(&self) -> &Path {
        &self.blobs
    }
}
