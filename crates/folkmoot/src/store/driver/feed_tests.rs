//! The feed under writers that stall, fail, panic and die: whatever happens, a reader sees a prefix, and
//! at the end exactly what was acknowledged is there (DECISIONS D9). Schedules come from numbers, which
//! a failed assertion names. Long because commands, readers, deaths and what is looked at in the end belong
//! to one schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::postgres::lock_key;
use crate::access::Visibility;
use crate::clock::Clock;
use crate::ids::{GroupId, TenantId};
use crate::store::dialect::Db;
use crate::store::feed::{Actor, Change, Kind, Op, Place};
use crate::store::groups::{self, NewGroup};
use crate::store::sql::binds;
use crate::store::tenants::{self, Tenant};
use crate::store::{Error, Settings, Store, Tx};

const SCHEDULES_SQLITE: u64 = 200;
const SCHEDULES_POSTGRES: u64 = 40;
const WRITERS: usize = 5;
/// Rounds of each writer, and commands at most that it sends at once in one.
const ROUNDS: usize = 3;
const AT_ONCE: u64 = 4;

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A store, and where there is one the way to its database past it.
struct World {
    /// On PostgreSQL two, as two processes would have them.
    stores: Vec<Arc<Store>>,
    postgres: Option<Arc<Client>>,
}

/// Three groups and their tenant: the streams of one schedule.
#[derive(Clone, Copy)]
struct Streams {
    tenant: TenantId,
    groups: [GroupId; 3],
}

impl Streams {
    fn all(self) -> [Place; 4] {
        let [a, b, c] =
            self.groups.map(|group| Place::Group { group, conversation: None, thread: None });
        [a, b, c, Place::Tenant { tenant: self.tenant, group: None }]
    }
}

fn id(place: Place) -> Uuid {
    match place {
        Place::Group { group, .. } => group.0,
        Place::Tenant { tenant, .. } => tenant.0,
    }
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Good,
    /// It fails before it has written.
    Refused,
    /// It fails after it has written.
    Fails,
    Panics,
    /// Its connection is ended from outside; it goes on as if nothing had happened.
    Dies,
}

/// A command: what it changes, where it stalls, how it ends.
struct Command {
    scope: Uuid,
    changes: Vec<(Place, Uuid)>,
    /// Before each change and at the end, how long.
    stalls: Vec<u64>,
    waits: bool,
    fate: Fate,
    postgres: Option<Arc<Client>>,
}

fn command(numbers: &mut Numbers, world: &World, streams: Streams, deaths: bool) -> Command {
    let places = streams.all();
    let own = places[numbers.below(4) as usize];
    let changes: Vec<_> = (0..1 + numbers.below(4))
        .map(|_| {
            let other = numbers.below(4) == 0;
            let place = if other { places[numbers.below(4) as usize] } else { own };
            (place, Clock::System.id())
        })
        .collect();
    let fate = match numbers.below(12) {
        0 => Fate::Refused,
        1 => Fate::Fails,
        2 => Fate::Panics,
        3 if deaths => Fate::Dies,
        _ => Fate::Good,
    };
    Command {
        scope: id(own),
        stalls: (0..=changes.len()).map(|_| numbers.below(12).saturating_sub(6)).collect(),
        changes,
        waits: numbers.below(2) == 0,
        fate,
        postgres: world.postgres.clone(),
    }
}

/// Gives others the time to do something else: on SQLite the thread, where nothing waits.
async fn stall(tx: &mut Tx, long: u64) -> Result<(), Error> {
    for _ in 0..long {
        match tx.db() {
            Db::Sqlite => std::thread::yield_now(),
            Db::Postgres => tokio::task::yield_now().await,
        }
    }
    if long > 4 && tx.db() == Db::Postgres {
        tx.query("select pg_sleep(0.003)", &[], |_| Ok(())).await?;
    }
    Ok(())
}

async fn run(tx: &mut Tx, command: &Command) -> Result<(), Error> {
    if command.fate == Fate::Refused {
        return Err(Error::Dangling);
    }
    for (at, (place, entity)) in command.changes.iter().enumerate() {
        stall(tx, command.stalls[at]).await?;
        let (sql, binds) = ("insert into marks (entity) values ($1)", binds![*entity]);
        if command.waits {
            tx.execute(sql, binds).await?;
        } else {
            tx.send(sql, binds).await?;
        }
        tx.changed(Change {
            place: *place,
            at: 1,
            actor: Actor::default(),
            kind: Kind::Post,
            op: Op::Created,
            entity: *entity,
            part: None,
        });
    }
    stall(tx, command.stalls[command.changes.len()]).await?;
    match (command.fate, &command.postgres) {
        (Fate::Fails, _) => Err(Error::Dangling),
        // As a panic does, without a word on standard error.
        (Fate::Panics, _) => std::panic::resume_unwind(Box::new("a panic on purpose")),
        (Fate::Dies, Some(client)) => {
            let pid = tx.first("select pg_backend_pid()", &[], |row| row.int(0)).await?.unwrap();
            let end = format!("select pg_terminate_backend({pid})");
            client.batch_execute(&end).await.unwrap();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a reader has seen of a stream, in order.
struct Reader {
    place: Place,
    seen: Vec<Uuid>,
}

impl Reader {
    /// Reads on from the last number seen. Every answer must be a prefix.
    async fn read(&mut self, store: &Store, seed: u64) -> Result<(), Error> {
        let last = self.seen.len() as i64;
        let (heads, feed, key) = match self.place {
            Place::Group { .. } => ("feed_heads", "feed", "group_id"),
            Place::Tenant { .. } => ("tenant_feed_heads", "tenant_feed", "tenant_id"),
        };
        let head = format!("select seq from {heads} where {key} = $1");
        let rows =
            format!("select seq, entity_id from {feed} where {key} = $1 and seq > $2 order by seq");
        let (head, rows) = store
            .read((head, rows, id(self.place)), move |tx, (head, rows, stream)| {
                Box::pin(async move {
                    let head = tx.first(head, binds![*stream], |row| row.int(0)).await?;
                    let mut found = Vec::new();
                    tx.query(rows, binds![*stream, last], |row| {
                        found.push((row.int(0)?, row.id(1)?));
                        Ok(())
                    })
                    .await?;
                    Ok::<_, Error>((head.unwrap_or(0), found))
                })
            })
            .await?;
        for (seq, entity) in rows {
            assert_eq!(seq, self.seen.len() as i64 + 1, "{seed}: a gap, after {last}");
            self.seen.push(entity);
        }
        assert_eq!(head, self.seen.len() as i64, "{seed}: the head is not the last number");
        Ok(())
    }

    /// Reads again and again until `done`, and once more then.
    async fn follow(mut self, store: Arc<Store>, done: Arc<AtomicBool>, seed: u64) -> Reader {
        loop {
            let last = done.load(Ordering::Acquire);
            match self.read(&store, seed).await {
                Ok(()) if last => return self,
                Ok(()) => tokio::task::yield_now().await,
                // Its connection was ended.
                Err(Error::Unavailable(_)) => {}
                Err(error) => panic!("{seed}: {error}"),
            }
        }
    }
}

/// Ends connections of the store, one after another, whatever they are at.
async fn end_connections(client: Arc<Client>, done: Arc<AtomicBool>) {
    let one = "select pg_sleep(0.001 + random() * 0.02), pg_terminate_backend(pid) \
        from pg_stat_activity where application_name = 'folkmoot' \
        and datname = current_database() order by random() limit 1";
    while !done.load(Ordering::Acquire) {
        client.batch_execute(one).await.unwrap();
    }
}

/// A command and what was answered.
type Answered = (Arc<Command>, Result<(), Error>);

async fn write(
    world: Arc<World>,
    streams: Streams,
    mut numbers: Numbers,
    deaths: bool,
) -> Vec<Answered> {
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        let commands: Vec<_> = (0..1 + numbers.below(AT_ONCE))
            .map(|_| Arc::new(command(&mut numbers, &world, streams, deaths)))
            .collect();
        let sent = commands.iter().map(|it| {
            let store = &world.stores[numbers.below(world.stores.len() as u64) as usize];
            store.write(it.scope, it.clone(), |tx, command| Box::pin(run(tx, command)))
        });
        let results = join_all(sent.collect::<Vec<_>>()).await;
        answers.extend(commands.into_iter().zip(results));
    }
    answers
}

/// One schedule: writers and readers at once, then what is there at the end. How many commands were
/// acknowledged, and how many were lost.
async fn schedule(world: &Arc<World>, seed: u64, deaths: bool) -> [usize; 2] {
    let mut numbers = Numbers(seed);
    let streams = until_served(async || streams(&world.stores[0]).await).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = streams
        .all()
        .into_iter()
        .map(|place| {
            let store = world.stores[numbers.below(world.stores.len() as u64) as usize].clone();
            let reader = Reader { place, seen: Vec::new() };
            tokio::spawn(reader.follow(store, done.clone(), seed))
        })
        .collect();
    let ends = world
        .postgres
        .clone()
        .filter(|_| deaths)
        .map(|client| tokio::spawn(end_connections(client, done.clone())));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let own = Numbers(numbers.below(u64::MAX));
            tokio::spawn(write(world.clone(), streams, own, deaths))
        })
        .collect();
    let mut answers = Vec::new();
    for writer in writers {
        answers.extend(writer.await.unwrap());
    }
    done.store(true, Ordering::Release);
    if let Some(ends) = ends {
        ends.await.unwrap();
    }
    let mut seen = BTreeMap::new();
    for reader in readers {
        let reader = reader.await.unwrap();
        // From the start once more: nothing came below a number that had been seen.
        let mut whole = Reader { place: reader.place, seen: Vec::new() };
        until_served(async || whole.read(&world.stores[0], seed).await).await;
        assert_eq!(reader.seen, whole.seen, "{seed}: the feed of {:?} has changed", reader.place);
        seen.insert(id(reader.place), reader.seen);
    }
    let marks = until_served(async || marks(&world.stores[0]).await).await;
    assert_told(&answers, &seen, &marks, seed, deaths);
    let lost = |it: &&Answered| matches!(it.1, Err(Error::Unavailable(_)));
    [answers.iter().filter(|it| it.1.is_ok()).count(), answers.iter().filter(lost).count()]
}

/// Looks that the feed tells of exactly what was acknowledged, and the tables have it.
fn assert_told(
    answers: &[Answered],
    seen: &BTreeMap<Uuid, Vec<Uuid>>,
    marks: &BTreeSet<Uuid>,
    seed: u64,
    deaths: bool,
) {
    let mut rows = 0;
    for (command, answer) in answers {
        let mut expected: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for (place, entity) in &command.changes {
            expected.entry(id(*place)).or_default().push(*entity);
        }
        // In each stream, its rows stand side by side and in its order.
        let told = |(stream, own): (&Uuid, &Vec<Uuid>)| {
            seen[stream].windows(own.len()).filter(|it| it == own).count()
        };
        let told: Vec<_> = expected.iter().map(told).collect();
        let there = told.iter().all(|it| *it == 1);
        let any = command.changes.iter().any(|(_, it)| marks.contains(it))
            || command.changes.iter().any(|(place, it)| seen[&id(*place)].contains(it));
        let what = format!("{seed}: {:?}, answered {answer:?}: {told:?}", command.fate);
        let lost = matches!(answer, Err(Error::Unavailable(_))) && deaths;
        match command.fate {
            Fate::Good | Fate::Dies if answer.is_ok() => assert!(there, "{what}"),
            // Its connection died, at the commit perhaps: it may be there, but whole.
            Fate::Good | Fate::Dies => assert!(lost && (there || !any), "{what}"),
            Fate::Refused | Fate::Fails => {
                let failed = matches!(answer, Err(Error::Dangling));
                assert!((failed || lost) && !any, "{what}");
            }
            Fate::Panics => {
                let failed = matches!(answer, Err(Error::Defect(_)));
                assert!((failed || lost) && !any, "{what}");
            }
        }
        if there {
            rows += command.changes.len();
            let kept = command.changes.iter().all(|(_, it)| marks.contains(it));
            assert!(kept, "{what}, but the tables do not have it");
        }
    }
    // Nothing that nobody asked for.
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), rows, "{seed}");
}

/// The answer of the store, as soon as it has one: the last connections that were ended may have been
/// those that it asks by.
async fn until_served<T>(mut ask: impl AsyncFnMut() -> Result<T, Error>) -> T {
    loop {
        match ask().await {
            Err(Error::Unavailable(_)) => tokio::task::yield_now().await,
            answer => return answer.unwrap(),
        }
    }
}

async fn marks(store: &Store) -> Result<BTreeSet<Uuid>, Error> {
    let marks = store.read((), |tx, ()| {
        Box::pin(async move {
            let mut marks = BTreeSet::new();
            tx.query("select entity from marks", &[], |row| {
                marks.insert(row.id(0)?);
                Ok(())
            })
            .await?;
            Ok::<_, Error>(marks)
        })
    });
    marks.await
}

/// A new tenant with three groups.
async fn streams(store: &Store) -> Result<Streams, Error> {
    let clock = Clock::System;
    let tenant = TenantId(clock.id());
    let groups = [clock.id(), clock.id(), clock.id()].map(GroupId);
    let made = store.write(tenant.0, (), move |tx, ()| {
        Box::pin(async move {
            let row = Tenant { id: tenant, domain: "x".into(), is_default: false };
            tenants::upsert(tx, &row, 1).await?;
            for id in groups {
                let group = NewGroup {
                    id,
                    tenant,
                    display_name: "x".into(),
                    description: None,
                    mail_nickname: id.0.to_string(),
                    mail: "x@x".into(),
                    visibility: Visibility::Private,
                    is_unified: true,
                    security_enabled: false,
                    resource_behavior_options: Vec::new(),
                    members_only_posting: false,
                };
                groups::insert(tx, &group, 1).await?;
            }
            tx.execute("delete from marks", &[]).await?;
            Ok::<_, Error>(())
        })
    });
    made.await?;
    Ok(Streams { tenant, groups })
}

async fn open(folder: &TempDir, postgres: Option<&str>) -> Arc<Store> {
    let settings = Settings {
        folder: folder.path().to_owned(),
        postgres: postgres.map(str::to_owned),
        durable: false,
        readers: 2,
        queue: 1_000,
        share: 1_000,
        read_deadline: Duration::from_secs(30),
    };
    Arc::new(Store::open(&settings, &Arc::new(Clock::System)).await.unwrap())
}

async fn make_marks(store: &Store) {
    let made = store.write(Uuid::nil(), (), |tx, ()| {
        Box::pin(
            async move { tx.batch("create table marks (entity uuid not null primary key)").await },
        )
    });
    made.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_a_prefix_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let stores = vec![open(&folder, None).await];
    make_marks(&stores[0]).await;
    let world = Arc::new(World { stores, postgres: None });
    for seed in 0..SCHEDULES_SQLITE {
        let [acknowledged, lost] = schedule(&world, seed, false).await;
        assert!(acknowledged > WRITERS && lost == 0, "{seed}: {acknowledged} {lost}");
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_a_prefix_on_postgres_whoever_dies() {
    let Ok(server) = std::env::var("FOLKMOOT_TEST_POSTGRES") else {
        eprintln!("left out: FOLKMOOT_TEST_POSTGRES does not name a PostgreSQL");
        return;
    };
    let name = format!("feed_{}", std::process::id());
    let maintenance = connect(&format!("{server}/postgres")).await;
    maintenance.batch_execute(&format!("create database {name}")).await.unwrap();
    let url = format!("{server}/{name}");
    let schedules = async {
        let folder = TempDir::new().unwrap();
        let stores = vec![open(&folder, Some(&url)).await, open(&folder, Some(&url)).await];
        make_marks(&stores[0]).await;
        let postgres = Some(Arc::new(connect(&url).await));
        let world = Arc::new(World { stores, postgres });
        let mut all = [0, 0];
        for seed in 0..SCHEDULES_POSTGRES {
            let [acknowledged, lost] = schedule(&world, seed, seed % 2 == 1).await;
            all = [all[0] + acknowledged, all[1] + lost];
        }
        assert!(all[0] > 400, "hardly a command was acknowledged: {all:?}");
        assert!(all[1] > 20, "hardly a connection was ended: {all:?}");
    };
    // The database goes also where an assertion fails.
    let ended = AssertUnwindSafe(schedules).catch_unwind().await;
    maintenance.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// What fails before the first command of a group is nobody's fault: all are answered, and the scope can
/// be written again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_that_is_cancelled_after_commands_failed_ends_in_an_answer() {
    let Ok(server) = std::env::var("FOLKMOOT_TEST_POSTGRES") else { return };
    let name = format!("begin_{}", std::process::id());
    let maintenance = connect(&format!("{server}/postgres")).await;
    maintenance.batch_execute(&format!("create database {name}")).await.unwrap();
    let url = format!("{server}/{name}");
    let folder = TempDir::new().unwrap();
    let store = open(&folder, Some(&url)).await;
    make_marks(&store).await;
    let other = Arc::new(connect(&url).await);
    let scope = Clock::System.id();
    // One keeps the scope busy until the others are queued: they go as one group.
    let held = store.write(scope, (), |tx: &mut Tx, ()| {
        Box::pin(async move {
            tx.query("select pg_sleep(0.5)", &[], |_| Ok(())).await?;
            Ok::<_, Error>(())
        })
    });
    let mut all: Vec<BoxFuture<'_, Result<(), Error>>> = vec![Box::pin(held)];
    for at in 0..4 {
        all.push(Box::pin(store.write(scope, (at, other.clone()), move |tx: &mut Tx, input| {
            let (at, other) = (input.0, input.1.clone());
            Box::pin(async move {
                let mark = binds![Clock::System.id()];
                tx.execute("insert into marks (entity) values ($1)", mark).await?;
                if at == 2 {
                    // The others of the group run again without this one: their `begin` then waits
                    // for a lock that somebody else holds, and is cancelled.
                    tokio::spawn(async move { cancel_begins(&other, scope).await });
                    tx.query("select pg_sleep(0.2)", &[], |_| Ok(())).await?;
                }
                if at < 3 { Err(Error::Dangling) } else { Ok(()) }
            })
        })));
    }
    let answers = tokio::time::timeout(Duration::from_secs(20), join_all(all)).await;
    assert_eq!(answers.expect("every command is answered").len(), 5);
    let again = async {
        while store.write(scope, (), |_, ()| Box::pin(async { Ok::<_, Error>(()) })).await.is_err()
        {
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("the scope is written again");
    maintenance.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
}

/// Holds the scope's lock for a second, and cancels whoever waits for it.
async fn cancel_begins(client: &tokio_postgres::Client, scope: Uuid) {
    let key = lock_key(scope);
    let cancel = "select pg_cancel_backend(pid), pg_sleep(0.05) from pg_stat_activity \
        where datname = current_database() and wait_event = 'advisory'";
    client.batch_execute(&format!("select pg_advisory_lock({key})")).await.unwrap();
    for _ in 0..20 {
        client.batch_execute(cancel).await.unwrap();
    }
    client.batch_execute(&format!("select pg_advisory_unlock({key})")).await.unwrap();
}
