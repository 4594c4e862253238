//! How a command reaches the data: through the running server, or by opening the store itself.
//!
//! **Invariant:** one process has the store at a time, the one that holds `DATA/lock`. Whatever
//! arrives over the socket is carried out by the same function as without a server.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::cli::{app, audit, group, tenant, token, user};
use crate::config::Config;
use crate::server::Server;

/// By which ways commands come: over the socket, or where no server runs, to the data folder itself.
const SOCKET: &str = "control.sock";
const FOLDER: &str = "data folder";
/// A request over the socket is no longer than this.
const REQUEST_BYTES_MAX: u64 = 1024 * 1024;

/// What a command asks of the store.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) enum Request {
    /// `folkmoot token`
    Token(token::Wanted),
    /// `folkmoot app`
    App(app::Wanted),
    /// `folkmoot user`
    User(user::Wanted),
    /// `folkmoot key rotate`
    KeyRotate { now: bool },
    /// `folkmoot group add`
    GroupAdd(group::Wanted),
    /// `folkmoot audit export`
    Audit(audit::Wanted),
    /// `folkmoot tenant list`
    TenantList,
    /// `folkmoot group invite`, `requests`, `approve` and `reject`
    GroupLet(group::Letting),
}

impl Request {
    /// What the audit calls it.
    const fn name(&self) -> &'static str {
        match self {
            Request::Token(_) => "folkmoot token",
            Request::App(wanted) => wanted.name(),
            Request::User(wanted) => wanted.name(),
            Request::KeyRotate { .. } => "folkmoot key rotate",
            Request::GroupAdd(_) => "folkmoot group add",
            Request::GroupLet(wanted) => wanted.name(),
            Request::Audit(_) => "folkmoot audit export",
            Request::TenantList => "folkmoot tenant list",
        }
    }
}

/// Carries out a request that came by `way`; what to print.
async fn carry_out(server: &Server, request: Request, way: &str) -> anyhow::Result<String> {
    let server = &server.for_command(request.name(), way);
    match request {
        Request::Token(wanted) => token::mint(server, wanted).await,
        Request::App(wanted) => app::carry_out(server, wanted).await,
        Request::User(wanted) => user::carry_out(server, wanted).await,
        Request::KeyRotate { now } => server.rotate_key(now).await,
        Request::GroupAdd(wanted) => group::add(server, wanted).await,
        Request::Audit(wanted) => audit::carry_out(server, wanted).await,
        Request::TenantList => tenant::list(server).await,
        Request::GroupLet(wanted) => group::let_in(server, wanted).await,
    }
}

/// Takes the data folder for this process; `None` where another has it.
pub(crate) fn lock(data: &Path) -> anyhow::Result<Option<File>> {
    // Keys and private words are in it.
    let mut folder = std::fs::DirBuilder::new();
    folder
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data folder {}", data.display()))?;
    let path = data.join("lock");
    let mut file = File::options();
    let file = file.create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Carries out a request on the data of `config`, and prints its answer.
pub(crate) async fn ask(config: &Config, request: Request) -> anyhow::Result<()> {
    let answer = Answerer::find(config).await?.ask(request).await?;
    crate::cli::print(&answer)
}

/// Who carries out requests: this process, while the data is its own, or the running server.
pub(crate) enum Answerer {
    Here { server: Box<Server>, _lock: File },
    There(PathBuf),
}

impl Answerer {
    /// The one for the data of `config`.
    pub(crate) async fn find(config: &Config) -> anyhow::Result<Answerer> {
        Ok(match lock(&config.data)? {
            Some(_lock) => Answerer::Here { server: Box::new(Server::open(config).await?), _lock },
            None => Answerer::There(config.data.clone()),
        })
    }

    /// The answer to a request.
    pub(crate) async fn ask(&self, request: Request) -> anyhow::Result<String> {
        match self {
            Answerer::Here { server, .. } => carry_out(server, request, FOLDER).await,
            Answerer::There(data) => ask_server(data, &request).await,
        }
    }
}

async fn ask_server(data: &Path, request: &Request) -> anyhow::Result<String> {
    let path = data.join("control.sock");
    let mut stream = UnixStream::connect(&path).await.with_context(|| {
        format!("the data folder is in use, and its server does not answer at {}", path.display())
    })?;
    stream.write_all(&serde_json::to_vec(request)?).await?;
    stream.write_all(b"\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match serde_json::from_str(&answer).context("the server's answer cannot be read")? {
        Ok::<String, String>(answer) => Ok(answer),
        Err(error) => bail!(error),
    }
}

/// Answers commands at `DATA/control.sock` for as long as the task runs.
///
/// Only the user who runs the server may connect: the socket is made in the data folder with no
/// access for others.
pub(crate) fn listen(data: &Path, server: Arc<Server>) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = data.join("control.sock");
    // Left by a server that was killed: the lock says that none runs.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen at {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors: the next would fail at once, so give some time to close.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let server = server.clone();
            tokio::spawn(async move {
                if let Err(error) = answer(stream, &server).await {
                    tracing::warn!(%error, "a command at the control socket failed");
                }
            });
        }
    });
    Ok(())
}

async fn answer(stream: UnixStream, server: &Server) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(REQUEST_BYTES_MAX)).read_line(&mut line).await?;
    let done = match serde_json::from_str(&line) {
        Ok(request) => {
            carry_out(server, request, SOCKET).await.map_err(|error| format!("{error:#}"))
        }
        Err(error) => Err(format!("a request of another version of this program: {error}")),
    };
    write.write_all(&serde_json::to_vec(&done)?).await?;
    Ok(())
}
