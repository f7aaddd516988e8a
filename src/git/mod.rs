//! The repository people push to: objects through libgit2, refs through git itself.
//!
//! libgit2 reads the objects of every kind of repository, but cannot read refs in the reftable
//! format. So git reads and writes refs.

mod command;
mod config;
mod error;
mod notes;
mod refs;
mod transaction;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::Result;

use crate::user_error::Explain;

pub use command::{Refs, bare_git, git, run};
pub use config::LocalConfig;
pub use notes::{Note, append as append_note};
pub use refs::{RefName, RefUpdate};
pub use transaction::Prepared;
#[cfg(test)]
pub use tree::tree_of;
pub use tree::{CommitTree, Entry, Kind};

/// An open bare repository.
pub struct Repository {
    path: PathBuf,
    objects: git2::Repository,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What nyala needs to know of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Full hexadecimal id, 40 or 64 digits.
    pub id: String,
    pub message: String,
    /// `Name <address>`.
    pub author: String,
    pub tree: git2::Oid,
}

impl Repository {
    pub fn open(path: &Path) -> Result<Repository> {
        let objects = open_objects(path)?;
        Ok(Repository { path: path.to_owned(), objects })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The objects, for code that reads trees itself.
    pub fn objects(&self) -> &git2::Repository {
        &self.objects
    }

    /// Parses an object id of this repository's format.
    pub fn oid(&self, id: &str) -> Result<git2::Oid> {
        let parsed = git2::Oid::from_str_ext(id, self.objects.object_format());
        parsed.explain(|| error::no_commit(&self.path, id))
    }

    /// The commit with this full id; a tag object is followed to its commit.
    pub fn commit(&self, id: &str) -> Result<Commit> {
        let oid = self.oid(id)?;
        let commit = match self.objects.find_object(oid, None).and_then(|it| it.peel_to_commit()) {
            Ok(commit) => commit,
            // libgit2 is stricter than git about authors and times, which old tools wrote
            // differently.
            Err(error) => match self.unparsed(oid) {
                Some(commit) => return Ok(commit),
                None => return Err(error).explain(|| error::no_commit(&self.path, id)),
            },
        };
        let author = commit.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Commit {
            id: commit.id().to_string(),
            message: text(commit.message_bytes()).trim_end().to_owned(),
            author: format!("{} <{}>", text(author.name_bytes()), text(author.email_bytes())),
            tree: commit.tree_id(),
        })
    }

    /// A commit whose header libgit2 cannot parse. Only its tree must be valid.
    fn unparsed(&self, oid: git2::Oid) -> Option<Commit> {
        let odb = self.objects.odb().ok()?;
        let object = odb.read(oid).ok().filter(|it| it.kind() == git2::ObjectType::Commit)?;
        let text = String::from_utf8_lossy(object.data());
        let (header, message) = text.split_once("\n\n").unwrap_or((&text, ""));
        let field = |name: &str| header.lines().find_map(|line| line.strip_prefix(name));
        let author = field("author ").unwrap_or_default();
        // Cuts off the time, as far as it can be told apart.
        let end = author.rfind('>').map_or(author.len(), |end| end + 1);
        Some(Commit {
            id: oid.to_string(),
            message: message.trim_end().to_owned(),
            author: author[..end].to_owned(),
            tree: self.oid(field("tree ")?).ok()?,
        })
    }

    /// The files of a commit, read from the object database.
    pub fn tree(&self, commit: &Commit) -> Result<CommitTree<'_>> {
        self.tree_at(commit.tree)
    }

    /// The files of a tree, such as a folder of a commit.
    pub fn tree_at(&self, tree: git2::Oid) -> Result<CommitTree<'_>> {
        CommitTree::new(&self.objects, tree)
    }

    /// The files of a tree, by its id.
    pub fn tree_with_id(&self, tree: git2::Oid) -> Result<CommitTree<'_>> {
        CommitTree::new(&self.objects, tree)
    }
}

/// How much of a pack is mapped at a time, and of all packs together, in bytes. By default a pack
/// is mapped as a whole, and all of it counts as memory of the process. With a third of this, the
/// export of a large tree takes a tenth longer.
const MAPPED_AT_ONCE: usize = 2 << 20;
const MAPPED_IN_ALL: usize = 12 << 20;

/// Opens the objects of a repository. Each thread opens its own; libgit2 shares the packs between
/// them.
///
/// The owner is not checked: the site's settings name the repository on purpose. Objects are not
/// hashed when they are read: git did that when they were pushed.
pub fn open_objects(path: &Path) -> Result<git2::Repository> {
    static OPTIONS: Once = Once::new();
    OPTIONS.call_once(|| {
        git2::opts::strict_hash_verification(false);
        // Each tree is read only once or twice, and a hundred thousand files have many trees.
        git2::opts::enable_caching(false);
        // SAFETY: both set globals of libgit2 that must not change while it is in use elsewhere;
        // `Once` runs them before the first repository of this process is opened.
        #[expect(unsafe_code, reason = "git2 marks its global options as unsafe")]
        unsafe {
            let _ = git2::opts::set_verify_owner_validation(false);
            let _ = git2::opts::set_mwindow_size(MAPPED_AT_ONCE);
            let _ = git2::opts::set_mwindow_mapped_limit(MAPPED_IN_ALL);
            // git itself reads refs (see `Refs`), so reftable repositories work.
            let _ = git2::opts::set_extensions(&EXTENSIONS);
        }
    });
    // A person needs neither the class nor the code that libgit2 adds.
    git2::Repository::open_bare(path)
        .map_err(|error| error::cannot_open(path, error.message()).into())
}

/// Extensions of the repository format in git 2.47 that libgit2 does not know. None of them changes
/// how objects are stored (git-config(1), `extensions.*`).
const EXTENSIONS: [&str; 6] = [
    "compatobjectformat",
    "objectformat",
    "partialclone",
    "preciousobjects",
    "refstorage",
    "relativeworktrees",
];

/// The first seven digits of a commit's id, as git shows it to people.
pub fn short(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}
