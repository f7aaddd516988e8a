//! Overrules settings with which pip and uv install elsewhere than into the env, or not at all.
//! With them, an installer reports success, and the env stays empty. They may be right for what the
//! user does by hand, but cannot apply to a deployment.
//!
//! Sources: <https://pip.pypa.io/en/stable/cli/pip_install/> and
//! <https://docs.astral.sh/uv/reference/settings/#pip>.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Installer;
use super::pip_config::{self, Setting, is_off};
use crate::disk;
use crate::process::Environment;

/// Settings with which pip installs elsewhere, installs nothing, or mixes two versions of a package
/// in a copied env.
const OF_PIP: [&str; 13] = [
    "dry-run",
    "home",
    "ignore-installed",
    // pip negates it once more.
    "no-user",
    "prefix",
    "python",
    "require-venv",
    "require-virtualenv",
    "root",
    "target",
    "user",
    "src",
    // pip prints it, installs nothing, and exits with 0.
    "version",
];

/// Settings with which pip looks for packages for another Python. pip accepts them only together
/// with `target`; for uv, they are refused like everything that it cannot do.
const OF_ANOTHER_PYTHON: [&str; 4] = ["abi", "implementation", "platform", "python-version"];

/// pip's other names for `src`.
const SRC: [&str; 3] = ["source", "source-dir", "source-directory"];

/// Variables with which uv would use another env.
const VARIABLES_OF_UV: [&str; 8] = [
    "UV_MANAGED_PYTHON",
    "UV_NO_MANAGED_PYTHON",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_PYTHON_PREFERENCE",
    "UV_SYSTEM_PYTHON",
    "UV_WORKING_DIR",
];

/// Settings in the `[pip]` table of uv's configuration with which it installs elsewhere or for
/// another Python.
const OF_UV: [&str; 5] = ["prefix", "python-platform", "python-version", "system", "target"];

/// Settings there for what a project declares, with which uv installs from no requirements file.
const EXTRAS: [&str; 2] = ["all-extras", "extra"];

const LINK_MODE: &str = "UV_LINK_MODE";

/// The environment without those of pip's settings that cannot apply to an env, the settings that
/// are left, and what is overruled, in words for the log.
pub(super) fn pip(
    installer: Installer,
    environment: &Environment,
    settings: Vec<Setting>,
    env: &Path,
) -> (Environment, Vec<Setting>, Vec<String>) {
    let is_src = |name: &str| name == "src" || SRC.contains(&name);
    let is_overruled = |name: &str| {
        OF_PIP.contains(&name)
            || is_src(name)
            || installer == Installer::Pip && OF_ANOTHER_PYTHON.contains(&name)
    };
    let (overruled, kept): (Vec<_>, Vec<_>) =
        settings.into_iter().partition(|setting| is_overruled(&setting.name));
    let mut fitting = environment.clone();
    if overruled.iter().any(|setting| setting.file) {
        // pip cannot unset a setting of a file. So it reads no file, and everything else in the
        // files becomes variables, which override files anyway.
        fitting = fitting.set("PIP_CONFIG_FILE", "/dev/null");
        for setting in kept.iter().filter(|setting| setting.file) {
            fitting = fitting.set(pip_config::variable(&setting.name), &setting.value);
        }
    }
    for setting in overruled.iter().filter(|setting| !setting.file) {
        fitting = fitting.unset(&setting.by);
    }
    if overruled.iter().any(|setting| is_src(&setting.name)) {
        // The checkout of `-e git+…` belongs in the env: in a release, a reused env would import
        // the code of an old release.
        fitting = fitting.set("PIP_SRC", env.join("src"));
    }
    let said = overruled
        .iter()
        .filter(|setting| !is_off(&setting.value))
        .map(|setting| does_not_apply(&format!("pip's {}", setting.name), &setting.by));
    let said = said.collect();
    (fitting, kept, said)
}

/// The environment without the variables of uv that cannot apply to an env. Installed files are
/// never shared with uv's cache: a write to one would change all other envs.
pub(super) fn uv(
    environment: &Environment,
    env: &Path,
    release: &Path,
) -> (Environment, Vec<String>) {
    let (mut fitting, mut said) = (environment.clone(), Vec::new());
    for name in VARIABLES_OF_UV {
        if environment.get(name).is_some() {
            fitting = fitting.unset(name);
            said.push(does_not_apply(name, "an app setting"));
        }
    }
    // Only this mode is safe: `clone` falls back to hard links.
    let mode = if env.parent().is_some_and(disk::can_clone) { "clone" } else { "copy" };
    let asked = match environment.get(LINK_MODE) {
        Some(value) => Some((value.to_string_lossy().into_owned(), LINK_MODE.to_owned())),
        None => Config::read(environment, release).iter().find_map(Config::link_mode),
    };
    let mode = match asked {
        Some((asked, _)) if asked == "copy" => "copy",
        Some((asked, by)) if asked != mode => {
            said.push(format!(
                "uv's link mode {} ({by}) does not apply: an environment shares no file with uv's \
                 cache. The mode is {mode}.",
                asked.escape_debug()
            ));
            mode
        }
        _ => mode,
    };
    (fitting.set(LINK_MODE, mode), said)
}

/// The environment without settings in uv's configuration files that cannot apply to an env. This
/// may write a file into the env; see [`remove_uv_file`].
pub(super) fn uv_files(
    environment: Environment,
    env: &Path,
    release: &Path,
) -> Result<(Environment, Vec<String>)> {
    let files = Config::read(&environment, release);
    let overruled: Vec<String> = files.iter().flat_map(Config::overruled).collect();
    if overruled.is_empty() {
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

/// Removes what [`uv_files`] wrote into an env.
pub(super) fn remove_uv_file(env: &Path) -> Result<()> {
    disk::remove_file(&env.join("uv.toml")).context("uv's settings cannot be removed from the env")
}

/// The environment without the variables with which uv would use another env.
pub(super) fn without_other_envs(environment: &Environment) -> Environment {
    VARIABLES_OF_UV.iter().fold(environment.clone(), Environment::unset)
}

fn does_not_apply(what: &str, by: &str) -> String {
    format!("{what} ({by}) does not apply: packages are installed into the environment.")
}

/// A configuration file of uv.
struct Config {
    shown: String,
    table: toml::Table,
}

impl Config {
    /// The files that uv reads, the highest precedence first. Files that cannot be read are left to
    /// uv, whose errors are better.
    fn read(environment: &Environment, release: &Path) -> Vec<Config> {
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
        let table = fs::read_to_string(file).ok()?.parse().ok()?;
        Some(Config { shown: file.display().to_string(), table })
    }

    fn of_project(folder: &Path) -> Option<Config> {
        let Config { shown, table } = Config::of_file(&folder.join("pyproject.toml"))?;
        let table = table.get("tool")?.get("uv")?.as_table()?.clone();
        Some(Config { shown, table })
    }

    fn pip(&self) -> Option<&toml::Table> {
        self.table.get("pip")?.as_table()
    }

    fn link_mode(&self) -> Option<(String, String)> {
        let key = "link-mode";
        let said = self.pip().and_then(|pip| pip.get(key)).or_else(|| self.table.get(key))?;
        Some((said.as_str()?.to_owned(), self.shown.clone()))
    }

    /// The settings in it that cannot apply to an env, in words for the log.
    fn overruled(&self) -> Vec<String> {
        let is_there = |name: &&&str| self.pip().is_some_and(|pip| pip.contains_key(**name));
        let of_env = OF_UV.iter().filter(is_there);
        let of_env = of_env.map(|name| does_not_apply(&format!("uv's pip.{name}"), &self.shown));
        let of_extras = EXTRAS.iter().filter(is_there).map(|name| {
            format!(
                "uv's pip.{name} ({}) does not apply: extras are chosen under [dependencies] in \
                 nyala.toml.",
                self.shown
            )
        });
        of_env.chain(of_extras).collect()
    }

    fn remove_overruled(&mut self) {
        if let Some(pip) = self.table.get_mut("pip").and_then(toml::Value::as_table_mut) {
            pip.retain(|name, _| !OF_UV.contains(&name) && !EXTRAS.contains(&name));
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
    use super::*;

    #[test]
    fn settings_that_install_elsewhere_are_overruled() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pip.conf");
        fs::write(
            &file,
            "[global]\nindex-url = https://a/\ntarget = /elsewhere\nextra-index-url =\n  \
             https://b/\n  https://c/\n[install]\nuser = yes\nsrc = src\nversion = yes\n",
        )
        .unwrap();
        let environment = Environment::empty()
            .set("PIP_CONFIG_FILE", &file)
            .set("PIP_ROOT", "/root")
            .set("PIP_DRY_RUN", "0")
            .set("PIP_TIMEOUT", "5");
        let env = Path::new("/s/envs/1");
        let settings = pip_config::settings(&environment, env, Path::new("/s/releases/1")).unwrap();
        let (fitting, kept, said) = pip(Installer::Pip, &environment, settings, env);
        // The machine may have more of them.
        let is_kept = |name: &str| kept.iter().any(|setting| setting.name == name);
        assert!(is_kept("extra-index-url") && is_kept("timeout") && !is_kept("target"), "{kept:?}");
        let value = |name: &str| {
            let value = fitting.get(name)?.to_str().unwrap();
            Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        for (name, expected) in [
            ("PIP_CONFIG_FILE", Some("/dev/null")),
            ("PIP_EXTRA_INDEX_URL", Some("https://b/ https://c/")),
            ("PIP_INDEX_URL", Some("https://a/")),
            ("PIP_SRC", Some("/s/envs/1/src")),
            ("PIP_TIMEOUT", Some("5")),
            ("PIP_ROOT", None),
            ("PIP_TARGET", None),
            ("PIP_USER", None),
        ] {
            assert_eq!(value(name).as_deref(), expected, "{name}");
        }
        let names: Vec<_> =
            said.iter().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        assert_eq!(
            names,
            ["root", "src", "target", "user", "version"],
            "each once, and what is off never"
        );
    }

    #[test]
    fn other_settings_of_uv_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let [env, release, home] =
            ["envs/1", "releases/1", "home"].map(|it| folder.path().join(it));
        for path in [&env, &release, &home.join("uv")] {
            fs::create_dir_all(path).unwrap();
        }
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
        let (fitting, of_variables) = uv(&environment, &env, &release);
        assert_eq!(fitting.get("UV_PROJECT_ENVIRONMENT"), None);
        let (fitting, of_files) = uv_files(fitting, &env, &release).unwrap();
        assert_eq!((of_variables.len(), of_files.len()), (2, 3), "{of_variables:?}, {of_files:?}");
        let merged: toml::Table =
            fs::read_to_string(fitting.get("UV_CONFIG_FILE").unwrap()).unwrap().parse().unwrap();
        let expected: toml::Table = "offline = true\nfind-links = [\"/a\", \"/b\"]\n\
             link-mode = \"hardlink\"\n[pip]\npre = true\n"
            .parse()
            .unwrap();
        assert_eq!(merged, expected);
        remove_uv_file(&env).unwrap();
        assert!(!env.join("uv.toml").exists());
    }

    #[test]
    fn the_link_mode_shares_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let env = folder.path().join("1");
        let mode = |asked: Option<&str>| {
            let environment = asked.map_or_else(Environment::empty, |asked| {
                Environment::empty().set(LINK_MODE, asked)
            });
            let (fitting, said) = uv(&environment, &env, folder.path());
            (fitting.get(LINK_MODE).unwrap().to_str().unwrap().to_owned(), said.len())
        };
        let own = if disk::can_clone(folder.path()) { "clone" } else { "copy" };
        assert_eq!(mode(None), (own.to_owned(), 0));
        for asked in ["hardlink", "symlink"] {
            assert_eq!(mode(Some(asked)), (own.to_owned(), 1));
        }
        assert_eq!(mode(Some("copy")), ("copy".to_owned(), 0));
    }
}
