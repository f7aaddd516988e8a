#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nyala_fuzz::uv_lock::check(data));
