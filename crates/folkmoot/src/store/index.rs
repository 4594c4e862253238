//! The full-text index of posts.
//!
//! **Invariant:** a post is in the index exactly while it is in the store: both are written by one
//! transaction. What goes in are tokens (`text.rs`), never a user's text.

use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// A post's row in the index, or its end.
#[derive(Debug)]
pub(crate) enum IndexRow {
    /// Adds a post.
    Add {
        /// The post's number.
        number: i64,
        /// The short number of its group: a search looks in one group by one more term.
        group: i64,
        /// Tokens of topic, body, sender and attachment names.
        tokens: Tokens,
    },
    /// Takes a post out.
    Remove {
        /// The post's number.
        number: i64,
    },
}

/// What of a post can be searched, each as tokens between spaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    /// Of the topic.
    pub(crate) topic: String,
    /// Of the body's text.
    pub(crate) body: String,
    /// Of the sender's name and address.
    pub(crate) sender: String,
    /// Of the names of attachments.
    pub(crate) attachment: String,
}

const ADD: &str = "insert into post_index (rowid, scope, topic, body, sender, attachment) \
    values ($1, $2, $3, $4, $5, $6)";
const REMOVE: &str = "delete from post_index where rowid = $1";

/// Writes the rows of a transaction, outside every savepoint.
pub(super) fn write(tx: &mut Tx, rows: &[IndexRow]) -> Result<(), Error> {
    for row in rows {
        match row {
            IndexRow::Add { number, group, tokens } => {
                let Tokens { topic, body, sender, attachment } = tokens;
                let scope = format!("g{group}");
                tx.execute_now(ADD, binds![*number, scope, topic, body, sender, attachment])?;
            }
            IndexRow::Remove { number } => {
                tx.execute_now(REMOVE, binds![*number])?;
            }
        }
    }
    Ok(())
}
