//! What kubectl's complaints mean.

use super::error;
use super::place::Place;
use crate::user_error::UserError;

/// What an API server that is not there makes kubectl say.
const NO_ANSWER: [&str; 11] = [
    "Unable to connect to the server",
    "The connection to the server",
    "i/o timeout",
    "TLS handshake timeout",
    "context deadline exceeded",
    "Client.Timeout exceeded",
    "connection refused",
    "connection reset by peer",
    "no route to host",
    "unexpected EOF",
    "etcdserver:",
];

/// The error for a person; `None` where nothing is known of it.
pub(super) fn explain(complaint: &str, place: &Place) -> Option<UserError> {
    let lines = lines(complaint);
    let has = |text: &str| complaint.contains(text);
    if has("conflict with ") || has("conflicts with ") {
        return Some(error::conflict(&conflicts(complaint), &lines));
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
    if has("(Forbidden)") || has("forbidden: User") {
        return Some(error::forbidden(place, &lines));
    }
    if has("(Unauthorized)")
        || has("must be logged in")
        || has("the server has asked for the client")
    {
        return Some(error::unauthorized(place, &lines));
    }
    if has("getting credentials") || has("exec plugin") {
        return Some(error::no_credentials(place, &lines));
    }
    if has("certificate") && (has("x509") || has("unknown authority")) {
        return Some(error::wrong_certificate(place, &lines));
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
    error::is(error, error::NO_ANSWER)
}

/// The last lines without the log lines of kubectl's own, such as
/// `E0101 12:00:00.000 memcache.go:265] …`, unless there is nothing else.
fn lines(complaint: &str) -> Vec<String> {
    let is_log = |line: &&str| {
        let mut letters = line.chars();
        letters.next().is_some_and(|first| "EWI".contains(first))
            && letters.next().is_some_and(|second| second.is_ascii_digit())
            && line.contains(".go:")
    };
    let all = || complaint.lines().filter(|line| !line.trim().is_empty());
    let said: Vec<_> = all().filter(|line| !is_log(line)).collect();
    let said = if said.is_empty() { all().collect() } else { said };
    let last = said.len().saturating_sub(6);
    said[last..].iter().map(|line| (*line).to_owned()).collect()
}

/// The managers of fields that are fought for, with the fields:
/// `conflict with "kubectl-edit" using apps/v1: .spec.replicas`, or several of them below.
fn conflicts(complaint: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in complaint.lines() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let [context, namespace] = ["production", "web"].map(|it| Some(it.to_owned()));
        Place { kubeconfig: None, context, namespace, name: "shop".to_owned() }
    }

    fn said(complaint: &str) -> String {
        explain(complaint, &place()).unwrap().to_string()
    }

    #[test]
    fn each_complaint_says_what_to_do() {
        insta::assert_snapshot!(said("error: context \"production\" does not exist"), @"
        the kubeconfig has no context production
        found: no contexts
        1. Correct context under [kubernetes] of nyala.toml
        2. See what the owner of the site has: kubectl config get-contexts; a kubeconfig elsewhere is named by kubeconfig in nyala.toml
        ");
        let no_namespace = "Error from server (NotFound): namespaces \"web\" not found";
        insta::assert_snapshot!(said(no_namespace), @"
        the cluster has no namespace web
        found: context production, namespace web
        1. Create it: kubectl create namespace web
        2. Or correct namespace under [kubernetes] of nyala.toml
        ");
        insta::assert_snapshot!(said(
            "Error from server (Forbidden): deployments.apps \"shop-web\" is forbidden: \
             User \"ci\" cannot patch resource \"deployments\" in API group \"apps\" in \
             the namespace \"web\""
        ), @r#"
        the cluster refuses it: the user of the kubeconfig has no right to do this
        found: context production, namespace web
        output: Error from server (Forbidden): deployments.apps "shop-web" is forbidden: User "ci" cannot patch resource "deployments" in API group "apps" in the namespace "web"
        Have it allowed; docs/kubernetes.md has a Role with what is needed
        "#);
        let unknown = "error: You must be logged in to the server (Unauthorized)";
        insta::assert_snapshot!(said(unknown), @"
        the cluster does not know the user of the kubeconfig, or no longer does
        found: context production, namespace web
        output: error: You must be logged in to the server (Unauthorized)
        Log in again as the owner of the site, and see: kubectl get namespaces
        ");
        insta::assert_snapshot!(said(
            "E0101 12:00:00.000000   12 memcache.go:265] couldn't get current server API group \
             list: Get \"https://10.0.0.1:6443/api\": dial tcp 10.0.0.1:6443: i/o timeout\n\
             Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout"
        ), @"
        the API server of the cluster does not answer
        found: context production, namespace web
        output: Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout
        1. See whether it can be reached from here: kubectl get namespaces
        2. Then deploy again: nyala redeploy
        ");
        insta::assert_snapshot!(said(
            "Unable to connect to the server: getting credentials: exec: executable \
             gke-gcloud-auth-plugin not found"
        ), @"
        kubectl gets no credentials for the cluster
        found: context production, namespace web
        output: Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found
        1. Install or repair the program that the kubeconfig names
        2. Try it as the owner of the site: kubectl get namespaces
        ");
        insta::assert_snapshot!(said(
            "Unable to connect to the server: x509: certificate signed by unknown authority"
        ), @"
        the certificate of the API server is not the one in the kubeconfig
        found: context production, namespace web
        output: Unable to connect to the server: x509: certificate signed by unknown authority
        Check that the kubeconfig is for this cluster, and get a new one
        ");
        insta::assert_snapshot!(said(
            "Error from server (Forbidden): pods \"x\" is forbidden: exceeded quota: small, \
             requested: cpu=2, used: cpu=1, limited: cpu=2"
        ), @r#"
        the namespace has no room left: its quota is used up
        output: Error from server (Forbidden): pods "x" is forbidden: exceeded quota: small, requested: cpu=2, used: cpu=1, limited: cpu=2
        1. Ask for less: resources and replicas under [kubernetes] of nyala.toml
        2. Or have the quota raised: kubectl describe resourcequota
        "#);
        insta::assert_snapshot!(said(
            "The Deployment \"shop-web\" is invalid: spec.replicas: Invalid value: -1"
        ), @r#"
        the cluster does not take these objects
        output: The Deployment "shop-web" is invalid: spec.replicas: Invalid value: -1
        1. See them: nyala kubernetes manifests
        2. Correct the patches, or [kubernetes] in nyala.toml
        "#);
        assert_eq!(explain("what?", &place()), None);
    }

    #[test]
    fn a_conflict_names_who_and_what() {
        insta::assert_snapshot!(said(
            "error: Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: \
             .spec.replicas\nPlease review the fields above--they currently have other managers. \
             Here\nare the ways you can resolve this warning:\n* 1\n* 2\n* 3\n* 4\n\
             See https://k8s.io"
        ), @"
        somebody else manages fields of the objects
        found: kubectl-edit has set .spec.replicas
        1. If they are to be left alone, take them out with a patch, such as replicas: null
        2. Or give them to nyala: nyala kubernetes manifests | kubectl apply --server-side --field-manager=nyala --force-conflicts -l app.kubernetes.io/component!=release -f -
        ");
        insta::assert_snapshot!(said(
            "error: Apply failed with 2 conflicts: conflicts with \"argocd-controller\":\n\
             - .spec.replicas\n- .spec.template.spec.containers[name=\"web\"].image\n\
             Please review the fields above"
        ), @r#"
        somebody else manages fields of the objects
        found: argocd-controller has set .spec.replicas, .spec.template.spec.containers[name="web"].image
        1. If they are to be left alone, take them out with a patch, such as replicas: null
        2. Or give them to nyala: nyala kubernetes manifests | kubectl apply --server-side --field-manager=nyala --force-conflicts -l app.kubernetes.io/component!=release -f -
        "#);
    }
}
