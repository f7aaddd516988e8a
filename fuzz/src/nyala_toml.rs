//! nyala.toml.

use std::time::Duration;

use nyala::site::Settings;
use nyala::site::settings::with_key;

use super::text::{LONGEST, assert_fit_to_be_shown, with_bom, with_crlf};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let settings = match Settings::parse(text) {
        Ok(settings) => settings,
        Err(error) => return assert_fit_to_be_shown(&error.to_string(), LONGEST),
    };
    obeys_the_documentation(&settings, text);
    // In a text of several lines, what ends them is part of the text.
    let multi_line = text.contains("\"\"\"") || text.contains("'''");
    for same in [with_crlf(data).filter(|_| !multi_line), with_bom(data)].into_iter().flatten() {
        let same = String::from_utf8(same).expect("it was text before");
        assert_eq!(Settings::parse(&same).expect("it was right before"), settings);
    }
    if settings.branch.is_none() {
        for branch in ["main", "feature/\"x\"\\ü"] {
            let written =
                Settings::parse(&with_key(text, "branch", branch)).expect("it was right before");
            let mut expected = Settings { branch: Some(branch.to_owned()), ..settings.clone() };
            expected.set.insert("branch".to_owned());
            assert_eq!(written, expected);
        }
    }
}

/// The keys that docs/settings.md names.
const KEYS: [&str; 23] = [
    "actions",
    "actions_on",
    "branch",
    "build",
    "collectstatic",
    "command",
    "dependencies",
    "idle_timeout",
    "installer",
    "keep",
    "patch",
    "post_build_command",
    "pre_build_command",
    "project",
    "python",
    "python_paths",
    "repository",
    "shared",
    "staging",
    "step_timeout",
    "strict",
    "unshared",
    "webhook",
];

fn obeys_the_documentation(settings: &Settings, text: &str) {
    let table: toml::Table = text.parse().expect("it was read");
    assert_eq!(table.keys().find(|key| !KEYS.contains(&key.as_str())), None);
    assert!(settings.keep >= 1);
    assert!(
        settings
            .branch
            .as_ref()
            .is_none_or(|branch| !branch.is_empty() && !branch.starts_with("refs/"))
    );
    let times = settings.webhook.iter().map(|webhook| webhook.timeout);
    assert!(
        times
            .chain([settings.step_timeout])
            .chain(settings.idle_timeout)
            .all(|time| time > Duration::ZERO)
    );
    for path in &settings.shared {
        let mut names = path.path().to_str().expect("it was text").split('/');
        assert!(names.all(|name| !["", ".", "..", ".git"].contains(&name)), "{path}");
        assert!(!path.path().starts_with("env") && !path.to_string().contains(char::is_control));
    }
    for (at, path) in settings.shared.iter().enumerate() {
        for other in &settings.shared[..at] {
            assert!(
                !path.path().starts_with(other.path()) && !other.path().starts_with(path.path())
            );
        }
    }
    for webhook in &settings.webhook {
        assert!(webhook.url.starts_with("http://") || webhook.url.starts_with("https://"));
        assert!((1..=10).contains(&webhook.tries) && webhook.timeout <= Duration::from_hours(1));
    }
}
