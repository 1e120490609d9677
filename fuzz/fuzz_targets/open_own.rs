#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| medibloc_fuzz::open_own(data));
