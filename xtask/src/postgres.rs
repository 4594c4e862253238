//! A PostgreSQL of our own for tests: in a folder that goes with it, for nobody else.
//!
//! **Invariant:** what was started is stopped and removed when its handle is dropped.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The user `nobody`: `initdb` and `postgres` refuse to run as root.
const NOBODY: u32 = 65_534;
/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Postgres {
    pub(crate) child: Child,
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    /// Its address, without a database: `postgres://folkmoot@127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may have been killed before: then its number is somebody else's.
        if let Ok(None) = self.child.try_wait() {
            // SIGINT, `fast`: sessions that are left are ended.
            let pid = self.child.id().to_string();
            let _ = Command::new("kill").args(["-s", "INT", &pid]).status();
            let _ = self.child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Postgres {
    /// Makes a cluster in a temporary folder and starts it on a free port of the loopback address.
    pub(crate) fn start() -> anyhow::Result<Postgres> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("folkmoot-postgres-{process}-{number}"));
        std::fs::create_dir_all(&folder)?;
        own(&folder)?;
        let made = program("initdb", &folder)?
            .args(["--auth=trust", "--username=folkmoot", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata", "data"])
            .output()
            .context("initdb cannot be started")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let url = format!("postgres://folkmoot@127.0.0.1:{port}");
        let child = launch(&folder, port)?;
        let mut started = Postgres { child, folder, port, url };
        started.wait()?;
        Ok(started)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let ready = self.folder.join("data/postmaster.pid");
        // The last line of the file says `ready` once sessions are taken.
        while !std::fs::read_to_string(&ready).is_ok_and(|it| it.contains("ready"))
            || TcpStream::connect(("127.0.0.1", self.port)).is_err()
        {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(self.folder.join("log"))?;
                bail!("postgres ended by itself ({status}): {log}");
            }
            if begun.elapsed() > START_MAX {
                bail!("postgres did not start in {} s", START_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Starts the server on the cluster in `folder`; it takes sessions some time later.
pub(crate) fn launch(folder: &Path, port: u16) -> anyhow::Result<Child> {
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", folder.display()),
        "max_connections=500".to_owned(),
        // A test kills processes and never the machine.
        "fsync=off".to_owned(),
        "log_min_messages=fatal".to_owned(),
    ];
    program("postgres", folder)?
        .args(["-D", "data"])
        .args(settings.iter().flat_map(|it| ["-c", it]))
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(folder.join("log"))?)
        .spawn()
        .context("postgres cannot be started")
}

/// A program of the server, as the user who may run it, in `folder`.
fn program(name: &str, folder: &Path) -> anyhow::Result<Command> {
    let path = programs()?.join(name);
    let mut command = if is_root()? {
        let mut command = Command::new("setpriv");
        let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
        command.args(ids).args(["--clear-groups", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir(folder);
    Ok(command)
}

/// The folder of the server's programs: on the path, or where Debian puts them.
fn programs() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = Path::new("/usr/lib/postgresql");
    let mut versions: Vec<_> = std::fs::read_dir(debian)
        .map(|found| found.filter_map(|it| Some(it.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    versions.sort();
    let mut folders = versions.into_iter().rev().chain(std::env::split_paths(&path));
    folders
        .find(|it| it.join("initdb").exists() && it.join("postgres").exists())
        .context("there is no PostgreSQL server here: install the package postgresql")
}

/// Gives a file or a folder to the user that the server runs as.
pub(crate) fn own(path: &Path) -> anyhow::Result<()> {
    if is_root()? {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

fn is_root() -> anyhow::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
