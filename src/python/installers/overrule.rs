//! Overrules settings with which pip and uv install elsewhere than into the env, or not at all.
//! With them, an installer reports success, and the env stays empty. They may be right for what the
//! user does by hand, but cannot apply to a deployment.
//!
//! Sources: <https://pip.pypa.io/en/stable/cli/pip_install/> and
//! <https://docs.astral.sh/uv/reference/settings/#pip>.

use std::path::Path;

use super::Installer;
use super::pip_config::{self, Setting, is_off};
use super::uv_config::Config;
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

/// The environment without the variables with which uv would use another env.
pub(super) fn without_other_envs(environment: &Environment) -> Environment {
    VARIABLES_OF_UV.iter().fold(environment.clone(), Environment::unset)
}

pub(super) fn does_not_apply(what: &str, by: &str) -> String {
    format!("{what} ({by}) does not apply: packages are installed into the environment.")
}

#[cfg(test)]
mod tests {
    use std::fs;

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
