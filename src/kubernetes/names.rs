//! What objects are called.

mod error;

use std::path::Path;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use crate::console;
use crate::hex::hex;
use crate::site::settings::{Kubernetes, is_name};

/// The most characters of a name: those of a label of DNS.
const LONGEST: usize = 63;

/// What the objects of a site are called: as nyala.toml says, or as its folder.
pub(super) fn of_site(root: &Path, settings: &Kubernetes) -> Result<String> {
    if let Some(name) = &settings.name {
        return Ok(name.clone());
    }
    let folder = root.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = label(&folder);
    if !is_name(&name) {
        bail!(error::no_name(&folder));
    }
    Ok(name)
}

/// A process as a part of a name: `my_worker` is `my-worker`.
pub(super) fn component(process: &str) -> String {
    label(&process.to_lowercase())
}

/// Fails when a process cannot have its own name in a cluster.
pub(super) fn check_processes<'p>(
    name: &str,
    processes: impl Iterator<Item = &'p String>,
) -> Result<()> {
    let processes: Vec<&str> = processes.map(String::as_str).collect();
    for (number, process) in processes.iter().enumerate() {
        let part = component(process);
        if part.is_empty() || !is_name(&joined(name, &part)) {
            bail!(error::no_component(process));
        }
        if let Some(same) = processes[..number].iter().find(|it| component(it) == part) {
            bail!(error::same_component(same, process));
        }
    }
    Ok(())
}

/// Warns of processes that get a number of pods, and are not there: a misspelt one has one pod, as
/// if nobody had said anything.
pub(super) fn warn_of_unknown<'p>(
    named: impl Iterator<Item = &'p String>,
    known: impl Iterator<Item = &'p String>,
) {
    let known: Vec<&str> = known.map(String::as_str).collect();
    for process in named.filter(|process| !known.contains(&process.as_str())) {
        console::warning(error::no_process(process, &known.join(", ")));
    }
}

/// `NAME-SUFFIX`. Where that is too long for a label, the name is cut, and what tells it from
/// others is put in.
pub(super) fn joined(name: &str, suffix: &str) -> String {
    let whole = format!("{name}-{suffix}");
    if whole.len() <= LONGEST {
        return whole;
    }
    let mark = &digest(whole.as_bytes())[..6];
    let room = LONGEST.saturating_sub(suffix.len() + mark.len() + 2);
    let begin = name.get(..room).unwrap_or(name).trim_end_matches('-');
    format!("{begin}-{mark}-{suffix}")
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn label(text: &str) -> String {
    let allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let text: String = text.chars().map(|it| if allowed(it) { it } else { '-' }).collect();
    let text = text.trim_matches('-');
    text.get(..LONGEST).unwrap_or(text).trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_called_as_its_folder() {
        let name = |folder: &str| of_site(Path::new(folder), &Kubernetes::default());
        assert_eq!(name("/srv/shop").unwrap(), "shop");
        assert_eq!(name("/srv/My Shop.example_org").unwrap(), "my-shop-example-org");
        insta::assert_snapshot!(name("/srv/7").unwrap_err(), @r#"
        the name of the site's folder is not a valid name for Kubernetes objects
        found: 7
        Give them one: set name = "…" under [kubernetes] of nyala.toml
        "#);
        assert!(name("/srv/é").is_err() && name("/").is_err());
        let named = Kubernetes { name: Some("blog".to_owned()), ..Kubernetes::default() };
        assert_eq!(of_site(Path::new("/srv/7"), &named).unwrap(), "blog");
    }

    #[test]
    fn a_process_needs_a_name_that_a_cluster_takes() {
        let check = |processes: &[&str]| {
            let processes: Vec<String> = processes.iter().map(|it| (*it).to_owned()).collect();
            check_processes("shop", processes.iter())
        };
        check(&["web", "my_worker", "2nd", "Release"]).unwrap();
        let long = "w".repeat(63);
        insta::assert_snapshot!(check(&["_"]).unwrap_err(), @"
        a process cannot have its name in the cluster
        found: _
        Call it something shorter, with a letter or a digit in it
        ");
        assert!(check(&[&long]).is_err());
        check(&[&long[..54]]).unwrap();
        insta::assert_snapshot!(check(&["my_worker", "my-worker"]).unwrap_err(), @"
        two processes would have one name in the cluster
        found: my_worker and my-worker
        Give one of them another name: Kubernetes has only small letters, digits and -
        ");
    }

    #[test]
    fn a_name_is_never_too_long() {
        assert_eq!(joined("shop", "web"), "shop-web");
        let long = joined(&"a".repeat(63), "release-123");
        assert!(is_name(&long) && long.len() == 63 && long.ends_with("-release-123"), "{long}");
        assert_ne!(long, joined(&format!("{}b", "a".repeat(62)), "release-123"));
        assert_eq!(component("My_Worker"), "my-worker");
    }
}
