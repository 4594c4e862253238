//! The schema's versions, applied in order when a store is opened.
//!
//! **Invariant:** a migration that has shipped never changes; a store that is newer than the program
//! is refused and left as it is.

use crate::clock::Clock;
use crate::store::dialect::{self, Db};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// Each with its name, and its text for either database; its place in the list, counted from 1, is
/// its version.
const MIGRATIONS: [(&str, &str, &str); 8] = [
    ("init", INIT, INIT),
    (
        "posts",
        include_str!("../../migrations/0002_posts.sqlite.sql"),
        include_str!("../../migrations/0002_posts.postgres.sql"),
    ),
    ("feed_work", FEED_WORK, FEED_WORK),
    (
        "attachments",
        include_str!("../../migrations/0004_attachments.sqlite.sql"),
        include_str!("../../migrations/0004_attachments.postgres.sql"),
    ),
    ("uploads", UPLOADS, UPLOADS),
    ("post_children", POST_CHILDREN, POST_CHILDREN),
    ("group_settings", GROUP_SETTINGS, GROUP_SETTINGS),
    ("posts_newest", POSTS_NEWEST, POSTS_NEWEST),
];
const POSTS_NEWEST: &str = include_str!("../../migrations/0008_posts_newest.sql");
const GROUP_SETTINGS: &str = include_str!("../../migrations/0007_group_settings.sql");
const POST_CHILDREN: &str = include_str!("../../migrations/0006_post_children.sql");
const UPLOADS: &str = include_str!("../../migrations/0005_uploads.sql");
const FEED_WORK: &str = include_str!("../../migrations/0003_feed_work.sql");
const INIT: &str = include_str!("../../migrations/0001_init.sql");

/// Brings the schema to this program's version, inside the caller's transaction.
pub(super) async fn migrate(tx: &mut Tx, clock: &Clock) -> Result<(), Error> {
    tx.batch(
        "create table if not exists schema_versions \
         (version bigint not null primary key, name text not null, applied_at bigint not null)",
    )
    .await?;
    let sql = "select coalesce(max(version), 0) from schema_versions";
    let found = tx.first(sql, &[], |row| row.int(0)).await?.unwrap_or(0);
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(Error::Newer { found, known });
    }
    for ((name, sqlite, postgres), version) in MIGRATIONS.iter().zip(1..) {
        if version <= found {
            continue;
        }
        let db = tx.db();
        let text = if db == Db::Sqlite { sqlite } else { postgres };
        tx.batch(&db.schema(text)).await?;
        if db == Db::Postgres {
            tx.batch(dialect::PARTITIONS).await?;
        }
        let binds = binds![version, *name, clock.now().ticks];
        tx.execute("insert into schema_versions values ($1, $2, $3)", binds).await?;
    }
    Ok(())
}
