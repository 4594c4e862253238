//! `folkmoot serve`: the server, until it is asked to stop.
//!
//! **Invariant:** `ready URL` is printed once, when requests are answered; nothing else goes to
//! standard output. A stop lets running requests end.

use std::io::IsTerminal;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use odata::value::DateTimeOffset;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::api::{Origins, Throttle};
use crate::cli::{control, user};
use crate::clock::Clock;
use crate::config::{Common, Config};
use crate::ephemeral;
use crate::issuer::{self, Issuer};
use crate::net::{self, Bounds, DevCa, Tls};
use crate::server::{Server, Subject};
use crate::service::{Service, consumers, limits};

/// How long running requests may take after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// Serve the API.
///
/// Prints `ready URL` on standard output once requests are answered. On a terminal, a curl command
/// that works is printed too. SIGTERM and SIGINT stop it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Keep nothing: for tests of programs that call Graph. Any client id and secret gets a token, and
    /// POST /_test/token gives one for any user or application
    #[arg(long)]
    ephemeral: bool,
    /// Let time stand still at this instant, such as 2026-01-01T00:00:00Z, and count ids from one: the
    /// same requests then get the same bytes in every run. Without --ephemeral, the store must be empty
    #[arg(long, value_name = "TIME", value_parser = instant)]
    fixed_clock: Option<i64>,
    /// Refuse what real Graph refuses
    #[arg(long)]
    strict_graph: bool,
    /// `dev`: serve https with a certificate of a small CA of its own, DATA/ca.pem
    #[arg(long, value_name = "dev", value_parser = ["dev"], conflicts_with_all = ["tls_cert", "tls_key"])]
    tls: Option<String>,
    /// A PEM file with the certificate chain to serve https with; it and its key are read again when they
    /// change
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// A PEM file with its key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The origin that links in answers begin with, such as https://talk.example.org
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The proxy whose X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-For are believed
    #[arg(long, value_name = "IP")]
    trust_proxy: Option<IpAddr>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    log_to_stderr();
    let mut config = args.common.config()?;
    if let Some(url) = &args.public_url {
        config.public_url = Some(url.clone());
    }
    if let Some(url) = &mut config.public_url {
        *url = origin(url)?;
    }
    config.trust_proxy = args.trust_proxy.or(config.trust_proxy);
    // Removed when this function returns.
    let temporary = if args.ephemeral { Some(ephemeral::folder()?) } else { None };
    let certificates = config.data.clone();
    if let Some(folder) = &temporary {
        let store = args.common.store.is_some() || config.postgres.is_some();
        if store || args.common.blobs.is_some() {
            bail!("--ephemeral keeps nothing: --store and --blobs do not go with it");
        }
        config.data = folder.path().to_owned();
        if !config.listen.ip().is_loopback() {
            tracing::warn!(
                "--ephemeral gives tokens to anybody, and {} can be reached from elsewhere",
                config.listen
            );
        }
    }
    let Some(_lock) = control::lock(&config.data)? else {
        bail!("another server runs on the data in {}", config.data.display());
    };
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    config.listen = listener.local_addr()?;
    let clock = args.fixed_clock.map_or(Clock::System, Clock::fixed);
    let mut server = Server::open_with(&config, !args.ephemeral, clock).await?;
    if args.fixed_clock.is_some() && !args.ephemeral && server.has_groups().await? {
        bail!("--fixed-clock needs an empty store: its ids begin anew, and these would be there");
    }
    server.set_quotas(&config).await.context("cannot set the quotas of attachments")?;
    let bounds = bounds(&config)?;
    let tls = tls(&args, &config, &server, &certificates).await?;
    if tls.is_some() && config.public_url.is_none() {
        server.set_secure();
    }
    let server = Arc::new(server);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", config.listen);
    let origins = Origins { public: config.public_url.clone(), proxy: config.trust_proxy };
    // A test must not be throttled, nor say how much is left at a time that stands still.
    let is_test = args.ephemeral || args.fixed_clock.is_some();
    let requests = config.limits.requests.unwrap_or(if is_test { 0 } else { limits::REQUESTS_MAX });
    let it = Issuer::new(server.clone(), origins.clone(), args.ephemeral);
    let more = issuer::documents(it.clone());
    let more = more.merge(match args.ephemeral {
        true => ephemeral::routes(it),
        false => issuer::routes(it),
    });
    let app = server.router(origins, args.strict_graph, Throttle::new(requests), more);
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    control::listen(&config.data, server.clone())?;
    let audit_days = config.audit_keep_days.unwrap_or(limits::AUDIT_KEPT_DAYS);
    tokio::spawn(tidy_up(server.clone(), audit_days));
    if config.postgres.is_some() {
        tokio::spawn(watch(server.clone()));
    }
    server.verifier.others().warm_up();
    let service = Service::new(server.store.clone(), server.clock.clone());
    let consumers = tokio::spawn(consumers::run(service, server.clock.id(), stop.clone()));

    crate::cli::print(&format!("ready {url}"))?;
    if std::io::stderr().is_terminal() {
        let ca = args.tls.is_some().then(|| certificates.join("ca.pem"));
        let ca = ca.map(std::path::absolute).transpose()?;
        if !args.ephemeral && !server.has_users().await? {
            let link = user::link(&server, None, None).await?;
            eprintln!(
                "\nNobody has an account yet. This link makes yours; it is good once, for 15 minutes:\n\n{link}"
            );
        }
        say_how(&server, &url, ca.as_deref()).await?;
    }
    net::serve(listener, tls, app, bounds, stop, DRAIN).await;
    let _ = consumers.await;
    let _ = std::fs::remove_file(config.data.join("control.sock"));
    Ok(())
}

/// What each connection may take.
fn bounds(config: &Config) -> anyhow::Result<Bounds> {
    let of = &config.limits;
    let time = |name: &str, seconds: Option<f64>, default| match seconds {
        None => Ok(default),
        Some(it) => Duration::try_from_secs_f64(it)
            .with_context(|| format!("{name} in [limits] is not a number of seconds")),
    };
    Ok(Bounds {
        connections: of.connections.unwrap_or(limits::CONNECTIONS_MAX),
        per_address: of.connections_per_address.unwrap_or(limits::CONNECTIONS_PER_ADDRESS_MAX),
        proxy: config.trust_proxy,
        head: time("head_seconds", of.head_seconds, limits::HEAD_MAX)?,
        body: time("body_seconds", of.body_seconds, limits::BODY_MAX)?,
        body_rate: limits::BODY_RATE,
        silence: time("silence_seconds", of.silence_seconds, limits::SILENCE_MAX)?,
        headers: limits::HEADERS_MAX,
        head_bytes: limits::HEAD_BYTES_MAX,
        streams: limits::STREAMS_MAX,
        resets: limits::RESETS_MAX,
    })
}

/// Looks for what other servers on the same database have heard of keys and applications: tokens that stand on
/// one that is gone are refused here a second later than there.
async fn watch(server: Arc<Server>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        if let Err(error) = server.trust().await {
            tracing::debug!(%error, "keys were not looked for");
        }
    }
}

/// Removes what nothing refers to any more, and of the audit what is older than so many days (0: nothing),
/// at the start and every hour.
async fn tidy_up(server: Arc<Server>, audit_days: u32) {
    let service = Service::new(server.store.clone(), server.clock.clone());
    let mut hours = tokio::time::interval(Duration::from_secs(3_600));
    loop {
        hours.tick().await;
        match service.collect_blobs().await {
            Ok(0) => {}
            Ok(blobs) => tracing::info!(blobs, "removed blobs that nothing refers to"),
            Err(error) => tracing::warn!(%error, "unused blobs were not removed"),
        }
        match service.forget_feed().await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "forgot what the feed said long ago"),
            Err(error) => tracing::warn!(%error, "the feed was not shortened"),
        }
        let forgotten = match audit_days {
            0 => Ok(0),
            days => service.forget_audit(days).await,
        };
        match forgotten {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "forgot what the audit said long ago"),
            Err(error) => tracing::warn!(%error, "the audit was not shortened"),
        }
        if let Err(error) = service.forget_invitations().await {
            tracing::warn!(%error, "invitations that have expired were not forgotten");
        }
        if let Err(error) = service.forget_sign_ins().await {
            tracing::warn!(%error, "sign-ins that have expired were not forgotten");
        }
    }
}

/// Seconds since 1970 of an instant.
fn instant(text: &str) -> Result<i64, String> {
    DateTimeOffset::parse(text)
        .map(DateTimeOffset::unix_seconds)
        .ok_or_else(|| format!("'{text}' is not a time such as 2026-01-01T00:00:00Z"))
}

/// An origin without a path and without a trailing slash.
fn origin(url: &str) -> anyhow::Result<String> {
    let origin = url.trim_end_matches('/');
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', ' ']) => {
            Ok(origin.to_owned())
        }
        _ => bail!("--public-url {url} is not an origin such as https://talk.example.org"),
    }
}

async fn tls(
    args: &Args,
    config: &Config,
    server: &Server,
    certificates: &Path,
) -> anyhow::Result<Option<Tls>> {
    if let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) {
        return Ok(Some(Tls::of_files(cert, key)?));
    }
    if args.tls.is_none() {
        return Ok(None);
    }
    let pem = server.dev_ca(|| Ok(DevCa::generate()?.to_pem())).await?;
    let ca = DevCa::from_pem(&pem)?;
    // An ephemeral server puts its CA where the caller can find it, if they said where.
    if !args.ephemeral || args.common.data.is_some() {
        std::fs::create_dir_all(certificates)?;
        let path = certificates.join("ca.pem");
        std::fs::write(&path, ca.certificate_pem())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut names = vec![config.listen.ip().to_string()];
    names.extend(config.public_url.as_deref().and_then(host_of));
    let year = server.clock.now().to_string()[..4].parse().unwrap_or(2026);
    Ok(Some(Tls::Fixed(Arc::new(ca.issue(&names, year)?))))
}

fn host_of(origin: &str) -> Option<String> {
    let host = origin.split_once("://")?.1;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => host.split(':').next()?,
    };
    Some(host.to_owned())
}

fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signal, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            signal.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

/// Tells a person at a terminal how to try it, by a command that can be pasted.
async fn say_how(server: &Server, url: &str, ca: Option<&Path>) -> anyhow::Result<()> {
    let you = Subject::User("you@example.org".into());
    let token = server.token(&you, None, None, 8 * 3_600).await?;
    let ca = ca.map(|it| format!(" --cacert '{}'", it.display())).unwrap_or_default();
    eprintln!(
        "\nIn another terminal, make a group (this token is good for eight hours):\n\n\
         TOKEN={token}\n\
         curl{ca} -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  \
         -d '{{\"displayName\":\"Readers\",\"mailNickname\":\"readers\",\"groupTypes\":[\"Unified\"],\
         \"mailEnabled\":true,\"securityEnabled\":false}}' \\\n  {url}/v1.0/groups\n"
    );
    Ok(())
}

/// Logs what `FOLKMOOT_LOG` asks for. What libraries say below `info` is left out whatever it asks for: some
/// of them write there what goes over a connection, or what a statement is given.
fn log_to_stderr() {
    use tracing::Level;
    use tracing_subscriber::filter::{FilterExt as _, filter_fn};
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    use tracing_subscriber::util::SubscriberInitExt as _;
    use tracing_subscriber::{EnvFilter, fmt, registry};
    let asked = EnvFilter::try_from_env("FOLKMOOT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let is_ours = |target: &str| target.split("::").next() == Some("folkmoot");
    let known = filter_fn(move |it| *it.level() <= Level::INFO || is_ours(it.target()));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    registry().with(lines.with_filter(asked.and(known))).init();
}
