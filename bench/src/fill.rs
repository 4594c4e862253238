//! A database filled past the server: conversations by SQL, for what depends on size alone.
//!
//! **Invariant:** the server is stopped meanwhile, and reads what is written as if it had written it.

use std::path::Path;

use anyhow::Context;
use rusqlite::{Connection, Transaction, params};

use crate::texts::{self, Text};

/// How much is filled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) conversations: u64,
    /// Posts of each conversation, all in one thread.
    pub(crate) posts: u64,
}

/// Conversations a transaction.
const BATCH: u64 = 1_000;
/// 2026-01-01T00:00:00Z in ticks: units of 100 ns since the year 1.
pub(crate) const EPOCH: i64 = 639_028_224_000_000_000;
/// A second in ticks.
pub(crate) const SECOND: i64 = 10_000_000;
/// Seconds from one conversation to the next.
pub(crate) const STEP: i64 = 20;

/// Writes conversations into the group.
pub(crate) fn fill(database: &Path, group: &str, amount: Amount) -> anyhow::Result<()> {
    let Amount { conversations, posts } = amount;
    let group = bytes_of(group).context("the group's id is not a GUID")?;
    let mut conn = Connection::open(database)?;
    conn.pragma_update(None, "synchronous", "off")?;
    conn.pragma_update(None, "cache_size", -262_144)?;
    let number: i64 =
        conn.query_row("select number from groups where id = ?", [group], |row| row.get(0))?;
    let texts = texts::all();
    for from in (0..conversations).step_by(BATCH as usize) {
        let tx = conn.transaction()?;
        for at in from..(from + BATCH).min(conversations) {
            conversation(&tx, &group, number, (at, posts), &texts)
                .context("the schema is not the one that this was written for")?;
        }
        tx.commit()?;
        if from % (100 * BATCH / posts) == 0 {
            eprintln!("filling: {from} of {conversations} conversations");
        }
    }
    let head = (conversations * (posts + 2)) as i64;
    let sql = "insert into feed_heads (group_id, seq) values (?1, ?2) \
        on conflict (group_id) do update set seq = ?2";
    conn.execute(sql, params![group, head])?;
    Ok(())
}

fn conversation(
    tx: &Transaction<'_>,
    group: &[u8; 16],
    number: i64,
    (at, posts): (u64, u64),
    texts: &[Text],
) -> rusqlite::Result<()> {
    let begun = EPOCH + at as i64 * STEP * SECOND;
    let (id, thread) = (id(begun, at, 0), id(begun, at, 1));
    let text = &texts[at as usize % texts.len()];
    let last = begun + (posts as i64 - 1) * SECOND;
    let preview = &text.body[..text.body.len().min(255)];
    let summary = params![group, id, text.topic, last, preview, posts as i64, begun];
    tx.prepare_cached(
        "insert into conversations (group_id, id, topic, topic_folded, has_attachments, \
         last_delivered_at, last_delivered_offset, unique_senders, unique_senders_folded, preview, \
         preview_folded, posts, created_at, version) \
         values (?1, ?2, ?3, ?3, 0, ?4, 0, '[\"ada\"]', '[\"ada\"]', ?5, ?5, ?6, ?7, 1)",
    )?
    .execute(summary)?;
    let summary = params![group, thread, text.topic, last, preview, posts as i64, id];
    tx.prepare_cached(
        "insert into threads (group_id, id, conversation_id, topic, topic_folded, has_attachments, \
         last_delivered_at, last_delivered_offset, unique_senders, unique_senders_folded, preview, \
         preview_folded, is_locked, to_recipients, to_recipients_folded, posts, version) \
         values (?1, ?2, ?7, ?3, ?3, 0, ?4, 0, '[\"ada\"]', '[\"ada\"]', ?5, ?5, 0, '[]', '[]', \
         ?6, 1)",
    )?
    .execute(summary)?;
    let feed = at as i64 * (posts as i64 + 2);
    feed_row(tx, group, feed + 1, begun, 5, id, (id, None))?;
    feed_row(tx, group, feed + 2, begun, 6, thread, (id, Some(thread)))?;
    for post in 0..posts {
        let received = begun + post as i64 * SECOND;
        let this = self::id(received, at, 2 + post);
        let body = &texts[(at * posts + post) as usize % texts.len()].body;
        tx.prepare_cached(
            "insert into posts (group_id, id, conversation_id, thread_id, message_id, created_at, \
             modified_at, received_at, received_offset, has_attachments, categories, \
             categories_folded, body_type, body, from_name, from_name_folded, from_address, \
             from_address_folded, sender_name, sender_name_folded, sender_address, \
             sender_address_folded, new_participants, new_participants_folded, version) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6, 0, 0, '[]', '[]', 'text', ?7, 'ada', 'ada', \
             'ada@example.org', 'ada@example.org', 'ada', 'ada', 'ada@example.org', \
             'ada@example.org', '[]', '[]', 1)",
        )?
        .execute(params![
            group,
            this,
            id,
            thread,
            format!("{at}.{post}@bench"),
            received,
            body
        ])?;
        let row = tx.last_insert_rowid();
        tx.prepare_cached(
            "insert into post_index (rowid, scope, topic, body, sender, attachment) \
             values (?, ?, ?, ?, 'ada ada example org', '')",
        )?
        .execute(params![row, format!("g{number}"), text.topic, body])?;
        feed_row(tx, group, feed + 3 + post as i64, received, 7, this, (id, Some(thread)))?;
    }
    Ok(())
}

fn feed_row(
    tx: &Transaction<'_>,
    group: &[u8; 16],
    seq: i64,
    at: i64,
    kind: i64,
    entity: [u8; 16],
    (conversation, thread): ([u8; 16], Option<[u8; 16]>),
) -> rusqlite::Result<()> {
    let sql = "insert into feed (group_id, seq, at, kind, op, entity_id, conversation_id, thread_id, \
        changed) values (?, ?, ?, ?, 1, ?, ?, ?, 0)";
    tx.prepare_cached(sql)?.execute(params![group, seq, at, kind, entity, conversation, thread])?;
    Ok(())
}

/// An id that ascends with time, in the form of RFC 9562, version 7.
fn id(at: i64, conversation: u64, part: u64) -> [u8; 16] {
    // Milliseconds since 1970 from ticks since the year 1.
    let milliseconds = (at as u64 / 10_000).saturating_sub(62_135_596_800_000);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    id[6..8].copy_from_slice(&(0x7000 | (part as u16 & 0x0fff)).to_be_bytes());
    id[8..].copy_from_slice(&(1 << 63 | conversation).to_be_bytes());
    id
}

/// The bytes of a GUID with hyphens.
fn bytes_of(guid: &str) -> Option<[u8; 16]> {
    let digits: String = guid.chars().filter(|it| *it != '-').collect();
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}
