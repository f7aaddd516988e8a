//! The users, passwords and tokens that logins have left: in `config.json` of Docker, in
//! `auth.json` of podman, skopeo and buildah, and in the programs that these files name. See
//! <https://docs.docker.com/reference/cli/docker/login/#credential-stores> and
//! containers-auth.json(5).

mod file;
mod helper;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::process::geteuid;

use self::file::{LogIns, key_of};
use super::error;
use super::reference::Reference;
use crate::disk;

/// Who asks a registry for something.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Password {
        user: String,
        password: String,
    },
    /// What is exchanged for a short-lived token ("identity token").
    RefreshToken(String),
    /// What is shown to the registry as it is ("registry token").
    RegistryToken(String),
}

/// What is known for a repository, by the first file that knows anything of it; `None` when none
/// does.
pub(super) fn find(repository: &Reference) -> Result<Option<Credentials>> {
    for path in files() {
        let Some(bytes) = disk::read_if_there(&path)? else { continue };
        // What the parser says would show a part of the file.
        let log_ins = LogIns::parse(&bytes).ok_or_else(|| error::wrong_config(&path))?;
        if let Some(found) = find_in(&log_ins, &path, repository)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What a file knows. A helper for the registry comes before everything else, then what is for a
/// part of the registry, as podman has it; then the store of all registries.
fn find_in(log_ins: &LogIns, path: &Path, repository: &Reference) -> Result<Option<Credentials>> {
    let registry = repository.registry.as_str();
    let ask = |helper: &str| helper::ask(helper, key_of(registry), path);
    let wrong = |_| error::wrong_auth(path, registry);
    let own = log_ins.helper(registry);
    if let Some(helper) = own.filter(|helper| !helper.is_empty())
        && let Some(found) = ask(helper)?
    {
        return Ok(Some(found));
    }
    if let Some(found) = log_ins.of_part(repository).map_err(wrong)? {
        return Ok(Some(found));
    }
    if let (None, Some(store)) = (own, log_ins.store())
        && let Some(found) = ask(store)?
    {
        return Ok(Some(found));
    }
    Ok(log_ins.of_registry(registry).map_err(wrong)?)
}

/// The files that may have a login of this user, in the order in which they are read.
pub(super) fn files() -> Vec<PathBuf> {
    let user = geteuid().as_raw();
    let is_own = |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.uid() == user);
    files_of(user, &|name| env::var_os(name), &is_own)
}

/// What a variable names comes first, and of what is only found, what podman has: it is the order
/// of podman, apart from `$DOCKER_CONFIG`.
fn files_of(
    user: u32,
    variable: &dyn Fn(&str) -> Option<OsString>,
    is_own: &dyn Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let named = |name| variable(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let in_home = |folder: &str| Some(named("HOME")?.join(folder));
    let podman = |folder: PathBuf| folder.join("containers/auth.json");
    // Whoever becomes another user may still have the folder of the one before, and over ssh there
    // may be none.
    let runtime = named("XDG_RUNTIME_DIR").filter(|it| is_own(it));
    let runtime = runtime.unwrap_or_else(|| format!("/run/user/{user}").into());
    let (file_of_podman, folder_of_docker) = (named("REGISTRY_AUTH_FILE"), named("DOCKER_CONFIG"));
    let docker = |folder: PathBuf| folder.join("config.json");
    let mut files: Vec<PathBuf> = file_of_podman.iter().cloned().collect();
    files.extend(folder_of_docker.clone().map(docker));
    if file_of_podman.is_none() {
        files.extend([podman(runtime), format!("/run/containers/{user}/auth.json").into()]);
    }
    files.extend(named("XDG_CONFIG_HOME").or_else(|| in_home(".config")).map(podman));
    if folder_of_docker.is_none() {
        files.extend(in_home(".docker").map(docker));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(variables: &[(&str, &str)]) -> Vec<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(its, _)| *its == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let files = files_of(7, &variable, &|folder| folder.starts_with("/run/user/7"));
        files.iter().map(|file| file.display().to_string()).collect()
    }

    #[test]
    fn what_a_variable_names_is_read_first() {
        let home = ("HOME", "/home/ann");
        assert_eq!(
            files(&[home]),
            [
                "/run/user/7/containers/auth.json",
                "/run/containers/7/auth.json",
                "/home/ann/.config/containers/auth.json",
                "/home/ann/.docker/config.json",
            ]
        );
        let named = [
            home,
            ("REGISTRY_AUTH_FILE", "/a/auth.json"),
            ("DOCKER_CONFIG", "/d"),
            ("XDG_CONFIG_HOME", "/c"),
        ];
        assert_eq!(files(&named), ["/a/auth.json", "/d/config.json", "/c/containers/auth.json"]);
        assert_eq!(
            files(&[("XDG_RUNTIME_DIR", "/run/user/7/x")])[0],
            "/run/user/7/x/containers/auth.json"
        );
        let of_another_user = files(&[("XDG_RUNTIME_DIR", "/run/user/0"), ("HOME", "")]);
        assert_eq!(
            of_another_user,
            ["/run/user/7/containers/auth.json", "/run/containers/7/auth.json"]
        );
    }

    fn found(json: &str, image: &str) -> String {
        let log_ins = LogIns::parse(json.as_bytes()).unwrap();
        match find_in(&log_ins, Path::new("auth.json"), &image.parse().unwrap()) {
            Ok(Some(Credentials::Password { user, .. })) => user,
            Ok(Some(_)) => "a token".to_owned(),
            Ok(None) => "nobody".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_for_a_part_of_a_registry_is_for_nothing_else() {
        // Users a, team, web and hub.
        let json = r#"{"auths": {
            "r.io": {"auth": "YTpi"}, "r.io/team": {"auth": "dGVhbTp4"},
            "r.io/team/web": {"auth": "d2ViOng="}, "r.io/empty": {},
            "index.docker.io/library": {"auth": "aHViOng="}
        }}"#;
        for (image, user) in [
            ("r.io/other", "a"),
            ("r.io/teams/web", "a"),
            ("r.io/empty/web", "a"),
            ("r.io/team", "team"),
            ("r.io/team/webs:1", "team"),
            ("r.io/team/web:1", "web"),
            ("r.io/team/web/worker", "web"),
            ("r.io:5000/team/web", "nobody"),
            ("python", "hub"),
            ("me/app", "nobody"),
        ] {
            assert_eq!(found(json, image), user, "{image}");
        }
        let only = r#"{"auths": {"r.io/team": {"auth": "dGVhbTp4"}}}"#;
        assert_eq!(found(only, "r.io/other"), "nobody");
    }

    #[test]
    fn what_is_for_a_part_of_a_registry_comes_before_the_store_of_all() {
        let with = |helper: &str| {
            let json = r#"{"auths": {"r.io/team": {"auth": "dGVhbTp4"}}, HELPER}"#;
            json.replace("HELPER", helper)
        };
        let store = with(r#""credsStore": "is-not-there""#);
        assert_eq!(found(&store, "r.io/team/web"), "team");
        assert!(found(&store, "r.io/other").starts_with("docker-credential-is-not-there cannot"));
        let own = with(r#""credHelpers": {"r.io": "is-not-there"}"#);
        assert!(found(&own, "r.io/team/web").starts_with("docker-credential-is-not-there cannot"));
        let none = with(r#""credsStore": "is-not-there", "credHelpers": {"r.io": ""}"#);
        assert_eq!(found(&none, "r.io/other"), "nobody");
    }
}
