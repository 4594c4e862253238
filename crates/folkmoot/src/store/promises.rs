//! What either store promises: commands apart from each other, a bounded queue, reads that end.
//!
//! **Invariant:** what is asked of one database here is asked of the other in the same words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join_all, join4};
use uuid::Uuid;

use super::both::on_each;
use super::dialect::Db;
use super::sql::binds;
use super::{Error, Store, Tx};

/// Small, so that a test can fill it.
const QUEUE: usize = 16;
/// Long enough for every read here but the endless one.
const READ_DEADLINE: Duration = Duration::from_millis(300);

fn scope() -> Uuid {
    Uuid::from_u128(7)
}

async fn insert(store: &Store, kid: &str) -> Result<(), Error> {
    insert_bytes(store, kid, 3).await
}

async fn insert_bytes(store: &Store, kid: &str, bytes: usize) -> Result<(), Error> {
    store
        .write(scope(), (kid.to_owned(), vec![7_u8; bytes]), |tx: &mut Tx, (kid, secret)| {
            Box::pin(async move {
                let sql = "insert into keys (kid, purpose, secret, created_at) \
                    values ($1, 'test', $2, 0)";
                tx.execute(sql, binds![kid, &secret[..]]).await.map(|_| ())
            })
        })
        .await
}

async fn kids(store: &Store) -> Vec<String> {
    store
        .read((), |tx: &mut Tx, ()| {
            Box::pin(async move {
                let mut kids = Vec::new();
                tx.query("select kid from keys order by kid", &[], |row| {
                    kids.push(row.text(0)?.to_owned());
                    Ok(())
                })
                .await?;
                Ok::<_, Error>(kids)
            })
        })
        .await
        .unwrap()
}

/// Keeps the scope busy with a command of its own until what `queue` queues is all there: one group.
async fn as_one_group<T>(store: &Store, queue: impl Future<Output = T>) -> T {
    let (entered, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let held = store.write(scope(), (entered.clone(), gate.clone()), |_, (inside, opened)| {
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
        tokio::task::yield_now().await;
    }
    // The first poll sends every command to the queue.
    let mut queued = Box::pin(queue);
    assert!((&mut queued).now_or_never().is_none());
    gate.store(true, Ordering::Release);
    held.await.unwrap();
    queued.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_or_panics_leaves_the_others_of_its_group_alone() {
    on_each(QUEUE, READ_DEADLINE, async |store, _| {
        let store = &store;
        let failing = |panics: bool| {
            store.write(scope(), (), move |tx: &mut Tx, ()| {
                Box::pin(async move {
                    let sql = "insert into keys (kid, purpose, secret, created_at) \
                        values ('undone', 'test', $1, 0)";
                    tx.execute(sql, binds![&[7_u8; 3][..]]).await?;
                    assert!(!panics, "a panic on purpose");
                    Err::<(), _>(Error::Dangling)
                })
            })
        };
        let commands =
            join4(insert(store, "first"), failing(false), failing(true), insert(store, "last"));
        let (first, failed, panicked, last) = as_one_group(store, commands).await;
        first.unwrap();
        last.unwrap();
        assert!(matches!(failed, Err(Error::Dangling)), "{failed:?}");
        assert!(matches!(panicked, Err(Error::Defect(_))), "{panicked:?}");
        assert_eq!(kids(store).await, ["first", "last"]);
        // What the database refuses is the command's own fault too.
        let both = join_all([insert(store, "last"), insert(store, "more")]);
        let answers = as_one_group(store, both).await;
        assert!(matches!(answers[0], Err(Error::Duplicate(_))), "{answers:?}");
        assert!(answers[1].is_ok(), "{answers:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_the_queue_holds_is_refused_at_once() {
    on_each(QUEUE, READ_DEADLINE, async |store, _| {
        let store = &store;
        let names: Vec<_> = (0..QUEUE + 5).map(|at| format!("{at:02}")).collect();
        let commands = join_all(names.iter().map(|it| insert(store, it)));
        let answers = as_one_group(store, commands).await;
        let refused = answers.iter().filter(|it| matches!(it, Err(Error::Busy))).count();
        let good = answers.iter().filter(|it| it.is_ok()).count();
        // One place may be the running command's.
        assert!((5..=6).contains(&refused), "{answers:?}");
        assert_eq!(good + refused, answers.len());
        assert_eq!(kids(store).await.len(), good);
    })
    .await;
}

#[tokio::test]
async fn a_read_past_its_deadline_is_stopped() {
    on_each(QUEUE, READ_DEADLINE, async |store, db| {
        let endless = match db {
            Db::Sqlite => {
                "with recursive n (i) as (select 1 union all select i + 1 from n) \
                 select count(*) from n"
            }
            Db::Postgres => "select count(*) from generate_series(1, 100000000000) n",
        };
        let stopped: Result<Option<i64>, Error> = store
            .read((), move |tx: &mut Tx, ()| {
                Box::pin(async move { tx.first(endless, &[], |row| row.int(0)).await })
            })
            .await;
        assert!(matches!(stopped, Err(Error::Deadline)), "{stopped:?}");
        // So are many statements that are short, each by itself.
        let short = match db {
            Db::Sqlite => {
                "with recursive n (i) as (select 1 union all select i + 1 from n limit 20000) \
                 select count(*) from n"
            }
            Db::Postgres => "select count(*) from generate_series(1, 20000) n",
        };
        let stopped: Result<(), Error> = store
            .read((), move |tx: &mut Tx, ()| {
                Box::pin(async move {
                    loop {
                        tx.first(short, &[], |row| row.int(0)).await?;
                    }
                })
            })
            .await;
        assert!(matches!(stopped, Err(Error::Deadline)), "{stopped:?}");
        // The reader is free again.
        assert!(kids(&store).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_in_the_middle_of_a_group_loses_the_group_and_acknowledges_none_of_it() {
    on_each(QUEUE, READ_DEADLINE, async |store, db| {
        if db == Db::Postgres {
            // It has no such limit of its own, and its disk is not ours to fill.
            return;
        }
        let store = &store;
        insert(store, "before").await.unwrap();
        // Room for some thirty pages more: the group's third command does not fit.
        let limit = async |more: i64| {
            store
                .write(scope(), more, |tx: &mut Tx, more| {
                    Box::pin(async move {
                        let pages = tx.first("pragma page_count", &[], |row| row.int(0)).await?;
                        let pages = pages.unwrap_or(0) + more;
                        tx.batch(&format!("pragma max_page_count = {pages}")).await
                    })
                })
                .await
        };
        limit(30).await.unwrap();
        let names: Vec<_> = (0..6).map(|at| format!("{at}")).collect();
        let commands = names.iter().enumerate().map(|(at, name)| {
            let bytes = if at == 2 { 400_000 } else { 100 };
            insert_bytes(store, name, bytes)
        });
        let answers = as_one_group(store, join_all(commands)).await;
        assert!(answers.iter().all(|it| matches!(it, Err(Error::Unavailable(_)))), "{answers:?}");
        assert_eq!(kids(store).await, ["before"]);
        // The writer goes on: the same command fits once there is room.
        limit(100_000).await.unwrap();
        insert_bytes(store, "after", 400_000).await.unwrap();
        assert!(kids(store).await.contains(&"after".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_command_that_another_one_stood_in_the_way_of_runs_again() {
    on_each(QUEUE, READ_DEADLINE, async |store, db| {
        if db == Db::Sqlite {
            // Its one writer stands in nobody's way.
            return;
        }
        for code in ["40001", "40P01"] {
            let runs = Arc::new(AtomicUsize::new(0));
            let fails = format!("do $$ begin raise exception 'x' using errcode = '{code}'; end $$");
            store
                .write(scope(), (runs.clone(), fails), |tx: &mut Tx, (runs, fails)| {
                    Box::pin(async move {
                        match runs.fetch_add(1, Ordering::Relaxed) {
                            0 => tx.batch(fails).await,
                            _ => Ok(()),
                        }
                    })
                })
                .await
                .unwrap();
            assert_eq!(runs.load(Ordering::Relaxed), 2, "{code}");
        }
    })
    .await;
}
