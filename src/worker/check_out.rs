//! The step that writes a release's tree, with what the commit only points to: submodules, and the
//! files of Git LFS.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use git2::Oid;

use super::StepContext;
use super::deploy::Deployment;
use crate::checkout::{self, Exported, Updated};
use crate::console;
use crate::disk;
use crate::disk::space::DiskUsage;
use crate::git::{Repository, short};
use crate::lfs;
use crate::plan::Plan;
use crate::settings::Sourced;
use crate::staging::{self, Look};
use crate::submodules::{Fetching, Filled};
use crate::text::excerpt;

impl Deployment<'_> {
    /// Writes the tree.
    pub(super) fn check_out(
        &mut self,
        repository: &Repository,
        context: &StepContext<'_>,
        plan: &Plan,
        look: Look,
    ) -> Result<()> {
        let step = console::quiet_step(format_args!("Check out {}", short(&plan.commit.id)));
        let (exported, changed) = self
            .write_tree(repository, plan.tree, look)
            .context("the tree could not be checked out")?;
        disk::point("checked out");
        let inodes = exported.files + exported.links + exported.folders;
        self.record.usage.release = Some(DiskUsage { bytes: exported.bytes, inodes });
        self.record.tree = Some(plan.tree.to_string());
        let counted = |number: u64, one: &str| {
            format!("{number} {one}{}", if number == 1 { "" } else { "s" })
        };
        let changed = changed
            .map_or(String::new(), |changed| format!(", {changed} of them written or removed"));
        console::detail(format_args!(
            "{}, {}, {}{changed}",
            counted(exported.files, "file"),
            counted(exported.folders, "folder"),
            crate::text::bytes(exported.bytes)
        ));
        if let Some(warning) = unfiltered(repository, plan.tree, &exported.unfiltered) {
            console::warning(warning);
        }
        let release = self.site.release(self.record.id);
        let project = plan.build.settings.project_folder();
        fill(repository, context, plan, (&release, plan.tree, project), &exported)?;
        self.record_step("check out", step.quietly_done());
        Ok(())
    }

    /// Makes the folder of the release hold a tree. Returns what it holds, and how much of it was
    /// written or removed when the staging tree was updated.
    fn write_tree(
        &self,
        repository: &Repository,
        tree: Oid,
        look: Look,
    ) -> Result<(Exported, Option<u64>)> {
        let folder = self.site.release(self.record.id);
        if let Some(staged) = staging::take(self.site, repository, &folder, look) {
            match checkout::update(repository, &folder, staged, tree) {
                Ok(Updated { exported, written, removed }) => {
                    return Ok((exported, Some(written + removed)));
                }
                // Whatever it is, the whole tree can be written all the same, or says it again.
                Err(error) => {
                    tracing::debug!("the staging tree cannot be updated: {error:#}");
                    staging::give_back(self.site, &folder)?;
                }
            }
        }
        disk::create_dir(&folder)?;
        Ok((checkout::export(repository, tree, &folder)?, None))
    }
}

/// Writes all of the commit into an empty folder, also what is above the application.
pub(super) fn write_commit(context: &StepContext<'_>, plan: &Plan, folder: &Path) -> Result<()> {
    let settings = context.site.settings()?;
    let repository = Repository::open(&context.site.repository(&settings))?;
    let tree = plan.commit.tree;
    let exported = checkout::export(&repository, tree, folder)
        .context("the commit could not be written to build in")?;
    fill(&repository, context, plan, (folder, tree, PathBuf::new()), &exported)
}

/// Fills submodules and puts the files of Git LFS in place of their pointers, in a folder that has
/// a tree: that of the commit's folder `project`.
fn fill(
    repository: &Repository,
    context: &StepContext<'_>,
    plan: &Plan,
    (release, tree, project): (&Path, Oid, PathBuf),
    exported: &Exported,
) -> Result<()> {
    let fetching = Fetching {
        stores: context.site.submodules(),
        environment: &context.environment,
        limits: &context.limits,
    };
    let tree = Filled {
        repository: repository.path().to_owned(),
        commit: plan.commit.id.clone(),
        tree,
        project,
        whole: plan.commit.tree,
        folder: PathBuf::new(),
        pointers: exported.pointers.clone(),
    };
    let mut trees = Vec::new();
    match &plan.build.settings.disable_submodules {
        Sourced { value: true, source } if !exported.submodules.is_empty() => {
            console::info(format_args!("Submodules are left as empty folders ({source})."));
            trees.push(tree);
        }
        _ => fetching.fill(release, tree, &exported.submodules, &mut trees)?,
    }
    for tree in &trees {
        lfs::smudge(&fetching, release, tree)?;
    }
    Ok(())
}

/// A warning that names the files which stay as git keeps them, because their filter is not run.
fn unfiltered(repository: &Repository, tree: Oid, files: &[PathBuf]) -> Option<String> {
    const SHOWN: usize = 5;
    let names: Vec<_> = files.iter().take(SHOWN).map(|file| file.to_string_lossy()).collect();
    let first = names.first()?;
    let filters = checkout::filters(repository.objects(), tree, std::iter::once(first.as_ref()));
    let filter = match filters.unwrap_or_default().into_iter().flatten().next() {
        Some(name) => format!("git's filter {}", excerpt(&String::from_utf8_lossy(&name))),
        // A path that is not UTF-8 is not found.
        None => "a filter of git".to_owned(),
    };
    let more = match files.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "{filter} is not run, so these files go live as they are in the repository, for example \
         encrypted: {}{more}",
        names.iter().map(|name| excerpt(name)).collect::<Vec<_>>().join(", ")
    ))
}
