//! A repository to test with, and what a folder holds.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use git2::{ObjectFormat, Oid};
use tempfile::TempDir;

use crate::checkout::{Exported, Updated, export, update};
use crate::git::Repository;
use crate::user_error::UserError;

pub(super) const FILE: &str = "100644";
pub(super) const PROGRAM: &str = "100755";
pub(super) const LINK: &str = "120000";
pub(super) const FOLDER: &str = "40000";
pub(super) const SUBMODULE: &str = "160000";

/// A bare repository in a folder of its own, in which there is also a precious folder that nothing
/// may touch.
pub(super) struct Repo {
    folder: TempDir,
    format: ObjectFormat,
}

impl Repo {
    pub(super) fn new() -> Repo {
        Repo::of(ObjectFormat::Sha1)
    }

    pub(super) fn of(format: ObjectFormat) -> Repo {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("precious")).unwrap();
        fs::write(folder.path().join("precious/file"), "kept").unwrap();
        let repo = Repo { folder, format };
        repo.git(&["init", "-q", "--bare", &format!("--object-format={format}"), "."], b"");
        repo
    }

    /// Runs git in the bare repository, in an environment of its own, and returns its output.
    pub(super) fn git(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        self.try_git(arguments, input)
            .unwrap_or_else(|complaint| panic!("git {arguments:?}: {complaint}"))
    }

    /// [`Repo::git`], but for a command that this git may not know: fails with what git said.
    pub(super) fn try_git(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let git_folder = self.path();
        fs::create_dir_all(&git_folder).unwrap();
        let mut child = Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "gc.auto=0"])
            .args(arguments)
            .current_dir(git_folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_INDEX_FILE", self.folder.path().join("index"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap()
        });
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("repository.git")
    }

    pub(super) fn open(&self) -> Repository {
        Repository::open(&self.path()).unwrap()
    }

    pub(super) fn precious(&self) -> PathBuf {
        self.folder.path().join("precious")
    }

    fn id(&self, output: &[u8]) -> Oid {
        Oid::from_str_ext(str::from_utf8(output).unwrap().trim(), self.format).unwrap()
    }

    pub(super) fn blob(&self, bytes: &[u8]) -> Oid {
        self.id(&self.git(&["hash-object", "-w", "--stdin"], bytes))
    }

    /// A tree with just these entries, whether git likes them or not.
    pub(super) fn tree(&self, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend_from_slice(mode.as_bytes());
            raw.push(b' ');
            raw.extend_from_slice(name);
            raw.push(0);
            raw.extend_from_slice(id.as_bytes());
        }
        self.id(&self.git(&["hash-object", "-t", "tree", "--literally", "-w", "--stdin"], &raw))
    }

    /// A tree of whole paths, made by git itself.
    pub(super) fn tree_of(&self, paths: &[(&str, &str, &[u8])]) -> Oid {
        let mut stream =
            b"commit refs/heads/made\ncommitter T <t@example.org> 1700000000 +0000\ndata 0\n\
              deleteall\n"
                .to_vec();
        for (mode, path, bytes) in paths {
            if *mode == SUBMODULE {
                let commit = "1".repeat(self.blob(b"").as_bytes().len() * 2);
                writeln!(stream, "M {mode} {commit} {path}").unwrap();
            } else {
                writeln!(stream, "M {mode} inline {path}\ndata {}", bytes.len()).unwrap();
                stream.extend_from_slice(bytes);
                stream.push(b'\n');
            }
        }
        stream.extend_from_slice(b"done\n");
        self.git(&["fast-import", "--quiet", "--done", "--force"], &stream);
        self.id(&self.git(&["rev-parse", "made^{tree}"], b""))
    }

    /// Writes a tree into a new folder, which is given in any case.
    pub(super) fn try_export(&self, tree: Oid) -> (TempDir, anyhow::Result<Exported>) {
        let into = tempfile::tempdir_in(self.folder.path()).unwrap();
        let exported = export(&self.open(), tree, into.path());
        assert_eq!(fs::read(self.precious().join("file")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(self.precious()).unwrap().count(), 1);
        (into, exported)
    }

    pub(super) fn export(&self, tree: Oid) -> (TempDir, Exported) {
        let (into, exported) = self.try_export(tree);
        (into, exported.unwrap())
    }

    /// The whole error, as a person would see it.
    pub(super) fn export_error(&self, tree: Oid) -> String {
        UserError::of(&self.try_export(tree).1.unwrap_err()).to_string()
    }

    /// What `git checkout -f` makes of a tree in an empty folder.
    pub(super) fn checkout_by_git(&self, tree: Oid) -> TempDir {
        let into = tempfile::tempdir_in(self.folder.path()).unwrap();
        let commit = self.git(&["commit-tree", "-m", "x", &tree.to_string()], b"");
        let commit = str::from_utf8(&commit).unwrap().trim();
        let _ = fs::remove_file(self.folder.path().join("index"));
        let work_tree = format!("--work-tree={}", into.path().display());
        self.git(&[&work_tree, "checkout", "-q", "-f", "--detach", commit], b"");
        into
    }

    /// Asserts that our export of a tree and git's checkout are the same.
    pub(super) fn assert_like_git(&self, tree: Oid) -> Exported {
        let (ours, exported) = self.export(tree);
        let gits = self.checkout_by_git(tree);
        assert_same(&contents(ours.path()), &contents(gits.path()));
        exported
    }
}

/// A folder that holds a tree.
pub(super) struct Standing<'r> {
    repo: &'r Repo,
    place: TempDir,
    pub(super) tree: Oid,
    exported: Exported,
}

impl Repo {
    pub(super) fn standing(&self, tree: Oid) -> Standing<'_> {
        let place = tempfile::tempdir_in(self.folder.path()).unwrap();
        let release = place.path().join("release");
        fs::create_dir(&release).unwrap();
        let exported = export(&self.open(), tree, &release).unwrap();
        Standing { repo: self, place, tree, exported }
    }
}

impl Standing<'_> {
    pub(super) fn folder(&self) -> PathBuf {
        self.place.path().join("release")
    }

    pub(super) fn try_update(&mut self, tree: Oid) -> anyhow::Result<Updated> {
        let held = (self.tree, self.exported.clone());
        let updated = update(&self.repo.open(), &self.folder(), held, tree);
        assert_eq!(fs::read(self.repo.precious().join("file")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(self.repo.precious()).unwrap().count(), 1);
        updated
    }

    /// Updates the folder, and asserts that it then is what a new export of the tree is.
    pub(super) fn update(&mut self, tree: Oid) -> Updated {
        let updated = self.try_update(tree).unwrap();
        let (new, exported) = self.repo.export(tree);
        assert_same(&contents(&self.folder()), &contents(new.path()));
        assert_eq!(updated.exported, exported);
        assert_eq!(fs::read_dir(self.place.path()).unwrap().count(), 1);
        (self.tree, self.exported) = (tree, exported);
        updated
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Item {
    File { executable: bool, bytes: Vec<u8> },
    Link(Vec<u8>),
    Folder,
    Other,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Item::File { executable, bytes } => {
                let end = bytes.len().min(200);
                write!(f, "File({executable}, {})", bytes[..end].escape_ascii())
            }
            Item::Link(target) => write!(f, "Link({})", target.escape_ascii()),
            Item::Folder => write!(f, "Folder"),
            Item::Other => write!(f, "Other"),
        }
    }
}

/// All that is in a folder, by path.
pub(super) fn contents(folder: &Path) -> BTreeMap<PathBuf, Item> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(folder.join(&path)).unwrap() {
            let entry = entry.unwrap();
            let path = path.join(entry.file_name());
            let metadata = entry.metadata().unwrap();
            let item = if metadata.is_dir() {
                open.push(path.clone());
                Item::Folder
            } else if metadata.is_symlink() {
                Item::Link(fs::read_link(entry.path()).unwrap().into_os_string().into_vec())
            } else if !metadata.is_file() {
                Item::Other
            } else {
                Item::File {
                    executable: metadata.permissions().mode() & 0o111 != 0,
                    bytes: fs::read(entry.path()).unwrap(),
                }
            };
            found.insert(path, item);
        }
    }
    found
}

pub(super) fn assert_same(ours: &BTreeMap<PathBuf, Item>, gits: &BTreeMap<PathBuf, Item>) {
    for (path, item) in gits {
        assert_eq!(ours.get(path), Some(item), "{}", path.display());
    }
    assert_eq!(ours.len(), gits.len());
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(super) fn named(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
