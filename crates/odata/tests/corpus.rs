//! What the fuzzers of `fuzz/` have kept, again, by the toolchain that everybody has.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use odata::testing::{
    check_batch, check_body, check_filter, check_option, check_path, check_query, check_search,
};

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        check(&std::fs::read(file.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen > 10, "{} holds {seen} files", folder.display());
}

#[test]
fn paths() {
    replay("path", |bytes| check_path(&String::from_utf8_lossy(bytes)));
}

#[test]
fn queries() {
    replay("query", |bytes| check_query(&String::from_utf8_lossy(bytes)));
}

#[test]
fn filters() {
    replay("filter", |bytes| check_filter(&String::from_utf8_lossy(bytes)));
}

#[test]
fn expansions() {
    replay("expand", |bytes| check_option("$expand", &String::from_utf8_lossy(bytes)));
}

#[test]
fn batches() {
    replay("batch", check_batch);
}

#[test]
fn searches() {
    replay("search", |bytes| check_search(&String::from_utf8_lossy(bytes)));
}

#[test]
fn bodies() {
    replay("body", check_body);
}
