//! The interpreter of an env: what it is, where a base has one like it, and what of it is carried
//! along where none has.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::contents::Contents;
use super::error;
use super::layer::Part;
use super::prefix::PrefixRules;
use super::rules::{APP, ENV, PYTHON, PYTHON_LIB};
use crate::elf;
use crate::process::{self, Environment, Invocation};
use crate::python::env;
use crate::user_error::Explain;

/// What an interpreter says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Python {
    /// `3.12`, or `3.13t` without the GIL: what its program and its folders are called after.
    pub(super) name: String,
    /// `cpython-312-x86_64-linux-gnu`: what extension modules are compiled for.
    #[serde(default)]
    soabi: Option<String>,
    #[serde(default)]
    multiarch: Option<String>,
    /// The folder that it is installed in.
    pub(super) prefix: PathBuf,
    /// The program itself, and no link to it.
    pub(super) executable: PathBuf,
    stdlib: PathBuf,
    /// Its own shared library, if it has one.
    #[serde(default)]
    library: Option<PathBuf>,
    /// Whether the env also has the packages of the interpreter.
    #[serde(default)]
    pub(super) with_packages: bool,
}

const SCRIPT: &str = r#"
import json, os, sys, sysconfig
get = sysconfig.get_config_var
flags = get("abiflags") or ""
library = os.path.join(get("LIBDIR") or "", get("INSTSONAME") or "")
prefix = getattr(sys, "base_prefix", sys.prefix)
print(json.dumps({
    "name": "%d.%d%s" % (sys.version_info[0], sys.version_info[1], "t" if "t" in flags else ""),
    "soabi": get("SOABI"),
    "multiarch": get("MULTIARCH"),
    "prefix": os.path.realpath(prefix),
    "executable": os.path.realpath(sys.executable),
    "stdlib": os.path.realpath(os.path.dirname(os.__file__)),
    "library": library if ".so" in library and os.path.isfile(library) else None,
}))
"#;

/// Files of every standard library. Debian's python3-minimal has only the first.
pub(super) const LIBRARY: [&str; 2] = ["os.py", "asyncio/__init__.py"];

/// Prefixes that programs other than Python are installed in, too.
const OF_ALL: [&str; 2] = ["/usr", "/usr/local"];

impl Python {
    /// Asks the interpreter of an env.
    pub(super) fn of_env(folder: &Path) -> Result<Python> {
        let invocation = Invocation::new(env::python(folder))
            .args(["-E", "-s", "-c", SCRIPT])
            .cwd("/")
            .environment(Environment::clean());
        let failed = || error::interpreter_fails(folder);
        let captured = process::capture(&invocation).explain(failed)?;
        let mut python: Python = serde_json::from_slice(&captured.stdout).explain(failed)?;
        python.with_packages = env::takes_system_packages(folder);
        // In an env made with --copies, the program is not the one of the prefix.
        if !python.executable.starts_with(&python.prefix) {
            python.executable = python.prefix.join("bin").join(format!("python{}", python.name));
        }
        python
            .executable
            .metadata()
            .with_context(|| format!("cannot read {}", python.executable.display()))?;
        Ok(python)
    }

    /// The path of a Python in a base that runs this env, with a slash before it: of the same X.Y,
    /// of the ABI that extension modules are compiled for, and where this user may go.
    pub(super) fn find_in(&self, base: &Contents, user: u32) -> Option<String> {
        let program = format!("python{}", self.name);
        let mut found: Vec<String> = base
            .iter()
            .map(|(path, _)| path)
            .filter(|path| {
                path.strip_suffix(&program).is_some_and(|folder| folder.ends_with("bin/"))
            })
            .filter_map(|path| self.complete(base, path))
            .filter(|path| base.lets_in(path, user))
            .collect();
        // What was installed on purpose comes before what the distribution has.
        found.sort_by_key(|path| !path.starts_with("usr/local/"));
        found.first().map(|path| format!("/{path}"))
    }

    /// The path of a program that has the standard library beside it: itself, or what it is a link
    /// to.
    fn complete(&self, base: &Contents, program: &str) -> Option<String> {
        let (real, _) = base.resolve(program)?;
        let is_complete = |program: &str| {
            // These are of another image of nyala's, and not seen any more.
            let is_hidden = [APP, ENV].iter().any(|folder| program.starts_with(folder));
            let Some((prefix, _)) = program.rsplit_once("bin/") else { return false };
            let has_library = ["lib", "lib64"].iter().any(|lib| {
                let folder = format!("{prefix}{lib}/python{}", self.name);
                LIBRARY.iter().all(|file| base.resolve(&format!("{folder}/{file}")).is_some())
                    && base.iter().any(|(path, _)| self.tells_abi(path, &folder))
            });
            has_library && !is_hidden
        };
        [real.as_str(), program].into_iter().find(|it| is_complete(it)).map(str::to_owned)
    }

    /// Whether a file in the folder of a standard library is of this ABI.
    fn tells_abi(&self, path: &str, folder: &str) -> bool {
        let Some(name) = path.strip_prefix(folder) else { return false };
        let is_module = |abi: &String| {
            name.starts_with("/lib-dynload/") && name.ends_with(&format!(".{abi}.so"))
        };
        let is_data = |multiarch: &String| {
            name.starts_with("/_sysconfigdata_") && name.ends_with(&format!("{multiarch}.py"))
        };
        self.soabi.as_ref().is_some_and(is_module) || self.multiarch.as_ref().is_some_and(is_data)
    }

    /// The versions of Python that a base has, for people.
    pub(super) fn all_in(base: &Contents) -> Vec<String> {
        let mut found: Vec<_> = base
            .iter()
            .filter_map(|(path, _)| {
                let (_, version) = path.rsplit_once("bin/python")?;
                let is_version = version.contains('.')
                    && version.bytes().all(|it| it.is_ascii_digit() || b".t".contains(&it));
                is_version.then(|| version.to_owned())
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn is_of_all(&self) -> bool {
        OF_ALL.iter().any(|prefix| self.prefix == Path::new(prefix))
    }

    /// The program in the image, where it is carried along, with a slash before it.
    pub(super) fn carried_to(&self) -> String {
        let inside = self.executable.strip_prefix(&self.prefix).ok();
        match inside.filter(|_| !self.is_of_all()) {
            Some(inside) => format!("/{PYTHON}/{}", inside.display()),
            None => format!("/{PYTHON}/bin/python{}", self.name),
        }
    }

    /// The folder of its own library in the image, where its program names the folder on this
    /// machine.
    pub(super) fn library_folder(&self) -> Option<String> {
        let program = elf::read(&File::open(&self.executable).ok()?).ok()??;
        let is_own = |name: &String| name.starts_with("libpython");
        let moves = program.run_paths.iter().any(|folder| folder.contains("ORIGIN"));
        let needs_it = program.needed.iter().any(is_own) && !moves;
        needs_it.then(|| format!("/{PYTHON_LIB}"))
    }

    /// The folder of what is carried along as a tree, with where it goes.
    pub(super) fn rules(&self) -> PrefixRules<'_> {
        let is_stdlib = self.is_of_all();
        let (folder, to) = if is_stdlib {
            (self.stdlib.as_path(), format!("/{PYTHON}/lib/python{}", self.name))
        } else {
            (self.prefix.as_path(), format!("/{PYTHON}"))
        };
        PrefixRules { folder, to, is_stdlib, with_packages: self.with_packages }
    }

    /// What is carried along: the whole prefix, or of one that all programs share, what is
    /// Python's.
    pub(super) fn parts<'p>(&self, rules: &'p PrefixRules<'_>) -> Vec<Part<'p>> {
        let to = rules.to.trim_start_matches('/').to_owned();
        let tree = Part::Tree { from: rules.folder.to_owned(), to, rules };
        if !rules.is_stdlib {
            return vec![tree];
        }
        let program = format!("python{}", self.name);
        let bin = format!("{PYTHON}/bin");
        let mut parts = vec![
            Part::Link { to: format!("{bin}/python3"), target: program.clone() },
            Part::Copy { from: self.executable.clone(), to: format!("{bin}/{program}") },
        ];
        if let Some(library) = &self.library
            && let Some(name) = library.file_name().and_then(|name| name.to_str())
        {
            let to = format!("{PYTHON}/lib/{name}");
            parts.push(Part::Copy { from: library.clone(), to });
        }
        parts.push(tree);
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python() -> Python {
        Python {
            name: "3.12".to_owned(),
            soabi: Some("cpython-312-x86_64-linux-gnu".to_owned()),
            multiarch: Some("x86_64-linux-gnu".to_owned()),
            prefix: PathBuf::from("/opt/python"),
            executable: PathBuf::from("/opt/python/bin/python3.12"),
            stdlib: PathBuf::from("/opt/python/lib/python3.12"),
            library: None,
            with_packages: false,
        }
    }

    fn base(files: &[&str]) -> Contents {
        let mut contents = Contents::default();
        for file in files {
            contents.add_file(file, None);
        }
        contents
    }

    #[test]
    fn a_python_is_found_by_its_files_and_not_by_a_name() {
        let program = "usr/local/bin/python3.12";
        let library = LIBRARY.map(|file| format!("usr/local/lib/python3.12/{file}"));
        let [os, asyncio] = [&*library[0], &*library[1]];
        let gnu = "usr/local/lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so";
        let musl = "usr/local/lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-musl.so";
        assert_eq!(
            python().find_in(&base(&[program, os, asyncio, gnu]), 1000).unwrap(),
            format!("/{program}")
        );
        assert_eq!(python().find_in(&base(&[program, os, asyncio, musl]), 0), None);
        assert_eq!(python().find_in(&base(&[program, gnu]), 0), None);
        assert_eq!(python().find_in(&base(&[program, os, gnu]), 0), None, "python3-minimal");
        assert_eq!(python().find_in(&base(&[os, asyncio, gnu]), 0), None);
        let all = Python::all_in(&base(&[program, "usr/bin/python3.11", "usr/bin/python3"]));
        assert_eq!(all, ["3.11", "3.12"]);
    }

    #[test]
    fn a_python_that_only_root_may_run_is_no_python_for_others() {
        let uv = "root/.local/share/uv/python/cpython-3.12";
        let program = format!("{uv}/bin/python3.12");
        let mut base = base(&[
            &program,
            &format!("{uv}/lib/python3.12/os.py"),
            &format!("{uv}/lib/python3.12/asyncio/__init__.py"),
            &format!("{uv}/lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py"),
        ]);
        base.add_link("usr/local/bin/python3.12", &format!("/{program}"));
        assert_eq!(python().find_in(&base, 1000).unwrap(), format!("/{program}"));
        base.add_folder("root", Some(0));
        assert_eq!(python().find_in(&base, 1000), None);
        assert!(python().find_in(&base, 0).is_some());
    }

    #[test]
    fn a_prefix_of_its_own_is_carried_as_a_whole() {
        assert_eq!(python().carried_to(), "/srv/python/bin/python3.12");
        let rules = python().rules().to;
        assert_eq!(rules, "/srv/python");
        let of_all = Python { prefix: PathBuf::from("/usr"), ..python() };
        assert_eq!(of_all.rules().to, "/srv/python/lib/python3.12");
    }
}
