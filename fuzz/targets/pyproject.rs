#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nyala_fuzz::pyproject::check(data));
