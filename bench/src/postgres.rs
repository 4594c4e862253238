//! A PostgreSQL server of the benchmark's own, on a new folder.
//!
//! **Invariant:** it commits as a user's would, to the disk, and is gone with its folder when its handle
//! is dropped.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where its folder is made if its user may not enter the chosen one.
const ELSEWHERE: &str = "/var/tmp";
/// Commits wait for the disk, as they do where nothing is set (`fsync` and `synchronous_commit`).
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "max_connections=200",
];

/// A running server; dropped, it is killed before its folder is removed.
pub(crate) struct Cluster {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Cluster {
    /// A server on a new folder below `folder`, or on the same file system where the user that it runs
    /// as may not enter that: PostgreSQL does not run as root.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Cluster> {
        let programs = programs()?;
        let user = if std::fs::metadata("/proc/self")?.uid() == 0 { Some(user()?) } else { None };
        let folder = TempDir::with_prefix_in("bench-postgres-", enterable(folder, user)?)?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))?;
        }
        let data = folder.path().join("data");
        let program = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.arg("-D").arg(&data).current_dir(&folder).env("LC_ALL", "C");
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
        let made = program("initdb").args(options).output()?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = program("postgres");
        server.args(["-p", &port.to_string()]).args(SETTINGS.iter().flat_map(|it| ["-c", it]));
        let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut cluster = Cluster { child, port, _folder: folder };
        let begun = Instant::now();
        while let Err(error) = connect(&cluster.url("postgres")).await {
            if begun.elapsed() > PATIENCE || cluster.child.try_wait()?.is_some() {
                return Err(error.context("PostgreSQL does not answer"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(cluster)
    }

    /// Makes a database; its URL.
    pub(crate) async fn database(&self, name: &str) -> anyhow::Result<String> {
        let client = connect(&self.url("postgres")).await?;
        client.batch_execute(&format!("create database {name}")).await?;
        Ok(self.url(name))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGQUIT: at once, its children too.
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-QUIT", &id]).status();
        if !asked.is_ok_and(|it| it.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A connection, which ends with its handle.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The folder of the newest PostgreSQL's programs, in the places where distributions have them.
pub(crate) fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|it| Some((it.file_name().to_str()?.parse().ok()?, it.path().join("bin"))))
        .filter(|(_, it)| it.join("initdb").exists())
        .collect();
    found.sort();
    let told = || {
        let output = Command::new("pg_config").arg("--bindir").output().ok()?;
        let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        path.join("initdb").exists().then_some(path)
    };
    let found = found.pop().map(|it| it.1).or_else(told);
    found.context("PostgreSQL is not installed here (initdb was not found)")
}

/// The user and the group that root hands the server to.
fn user() -> anyhow::Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|it| it.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).context("there is no user postgres and none nobody")
}

/// `folder`, or one on the same file system if others than its owner may not enter it.
fn enterable(folder: &Path, user: Option<(u32, u32)>) -> anyhow::Result<PathBuf> {
    let folder = folder.canonicalize()?;
    let closed = |it: &Path| std::fs::metadata(it).is_ok_and(|it| it.mode() & 0o001 == 0);
    if user.is_none() || !folder.ancestors().any(closed) {
        return Ok(folder);
    }
    if std::fs::metadata(ELSEWHERE)?.dev() != std::fs::metadata(&folder)?.dev() {
        bail!("PostgreSQL does not run as root, and others may not enter {}", folder.display());
    }
    Ok(ELSEWHERE.into())
}
