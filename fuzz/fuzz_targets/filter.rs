//! Any text as a `$filter`, and what comes after a line's end as the parameter alias `@p`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| odata::testing::check_filter(text));
