//! Settings of distutils with which a pip of Python before 3.10 installs elsewhere than into its
//! env.
//!
//! In an env, distutils ignores most of them, but compares their names as its files write them: it
//! knows `install-lib`, and overlooks `install_lib`. Source: `ignore_options` in
//! <https://github.com/python/cpython/blob/3.9/Lib/distutils/dist.py>.

use std::path::{Path, PathBuf};

use anyhow::Result;
use configparser::ini::{Ini, IniDefault};

use super::error;
use crate::disk;
use crate::process::Environment;
use crate::python::version::Version;

/// The first Python whose pip does not read them.
const UNAFFECTED: (u16, u16) = (3, 10);

/// Fails when pip, run in `folder`, would install elsewhere.
pub fn check_distutils(
    env: &Path,
    python: &Version,
    environment: &Environment,
    folder: &Path,
) -> Result<()> {
    if (python.major, python.minor) >= UNAFFECTED {
        return Ok(());
    }
    for file in files(env, python, environment, folder) {
        let text = disk::read_to_string(&file).unwrap_or_default();
        if let Some(key) = leading_elsewhere(&text) {
            return Err(error::installs_elsewhere(&file, &key).into());
        }
    }
    Ok(())
}

fn files(env: &Path, python: &Version, environment: &Environment, folder: &Path) -> Vec<PathBuf> {
    let interpreter = super::python(env).canonicalize().ok();
    let prefix = interpreter.as_deref().and_then(|file| file.parent()?.parent());
    let library = format!("lib/python{}.{}/distutils/distutils.cfg", python.major, python.minor);
    let home = environment.get("HOME").map(Path::new);
    let found = [
        prefix.map(|prefix| prefix.join(library)),
        home.map(|home| home.join(".pydistutils.cfg")),
        Some(folder.join("setup.cfg")),
    ];
    found.into_iter().flatten().collect()
}

/// The first key of `[install]` that says where something is installed, and that distutils does not
/// ignore in an env.
fn leading_elsewhere(text: &str) -> Option<String> {
    let mut defaults = IniDefault::default();
    defaults.multiline = true;
    defaults.comment_symbols = vec!['#', ';'];
    defaults.delimiters = vec!['=', ':'];
    // What cannot be read, distutils says itself.
    let sections = Ini::new_from_defaults(defaults).read(text.to_owned()).ok()?;
    let mut keys: Vec<_> = sections.get("install")?.keys().collect();
    keys.sort_unstable();
    keys.into_iter().find(|key| key.starts_with("install_") || *key == "exec_prefix").cloned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::python::version::Stage;

    #[test]
    fn only_what_distutils_heeds_in_an_env_leads_elsewhere() {
        for key in ["install_lib", "install_scripts", "exec_prefix"] {
            let text = format!("[metadata]\nname = x\n[install]\noptimize = 1\n{key} = /x\n");
            assert_eq!(leading_elsewhere(&text).as_deref(), Some(key));
        }
        for text in [
            "[install]\ninstall-lib = /x\nprefix = /x\nuser = 1\n",
            "[options]\ninstall_requires =\n  flask\n",
            "[install_lib]\ncompile = 0\n",
            "",
        ] {
            assert_eq!(leading_elsewhere(text), None, "{text}");
        }
    }

    #[test]
    fn the_files_of_the_tree_and_of_the_user_are_read_for_an_old_python() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::empty().set("HOME", folder.path());
        let check = |minor| {
            let version = Version { major: 3, minor, patch: 0, stage: Stage::Final };
            check_distutils(Path::new("/nowhere"), &version, &environment, &folder.path().join("r"))
        };
        fs::create_dir(folder.path().join("r")).unwrap();
        for name in ["r/setup.cfg", ".pydistutils.cfg"] {
            assert!(check(9).is_ok());
            let file = folder.path().join(name);
            fs::write(&file, "[install]\ninstall_lib = lib\n").unwrap();
            let error = check(9).unwrap_err().to_string();
            assert!(error.contains(&format!("install_lib in {}", file.display())), "{error}");
            assert!(check(10).is_ok());
            fs::remove_file(file).unwrap();
        }
    }
}
