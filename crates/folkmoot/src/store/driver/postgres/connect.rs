//! Connections to the first of several hosts that answers as it should.
//!
//! **Invariant:** a host that is silent, also after it has taken the connection, costs no more than its
//! share of time: the next one is asked.

use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use super::tls::{Connector, Encrypted};

/// How long one host may take, from the first packet until it takes statements.
const HOST_MAX: Duration = Duration::from_secs(2);

/// Connects for a pool.
#[derive(Clone)]
pub(super) struct ToAny(pub(super) Connector);

impl Connect for ToAny {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, connection) = self.any(&config).await?;
            let task = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to the database ended");
                }
            });
            Ok((client, task))
        })
    }
}

impl ToAny {
    /// A connection to the first host of `config` that is good; where none is, the last one's error, and
    /// no end where all were silent, for whoever waits knows how long.
    pub(super) async fn any(
        &self,
        config: &Config,
    ) -> Result<(Client, Connection<Socket, Encrypted<Socket>>), Error> {
        let mut last = None;
        for at in 0..config.get_hosts().len().max(1) {
            let one = only(config, at);
            match tokio::time::timeout(HOST_MAX, one.connect(self.0.clone())).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => last = Some(error),
                Err(_) => {}
            }
        }
        match last {
            Some(error) => Err(error),
            None => std::future::pending().await,
        }
    }
}

/// The same settings with the host at one place alone.
fn only(config: &Config, at: usize) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    match config.get_hosts().get(at) {
        Some(Host::Tcp(host)) => one.host(host),
        Some(Host::Unix(folder)) => one.host_path(folder),
        None => one.host("localhost"),
    };
    if let Some(address) = config.get_hostaddrs().get(at) {
        one.hostaddr(*address);
    }
    // One port is for all hosts.
    let ports = config.get_ports();
    if let Some(port) = ports.get(at).or(ports.first()) {
        one.port(*port);
    }
    one.ssl_mode(config.get_ssl_mode());
    one.channel_binding(config.get_channel_binding());
    one.target_session_attrs(config.get_target_session_attrs());
    one.connect_timeout(HOST_MAX);
    one
}
