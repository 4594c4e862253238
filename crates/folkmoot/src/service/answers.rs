//! Answers that are kept for the next time the same caller asks the same.
//!
//! **Invariant:** an answer is given again only while neither the group that it is about nor the
//! group's tenant has changed since before it was read; membership and disabled users are part of the
//! tenant, so nobody is shown what the store would refuse them now.

use bytes::Bytes;
use odata::bind::{Path, Query, Step};
use odata::edm::Navigation;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::ids;
use crate::service::Ctx;
use crate::store::stamps::Stamps;

/// Bytes of all that is kept, keys included.
const BYTES_MAX: u64 = 16 << 20;
/// Bytes of one answer that is kept.
const ANSWER_MAX: usize = 64 << 10;
/// Answers that the cache expects to hold: it grows to them, not beyond `BYTES_MAX`.
const ANSWERS_EXPECTED: usize = 4_096;

/// The cache.
pub(super) struct Answers(Cache<Box<[u8]>, Kept, ByBytes>);

/// What is asked, where it may be kept: everything that the answer depends on but the store.
pub(crate) struct Question {
    key: Box<[u8]>,
    group: Uuid,
    tenant: Uuid,
    /// The numbers of both, taken before anything is read.
    stamps: (u64, u64),
}

#[derive(Clone)]
struct Kept {
    stamps: (u64, u64),
    body: Bytes,
    etag: Option<String>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<[u8]>, Kept> for ByBytes {
    fn weight(&self, key: &Box<[u8]>, kept: &Kept) -> u64 {
        (key.len() + kept.body.len()) as u64
    }
}

impl Question {
    /// Whether the answer to `query` depends on the path's group and its tenant alone.
    pub(crate) fn covers(query: &Query) -> bool {
        !query.navigations().iter().any(|(_, navigation)| leaves(navigation))
    }

    /// The question that a GET of `path`, written as `address` (path and query), asks; `None` where
    /// it is not about one group.
    pub(crate) fn of(ctx: &Ctx, path: &Path, address: &str) -> Option<Question> {
        let Some(Step::Key(text)) = path.steps.first() else { return None };
        let leaves = path.steps.iter().any(|step| match step {
            Step::Navigation(navigation) => leaves(navigation),
            Step::Value => true,
            _ => false,
        });
        if (path.root.entity)().name != "group" || leaves {
            return None;
        }
        let (group, tenant) = (ids::parse(text)?, ctx.caller.tenant.0);
        let app = ctx.caller.app.as_deref().unwrap_or_default();
        let mut key = Vec::with_capacity(96 + app.len() + ctx.root.len() + address.len());
        key.extend_from_slice(tenant.as_bytes());
        key.extend_from_slice(ctx.caller.user.map(|it| it.0).unwrap_or_default().as_bytes());
        key.push(ctx.annotations.into());
        // None of the three can hold a zero byte: they came in as lines of HTTP.
        for text in [app, &ctx.root, address] {
            key.extend_from_slice(text.as_bytes());
            key.push(0);
        }
        let stamps = now(ctx.store.stamps()?, group, tenant);
        Some(Question { key: key.into(), group, tenant, stamps })
    }
}

/// Whether a navigation may lead to another group than the one that the path began with.
fn leaves(navigation: &Navigation) -> bool {
    (navigation.target)().name == "group"
}

fn now(stamps: &Stamps, group: Uuid, tenant: Uuid) -> (u64, u64) {
    (stamps.of(group), stamps.of(tenant))
}

impl Answers {
    pub(super) fn new() -> Answers {
        Answers(Cache::with_weighter(ANSWERS_EXPECTED, BYTES_MAX, ByBytes))
    }

    /// The body and the ETag that this question was answered with, if they are still true.
    pub(super) fn find(&self, question: &Question) -> Option<(Bytes, Option<String>)> {
        let kept = self.0.get(&question.key)?;
        (kept.stamps == question.stamps).then_some((kept.body, kept.etag))
    }

    /// Keeps an answer, unless its group has changed meanwhile or it is large.
    pub(super) fn keep(&self, ctx: &Ctx, question: Question, body: &Bytes, etag: Option<&String>) {
        let Question { key, group, tenant, stamps } = question;
        let unchanged = ctx.store.stamps().is_some_and(|it| now(it, group, tenant) == stamps);
        if unchanged && body.len() <= ANSWER_MAX {
            self.0.insert(key, Kept { stamps, body: body.clone(), etag: etag.cloned() });
        }
    }
}
