//! `$search`: posts that match by the full-text index, newest first by arrival, and the conversations and
//! threads that they are in.
//!
//! **Invariant:** the posts that are walked, the entities that are shown and the posts that say what was
//! shown before all come from `plan.rs`, each with the caller's access; the index is never asked alone.

use std::collections::HashSet;

use uuid::Uuid;

use crate::model::{CONVERSATION, Entity, Link, POST, THREAD};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::plan::{self, Node, Parent, Place};
use crate::store::read::{self, Budget, Home, PageEnd, Written};
use crate::store::sql::{Bind, Statement};

/// What is searched for.
#[derive(Clone, Debug)]
pub(crate) struct Sought {
    /// What the index is asked; none: every post.
    pub(crate) words: Option<Words>,
    /// What else must hold, all of it.
    pub(crate) conditions: Vec<Condition>,
}

/// Words as the index has them.
#[derive(Clone, Debug)]
pub(crate) enum Words {
    /// Tokens one after another, at least one; in one field, or in any but never across two.
    Phrase { field: Option<Field>, tokens: Vec<String> },
    /// All of the first, and nothing of the second.
    All { of: Vec<Words>, but: Vec<Words> },
    /// Any of these.
    Any(Vec<Words>),
}

/// A part of a post, as the index keeps them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Topic,
    Body,
    Sender,
    Attachment,
}

/// A condition on a column of posts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// Whether it has attachments.
    HasAttachments(bool),
    /// When it was received, in ticks: from then on, and before then.
    Received { from: Option<i64>, before: Option<i64> },
}

/// Entities that are read by one statement: what they hold is in memory before it is counted.
const AT_ONCE: usize = 25;
/// Posts that one page looks through before it ends early; a tenth of a second's worth.
const WALK_MAX: usize = 2_500;
/// Posts of one statement of the walk at most.
const STRIDE_MAX: usize = 1_024;

/// Whether `key`, which a client sent, can be where a page of a search ended.
pub(crate) fn fits(tx: &Tx, key: &[Bind<'static>]) -> bool {
    let by_number = tx.db().index_is_by_number();
    let fits = |it: &Bind<'_>| {
        if by_number { matches!(it, Bind::Int(_)) } else { matches!(it, Bind::Id(_)) }
    };
    key.len() == 2 && key.iter().all(fits)
}

/// Writes one page of what is found, as [`read::page`] does. A page's key is the post that it ended at
/// and the newest post of the first page: what has come since is not part of what is paged through.
pub(crate) async fn page(
    tx: &mut Tx,
    node: &Node<'_>,
    (place, sought): (Place, &Sought),
    after: Option<&[Bind<'static>]>,
    home: Home<'_>,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<PageEnd, Error> {
    let since = after.and_then(|it| Some((it.first()?, it.get(1)?)));
    let mut at = since.map(|(at, _)| at.clone());
    let mut newest = since.map(|(_, newest)| newest.clone());
    let (mut seen, mut rows, mut bytes) = (HashSet::new(), Vec::new(), out.len());
    let (mut walked, mut stride, mut full) =
        (0, (node.page + 1).next_power_of_two().min(STRIDE_MAX), false);
    let ended = loop {
        // Where a filter drops most of them, few and long steps are cheaper than many.
        let wanted = match node.query.filter {
            Some(_) => stride,
            None => (node.page + 1 - rows.len()).min(STRIDE_MAX),
        };
        let from = at.clone();
        let walk = Walk { node, place, sought, from: from.as_ref(), stride };
        let (found, stepped) = walk.step(tx, &mut seen, wanted).await?;
        walked += stepped.posts;
        newest = newest.or(stepped.first);
        at = stepped.last.or(at);
        let found = match node.query.filter {
            Some(_) if found.len() > AT_ONCE => walk.kept(tx, found, since).await?,
            _ => found,
        };
        for some in found.chunks(AT_ONCE) {
            let mut listed = node.listed(place);
            walk.among(&mut listed, some, since);
            let mut more = read::all(tx, node, &listed, home).await?;
            let place_of = |row: &(Vec<u8>, Written)| {
                some.iter().position(|(id, _)| *id == row.1.parent.id).unwrap_or(some.len())
            };
            more.sort_by_key(place_of);
            for mut row in more {
                let key = some.iter().find(|(id, _)| *id == row.1.parent.id).map(|it| it.1.clone());
                row.1.key = key.zip(newest.clone()).map(|(key, newest)| vec![key, newest]);
                bytes += row.0.len();
                rows.push(row);
            }
            full = rows.len() > node.page || (bytes > budget.bytes() && rows.len() > 1);
            if full {
                break;
            }
        }
        // A `$filter` that keeps few of what is found ends a page before it is full.
        if full || stepped.ended || walked >= WALK_MAX.min(budget.max()) {
            break stepped.ended && !full;
        }
        stride = (stride * 2).min(STRIDE_MAX);
    };
    match read::show(tx, node, rows, home, budget, out).await? {
        PageEnd::Last if !ended => Ok(at
            .zip(newest)
            .map_or(PageEnd::Last, |(at, newest)| PageEnd::After(vec![at, newest]))),
        end => Ok(end),
    }
}

/// How many entities are found.
pub(crate) async fn count(
    tx: &mut Tx,
    node: &Node<'_>,
    place: Place,
    sought: &Sought,
) -> Result<i64, Error> {
    let mut sql = node.count(place);
    sql.push(" and t0.id in (select t0.").push(column(node.entity)).push(" from ");
    posts(&mut sql, node, place, sought);
    sql.push(")");
    tx.plan_for_values(true).await?;
    let count = tx.first(&sql.sql, &sql.binds, |row| row.int(0)).await?;
    tx.plan_for_values(false).await?;
    Ok(count.unwrap_or(0))
}

/// The column of posts that says which entity of this type they are in, or are.
fn column(entity: &Entity) -> &'static str {
    match entity.edm.name {
        "conversation" => "conversation_id",
        "conversationThread" => "thread_id",
        _ => "id",
    }
}

/// Steps through matching posts, newest first.
pub(super) struct Walk<'w> {
    pub(super) node: &'w Node<'w>,
    pub(super) place: Place,
    pub(super) sought: &'w Sought,
    /// Only older posts than this.
    pub(super) from: Option<&'w Bind<'static>>,
    /// How many posts at most.
    pub(super) stride: usize,
}

/// Where the page before ended and where the first began, if there is one.
type Since<'s> = Option<(&'s Bind<'static>, &'s Bind<'static>)>;

/// How far a walk has come.
struct Stepped {
    posts: usize,
    first: Option<Bind<'static>>,
    last: Option<Bind<'static>>,
    /// Whether there are no more.
    ended: bool,
}

impl Walk<'_> {
    /// Entities that were not seen before, at most `wanted`, each with its newest matching post.
    async fn step(
        &self,
        tx: &mut Tx,
        seen: &mut HashSet<Uuid>,
        wanted: usize,
    ) -> Result<(Vec<(Uuid, Bind<'static>)>, Stepped), Error> {
        let sql = self.statement();
        let mut found = Vec::new();
        let mut stepped = Stepped { posts: 0, first: None, last: None, ended: false };
        // A rare phrase is gathered from the index and a common word met on the way back from the newest post:
        // which, depends on the words.
        tx.plan_for_values(true).await?;
        tx.query_while(&sql.sql, &sql.binds, |row| {
            let (key, id) = (row.bind(0)?, row.id(1)?);
            stepped.posts += 1;
            stepped.first.get_or_insert_with(|| key.clone());
            stepped.last = Some(key.clone());
            if seen.insert(id) {
                found.push((id, key));
            }
            Ok(found.len() < wanted && stepped.posts < self.stride)
        })
        .await?;
        tx.plan_for_values(false).await?;
        stepped.ended = found.len() < wanted && stepped.posts < self.stride;
        Ok((found, stepped))
    }

    /// Which of these the `$filter` keeps: it drops most of them, and none is read for that.
    async fn kept(
        &self,
        tx: &mut Tx,
        mut found: Vec<(Uuid, Bind<'static>)>,
        since: Since<'_>,
    ) -> Result<Vec<(Uuid, Bind<'static>)>, Error> {
        let mut sql = self.node.ids(self.place);
        self.among(&mut sql, &found, since);
        let mut kept = HashSet::new();
        tx.query(&sql.sql, &sql.binds, |row| {
            kept.insert(row.id(0)?);
            Ok(())
        })
        .await?;
        found.retain(|(id, _)| kept.contains(id));
        Ok(found)
    }

    /// ` and …`: one of these, and not one that a page before has shown.
    fn among(&self, sql: &mut Statement, found: &[(Uuid, Bind<'static>)], since: Since<'_>) {
        let Walk { node, sought, .. } = self;
        // Filled up with the last, so that there are few different statements to prepare.
        let filled = found.len().next_power_of_two();
        let ids = found.iter().chain(std::iter::repeat(&found[found.len() - 1])).take(filled);
        sql.push(" and t0.id in (");
        for (at, (id, _)) in ids.enumerate() {
            sql.push(if at > 0 { ", " } else { "" }).bind(*id);
        }
        sql.push(")");
        let (Some(since), false) = (since, node.entity.edm.name == POST.edm.name) else { return };
        sql.push(" and not exists (select 1 from ");
        if node.entity.edm.name == CONVERSATION.edm.name {
            let inside = related(sql, node, &CONVERSATION, ("t0", true), "h");
            sql.push(" and exists (select 1 from ");
            related(sql, node, &THREAD, ("h", inside), "p");
            shown_before(sql, node, sought, since);
            sql.push(")");
        } else {
            related(sql, node, &THREAD, ("t0", true), "p");
            shown_before(sql, node, sought, since);
        }
        sql.push(")");
    }

    pub(super) fn statement(&self) -> Statement {
        let Walk { node, place, sought, from, stride } = self;
        let mut sql = Statement::new(node.db());
        let through_index = is_of_group(*place);
        let key = if through_index { node.db().index_key() } else { node.db().post_key() };
        sql.push("select ").push(key).push(", t0.").push(column(node.entity)).push(" from ");
        posts(&mut sql, node, *place, sought);
        if let Some(from) = from {
            sql.push(" and ").push(key).push(" < ").bind((*from).clone());
        }
        sql.push(" order by ").push(key).push(" desc");
        if through_index {
            // Written out: by it PostgreSQL tells whether to walk back from the newest post or to gather
            // what matches first.
            sql.push(&format!(" limit {stride}"));
        }
        sql
    }
}

/// Whether all posts of a group are searched: then the index leads to the posts, and else they to it.
fn is_of_group(place: Place) -> bool {
    matches!(place, Place::Under(parent, ..) if parent.entity == "group")
}

/// `posts t0 where …`: the posts in `place` that match.
fn posts(sql: &mut Statement, node: &Node<'_>, place: Place, sought: &Sought) {
    const OF_GROUP: Link = Link::Keys(&[("group_id", "id")]);
    const OF_THREAD: Link = Link::Keys(&[("group_id", "group_id"), ("thread_id", "id")]);
    const OF_CONVERSATION: Link =
        Link::Keys(&[("group_id", "group_id"), ("conversation_id", "id")]);
    let Place::Under(parent, ..) = place else {
        // Nothing else has posts in it.
        plan::from(sql, node.access, &POST, Place::Under(nowhere(), Link::Nowhere, None));
        return;
    };
    let under = |link| Place::Under(parent, link, None);
    match parent.entity {
        "group" => {
            sql.push("post_index i cross join ");
            plan::from(sql, node.access, &POST, under(OF_GROUP));
            sql.push(" and ").push(&node.db().index_joins("t0"));
            matches(sql, node, sought);
        }
        "conversation" => {
            plan::from(sql, node.access, &POST, under(OF_CONVERSATION));
            // Posts are found by their threads.
            sql.push(" and t0.thread_id in (select t0.id from ");
            plan::from(sql, node.access, &THREAD, under(OF_CONVERSATION));
            sql.push(")");
            probe(sql, node, sought, "t0");
        }
        _ => {
            plan::from(sql, node.access, &POST, under(OF_THREAD));
            probe(sql, node, sought, "t0");
        }
    }
    conditions(sql, sought, "t0");
}

fn nowhere() -> Parent {
    Parent::new(&POST, None, Uuid::nil())
}

/// ` and …`: the post at `alias` matches, which is looked up in the index by itself.
fn probe(sql: &mut Statement, node: &Node<'_>, sought: &Sought, alias: &str) {
    if sought.words.is_none() {
        return;
    }
    let joins = node.db().index_joins(alias);
    sql.push(" and exists (select 1 from post_index i where ").push(&joins);
    matches(sql, node, sought);
    sql.push(")");
}

/// ` and …`: the row of the index at `i` matches.
fn matches(sql: &mut Statement, node: &Node<'_>, sought: &Sought) {
    let number = node.access.group().map_or(0, |it| it.number);
    let db = node.db();
    if let Some(text) = db.index_query(number, sought.words.as_ref()) {
        let (before, after) = db.index_matches();
        sql.push(" and ").push(before).bind(text).push(after);
    }
}

fn conditions(sql: &mut Statement, sought: &Sought, alias: &str) {
    for condition in &sought.conditions {
        let mut is = |column: &str, op: &str, value: Bind<'static>| {
            sql.push(" and ").push(alias).push(column).push(op).bind(value);
        };
        match *condition {
            Condition::HasAttachments(value) => is(".has_attachments", " = ", value.into()),
            Condition::Received { from, before } => {
                from.into_iter().for_each(|it| is(".received_at", " >= ", it.into()));
                before.into_iter().for_each(|it| is(".received_at", " < ", it.into()));
            }
        }
    }
}

/// `table alias where …`: the threads of a conversation, the posts of a thread.
fn related(
    sql: &mut Statement,
    node: &Node<'_>,
    entity: &'static Entity,
    of: (&str, bool),
    alias: &str,
) -> bool {
    // The first navigation of either is that to its parts.
    plan::correlate(sql, node.access, entity, &entity.edm.navigations[0], of, alias)
}

/// ` and …`: the post at `p` matches, and stood in a page before.
fn shown_before(
    sql: &mut Statement,
    node: &Node<'_>,
    sought: &Sought,
    (at, newest): (&Bind<'static>, &Bind<'static>),
) {
    let key = node.db().post_key().replace("t0", "p");
    sql.push(" and ").push(&key).push(" >= ").bind(at.clone());
    sql.push(" and ").push(&key).push(" <= ").bind(newest.clone());
    probe(sql, node, sought, "p");
    conditions(sql, sought, "p");
}
