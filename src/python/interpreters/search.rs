//! Where interpreters may be.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::console;
use crate::process::is_executable;

const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The places to look in. Nothing is read from the environment unless by
/// [`Search::from_environment`].
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// `PATH`; the usual one when there is none.
    pub path: Option<OsString>,
    pub home: Option<PathBuf>,
    /// Where pyenv is; `.pyenv` in the home folder when it is not said.
    pub pyenv_root: Option<PathBuf>,
    /// Where uv keeps the interpreters that it installed; `.local/share/uv/python` in the home
    /// folder when it is not said.
    pub uv_python: Option<PathBuf>,
    /// `python_paths` of nyala.toml: absolute paths of interpreters, or of folders with some in
    /// them or in their `bin`.
    pub extra: Vec<PathBuf>,
}

/// A file that has an interpreter's name.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The canonical path: without links in it.
    pub file: PathBuf,
    /// Whether `python_paths` names it, and how.
    pub asked_for: Option<PathBuf>,
}

impl Search {
    /// The places that this process's environment names, and `extra`.
    pub fn from_environment(extra: Vec<PathBuf>) -> Self {
        let folder =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            path: std::env::var_os("PATH"),
            home: folder("HOME"),
            pyenv_root: folder("PYENV_ROOT"),
            // https://docs.astral.sh/uv/reference/storage/#python-versions
            uv_python: folder("UV_PYTHON_INSTALL_DIR")
                .or_else(|| folder("XDG_DATA_HOME").map(|data| data.join("uv/python"))),
            extra,
        }
    }

    /// The files to ask, each once, those of `python_paths` first.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut found = Found::default();
        for path in &self.extra {
            found.asked_for(path);
        }
        for folder in self.folders() {
            found.folder(&folder, None);
        }
        found.candidates
    }

    fn folders(&self) -> Vec<PathBuf> {
        let path = self.path.clone().unwrap_or_else(|| USUAL_PATH.into());
        let mut folders = Vec::new();
        let mut managers = Vec::new();
        for folder in std::env::split_paths(&path).filter(|folder| folder.is_absolute()) {
            // A shim is a script that answers differently by folder, environment and setting. What
            // it could name is in its manager's own folder, where each interpreter says what it is.
            if folder.ends_with("shims") {
                managers.extend(folder.parent().map(Path::to_path_buf));
            } else {
                folders.push(folder);
            }
        }
        folders.push("/usr/local/bin".into());

        let in_home = |place: &str| self.home.as_ref().map(|home| home.join(place));
        managers.extend(self.pyenv_root.clone().or_else(|| in_home(".pyenv")));
        managers.extend(in_home(".asdf"));
        managers.extend(in_home(".local/share/mise"));

        let mut of_installs: Vec<PathBuf> = managers
            .iter()
            .flat_map(|root| [root.join("versions"), root.join("installs/python")])
            .collect();
        of_installs.extend(self.uv_python.clone().or_else(|| in_home(".local/share/uv/python")));
        of_installs.push("/opt/python".into());
        for place in &of_installs {
            folders.extend(subfolders(place, "").map(|install| install.join("bin")));
        }
        folders.extend(subfolders(Path::new("/opt"), "python").map(|install| install.join("bin")));
        folders
    }
}

#[derive(Default)]
struct Found {
    candidates: Vec<Candidate>,
    files: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
}

impl Found {
    fn asked_for(&mut self, path: &Path) {
        if path.is_dir() {
            let before = self.candidates.len();
            self.folder(path, Some(path));
            self.folder(&path.join("bin"), Some(path));
            if self.candidates.len() == before {
                console::warning(format_args!(
                    "python_paths in nyala.toml names {}, which contains no additional \
                     interpreter.",
                    path.display()
                ));
            }
        } else if let Ok(file) = path.canonicalize()
            && is_executable(&file)
        {
            self.add(file, Some(path));
        } else {
            console::warning(format_args!(
                "python_paths in nyala.toml names {}, which is neither an executable file nor a \
                 folder.",
                path.display()
            ));
        }
    }

    fn folder(&mut self, folder: &Path, asked_for: Option<&Path>) {
        let Ok(folder) = folder.canonicalize() else {
            return;
        };
        if !self.folders.insert(folder.clone()) {
            return;
        }
        let Ok(entries) = fs::read_dir(&folder) else {
            return;
        };
        // The folder's own path is canonical, so only links in it need to be resolved.
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_interpreter_name))
            .filter_map(|entry| match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => Some(entry.path()),
                _ => entry.path().canonicalize().ok(),
            })
            .collect();
        files.sort();
        files.dedup();
        for file in files.into_iter().filter(|file| is_executable(file)) {
            self.add(file, asked_for);
        }
    }

    /// `file` is a canonical path.
    fn add(&mut self, file: PathBuf, asked_for: Option<&Path>) {
        if self.files.insert(file.clone()) {
            self.candidates.push(Candidate { file, asked_for: asked_for.map(Path::to_path_buf) });
        }
    }
}

/// `python`, `python3`, `python3.11`; not `python3.11-config`, nor `python3.13t`, whose packages
/// are others.
fn is_interpreter_name(name: &str) -> bool {
    name.strip_prefix("python")
        .is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

fn subfolders(place: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(place)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_interpreters_are_asked() {
        for name in ["python", "python2", "python3", "python3.11", "python2.7"] {
            assert!(is_interpreter_name(name), "{name}");
        }
        for name in [
            "python3.11-config",
            "python3.13t",
            "pythonw",
            "python3-argcomplete",
            "ipython",
            "pypy3",
        ] {
            assert!(!is_interpreter_name(name), "{name}");
        }
    }

    #[test]
    fn a_folder_of_shims_is_replaced_by_its_managers_versions() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("versions/3.11.7/bin")).unwrap();
        let search = Search { path: Some(root.path().join("shims").into()), ..Search::default() };
        let folders = search.folders();
        assert!(folders.contains(&root.path().join("versions/3.11.7/bin")));
        assert!(!folders.contains(&root.path().join("shims")));
    }

    #[test]
    fn relative_entries_of_path_are_not_searched() {
        let search = Search { path: Some(":bin:./x:/nowhere".into()), ..Search::default() };
        assert!(search.folders().iter().all(|folder| folder.is_absolute()));
    }
}
