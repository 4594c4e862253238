//! The benchmark: Folkmoot against what the machine can do, both in one run.
//!
//! **Invariant:** a ratio compares two measurements that were made one after the other, by the same
//! load generator, on the same machine; a figure that could not be measured is said to be missing.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod axum_ceiling;
mod beside;
mod dear;
mod fill;
mod fill_postgres;
mod load;
mod machine;
mod on_postgres;
mod postgres;
mod postgres_ceiling;
mod process;
mod report;
mod rounds;
mod searches;
mod site;
mod sizes;
mod sqlite_ceiling;
mod texts;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::report::Report;
use crate::rounds::Settings;

/// As in the server: otherwise the two sides of a ratio would differ by it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Folkmoot and its ceilings in turn and prints a table in Markdown.
#[derive(Parser)]
#[command(name = "bench")]
struct Args {
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// Two seconds for each measurement, ten for the load before memory is looked at
    #[arg(long)]
    short: bool,
    /// Also measures what takes minutes to fill: a start on a million posts, and reads among a million
    /// conversations instead of a hundred thousand, on both stores
    #[arg(long)]
    long: bool,
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Only the rows with these numbers, such as 1,4; 1, 2 and 3 go together, and so do 4 and 5; 12 and
    /// a part of 6 and 7 need PostgreSQL's programs
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=14))]
    only: Vec<u8>,
    /// The server [default: folkmoot beside this program]
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Where the databases are made; it should be on the disk in question [default: beside this program]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves one prepared answer by bare axum: the ceiling of the reads, started by the benchmark
    #[command(hide = true)]
    AxumCeiling {
        /// The file with the answer
        answer: PathBuf,
    },
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|it| (0.2..=3_600.0).contains(it));
    seconds.ok_or_else(|| format!("'{text}' is not a number of seconds from 0.2 to 3600"))
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // The generator has as many threads as the server has: one for each processor.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(Command::AxumCeiling { answer }) = &args.command {
        return runtime.block_on(axum_ceiling::serve(answer));
    }
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let beside = program.parent().context("this program is in no folder")?.to_owned();
    let server = args.server.unwrap_or_else(|| beside.join("folkmoot"));
    let settings = Settings {
        program,
        server: std::path::absolute(&server)?,
        folder: args.folder.unwrap_or(beside),
        seconds: Duration::from_secs_f64(if args.short { 2.0 } else { args.seconds }),
        load_before_memory: Duration::from_secs(if args.short { 10 } else { 60 }),
        rounds: args.rounds,
        long: args.long,
        only: args.only,
    };
    let mut report = Report::default();
    runtime.block_on(rounds::all(&settings, &mut report))?;
    println!("{}", report.table());
    println!("{}", machine::describe(&settings));
    Ok(())
}
