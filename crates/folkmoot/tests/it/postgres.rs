//! A server on PostgreSQL: what it does while the database is gone, how it starts, what the tables are
//! like, and that nobody can tell from an answer which database is behind it.

mod killed;
mod same;
mod schema;
mod start;
mod tls;
mod trips;
mod waits;
