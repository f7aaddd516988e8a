//! What kubectl complains of that is not the API server's own answer, in words for people; and
//! the errors of the whole room.

use super::super::place::Place;
use crate::user_error::UserError;

pub(super) use super::super::error::*;

pub(super) const WEBHOOK_AWAY: &str = "an admission webhook of the cluster does not answer";

/// What a node prints is asked of the node itself.
pub(super) fn node_away(lines: &[String]) -> UserError {
    UserError::new("a node of the cluster does not answer")
        .with_output(lines)
        .fix("See which: kubectl get nodes")
}

pub(super) fn webhook_away(lines: &[String]) -> UserError {
    UserError::new(WEBHOOK_AWAY)
        .with_output(lines)
        .fix("See which: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations")
        .fix("Have it repaired, and deploy again: nyala redeploy")
}

pub(super) fn broken_kubeconfig(place: &Place, lines: &[String]) -> UserError {
    UserError::new("kubectl cannot use the kubeconfig")
        .found(context(place))
        .with_output(lines)
        .fix("Correct it, and try it as the owner of the site: kubectl get namespaces")
}

/// Something else answers at its address, or one that knows no such objects.
pub(super) fn no_api_server(place: &Place, lines: &[String]) -> UserError {
    UserError::new("what answers is no API server of Kubernetes, or does not know these objects")
        .found(context(place))
        .with_output(lines)
        .fix("Check the address of the cluster in the kubeconfig: kubectl cluster-info")
}

/// By a webhook, a policy, or a rule of the namespace.
pub(super) fn denied(lines: &[String]) -> UserError {
    UserError::new("the rules of the cluster do not allow these objects")
        .with_output(lines)
        .fix("See them: nyala kubernetes manifests")
        .fix("Have a patch or [kubernetes] in nyala.toml say what the rule wants")
}

/// `fields` are such as `The Job "warm-up" is invalid: spec.template`.
pub(super) fn cannot_be_changed(fields: &[String]) -> UserError {
    let error = UserError::new("the cluster does not let an object be changed like this");
    let error = fields.iter().fold(error, UserError::found);
    error
        .fix("Give it another name in the patch: a Job needs one whenever it changes")
        .fix("Or remove the old one first: kubectl delete")
}

pub(super) fn namespace_ends(place: &Place, lines: &[String]) -> UserError {
    UserError::new(format!("the namespace {} is being deleted", place.namespace()))
        .found(context(place))
        .with_output(lines)
        .fix("Wait until it is gone, create it again, and deploy: nyala redeploy")
        .fix("Or name another: set namespace under [kubernetes] of nyala.toml")
}
