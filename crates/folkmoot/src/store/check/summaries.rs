//! What threads show of their posts, and conversations of their threads, against those.
//!
//! **Invariant:** what may differ is not a problem: which of several posts of the same instant is the
//! newest, and which names are shown where there are more than can be.

use uuid::Uuid;

use super::{Findings, quoted};
use crate::store::conversations::SENDERS_SHOWN_MAX;
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::text;

/// What is summed up.
#[derive(Clone, Copy)]
pub(super) enum Level {
    /// Threads, of their posts; `preview_chars`: how many code points of a post its thread shows.
    Threads { preview_chars: usize },
    /// Conversations, of their threads.
    Conversations,
}

/// Group, id and what is shown; from [`PART`] on a part, in the order of an index that has the parts of
/// one together.
const THREADS: &str = "select t.group_id, t.id, t.posts, t.has_attachments, t.last_delivered_at, \
    t.last_delivered_offset, t.unique_senders, t.preview, \
    p.id, 1, p.has_attachments, p.received_at, p.received_offset, p.from_name, p.body_type, \
    case when p.received_at = t.last_delivered_at then p.body end \
    from threads t left join posts p on p.group_id = t.group_id and p.thread_id = t.id \
    order by t.group_id, t.id, p.received_at, p.id";
const CONVERSATIONS: &str = "select c.group_id, c.id, c.posts, c.has_attachments, \
    c.last_delivered_at, c.last_delivered_offset, c.unique_senders, c.preview, \
    t.id, t.posts, t.has_attachments, t.last_delivered_at, t.last_delivered_offset, \
    t.unique_senders, t.preview \
    from conversations c left join threads t \
    on t.group_id = c.group_id and t.conversation_id = c.id \
    order by c.group_id, c.id, t.last_delivered_at, t.id";

/// The first column of a part.
const PART: usize = 8;

impl Level {
    pub(super) const fn table(self) -> &'static str {
        match self {
            Level::Threads { .. } => "threads",
            Level::Conversations => "conversations",
        }
    }

    const fn parts(self) -> &'static str {
        match self {
            Level::Threads { .. } => "posts",
            Level::Conversations => "threads",
        }
    }

    pub(super) const fn sql(self) -> &'static str {
        match self {
            Level::Threads { .. } => THREADS,
            Level::Conversations => CONVERSATIONS,
        }
    }

    /// The names that a part has; none where they cannot be read, which is told of the part.
    fn senders(self, row: &Row<'_>) -> Result<Vec<String>, Error> {
        let text = row.text(PART + 5)?;
        Ok(match self {
            Level::Threads { .. } => vec![text.to_owned()],
            Level::Conversations => names(text).unwrap_or_default(),
        })
    }

    /// What is shown where a part is the newest.
    fn preview(self, row: &Row<'_>) -> Result<String, Error> {
        let (text, preview_chars) = match self {
            Level::Threads { preview_chars } => (row.text(PART + 7)?, preview_chars),
            Level::Conversations => return Ok(row.text(PART + 6)?.to_owned()),
        };
        Ok(match row.text(PART + 6)? {
            "html" => text::preview(&text::html_to_text(text), preview_chars),
            _ => text::preview(text, preview_chars),
        })
    }
}

fn names(json: &str) -> Option<Vec<String>> {
    serde_json::from_str(json).ok()
}

/// Finds summaries that are not those of their parts.
pub(super) async fn check(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    level: Level,
) -> Result<(), Error> {
    let mut now: Option<Whole> = None;
    tx.query(level.sql(), &[], |row| {
        let key = (row.id(0)?, row.id(1)?);
        if now.as_ref().is_none_or(|it| it.key != key)
            && let Some(done) = now.replace(Whole::read(&row, key)?)
        {
            done.end(found, level);
        }
        match &mut now {
            Some(now) if !row.is_null(PART)? => now.add(&row, level),
            _ => Ok(()),
        }
    })
    .await?;
    if let Some(done) = now {
        done.end(found, level);
    }
    Ok(())
}

/// What is shown, and the parts so far.
struct Whole {
    key: (Uuid, Uuid),
    posts: i64,
    has_attachments: bool,
    last_at: i64,
    last_offset: i64,
    /// Each with whether a part has it; none where it cannot be read.
    senders: Option<Vec<(String, bool)>>,
    preview: String,
    parts: Parts,
}

#[derive(Default)]
struct Parts {
    posts: i64,
    has_attachments: bool,
    last_at: Option<i64>,
    /// What one of the newest parts has, where it is not what is shown.
    offset: Newest<i64>,
    preview: Newest<String>,
    /// A name that is not shown.
    sender: Option<String>,
}

/// What is expected of the newest part, where several may be that.
#[derive(Default)]
enum Newest<T> {
    #[default]
    NoneYet,
    AsShown,
    Other(T),
}

impl<T> Newest<T> {
    fn see(&mut self, as_shown: bool, value: T) {
        if as_shown {
            *self = Newest::AsShown;
        } else if !matches!(self, Newest::AsShown) {
            // Of several the last in the order of their ids was made last, most likely.
            *self = Newest::Other(value);
        }
    }
}

impl Whole {
    fn read(row: &Row<'_>, key: (Uuid, Uuid)) -> Result<Whole, Error> {
        Ok(Whole {
            key,
            posts: row.int(2)?,
            has_attachments: row.bool(3)?,
            last_at: row.int(4)?,
            last_offset: row.int(5)?,
            senders: names(row.text(6)?)
                .map(|it| it.into_iter().map(|name| (name, false)).collect()),
            preview: row.text(7)?.to_owned(),
            parts: Parts::default(),
        })
    }

    fn add(&mut self, row: &Row<'_>, level: Level) -> Result<(), Error> {
        if row.int(PART + 1)? == 0 {
            // A thread that is only declared says nothing of its conversation.
            return Ok(());
        }
        let parts = &mut self.parts;
        parts.posts = parts.posts.saturating_add(row.int(PART + 1)?);
        parts.has_attachments |= row.bool(PART + 2)?;
        let at = row.int(PART + 3)?;
        parts.last_at = Some(parts.last_at.map_or(at, |last| last.max(at)));
        if at == self.last_at {
            let offset = row.int(PART + 4)?;
            parts.offset.see(offset == self.last_offset, offset);
            if !matches!(parts.preview, Newest::AsShown) {
                let preview = level.preview(row)?;
                parts.preview.see(preview == self.preview, preview);
            }
        }
        let Some(shown) = &mut self.senders else { return Ok(()) };
        for name in level.senders(row)? {
            match shown.iter_mut().find(|it| it.0 == name) {
                Some((_, seen)) => *seen = true,
                None => parts.sender = Some(name),
            }
        }
        Ok(())
    }

    fn end(&self, found: &mut Findings<'_>, level: Level) {
        let (group, id) = self.key;
        let mut problem = |what: String| {
            found.problem(level.table(), &format!("group_id {group}, id {id}: {what}"))
        };
        if self.senders.is_none() {
            problem("unique_senders is not a JSON array of names".to_owned());
        }
        let parts = &self.parts;
        let Some(last_at) = parts.last_at else {
            // Then it shows what was declared of it.
            if self.posts != 0 {
                let shown = self.posts;
                problem(format!("posts is {shown}, expected 0, as it has no {}", level.parts()));
            }
            return;
        };
        if self.posts != parts.posts {
            problem(format!("posts is {}, expected {}", self.posts, parts.posts));
        }
        if self.has_attachments != parts.has_attachments {
            let (shown, expected) = (self.has_attachments, parts.has_attachments);
            problem(format!("has_attachments is {shown}, expected {expected}"));
        }
        if self.last_at != last_at {
            problem(format!("last_delivered_at is {}, expected {last_at}", self.last_at));
        }
        if let Newest::Other(expected) = parts.offset {
            let shown = self.last_offset;
            problem(format!("last_delivered_offset is {shown}, expected {expected}"));
        }
        if let Newest::Other(expected) = &parts.preview {
            let (shown, expected) = (quoted(&self.preview), quoted(expected));
            problem(format!("preview is {shown}, expected {expected}"));
        }
        if let Some(shown) = &self.senders {
            senders(shown, parts.sender.as_deref(), level.parts(), &mut problem);
        }
    }
}

/// Names that are shown must be of the parts, each once; where fewer than can be are shown, all.
fn senders(
    shown: &[(String, bool)],
    other: Option<&str>,
    parts: &str,
    problem: &mut impl FnMut(String),
) {
    for (at, (name, seen)) in shown.iter().enumerate() {
        if !seen {
            // A name that stands there twice was marked at its first place.
            let twice = shown[..at].iter().any(|it| it.0 == *name);
            let why = if twice { "twice".to_owned() } else { format!("and none of its {parts}") };
            problem(format!("unique_senders has {} {why}", quoted(name)));
        }
    }
    let (count, max) = (shown.len(), SENDERS_SHOWN_MAX);
    match other {
        Some(name) if count < max => {
            problem(format!("unique_senders lacks {}, which one of its {parts} has", quoted(name)));
        }
        _ if count > max => problem(format!("unique_senders has {count} names, at most {max}")),
        _ => {}
    }
}
