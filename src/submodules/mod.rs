//! Fills the submodules of a release, and theirs.
//!
//! `git submodule` is not used: it needs a work tree with a `.git`, and obeys `.gitmodules`. Here,
//! that file only says where the repository of a path is. Commits are fetched by `git fetch` into a
//! store of nyala's own, and the checkout room writes them.

mod error;
mod gitmodules;
mod url;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::checkout;
use crate::console;
use crate::disk;
use crate::git::{Kind, Repository, git, open_objects, run, short};
use crate::hex::hex;
use crate::process::{self, Environment, Invocation, Limits};
use crate::user_error::Explain;
use gitmodules::Submodule;

/// The app setting that disables submodules, as in Kudu.
const DISABLED: &str = "SCM_DISABLE_SUBMODULES";

/// The allowed transports. `file` is allowed on purpose, although git forbids it in submodules
/// since CVE-2022-39253: pushed code runs as the site's user anyway, and git's own `upload-pack`
/// serves all objects. `ext`, which runs any command, is not allowed.
const PROTOCOLS: &str = "file:git:http:https:ssh";

/// Only a project that contains itself is nested deeper.
const DEEPEST: usize = 16;

/// Where submodules are stored, and how git runs for them.
#[derive(Debug)]
pub struct Fetching<'a> {
    /// The folder of the stores, a cache.
    pub stores: PathBuf,
    /// The environment of git: the app settings may contain `GIT_SSH_COMMAND`.
    pub environment: &'a Environment,
    pub limits: &'a Limits,
}

/// A tree that was written into a folder, and its repository.
#[derive(Debug)]
pub struct Filled {
    pub repository: PathBuf,
    /// Its full id.
    pub commit: String,
    pub tree: git2::Oid,
    /// The commit's own tree, whose `.gitmodules` counts, and the folder in it that was written;
    /// mostly the same tree, and empty.
    pub whole: git2::Oid,
    pub project: PathBuf,
    /// Relative to the release; empty for the release itself.
    pub folder: PathBuf,
    /// Git LFS pointers in it, relative to the folder.
    pub pointers: Vec<PathBuf>,
}

/// The commit of a submodule, in its store.
#[derive(Debug)]
pub struct Fetched {
    pub store: Repository,
    pub tree: git2::Oid,
    pub url: String,
}

impl Fetching<'_> {
    /// Fills the submodules `paths` of the tree `of` below `release`, and theirs; each is added to
    /// `all`, with the tree itself first.
    ///
    /// A path that `.gitmodules` does not name stays an empty folder, with a warning.
    pub fn fill(
        &self,
        release: &Path,
        of: Filled,
        paths: &[PathBuf],
        all: &mut Vec<Filled>,
    ) -> Result<()> {
        if paths.is_empty() {
            all.push(of);
            return Ok(());
        }
        let base = url::of_repository(&of.repository);
        self.fill_below(release, of, paths, &base, 0, all)
    }

    fn fill_below(
        &self,
        release: &Path,
        of: Filled,
        paths: &[PathBuf],
        base: &str,
        depth: usize,
        all: &mut Vec<Filled>,
    ) -> Result<()> {
        if depth >= DEEPEST {
            bail!(error::too_deep(&of.folder.display().to_string()));
        }
        if !paths.is_empty() {
            let repository = Repository::open(&of.repository)?;
            let tree = repository.tree_with_id(of.whole)?;
            let named = match tree.entry(".gitmodules")?.filter(|entry| entry.kind == Kind::File) {
                Some(entry) => gitmodules::read(&of.repository, entry.oid)?,
                None => Vec::new(),
            };
            for in_release in paths {
                let path = &of.project.join(in_release);
                let shown =
                    of.folder.join(in_release).display().to_string().escape_debug().to_string();
                let commit = path.to_str().map(|path| tree.entry(path)).transpose()?.flatten();
                let found =
                    named.iter().find(|submodule| Some(submodule.path.as_str()) == path.to_str());
                let (Some(commit), Some(submodule)) = (commit, found) else {
                    console::warning(format_args!(
                        "{shown} is a submodule that .gitmodules does not name, so it is an empty \
                         folder"
                    ));
                    continue;
                };
                self.fill_one(
                    release,
                    &of.folder.join(in_release),
                    commit.oid,
                    submodule,
                    base,
                    depth,
                    all,
                )
                .explain(|| error::cannot_be_checked_out(&shown))?;
            }
        }
        all.push(of);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "it is the body of the loop above")]
    fn fill_one(
        &self,
        release: &Path,
        folder: &Path,
        commit: git2::Oid,
        submodule: &Submodule,
        base: &str,
        depth: usize,
        all: &mut Vec<Filled>,
    ) -> Result<()> {
        let Fetched { store, tree, url } = self.fetched(base, commit, submodule)?;
        let exported = checkout::export(&store, tree, &release.join(folder))?;
        disk::point("submodule: checked out");
        console::info(format_args!(
            "{} at {} of {url}",
            folder.display(),
            short(&commit.to_string())
        ));
        let filled = Filled {
            repository: store.path().to_owned(),
            commit: commit.to_string(),
            tree,
            whole: tree,
            project: PathBuf::new(),
            folder: folder.to_owned(),
            pointers: exported.pointers,
        };
        self.fill_below(release, filled, &exported.submodules, &url, depth + 1, all)
    }

    /// The submodule at `path` of the tree `whole`, fetched unless it is there already; `None` when
    /// `.gitmodules` does not name it. Addresses are relative to `base`, or to the repository's
    /// own.
    pub fn submodule(
        &self,
        repository: &Repository,
        whole: git2::Oid,
        base: Option<&str>,
        path: &str,
    ) -> Result<Option<Fetched>> {
        let tree = repository.tree_with_id(whole)?;
        let commit = tree.entry(path)?.filter(|entry| entry.kind == Kind::Submodule);
        let modules = tree.entry(".gitmodules")?.filter(|entry| entry.kind == Kind::File);
        let (Some(commit), Some(modules)) = (commit, modules) else { return Ok(None) };
        let named = gitmodules::read(repository.path(), modules.oid)?;
        let Some(submodule) = named.iter().find(|submodule| submodule.path == path) else {
            return Ok(None);
        };
        let own = || url::of_repository(repository.path());
        let base = base.map_or_else(own, str::to_owned);
        let fetched = self.fetched(&base, commit.oid, submodule);
        let shown = path.escape_debug().to_string();
        fetched.map(Some).explain(|| error::cannot_be_read(&shown))
    }

    fn fetched(&self, base: &str, commit: git2::Oid, submodule: &Submodule) -> Result<Fetched> {
        let url = url::resolve(base, &submodule.url)?;
        let store = Repository::open(&self.fetch(&url, commit)?)?;
        let tree = store
            .objects()
            .find_object(commit, None)
            .and_then(|object| object.peel_to_tree())
            .with_context(|| format!("{url} has no commit {commit}"))?
            .id();
        Ok(Fetched { store, tree, url })
    }

    /// Fetches a commit into the store of its address, unless it is there already. Returns the
    /// store.
    fn fetch(&self, url: &str, commit: git2::Oid) -> Result<PathBuf> {
        let name = hex(&Sha256::digest(url));
        let store = self.stores.join(format!("{}.git", &name[..16]));
        if !store.join("HEAD").is_file() {
            self.make_store(&store, url, commit)?;
        }
        if has(&store, commit) {
            return Ok(store);
        }
        // Since 2.26, git serves a single commit by its id. From an older server, everything is
        // fetched.
        let one = self.fetch_into(&store, url, &["--depth=1"], &commit.to_string());
        if one.is_err() || !has(&store, commit) {
            self.fetch_into(&store, url, &[], "+refs/*:refs/all/*")
                .explain(|| error::cannot_be_fetched(url))?;
        }
        if !has(&store, commit) {
            bail!(error::no_commit(url, &commit.to_string()));
        }
        Ok(store)
    }

    fn make_store(&self, store: &Path, url: &str, commit: git2::Oid) -> Result<()> {
        disk::create_dir_all(&self.stores)?;
        let aside = disk::create_temporary_dir(&self.stores)?;
        let format = if commit.as_bytes().len() == 32 { "sha256" } else { "sha1" };
        let mut init = crate::git::bare_git();
        init.args([
            "init",
            "--quiet",
            "--bare",
            "--template=",
            &format!("--object-format={format}"),
        ])
        .arg(&aside);
        run(&mut init)?;
        // Git LFS asks for it by name.
        run(git(&aside).args(["config", "remote.origin.url", url]))?;
        disk::remove_tree(store)?;
        disk::rename(&aside, store)
    }

    fn fetch_into(&self, store: &Path, url: &str, options: &[&str], what: &str) -> Result<()> {
        let fetch = self
            .git(store)
            .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "protocol.version=2"])
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-write-fetch-head",
            ])
            .args(options)
            .args(["--", url, what])
            .named(format!("git fetch {url}"));
        process::capture(&fetch)?;
        Ok(())
    }

    /// A git child for a store: it never prompts, and uses no transport but [`PROTOCOLS`].
    pub fn git(&self, repository: &Path) -> Invocation {
        let mut environment = self
            .environment
            .clone()
            .set("GIT_TERMINAL_PROMPT", "0")
            .set("GIT_ALLOW_PROTOCOL", PROTOCOLS);
        if environment.get("GIT_SSH_COMMAND").is_none() {
            environment = environment.set("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        Invocation::new("git")
            .arg("--git-dir")
            .arg(repository)
            .cwd(repository)
            .environment(environment)
            .limits(self.limits.clone())
    }
}

fn has(store: &Path, commit: git2::Oid) -> bool {
    let found = open_objects(store)
        .and_then(|objects| Ok(objects.find_object(commit, None)?.peel_to_tree()?.id()));
    found.is_ok()
}
