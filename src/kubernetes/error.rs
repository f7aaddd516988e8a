//! Why something cannot be rolled out, in words for people.

use std::collections::BTreeSet;
use std::path::Path;

use super::manifests::{DEPLOYMENT, selector};
use super::place::Place;
use crate::console::did_you_mean;
use crate::site::DeploymentId;
use crate::text::{bytes, excerpt};
use crate::user_error::UserError;

/// The facts of errors that are told apart.
pub(super) const NO_ANSWER: &str = "the API server of the cluster does not answer";
pub(super) const REFUSED: &str =
    "the cluster refuses it: the user of the kubeconfig has no right to do this";

pub(super) const UNKNOWN_KIND: &str = "the cluster has no objects of this kind";
pub(super) const CONFLICT: &str = "somebody else manages fields of the objects";

/// Whether an error has this fact.
pub(super) fn is(error: &anyhow::Error, fact: &str) -> bool {
    error.downcast_ref::<UserError>().is_some_and(|error| error.fact == fact)
}

pub(super) fn no_kubectl() -> UserError {
    UserError::new("there is no kubectl on this machine")
        .labelled("looked in", "the PATH of the site's user")
        .fix(
            "Install it: https://kubernetes.io/docs/tasks/tools/, or apt install kubernetes-client",
        )
        .fix("Or have something else apply: set apply = false under [kubernetes] of nyala.toml")
}

pub(super) fn no_kubeconfig(path: &Path) -> UserError {
    UserError::new("the kubeconfig that nyala.toml names is not there")
        .found(path.display().to_string())
        .fix("Put it there, readable by the owner of the site, or correct kubeconfig")
}

pub(super) fn no_context(wanted: &str, known: &[&str]) -> UserError {
    let error = UserError::new(format!("the kubeconfig has no context {}", excerpt(wanted)));
    let error = match known {
        [] => error.found("no contexts"),
        _ => error.labelled("allowed", known.join(", ")),
    };
    let error = match did_you_mean(wanted, known.iter().copied()) {
        Some(known) => error.fix(format!("Did you mean `{known}`?")),
        None => error.fix("Correct context under [kubernetes] of nyala.toml"),
    };
    error.fix(OF_OWNER)
}

pub(super) fn no_current_context(known: &[&str]) -> UserError {
    let error =
        UserError::new("it is not known which cluster is meant: no context is the current one");
    match known {
        [] => error.found("the kubeconfig has no contexts, or is not there").fix(OF_OWNER),
        _ => error
            .labelled("allowed", known.join(", "))
            .fix("Name one: set context under [kubernetes] of nyala.toml"),
    }
}

/// The user that pushes may have another kubeconfig than the one that they look at.
const OF_OWNER: &str = "See what the owner of the site has: kubectl config get-contexts; \
     a kubeconfig elsewhere is named by kubeconfig in nyala.toml";

pub(super) fn context(place: &Place) -> String {
    let Place { context, namespace, kubeconfig: _, server: _, name: _ } = place;
    let context = context.as_deref().unwrap_or("of this pod");
    format!("context {context}, namespace {}", namespace.as_deref().unwrap_or("default"))
}

pub(super) fn no_answer(place: &Place, lines: &[String]) -> UserError {
    UserError::new(NO_ANSWER)
        .found(context(place))
        .with_output(lines)
        .fix("See whether it can be reached from here: kubectl get namespaces")
        .fix("Then deploy again: nyala redeploy")
}

pub(super) fn no_namespace(place: &Place) -> UserError {
    let namespace = place.namespace();
    UserError::new(format!("the cluster has no namespace {namespace}"))
        .found(context(place))
        .fix(format!("Create it: kubectl create namespace {namespace}"))
        .fix("Or correct namespace under [kubernetes] of nyala.toml")
}

pub(super) fn forbidden(place: &Place, lines: &[String]) -> UserError {
    UserError::new(REFUSED).found(context(place)).with_output(lines).fix(RIGHTS)
}

const RIGHTS: &str = "Have it allowed; docs/kubernetes.md has a Role with what is needed";

/// `missing` are lines such as `deployments.apps: get, create`.
pub(super) fn no_right(place: &Place, missing: &[String]) -> UserError {
    let error = UserError::new(
        "the user of the kubeconfig does not have all the rights that a rollout needs",
    );
    let missing = missing.iter().map(|right| format!("not allowed: {right}"));
    missing.fold(error.found(context(place)), UserError::found).fix(RIGHTS)
}

pub(super) fn unauthorized(place: &Place, lines: &[String]) -> UserError {
    UserError::new("the cluster does not know the user of the kubeconfig, or no longer does")
        .found(context(place))
        .with_output(lines)
        .fix("Log in again as the owner of the site, and see: kubectl get namespaces")
}

pub(super) fn no_credentials(place: &Place, lines: &[String]) -> UserError {
    UserError::new("kubectl gets no credentials for the cluster")
        .found(context(place))
        .with_output(lines)
        .fix("Install or repair the program that the kubeconfig names")
        .fix("Try it as the owner of the site: kubectl get namespaces")
}

pub(super) fn wrong_certificate(place: &Place, lines: &[String]) -> UserError {
    UserError::new("the certificate of the API server is not the one in the kubeconfig")
        .found(context(place))
        .with_output(lines)
        .fix("Check that the kubeconfig is for this cluster, and get a new one")
}

pub(super) fn no_room(lines: &[String]) -> UserError {
    UserError::new("the namespace has no room left: its quota is used up")
        .with_output(lines)
        .fix("Ask for less: resources and replicas under [kubernetes] of nyala.toml")
        .fix("Or have the quota raised: kubectl describe resourcequota")
}

pub(super) fn unknown_kind(lines: &[String]) -> UserError {
    UserError::new(UNKNOWN_KIND).with_output(lines).fix("See those it has: kubectl api-resources")
}

pub(super) fn invalid(lines: &[String]) -> UserError {
    UserError::new("the cluster does not take these objects")
        .with_output(lines)
        .fix("See them: nyala kubernetes manifests")
        .fix("Correct the patches, or [kubernetes] in nyala.toml")
}

/// `conflicts` are managers with their fields.
pub(super) fn conflict(conflicts: &[(String, Vec<String>)], lines: &[String]) -> UserError {
    let mut error = UserError::new(CONFLICT);
    for (manager, fields) in conflicts {
        error = error.found(format!("{manager} has set {}", fields.join(", ")));
    }
    if conflicts.is_empty() {
        error = error.with_output(lines);
    }
    error
        .fix("If they are to be left alone, take them out with a patch, such as replicas: null")
        .fix(
            "Or give them to nyala: nyala kubernetes manifests | kubectl apply --server-side \
             --field-manager=nyala --force-conflicts -l app.kubernetes.io/component!=release -f -",
        )
}

/// `kind` and `name` are of an object that has another owner, or none.
pub(super) fn not_ours(kind: &str, name: &str, place: &Place, owner: Option<&str>) -> UserError {
    let error = UserError::new(format!(
        "the namespace {} has a {kind} called {name} already, which is not this site's",
        place.namespace()
    ));
    let error = match owner {
        Some(owner) => error.found(format!("it belongs to the site {owner}")),
        None => error.found("nyala has not made it"),
    };
    error
        .fix("Choose another name: set name under [kubernetes] of nyala.toml")
        .fix("Or another namespace")
}

pub(super) fn settings_too_large(size: usize) -> UserError {
    UserError::new("the app settings do not fit into a Secret, which takes 1 MiB")
        .found(bytes(size as u64))
        .fix("Put what is large into a file or a volume, and name that in a setting")
}

pub(super) fn secret_is_gone(secret: &str, release: DeploymentId) -> UserError {
    UserError::new(format!("the app settings of release {release} are no longer in the cluster"))
        .found(format!("there is no Secret {secret}"))
        .fix(format!("Roll it out with the settings of today: nyala redeploy {release}"))
}

pub(super) fn elsewhere(release: DeploymentId, there: &Place, now: &Place) -> UserError {
    UserError::new(format!("release {release} was rolled out in another place"))
        .found(there.in_words())
        .labelled("wanted", now.in_words())
        .fix(format!("Roll it out here: nyala redeploy {release}"))
}

pub(super) fn nothing_in_cluster() -> UserError {
    UserError::new("nothing of this site is in a cluster yet")
        .fix("Roll out: git push REMOTE HEAD:main, or nyala redeploy")
}

/// Of a site that has `apply = false`, or no `[kubernetes]`.
pub(super) fn not_in_cluster() -> UserError {
    UserError::new("this site has no [kubernetes] in its nyala.toml")
        .fix("See what that does: docs/kubernetes.md")
}

/// Its deployment was before the site had `[kubernetes]`, or failed before its image was sent.
pub(super) fn no_image_of(id: DeploymentId) -> UserError {
    UserError::new(format!("deployment {id} has no image in the registry"))
        .fix(format!("Deploy it again: nyala redeploy {id}"))
}

pub(super) fn no_process(process: &str, known: &[&str]) -> UserError {
    UserError::new(format!("what is live has no process {}", excerpt(process)))
        .labelled("allowed", known.join(", "))
}

/// The patches are in the release's tree.
pub(super) fn no_patches_any_more(id: DeploymentId) -> UserError {
    UserError::new(format!("the files of release {id} are removed, and its patches with them"))
        .fix(format!("See it without: nyala kubernetes manifests {id} --without-patches"))
        .fix(format!("Or deploy it again: nyala redeploy {id}"))
}

pub(super) fn job_failed(release: DeploymentId, what: &str) -> UserError {
    UserError::new(format!("the release command of deployment {release} failed: {what}"))
        .fix("See its output above")
}

/// `pods` are those of release commands that do not end.
pub(super) fn earlier_job_runs(pods: &[&str]) -> UserError {
    let error = UserError::new("the release command of an earlier deployment still runs");
    let error = pods.iter().fold(error, |error, pod| error.found(format!("pod {pod}")));
    error.fix("See what it does: kubectl logs POD").fix("Or end it: kubectl delete pod POD")
}

pub(super) const NEEDS_LONGER: &str =
    "If it only needs longer, raise deadline under [kubernetes] of nyala.toml";

/// `late` are lines such as `web: 1 of 3 ready`.
pub(super) fn not_ready(late: &[String], after: &str) -> UserError {
    let late = late.join("; ");
    UserError::new(format!("the release is not ready in the cluster after {after}: {late}"))
}

pub(super) fn not_well_again(live: DeploymentId) -> UserError {
    UserError::new(format!("the cluster has deployment {live} again, but not all of it is ready"))
        .fix("See what runs: nyala ps")
}

pub(super) fn unknown_before(found: &BTreeSet<DeploymentId>) -> UserError {
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    UserError::new("nothing is recorded of what the cluster had before")
        .found(format!("objects of deployments {}", found.join(", ")))
        .fix("Have what is live rolled out: nyala redeploy")
}

/// `new` is the deployment that is to stay, should both be one cluster.
pub(super) fn not_removed_elsewhere(place: &Place, new: DeploymentId) -> UserError {
    let context = place.context.as_ref().map_or(String::new(), |it| format!(" --context={it}"));
    UserError::new(format!("{} may still be there, and running", place.in_words())).fix(format!(
        "Remove it: kubectl{context} --namespace={} delete deployments,services,ingresses -l \
         {},{DEPLOYMENT}!={new}",
        place.namespace(),
        selector(&place.name)
    ))
}

/// Of the site as it was on another machine, or of the other one of a copied site.
pub(super) fn names_another_machine(owner: &str) -> UserError {
    UserError::new("its objects may be another site's: they name another machine")
        .found(owner)
        .fix("Remove them, if the site was moved here")
}

pub(super) fn left_elsewhere(left: DeploymentId, place: &Place, marker: &Path) -> UserError {
    UserError::new(format!("deployment {left} failed and is not undone yet, in another place"))
        .found(place.in_words())
        .fix("Undo it once that cluster answers: nyala doctor --fix")
        .fix(format!("Or forget it, if that cluster is gone: rm {}", marker.display()))
}

pub(super) fn no_longer_applied(left: DeploymentId, place: &Place, marker: &Path) -> UserError {
    UserError::new(format!(
        "the rollout of deployment {left} has not ended, and nyala no longer applies anything"
    ))
    .found(place.in_words())
    .fix("Set apply = true under [kubernetes], and undo it: nyala doctor --fix")
    .fix(format!("Or forget it, if something else applies what is live: rm {}", marker.display()))
}

pub(super) fn number_is_patched(process: &str) -> UserError {
    UserError::new(format!("a patch says how many pods of {process} there are"))
        .fix("Change the number there, commit, and push")
        .fix("Or remove it from the patch, and scale again after the next push")
}

pub(super) fn not_scaled_back() -> UserError {
    UserError::new("the cluster may still try to start as many pods as were asked for")
        .fix("Scale again, or deploy: nyala redeploy")
}

/// What it was undone for comes behind it.
pub(super) fn restart_undone() -> UserError {
    UserError::new("the restart failed and is undone")
}

pub(super) fn restart_not_undone() -> UserError {
    UserError::new("the restart could not be undone, and goes on in the cluster")
        .fix("See what runs: nyala ps")
        .fix("Have what is live rolled out again: nyala redeploy")
}

/// `other` is another deployment or site, in words.
pub(super) fn replaced(deployment: &str, other: &str) -> UserError {
    UserError::new(format!("the Deployment {deployment} was replaced while it was rolled out"))
        .found(format!("it is of {other} now"))
        .fix("Find out who else applies it, and deploy again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        let namespace = Some("web".to_owned());
        Place { kubeconfig: None, context: None, namespace, server: None, name: name.to_owned() }
    }

    #[test]
    fn every_error_says_what_to_do() {
        let id = "7".parse::<DeploymentId>().unwrap();
        for error in [
            no_kubectl(),
            no_kubeconfig(Path::new("/srv/shop/k.yaml")),
            no_right(&place("shop"), &["deployments.apps: create".to_owned()]),
            not_ours("Service", "shop", &place("shop"), Some("host:/srv/blog")),
            not_ours("Service", "shop", &place("shop"), None),
            secret_is_gone("shop-1a2b", id),
            elsewhere(id, &place("shop"), &place("blog")),
            nothing_in_cluster(),
            no_image_of(id),
            not_in_cluster(),
            no_patches_any_more(id),
            job_failed(id, "exited with status 1"),
            earlier_job_runs(&["shop-release-6-x"]),
            unknown_kind(&[]),
            unknown_before(&BTreeSet::from([id])),
            names_another_machine("host:/srv/shop"),
            not_removed_elsewhere(&place("shop"), id),
            left_elsewhere(id, &place("shop"), Path::new("/srv/shop/x")),
            no_longer_applied(id, &place("shop"), Path::new("/srv/shop/x")),
            number_is_patched("web"),
            not_scaled_back(),
            restart_not_undone(),
            replaced("shop-web", "deployment 8"),
        ] {
            assert!(!error.fixes.is_empty(), "{error}");
        }
    }
}
