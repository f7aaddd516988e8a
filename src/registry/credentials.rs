//! The users and passwords that `docker login` keeps: `config.json`, and the programs that it
//! names. See <https://docs.docker.com/reference/cli/docker/login/#credential-stores>.

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

use super::error;
use super::reference::canonical;
use crate::disk;
use crate::user_error::Explain;

/// Who asks a registry for something.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Password {
        user: String,
        password: String,
    },
    /// What is exchanged for a short-lived token ("identity token").
    RefreshToken(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
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
}

/// An entry that cannot be meant.
#[derive(Debug, PartialEq, Eq)]
struct Wrong;

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// The name under which Docker keeps what belongs to Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What addresses of a whole registry end with: others are of a part of it.
const VERSIONS: [&str; 3] = ["", "v1", "v2"];

/// How long a helper may take: it may ask a service of the cloud.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known for a registry; `None` when nothing is.
pub(super) fn find(registry: &str) -> Result<Option<Credentials>> {
    let Some(path) = config_file() else { return Ok(None) };
    let Some(bytes) = disk::read_if_there(&path)? else { return Ok(None) };
    let config: Config = serde_json::from_slice(&bytes)
        .explain(|| error::wrong_config(&path))
        .map_err(without_cause)?;
    if let Some(helper) = config.helper(registry)
        && let Some(found) = ask(helper, key_of(registry))?
    {
        return Ok(Some(found));
    }
    config.entry(registry).map_err(|Wrong| error::wrong_auth(&path, registry).into())
}

impl Config {
    /// The helper that knows a registry; an empty name means none, as it does for Docker.
    fn helper(&self, registry: &str) -> Option<&str> {
        let own = by_name(&self.cred_helpers, registry).next();
        let helper = own.map_or(self.creds_store.as_deref(), Option::as_deref);
        helper.filter(|helper| !helper.is_empty())
    }

    /// What the first entry says that says anything.
    fn entry(&self, registry: &str) -> Result<Option<Credentials>, Wrong> {
        let entries = by_name(&self.auths, registry).flatten();
        entries.map(Entry::credentials).find_map(Result::transpose).transpose()
    }
}

/// What is kept for a registry: by Docker's own key first, then by its bare name, then by an
/// address of it, as old versions have it.
fn by_name<'m, T>(map: &'m BTreeMap<String, T>, registry: &str) -> impl Iterator<Item = &'m T> {
    let rank = |key: &str| match () {
        () if key == key_of(registry) => Some(0),
        () if canonical(host_of(key)) != registry => None,
        () if !key.contains('/') => Some(1),
        () if VERSIONS.contains(&path_of(key)) => Some(2),
        () => Some(3),
    };
    let known = map.iter().filter_map(|(key, value)| Some((rank(key)?, value)));
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|(rank, _)| *rank);
    known.into_iter().map(|(_, value)| value)
}

/// The name under which Docker keeps what belongs to a registry.
fn key_of(registry: &str) -> &str {
    if registry == "docker.io" { DOCKER_HUB_KEY } else { registry }
}

/// What the parser says would show a part of the file.
fn without_cause(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<crate::user_error::Explained>() {
        Ok(explained) => explained.explanation.into(),
        Err(error) => error,
    }
}

/// `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`.
pub(super) fn config_file() -> Option<PathBuf> {
    let named = |name| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let folder = named("DOCKER_CONFIG").or_else(|| Some(named("HOME")?.join(".docker")))?;
    Some(folder.join("config.json"))
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

fn without_scheme(key: &str) -> &str {
    key.split_once("://").map_or(key, |(_, rest)| rest)
}

impl Entry {
    /// `None` for an entry without anything: the password is in a store.
    fn credentials(&self) -> Result<Option<Credentials>, Wrong> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.is_empty()) {
            return Ok(Some(Credentials::RefreshToken(token.clone())));
        }
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            let (user, password) = (user.clone(), password.clone());
            return Ok(Some(Credentials::Password { user, password }));
        }
        let Some(auth) = self.both.as_ref().filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let bytes = STANDARD.decode(auth.trim()).map_err(|_| Wrong)?;
        let text = String::from_utf8(bytes).map_err(|_| Wrong)?;
        let (user, password) = text.split_once(':').ok_or(Wrong)?;
        let (user, password) = (user.to_owned(), password.trim_end_matches('\0').to_owned());
        Ok(Some(Credentials::Password { user, password }))
    }
}

/// Asks the program `docker-credential-HELPER`, which is given the registry on its standard input.
fn ask(helper: &str, registry: &str) -> Result<Option<Credentials>> {
    let program = format!("docker-credential-{helper}");
    let started = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|cause| error::no_helper(&program, &cause))?;
    if let Some(mut input) = child.stdin.take() {
        // One that reads nothing is told by what it answers.
        let _ = input.write_all(registry.as_bytes());
    }
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        return Err(error::slow_helper(&program, PATIENCE).into());
    };
    let output = output.map_err(|cause| error::no_helper(&program, &cause))?;
    if !output.status.success() {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // What every helper says, see `errors.go` of docker-credential-helpers.
        if [&stdout, &stderr].iter().any(|said| said.contains("credentials not found")) {
            return Ok(None);
        }
        return Err(error::failed_helper(&program, &harmless(&stdout, &stderr)).into());
    }
    let Ok(answer) = serde_json::from_slice::<Helped>(&output.stdout) else {
        return Err(error::failed_helper(&program, "its answer is not understood").into());
    };
    Ok(answer.credentials())
}

impl Helped {
    /// `None` for an answer without anything: some helpers say so that they know nothing.
    fn credentials(self) -> Option<Credentials> {
        let Helped { username, secret } = self;
        match username.as_str() {
            "" if secret.is_empty() => None,
            "<token>" => Some(Credentials::RefreshToken(secret)),
            _ => Some(Credentials::Password { user: username, password: secret }),
        }
    }
}

/// What a helper that failed has said, as far as it can be no password: helpers print those, and
/// tell errors on either output.
fn harmless(stdout: &str, stderr: &str) -> String {
    let said = [stderr, stdout].map(str::trim).into_iter().find(|said| !said.is_empty());
    let Some(said) = said else { return "it said nothing".to_owned() };
    let lower = said.to_lowercase();
    let may_be_secret =
        said.contains('{') || ["secret", "password", "token"].iter().any(|it| lower.contains(it));
    // An error on the standard output, where the password belongs, is one sentence.
    let is_answer = stderr.trim().is_empty() && (said.contains('\n') || !said.contains(' '));
    if may_be_secret || is_answer {
        return "what it said is not shown: a password may be in it".to_owned();
    }
    said.to_owned()
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
        assert!(auth("{}") == Ok(None));
        assert!(auth(r#"{"auth": "nonsense!"}"#).is_err());
    }

    #[test]
    fn what_docker_reads_is_understood() {
        let config = |json: &str| serde_json::from_str::<Config>(json).unwrap();
        assert!(config(r#"{"auths": null, "credHelpers": null}"#).auths.is_empty());
        assert!(config(r#"{"auths": {"r": null}}"#).auths["r"].is_none());
        let helped = |json: &str| serde_json::from_str::<Helped>(json).unwrap().credentials();
        assert!(helped(r#"{"Username": "", "Secret": ""}"#).is_none());
        assert!(helped(r#"{"Username": "a", "Secret": ""}"#).is_some());
    }

    #[test]
    fn no_password_that_a_helper_prints_is_shown() {
        let said = "error getting credentials - err: exit status 1";
        assert_eq!(harmless(&format!("{said}\n"), ""), said);
        assert_eq!(harmless("hunter2", said), said);
        assert_eq!(harmless("", ""), "it said nothing");
        let json = r#"{"Username": "ann", "Secret": "hunter2"}"#;
        for stdout in [json, "hunter2", "user ann\nwith hunter2", "the secret is hunter2"] {
            assert!(!harmless(stdout, "").contains("hunter2"), "{stdout}");
        }
        assert!(!harmless("", json).contains("hunter2"));
    }

    #[test]
    fn an_entry_is_found_by_whatever_name_it_has() {
        let user = |json: &str, registry: &str| {
            let config: Config = serde_json::from_str(json).unwrap();
            match config.entry(registry) {
                Ok(Some(Credentials::Password { user, .. })) => Ok(user),
                Ok(Some(Credentials::RefreshToken(_))) => Ok("a token".to_owned()),
                Ok(None) => Ok(String::new()),
                Err(Wrong) => Err(Wrong),
            }
        };
        for key in ["r:5000", "https://r:5000", "https://r:5000/", "http://r:5000/v1/", "r:5000/v2"]
        {
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
        // What says nothing is passed over, and what is of all of the registry comes first.
        let many = r#"{"auths": {
            "https://r/": {"auth": "Yzpk"}, "r": {}, "r/team": {"auth": "dGVhbTp4"},
            "q": {"auth": "!"}
        }}"#;
        assert_eq!(user(many, "r").unwrap(), "c");
        assert_eq!(user(many, "q"), Err(Wrong));
        let of_part = r#"{"auths": {"r/team": {"auth": "dGVhbTp4"}}}"#;
        assert_eq!(user(of_part, "r").unwrap(), "team");
        let desktop = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "YTpi", "identitytoken": "t"},
            "https://index.docker.io/v1/access-token": {"auth": "Yzpk"}
        }}"#;
        assert_eq!(user(desktop, "docker.io").unwrap(), "a token");
    }

    #[test]
    fn a_helper_of_a_registry_comes_before_that_of_all() {
        let config: Config = serde_json::from_str(
            r#"{"credsStore": "all", "credHelpers": {
                "gcr.io": "gcloud", "https://quay.io": "quay", "own:5000": "", "null": null,
                "docker.io": "hub"
            }}"#,
        )
        .unwrap();
        for (registry, helper) in [
            ("gcr.io", Some("gcloud")),
            ("quay.io", Some("quay")),
            ("own:5000", None),
            ("null", None),
            ("docker.io", Some("hub")),
            ("other", Some("all")),
        ] {
            assert_eq!(config.helper(registry), helper, "{registry}");
        }
        let none: Config = serde_json::from_str(r#"{"credsStore": ""}"#).unwrap();
        assert_eq!(none.helper("gcr.io"), None);
    }
}
