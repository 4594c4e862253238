//! What the fuzzers of `fuzz/` have kept, again, by the toolchain that everybody has.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use odata::testing::{check_path, check_query};

fn replay(target: &str, check: fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        check(&String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()));
        seen += 1;
    }
    assert!(seen > 10, "{} holds {seen} files", folder.display());
}

#[test]
fn paths() {
    replay("path", check_path);
}

#[test]
fn queries() {
    replay("query", check_query);
}
