//! What the deployments of a site come to: how long they take, which release ran in which
//! environment, and why environments were made anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::data::{SiteData, WentLive, median, took, went_live};
use super::reasons::{self, in_words};
use super::steps::{legend, number, stacked};
use super::text::{Plain, seconds, time};
use crate::site::{EnvId, Record};

/// How many pushes and releases the figures are about.
pub(super) const LAST: usize = 100;

/// How many environments are shown, the newest ones.
const ENVS: usize = 24;

/// The size of the figure of durations.
const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 160.0;

/// The durations of the last hundred deployments that ended, the newest at the right.
pub(super) fn durations(data: &SiteData) -> Markup {
    let mut last: Vec<(&Record, f64)> =
        data.records().filter_map(|record| Some((record, took(record)?))).take(LAST).collect();
    last.reverse();
    let longest = last.iter().map(|(_, took)| *took).fold(0.0, f64::max);
    let scale = nice(longest);
    let step = WIDTH / count(last.len().max(20));
    let mut sorted: Vec<_> = last.iter().map(|(_, took)| *took).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted.get((sorted.len().saturating_sub(1) * percent + 50) / 100);
    let words = format!("The durations of the last {} deployments", last.len());
    html! {
        section aria-labelledby="durations" {
            h2 id="durations" { "How long a push takes" }
            @if last.is_empty() {
                p { "No deployment has ended yet." }
            } @else {
                dl.numbers {
                    @for (name, value) in [
                        ("median", at(50)), ("90 % take at most", at(90)), ("longest", at(100)),
                    ] {
                        @if let Some(value) = value {
                            div { dt { (name) } dd { (seconds(*value)) } }
                        }
                    }
                    @for (decision, median, count) in by_decision(&last) {
                        div {
                            dt { "environment " (in_words(decision)) ", " (count) "×" }
                            dd { (seconds(median)) }
                        }
                    }
                }
                figure {
                    svg.durations viewBox=(format!("0 0 {WIDTH} {}", HEIGHT + 8.0)) role="img"
                        aria-label=(words) {
                        @for line in [0.0, 0.5, 1.0] {
                            @let y = number(HEIGHT * (1.0 - line) + 4.0);
                            line.grid x1="0" x2=(WIDTH) y1=(y) y2=(y) {}
                        }
                        @for (number_of, (record, took)) in last.iter().enumerate() {
                            (column(record, *took, count(number_of) * step, step, scale))
                        }
                    }
                    figcaption {
                        "Each column is a deployment, the newest at the right; the top line is "
                        (seconds(scale)) ". A dot marks one that did not succeed."
                    }
                }
                (legend())
            }
        }
    }
}

fn column(record: &Record, took: f64, x: f64, step: f64, scale: f64) -> Markup {
    let failed = !record.status.is_success();
    let top = HEIGHT * (1.0 - (took / scale).min(1.0)) + 4.0;
    html! {
        g {
            title {
                (format!("Deployment {}, {}: {}", record.id, record.status.name(), seconds(took)))
            }
            @for (start, length, class) in stacked(record, scale, HEIGHT) {
                rect.(class) x=(number(x)) y=(number(HEIGHT + 4.0 - start - length))
                    width=(number(step * 0.8)) height=(number(length)) {}
            }
            @if failed {
                circle.failed cx=(number(x + step * 0.4)) cy=(number((top - 4.0).max(3.0)))
                    r="2.5" {}
            }
        }
    }
}

/// The median for each decision about the environment, and how many there are.
fn by_decision<'r>(last: &[(&'r Record, f64)]) -> Vec<(&'r str, f64, usize)> {
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (record, took) in last.iter().filter(|(record, _)| record.status.is_success()) {
        if let Some(env) = &record.env {
            times.entry(&env.decision).or_default().push(*took);
        }
    }
    let figures = times.into_iter().filter_map(|(decision, of)| {
        let count = of.len();
        Some((decision, median(of)?, count))
    });
    figures.collect()
}

/// A number of things, to be drawn.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// The next number of seconds that people like to see on an axis.
fn nice(longest: f64) -> f64 {
    const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
    let mut unit = 0.01;
    loop {
        if let Some(step) = STEPS.iter().find(|step| *step * unit >= longest) {
            return step * unit;
        }
        unit *= 10.0;
    }
}

/// Which release ran in which environment, over time.
pub(super) fn envs(data: &SiteData) -> Markup {
    let mut events: Vec<WentLive<'_>> = data.records().filter_map(went_live).take(LAST).collect();
    events.reverse();
    let mut ids: Vec<EnvId> = events.iter().filter_map(|event| event.env).collect();
    ids.sort_unstable();
    ids.dedup();
    let more = ids.len().saturating_sub(ENVS);
    html! {
        section aria-labelledby="envs" {
            h2 id="envs" { "Which release ran in which environment" }
            @if ids.is_empty() {
                p { "No release has had an environment yet." }
            } @else {
                table {
                    thead {
                        tr {
                            th.n scope="col" { "Env" }
                            th scope="col" { "Python" }
                            th scope="col" { "Live from" }
                            th.extra scope="col" { "Until" }
                            th.n.extra scope="col" { "Count" }
                            th.wide scope="col" { "Releases over time, the newest at the right" }
                        }
                    }
                    tbody { @for id in ids.iter().rev().take(ENVS) { (env(*id, &events, data)) } }
                }
                @if more > 0 { p.note { (more) " older ones are not shown." } }
            }
        }
    }
}

fn env(id: EnvId, events: &[WentLive<'_>], data: &SiteData) -> Markup {
    let own: Vec<_> =
        events.iter().enumerate().filter(|(_, event)| event.env == Some(id)).collect();
    let python = own.iter().find_map(|(_, event)| event.by.python.as_ref());
    let first: Option<Timestamp> = own.first().map(|(_, event)| event.at);
    let last = own.last().map(|(number, _)| *number);
    let until = last.and_then(|last| events.get(last + 1)).map(|next| next.at);
    let is_live = data
        .live_record()
        .is_some_and(|record| record.env.as_ref().is_some_and(|env| env.id == Some(id)));
    let width = (events.len().max(20) * 8).to_string();
    let mut releases: Vec<_> = own.iter().map(|(_, event)| event.release).collect();
    releases.sort_unstable();
    releases.dedup();
    let words = format!(
        "releases {}",
        releases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
    html! {
        tr {
            th.n scope="row" { (id.to_string()) }
            td { @if let Some(python) = python { (Plain::new(&python.version)) } }
            td { @if let Some(first) = first { (time(first)) } }
            td.extra {
                @if is_live { span.live { "live now" } }
                @else if let Some(until) = until { (time(until)) }
            }
            td.n.extra { (releases.len()) }
            td.wide {
                svg.strip viewBox=(format!("0 0 {width} 10")) preserveAspectRatio="none" role="img"
                    aria-label=(words) {
                    @for (place, event) in &own {
                        rect x=((place * 8).to_string()) width="7" height="10" {
                            title { "Release " (event.release.to_string()) }
                        }
                    }
                }
            }
        }
    }
}

/// Why environments were made anew.
pub(super) fn rebuilds(data: &SiteData) -> Markup {
    let counts = reasons::counted(data.records());
    let most = counts.first().map_or(1, |(_, count)| *count);
    html! {
        section aria-labelledby="rebuilds" {
            h2 id="rebuilds" { "Why environments were made anew" }
            @if counts.is_empty() {
                p { "No environment was made anew." }
            } @else {
                table.counts {
                    thead {
                        tr {
                            th scope="col" { "Reason" }
                            th.n scope="col" { "Times" }
                            td.wide {}
                        }
                    }
                    tbody {
                        @for (reason, times) in &counts {
                            tr {
                                th scope="row" { (reason) }
                                td.n { (times) }
                                td.wide {
                                    svg.bar viewBox="0 0 100 6" preserveAspectRatio="none"
                                        aria-hidden="true" {
                                        rect.k1 height="6"
                                            width=(number(100.0 * count(*times) / count(most))) {}
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        assert_eq!(
            [nice(0.0), nice(0.03), nice(13.4)].map(seconds),
            ["0.01 s", "0.05 s", "20.0 s"]
        );
    }
}
