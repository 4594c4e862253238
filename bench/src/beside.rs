//! Reads while others write: how much of their speed is left.
//!
//! **Invariant:** the reads with writers and those without ask the same of the same server, one right
//! after the other.

use std::sync::Arc;
use std::time::Duration;

use crate::load::{self, Measured, Prepared};
use crate::report::{Beside, Figure, Report, Row};
use crate::rounds::Settings;
use crate::site::{self, Site};

const READERS: usize = 16;
const WRITERS: usize = 64;

/// Asks for the newest ten of the group that is written to, and of another one.
pub(crate) async fn round(
    settings: &Settings,
    round: u32,
    report: &mut Report,
) -> anyhow::Result<()> {
    let site = Site::open(settings, None)?;
    let other = site::conversations(&site.folkmoot.group("other")?);
    let places = [site.conversations.clone(), other.clone()];
    // Both have ten to show.
    let first = site.posts_to(&places)?;
    load::closed_loop(&site.target, first, 8, Duration::from_millis(500)).await?;
    let questions = [
        (Beside::Same, site.newest()?),
        (Beside::SameAnew, site.newest()?.anew()),
        (Beside::Other, site.newest_of(&other)?),
    ];
    for (what, question) in questions {
        let question = Arc::new(vec![question]);
        let (beside, alone) = if round % 2 == 1 {
            let beside = with_writers(settings, &site, &question).await?;
            (beside, alone(settings, &site, &question).await?)
        } else {
            let alone = alone(settings, &site, &question).await?;
            (with_writers(settings, &site, &question).await?, alone)
        };
        let ((reads, writes), milliseconds) = (&beside, |it: &Measured| it.p99 as f64 / 1e3);
        eprintln!(
            "round {round}: {what:?}: {:.0} reads/s beside {:.0} writes/s, {:.0}/s alone; p99 {:.1} \
             and {:.1} ms",
            reads.rate,
            writes.rate,
            alone.rate,
            milliseconds(reads),
            milliseconds(&alone)
        );
        let note = format!("({:.0} writes/s beside them in the last round)", writes.rate);
        report.note(Row::Beside(what), &note);
        let times = Some((reads.p50, reads.p99));
        let rate = Figure { ours: reads.rate, other: Some(alone.rate), times };
        report.add(Row::Beside(what), rate);
        let (ours, other) = (milliseconds(reads), Some(milliseconds(&alone)));
        report.add(Row::BesideP99(what), Figure { ours, other, times: None });
    }
    site.running.stop()
}

async fn alone(
    settings: &Settings,
    site: &Site,
    question: &Arc<Vec<Prepared>>,
) -> anyhow::Result<Measured> {
    load::closed_loop(&site.target, question.clone(), READERS, settings.seconds).await
}

/// The reads, and the writes beside them.
async fn with_writers(
    settings: &Settings,
    site: &Site,
    question: &Arc<Vec<Prepared>>,
) -> anyhow::Result<(Measured, Measured)> {
    let writes = load::closed_loop(&site.target, site.posts()?, WRITERS, settings.seconds);
    let (reads, writes) = tokio::join!(alone(settings, site, question), writes);
    Ok((reads?, writes?))
}
