//! Any bytes as the body of a batch.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odata::testing::check_batch(bytes));
