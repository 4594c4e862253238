//! Proves a store sound, or says what is not: rows against rows, the feed, the index, the blobs.
//!
//! **Invariant:** nothing is written, and all is read from one snapshot, so it may run beside a server.
//! No table is held in memory: rows stream in the order of an index that is there.

mod blobs;
mod feed;
mod rows;
mod summaries;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::store::Settings;
use crate::store::dialect::Differing;
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::sql::Bind;
use summaries::Level;

/// Characters of a text that a line about it shows.
const SHOWN_CHARS_MAX: usize = 60;

/// What is told while a store is checked.
#[derive(Debug)]
pub(crate) enum Finding {
    /// The next step begins: what is looked at.
    Step(&'static str),
    /// What is not sound, in one line: table, ids, what is there and what was expected.
    Problem(String),
    /// What is sound, and yet somebody may want to know.
    Note(String),
}

/// Where findings go, as they are made: a damaged store may have more of them than fit into memory.
pub(crate) type Tell = dyn Fn(Finding) + Send + Sync;

/// What was looked at: rows of each table, and how many problems were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) groups: u64,
    pub(crate) conversations: u64,
    pub(crate) threads: u64,
    pub(crate) posts: u64,
    pub(crate) attachments: u64,
    pub(crate) blobs: u64,
    pub(crate) problems: u64,
}

/// Checks all of a store. `preview_chars`: how many code points of a post its thread shows.
///
/// A part that cannot be read is a problem like any other, and the rest is checked.
///
/// # Errors
/// Only where time is up: then nothing can be said of the store.
pub(crate) async fn check(tx: &mut Tx, preview_chars: usize, tell: &Tell) -> Result<Report, Error> {
    let mut found = Findings { tell, problems: 0 };
    let mut report = Report::default();

    found.step("the database itself");
    let done = database(tx, &mut found).await;
    found.read("the database", done)?;
    for reference in &rows::REFERENCES {
        found.step(reference.table);
        let done = rows::reference(tx, &mut found, reference).await;
        found.read(reference.table, done)?;
    }
    for agreement in &rows::AGREEMENTS {
        let done = rows::agreement(tx, &mut found, agreement).await;
        found.read(agreement.table, done)?;
    }
    for twins in &rows::TWINS {
        found.step(twins.table);
        let mut count = 0;
        let done = rows::twins(tx, &mut found, twins, &mut count).await;
        found.read(twins.table, done)?;
        match twins.table {
            "groups" => report.groups = count,
            "conversations" => report.conversations = count,
            "threads" => report.threads = count,
            "posts" => report.posts = count,
            "attachments" => report.attachments = count,
            _ => {}
        }
    }
    found.step("feed");
    for stream in &feed::STREAMS {
        let done = feed::numbers(tx, &mut found, stream).await;
        found.read(stream.table, done)?;
    }
    let done = feed::told(tx, &mut found).await;
    found.read("feed", done)?;
    let done = feed::consumers(tx, &mut found).await;
    found.read("feed_work", done)?;
    for level in [Level::Threads { preview_chars }, Level::Conversations] {
        found.step(level.table());
        let done = summaries::check(tx, &mut found, level).await;
        found.read(level.table(), done)?;
    }
    found.step("blobs");
    let done = blobs::contents(tx, &mut found, &mut report.blobs).await;
    found.read("blobs", done)?;
    let done = blobs::counters(tx, &mut found).await;
    found.read("attachment_use", done)?;
    let done = blobs::left_over(tx, &mut found).await;
    found.read("blobs", done)?;
    found.step("post_index");
    let done = index(tx, &mut found).await;
    found.read("post_index", done)?;

    report.problems = found.problems;
    Ok(report)
}

/// What was found so far.
struct Findings<'t> {
    tell: &'t Tell,
    problems: u64,
}

impl Findings<'_> {
    fn step(&self, what: &'static str) {
        (self.tell)(Finding::Step(what));
    }

    fn problem(&mut self, table: &str, what: &str) {
        self.problems += 1;
        (self.tell)(Finding::Problem(one_line(&format!("{table}: {what}"))));
    }

    fn note(&self, what: String) {
        (self.tell)(Finding::Note(one_line(&what)));
    }

    /// Takes the end of a step: where it could not read on, that is a problem.
    fn read(&mut self, table: &str, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Ok(()) => Ok(()),
            Err(Error::Deadline) => Err(Error::Deadline),
            Err(error) => {
                self.problem(table, &format!("cannot be read to the end: {error}"));
                Ok(())
            }
        }
    }
}

/// What a database says of itself may have several lines, and the name of a file anything.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Columns of a row with their names, the first of them at `from`.
fn named(row: &Row<'_>, names: &[&str], from: usize) -> Result<String, Error> {
    let mut text = String::new();
    for (name, column) in names.iter().zip(from..) {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{name} {}", shown(&row.bind(column)?));
    }
    Ok(text)
}

/// A value as a line shows it.
fn shown(value: &Bind<'_>) -> String {
    match value {
        Bind::Null => "null".to_owned(),
        Bind::Bool(value) => value.to_string(),
        Bind::Int(value) => value.to_string(),
        Bind::Real(value) => value.to_string(),
        Bind::Text(text) => quoted(text),
        Bind::Bytes(bytes) => hex(bytes),
        Bind::Id(id) => id.hyphenated().to_string(),
    }
}

/// A text in quotes on one line, cut where it is long.
fn quoted(text: &str) -> String {
    let cut = text.char_indices().nth(SHOWN_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    let more = if cut < text.len() { "..." } else { "" };
    format!("{:?}{more}", &text[..cut])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the database finds when it checks itself.
async fn database(tx: &mut Tx, found: &mut Findings<'_>) -> Result<(), Error> {
    let Some(sql) = tx.db().differing().database else { return Ok(()) };
    tx.query(sql, &[], |row| {
        if row.text(0)? != "ok" {
            found.problem("the database", row.text(0)?);
        }
        Ok(())
    })
    .await
}

/// Every post has its row in the index, and the index has no other rows.
async fn index(tx: &mut Tx, found: &mut Findings<'_>) -> Result<(), Error> {
    let Differing { not_indexed, left_in_index, index_key, .. } = tx.db().differing();
    tx.query(not_indexed, &[], |row| {
        let key = named(&row, &["group_id", "id"], 0)?;
        found.problem("posts", &format!("{key}: has no row of its group in post_index"));
        Ok(())
    })
    .await?;
    tx.query(left_in_index, &[], |row| {
        let key = named(&row, index_key, 0)?;
        found.problem("post_index", &format!("{key}: there is no such post"));
        Ok(())
    })
    .await
}

/// Whether there may be a store to check: opening one that is not there would make it.
pub(crate) fn is_there(settings: &Settings) -> bool {
    settings.postgres.is_some() || settings.folder.join("folkmoot.db").is_file()
}
