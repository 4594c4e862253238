//! Those who work through the feed: each group's changes, in order, soon after they were made.
//!
//! **Invariant:** what a consumer does with a portion of rows and the move of its cursor are one
//! command, so killing it at any point loses nothing and does nothing twice.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ids::GroupId;
use crate::service::{Error, Service};
use crate::store::work::{self, FeedRow};
use crate::store::{self, Tx, unseen};

/// How long a portion of work may take before another may take it over; ticks.
const LEASE_TICKS: i64 = 30 * TICKS_A_SECOND;
const TICKS_A_SECOND: i64 = 10_000_000;
/// Rows of a portion.
const ROWS_MAX: i64 = 2_000;
/// Between two rounds: what is written meanwhile goes together.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest between two rounds: what another process has written is looked for that often.
const POLL: Duration = Duration::from_secs(1);

type Applied<'t> = BoxFuture<'t, Result<(), store::Error>>;

/// One that is interested in every group's feed.
#[derive(Clone, Copy)]
struct Consumer {
    name: &'static str,
    apply: for<'t> fn(&'t mut Tx, GroupId, &'t [FeedRow]) -> Applied<'t>,
}

/// The name of the consumer that unseen counts come from.
pub(super) const UNSEEN: &str = "unseen";

const CONSUMERS: [Consumer; 1] =
    [Consumer { name: UNSEEN, apply: |tx, group, rows| unseen::apply(tx, group, rows).boxed() }];

/// Works until `stop`; `owner` holds its leases: this run of this process.
pub(crate) async fn run(service: Service, owner: Uuid, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let changed = service.store.changed();
        for consumer in CONSUMERS {
            if let Err(error) = round(&service, consumer, owner).await {
                tracing::warn!(consumer = consumer.name, %error, "the feed could not be worked on");
            }
        }
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = changed => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Does all that is due for a consumer.
async fn round(service: &Service, consumer: Consumer, owner: Uuid) -> Result<(), Error> {
    loop {
        let (now, name) = (service.now_ticks(), consumer.name);
        let any =
            service.store.read((), move |tx, ()| Box::pin(work::any_due(tx, name, now))).await?;
        if !any {
            return Ok(());
        }
        let groups = service
            .store
            .write(Uuid::nil(), (), move |tx, ()| {
                Box::pin(work::claim(tx, name, owner, now, now + LEASE_TICKS))
            })
            .await?;
        // Their rows are the consumer's own, so that groups can go together.
        service
            .store
            .write(Uuid::nil(), groups, move |tx, groups| {
                Box::pin(async move {
                    for group in groups {
                        portion(tx, consumer, owner, *group).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await?;
    }
}

async fn portion(
    tx: &mut Tx,
    consumer: Consumer,
    owner: Uuid,
    group: GroupId,
) -> Result<(), Error> {
    let Some(cursor) = work::cursor(tx, consumer.name, owner, group).await? else {
        // Another has taken it over.
        return Ok(());
    };
    let rows = work::rows(tx, group, cursor, ROWS_MAX).await?;
    (consumer.apply)(tx, group, &rows).await?;
    let cursor = rows.last().map_or(cursor, |it| it.seq);
    work::advance(tx, consumer.name, group, cursor).await?;
    // What they keep is another for each caller, and such answers are not kept.
    tx.unshown();
    Ok(())
}
