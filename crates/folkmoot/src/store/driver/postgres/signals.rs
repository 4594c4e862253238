//! Words between processes on one database: that something was committed.
//!
//! **Invariant:** a word is sent after its commit and never inside a transaction, where it would hold
//! all others up; what is committed while one is on its way shares the next. A lost one costs a
//! second, because listeners look by themselves that often.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::poll_fn;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio_postgres::{AsyncMessage, Config};

use super::connect::ToAny;

/// The channel's name.
const CHANNEL: &str = "folkmoot_feed";
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// What this process says and hears.
pub(super) struct Signals {
    committed: Arc<Notify>,
    changed: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Signals {
    /// Connects, once and whenever the connection is lost.
    pub(super) fn start(config: Config, connector: ToAny) -> Signals {
        let (committed, changed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (said, heard) = (committed.clone(), changed.clone());
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = talk(&config, &connector, &said, &heard).await {
                    tracing::debug!(%error, "no word from other processes");
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Signals { committed, changed, task }
    }

    /// Tells everybody of a commit, soon.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
        self.committed.notify_one();
    }

    /// Ends with the next commit that is told of.
    pub(super) fn changed(&self) -> OwnedNotified {
        self.changed.clone().notified_owned()
    }
}

/// Listens and tells over one connection until it ends.
async fn talk(
    config: &Config,
    connector: &ToAny,
    said: &Notify,
    heard: &Notify,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = connector.any(config).await?;
    let listen = async {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(_) = message? {
                heard.notify_waiters();
            }
        }
        Ok(())
    };
    let tell = async {
        client.batch_execute(&format!("listen {CHANNEL}")).await?;
        loop {
            said.notified().await;
            client.batch_execute(&format!("notify {CHANNEL}")).await?;
        }
    };
    tokio::select! {
        ended = listen => ended,
        ended = tell => ended,
    }
}
