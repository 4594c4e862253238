//! The schema's versions, applied in order when a store is opened.
//!
//! **Invariant:** a migration that has shipped never changes; a store that is newer than the program
//! is refused and left as it is.

use crate::clock::Clock;
use crate::store::dialect::{self, Db};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;
use crate::text;

/// Each with its name, and its text for either database; its place in the list, counted from 1, is
/// its version.
const MIGRATIONS: [(&str, &str, &str); 15] = [
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
    ("filters", FILTERS, FILTERS),
    ("identities", IDENTITIES, IDENTITIES),
    ("sign_in", SIGN_IN, SIGN_IN),
    ("audit", AUDIT, AUDIT),
    ("people", PEOPLE, PEOPLE),
    ("passwords", PASSWORDS, PASSWORDS),
    ("limits", LIMITS, LIMITS),
];
/// The columns whose twins `filters` added, by table.
const TWINS: [(&str, &str); 5] = [
    ("posts", "body"),
    ("attachments", "content_id"),
    ("attachments", "source_url"),
    ("attachments", "thumbnail_url"),
    ("attachments", "preview_url"),
];
const AUDIT: &str = include_str!("../../migrations/0012_audit.sql");
const PEOPLE: &str = include_str!("../../migrations/0013_people.sql");
const PASSWORDS: &str = include_str!("../../migrations/0014_passwords.sql");
const LIMITS: &str = include_str!("../../migrations/0015_limits.sql");
const SIGN_IN: &str = include_str!("../../migrations/0011_sign_in.sql");
const IDENTITIES: &str = include_str!("../../migrations/0010_identities.sql");
const FILTERS: &str = include_str!("../../migrations/0009_filters.sql");
const POSTS_NEWEST: &str = include_str!("../../migrations/0008_posts_newest.sql");
const GROUP_SETTINGS: &str = include_str!("../../migrations/0007_group_settings.sql");
const POST_CHILDREN: &str = include_str!("../../migrations/0006_post_children.sql");
const UPLOADS: &str = include_str!("../../migrations/0005_uploads.sql");
const FEED_WORK: &str = include_str!("../../migrations/0003_feed_work.sql");
const INIT: &str = include_str!("../../migrations/0001_init.sql");

/// Counts what is there when `limits` begins to; after its table has its partitions.
const COUNT_ATTACHMENTS: &str = "insert into attachment_use (group_id, bytes) \
    select c.group_id, sum(c.size) from (select group_id, size from blobs \
    union all select group_id, promised from upload_sessions) c group by c.group_id";

/// Brings the schema to this program's version, inside the caller's transaction.
pub(super) async fn migrate(tx: &mut Tx, clock: &Clock) -> Result<(), Error> {
    tx.batch(
        "create table if not exists schema_versions \
         (version bigint not null primary key, name text not null, applied_at bigint not null)",
    )
    .await?;
    let (mut applied, known) = (Vec::new(), MIGRATIONS.len() as i64);
    tx.query("select version from schema_versions order by version", &[], |row| {
        applied.push(row.int(0)?);
        Ok(())
    })
    .await?;
    if let Some(&found) = applied.last().filter(|it| **it > known) {
        return Err(Error::Newer { found, known });
    }
    for ((name, sqlite, postgres), version) in MIGRATIONS.iter().zip(1..) {
        if applied.contains(&version) {
            continue;
        }
        let db = tx.db();
        let text = if db == Db::Sqlite { sqlite } else { postgres };
        tx.batch(&db.schema(text)).await?;
        if db == Db::Postgres {
            tx.batch(dialect::PARTITIONS).await?;
        }
        if *name == "filters" {
            for (table, column) in TWINS {
                add_twins(tx, table, column).await?;
            }
        }
        if *name == "limits" {
            tx.batch(COUNT_ATTACHMENTS).await?;
        }
        let binds = binds![version, *name, clock.now().ticks];
        tx.execute("insert into schema_versions values ($1, $2, $3)", binds).await?;
    }
    Ok(())
}

/// Fills the column with the folded twins of the texts in `column` that need one, some at a time.
async fn add_twins(tx: &mut Tx, table: &str, column: &str) -> Result<(), Error> {
    let select = format!(
        "select group_id, id, {column} from {table} where {column}_folded is null and {} limit 500",
        tx.db().is_wide(column)
    );
    let update = format!("update {table} set {column}_folded = $1 where group_id = $2 and id = $3");
    loop {
        let mut found = Vec::new();
        tx.query(&select, &[], |row| {
            found.push((row.id(0)?, row.id(1)?, text::fold(row.text(2)?).into_owned()));
            Ok(())
        })
        .await?;
        if found.is_empty() {
            return Ok(());
        }
        for (group, id, folded) in found {
            tx.execute(&update, binds![folded, group, id]).await?;
        }
    }
}
