//! Any text as the path of a URL.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| odata::testing::check_path(text));
