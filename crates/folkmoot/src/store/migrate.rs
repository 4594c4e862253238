//! The schema's versions, applied in order when a store is opened.
//!
//! **Invariant:** a migration that has shipped never changes; a store that is newer than the program
//! is refused and left as it is.

use crate::clock::Clock;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// Each with its name; its place in the list, counted from 1, is its version.
const MIGRATIONS: [(&str, &str); 2] = [
    ("init", include_str!("../../migrations/0001_init.sql")),
    ("posts", include_str!("../../migrations/0002_posts.sqlite.sql")),
];

/// Brings the schema to this program's version, inside the caller's transaction.
pub(super) fn migrate(tx: &mut Tx, clock: &Clock) -> Result<(), Error> {
    tx.batch(
        "create table if not exists schema_versions \
         (version bigint not null primary key, name text not null, applied_at bigint not null)",
    )?;
    let found = tx.returning_now("select coalesce(max(version), 0) from schema_versions", &[])?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(Error::Newer { found, known });
    }
    for ((name, sql), version) in MIGRATIONS.iter().zip(1..).filter(|(_, it)| *it > found) {
        tx.batch(sql)?;
        let binds = binds![version, *name, clock.now().ticks];
        tx.execute_now("insert into schema_versions values ($1, $2, $3)", binds)?;
    }
    Ok(())
}
