//! Processes that are measured: Folkmoot and the bare axum server.
//!
//! **Invariant:** none outlives its handle.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::load::{self, Prepared, Target};

/// How long a process may take to say that it is ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that has said `ready URL`; ended with its handle.
pub(crate) struct Running {
    child: Child,
    /// What it writes to its standard error.
    log: File,
    pub(crate) target: Target,
}

impl Running {
    fn start(command: &mut Command) -> anyhow::Result<Running> {
        let shown = Path::new(command.get_program()).file_name().unwrap_or_default();
        let shown = shown.to_string_lossy().into_owned();
        let log = tempfile::tempfile()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?)
            .spawn()
            .with_context(|| format!("{shown} cannot be started"))?;
        let target = Target { address: String::new(), token: None };
        let mut running = Running { child, log, target };
        let out = running.child.stdout.take().context("a child without an output")?;
        let (line, found) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(out).read_line(&mut text);
            let _ = line.send(text);
        });
        let text = found.recv_timeout(PATIENCE).unwrap_or_default();
        let address = text.trim().strip_prefix("ready http://");
        let Some(address) = address else {
            let log = running.log()?;
            bail!("{shown} was not ready: {}", log.lines().last().unwrap_or("it wrote nothing"));
        };
        running.target.address = address.to_owned();
        Ok(running)
    }

    /// Resident memory in MB (10^6 bytes).
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path)?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB"));
        Ok(kilobytes.context("no VmRSS")?.trim().parse::<f64>()? * 1_024.0 / 1e6)
    }

    fn log(&mut self) -> anyhow::Result<String> {
        let mut text = String::new();
        self.log.rewind()?;
        self.log.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Asks the process to stop and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                bail!("a server did not stop");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A server that failed explains an answer that did not come.
        if let Ok(Some(status)) = self.child.try_wait()
            && !status.success()
        {
            eprintln!("a server had ended by itself: {status}");
        }
        for line in self.log().iter().flat_map(|it| it.lines()).filter(|it| it.contains("panick")) {
            eprintln!("a server said: {line}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bare axum with one answer.
pub(crate) fn axum(program: &Path, answer: &Path) -> anyhow::Result<Running> {
    Running::start(Command::new(program).arg("axum-ceiling").arg(answer))
}

/// A data folder, and how to run the server on it.
pub(crate) struct Folkmoot {
    server: PathBuf,
    pub(crate) data: TempDir,
    /// The URL of its database, where that is not in the folder.
    store: Option<String>,
}

impl Folkmoot {
    /// An empty folder inside `folder`.
    pub(crate) fn new(server: &Path, folder: &Path) -> anyhow::Result<Folkmoot> {
        let data = tempfile::Builder::new().prefix("bench-folkmoot-").tempdir_in(folder)?;
        // Requests are counted as they always are, and never too many.
        let limits = format!("[limits]\nrequests = {}\n", u32::MAX);
        std::fs::write(data.path().join("bench.toml"), limits)?;
        Ok(Folkmoot { server: server.to_owned(), data, store: None })
    }

    /// The same with its database elsewhere.
    pub(crate) fn on(mut self, store: &str) -> Folkmoot {
        self.store = Some(store.to_owned());
        self
    }

    /// Starts the server.
    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        Running::start(self.serve(&mut Command::new(&self.server)))
    }

    /// Starts it under strace, which writes a line for each call that waits for the disk. Its filter
    /// runs in the kernel: other calls are as fast as without.
    pub(crate) fn start_traced(&self, lines: &Path) -> anyhow::Result<Running> {
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o"]);
        Running::start(self.serve(command.arg(lines).arg(&self.server)))
    }

    fn serve<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        self.place(command.arg("serve").args(["--listen", "127.0.0.1:0"]))
    }

    /// Adds where its data are.
    fn place<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.arg("--data").arg(self.data.path());
        command.arg("--config").arg(self.data.path().join("bench.toml"));
        if let Some(url) = &self.store {
            command.args(["--store", url]);
        }
        command
    }

    /// Milliseconds from the start of the process to its first answer.
    pub(crate) async fn time_to_answer(&self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let running = self.start()?;
        let health = Prepared::get("/healthz", &running.target)?;
        load::once(&running.target, &health).await?;
        let taken = begun.elapsed().as_secs_f64() * 1e3;
        running.stop()?;
        Ok(taken)
    }

    /// A token for a user.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        self.ask(&["token", "--user", "ada@example.org"])
    }

    /// Makes a group of that user's; its id.
    pub(crate) fn group(&self, nickname: &str) -> anyhow::Result<String> {
        let add = ["group", "add", "--name", nickname, "--nickname", nickname];
        self.ask(&[&add[..], &["--owner", "ada@example.org"]].concat())
    }

    fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.server);
        let output = self.place(command.args(arguments)).output()?;
        if !output.status.success() {
            bail!("{} failed: {}", arguments[0], String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}
