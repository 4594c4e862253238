//! Any text as an `$expand`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| odata::testing::check_option("$expand", text));
