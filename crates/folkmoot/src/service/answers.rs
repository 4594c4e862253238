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
use crate::model::AUDIT;
use crate::service::{Ctx, Wanted, read};

/// The numbers of a group and its tenant, which rise with each change of theirs.
pub(crate) type Stamps = (u64, u64);

/// Bytes of all that is kept, keys included.
const BYTES_MAX: u64 = 16 << 20;
/// Bytes of one answer that is kept.
const ANSWER_MAX: usize = 64 << 10;
/// Answers that the cache expects to hold: it grows to them, not beyond `BYTES_MAX`.
const ANSWERS_EXPECTED: usize = 4_096;

/// The cache.
pub(super) struct Answers(Cache<Box<[u8]>, Kept, ByBytes>);

/// What is asked, where its answer may be kept: everything that it depends on but the store.
pub(crate) struct Question {
    key: Box<[u8]>,
    group: Uuid,
    tenant: Uuid,
}

/// What is kept of a question: at first only that it was asked, so that what is asked once costs no
/// memory; the second time its answer.
#[derive(Clone)]
struct Kept {
    /// The numbers of group and tenant, from before the answer was read.
    stamps: Option<Stamps>,
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
        !read::is_per_caller(query)
            && !query.navigations().iter().any(|(_, navigation)| leaves(navigation))
    }

    /// The question that a GET of `path`, written as `address` (path and query), asks; `None` where
    /// it is not about one group, or names it by what another may be named tomorrow.
    pub(crate) fn of(ctx: &Ctx, path: &Path, address: &str) -> Option<Question> {
        let Some(Step::Key(text)) = path.steps.first() else { return None };
        let leaves = path.steps.iter().any(|step| match step {
            // Not all that adds to the audit, or takes of it, is told of by the feed.
            Step::Navigation(navigation) => leaves(navigation) || navigation.name == AUDIT,
            Step::Value => true,
            _ => false,
        });
        if (path.root.entity)().name != "group" || leaves {
            return None;
        }
        let (group, tenant) = (ids::parse(text)?, ctx.caller.tenant.0);
        let app = ctx.caller.app.as_deref().unwrap_or_default();
        let mut key = Vec::with_capacity(112 + app.len() + ctx.root.len() + address.len());
        key.extend_from_slice(tenant.as_bytes());
        key.extend_from_slice(ctx.caller.user.map(|it| it.0).unwrap_or_default().as_bytes());
        let Wanted { metadata, body, page_max } = ctx.wanted;
        key.extend_from_slice(&[metadata as u8, body.map_or(0, |it| it as u8 + 1)]);
        key.extend_from_slice(&page_max.unwrap_or_default().to_be_bytes());
        key.extend_from_slice(&ctx.answer_bytes.to_be_bytes());
        // None of the three can hold a zero byte: they came in as lines of HTTP.
        for text in [app, &ctx.root, address] {
            key.extend_from_slice(text.as_bytes());
            key.push(0);
        }
        Some(Question { key: key.into(), group, tenant })
    }
}

/// Whether a navigation may lead to another group than the one that the path began with.
fn leaves(navigation: &Navigation) -> bool {
    (navigation.target)().name == "group"
}

impl Answers {
    pub(super) fn new() -> Answers {
        Answers(Cache::with_weighter(ANSWERS_EXPECTED, BYTES_MAX, ByBytes))
    }

    /// The answer to a question, if it was kept and is still true; and else with what it may be kept.
    pub(super) async fn find(&self, ctx: &Ctx, question: &Question) -> Standing {
        let Some(kept) = self.0.get(&question.key) else {
            let asked = Kept { stamps: None, body: Bytes::new(), etag: None };
            self.0.insert(question.key.clone(), asked);
            return Standing::Unknown;
        };
        match ctx.store.stamps(question.group, question.tenant).await {
            Ok(now) if kept.stamps == Some(now) => Standing::Known(kept.body, kept.etag),
            Ok(now) => Standing::Asked(now),
            // The read itself will say what is wrong with the store.
            Err(_) => Standing::Unknown,
        }
    }

    /// Keeps an answer that was read after `stamps` were taken, unless it is large.
    pub(super) fn keep(
        &self,
        question: Question,
        stamps: Stamps,
        body: &Bytes,
        etag: Option<&String>,
    ) {
        if body.len() <= ANSWER_MAX {
            let kept = Kept { stamps: Some(stamps), body: body.clone(), etag: etag.cloned() };
            self.0.insert(question.key, kept);
        }
    }
}

/// What is known of a question.
pub(super) enum Standing {
    /// The body and the ETag of its answer.
    Known(Bytes, Option<String>),
    /// It was asked before: its answer may be kept with these numbers.
    Asked(Stamps),
    /// Nothing.
    Unknown,
}
