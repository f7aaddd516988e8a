//! A folder of the tree that a lock has a package from: it has to be the project that is meant.

use super::super::super::requirements_txt::tests::MemoryTree;
use super::super::super::{Declared, ReadContext, Source};
use super::super::{Chosen, Lock};
use crate::python::version::Version;

/// Locks of the project in the folder `lib`.
const LOCKS: [(Lock, &str); 5] = [
    (
        Lock::Uv,
        "version = 1\n[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n\
         dependencies = [{ name = \"lib\" }]\n\
         [[package]]\nname = \"lib\"\nsource = { directory = \"lib\" }\n",
    ),
    (
        Lock::Poetry,
        "[[package]]\nname = 'lib'\nversion = '1'\npython-versions = '*'\ngroups = ['main']\n\
         develop = true\n[package.source]\ntype = 'directory'\nurl = 'lib'\n\
         [metadata]\nlock-version = '2.1'\npython-versions = '*'\n",
    ),
    (
        Lock::Pdm,
        "[metadata]\nlock_version = '4.5.0'\nstrategy = ['inherit_metadata']\n\
         groups = ['default']\n[[package]]\nname = 'lib'\nversion = '1'\ngroups = ['default']\n\
         path = './lib'\neditable = true\n",
    ),
    (
        Lock::Pylock,
        "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'lib'\n\
         directory = { path = 'lib', editable = true }\n",
    ),
    (
        Lock::Pipfile,
        r#"{"_meta": {"pipfile-spec": 6},
            "default": {"lib": {"path": "./lib", "editable": true}}}"#,
    ),
];

fn read(lock: Lock, text: &str, files: &[(&str, &str)]) -> Result<Declared, String> {
    let app = "[project]\nname = 'app'\nversion = '1'\n";
    let tree = MemoryTree::of(files).with(lock.file_name(), text).with("pyproject.toml", app);
    let reading = ReadContext {
        variable: &|_| None,
        setting_files: &[],
        python: Some(Version::new(3, 12, 1)),
        chosen: Chosen::default(),
        frozen: true,
    };
    Source::lock(lock).read(&tree, &reading).map_err(|error| error.to_string())
}

#[test]
fn a_folder_is_the_project_that_is_locked() {
    for (lock, text) in LOCKS {
        let read = |files: &[(&str, &str)]| read(lock, text, files);
        let named = ("lib/pyproject.toml", "[project]\nname = 'Lib'\n");
        for files in [&[named][..], &[("lib/setup.py", "")], &[("lib/pyproject.toml", "")]] {
            assert!(read(files).is_ok(), "{lock:?} {files:?}");
        }
        let missing = read(&[]).unwrap_err();
        assert!(missing.contains("installs lib from lib, which is not in the tree"), "{missing}");
        for files in [&[("lib/README.md", "")], &[("lib", "")]] {
            let none = read(files).unwrap_err();
            assert!(none.contains("installs lib from lib, which is not a project"), "{none}");
        }
        let other = read(&[("lib/pyproject.toml", "[project]\nname = 'other'\n")]);
        // Pipenv takes any name for what is at a path.
        let is_fine = lock == Lock::Pipfile;
        assert_eq!(other.is_ok(), is_fine, "{lock:?}");
        if let Err(other) = other {
            assert!(other.contains("from lib, which is another project"), "{other}");
        }
    }
}
