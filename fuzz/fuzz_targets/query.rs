//! Any text as the query of a URL.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| odata::testing::check_query(text));
