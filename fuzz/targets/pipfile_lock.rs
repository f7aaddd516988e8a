#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nyala_fuzz::pipfile_lock::check(data));
