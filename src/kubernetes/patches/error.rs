//! What is wrong with the project's patches, in words for people.

use super::super::place::Place;
use crate::text::excerpt;
use crate::user_error::UserError;

pub(super) fn no_patches(path: &str) -> UserError {
    UserError::new("the commit has no folder for patches in [kubernetes]")
        .found(format!("patches = \"{}\"", excerpt(path)))
        .fix("Commit the folder, or remove patches from nyala.toml")
}

pub(super) fn patches_lead_out(path: &str) -> UserError {
    UserError::new("the folder with the patches leads out of the release")
        .found(format!("patches = \"{}\"", excerpt(path)))
        .fix("Put the files into the repository")
}

pub(super) fn not_yaml(file: &str, why: &str) -> UserError {
    UserError::new(format!("{} is not YAML", excerpt(file)))
        .labelled("output", why.lines().next().unwrap_or_default())
        .fix("Correct it, commit, and push again")
}

pub(super) fn no_object(file: &str) -> UserError {
    UserError::new(format!("{} has something that is not a Kubernetes object", excerpt(file)))
        .found("each needs apiVersion, kind, and a name in metadata")
        .fix("Correct it, commit, and push again")
}

/// What kubectl or the result says against the project's patches.
pub(super) fn wrong_patches(path: &str, lines: &[String]) -> UserError {
    UserError::new(format!("the patches in {} cannot be applied", excerpt(path)))
        .with_output(lines)
        .fix("Try them on what nyala makes: nyala kubernetes manifests --without-patches")
}

pub(super) fn base_not_named(path: &str) -> UserError {
    UserError::new(format!("the kustomization in {} leaves out nyala's objects", excerpt(path)))
        .fix("Name them in it: resources: [nyala.yaml]")
}

pub(super) fn lost(path: &str, kind: &str, name: &str) -> UserError {
    UserError::new(format!("the patches in {} leave out the {kind} {name}", excerpt(path)))
        .fix("Keep it, with its labels and annotations")
}

pub(super) fn other_namespace(path: &str, namespace: &str, place: &Place) -> UserError {
    UserError::new(format!("an object in {} has another namespace than the site", excerpt(path)))
        .found(format!("{}, and not {}", excerpt(namespace), place.namespace()))
        .fix("Leave the namespace out: nyala.toml has it")
}

/// `found` says which letter, and where.
pub(super) fn lost_letter(file: &str, found: &str) -> UserError {
    UserError::new(format!(
        "{} has a control character that kubectl kustomize cannot keep",
        excerpt(file)
    ))
    .found(found)
    .fix("Leave it out, or write the value in base64: binaryData of a ConfigMap, data of a Secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        let namespace = Some("web".to_owned());
        let name = "shop".to_owned();
        let place = Place { kubeconfig: None, context: None, namespace, server: None, name };
        for error in [
            no_patches("k8s"),
            patches_lead_out("k8s"),
            not_yaml("k8s/a.yaml", "line 1"),
            no_object("k8s/a.yaml"),
            wrong_patches("k8s", &["no matches".to_owned()]),
            base_not_named("k8s"),
            lost("k8s", "Deployment", "shop-web"),
            other_namespace("k8s", "x", &place),
        ] {
            assert!(!error.fixes.is_empty(), "{error}");
        }
        insta::assert_snapshot!(lost_letter("k8s/a.yaml", "U+0085 in data.text"), @"
        k8s/a.yaml has a control character that kubectl kustomize cannot keep
        found: U+0085 in data.text
        Leave it out, or write the value in base64: binaryData of a ConfigMap, data of a Secret
        ");
    }
}
