//! What was measured on, for the last line of the report.
//!
//! **Invariant:** what cannot be found out is left out, and stops nothing.

use std::path::Path;
use std::process::Command;

use crate::rounds::Settings;

/// Machine, disk and versions, and how to read the table.
pub(crate) fn describe(settings: &Settings) -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts = vec![format!("{processors} processors")];
    let cpu =
        line("/proc/cpuinfo", "model name").map(|it| it.trim_start_matches(':').trim().to_owned());
    parts.extend(cpu);
    let memory = line("/proc/meminfo", "MemTotal:").and_then(|it| {
        let kilobytes = it.trim().strip_suffix(" kB")?.parse::<u64>().ok()?;
        Some(format!("{} GiB", kilobytes >> 20))
    });
    parts.extend(memory);
    parts.extend(file_system(&settings.folder).map(|it| format!("{it} below the databases")));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    parts.extend(kernel.map(|it| format!("Linux {}", it.trim())));
    parts.extend(version(&settings.server));
    parts.push(format!("SQLite {}", rusqlite::version()));
    parts.extend(crate::postgres::programs().ok().and_then(|it| version(&it.join("postgres"))));
    parts.extend(version(Path::new("rustc")));
    format!(
        "Machine: {}.\n\n{} rounds, {} s a measurement. A and B run in turn, and each ratio is of two \
         neighbours; the middle ratio of all rounds stands first. The load generator shares the \
         processors with whatever it measures, Folkmoot and bare axum alike; the bare databases have \
         them for themselves. In row 6 some questions to the large group and \
         some to the small one go by turns, and the small one stands in the column of ceilings; in \
         row 8 the reads alone stand there.",
        parts.join(", "),
        settings.rounds,
        settings.seconds.as_secs_f64(),
    )
}

fn line(file: &str, prefix: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|it| it.strip_prefix(prefix))?;
    Some(line.trim().to_owned())
}

fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The type of the file system that `folder` is on: that of the longest mount point above it.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    let fields = mounts.lines().map(|it| it.split(' ').collect::<Vec<_>>());
    let above = fields.filter(|it| it.len() > 2 && folder.starts_with(it[1]));
    above.max_by_key(|it| it[1].len()).map(|it| it[2].to_owned())
}
