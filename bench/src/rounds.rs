//! The order of things: rounds of measurements, each with its ceiling right after it or before it.
//!
//! **Invariant:** the two sides of a ratio are neighbours in time, and which comes first changes from
//! round to round.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use hyper::header::ETAG;
use tempfile::TempDir;

use crate::axum_ceiling::Answer;
use crate::load::{self, Measured, Prepared, Target};
use crate::process::{self, Folkmoot, Running};
use crate::report::{Figure, Report, Row};
use crate::sqlite_ceiling::Ceiling;
use crate::{fill, texts};

/// Connections of the rows with many.
const MANY: usize = 64;
/// Conversations a transaction of the ceiling that many connections are compared with.
const BATCH: usize = 100;
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
    /// Whether to fill a database with a million posts.
    pub(crate) million: bool,
    /// The numbers of the rows to measure; all where empty.
    pub(crate) only: Vec<u8>,
}

impl Settings {
    fn wants(&self, rows: &[u8]) -> bool {
        self.only.is_empty() || rows.iter().any(|it| self.only.contains(it))
    }
}

/// A running server with a group, and where its conversations are.
struct Site {
    running: Running,
    target: Target,
    group: String,
    conversations: String,
    /// The data folder: it is dropped after the server, which still writes to it.
    folkmoot: Folkmoot,
}

impl Site {
    fn open(settings: &Settings, traced: Option<&Path>) -> anyhow::Result<Site> {
        let folkmoot = Folkmoot::new(&settings.server, &settings.folder)?;
        let running = match traced {
            None => folkmoot.start()?,
            Some(lines) => folkmoot.start_traced(lines)?,
        };
        let mut target = running.target.clone();
        target.token = Some(folkmoot.token()?);
        let group = folkmoot.group()?;
        let conversations = format!("/v1.0/groups/{group}/conversations");
        Ok(Site { running, target, group, conversations, folkmoot })
    }

    fn posts(&self) -> anyhow::Result<Arc<Vec<Prepared>>> {
        let mut posts = Vec::new();
        for text in texts::all() {
            let body = serde_json::json!({ "contentType": "text", "content": text.body });
            let threads = serde_json::json!([{ "posts": [{ "body": body }] }]);
            let json = serde_json::json!({ "topic": text.topic, "threads": threads }).to_string();
            posts.push(Prepared::post(&self.conversations, json, &self.target)?);
        }
        Ok(Arc::new(posts))
    }

    fn newest(&self) -> anyhow::Result<Prepared> {
        let select = "id,topic,lastDeliveredDateTime,preview,uniqueSenders,hasAttachments";
        let path = format!("{}?$top=10&$select={select}", self.conversations);
        Prepared::get(&path, &self.target)
    }

    /// The address of one conversation and its ETag.
    async fn one(&self) -> anyhow::Result<(String, String)> {
        let answer = load::once(&self.target, &self.newest()?).await?;
        let page: serde_json::Value = serde_json::from_slice(answer.body())?;
        let id = page["value"][5]["id"].as_str().context("there are no ten conversations")?;
        let path = format!("{}/{id}", self.conversations);
        let answer = load::once(&self.target, &Prepared::get(&path, &self.target)?).await?;
        let etag = answer.headers().get(ETAG).context("a conversation without an ETag")?;
        Ok((path, etag.to_str()?.to_owned()))
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
        if settings.wants(&[13]) {
            starts(settings, round, report).await?;
        }
        if settings.wants(&[14]) {
            memory(settings, round, report).await?;
        }
    }
    if settings.million {
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

fn say(round: u32, what: &str, figure: &Figure) {
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

fn figure(ours: &Measured, other: f64) -> Figure {
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
    let site = Site::open(settings, None)?;
    let (conversations, group) = (site.conversations.clone(), site.group.clone());
    site.running.stop()?;
    let full = site.folkmoot;
    fill::fill(&full.data.path().join("folkmoot.db"), &group, fill::MILLION)?;
    // What was filled in is what the server shows, or the figure would say nothing.
    let mut running = full.start()?;
    running.target.token = Some(full.token()?);
    let newest = Prepared::get(&format!("{conversations}?$top=10"), &running.target)?;
    let answer = load::once(&running.target, &newest).await?;
    let page: serde_json::Value = serde_json::from_slice(answer.body())?;
    ensure!(page["value"][9]["topic"].is_string(), "the server does not show what was filled in");
    running.stop()?;

    let none = Folkmoot::new(&settings.server, &settings.folder)?;
    none.group()?;
    for _ in 0..settings.rounds as usize * STARTS {
        let ours = full.time_to_answer().await?;
        let other = none.time_to_answer().await?;
        report.add(Row::StartFull, Figure { ours, other: Some(other), times: None });
    }
    Ok(())
}
