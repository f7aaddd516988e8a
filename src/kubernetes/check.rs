//! Whether a release can be rolled out, asked before anything is built.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::kubectl::Kubectl;
use super::place::Place;
use super::{error, names};
use crate::console;
use crate::site::settings::Kubernetes;
use crate::site::{AppSettings, Site};

/// What is done in a rollout: the API group, the resource, and the verbs.
const NEEDED: [(&str, &str, &[&str]); 8] = [
    ("apps", "deployments", &["get", "list", "create", "patch", "delete"]),
    ("", "services", &["get", "list", "create", "patch", "delete"]),
    ("networking.k8s.io", "ingresses", &["get", "list", "create", "patch", "delete"]),
    ("batch", "jobs", &["get", "list", "create", "patch", "delete"]),
    ("", "secrets", &["get", "list", "create", "patch", "delete"]),
    ("", "pods", &["get", "list"]),
    ("", "pods/log", &["get"]),
    ("", "events", &["list"]),
];

/// Finds the cluster, and fails when a rollout there could only fail: no kubectl, no such context,
/// no answer, no namespace, no right.
pub fn check(site: &Site, settings: &Kubernetes, app_settings: &AppSettings) -> Result<Place> {
    let place = if settings.apply {
        Place::find(site, settings)?
    } else {
        Place::of_settings(site, settings)?
    };
    // It fails when they do not fit.
    super::secret::secret(&place.name, None, "", app_settings)?;
    if !settings.apply {
        return Ok(place);
    }
    console::info(format_args!("Kubernetes: {}.", place.in_words()));
    let kubectl = Kubectl::new(&place);
    let namespace = place.namespace();
    let found = kubectl.run(&["get", "namespace", namespace, "-o", "name"]);
    // Many may act in a namespace, and not look at it.
    if let Err(why) = found
        && !error::is(&why, error::REFUSED)
    {
        return Err(why);
    }
    let missing = missing_rights(&kubectl, namespace)?;
    if !missing.is_empty() {
        bail!(error::no_right(&place, &missing));
    }
    Ok(place)
}

/// Fails when a process cannot have its own name in a cluster.
pub fn check_processes<'p>(
    site: &Site,
    settings: &Kubernetes,
    processes: impl Iterator<Item = &'p String>,
) -> Result<()> {
    names::check_processes(&names::of_site(site.root(), settings)?, processes)
}

/// See <https://kubernetes.io/docs/reference/access-authn-authz/authorization/>.
fn missing_rights(kubectl: &Kubectl, namespace: &str) -> Result<Vec<String>> {
    let reviews: Vec<Value> = NEEDED
        .iter()
        .flat_map(|(group, resource, verbs)| verbs.iter().map(move |it| (*group, *resource, *it)))
        .map(|(group, resource, verb)| review(namespace, group, resource, verb))
        .collect();
    let arguments = ["create", "--validate=false", "-o", "json", "-f", "-"];
    let answers = kubectl.ask(&arguments, &reviews)?;
    let refused = answers.iter().filter(|it| it["status"]["allowed"] != true);
    Ok(by_resource(refused.filter_map(in_words)))
}

fn review(namespace: &str, group: &str, resource: &str, verb: &str) -> Value {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "namespace": namespace,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "verb": verb,
        } },
    })
}

/// `get, create deployments.apps` for each resource.
fn by_resource(rights: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for (verb, resource) in rights {
        match found.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, verbs)) => verbs.push(verb),
            None => found.push((resource, vec![verb])),
        }
    }
    let words =
        |(resource, verbs): &(String, Vec<String>)| format!("{resource}: {}", verbs.join(", "));
    found.iter().map(words).collect()
}

/// The verb, and a resource such as `deployments.apps`.
fn in_words(review: &Value) -> Option<(String, String)> {
    let of = |name: &str| review["spec"]["resourceAttributes"][name].as_str();
    let after = |mark: &str, name: &str| {
        of(name).filter(|it| !it.is_empty()).map_or(String::new(), |it| format!("{mark}{it}"))
    };
    let (verb, resource) = of("verb").zip(of("resource"))?;
    let resource = format!("{resource}{}{}", after("/", "subresource"), after(".", "group"));
    Some((verb.to_owned(), resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_named_as_kubectl_does() {
        let reviews = [
            review("web", "apps", "deployments", "get"),
            review("web", "apps", "deployments", "patch"),
            review("web", "", "pods/log", "get"),
        ];
        let words = by_resource(reviews.iter().filter_map(in_words));
        assert_eq!(words, ["deployments.apps: get, patch", "pods/log: get"]);
    }
}
