//! `folkmoot check`: whether the store is sound.
//!
//! **Invariant:** it is one long read of what is stored at this moment, and a server may run meanwhile.
//! Exit status 0 says that everything was looked at and nothing is wrong.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::clock::Clock;
use crate::config::{Common, Config};
use crate::service::limits;
use crate::store::check::{self, Finding, Report};
use crate::store::{self, Settings, Store};

/// How long the read may take: whoever waits for it can stop it.
const DEADLINE: Duration = Duration::from_secs(7 * 86_400);
/// A step that takes less than this is not told of.
const QUIET: Duration = Duration::from_secs(1);

/// Prove that the store is sound, or print what is not, one problem a line.
///
/// Checked are the database's own files, references between rows, the feed, counters and summaries,
/// folded columns, blobs and the index. Works beside a running server of the same version, on what is
/// stored at this moment.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Config { data: folder, postgres, .. } = args.common.config()?;
    let settings = Settings {
        folder,
        postgres,
        durable: true,
        readers: 1,
        queue: 1,
        share: 1,
        read_deadline: DEADLINE,
    };
    if !store::check::is_there(&settings) {
        bail!("there is no store in {}", settings.folder.display());
    }
    let store = Store::open(&settings, &Arc::new(Clock::System)).await;
    let store = store.context("cannot open the store")?;
    let step = Arc::new(Mutex::new(""));
    tokio::spawn(say_steps(step.clone()));
    let report = store
        .read(step, |tx, step| {
            Box::pin(async move {
                let step = step.clone();
                let tell = move |finding| tell(&step, finding);
                check::check(tx, limits::PREVIEW_CHARS_MADE, &tell).await
            })
        })
        .await?;
    let Report { groups, conversations, threads, posts, attachments, blobs, problems } = report;
    match problems {
        0 => crate::cli::print(&format!(
            "sound: {groups} groups, {conversations} conversations, {threads} threads, \
             {posts} posts, {attachments} attachments, {blobs} blobs"
        )),
        1 => bail!("not sound: 1 problem"),
        _ => bail!("not sound: {problems} problems"),
    }
}

fn tell(step: &Mutex<&'static str>, finding: Finding) {
    match finding {
        // Where nobody reads any more, the exit status still says it.
        Finding::Problem(line) => drop(crate::cli::print(&line)),
        Finding::Note(line) => eprintln!("note: {line}"),
        Finding::Step(what) => *step.lock().unwrap_or_else(PoisonError::into_inner) = what,
    }
}

/// Says what is looked at, whenever it is something else than before.
async fn say_steps(step: Arc<Mutex<&'static str>>) {
    let mut said = "";
    loop {
        tokio::time::sleep(QUIET).await;
        let what = *step.lock().unwrap_or_else(PoisonError::into_inner);
        if what != said {
            eprintln!("checking {what}");
            said = what;
        }
    }
}
