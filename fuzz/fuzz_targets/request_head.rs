#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| biotrack_auth_fuzz::request_head(bytes));
