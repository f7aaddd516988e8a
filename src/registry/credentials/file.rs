//! What stands in `config.json` and `auth.json`: both are of one kind.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

use super::Credentials;
use crate::registry::reference::{Reference, canonical};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogIns {
    #[serde(deserialize_with = "or_default")]
    auths: BTreeMap<String, Option<Entry>>,
    creds_store: Option<String>,
    #[serde(deserialize_with = "or_default")]
    cred_helpers: BTreeMap<String, Option<String>>,
}

/// `null` is as good as nothing, as it is for Docker.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// `USER:PASSWORD` in base64.
    #[serde(rename = "auth")]
    both: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// An entry that cannot be meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong;

/// The name under which Docker keeps what belongs to Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What addresses of a whole registry end with: others are of a part of it.
const VERSIONS: [&str; 3] = ["", "v1", "v2"];

impl LogIns {
    /// `None` for what is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<LogIns> {
        serde_json::from_slice(bytes).ok()
    }

    /// The helper of a registry alone; an empty name says for Docker that it is to have none.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        by_name(&self.cred_helpers, registry).next().map(|own| own.as_deref().unwrap_or_default())
    }

    /// The helper of all registries.
    pub(super) fn store(&self) -> Option<&str> {
        self.creds_store.as_deref().filter(|helper| !helper.is_empty())
    }

    /// What is for a part of a registry that a repository is in, the smallest part first: podman
    /// calls such entries `host/namespace` and `host/namespace/repository`.
    pub(super) fn of_part(&self, repository: &Reference) -> Result<Option<Credentials>, Wrong> {
        let has = |part: &str| {
            let rest = repository.repository.strip_prefix(part);
            !part.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_right = |key: &str| {
            !is_address(key) && canonical(host_of(key)) == repository.registry && has(path_of(key))
        };
        let mut entries: Vec<_> = self.auths.iter().filter(|(key, _)| is_right(key)).collect();
        entries.sort_by_key(|(key, _)| std::cmp::Reverse(path_of(key).len()));
        first(entries.into_iter().filter_map(|(_, entry)| entry.as_ref()))
    }

    /// What is for all of a registry.
    pub(super) fn of_registry(&self, registry: &str) -> Result<Option<Credentials>, Wrong> {
        first(by_name(&self.auths, registry).flatten())
    }
}

/// What the first entry says that says anything.
fn first<'e>(mut entries: impl Iterator<Item = &'e Entry>) -> Result<Option<Credentials>, Wrong> {
    entries.find_map(|entry| entry.credentials().transpose()).transpose()
}

/// What is kept for a registry: by Docker's own key first, then by its bare name, then by an
/// address of it, as old versions have it.
fn by_name<'m, T>(map: &'m BTreeMap<String, T>, registry: &str) -> impl Iterator<Item = &'m T> {
    let rank = |key: &str| match () {
        () if key == key_of(registry) => Some(0),
        () if canonical(host_of(key)) != registry => None,
        () if !key.contains('/') => Some(1),
        () if VERSIONS.contains(&path_of(key)) => Some(2),
        () => is_address(key).then_some(3),
    };
    let known = map.iter().filter_map(|(key, value)| Some((rank(key)?, value)));
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|(rank, _)| *rank);
    known.into_iter().map(|(_, value)| value)
}

/// The name under which Docker keeps what belongs to a registry.
pub(super) fn key_of(registry: &str) -> &str {
    if registry == "docker.io" { DOCKER_HUB_KEY } else { registry }
}

/// The registry that an entry is about: old entries have addresses.
fn host_of(key: &str) -> &str {
    let rest = without_scheme(key);
    rest.split('/').next().unwrap_or(rest)
}

/// What comes after it, without slashes around it.
fn path_of(key: &str) -> &str {
    without_scheme(key)[host_of(key).len()..].trim_matches('/')
}

fn is_address(key: &str) -> bool {
    key.contains("://")
}

fn without_scheme(key: &str) -> &str {
    key.split_once("://").map_or(key, |(_, rest)| rest)
}

impl Entry {
    /// `None` for an entry without anything: the password is in a store.
    fn credentials(&self) -> Result<Option<Credentials>, Wrong> {
        fn said(text: Option<&String>) -> Option<String> {
            text.filter(|text| !text.is_empty()).cloned()
        }
        if let Some(token) = said(self.registrytoken.as_ref()) {
            return Ok(Some(Credentials::RegistryToken(token)));
        }
        if let Some(token) = said(self.identitytoken.as_ref()) {
            return Ok(Some(Credentials::RefreshToken(token)));
        }
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            let (user, password) = (user.clone(), password.clone());
            return Ok(Some(Credentials::Password { user, password }));
        }
        let Some(auth) = said(self.both.as_ref()) else { return Ok(None) };
        let bytes = STANDARD.decode(auth.trim()).map_err(|_| Wrong)?;
        let text = String::from_utf8(bytes).map_err(|_| Wrong)?;
        let (user, password) = text.split_once(':').ok_or(Wrong)?;
        let (user, password) = (user.to_owned(), password.trim_end_matches('\0').to_owned());
        Ok(Some(Credentials::Password { user, password }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(json: &str) -> Result<Option<Credentials>, Wrong> {
        serde_json::from_str::<Entry>(json).unwrap().credentials()
    }

    #[test]
    fn an_entry_has_a_password_or_a_token_or_nothing() {
        let password = |user: &str, password: &str| {
            let (user, password) = (user.to_owned(), password.to_owned());
            Ok(Some(Credentials::Password { user, password }))
        };
        assert!(auth(r#"{"auth": "YTpiOmM="}"#) == password("a", "b:c"));
        assert!(auth(r#"{"username": "a", "password": "b"}"#) == password("a", "b"));
        assert!(
            auth(r#"{"auth": "YTo=", "identitytoken": "t"}"#)
                == Ok(Some(Credentials::RefreshToken("t".to_owned())))
        );
        assert!(
            auth(r#"{"auth": "YTpi", "identitytoken": "t", "registrytoken": "r"}"#)
                == Ok(Some(Credentials::RegistryToken("r".to_owned())))
        );
        assert!(auth(r#"{"auth": "YTpi", "registrytoken": ""}"#) == password("a", "b"));
        assert!(auth("{}") == Ok(None));
        assert!(auth(r#"{"auth": "nonsense!"}"#).is_err());
    }

    fn log_ins(json: &str) -> LogIns {
        LogIns::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_docker_reads_is_understood() {
        assert!(log_ins(r#"{"auths": null, "credHelpers": null}"#).auths.is_empty());
        assert!(log_ins(r#"{"auths": {"r": null}}"#).auths["r"].is_none());
        assert!(LogIns::parse(b"{").is_none());
    }

    #[test]
    fn an_entry_is_found_by_whatever_name_it_has() {
        let user = |json: &str, registry: &str| match log_ins(json).of_registry(registry) {
            Ok(Some(Credentials::Password { user, .. })) => Ok(user),
            Ok(Some(_)) => Ok("a token".to_owned()),
            Ok(None) => Ok(String::new()),
            Err(Wrong) => Err(Wrong),
        };
        for key in [
            "r:5000",
            "https://r:5000",
            "https://r:5000/",
            "http://r:5000/v1/",
            "r:5000/v2",
            "https://r:5000/artifactory/api",
        ] {
            let json = format!(r#"{{"auths": {{"{key}": {{"auth": "YTpi"}}}}}}"#);
            assert_eq!(user(&json, "r:5000").unwrap(), "a", "{key}");
            assert_eq!(user(&json, "r").unwrap(), "", "{key}");
        }
        for key in [
            "https://index.docker.io/v1/",
            "https://index.docker.io/v1",
            "index.docker.io",
            "docker.io",
            "registry-1.docker.io",
        ] {
            let json = format!(r#"{{"auths": {{"{key}": {{"auth": "YTpi"}}}}}}"#);
            assert_eq!(user(&json, "docker.io").unwrap(), "a", "{key}");
        }
        // What says nothing is passed over, and what is of a part of it is not for all of it.
        let many = r#"{"auths": {
            "https://r/": {"auth": "Yzpk"}, "r": {}, "r/team": {"auth": "dGVhbTp4"},
            "q": {"auth": "!"}
        }}"#;
        assert_eq!(user(many, "r").unwrap(), "c");
        assert_eq!(user(many, "q"), Err(Wrong));
        let of_part = r#"{"auths": {"r/team": {"auth": "dGVhbTp4"}}}"#;
        assert_eq!(user(of_part, "r").unwrap(), "");
        let desktop = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "YTpi", "identitytoken": "t"},
            "https://index.docker.io/v1/access-token": {"auth": "Yzpk"}
        }}"#;
        assert_eq!(user(desktop, "docker.io").unwrap(), "a token");
    }

    #[test]
    fn a_registry_may_have_a_helper_of_its_own() {
        let log_ins = log_ins(
            r#"{"credsStore": "all", "credHelpers": {
                "gcr.io": "gcloud", "https://quay.io": "quay", "own:5000": "", "null": null,
                "docker.io": "hub"
            }}"#,
        );
        for (registry, helper) in [
            ("gcr.io", Some("gcloud")),
            ("quay.io", Some("quay")),
            ("own:5000", Some("")),
            ("null", Some("")),
            ("docker.io", Some("hub")),
            ("other", None),
        ] {
            assert_eq!(log_ins.helper(registry), helper, "{registry}");
        }
        assert_eq!(log_ins.store(), Some("all"));
        assert_eq!(self::log_ins(r#"{"credsStore": ""}"#).store(), None);
    }
}
