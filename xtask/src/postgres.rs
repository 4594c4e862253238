//! A PostgreSQL of our own for tests: in a folder that goes with it, for nobody else.
//!
//! **Invariant:** what was started is stopped and removed when its handle is dropped.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The user `nobody`: `initdb` and `postgres` refuse to run as root.
const NOBODY: u32 = 65_534;
/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Postgres {
    child: Child,
    folder: PathBuf,
    /// Its address, without a database: `postgres://folkmoot@127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT, `fast`: sessions that are left are ended.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", "INT", &pid]).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Postgres {
    /// Makes a cluster in a temporary folder and starts it on a free port of the loopback address.
    pub(crate) fn start() -> anyhow::Result<Postgres> {
        let programs = programs()?;
        let folder = std::env::temp_dir().join(format!("folkmoot-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let as_nobody = is_root()?;
        if as_nobody {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let data = folder.join("data");
        let program = |name: &str| {
            let path = programs.join(name);
            if !as_nobody {
                return Command::new(path);
            }
            let mut command = Command::new("setpriv");
            let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
            command.args(ids).args(["--clear-groups", "--"]).arg(path);
            command
        };
        let made = program("initdb")
            .args(["--auth=trust", "--username=folkmoot", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata"])
            .arg(&data)
            .current_dir(&folder)
            .output()
            .context("initdb cannot be started")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", folder.display()),
            "max_connections=500".to_owned(),
            // A test kills processes and never the machine.
            "fsync=off".to_owned(),
            "log_min_messages=fatal".to_owned(),
        ];
        let child = program("postgres")
            .arg("-D")
            .arg(&data)
            .args(settings.iter().flat_map(|it| ["-c", it]))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()
            .context("postgres cannot be started")?;
        let url = format!("postgres://folkmoot@127.0.0.1:{port}");
        let mut started = Postgres { child, folder, url };
        started.wait(port)?;
        Ok(started)
    }

    fn wait(&mut self, port: u16) -> anyhow::Result<()> {
        let begun = Instant::now();
        let ready = self.folder.join("data/postmaster.pid");
        // The last line of the file says `ready` once sessions are taken.
        while !std::fs::read_to_string(&ready).is_ok_and(|it| it.contains("ready"))
            || TcpStream::connect(("127.0.0.1", port)).is_err()
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

fn is_root() -> anyhow::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
