//! uv's configuration files, and the one that takes their place where they say what cannot apply to
//! an env.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Installation;
use super::overrule::does_not_apply;
use super::pip_config::is_off;
use crate::disk;
use crate::process::Environment;

/// Settings in the `[pip]` table of uv's configuration with which it installs elsewhere or for
/// another Python.
const OF_UV: [&str; 5] = ["prefix", "python-platform", "python-version", "system", "target"];

/// Settings there for what a project declares, with which uv installs from no requirements file.
const EXTRAS: [&str; 2] = ["all-extras", "extra"];

/// Settings in uv's configuration, and in its `[pip]` table, that name indexes.
const INDEXES: [&str; 3] = ["extra-index-url", "index", "index-url"];

/// What `[tool.uv]` may have, and `uv.toml` may not.
const OF_PROJECTS: [&str; 11] = [
    "build-backend",
    "conflicts",
    "default-groups",
    "dependency-groups",
    "dev-dependencies",
    "environments",
    "managed",
    "package",
    "required-environments",
    "sources",
    "workspace",
];

/// Which of the indexes in uv's configuration files count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indexes {
    All,
    /// Those of the machine and its user. What the project is locked to is known.
    OfMachine,
    None,
}

/// The environment without settings in uv's configuration files that cannot apply to an env. This
/// may write a file into the env; see [`remove`].
pub(super) fn fitting(
    installation: &Installation<'_>,
    indexes: Indexes,
) -> Result<(Environment, Vec<String>)> {
    let Installation { environment, env, release, commit, .. } = *installation;
    let (environment, project) = (environment.clone(), commit.unwrap_or(release));
    merged(environment, env, release, project, indexes)
}

fn merged(
    environment: Environment,
    env: &Path,
    release: &Path,
    project: &Path,
    indexes: Indexes,
) -> Result<(Environment, Vec<String>)> {
    let mut files = Config::read(&environment, release);
    let overruled: Vec<String> = files.iter().flat_map(Config::overruled).collect();
    let mut is_changed = !overruled.is_empty();
    for config in &mut files {
        let counts = match indexes {
            Indexes::All => true,
            Indexes::OfMachine => !config.path.starts_with(project),
            Indexes::None => false,
        };
        is_changed |= !counts && config.remove_indexes();
    }
    if !is_changed {
        return Ok((environment, overruled));
    }
    // A file that is named replaces all others.
    let merged = files.into_iter().rev().fold(toml::Table::new(), |below, mut config| {
        config.remove_overruled();
        merge(config.table, below)
    });
    let file = env.join("uv.toml");
    disk::write(&file, merged.to_string().as_bytes(), 0o600)?;
    Ok((environment.set("UV_CONFIG_FILE", file), overruled))
}

/// Removes what [`fitting`] wrote into an env.
pub(super) fn remove(env: &Path) -> Result<()> {
    disk::remove_file(&env.join("uv.toml")).context("uv's settings cannot be removed from the env")
}

/// A configuration file of uv.
pub(super) struct Config {
    path: PathBuf,
    table: toml::Table,
}

impl Config {
    /// The files that uv reads, the highest precedence first. Files that cannot be read are left to
    /// uv, whose errors are better.
    pub(super) fn read(environment: &Environment, release: &Path) -> Vec<Config> {
        if environment.get("UV_NO_CONFIG").is_some_and(|value| !is_off(&value.to_string_lossy())) {
            return Vec::new();
        }
        let variable =
            |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(file) = variable("UV_CONFIG_FILE") {
            return Config::of_file(&release.join(file)).into_iter().collect();
        }
        let project = release.ancestors().find_map(|folder| {
            Config::of_file(&folder.join("uv.toml")).or_else(|| Config::of_project(folder))
        });
        let user = variable("XDG_CONFIG_HOME")
            .or_else(|| Some(variable("HOME")?.join(".config")))
            .and_then(|folder| Config::of_file(&folder.join("uv/uv.toml")));
        let machine = variable("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
        let machine = std::env::split_paths(&machine)
            .map(|folder| folder.join("uv/uv.toml"))
            .chain(["/etc/uv/uv.toml".into()])
            .find_map(|file| Config::of_file(&file));
        [project, user, machine].into_iter().flatten().collect()
    }

    fn of_file(file: &Path) -> Option<Config> {
        let mut table: toml::Table = fs::read_to_string(file).ok()?.parse().ok()?;
        make_absolute(&mut table, file.parent()?);
        Some(Config { path: file.to_owned(), table })
    }

    fn of_project(folder: &Path) -> Option<Config> {
        let file = Config::of_file(&folder.join("pyproject.toml"))?;
        let mut table = file.table.get("tool")?.get("uv")?.as_table()?.clone();
        table.retain(|name, _| !OF_PROJECTS.contains(&name));
        make_absolute(&mut table, folder);
        Some(Config { table, ..file })
    }

    fn pip(&self) -> Option<&toml::Table> {
        self.table.get("pip")?.as_table()
    }

    pub(super) fn link_mode(&self) -> Option<(String, String)> {
        let key = "link-mode";
        let said = self.pip().and_then(|pip| pip.get(key)).or_else(|| self.table.get(key))?;
        Some((said.as_str()?.to_owned(), self.shown()))
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// The settings in it that cannot apply to an env, in words for the log.
    fn overruled(&self) -> Vec<String> {
        let is_there = |name: &&&str| self.pip().is_some_and(|pip| pip.contains_key(**name));
        let of_env = OF_UV.iter().filter(is_there);
        let of_env = of_env.map(|name| does_not_apply(&format!("uv's pip.{name}"), &self.shown()));
        let of_extras = EXTRAS.iter().filter(is_there).map(|name| {
            format!(
                "uv's pip.{name} ({}) does not apply: extras are chosen under [dependencies] in \
                 nyala.toml.",
                self.shown()
            )
        });
        of_env.chain(of_extras).collect()
    }

    /// The addresses of the indexes that it names.
    pub(super) fn indexes(&self) -> Vec<String> {
        let tables = [Some(&self.table), self.pip()].into_iter().flatten();
        let values = tables.flat_map(|table| INDEXES.iter().filter_map(|name| table.get(*name)));
        let one_or_more = values.flat_map(|value| match value {
            toml::Value::Array(values) => values.iter().collect(),
            value => vec![value],
        });
        let addresses = one_or_more.filter_map(|value| value.get("url").unwrap_or(value).as_str());
        addresses.map(str::to_owned).collect()
    }

    /// Says whether there were any.
    fn remove_indexes(&mut self) -> bool {
        let remove = |table: &mut toml::Table| {
            let before = table.len();
            table.retain(|name, _| !INDEXES.contains(&name));
            table.len() < before
        };
        let of_pip = self.table.get_mut("pip").and_then(toml::Value::as_table_mut);
        let from_pip = of_pip.is_some_and(remove);
        remove(&mut self.table) || from_pip
    }

    fn remove_overruled(&mut self) {
        if let Some(pip) = self.table.get_mut("pip").and_then(toml::Value::as_table_mut) {
            pip.retain(|name, _| !OF_UV.contains(&name) && !EXTRAS.contains(&name));
        }
    }
}

/// Paths of files in a configuration file start from its folder; those in a merged one would not.
fn make_absolute(table: &mut toml::Table, folder: &Path) {
    if let Some(pip) = table.get_mut("pip").and_then(toml::Value::as_table_mut) {
        make_absolute(pip, folder);
    }
    let links = table.get_mut("find-links").and_then(toml::Value::as_array_mut);
    for link in links.into_iter().flatten() {
        if let toml::Value::String(path) = link
            && !path.contains("://")
        {
            *path = folder.join(&*path).display().to_string();
        }
    }
}

/// Combines two configuration files as uv does: values in `above` override those in `below`, tables
/// are merged, and lists are appended, `below` last.
fn merge(above: toml::Table, below: toml::Table) -> toml::Table {
    use toml::Value;
    let mut merged = below;
    for (name, value) in above {
        let value = match (value, merged.remove(&name)) {
            (Value::Table(above), Some(Value::Table(below))) => Value::Table(merge(above, below)),
            (Value::Array(mut above), Some(Value::Array(below))) => {
                above.extend(below);
                Value::Array(above)
            }
            (above, _) => above,
        };
        merged.insert(name, value);
    }
    merged
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::overrule;
    use super::*;

    /// Those of an env, of a release, and of the user's settings.
    fn folders() -> (TempDir, [PathBuf; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let [env, release, home] =
            ["envs/1", "releases/1", "home"].map(|it| folder.path().join(it));
        for path in [&env, &release, &home.join("uv")] {
            fs::create_dir_all(path).unwrap();
        }
        (folder, [env, release, home])
    }

    #[test]
    fn other_settings_of_uv_are_kept() {
        let (_folder, [env, release, home]) = folders();
        fs::write(
            release.join("pyproject.toml"),
            "[tool.uv]\nfind-links = [\"/a\"]\n[tool.uv.pip]\ntarget = \"/elsewhere\"\n\
             pre = true\nall-extras = true\n",
        )
        .unwrap();
        fs::write(
            home.join("uv/uv.toml"),
            "offline = true\nfind-links = [\"/b\"]\nlink-mode = \"hardlink\"\n[pip]\n\
             system = true\n",
        )
        .unwrap();
        let environment =
            Environment::empty().set("XDG_CONFIG_HOME", &home).set("UV_PROJECT_ENVIRONMENT", "/x");
        let (fitting, of_variables) = overrule::uv(&environment, &env, &release);
        assert_eq!(fitting.get("UV_PROJECT_ENVIRONMENT"), None);
        let (fitting, of_files) = merged(fitting, &env, &release, &release, Indexes::All).unwrap();
        assert_eq!((of_variables.len(), of_files.len()), (2, 3), "{of_variables:?}, {of_files:?}");
        let written: toml::Table =
            fs::read_to_string(fitting.get("UV_CONFIG_FILE").unwrap()).unwrap().parse().unwrap();
        let expected: toml::Table = "offline = true\nfind-links = [\"/a\", \"/b\"]\n\
             link-mode = \"hardlink\"\n[pip]\npre = true\n"
            .parse()
            .unwrap();
        assert_eq!(written, expected);
        remove(&env).unwrap();
        assert!(!env.join("uv.toml").exists());
    }

    #[test]
    fn which_indexes_count_depends_on_who_names_them() {
        let (folder, [env, release, home]) = folders();
        fs::write(
            release.join("pyproject.toml"),
            "[tool.uv]\nfind-links = [\"wheels\"]\nsources = {a = {index = \"ours\"}}\n\
             [[tool.uv.index]]\nname = \"ours\"\nurl = \"https://a/\"\n\
             [tool.uv.pip]\nextra-index-url = [\"https://b/\"]\n",
        )
        .unwrap();
        let of_user = "[[index]]\nurl = \"https://c/\"\ndefault = true\n";
        fs::write(home.join("uv/uv.toml"), of_user).unwrap();
        let environment = Environment::empty()
            .set("XDG_CONFIG_HOME", &home)
            .set("XDG_CONFIG_DIRS", folder.path().join("none"));
        let indexes = |which| {
            let (fitting, said) =
                merged(environment.clone(), &env, &release, &release, which).unwrap();
            assert!(said.is_empty());
            let file = fitting.get("UV_CONFIG_FILE").map(PathBuf::from)?;
            let config = Config::of_file(&file).unwrap();
            let links = config.table["find-links"].clone();
            assert_eq!(links[0].as_str(), release.join("wheels").to_str());
            assert!(!config.table.contains_key("sources"));
            Some(config.indexes())
        };
        assert_eq!(indexes(Indexes::All), None, "uv's own files say it");
        assert_eq!(indexes(Indexes::OfMachine), Some(vec!["https://c/".to_owned()]));
        assert_eq!(indexes(Indexes::None), Some(Vec::new()));
        let mut all: Vec<_> =
            Config::read(&environment, &release).iter().flat_map(Config::indexes).collect();
        all.retain(|it| ["https://a/", "https://b/", "https://c/"].contains(&it.as_str()));
        all.sort();
        assert_eq!(all, ["https://a/", "https://b/", "https://c/"]);
    }
}
