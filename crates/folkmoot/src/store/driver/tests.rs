//! What SQLite's writer promises when the disk is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tempfile::TempDir;

use super::{Sqlite, SqliteOptions, Tx};
use crate::store::error::Error;

use crate::store::sql::binds;

/// Small, so that a test can fill it.
const QUEUE: usize = 16;
const READ_DEADLINE: Duration = Duration::from_millis(300);

fn open(folder: &TempDir, prepare: &'static str) -> Sqlite {
    let options = SqliteOptions {
        path: folder.path().join("test.db"),
        durable: false,
        readers: 1,
        queue: QUEUE,
        read_deadline: READ_DEADLINE,
    };
    Sqlite::open(&options, &folder.path().join("blobs"), async |tx| tx.batch(prepare).await)
        .unwrap()
}

const TABLE: &str = "create table t (name text not null, filler blob);";

async fn insert(db: &Sqlite, name: String, bytes: usize) -> Result<(), Error> {
    db.write(name, move |tx: &mut Tx, name| {
        Box::pin(async move {
            let filler = vec![7_u8; bytes];
            tx.execute("insert into t values ($1, $2)", binds![name, &filler[..]]).await?;
            Ok(())
        })
    })
    .await
}

async fn names(db: &Sqlite) -> Vec<String> {
    db.read((), |tx: &mut Tx, ()| {
        Box::pin(async move {
            let mut names = Vec::new();
            tx.query("select name from t order by name", &[], |row| {
                names.push(row.text(0)?.to_owned());
                Ok(())
            })
            .await?;
            Ok::<_, Error>(names)
        })
    })
    .await
    .unwrap()
}

/// Keeps the writer busy with a command of its own until what `queue` queues is all there: one group.
async fn as_one_group<T>(db: &Sqlite, queue: impl Future<Output = T>) -> T {
    let (entered, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let held = db.write((entered.clone(), gate.clone()), |_: &mut Tx, (inside, opened)| {
        Box::pin(async move {
            inside.store(true, Ordering::Release);
            while !opened.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            Ok::<_, Error>(())
        })
    });
    let mut held = Box::pin(held);
    assert!((&mut held).now_or_never().is_none());
    while !entered.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    // The first poll sends every command to the queue.
    let mut queued = Box::pin(queue);
    assert!((&mut queued).now_or_never().is_none());
    gate.store(true, Ordering::Release);
    held.await.unwrap();
    queued.await
}

#[tokio::test]
async fn a_full_disk_in_the_middle_of_a_group_loses_the_group_and_acknowledges_none_of_it() {
    let folder = TempDir::new().unwrap();
    let db = open(&folder, TABLE);
    insert(&db, "before".into(), 10).await.unwrap();
    // Room for some thirty pages more: the group's third command does not fit.
    db.write((), |tx: &mut Tx, ()| {
        Box::pin(async move { tx.batch("pragma max_page_count = 40").await })
    })
    .await
    .unwrap();
    let commands = (0..6).map(|at| {
        let bytes = if at == 2 { 400_000 } else { 100 };
        insert(&db, format!("{at}"), bytes)
    });
    let answers = as_one_group(&db, join_all(commands)).await;
    assert!(answers.iter().all(|it| matches!(it, Err(Error::Unavailable(_)))), "{answers:?}");
    assert_eq!(names(&db).await, ["before"]);
    // The writer goes on: the same command fits once there is room.
    db.write((), |tx: &mut Tx, ()| {
        Box::pin(async move { tx.batch("pragma max_page_count = 100000").await })
    })
    .await
    .unwrap();
    insert(&db, "after".into(), 400_000).await.unwrap();
    assert!(names(&db).await.contains(&"after".to_owned()));
}
