//! The rules: what may be read, written, posted and removed, and what follows from it.
//!
//! **Invariant:** nothing here knows HTTP; JSON comes in as `odata`'s records and goes out as what the
//! read path wrote. Every function takes the [`Ctx`] of its request first.

pub(crate) mod answers;
pub(crate) mod apps;
pub(crate) mod attachments;
pub(crate) mod audit;
#[cfg(test)]
mod collector_tests;
pub(crate) mod consumers;
pub(crate) mod conversations;
pub(crate) mod directory;
mod draft;
mod error;
pub(crate) mod extended_properties;
pub(crate) mod extensions;
mod files;
pub(crate) mod grants;
pub(crate) mod group_settings;
pub(crate) mod groups;
pub(crate) mod identities;
pub(crate) mod invitations;
mod items;
pub(crate) mod join_requests;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod members;
pub(crate) mod mentions;
pub(crate) mod passwords;
pub(crate) mod posts;
pub(crate) mod read;
mod references;
mod resolve;
pub(crate) mod search;
pub(crate) mod senders;
pub(crate) mod sign_in;
pub(crate) mod threads;
mod tries;
pub(crate) mod uploads;
pub(crate) mod users;

pub(crate) use error::Error;
pub(crate) use resolve::with_ids;

pub(crate) use crate::store::form::{BodyType, Metadata, Wanted};

use std::sync::Arc;

use odata::bind::{Path, Step};
use odata::value::DateTimeOffset;
use uuid::Uuid;

use crate::access::Caller;
use crate::clock::Clock;
use crate::ids;
use crate::service::answers::Answers;
use crate::service::identities::Seen;
use crate::service::passwords::Passwords;
use crate::store::feed::Actor;
use crate::store::form::Form;
use crate::store::{Store, blobs, tenants, work};

/// How long a blob is kept that nothing refers to: an upload has that long to be used.
const BLOB_KEPT_TICKS: i64 = 24 * 3_600 * 10_000_000;

/// How long the feed keeps what has changed.
const FEED_KEPT_TICKS: i64 = 30 * 24 * 3_600 * 10_000_000;

/// What a request is carried out with.
#[derive(Clone)]
pub(crate) struct Ctx {
    store: Arc<Store>,
    clock: Arc<Clock>,
    answers: Arc<Answers>,
    caller: Caller,
    /// What links in the answer begin with, such as `https://host/v1.0`.
    root: String,
    /// How the answer is to be written.
    wanted: Wanted,
    /// ETags, one of which what is changed must have; none: any.
    if_match: Vec<String>,
    /// Whether to do as real Graph does, where it does less.
    strict: bool,
    /// Bytes past which an answer's pages end before their time.
    answer_bytes: usize,
}

/// Where every request's [`Ctx`] comes from.
#[derive(Clone)]
pub(crate) struct Service {
    store: Arc<Store>,
    clock: Arc<Clock>,
    answers: Arc<Answers>,
    seen: Arc<Seen>,
    passwords: Arc<Passwords>,
}

impl Service {
    /// The rules over a store.
    pub(crate) fn new(store: Arc<Store>, clock: Arc<Clock>) -> Service {
        let (answers, seen) = (Arc::new(Answers::new()), Arc::new(Seen::new()));
        let passwords = Arc::new(Passwords::new());
        Service { store, clock, answers, seen, passwords }
    }

    /// The time and new ids.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn now_ticks(&self) -> i64 {
        self.clock.now().ticks
    }

    /// Forgets the feed's oldest rows, those that every consumer has come past; how many.
    pub(crate) async fn forget_feed(&self) -> Result<u64, Error> {
        let (before, mut removed) = (self.now_ticks() - FEED_KEPT_TICKS, 0);
        loop {
            let groups = self.store.read((), move |tx, ()| Box::pin(work::old(tx, before))).await?;
            let mut now = 0;
            for group in groups {
                now += self
                    .store
                    .tend(group.0, (), move |tx, ()| Box::pin(work::forget(tx, group, before)))
                    .await?;
            }
            for tenant in self.store.read((), |tx, ()| Box::pin(tenants::all(tx))).await? {
                let id = tenant.id;
                now += self
                    .store
                    .tend(id.0, (), move |tx, ()| Box::pin(work::forget_of_tenant(tx, id, before)))
                    .await?;
            }
            removed += now;
            // What a consumer has not come to stays, and is found again.
            if now == 0 {
                return Ok(removed);
            }
        }
    }

    /// Removes what uploads have left: sessions that have expired, files that were cut off, and blobs
    /// that nothing has referred to for a day; how many blobs.
    pub(crate) async fn collect_blobs(&self) -> Result<usize, Error> {
        uploads::tidy_up(self).await?;
        let folder = self.store.blobs().to_owned();
        files::blocking(move || blobs::sweep(&folder)).await?;
        self.collect_untouched_since(self.now_ticks() - BLOB_KEPT_TICKS).await
    }

    /// Removes blobs that nothing refers to and nobody has touched since `before` (ticks); how many.
    async fn collect_untouched_since(&self, before: i64) -> Result<usize, Error> {
        let mut removed = 0;
        loop {
            let unused =
                self.store.read((), move |tx, ()| Box::pin(blobs::unused(tx, before))).await?;
            if unused.is_empty() {
                return Ok(removed);
            }
            for it in unused {
                let scope = it.group.0;
                let condemned = it.clone();
                self.store
                    .tend(scope, condemned, move |tx, it| Box::pin(blobs::condemn(tx, it, before)))
                    .await?;
                let gone =
                    self.store.tend(scope, it, |tx, it| Box::pin(blobs::remove(tx, it))).await?;
                removed += usize::from(gone);
            }
        }
    }

    /// What a request of `caller` is carried out with; links in its answer begin with `root`.
    pub(crate) fn ctx(
        &self,
        caller: Caller,
        root: String,
        wanted: Wanted,
        if_match: Vec<String>,
        strict: bool,
    ) -> Ctx {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let answers = self.answers.clone();
        let answer_bytes = limits::ANSWER_BYTES;
        Ctx { store, clock, answers, caller, root, wanted, if_match, strict, answer_bytes }
    }
}

impl Ctx {
    /// Makes the answer one of so many that share what one may hold.
    pub(crate) fn share_answer(&mut self, of: usize) {
        self.answer_bytes = limits::ANSWER_BYTES / of.max(1);
    }

    /// What links begin with.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Who calls.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The origin that links begin with: the root without its version.
    fn origin(&self) -> &str {
        self.root.rsplit_once('/').map_or(&self.root, |(origin, _)| origin)
    }

    /// What a command on `path` changes: the group that the path leads into, or else the tenant.
    fn scope(&self, path: &Path) -> Uuid {
        let mut entity = (path.root.entity)();
        for step in &path.steps {
            match step {
                Step::Key(text) if entity.name == "group" => {
                    return ids::parse(text).unwrap_or(self.caller.tenant.0);
                }
                Step::Navigation(navigation) => entity = (navigation.target)(),
                _ => {}
            }
        }
        self.caller.tenant.0
    }

    /// Whether to do as real Graph does, where it does less.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// How the answer is to be written.
    pub(crate) fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Takes another level of metadata than what the request's head asked for.
    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.wanted.metadata = metadata;
    }

    fn form(&self) -> Form<'_> {
        Form { wanted: self.wanted, root: &self.root, pages: limits::PAGES }
    }

    /// Whether `@odata.*` annotations other than links and counts are written.
    pub(crate) fn annotations(&self) -> bool {
        self.wanted.metadata != Metadata::None
    }

    pub(crate) fn now(&self) -> DateTimeOffset {
        self.clock.now()
    }

    fn actor(&self) -> Actor {
        Actor { user: self.caller.user, app: self.caller.app.clone() }
    }
}

/// A created entity, as it is answered.
#[derive(Debug)]
pub(crate) struct Created {
    /// The JSON of it.
    pub(crate) body: Vec<u8>,
    /// Its ETag.
    pub(crate) etag: String,
    /// Its own address.
    pub(crate) location: String,
}
