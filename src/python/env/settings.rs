//! The settings that decide what is installed into an env, as its marker keeps them: which have
//! changed since, and no value.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The settings that an env is made with.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct DecidingSettings {
    /// A digest of those that the installer or a build reads, with their values.
    #[serde(rename = "settings_digest")]
    pub digest: String,
    /// Which these are, and the beginning of a digest of each: enough to see which one has changed,
    /// and too little to know a password when it is guessed. `None` where an older nyala has made
    /// the env.
    #[serde(default, rename = "settings")]
    read: Option<BTreeMap<String, String>>,
    /// The same for app settings that a build may read. None of them is a secret.
    #[serde(default, rename = "settings_of_builds")]
    perhaps: BTreeMap<String, String>,
}

impl DecidingSettings {
    /// Of names and values, sorted by name: those that are read, and those that perhaps are.
    pub fn new<'s>(
        read: impl IntoIterator<Item = (&'s str, &'s str)>,
        perhaps: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> DecidingSettings {
        let mut hash = Sha256::new();
        let read = read.into_iter().map(|(name, value)| {
            hash.update(format!("{}:{name}={}:{value}", name.len(), value.len()));
            (name.to_owned(), hex(&Sha256::digest(value)[..2]))
        });
        let read = Some(read.collect());
        let perhaps = perhaps.into_iter();
        let perhaps = perhaps.map(|(name, value)| (name.to_owned(), hex(&Sha256::digest(value))));
        DecidingSettings { digest: hex(&hash.finalize()), read, perhaps: perhaps.collect() }
    }

    /// The names of the app settings that a build may read.
    pub fn perhaps(&self) -> impl Iterator<Item = &str> {
        self.perhaps.keys().map(String::as_str)
    }

    /// The names of what the installer or a build reads and is not now what it was; `None` when all
    /// of it is. No names when they are not known.
    pub fn changed(&self, now: &DecidingSettings) -> Option<Vec<String>> {
        (self.digest != now.digest).then(|| match (&self.read, &now.read) {
            (Some(then), Some(now)) => differing(then, now),
            _ => Vec::new(),
        })
    }

    /// The same for what a build may read.
    pub fn perhaps_changed(&self, now: &DecidingSettings) -> Vec<String> {
        differing(&self.perhaps, &now.perhaps)
    }
}

fn differing(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> = then.keys().chain(now.keys()).collect();
    names.into_iter().filter(|name| then.get(*name) != now.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_named_and_no_value_is_kept() {
        let then = DecidingSettings::new([("CC", "gcc"), ("CFLAGS", "-O2")], [("HDF5_DIR", "/a")]);
        let now = DecidingSettings::new([("CFLAGS", "-O3"), ("CXX", "g++")], [("HDF5_DIR", "/b")]);
        assert_eq!(then.changed(&then), None);
        assert_eq!(then.changed(&now).unwrap(), ["CC", "CFLAGS", "CXX"]);
        assert_eq!(then.perhaps_changed(&now), ["HDF5_DIR"]);
        let kept = serde_json::to_string(&now).unwrap();
        assert!(!kept.contains("-O3") && !kept.contains("/b"), "{kept}");
    }

    #[test]
    fn of_an_older_marker_only_the_digest_is_compared() {
        let now = DecidingSettings::new([("CC", "gcc")], [("HDF5_DIR", "/a")]);
        let older = |digest: &str| {
            let text = format!(r#"{{"settings_digest": "{digest}"}}"#);
            serde_json::from_str::<DecidingSettings>(&text).unwrap()
        };
        assert_eq!(older(&now.digest).changed(&now), None);
        assert_eq!(older("other").changed(&now), Some(Vec::new()));
    }
}
