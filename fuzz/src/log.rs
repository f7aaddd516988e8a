//! What children print and how it is shown: without secrets, and without anything a terminal acts
//! on.
//!
//! The input is settings, one value a line, an empty line, and what is printed.

use nyala::console::Mask;
use nyala::text;

pub fn check(data: &[u8]) {
    let given = String::from_utf8_lossy(data);
    let (settings, printed) = given.split_once("\n\n").unwrap_or(("", &given));
    let mask = Mask::new(settings.lines());
    let secrets: Vec<String> =
        settings.lines().map(str::trim).filter(|value| is_secret(value)).flat_map(forms).collect();
    let assert_hidden = |shown: &str| {
        for secret in &secrets {
            assert!(!shown.contains(secret.as_str()), "{secret:?} in {shown:?}");
        }
    };

    assert_hidden(&mask.apply(printed));
    let mut begun = Vec::new();
    let lines: Vec<_> = printed.split('\n').map(|line| mask.apply_on(&mut begun, line)).collect();
    for line in &lines {
        assert_hidden(line);
    }
    assert_hidden(&lines.concat());
    assert_cuts_are_safe(&mask, printed, &assert_hidden);

    let without_settings = Mask::default();
    let masked = without_settings.apply(printed);
    assert_no_credentials(&masked);
    assert_eq!(without_settings.apply(&masked), masked);

    for line in data.split(|byte| *byte == b'\n') {
        assert_clean(line);
    }
}

/// By the documentation, the values that are hidden. What has stars in it could stand beside those
/// that hide another.
fn is_secret(value: &str) -> bool {
    const PLAIN: [&str; 16] = [
        "critical",
        "debug",
        "development",
        "disabled",
        "enabled",
        "error",
        "false",
        "info",
        "localhost",
        "master",
        "none",
        "production",
        "staging",
        "testing",
        "true",
        "warning",
    ];
    let length = value.chars().count();
    let of_one_kind =
        value.chars().all(char::is_alphabetic) || value.bytes().all(|byte| byte.is_ascii_digit());
    let is_version =
        value.contains('.') && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let long_enough = length >= 6 || (length >= 4 && !of_one_kind);
    long_enough
        && !is_version
        && !value.contains('*')
        && !PLAIN.contains(&value.to_lowercase().as_str())
}

/// A value as it is, in a URL, and in JSON.
fn forms(value: &str) -> [String; 3] {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let percent = |byte: u8| {
        if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let json = serde_json::to_string(value).expect("a text can be written");
    [value.to_owned(), value.bytes().map(percent).collect(), json[1..json.len() - 1].to_owned()]
}

fn assert_cuts_are_safe(mask: &Mask, printed: &str, assert_hidden: &dyn Fn(&str)) {
    for at in [printed.len() / 3, printed.len() / 2, printed.len().saturating_sub(7)] {
        let at = (0..=at).rev().find(|at| printed.is_char_boundary(*at)).unwrap_or_default();
        let (before, after) = printed.split_at(mask.safe_cut(printed.as_bytes(), at));
        let shown = [before, after].map(|half| mask.apply(half).into_owned());
        assert_hidden(&shown.concat());
    }
}

/// Between `://` and the `@` of a host is nothing but stars, or the user of ssh.
fn assert_no_credentials(masked: &str) {
    for (at, _) in masked.match_indices("://") {
        let rest = &masked[at + 3..];
        let authority = rest
            .split(|c: char| c.is_ascii_whitespace() || "/?#".contains(c))
            .next()
            .unwrap_or_default();
        let Some((user, _)) = authority.rsplit_once('@') else { continue };
        let is_name = masked[..at].ends_with("ssh") && !user.contains(':');
        assert!(user.is_empty() || user == "****" || is_name, "{authority:?}");
    }
}

fn assert_clean(line: &[u8]) {
    let shown = text::clean_bytes(line);
    let harmful = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!shown.contains(harmful), "{shown:?}");
    assert_eq!(text::clean(&shown), shown);
    // What is harmless is left as it is.
    if let Ok(line) = std::str::from_utf8(line)
        && !line.contains(harmful)
    {
        assert_eq!(shown, line);
    }
}
