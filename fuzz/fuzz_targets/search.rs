//! Any text as a search.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| odata::testing::check_search(text));
