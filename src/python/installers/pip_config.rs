//! The settings that `pip install` sees, from pip's configuration files and the environment.
//!
//! Source: <https://pip.pypa.io/en/stable/topics/configuration/>, and `configuration.py` of pip 26.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use configparser::ini::{Ini, IniDefault};

use crate::disk;
use crate::process::Environment;

/// The sections that apply to `pip install`; later ones override earlier ones.
const SECTIONS: [&str; 2] = ["global", "install"];

/// One of pip's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::python) struct Setting {
    /// The name of pip's option without `--`, such as `extra-index-url`.
    pub(in crate::python) name: String,
    /// Never empty. Several values are separated by white space.
    pub(in crate::python) value: String,
    /// The name of the variable, or the path of the file, that sets it.
    pub(in crate::python) by: String,
    /// Whether it is set in a file.
    pub(in crate::python) file: bool,
}

/// pip's settings in this environment, when it runs in `folder`, sorted by name. Each has the value
/// from the place with the highest precedence.
///
/// Fails when a configuration file cannot be read, as pip does.
pub(super) fn settings(
    environment: &Environment,
    env: &Path,
    folder: &Path,
) -> Result<Vec<Setting>> {
    settings_from(environment, Some(env), &|file| disk::read_to_string(folder.join(file)))
}

/// [`settings`], with `read` to read files; without the settings of an env if there is none yet.
pub(in crate::python) fn settings_from(
    environment: &Environment,
    env: Option<&Path>,
    read: &dyn Fn(&Path) -> std::io::Result<String>,
) -> Result<Vec<Setting>> {
    let mut found = BTreeMap::new();
    for file in files(environment, env, &|file| read(file).is_ok()) {
        let shown = file.display().to_string();
        match read(&file) {
            Ok(text) => {
                let read = parse(&text).map_err(anyhow::Error::msg);
                for (name, value) in
                    read.with_context(|| format!("pip's configuration {shown} cannot be read"))?
                {
                    found.insert(name, (value, shown.clone(), true));
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("pip's configuration {shown} cannot be read"));
            }
        }
    }
    for (variable, value) in environment.iter() {
        let variable = variable.to_string_lossy();
        if let Some(name) = variable
            .strip_prefix("PIP_")
            .filter(|name| !["CONFIG_FILE", "VERSION", "HELP"].contains(name))
        {
            // pip ignores a variable without a value.
            if !value.is_empty() {
                let value = value.to_string_lossy().into_owned();
                found.insert(normal(name), (value, variable.to_string(), false));
            }
        }
    }
    let settings = found.into_iter().filter(|(_, (value, ..))| !value.trim().is_empty());
    Ok(settings.map(|(name, (value, by, file))| Setting { name, value, by, file }).collect())
}

/// The files that pip reads; later ones override earlier ones.
pub(in crate::python) fn files(
    environment: &Environment,
    env: Option<&Path>,
    exists: &dyn Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let variable =
        |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = variable("PIP_CONFIG_FILE");
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let machine = environment.get("XDG_CONFIG_DIRS").filter(|value| !value.is_empty());
    let machine = machine.unwrap_or("/etc/xdg".as_ref());
    let mut files: Vec<PathBuf> =
        std::env::split_paths(machine).map(|folder| folder.join("pip/pip.conf")).collect();
    files.push("/etc/pip.conf".into());
    // A file that is named replaces the user's own.
    if !named.as_ref().is_some_and(|file| exists(file))
        && let Some(home) = variable("HOME")
    {
        files.push(home.join(".pip/pip.conf"));
        files.push(
            variable("XDG_CONFIG_HOME")
                .unwrap_or_else(|| home.join(".config"))
                .join("pip/pip.conf"),
        );
    }
    files.extend(env.map(|env| env.join("pip.conf")));
    files.extend(named);
    files
}

/// The settings of a configuration file, as Python's `RawConfigParser` reads it.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut defaults = IniDefault::default();
    defaults.multiline = true;
    defaults.comment_symbols = vec!['#', ';'];
    defaults.inline_comment_symbols = Some(Vec::new());
    defaults.delimiters = vec!['=', ':'];
    let mut ini = Ini::new_from_defaults(defaults);
    let sections = ini.read(text.to_owned())?;
    let mut found = Vec::new();
    for section in SECTIONS {
        for (key, value) in sections.get(section).into_iter().flatten() {
            found.push((normal(key), value.clone().unwrap_or_default()));
        }
    }
    Ok(found)
}

/// The environment variable for one of pip's settings.
pub(super) fn variable(name: &str) -> String {
    format!("PIP_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// Whether a value turns a setting off.
pub(super) fn is_off(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off" | "n" | "f")
}

/// A setting's name as pip compares it.
fn normal(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('_', "-");
    name.strip_prefix("--").map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn setting(name: &str, value: &str, by: &str) -> Setting {
        let file = !by.starts_with("PIP_");
        Setting { name: name.into(), value: value.into(), by: by.into(), file }
    }

    #[test]
    fn a_file_is_read_as_python_reads_it() {
        let text = "# a comment\n[global]\nIndex_URL = https://h/?a=b#c ; no comment\n\
                    extra-index-url =\n    https://a/\n    https://b/\ntimeout: 60\nempty =\n\
                    [download]\nno-deps = yes\n[install]\ntimeout = 5\n";
        let mut found: BTreeMap<_, _> = BTreeMap::new();
        found.extend(parse(text).unwrap());
        assert_eq!(found["index-url"], "https://h/?a=b#c ; no comment");
        assert_eq!(
            found["extra-index-url"].split_whitespace().collect::<Vec<_>>(),
            ["https://a/", "https://b/"]
        );
        assert_eq!(found["timeout"], "5");
        assert!(!found.contains_key("no-deps"));
    }

    #[test]
    fn the_environment_overrides_files_and_later_files_override_earlier_ones() {
        let folder = tempfile::tempdir().unwrap();
        let env = folder.path().join("env");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("[global]\n{text}")).unwrap();
            path.display().to_string()
        };
        let user =
            write(".config/pip/pip.conf", "index-url = https://user/\ntimeout = 1\nretries = 1\n");
        let own = write("env/pip.conf", "timeout = 2\nretries = 2\n");
        let clean = Environment::empty()
            .set("HOME", folder.path())
            .set("XDG_CONFIG_DIRS", folder.path().join("none"));
        let all = |environment: &Environment| -> Vec<Setting> {
            let all = settings(environment, &env, folder.path()).unwrap();
            all.into_iter().filter(|setting| !setting.by.starts_with("/etc/")).collect()
        };
        assert_eq!(
            all(&clean.clone().set("PIP_RETRIES", "3").set("PIP_NO_DEPS", "")),
            [
                setting("index-url", "https://user/", &user),
                setting("retries", "3", "PIP_RETRIES"),
                setting("timeout", "2", &own)
            ]
        );
        let named = write("named.conf", "timeout = 4\n");
        assert_eq!(
            all(&clean.clone().set("PIP_CONFIG_FILE", &named)),
            [setting("retries", "2", &own), setting("timeout", "4", &named)]
        );
        assert_eq!(
            settings(&clean.set("PIP_CONFIG_FILE", "/dev/null"), &env, folder.path()).unwrap(),
            []
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("pip.conf")).unwrap();
        let error = settings(&Environment::empty(), folder.path(), folder.path()).unwrap_err();
        assert!(format!("{error:#}").contains("pip.conf cannot be read"), "{error:#}");
    }
}
