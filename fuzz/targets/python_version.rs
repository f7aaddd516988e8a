#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nyala_fuzz::python_version::check(data));
