//! The time of deployments by step, as stacked bars.

use maud::{Markup, html};

use super::data::took;
use super::text::seconds;
use crate::site::Record;

/// What a step counts as, in the order of a deployment: its name, its class in the style, and the
/// names in records.
const KINDS: [(&str, &str, &[&str]); 5] = [
    ("plan and check out", "k0", &["plan", "check out"]),
    ("environment", "k1", &["env"]),
    ("install", "k2", &["install"]),
    ("build", "k3", &["pre-build", "build", "collectstatic", "post-build", "image", "release"]),
    ("start and activate", "k4", &["start", "roll out", "activate"]),
];

/// The part of a deployment that no step accounts for.
const REST: (&str, &str) = ("the rest", "k5");

/// The seconds of each kind, and of the rest.
fn parts(record: &Record) -> [f64; KINDS.len() + 1] {
    let mut parts = [0.0; KINDS.len() + 1];
    for step in &record.steps {
        let kind = KINDS.iter().position(|(_, _, names)| names.contains(&step.name.as_str()));
        parts[kind.unwrap_or(KINDS.len())] += step.seconds.max(0.0);
    }
    let steps: f64 = parts.iter().sum();
    parts[KINDS.len()] += (took(record).unwrap_or(steps) - steps).max(0.0);
    parts
}

/// A class of the style for each part.
fn classes() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(_, class, _)| *class).chain([REST.1])
}

/// The parts of a deployment, one behind the other: where each begins and how long it is, of
/// `room` for `whole` seconds, and its class. Those that nobody would see are left out.
pub(super) fn stacked(
    record: &Record,
    whole: f64,
    room: f64,
) -> impl Iterator<Item = (f64, f64, &'static str)> {
    let mut end = 0.0;
    let lengths = parts(record).map(|part| room * part / whole);
    let places = lengths.into_iter().zip(classes()).map(move |(length, class)| {
        let start = end;
        end += length;
        (start, length, class)
    });
    places.filter(|(_, length, _)| *length >= 0.3)
}

/// A bar of 100 units, as wide as `whole` seconds.
pub(super) fn bar(record: &Record, whole: f64) -> Markup {
    let words = in_words(record);
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(words) {
            @for (start, length, class) in stacked(record, whole, 100.0) {
                rect.(class) x=(number(start)) width=(number(length)) height="6" {}
            }
        }
    }
}

/// `plan 0.01 s, install 2.2 s`.
fn in_words(record: &Record) -> String {
    let steps = record.steps.iter().filter(|step| step.seconds >= 0.005);
    let steps: Vec<_> =
        steps.map(|step| format!("{} {}", step.name, seconds(step.seconds))).collect();
    if steps.is_empty() { "less than 0.01 s in each step".to_owned() } else { steps.join(", ") }
}

/// A coordinate with as many digits as one sees.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// What the colours mean.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend {
            @for (name, class) in KINDS.iter().map(|(name, class, _)| (*name, *class)).chain([REST])
            {
                li {
                    svg viewBox="0 0 10 10" aria-hidden="true" {
                        rect.(class) width="10" height="10" rx="2" {}
                    }
                    (name)
                }
            }
        }
    }
}
