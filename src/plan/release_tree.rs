//! The tree as it will be in the release: with its submodules, as far as anybody asks for what is
//! in one, and with what is above it in the commit.
//!
//! A requirements file may be in a submodule, and a local project may be one. Their commits are
//! fetched when a path leads into them, as the check-out would a moment later.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result};

use super::PlanRequest;
use crate::checkout;
use crate::git::{CommitTree, Kind, Repository};
use crate::process::{Environment, Limits};
use crate::python::dependencies::{Entry, Tree, in_commit, leads_above};
use crate::settings::EffectiveSettings;
use crate::submodules::{Fetched, Fetching};

pub(super) struct ReleaseTree<'a> {
    tree: &'a CommitTree<'a>,
    repository: &'a Repository,
    /// The commit's own tree, and the folder of it that is the application.
    whole: &'a CommitTree<'a>,
    place: String,
    /// `None` when submodules stay empty folders.
    stores: Option<PathBuf>,
    environment: Environment,
    limits: Limits,
    /// By their paths; `None` for those that stay empty.
    opened: RefCell<BTreeMap<String, Option<Rc<Fetched>>>>,
}

impl<'a> ReleaseTree<'a> {
    pub(super) fn new(
        (tree, whole): (&'a CommitTree<'a>, &'a CommitTree<'a>),
        request: &PlanRequest<'a>,
        settings: &EffectiveSettings,
    ) -> ReleaseTree<'a> {
        let PlanRequest { site, app_settings, repository, .. } = request;
        ReleaseTree {
            tree,
            repository,
            whole,
            place: settings.project_folder().to_string_lossy().into_owned(),
            stores: (!settings.disable_submodules.value).then(|| site.submodules()),
            environment: Environment::clean().with_app_settings(app_settings.iter()),
            limits: Limits { step: Some(settings.step_timeout.value), ..Limits::default() },
            opened: RefCell::default(),
        }
    }

    /// The submodule that a path leads into, with the rest of the path; the innermost one.
    fn submodule(&self, path: &str) -> Result<Option<(Rc<Fetched>, String)>> {
        let path = in_commit(&self.place, path);
        let mut found: Option<(Rc<Fetched>, String)> = None;
        loop {
            let (outer, rest) = match found.clone() {
                Some((outer, rest)) => (Some(outer), rest),
                None => (None, path.clone()),
            };
            let at = match &outer {
                Some(outer) => gitlink(&outer.store.tree_with_id(outer.tree)?, &rest)?,
                None => gitlink(self.whole, &rest)?,
            };
            let Some(at) = at else { return Ok(found) };
            let (link, below) = rest.split_at(at);
            let key = path[..path.len() - below.len()].to_owned();
            let known = self.opened.borrow().get(&key).cloned();
            let inner = match known {
                Some(known) => known,
                None => self.open(outer.as_deref(), link)?.map(Rc::new),
            };
            self.opened.borrow_mut().insert(key, inner.clone());
            let Some(inner) = inner else { return Ok(found) };
            found = Some((inner, below.trim_start_matches('/').to_owned()));
        }
    }

    fn open(&self, outer: Option<&Fetched>, link: &str) -> Result<Option<Fetched>> {
        let Some(stores) = self.stores.clone() else { return Ok(None) };
        let fetching = Fetching { stores, environment: &self.environment, limits: &self.limits };
        if let Some(outer) = outer {
            return fetching.submodule(&outer.store, outer.tree, Some(&outer.url), link);
        }
        fetching.submodule(self.repository, self.whole.root(), None, link)
    }

    /// The tree that has a path which is in no submodule, and the path there.
    fn located(&self, path: &str) -> (&CommitTree<'a>, String) {
        if leads_above(path) {
            (self.whole, in_commit(&self.place, path))
        } else {
            (self.tree, path.to_owned())
        }
    }

    /// What `read` gives for the object in the first repository that has it: an id says what it is
    /// wherever it is.
    fn in_any<R>(&self, id: &str, read: impl Fn(&CommitTree<'_>) -> Result<R>) -> Result<R> {
        let mut result = read(self.tree);
        for submodule in self.opened.borrow().values().flatten() {
            if result.is_ok() {
                break;
            }
            let tree = submodule.store.tree_with_id(submodule.tree)?;
            result = read(&tree);
        }
        result.with_context(|| format!("the object {id} cannot be read"))
    }
}

/// Where in `path` the name of a submodule ends, if one is on the way.
fn gitlink(tree: &CommitTree<'_>, path: &str) -> Result<Option<usize>> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends.filter(|end| *end > 0) {
        match tree.entry(&path[..end])?.map(|entry| entry.kind) {
            Some(Kind::Submodule) => return Ok(Some(end)),
            Some(Kind::Folder) => {}
            Some(Kind::File | Kind::Link) | None => return Ok(None),
        }
    }
    Ok(None)
}

impl Tree for ReleaseTree<'_> {
    fn place(&self) -> &str {
        &self.place
    }

    fn entry(&self, path: &str) -> Result<Entry> {
        if let Some((submodule, rest)) = self.submodule(path)? {
            Tree::entry(&submodule.store.tree_with_id(submodule.tree)?, &rest)
        } else {
            let (tree, path) = self.located(path);
            Tree::entry(tree, &path)
        }
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
        if let Some((submodule, rest)) = self.submodule(path)? {
            Tree::list(&submodule.store.tree_with_id(submodule.tree)?, &rest)
        } else {
            let (tree, path) = self.located(path);
            Tree::list(tree, &path)
        }
    }

    fn size(&self, id: &str) -> Result<u64> {
        self.in_any(id, |tree| Tree::size(tree, id))
    }

    fn read(&self, id: &str) -> Result<Vec<u8>> {
        self.in_any(id, |tree| Tree::read(tree, id))
    }

    fn written(&self, path: &str) -> Result<Vec<u8>> {
        if let Some((submodule, rest)) = self.submodule(path)? {
            checkout::preview(submodule.store.objects(), submodule.tree, &rest)
        } else {
            let (tree, path) = self.located(path);
            Tree::written(tree, &path)
        }
    }
}
