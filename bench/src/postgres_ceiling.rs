//! The ceiling on PostgreSQL: bare tokio-postgres, one pipelined transaction for each conversation.
//!
//! **Invariant:** a conversation counts once its own transaction is committed, and the last thing that
//! this does is to count up its group's head: as many as write to one group wait for each other.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::postgres;
use crate::sqlite_ceiling::ids;
use crate::texts;

/// The least that holds a conversation, a thread and a post, can list the newest, find words and number
/// changes.
const SCHEMA: &str = "
    create table heads (group_id bytea not null primary key, seq bigint not null);
    create table conversations (group_id bytea not null, id bytea not null, topic text not null,
        preview text not null, senders text not null, delivered_at bigint not null,
        primary key (group_id, id));
    create index conversations_newest on conversations (group_id, delivered_at, id);
    create table threads (group_id bytea not null, id bytea not null,
        conversation_id bytea not null, topic text not null, preview text not null,
        delivered_at bigint not null, primary key (group_id, id));
    create table posts (group_id bytea not null, id bytea not null, thread_id bytea not null,
        sender text not null, received_at bigint not null, body text not null,
        words tsvector not null, primary key (group_id, id));
    create index posts_by_thread on posts (group_id, thread_id, received_at, id);
    create index posts_words on posts using gin (words);";

const CONVERSATION: &str = "insert into conversations values ($1, $2, $3, $4, '[\"ada\"]', $5)";
const THREAD: &str = "insert into threads values ($1, $2, $3, $4, $5, $6)";
const POST: &str = "insert into posts values ($1, $2, $3, 'ada', $4, $5, \
    cast(cast($6 as text) as tsvector))";
const HEAD: &str = "update heads set seq = seq + 3 where group_id = $1";
const NEWEST: &str = "select id, topic, preview, senders, delivered_at from conversations \
    where group_id = $1 order by delivered_at desc, id desc limit 10";

/// As the load generator does it.
const WARM_UP: Duration = Duration::from_millis(300);

/// A database and connections to it, for as long as the server's live.
pub(crate) struct Ceiling {
    clients: Vec<Arc<Bare>>,
    common: Arc<Common>,
}

/// One connection.
struct Bare {
    client: Client,
    statements: [Statement; 4],
    newest: Statement,
}

struct Common {
    texts: Vec<Text>,
    /// Conversations begun so far, which is what they are numbered by.
    begun: AtomicU64,
}

struct Text {
    topic: String,
    preview: String,
    body: String,
    /// Words with their places, as a `tsvector` is written.
    words: String,
}

/// What a connection does again and again.
#[derive(Clone, Copy)]
enum Work {
    /// Writes to so many groups in turn.
    Write(u64),
    /// Reads from so many.
    Read(u64),
}

impl Ceiling {
    /// A new database for `groups` groups, with ten conversations in each.
    pub(crate) async fn open(
        url: &str,
        connections: usize,
        groups: u64,
    ) -> anyhow::Result<Ceiling> {
        let client = postgres::connect(url).await?;
        client.batch_execute(SCHEMA).await?;
        for at in 0..groups {
            let group = group(at);
            client.execute("insert into heads values ($1, 0)", &[&&group[..]]).await?;
        }
        let mut clients = Vec::with_capacity(connections);
        for _ in 0..connections {
            let client = postgres::connect(url).await?;
            let mut statements = Vec::new();
            for sql in [CONVERSATION, THREAD, POST, HEAD, NEWEST] {
                statements.push(client.prepare(sql).await?);
            }
            let Ok([conversation, thread, post, head, newest]) =
                <[Statement; 5]>::try_from(statements)
            else {
                anyhow::bail!("five statements were prepared");
            };
            let statements = [conversation, thread, post, head];
            clients.push(Arc::new(Bare { client, statements, newest }));
        }
        let texts = texts::all().into_iter().map(Text::of).collect();
        let common = Arc::new(Common { texts, begun: AtomicU64::new(0) });
        let ceiling = Ceiling { clients, common };
        while ceiling.common.begun.load(Ordering::Relaxed) < 10 * groups {
            ceiling.run(Work::Write(groups), Duration::from_millis(200)).await?;
        }
        Ok(ceiling)
    }

    /// Conversations a second over all connections, to `groups` groups.
    pub(crate) async fn writes(&self, groups: u64, duration: Duration) -> anyhow::Result<f64> {
        self.run(Work::Write(groups), duration).await
    }

    /// Answers a second to the question for the newest ten of `groups` groups in turn.
    pub(crate) async fn reads(&self, groups: u64, duration: Duration) -> anyhow::Result<f64> {
        self.run(Work::Read(groups), duration).await
    }

    async fn run(&self, work: Work, duration: Duration) -> anyhow::Result<f64> {
        let from = Instant::now() + WARM_UP;
        let until = from + duration;
        let mut tasks = Vec::with_capacity(self.clients.len());
        for (first, client) in self.clients.iter().enumerate() {
            let (client, common) = (client.clone(), self.common.clone());
            tasks.push(tokio::spawn(async move {
                let mut counted = 0_u64;
                for at in first as u64.. {
                    match work {
                        Work::Write(groups) => client.write(&common, groups).await?,
                        Work::Read(groups) => client.read(at * 31 % groups).await?,
                    }
                    let now = Instant::now();
                    if now >= until {
                        break;
                    }
                    counted += u64::from(now >= from);
                }
                anyhow::Ok(counted)
            }));
        }
        let mut counted = 0;
        for task in tasks {
            counted += task.await??;
        }
        Ok(counted as f64 / duration.as_secs_f64())
    }
}

impl Bare {
    /// All statements of a transaction are sent before the first is answered: each future sends its
    /// own when it is first polled, and they are polled in this order.
    async fn write(&self, common: &Common, groups: u64) -> anyhow::Result<()> {
        let number = common.begun.fetch_add(1, Ordering::Relaxed);
        let text = &common.texts[number as usize % common.texts.len()];
        let [conversation, thread, post] = ids(number);
        let (conversation, thread, post) = (&conversation[..], &thread[..], &post[..]);
        let (group, at) = (group(number % groups), number as i64);
        let group = &group[..];
        let Text { topic, preview, body, words } = text;
        let [a, b, c, d] = &self.statements;
        let client = &self.client;
        let rows: [&[&(dyn ToSql + Sync)]; 4] = [
            &[&group, &conversation, topic, preview, &at],
            &[&group, &thread, &conversation, topic, preview, &at],
            &[&group, &post, &thread, &at, body, words],
            &[&group],
        ];
        let results = tokio::join!(
            biased;
            client.batch_execute("begin"),
            client.execute(a, rows[0]),
            client.execute(b, rows[1]),
            client.execute(c, rows[2]),
            client.execute(d, rows[3]),
            client.batch_execute("commit"),
        );
        let (begun, conversation, thread, post, head, committed) = results;
        begun?;
        let changed = [conversation?, thread?, post?, head?];
        committed?;
        ensure!(changed == [1; 4], "the bare transaction changed {changed:?} rows");
        Ok(())
    }

    async fn read(&self, at: u64) -> anyhow::Result<()> {
        let rows = self.client.query(&self.newest, &[&&group(at)[..]]).await?;
        ensure!(rows.len() == 10, "the bare query found {} rows", rows.len());
        // Read, but not written anywhere.
        let mut size = 0;
        for row in &rows {
            size += row.get::<_, &[u8]>(0).len() + row.get::<_, i64>(4) as usize;
            size += (1..4).map(|at| row.get::<_, &str>(at).len()).sum::<usize>();
        }
        std::hint::black_box(size);
        Ok(())
    }
}

impl Text {
    fn of(text: texts::Text) -> Text {
        let texts::Text { topic, body } = text;
        let preview = body[..body.len().min(255)].to_owned();
        let words = vector(&topic, &body);
        Text { topic, preview, body, words }
    }
}

/// The words of a text as a `tsvector` is written: each with its place.
pub(crate) fn vector(topic: &str, body: &str) -> String {
    let mut out = String::new();
    for (at, word) in topic.split(' ').chain(body.split(' ')).enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(out, "'{word}':{} ", at + 1);
    }
    out
}

fn group(at: u64) -> [u8; 16] {
    (u128::from(at) << 64 | 7).to_be_bytes()
}
