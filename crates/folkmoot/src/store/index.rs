//! The full-text index of posts.
//!
//! **Invariant:** a post is in the index exactly while it is in the store: both are written by one
//! transaction. What goes in are tokens (`text.rs`), never a user's text.

use std::fmt::Write as _;

use crate::ids::{GroupId, PostId, ThreadId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// What of a post can be searched, each as tokens between spaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens<'d> {
    /// Of the topic.
    pub(crate) topic: String,
    /// Of the body's text.
    pub(crate) body: &'d str,
    /// Of the sender's name and address.
    pub(crate) sender: String,
    /// Of the names of attachments.
    pub(crate) attachment: String,
}

/// Adds the post that the last insert has stored. `number` is the short number of its group: a search
/// looks in one group by one more term.
pub(super) async fn add(
    tx: &mut Tx,
    group: GroupId,
    number: i64,
    post: PostId,
    tokens: &Tokens<'_>,
) -> Result<(), Error> {
    let sql = tx.db().index_add();
    let Tokens { topic, body, sender, attachment } = tokens;
    match tx.last_number() {
        Some(row) => {
            let scope = format!("g{number}");
            tx.send(sql, binds![row, scope, topic, *body, sender, attachment]).await
        }
        None => tx.send(sql, binds![group, post, vector(tokens)]).await,
    }
}

/// Gives a post other tokens than it was added with.
pub(crate) async fn replace(
    tx: &mut Tx,
    group: GroupId,
    number: i64,
    post: PostId,
    tokens: &Tokens<'_>,
) -> Result<(), Error> {
    let sql = tx.db().index_replace();
    let Tokens { topic, body, sender, attachment } = tokens;
    if tx.db().index_is_by_number() {
        let scope = format!("g{number}");
        return tx.send(sql, binds![scope, topic, *body, sender, attachment, group, post]).await;
    }
    tx.send(sql, binds![vector(tokens), group, post]).await
}

/// Takes the posts of a thread out, before they go themselves.
pub(super) async fn remove(tx: &mut Tx, group: GroupId, thread: ThreadId) -> Result<(), Error> {
    let sql = tx.db().index_remove();
    tx.send(sql, binds![group, thread]).await
}

/// Takes one post out, before it goes itself.
pub(super) async fn remove_one(tx: &mut Tx, group: GroupId, post: PostId) -> Result<(), Error> {
    let sql = tx.db().index_remove_one();
    tx.send(sql, binds![group, post]).await
}

/// Bytes of a lexeme of PostgreSQL at most.
const LEXEME_MAX: usize = 2_046;
/// Positions between two fields, so that no phrase reaches from one into the next.
const GAP: usize = 8;

/// Tokens as the text of a `tsvector`: each with its position, and its field as a weight, A to D.
fn vector(tokens: &Tokens<'_>) -> String {
    let Tokens { topic, body, sender, attachment } = tokens;
    let (mut out, mut at) = (String::new(), 1);
    // The body comes last: positions end at 16,383 and at 256 for one word, and what is lost there is a
    // phrase far down in a long text, and not whom it is from.
    for (field, weight) in [(&topic[..], 'A'), (sender, 'C'), (attachment, 'D'), (body, 'B')] {
        for token in field.split(' ').filter(|it| !it.is_empty() && it.len() <= LEXEME_MAX) {
            let token = token.replace('\\', "\\\\").replace('\'', "''");
            // Writing to a String cannot fail.
            let _ = write!(out, "'{token}':{at}{weight} ");
            at += 1;
        }
        at += GAP;
    }
    out
}
