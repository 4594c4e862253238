//! Graph's own examples, replayed: every file of `tests/data/graph/examples` as its page prints it.
//!
//! Each example gets a place of its own (`support/world.rs`). Ids of that place go into its path and its
//! references; headers and body are sent as they stand, beside what the pages take for granted: a token,
//! a length, and the type of a body. Examples of the tier `analogous` are shown on a message or an event
//! and are asked of a post here. `mode` says whether of a plain server, one with `--strict-graph`, or both.
//!
//! What must be equal, by the example's `compare`:
//! - `code`: status and `error.code`.
//! - `status`: the status.
//! - `shape` and `exact-shape`: the status; the media type of an answer with a body; no body where the
//!   status is 202 or 204; and every name that the example has, with a value of the same JSON type, all the
//!   way down, of arrays the first element. `null` in the example says that the name is there and nothing
//!   more; `null` in the answer is a difference. In strict mode, an answer to an `exact-shape` of the tier `core` has no
//!   names beside those of the example. A few names are not looked for, in `compare.rs`, each with its reason.
//!
//! **Invariant:** an example is answered so, or `departures.rs` has a row that says what is answered
//! instead, to the letter, and why. A row of an example that passes is an error as well.

mod compare;
mod departures;
mod request;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::World;
use departures::Departure;

/// One file.
struct Example {
    name: String,
    tier: String,
    compare: String,
    mode: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Value,
    status: u16,
    answer_type: Option<String>,
    answer: Value,
}

#[test]
fn of_a_plain_server() {
    replay("normal", &[]);
}

#[test]
fn of_a_strict_server() {
    replay("strict", &["--strict-graph"]);
}

fn replay(mode: &str, args: &[&str]) {
    let world = World::new(args);
    let mut wrong = Vec::new();
    let mut rows: Vec<Departure> =
        departures::all().into_iter().filter(|it| it.mode.includes(mode)).collect();
    for example in examples().iter().filter(|it| it.is_replayed_in(mode)) {
        let response = request::ask(&world, example);
        let found = compare::differences(example, &response, mode == "strict");
        let row = rows.iter().position(|it| it.name == example.name).map(|at| rows.swap_remove(at));
        match (found, row) {
            (None, None) => {}
            (Some(found), Some(row)) if found == row.instead => {}
            (Some(found), row) => {
                let expected = row.map(|it| it.instead);
                let text = response.text();
                wrong.push(format!(
                    "{}\n  answered: {found:?}\n  expected: {expected:?}\n  {text:.600}",
                    example.name
                ));
            }
            (None, Some(row)) => {
                wrong.push(format!(
                    "{}\n  passes: its row is out of date ({:?}, since: {})",
                    row.name, row.instead, row.why
                ));
            }
        }
    }
    let unknown = rows.iter().map(|row| format!("{}\n  has a row and is not replayed", row.name));
    wrong.extend(unknown);
    assert!(wrong.is_empty(), "{} in {mode} mode:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_index_names_every_example() {
    let index = std::fs::read_to_string(folder().join("INDEX.md")).unwrap();
    let listed: BTreeSet<_> =
        index.lines().filter_map(|it| it.strip_prefix("- `")?.split('`').next()).collect();
    let files: BTreeSet<_> = files().iter().map(|it| file_name(it)).collect();
    assert_eq!(listed, files.iter().map(String::as_str).collect());
}

impl Example {
    fn is_replayed_in(&self, mode: &str) -> bool {
        // In an outbound one, the server is the caller.
        (self.mode == mode || self.mode == "both") && self.tier != "outbound"
    }

    fn read(file: &PathBuf) -> Example {
        let text = std::fs::read_to_string(file).unwrap();
        let it: Value = serde_json::from_str(&text).unwrap();
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        let pairs = |name: &str| -> Vec<(String, String)> {
            let pairs = it[name].as_object().unwrap().iter();
            pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
        };
        let of_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
        Example {
            name: text("name"),
            tier: text("tier"),
            compare: text("compare"),
            mode: text("mode"),
            method: text("method"),
            path: text("path"),
            headers: pairs("request_headers"),
            body: it["request_body"].clone(),
            status: it["status"].as_u64().unwrap().try_into().unwrap(),
            answer_type: pairs("response_headers").into_iter().find(of_type).map(|it| it.1),
            answer: it["response_body"].clone(),
        }
    }
}

fn examples() -> Vec<Example> {
    files().iter().map(Example::read).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/graph/examples")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|it| it.unwrap().path());
    let mut files: Vec<_> = entries.filter(|it| file_name(it).ends_with(".json")).collect();
    files.sort();
    files
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
