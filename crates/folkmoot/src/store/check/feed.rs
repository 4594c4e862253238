//! The feed against its own numbers, and against what there is.
//!
//! **Invariant:** a stream may have lost its oldest rows to retention; from its first row on it has
//! every number up to its head (DECISIONS D9).

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Findings, shown};
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::feed::{Kind, Op};
use crate::store::sql::binds;

/// A stream of changes.
pub(super) struct Stream {
    pub(super) table: &'static str,
    heads: &'static str,
    /// The column that says whose stream it is.
    of: &'static str,
}

/// The streams.
pub(super) const STREAMS: [Stream; 2] = [
    Stream { table: "feed", heads: "feed_heads", of: "group_id" },
    Stream { table: "tenant_feed", heads: "tenant_feed_heads", of: "tenant_id" },
];

impl Stream {
    /// All rows in their order: the stream, the number, the stream's head.
    pub(super) fn sql(&self) -> String {
        let Stream { table, heads, of } = self;
        format!(
            "select f.{of}, f.seq, h.seq from {table} f left join {heads} h on h.{of} = f.{of} \
             order by f.{of}, f.seq"
        )
    }

    /// The last row of a stream against its head.
    fn end(&self, found: &mut Findings<'_>, (stream, last, head): (Uuid, i64, Option<i64>)) {
        let Stream { table, heads, of } = self;
        match head {
            Some(head) if head == last => {}
            Some(head) => {
                let rows = format!("{table} has rows up to {last}");
                found.problem(heads, &format!("{of} {stream}: seq is {head}, {rows}"));
            }
            None => {
                let rows = format!("expected one with seq {last}");
                found.problem(table, &format!("{of} {stream}: has no row in {heads}, {rows}"));
            }
        }
    }
}

/// Finds gaps in the numbers of a stream, and heads that are not the last number.
pub(super) async fn numbers(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    it: &Stream,
) -> Result<(), Error> {
    let mut before: Option<(Uuid, i64, Option<i64>)> = None;
    tx.query(&it.sql(), &[], |row| {
        let (stream, seq) = (row.id(0)?, row.int(1)?);
        let head = if row.is_null(2)? { None } else { Some(row.int(2)?) };
        if let Some(other) = before.filter(|it| it.0 != stream) {
            it.end(found, other);
        } else if let Some((_, last, _)) = before.filter(|it| it.1.saturating_add(1) != seq) {
            let (from, to) = (last.saturating_add(1), seq.saturating_sub(1));
            let gap = format!("rows {from} to {to} are missing");
            found.problem(it.table, &format!("{} {stream}: {gap}", it.of));
        }
        before = Some((stream, seq, head));
        Ok(())
    })
    .await?;
    if let Some(last) = before {
        it.end(found, last);
    }
    let Stream { table, heads, of } = it;
    let sql = format!(
        "select h.{of}, h.seq from {heads} h \
         where not exists (select 1 from {table} f where f.{of} = h.{of})"
    );
    tx.query(&sql, &[], |row| {
        let (stream, seq) = (shown(&row.bind(0)?), shown(&row.bind(1)?));
        found.problem(heads, &format!("{of} {stream}: seq is {seq}, {table} has no rows of it"));
        Ok(())
    })
    .await
}

/// What is in a group, with the tables where it is.
const CONTENT: [(Kind, &str); 3] =
    [(Kind::Conversation, "conversations"), (Kind::Thread, "threads"), (Kind::Post, "posts")];

/// Entities of a group are summed up in this many sums, by the last byte of their ids.
const SUMS: usize = 256;
/// So many sums are looked into at a time: what is held of a group is this part of it.
const SUMS_AT_ONCE: usize = 16;

/// What the feed tells of (its number, kind, operation, id) and what there is (number and operation 0),
/// group by group.
pub(super) fn told_sql(filter: &str) -> String {
    let mut sql = format!("select group_id, seq, kind, op, entity_id from feed {filter}");
    for (kind, table) in CONTENT {
        let kind = kind as i64;
        sql.push_str(&format!(
            " union all select group_id, 0, {kind}, 0, id from {table} {filter}"
        ));
    }
    sql.push_str(" order by group_id");
    sql
}

/// A group, summed up: each sum is 0 where the feed tells of what there is and of nothing else.
struct Summed {
    group: Uuid,
    /// The first number that the feed has.
    first: Option<i64>,
    sums: [u128; SUMS],
}

impl Summed {
    fn new(group: Uuid) -> Summed {
        Summed { group, first: None, sums: [0; SUMS] }
    }

    fn add(&mut self, it: &Told) {
        if it.seq > 0 {
            self.first = Some(self.first.map_or(it.seq, |first| first.min(it.seq)));
        }
        // Ids are alike; sums of their hashes come to 0 by themselves once in 2^128 times.
        let hash = it.hash();
        let sum = &mut self.sums[part(it.id)];
        match it.weight() {
            1 => *sum = sum.wrapping_add(hash),
            -1 => *sum = sum.wrapping_sub(hash),
            _ => {}
        }
    }

    /// The sums to look into. None where retention took the beginning: what came before is not told.
    fn wrong(&self) -> Vec<usize> {
        if self.first.is_some_and(|first| first > 1) {
            return Vec::new();
        }
        (0..SUMS).filter(|it| self.sums[*it] != 0).collect()
    }
}

/// The sum that an id is in.
fn part(id: Uuid) -> usize {
    usize::from(id.as_bytes()[15]) % SUMS
}

/// One row of [`told_sql`].
struct Told {
    seq: i64,
    kind: i64,
    op: i64,
    id: Uuid,
}

impl Told {
    fn read(row: &Row<'_>) -> Result<Told, Error> {
        Ok(Told { seq: row.int(1)?, kind: row.int(2)?, op: row.int(3)?, id: row.id(4)? })
    }

    /// By how much this row makes the feed tell too often of its entity.
    fn weight(&self) -> i64 {
        match self.op {
            // An order to send something, of which nothing is left when its post has gone.
            _ if self.kind == Kind::Forward as i64 => 0,
            // Not of the feed: the entity is there.
            0 => -1,
            op if op == Op::Created as i64 => 1,
            op if op == Op::Deleted as i64 => -1,
            _ => 0,
        }
    }

    fn hash(&self) -> u128 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.kind.to_le_bytes()).update(self.id.as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        u128::from_le_bytes(hash)
    }
}

/// Finds what is there and was never told as created, and the other way round.
///
/// Whole groups do not fit into memory, and no index of the feed goes by id: so each group is summed
/// up, and only what a sum says is wrong is looked into.
pub(super) async fn told(tx: &mut Tx, found: &mut Findings<'_>) -> Result<(), Error> {
    let mut now: Option<Summed> = None;
    let mut wrong: Vec<(Uuid, Vec<usize>)> = Vec::new();
    let mut end = |group: Option<Summed>| {
        let parts = group.as_ref().map(Summed::wrong).unwrap_or_default();
        if let (Some(group), false) = (group, parts.is_empty()) {
            wrong.push((group.group, parts));
        }
    };
    tx.query(&told_sql(""), &[], |row| {
        let group = row.id(0)?;
        if now.as_ref().is_none_or(|it| it.group != group) {
            end(now.replace(Summed::new(group)));
        }
        if let Some(now) = &mut now {
            now.add(&Told::read(&row)?);
        }
        Ok(())
    })
    .await?;
    end(now);
    for (group, parts) in wrong {
        for parts in parts.chunks(SUMS_AT_ONCE) {
            look_into(tx, found, group, parts).await?;
        }
    }
    Ok(())
}

/// Says what is wrong in some parts of a group.
async fn look_into(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    group: Uuid,
    parts: &[usize],
) -> Result<(), Error> {
    // How often each is told of too often, and whether it is there.
    let mut entities: BTreeMap<(i64, Uuid), (i64, bool)> = BTreeMap::new();
    tx.query(&told_sql("where group_id = $1"), binds![group], |row| {
        let it = Told::read(&row)?;
        if parts.contains(&part(it.id)) {
            let (too_often, there) = entities.entry((it.kind, it.id)).or_default();
            *too_often += it.weight();
            *there |= it.op == 0;
        }
        Ok(())
    })
    .await?;
    for ((kind, id), (too_often, there)) in entities.into_iter().filter(|it| it.1.0 != 0) {
        let Some((_, table)) = CONTENT.iter().find(|it| it.0 as i64 == kind) else {
            let what = format!("tells of {id}, of the unknown kind {kind}");
            found.problem("feed", &format!("group_id {group}: {what}"));
            continue;
        };
        let what = match (there, too_often > 0) {
            (true, false) => {
                let what = "the feed does not tell that it was created";
                found.problem(table, &format!("group_id {group}, id {id}: {what}"));
                continue;
            }
            (true, true) => format!("tells more than once that {id} in {table} was created"),
            (false, true) => format!("tells of {id} in {table}, which is not there"),
            (false, false) => format!("tells only the end of {id}, which was in {table}"),
        };
        found.problem("feed", &format!("group_id {group}: {what}"));
    }
    Ok(())
}

/// Finds consumers that are ahead of the feed or were not told how far it goes, and what the first of
/// them has kept that is not so.
pub(super) async fn consumers(tx: &mut Tx, found: &mut Findings<'_>) -> Result<(), Error> {
    let sql = "select w.group_id, w.consumer, w.cursor, w.head, coalesce(h.seq, 0) \
        from feed_work w left join feed_heads h on h.group_id = w.group_id \
        where w.head <> coalesce(h.seq, 0) or w.cursor > w.head order by w.group_id, w.consumer";
    tx.query(sql, &[], |row| {
        let (group, consumer) = (row.id(0)?, row.text(1)?);
        let (cursor, head, feed) = (row.int(2)?, row.int(3)?, row.int(4)?);
        let what = format!(
            "group_id {group}, consumer {consumer}: cursor {cursor} and head {head}, the feed's head is \
             {feed}"
        );
        found.problem("feed_work", &what);
        Ok(())
    })
    .await?;
    let ahead = "select a.group_id, a.conversation_id from activity a \
        join feed_work w on w.group_id = a.group_id and w.consumer = 'unseen' \
        where a.seq > w.cursor order by a.group_id, a.conversation_id";
    let missing = "select c.group_id, c.id from conversations c \
        join feed_work w on w.group_id = c.group_id and w.consumer = 'unseen' \
        where c.posts > 0 and w.cursor = w.head and not exists (select 1 from activity a \
        where a.group_id = c.group_id and a.conversation_id = c.id) order by c.group_id, c.id";
    for (sql, what) in [(ahead, "stands ahead of its consumer"), (missing, "is not there")] {
        tx.query(sql, &[], |row| {
            let (group, conversation) = (row.id(0)?, row.id(1)?);
            let key = format!("group_id {group}, conversation_id {conversation}");
            found.problem("activity", &format!("{key}: {what}"));
            Ok(())
        })
        .await?;
    }
    Ok(())
}
