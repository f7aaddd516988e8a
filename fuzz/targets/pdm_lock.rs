#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nyala_fuzz::pdm_lock::check(data));
