#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| medibloc_fuzz::cda_value(data));
