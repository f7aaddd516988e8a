//! What kubectl's complaints mean.

mod error;

use super::place::Place;
use crate::user_error::UserError;

/// What an API server that is not there makes kubectl say.
const NO_ANSWER: [&str; 14] = [
    "Unable to connect to the server",
    "The connection to the server",
    "i/o timeout",
    "TLS handshake timeout",
    "context deadline exceeded",
    "Client.Timeout exceeded",
    "connection refused",
    "connection reset by peer",
    "no route to host",
    "network is unreachable",
    "client connection lost",
    "unexpected EOF",
    "\": EOF",
    "etcdserver:",
];

/// What one that is only starting, or has too much to do, answers; and what a load balancer answers
/// in its place, whose page is in the error.
const NOT_NOW: [&str; 5] = [
    "(ServiceUnavailable)",
    "(TooManyRequests)",
    "(Timeout)",
    "(ServerTimeout)",
    "an error on the server (",
];

/// The error for a person; `None` where nothing is known of it.
pub(super) fn explain(complaint: &str, place: &Place) -> Option<UserError> {
    let said = said(complaint);
    let lines: Vec<String> = last(&said).iter().map(|line| (*line).to_owned()).collect();
    let has = |text: &str| said.iter().any(|line| line.contains(text));
    if has("conflict with ") || has("conflicts with ") {
        return Some(error::conflict(&conflicts(&said), &lines));
    }
    if NOT_NOW.iter().any(|text| has(text)) {
        return Some(error::no_answer(place, &lines));
    }
    // These quote what the API server was answered by others, which is not its own answer.
    if has("failed calling webhook") {
        return Some(error::webhook_away(&lines));
    }
    if has("denied the request") || has("denied request") {
        return Some(error::denied(&lines));
    }
    if has("/containerLogs/") {
        return Some(error::node_away(&lines));
    }
    if has("because it is being terminated") {
        return Some(error::namespace_ends(place, &lines));
    }
    if has("the server doesn't have a resource type") {
        return Some(error::unknown_kind(&lines));
    }
    if has("does not exist") && has("context") {
        return Some(error::no_context(place.context.as_deref().unwrap_or_default(), &[]));
    }
    if has("namespaces \"") && has("not found") {
        return Some(error::no_namespace(place));
    }
    if has("exceeded quota") {
        return Some(error::no_room(&lines));
    }
    if has("(Forbidden)") || has("is forbidden: ") {
        // Who may do something, and what may be done at all, is refused in the same way.
        return Some(if has("User \"") {
            error::forbidden(place, &lines)
        } else {
            error::denied(&lines)
        });
    }
    if has("(Unauthorized)")
        || has("must be logged in")
        || has("the server has asked for the client")
    {
        return Some(error::unauthorized(place, &lines));
    }
    if has("Error in configuration") || has("error loading config file") {
        return Some(error::broken_kubeconfig(place, &lines));
    }
    if has("the server could not find the requested resource") {
        return Some(error::no_api_server(place, &lines));
    }
    if has("getting credentials") || has("exec plugin") {
        return Some(error::no_credentials(place, &lines));
    }
    if has("certificate") && (has("x509") || has("unknown authority")) {
        return Some(error::wrong_certificate(place, &lines));
    }
    if has("field is immutable") {
        return Some(error::cannot_be_changed(&fixed_fields(&said)));
    }
    if has("is invalid") || has("error validating data") || has("no matches for kind") {
        return Some(error::invalid(&lines));
    }
    if NO_ANSWER.iter().any(|text| has(text)) {
        return Some(error::no_answer(place, &lines));
    }
    None
}

/// Whether an error may be gone in a moment.
pub(super) fn may_pass(error: &anyhow::Error) -> bool {
    [error::NO_ANSWER, error::WEBHOOK_AWAY].iter().any(|fact| error::is(error, fact))
}

/// The lines without the log lines of kubectl's own, such as
/// `E0101 12:00:00.000 memcache.go:265] …`, unless there is nothing else.
fn said(complaint: &str) -> Vec<&str> {
    let is_log = |line: &&str| {
        let mut letters = line.chars();
        letters.next().is_some_and(|first| "EWI".contains(first))
            && letters.next().is_some_and(|second| second.is_ascii_digit())
            && line.contains(".go:")
    };
    let all = || complaint.lines().filter(|line| !line.trim().is_empty());
    let said: Vec<_> = all().filter(|line| !is_log(line)).collect();
    if said.is_empty() { all().collect() } else { said }
}

/// What an error shows of them.
fn last<'l, 'c>(lines: &'l [&'c str]) -> &'l [&'c str] {
    &lines[lines.len().saturating_sub(6)..]
}

/// The managers of fields that are fought for, with the fields:
/// `conflict with "kubectl-edit" using apps/v1: .spec.replicas`, or several of them below.
fn conflicts(lines: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in lines {
        let begin = ["conflict with \"", "conflicts with \""].iter().find_map(|it| line.find(it));
        if let Some(begin) = begin {
            let rest = line[begin..].split_once('"').map_or("", |(_, rest)| rest);
            let Some((manager, rest)) = rest.split_once('"') else { continue };
            let field = rest.split_once(": ").map(|(_, field)| field.trim().to_owned());
            found.push((manager.to_owned(), field.into_iter().collect()));
        } else if let Some((field, last)) = line.trim().strip_prefix("- ").zip(found.last_mut()) {
            last.1.push(field.trim().to_owned());
        }
    }
    found
}

/// What cannot be changed, without the values, which fill pages: `The Job "x" is invalid:
/// spec.template: Invalid value: core.PodTemplateSpec{…}: field is immutable`.
fn fixed_fields(lines: &[&str]) -> Vec<String> {
    let fixed = lines.iter().filter(|line| line.contains("field is immutable"));
    fixed.filter_map(|line| line.split(": Invalid value").next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
