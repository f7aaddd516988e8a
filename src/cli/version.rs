//! `nyala --version`, and with `--verbose`, the commit and how it was built, as `build.rs` records
//! it.

use jiff::Timestamp;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn print(is_verbose: bool) {
    say!("nyala {VERSION}");
    if !is_verbose {
        return;
    }
    for (name, value) in [
        ("commit", env!("NYALA_COMMIT")),
        ("date", &date(env!("NYALA_BUILD_TIME"))),
        ("target", env!("NYALA_TARGET")),
        ("profile", env!("NYALA_PROFILE")),
        ("rustc", env!("NYALA_RUSTC").trim_start_matches("rustc ")),
    ] {
        say!("{name}: {}", if value.is_empty() { "not recorded" } else { value });
    }
}

/// The time of the commit, or what `SOURCE_DATE_EPOCH` says in its place; empty when neither is
/// known.
fn date(seconds: &str) -> String {
    let time = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_a_build_is_in_utc_or_not_known() {
        assert_eq!(date("1700000000"), "2023-11-14T22:13:20Z");
        assert_eq!(date(""), "");
        assert_eq!(date("yesterday"), "");
        assert_eq!(date("99999999999999"), "");
    }
}
