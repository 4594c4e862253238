//! The databases: connections, transactions, rows.
//!
//! **Invariant:** a command's statements, the feed rows that tell of them and the index rows of its
//! posts are one transaction. An answer leaves only after the commit that makes it true.

mod sqlite;
#[cfg(test)]
mod tests;

pub(crate) use sqlite::{Options, Row, Sqlite, Tx};
