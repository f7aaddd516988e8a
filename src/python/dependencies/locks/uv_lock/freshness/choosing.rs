//! How versions were chosen: the `[options]` of a lock, against `[tool.uv]` or uv.toml, and what
//! settings of the site say in the place of those. As uv 0.13 has it: a lock stays as it is where
//! more files count now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use toml::{Table, Value};

use super::super::super::Manifests;
use super::super::super::error::LockError;
use super::super::super::marker::normalized;
use super::super::file::Lock;
use super::manifest::Manifest;

/// Fails when versions would be chosen otherwise now.
pub(super) fn check(
    lock: &Lock,
    manifest: &Manifest<'_>,
    settings: &Table,
    manifests: &Manifests,
) -> Result<(), LockError> {
    let options = &lock.options;
    let of_site = |key: &str| manifests.of_site.get(key).cloned().map(Value::String);
    let now = |key: &str| of_site(key).or_else(|| settings.get(key).cloned());
    let place = match manifests.uv_toml {
        Some(_) => "uv.toml".to_owned(),
        None => manifest.place_of_settings(),
    };
    let unstated = |setting: String| LockError::Unstated { setting, place: place.clone() };
    for (key, then, default) in [
        ("resolution", &options.resolution_mode, "highest"),
        ("prerelease", &options.prerelease_mode, "if-necessary-or-explicit"),
        ("fork-strategy", &options.fork_strategy, "requires-python"),
    ] {
        let then = then.as_deref().unwrap_or(default);
        match now(key) {
            Some(now) if now.as_str() != Some(then) => {
                return Err(manifest.stale(format!("{key} has changed there")));
            }
            None if then != default => {
                return Err(unstated(format!("{key} = {}", Value::from(then))));
            }
            _ => {}
        }
    }
    let then = options.exclude_newer_span.as_ref().or(options.exclude_newer.as_ref());
    let now = now("exclude-newer").filter(|value| value.as_bool() != Some(false));
    match (now, then) {
        (Some(_), None) => return Err(manifest.stale("exclude-newer is new there")),
        (None, Some(then)) => {
            return Err(unstated(format!("exclude-newer = {}", Value::from(then.as_str()))));
        }
        (Some(now), Some(then)) if !Cutoff::of(&now).allows(&Cutoff::of_text(then)) => {
            return Err(manifest.stale("exclude-newer has changed there"));
        }
        _ => {}
    }
    for (key, then) in [
        ("exclude-newer-package", &options.exclude_newer_package),
        ("prerelease-package", &options.prerelease_package),
    ] {
        let now = settings.get(key).and_then(Value::as_table);
        let now: BTreeMap<String, &Value> =
            now.into_iter().flatten().map(|(name, value)| (normalized(name), value)).collect();
        if now.is_empty() && !then.is_empty() {
            return Err(unstated(format!("{key} = {}", inline(then))));
        }
        let names: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
        for name in names {
            let is_fresh = match (now.get(name), then.get(name)) {
                (Some(now), Some(then)) if *now == then => true,
                _ if key == "prerelease-package" => false,
                (_, None) if !lock.packages.iter().any(|it| it.name == *name) => true,
                (Some(now), then) => {
                    now.as_bool() == Some(false)
                        || then.is_some_and(|then| Cutoff::of(now).allows(&Cutoff::of(then)))
                }
                (None, _) => false,
            };
            if !is_fresh {
                return Err(manifest.stale(format!("{key} has changed there for {name}")));
            }
        }
    }
    Ok(())
}

/// A table as a person writes it.
fn inline(table: &BTreeMap<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in table {
        let value = match value.get("span") {
            Some(span) => span,
            None => value,
        };
        let _ = write!(text, "{}{name} = {value}", if text.is_empty() { "" } else { ", " });
    }
    format!("{{ {text} }}")
}

/// What `exclude-newer` says.
#[derive(Debug)]
enum Cutoff {
    /// What was uploaded later does not count. The first and the last time that it may be: a date
    /// is one of some time zone, and ends with the day.
    At(Timestamp, Timestamp),
    /// So long before now.
    Before(Span),
    /// Not understood, or nothing.
    Other(String),
}

impl Cutoff {
    fn of(value: &Value) -> Cutoff {
        match value {
            Value::String(text) => Cutoff::of_text(text),
            Value::Table(table) => match table.get("span").or_else(|| table.get("timestamp")) {
                Some(Value::String(text)) => Cutoff::of_text(text),
                _ => Cutoff::Other(value.to_string()),
            },
            value => Cutoff::of_text(&value.to_string()),
        }
    }

    fn of_text(text: &str) -> Cutoff {
        if let Ok(time) = text.parse() {
            return Cutoff::At(time, time);
        }
        if let Ok(date) = text.parse::<Date>()
            && let Ok(end) = date.at(0, 0, 0, 0).to_zoned(TimeZone::UTC)
            && let (Ok(first), Ok(last)) =
                (end.checked_add(10.hours()), end.checked_add(36.hours()))
        {
            return Cutoff::At(first.timestamp(), last.timestamp());
        }
        text.parse().map_or_else(|_| Cutoff::Other(text.to_owned()), Cutoff::Before)
    }

    /// Whether what was chosen by another one may still be chosen: newer files that count now are
    /// no reason to choose them.
    fn allows(&self, then: &Cutoff) -> bool {
        match (self, then) {
            (Cutoff::At(_, now), Cutoff::At(then, _)) => now >= then,
            (Cutoff::Before(now), Cutoff::Before(then)) => now.fieldwise() == then.fieldwise(),
            (Cutoff::Other(now), Cutoff::Other(then)) => now == then,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    const TIME: &str = "2026-01-02T00:00:00Z";

    /// A project and its lock, each with more of it.
    fn checked_with(settings: &str, options: &str, manifests: Manifests) -> Result<(), String> {
        let pyproject = format!("[project]\nname = 'app'\nversion = '1'\n{settings}\n");
        let lock = format!(
            "version = 1\nrevision = 3\n{options}\n[[package]]\nname = 'app'\nversion = '1'\n\
             source = {{ virtual = '.' }}\n[[package]]\nname = 'six'\nversion = '1'\n\
             source = {{ registry = 'https://pypi.org/simple' }}\n"
        );
        let lock: Lock = toml::from_str(&lock).unwrap();
        let manifests = Manifests { pyproject: pyproject.parse().unwrap(), ..manifests };
        check(&lock, &manifests).map_err(|error| match error {
            LockError::Stale { why, .. } => why,
            LockError::Unstated { setting, place } => format!("{setting}: not in {place}"),
            other => panic!("{other}"),
        })
    }

    fn checked(settings: &str, options: &str) -> Result<(), String> {
        let section = |name: &str, text: &str| {
            if text.is_empty() { String::new() } else { format!("[{name}]\n{text}\n") }
        };
        let (settings, options) = (section("tool.uv", settings), section("options", options));
        checked_with(&settings, &options, Manifests::default())
    }

    #[test]
    fn how_versions_are_chosen_is_compared() {
        for (key, of_lock, default, other) in [
            ("resolution", "resolution-mode", "highest", "lowest"),
            ("prerelease", "prerelease-mode", "if-necessary-or-explicit", "allow"),
            ("fork-strategy", "fork-strategy", "requires-python", "fewest"),
        ] {
            let [now_default, now] = [default, other].map(|value| format!("{key} = \"{value}\""));
            let then = format!("{of_lock} = \"{other}\"");
            assert_eq!(checked(&now, &then), Ok(()));
            assert_eq!(checked(&now_default, ""), Ok(()));
            let changed = Err(format!("{key} has changed there"));
            assert_eq!(checked(&now, ""), changed);
            assert_eq!(checked(&now_default, &then), changed);
            assert_eq!(
                checked("", &then),
                Err(format!("{now}: not in [tool.uv] of pyproject.toml"))
            );
        }
    }

    #[test]
    fn the_time_that_is_too_new_is_compared() {
        let now = |text: &str| format!("exclude-newer = \"{text}\"");
        let changed = || Err("exclude-newer has changed there".to_owned());
        for text in [TIME, "2026-01-02T01:00:00+01:00", "2026-01-01", "2026-03-01T00:00:00Z"] {
            assert_eq!(checked(&now(text), &now(TIME)), Ok(()), "{text}");
        }
        for text in ["2026-01-01T00:00:00Z", "2025-12-30", "1 week", "?"] {
            assert_eq!(checked(&now(text), &now(TIME)), changed(), "{text}");
        }
        assert_eq!(checked(&now(TIME), "").unwrap_err(), "exclude-newer is new there");
        assert_eq!(checked("exclude-newer = false", ""), Ok(()));
        let unstated = format!("{}: not in [tool.uv] of pyproject.toml", now(TIME));
        assert_eq!(checked("", &now(TIME)).unwrap_err(), unstated);
        // A time before the resolution is not that of another one.
        let then = |span: &str| format!("{}\nexclude-newer-span = \"{span}\"", now(TIME));
        for text in ["1 week", "P1W"] {
            assert_eq!(checked(&now(text), &then("P1W")), Ok(()), "{text}");
        }
        assert_eq!(checked(&now("7 days"), &then("P1W")), changed());
        assert_eq!(checked(&now("2 weeks"), &then("P1W")), changed());
        assert_eq!(checked(&now(TIME), &then("P1W")), changed());
        let unstated = "exclude-newer = \"P1W\": not in [tool.uv] of pyproject.toml";
        assert_eq!(checked("", &then("P1W")).unwrap_err(), unstated);
    }

    #[test]
    fn what_is_said_of_one_package_is_compared() {
        let sections = |now: &str, then: &str| {
            let now = format!("[tool.uv.exclude-newer-package]\n{now}");
            let then = format!("[options.exclude-newer-package]\n{then}");
            checked_with(&now, &then, Manifests::default())
        };
        let time = format!("six = '{TIME}'");
        let span = "six = { timestamp = '0001-01-01T00:00:00Z', span = 'P1W' }";
        for (now, then) in [
            (&*time, &*time),
            ("Six = '2026-01-02T01:00:00+01:00'", &time),
            ("six = '2026-01-03T00:00:00Z'", &time),
            ("six = false", "six = false"),
            ("six = false", &time),
            ("six = false", ""),
            ("six = '1 week'", span),
            // The lock does not have it.
            ("attrs = '2025-01-01T00:00:00Z'", ""),
        ] {
            assert_eq!(sections(now, then), Ok(()), "{now} {then}");
        }
        for (now, then) in [
            ("six = '2026-01-01T00:00:00Z'", &*time),
            (&time, "six = false"),
            (&time, "attrs = false"),
            ("attrs = '2025-01-01T00:00:00Z'", "attrs = '2026-01-01T00:00:00Z'"),
            ("six = '2 weeks'", span),
            (&time, span),
            (&time, ""),
        ] {
            let why = sections(now, then).unwrap_err();
            assert!(why.starts_with("exclude-newer-package has changed there for "), "{why}");
        }
        assert_eq!(
            sections("", span).unwrap_err(),
            "exclude-newer-package = { six = \"P1W\" }: not in [tool.uv] of pyproject.toml"
        );
        let of_prereleases = |now: &str, then: &str| {
            let then = format!("[options.prerelease-package]\n{then}");
            checked_with(
                &format!("[tool.uv.prerelease-package]\n{now}"),
                &then,
                Manifests::default(),
            )
        };
        assert_eq!(of_prereleases("Six = 'allow'", "six = 'allow'"), Ok(()));
        assert!(of_prereleases("six = 'disallow'", "six = 'allow'").is_err());
        assert!(of_prereleases("six = 'allow'", "").is_err());
    }

    #[test]
    fn a_setting_of_the_site_counts_before_the_project() {
        let of_site = |key, value: &str| Manifests {
            of_site: BTreeMap::from([(key, value.to_owned())]),
            ..Manifests::default()
        };
        let then = format!("[options]\nexclude-newer = '{TIME}'");
        assert_eq!(checked_with("", &then, of_site("exclude-newer", TIME)), Ok(()));
        let now = "[tool.uv]\nexclude-newer = '2025-01-01T00:00:00Z'";
        assert_eq!(checked_with(now, &then, of_site("exclude-newer", TIME)), Ok(()));
        assert!(checked_with("", "", of_site("resolution", "lowest")).is_err());
        // Where there is a uv.toml, uv does not look for it in pyproject.toml.
        let uv_toml = Some("exclude-newer = '2026-01-02T00:00:00Z'".parse().unwrap());
        assert_eq!(checked_with("", &then, Manifests { uv_toml, ..Manifests::default() }), Ok(()));
        let uv_toml = Some(Table::new());
        let manifests = Manifests { uv_toml, ..Manifests::default() };
        let why = checked_with(now, &then, manifests).unwrap_err();
        assert!(why.ends_with("not in uv.toml"), "{why}");
    }
}
