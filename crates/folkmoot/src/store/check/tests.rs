//! The plans of the checks: streams in the order of an index, look-ups by a key, no table in memory.

use tempfile::TempDir;

use super::summaries::Level;
use super::{feed, rows};
use crate::clock::Clock;
use crate::store::dialect::Db;
use crate::store::dialect::Differing;
use crate::store::{Error, Settings, Store};

/// The steps of the plan of a statement.
async fn explain(store: &Store, sql: &str) -> String {
    let sql = format!("explain query plan {sql}");
    store
        .read(sql, |tx, sql| {
            Box::pin(async move {
                let mut steps = Vec::new();
                tx.query(sql, &[], |row| {
                    steps.push(row.text(3)?.to_owned());
                    Ok(())
                })
                .await?;
                Ok::<_, Error>(steps.join("\n"))
            })
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn no_check_sorts_a_table_or_looks_for_a_row_without_an_index() {
    let folder = TempDir::new().unwrap();
    let settings = Settings {
        folder: folder.path().to_owned(),
        postgres: None,
        durable: false,
        readers: 1,
        queue: 1,
        share: 1,
        read_deadline: std::time::Duration::from_secs(5),
    };
    let store = Store::open(&settings, &std::sync::Arc::new(Clock::System)).await.unwrap();
    let mut statements: Vec<String> = rows::REFERENCES.iter().map(|it| it.sql()).collect();
    statements.extend(rows::AGREEMENTS.iter().map(|it| it.sql.to_owned()));
    statements.extend(feed::STREAMS.iter().map(feed::Stream::sql));
    statements.push(feed::told_sql(""));
    let levels = [Level::Threads { preview_chars: 1 }, Level::Conversations];
    statements.extend(levels.map(|it| it.sql().to_owned()));
    statements.push(super::blobs::CONTENTS.to_owned());
    let Differing { not_indexed, left_in_index, .. } = Db::Sqlite.differing();
    statements.extend([not_indexed, left_in_index].map(str::to_owned));
    for sql in statements {
        let plan = explain(&store, &sql).await;
        let held = ["TEMP B-TREE", "AUTOMATIC", "MATERIALIZE"];
        assert!(!held.iter().any(|it| plan.contains(it)), "{sql}\n{plan}");
        // One table is scanned, or one each where tables are merged; the others are searched.
        let scans = plan.lines().filter(|it| it.starts_with("SCAN") && !it.contains(":="));
        assert_eq!(scans.count(), 1 + sql.matches("union all").count(), "{sql}\n{plan}");
        // A group's key alone leads to all that is in the group, but for its one head and to whether it
        // has any sender on its lists.
        let one = |it: &&str| it.contains(" h ") || it.contains(" any_sender ");
        let group = plan.lines().find(|it| it.contains("(group_id=?)") && !one(it));
        assert_eq!(group, None, "{sql}\n{plan}");
    }
}
