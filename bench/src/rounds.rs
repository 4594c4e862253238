//! The order of things: rounds of measurements, each with its ceiling right after it or before it.
//!
//! **Invariant:** the two sides of a ratio are neighbours in time, and which comes first changes from
//! round to round.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::axum_ceiling::Answer;
use crate::fill::Amount;
use crate::load::{self, Measured, Prepared};
use crate::process::{self, Folkmoot};
use crate::report::{Figure, Report, Row};
use crate::site::Site;
use crate::sizes::Sizes;
use crate::sqlite_ceiling::Ceiling;
use crate::{beside, on_postgres};

/// Connections of the rows with many.
const MANY: usize = 64;
/// Conversations a transaction of the ceiling that many connections are compared with.
const BATCH: usize = 100;
/// What the start on a full database is measured on: a million posts.
const MILLION: Amount = Amount { conversations: 100_000, posts: 10 };
/// Starts a round: one is over too soon to be told from the noise.
const STARTS: usize = 5;

/// How to measure.
pub(crate) struct Settings {
    /// This program: the ceilings of reads are children of it.
    pub(crate) program: PathBuf,
    /// The server.
    pub(crate) server: PathBuf,
    /// Where databases are made.
    pub(crate) folder: PathBuf,
    /// The length of a measurement.
    pub(crate) seconds: Duration,
    /// The length of the load before memory is looked at.
    pub(crate) load_before_memory: Duration,
    /// How often.
    pub(crate) rounds: u32,
    /// Whether to measure what takes minutes to fill.
    pub(crate) long: bool,
    /// The numbers of the rows to measure; all where empty.
    pub(crate) only: Vec<u8>,
}

impl Settings {
    pub(crate) fn wants(&self, rows: &[u8]) -> bool {
        self.only.is_empty() || rows.iter().any(|it| self.only.contains(it))
    }
}

/// Measures everything, or what was chosen of it.
pub(crate) async fn all(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    for round in 1..=settings.rounds {
        if settings.wants(&[1, 2, 3, 4, 5]) {
            let site = Site::open(settings, None)?;
            write_rows(settings, round, &site, report).await?;
            read_rows(settings, round, &site, report).await?;
            site.running.stop()?;
        }
        if settings.wants(&[3]) {
            syncs(settings, round, report).await?;
        }
        if settings.wants(&[8]) {
            beside::round(settings, round, report).await?;
        }
        if settings.wants(&[13]) {
            starts(settings, round, report).await?;
        }
        if settings.wants(&[14]) {
            memory(settings, round, report).await?;
        }
    }
    if settings.wants(&[6, 7]) {
        Sizes::open(settings, report).await?.rounds(settings, report).await?;
    }
    if settings.wants(&[6, 7, 12]) {
        on_postgres::all(settings, report).await?;
    }
    if settings.long && settings.wants(&[13]) {
        start_on_a_million(settings, report).await?;
    } else if settings.wants(&[13]) {
        report.missing(Row::StartFull, "not measured: it takes --long");
    }
    Ok(())
}

async fn write_rows(
    settings: &Settings,
    round: u32,
    site: &Site,
    report: &mut Report,
) -> anyhow::Result<()> {
    if !settings.wants(&[1, 2, 3]) {
        return Ok(());
    }
    // Which side goes first.
    let ours_first = round % 2 == 1;
    let folder = TempDir::with_prefix_in("bench-sqlite-", &settings.folder)?;
    let mut bare = Ceiling::open(&folder.path().join("ceiling.db"))?;
    let many = writes(settings, site, &mut bare, MANY, BATCH, ours_first).await?;
    say(round, "POST, 64 connections", &many);
    let one = writes(settings, site, &mut bare, 1, 1, ours_first).await?;
    say(round, "POST, 1 connection", &one);
    report.add(Row::PostGain, Figure { ours: many.ours, other: Some(one.ours), times: None });
    report.add(Row::PostMany, many);
    report.add(Row::PostOne, one);
    Ok(())
}

async fn read_rows(
    settings: &Settings,
    round: u32,
    site: &Site,
    report: &mut Report,
) -> anyhow::Result<()> {
    if !settings.wants(&[4, 5]) {
        return Ok(());
    }
    let ours_first = round % 2 == 1;
    // There may be none yet.
    load::closed_loop(&site.target, site.posts()?, 8, Duration::from_millis(200)).await?;
    let newest = reads(settings, site, site.newest()?, ours_first).await?;
    say(round, "GET newest 10", &newest);
    report.add(Row::Newest, newest);
    let (path, etag) = site.one().await?;
    let request = Prepared::unchanged(&path, &etag, &site.target)?;
    let unchanged = reads(settings, site, request, ours_first).await?;
    say(round, "GET by id, 304", &unchanged);
    report.add(Row::Unchanged, unchanged);
    Ok(())
}

async fn starts(settings: &Settings, round: u32, report: &mut Report) -> anyhow::Result<()> {
    for _ in 0..STARTS {
        let folkmoot = Folkmoot::new(&settings.server, &settings.folder)?;
        let ours = folkmoot.time_to_answer().await?;
        report.add(Row::StartEmpty, Figure { ours, ..Figure::default() });
    }
    eprintln!("round {round}: {STARTS} starts");
    Ok(())
}

pub(crate) fn say(round: u32, what: &str, figure: &Figure) {
    let other = figure.other.unwrap_or(f64::NAN);
    let (ours, ratio) = (figure.ours, figure.ours / other);
    eprintln!("round {round}: {what}: {ours:.0}/s, ceiling {other:.0}/s, ratio {ratio:.2}");
}

/// POST against bare SQLite.
async fn writes(
    settings: &Settings,
    site: &Site,
    bare: &mut Ceiling,
    connections: usize,
    batch: usize,
    ours_first: bool,
) -> anyhow::Result<Figure> {
    let posts = site.posts()?;
    let ours = async || load::closed_loop(&site.target, posts, connections, settings.seconds).await;
    // No task runs meanwhile: nothing waits for this thread.
    let mut ceiling = || bare.measure(batch, settings.seconds);
    let (ours, other) = if ours_first {
        let ours = ours().await?;
        (ours, ceiling()?)
    } else {
        let other = ceiling()?;
        (ours().await?, other)
    };
    Ok(figure(&ours, other))
}

/// A GET against bare axum with the same answer.
async fn reads(
    settings: &Settings,
    site: &Site,
    request: Prepared,
    ours_first: bool,
) -> anyhow::Result<Figure> {
    let sample = load::once(&site.target, &request).await?;
    let answer = Answer::of(sample.status(), sample.headers(), sample.body())?;
    let file = tempfile::NamedTempFile::new_in(&settings.folder)?;
    serde_json::to_writer(&file, &answer)?;
    let bare = process::axum(&settings.program, file.path())?;
    let requests = Arc::new(vec![request]);
    let measure = |target| load::closed_loop(target, requests.clone(), MANY, settings.seconds);
    let (ours, other) = if ours_first {
        let ours = measure(&site.target).await?;
        (ours, measure(&bare.target).await?)
    } else {
        let other = measure(&bare.target).await?;
        (measure(&site.target).await?, other)
    };
    Ok(figure(&ours, other.rate))
}

pub(crate) fn figure(ours: &Measured, other: f64) -> Figure {
    Figure { ours: ours.rate, other: Some(other), times: Some((ours.p50, ours.p99)) }
}

/// Calls that wait for the disk, a POST, counted by strace where there is one.
async fn syncs(settings: &Settings, round: u32, report: &mut Report) -> anyhow::Result<()> {
    let found = std::process::Command::new("strace").arg("--version").output();
    if !found.is_ok_and(|it| it.status.success()) {
        report.missing(Row::Syncs, "not counted: there is no strace");
        return Ok(());
    }
    let folder = TempDir::with_prefix_in("bench-strace-", &settings.folder)?;
    let lines = folder.path().join("calls");
    let site = match Site::open(settings, Some(&lines)) {
        Ok(site) => site,
        Err(error) => {
            report.missing(Row::Syncs, &format!("not counted: {error:#}"));
            return Ok(());
        }
    };
    let before = count(&lines)?;
    let measured = load::closed_loop(&site.target, site.posts()?, MANY, settings.seconds).await?;
    let calls = count(&lines)? - before;
    let ours = calls as f64 / measured.answers as f64;
    eprintln!("round {round}: {calls} fsyncs for {} posts", measured.answers);
    report.add(Row::Syncs, Figure { ours, ..Figure::default() });
    Ok(())
}

fn count(lines: &Path) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(lines)?;
    // A call that was interrupted has a second line, without the parenthesis.
    Ok(text.lines().filter(|it| it.contains("sync(")).count())
}

/// Memory of a fresh server, and after writes and reads at the same time.
async fn memory(settings: &Settings, round: u32, report: &mut Report) -> anyhow::Result<()> {
    let site = Site::open(settings, None)?;
    let idle = site.running.memory()?;
    report.add(Row::MemoryIdle, Figure { ours: idle, ..Figure::default() });
    // Once is enough: it is the longest of all.
    if round < settings.rounds {
        return Ok(());
    }
    let (posts, mut gets) = (site.posts()?, vec![site.newest()?]);
    load::closed_loop(&site.target, posts.clone(), 8, Duration::from_millis(200)).await?;
    let (path, etag) = site.one().await?;
    gets.push(Prepared::get(&path, &site.target)?);
    gets.push(Prepared::unchanged(&path, &etag, &site.target)?);
    let time = settings.load_before_memory;
    let writing = load::closed_loop(&site.target, posts, 16, time);
    let reading = load::closed_loop(&site.target, Arc::new(gets), 48, time);
    let (writing, reading) = tokio::join!(writing, reading);
    let (writing, reading) = (writing?.rate, reading?.rate);
    let ours = site.running.memory()?;
    let seconds = time.as_secs();
    eprintln!(
        "memory: {idle:.0} MB, and {ours:.0} MB after {seconds} s of {writing:.0} POST/s and \
         {reading:.0} GET/s"
    );
    report.add(Row::MemoryLoaded, Figure { ours, ..Figure::default() });
    Ok(())
}

/// Starts on a million posts and on none, in turn; both folders were made before, and what of them
/// fits into memory is there.
async fn start_on_a_million(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let site = Site::filled(settings, MILLION).await?;
    site.running.stop()?;
    let full = site.folkmoot;
    let none = Folkmoot::new(&settings.server, &settings.folder)?;
    none.group("bench")?;
    for _ in 0..settings.rounds as usize * STARTS {
        let ours = full.time_to_answer().await?;
        let other = none.time_to_answer().await?;
        report.add(Row::StartFull, Figure { ours, other: Some(other), times: None });
    }
    Ok(())
}
