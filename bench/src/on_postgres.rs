//! What is measured on PostgreSQL: the server, and bare connections to the same database server.
//!
//! **Invariant:** both sides write to one PostgreSQL, durable, each in a database of its own.

use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};

use crate::load::{self, Prepared};
use crate::postgres::Cluster;
use crate::postgres_ceiling::Ceiling;
use crate::report::{Report, Row, Store};
use crate::rounds::{self, Settings};
use crate::site::{self, Site};
use crate::sizes::{self, Questions, Sizes};
use crate::{fill_postgres, postgres};

const CONNECTIONS: usize = 32;
/// Groups of the row with many.
const GROUPS: usize = 1_000;
const ROWS: [Row; 3] = [Row::PostgresMany, Row::PostgresOne, Row::PostgresNewest];

/// What the rows of the server and its ceiling are measured on.
struct Sides {
    ceiling: Ceiling,
    site: Site,
    /// Where the conversations of each group are.
    places: Vec<String>,
}

/// Measures all rounds; where that cannot be, the report says why.
pub(crate) async fn all(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let cluster = match Cluster::start(&settings.folder).await {
        Ok(cluster) => cluster,
        Err(error) => {
            missing(settings, report, &format!("{error:#}"));
            return Ok(());
        }
    };
    // Whatever was made on it is dropped before it.
    let url = cluster.database("folkmoot").await?;
    let site = match Site::on(settings, &url) {
        Ok(site) => site,
        Err(error) => {
            missing(settings, report, &format!("{error:#}"));
            return ceiling_alone(settings, &cluster).await;
        }
    };
    if settings.wants(&[12]) {
        let sides = Sides::open(&cluster, site).await?;
        for round in 1..=settings.rounds {
            sides.round(settings, round, report).await?;
        }
    }
    if settings.wants(&[6, 7]) {
        let sizes = open_sizes(settings, &cluster, report).await?;
        sizes.rounds(settings, report).await?;
    }
    Ok(())
}

impl Sides {
    /// Makes the groups, with ten conversations in each, on both sides.
    async fn open(cluster: &Cluster, site: Site) -> anyhow::Result<Sides> {
        let places = groups(&site).await?;
        for _ in 0..10 {
            load::each(&site.target, &site.posts_to(&places)?, CONNECTIONS).await?;
        }
        let url = cluster.database("ceiling").await?;
        let ceiling = Ceiling::open(&url, CONNECTIONS, GROUPS as u64).await?;
        Ok(Sides { ceiling, site, places })
    }

    /// Each row once.
    async fn round(
        &self,
        settings: &Settings,
        round: u32,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Sides { ceiling, site, places } = self;
        let mut newest = Vec::new();
        for place in places {
            newest.push(site.newest_of(place)?.anew());
        }
        let requests = [site.posts_to(places)?, site.posts()?, Arc::new(newest)];
        for (row, requests) in ROWS.into_iter().zip(requests) {
            let ours = async || {
                load::closed_loop(&site.target, requests, CONNECTIONS, settings.seconds).await
            };
            let bare = async || bare(settings, ceiling, row).await;
            let (ours, other) = if round % 2 == 1 {
                let ours = ours().await?;
                (ours, bare().await?)
            } else {
                let other = bare().await?;
                (ours().await?, other)
            };
            let figure = rounds::figure(&ours, other);
            rounds::say(round, &format!("{row:?}"), &figure);
            report.add(row, figure);
        }
        Ok(())
    }
}

async fn bare(settings: &Settings, ceiling: &Ceiling, row: Row) -> anyhow::Result<f64> {
    let groups = GROUPS as u64;
    match row {
        Row::PostgresNewest => ceiling.reads(groups, settings.seconds).await,
        Row::PostgresOne => ceiling.writes(1, settings.seconds).await,
        _ => ceiling.writes(groups, settings.seconds).await,
    }
}

/// The ceiling is worth knowing also where the server cannot be compared with it.
async fn ceiling_alone(settings: &Settings, cluster: &Cluster) -> anyhow::Result<()> {
    if !settings.wants(&[12]) {
        return Ok(());
    }
    let url = cluster.database("ceiling").await?;
    let ceiling = Ceiling::open(&url, CONNECTIONS, GROUPS as u64).await?;
    for row in ROWS {
        let rate = bare(settings, &ceiling, row).await?;
        eprintln!("{row:?}: ceiling {rate:.0}/s");
    }
    Ok(())
}

fn missing(settings: &Settings, report: &mut Report, why: &str) {
    let why = format!("not measured: {why}");
    if settings.wants(&[12]) {
        ROWS.iter().for_each(|row| report.missing(*row, &why));
    }
    for what in sizes::wanted(settings) {
        report.missing(Row::Size(Store::Postgres, what), &why);
    }
}

/// Makes the groups; where the conversations of each are.
async fn groups(site: &Site) -> anyhow::Result<Vec<String>> {
    let mut requests = Vec::new();
    for at in 0..GROUPS {
        let group = json!({ "displayName": format!("Group {at}"), "mailNickname": format!("g{at}"),
            "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": false });
        requests.push(Prepared::post("/v1.0/groups", group.to_string(), &site.target)?);
    }
    let mut places = Vec::new();
    for answer in load::each(&site.target, &requests, 8).await? {
        let group: Value = serde_json::from_slice(answer.body())?;
        places.push(site::conversations(group["id"].as_str().context("a group without an id")?));
    }
    Ok(places)
}

/// A database with a small group and a large one.
async fn open_sizes(
    settings: &Settings,
    cluster: &Cluster,
    report: &mut Report,
) -> anyhow::Result<Sizes> {
    let url = cluster.database("sizes").await?;
    let site = Site::on(settings, &url)?;
    let (small, conversations) = (site.folkmoot.group("small")?, sizes::large(settings));
    let client = postgres::connect(&url).await?;
    fill_postgres::fill(&client, &small, sizes::SMALL).await?;
    fill_postgres::fill(&client, &site.group, conversations).await?;
    client.batch_execute("vacuum analyze").await?;
    site.check().await?;
    let small = Questions::new(&site, &site::conversations(&small), sizes::SMALL).await?;
    let large = Questions::new(&site, &site.conversations, conversations).await?;
    Ok(Sizes::of(Store::Postgres, (small, large), conversations, vec![site], report))
}
