//! What this machine has: interpreters, git's abilities, tools. Found without nyala's help.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

/// Reports that a test cannot run here, and why. `scripts/test` lists these at its end.
pub(crate) fn skip(reason: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {test}: {reason}");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped.txt");
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{test}: {reason}\n").as_bytes()).unwrap();
}

/// Where `scripts/test` puts tools that only the tests need.
pub(crate) fn tools_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools")
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the machine has a program.
pub(crate) fn runs_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Whether this git's `init` knows an option, such as `--ref-format=reftable`.
pub(crate) fn git_can(option: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new("git")
        .args(["init", "--quiet", "--bare", option])
        .arg(folder.path().join("tried.git"))
        .output()
        .unwrap();
    ran.status.success()
}

/// Whether this git has `git lfs`; if not, the test is reported as skipped.
pub(crate) fn has_git_lfs() -> bool {
    let found =
        Command::new("git").args(["lfs", "version"]).output().is_ok_and(|ran| ran.status.success());
    if !found {
        skip("needs git-lfs");
    }
    found
}

/// An interpreter of this machine that can create environments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Python {
    major: u32,
    minor: u32,
    patch: u32,
    pub path: PathBuf,
}

impl Python {
    /// `3.12`
    pub(crate) fn minor(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// `python-3.12`, as runtime.txt has it.
    pub(crate) fn runtime(&self) -> String {
        format!("python-{}", self.minor())
    }
}

/// `3.12.1`
impl fmt::Display for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The newest interpreter of each 3.X that has `venv` and `ensurepip`, oldest first.
pub(crate) fn pythons() -> &'static [Python] {
    static FOUND: OnceLock<Vec<Python>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut found = probe_all("venv, ensurepip", "3");
        // The last of each minor version is its newest.
        found.reverse();
        found.dedup_by_key(|python| (python.major, python.minor));
        found.reverse();
        found
    })
}

pub(crate) fn newest_python() -> &'static Python {
    pythons().last().expect(
        "the tests need a Python 3 with venv and ensurepip (on Debian: apt install python3-venv)",
    )
}

/// An older and a newer interpreter; `None` if there is only one, and the test is reported as
/// skipped.
pub(crate) fn two_pythons() -> Option<(&'static Python, &'static Python)> {
    if let [.., older, newer] = pythons() {
        return Some((older, newer));
    }
    skip("needs two Pythons with venv, such as 3.11 and 3.12");
    None
}

/// A Python 2.7, with or without `virtualenv`; `None` if there is none, and the test is reported as
/// skipped.
pub(crate) fn python_2() -> Option<Python> {
    let found = probe_all("pip", "2").pop();
    if found.is_none() {
        skip("needs a Python 2.7");
    }
    found
}

/// A folder with wheels of setuptools and wheel, which `CPython` brings along for its own tests;
/// `None` if there is none, and the test is reported as skipped.
pub(crate) fn setuptools() -> Option<PathBuf> {
    let folders = pythons().iter().rev().flat_map(|python| {
        let library = format!("lib/python{}", python.minor());
        let root = python.path.canonicalize().unwrap();
        let test = root.ancestors().nth(2).unwrap().join(library).join("test");
        [test.join("wheeldata"), test]
    });
    let has = |folder: &PathBuf, prefix: &str| {
        let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
    };
    let found = folders
        .filter(|folder| has(folder, "setuptools-") && has(folder, "wheel-"))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        skip("needs the wheels of setuptools in CPython's own tests (Python 3.12 or later)");
    }
    found
}

/// uv, which `scripts/test` installs; `None` if it is missing, and the test is reported as skipped.
pub(crate) fn uv() -> Option<PathBuf> {
    let found = find_uv();
    if found.is_none() {
        skip("needs uv");
    }
    found
}

/// uv, for a test that does without it, but takes longer.
pub(crate) fn find_uv() -> Option<PathBuf> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let folders = [tools_folder().join("uv/bin")].into_iter().chain(env::split_paths(&on_path));
    folders.map(|folder| folder.join("uv")).find(|path| path.is_file())
}

/// The variables by which interpreters are found, as this machine has them.
pub(super) fn places_of_interpreters() -> Vec<(&'static str, OsString)> {
    let mut places = vec![("PATH", env::var_os("PATH").unwrap_or_default())];
    if let Some(root) = pyenv_root() {
        places.push(("PYENV_ROOT", root.into()));
    }
    if let Some(folder) = uv_folder() {
        places.push(("UV_PYTHON_INSTALL_DIR", folder.into()));
    }
    places
}

/// Runs every interpreter that is found, unless an earlier test of this machine has done so.
fn probe_all(modules: &str, major: &str) -> Vec<Python> {
    let code = format!(
        "import sys, {modules}\n\
         base = getattr(sys, 'base_prefix', sys.prefix)\n\
         assert sys.prefix == base and sys.version_info[3] == 'final'\n\
         print('%d %d %d' % sys.version_info[:3])"
    );
    let candidates = candidates(major);
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = parent.join(format!("pythons-{:016x}.json", identity(&candidates, &code)));
    let known = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let answers: Vec<Option<[u32; 3]>> = known.unwrap_or_else(|| {
        let answers: Vec<_> = thread::scope(|scope| {
            let started: Vec<_> =
                candidates.iter().map(|path| scope.spawn(|| probe(path, &code))).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        // Tests run at once, and a file is read whole or not at all.
        let new = tempfile::NamedTempFile::new_in(parent).unwrap();
        serde_json::to_writer(&new, &answers).unwrap();
        new.persist(&file).unwrap();
        answers
    });
    let said = candidates.into_iter().zip(answers);
    let mut found: Vec<Python> = said
        .filter_map(|(path, answer)| {
            let [major, minor, patch] = answer?;
            Some(Python { major, minor, patch, path })
        })
        .collect();
    found.retain(|python| python.major.to_string() == major);
    found.sort();
    found
}

/// What decides about the answers of these interpreters: each, and its library.
fn identity(candidates: &BTreeSet<PathBuf>, code: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    for path in candidates {
        let prefix = path.ancestors().nth(2).unwrap();
        let library = prefix.join("lib").join(path.file_name().unwrap());
        for path in [path, &library, &library.join("site-packages")] {
            let modified = fs::metadata(path).and_then(|it| it.modified()).ok();
            (path, modified).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The version of an interpreter that has what is asked for.
fn probe(path: &Path, code: &str) -> Option<[u32; 3]> {
    let ran = Command::new(path).args(["-E", "-s", "-c", code]).current_dir("/").output().ok()?;
    if !ran.status.success() {
        return None;
    }
    let text = String::from_utf8(ran.stdout).ok()?;
    let numbers: Vec<u32> =
        text.split_whitespace().map(|it| it.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Real files that are probably interpreters; pyenv's shims are left out, the versions behind them
/// are not.
fn candidates(major: &str) -> BTreeSet<PathBuf> {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .filter(|folder| !folder.ends_with("shims"))
        .collect();
    folders.push("/usr/local/bin".into());
    let installed = [pyenv_root().map(|root| root.join("versions")), uv_folder()];
    for versions in installed.into_iter().flatten() {
        folders.extend(entries(&versions).map(|version| version.join("bin")));
    }
    let opt = entries(Path::new("/opt"));
    folders.extend(
        opt.filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
        })
        .map(|path| path.join("bin")),
    );
    let python = format!("python{major}");
    folders
        .iter()
        .flat_map(|folder| entries(folder))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix(&python)
                .is_some_and(|rest| rest.chars().all(|it| it == '.' || it.is_ascii_digit()))
        })
        .filter_map(|path| path.canonicalize().ok())
        .collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

fn pyenv_root() -> Option<PathBuf> {
    env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".pyenv")))
        .filter(|root| root.is_dir())
}

fn uv_folder() -> Option<PathBuf> {
    env::var_os("UV_PYTHON_INSTALL_DIR")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".local/share/uv/python")))
        .filter(|folder| folder.is_dir())
}
