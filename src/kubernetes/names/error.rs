//! What cannot be called so in a cluster, in words for people.

use crate::text::excerpt;
use crate::user_error::UserError;

pub(super) fn no_name(folder: &str) -> UserError {
    UserError::new("the name of the site's folder is not a valid name for Kubernetes objects")
        .found(excerpt(folder))
        .fix("Give them one: set name = \"…\" under [kubernetes] of nyala.toml")
}

pub(super) fn no_component(process: &str) -> UserError {
    UserError::new("a process cannot have its name in the cluster")
        .found(excerpt(process))
        .fix("Call it something shorter, with a letter or a digit in it")
}

/// `known` are the processes that can be meant.
pub(super) fn no_process(process: &str, known: &str) -> UserError {
    UserError::new("replicas in [kubernetes] names a process that the application does not have")
        .found(excerpt(process))
        .labelled("allowed", known)
}

pub(super) fn same_component(one: &str, other: &str) -> UserError {
    UserError::new("two processes would have one name in the cluster")
        .found(format!("{one} and {other}"))
        .fix("Give one of them another name: Kubernetes has only small letters, digits and -")
}
