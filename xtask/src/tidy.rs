//! What the compiler does not check: who may use whom, how long files grow, whether documents name
//! things that exist.
//!
//! **Invariant:** the rules are the tables in this file; a rule that is to change changes here, with
//! its reason in ARCHITECTURE.md.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Each room of the `folkmoot` crate and the rooms that it may use.
const ARROWS: [(&str, &[&str]); 17] = [
    ("main.rs", &[]),
    ("lib.rs", &["cli"]),
    (
        "cli",
        &[
            "access",
            "api",
            "auth",
            "clock",
            "config",
            "ephemeral",
            "issuer",
            "net",
            "server",
            "service",
            "store",
        ],
    ),
    ("config.rs", &["auth", "ids"]),
    ("ephemeral.rs", &["auth", "issuer", "server", "service"]),
    ("issuer", &["api", "auth", "ids", "server", "service"]),
    ("server.rs", &["api", "auth", "clock", "config", "ids", "service", "store"]),
    ("api", &["access", "auth", "clock", "ids", "model", "net", "service"]),
    ("net", &[]),
    ("service", &["access", "auth", "clock", "ids", "model", "store", "text"]),
    ("store", &["access", "auth", "clock", "ids", "model", "text"]),
    ("access.rs", &["auth", "ids"]),
    ("auth", &["net"]),
    ("model", &[]),
    ("clock.rs", &[]),
    ("ids.rs", &["clock"]),
    ("text.rs", &[]),
];

/// Words that only some rooms may write, and which.
const WORDS: [(&str, &[&str]); 5] = [
    ("rusqlite", &["store/driver/"]),
    (
        "sqlite",
        &[
            "store/driver/",
            "store/dialect.rs",
            "store/migrate.rs",
            "store/mod.rs",
            "config.rs",
            "cli/serve.rs",
        ],
    ),
    ("axum", &["api/", "net/", "server.rs", "ephemeral.rs", "issuer/"]),
    ("http::", &["api/", "net/", "server.rs", "ephemeral.rs", "issuer/"]),
    ("\"select ", &["store/"]),
];

/// Lines of a source file at most, unless its module doc gives the reason ("Long because").
const LINES_MAX: usize = 600;

/// Documents whose paths must exist.
const DOCUMENTS: [&str; 9] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "clients/README.md",
    "docs/adr/README.md",
    "docs/beyond-graph.md",
    "docs/dependencies.md",
    "docs/identity.md",
];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    println!("\n== tidy");
    let mut problems = Vec::new();
    let source = root.join("crates/folkmoot/src");
    for file in files(&source, "rs")? {
        let text = read(&file)?;
        let name = file.strip_prefix(&source)?.to_string_lossy().into_owned();
        arrows(&name, &text, &mut problems);
        words(&name, &text, &mut problems);
    }
    for folder in ["crates", "xtask/src", "bench/src", "fuzz/fuzz_targets"] {
        for file in files(&root.join(folder), "rs")? {
            let name = file.strip_prefix(root)?.to_string_lossy().into_owned();
            shape(&name, &read(&file)?, &mut problems);
        }
    }
    for document in DOCUMENTS {
        paths(root, document, &mut problems)?;
    }
    dependencies(root, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{} things are not tidy:\n{}", problems.len(), problems.join("\n"))
}

/// Each `crate::room` that a file names must be one that its own room may use.
fn arrows(name: &str, text: &str, problems: &mut Vec<String>) {
    let room = name.split('/').next().unwrap_or(name);
    let Some((_, allowed)) = ARROWS.iter().find(|(it, _)| *it == room) else {
        problems.push(format!("{name}: the room {room} has no row in ARROWS of xtask/src/tidy.rs"));
        return;
    };
    let own = room.trim_end_matches(".rs");
    for (number, line) in text.lines().enumerate() {
        for used in line.split("crate::").skip(1) {
            let used: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let known = used.is_empty() || used == own || allowed.contains(&used.as_str());
            let is_room = ARROWS.iter().any(|(it, _)| it.trim_end_matches(".rs") == used);
            if !known && is_room && !line.trim_start().starts_with("//") {
                problems.push(format!("{name}:{}: {own} may not use {used}", number + 1));
            }
        }
    }
}

fn words(name: &str, text: &str, problems: &mut Vec<String>) {
    // What tests do, and what comments say, binds nobody.
    let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
    if name.ends_with("tests.rs") || name.ends_with("explain.rs") {
        return;
    }
    for (word, rooms) in WORDS {
        if rooms.iter().any(|room| name.starts_with(room)) {
            continue;
        }
        for (number, line) in text[..tests].lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if code.contains(word) {
                let why = format!("{word:?} belongs to {}", rooms.join(", "));
                problems.push(format!("{name}:{}: {why}", number + 1));
            }
        }
    }
}

/// Files begin by saying what they are, and end in good time.
fn shape(name: &str, text: &str, problems: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LINES_MAX && !text.contains("Long because") {
        problems.push(format!("{name}: {lines} lines, more than {LINES_MAX} without a reason"));
    }
    if !text.starts_with("//!") {
        problems.push(format!("{name}: does not begin with what it is"));
    }
    let is_source = name.contains("/src/") && !name.ends_with("main.rs");
    let head = text.lines().take_while(|it| it.starts_with("//!")).collect::<Vec<_>>().join("\n");
    let is_test = name.ends_with("tests.rs") || name.ends_with("explain.rs");
    if is_source && !is_test && !head.contains("**Invariant:**") {
        problems.push(format!("{name}: its module doc names no invariant"));
    }
}

/// Every path in backquotes that a document names, and every link to a file, must exist.
fn paths(root: &Path, document: &str, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let text = read(&root.join(document))?;
    let folder = root.join(document);
    let folder = folder.parent().unwrap_or(root);
    for (number, line) in text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        let linked = line.split("](").skip(1).filter_map(|it| it.split(')').next());
        for path in quoted.chain(linked) {
            let path = path.split('#').next().unwrap_or(path);
            let is_path = (path.contains('/') || path.ends_with(".md") || path.ends_with(".toml"))
                && !path.contains([' ', '{', '$', '*', '<', ':', '\\', '@', '='])
                && !path.starts_with(['/', '-', '~'])
                && !path.starts_with("DIR/");
            let rooms = root.join("crates/folkmoot/src");
            let exists = [root, folder, &rooms].iter().any(|base| base.join(path).exists());
            if is_path && !exists {
                problems.push(format!("{document}:{}: {path} does not exist", number + 1));
            }
        }
    }
    Ok(())
}

/// Every dependency has its reason in docs/dependencies.md, and none stands there without being one.
fn dependencies(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let manifest = read(&root.join("Cargo.toml"))?;
    let table = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let table = table.split("\n[").next().unwrap_or_default();
    let named: Vec<_> = table
        .lines()
        .filter(|it| !it.starts_with('#'))
        .filter_map(|it| it.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|it| *it != "odata")
        .collect();
    let reasons = read(&root.join("docs/dependencies.md"))?;
    for name in &named {
        if !reasons.contains(&format!("| {name} |")) {
            problems.push(format!("docs/dependencies.md: no reason is given for {name}"));
        }
    }
    let rows = reasons.lines().filter_map(|it| it.strip_prefix("| ")?.split(" |").next());
    for row in rows.filter(|it| *it != "crate" && !it.starts_with("---")) {
        if !named.contains(&row) {
            problems.push(format!("docs/dependencies.md: {row} is not a dependency"));
        }
    }
    Ok(())
}

fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
