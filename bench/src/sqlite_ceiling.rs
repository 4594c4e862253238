//! The ceiling of durable writes: bare rusqlite, one thread, as many conversations a second as go.
//!
//! **Invariant:** a conversation counts once its transaction is committed with `synchronous = full`.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, params};

use crate::texts::{self, Text};

/// The least that holds a conversation, a thread and a post, can list the newest and find words.
const SCHEMA: &str = "
    create table conversations (group_id blob not null, id blob not null, topic text not null,
        preview text not null, senders text not null, delivered_at integer not null,
        primary key (group_id, id));
    create index conversations_newest on conversations (group_id, delivered_at, id);
    create table threads (group_id blob not null, id blob not null, conversation_id blob not null,
        topic text not null, preview text not null, delivered_at integer not null,
        primary key (group_id, id));
    create table posts (number integer primary key, group_id blob not null, id blob not null,
        thread_id blob not null, sender text not null, received_at integer not null,
        body text not null);
    create index posts_by_thread on posts (group_id, thread_id, received_at, id);
    create virtual table post_index using fts5 (topic, body, content = '', tokenize = 'ascii');";

/// How long conversations are written before they count: as the load generator does it.
const WARM_UP: Duration = Duration::from_millis(300);

/// A database that is written to for as long as the server's lives: its log has grown, and its index
/// has segments to merge, as the server's have.
pub(crate) struct Ceiling {
    conn: Connection,
    texts: Vec<Text>,
    /// Conversations written so far.
    written: u64,
}

impl Ceiling {
    /// A new database.
    pub(crate) fn open(file: &Path) -> anyhow::Result<Ceiling> {
        let conn = Connection::open(file)?;
        conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        conn.pragma_update(None, "synchronous", "full")?;
        // As the server has them: neither is what is compared.
        conn.pragma_update_and_check(None, "wal_autocheckpoint", 4000, |_| Ok(()))?;
        conn.pragma_update(None, "cache_size", -16_384)?;
        conn.execute_batch(SCHEMA)?;
        Ok(Ceiling { conn, texts: texts::all(), written: 0 })
    }

    /// Conversations a second that it takes for `duration`, `batch` a transaction.
    pub(crate) fn measure(&mut self, batch: usize, duration: Duration) -> anyhow::Result<f64> {
        self.write(batch, WARM_UP)?;
        let (before, begun) = (self.written, Instant::now());
        self.write(batch, duration)?;
        Ok((self.written - before) as f64 / begun.elapsed().as_secs_f64())
    }

    fn write(&mut self, batch: usize, duration: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < duration {
            let tx = self.conn.transaction()?;
            for _ in 0..batch {
                let text = &self.texts[self.written as usize % self.texts.len()];
                conversation(&tx, self.written, text)?;
                self.written += 1;
            }
            tx.commit()?;
        }
        Ok(())
    }
}

fn conversation(tx: &Transaction<'_>, number: u64, text: &Text) -> rusqlite::Result<()> {
    let (group, [conversation, thread, post], at) = ([7_u8; 16], ids(number), number as i64);
    let preview = &text.body[..text.body.len().min(255)];
    tx.prepare_cached("insert into conversations values (?, ?, ?, ?, '[\"ada\"]', ?)")?
        .execute(params![group, conversation, text.topic, preview, at])?;
    tx.prepare_cached("insert into threads values (?, ?, ?, ?, ?, ?)")?.execute(params![
        group,
        thread,
        conversation,
        text.topic,
        preview,
        at
    ])?;
    let sql = "insert into posts (group_id, id, thread_id, sender, received_at, body) \
        values (?, ?, ?, 'ada', ?, ?)";
    tx.prepare_cached(sql)?.execute(params![group, post, thread, at, text.body])?;
    tx.prepare_cached("insert into post_index (rowid, topic, body) values (?, ?, ?)")?
        .execute(params![tx.last_insert_rowid(), text.topic, text.body])?;
    Ok(())
}

/// Three ids of 16 bytes that ascend, as time-ordered UUIDs do.
pub(crate) fn ids(number: u64) -> [[u8; 16]; 3] {
    [0_u64, 1, 2].map(|part| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number * 3 + part).to_be_bytes());
        id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id
    })
}
