//! The step that writes a release's tree, with what the commit only points to: submodules, and the
//! files of Git LFS.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::deploy::Deployment;
use super::env_steps::StepContext;
use super::tree;
use crate::checkout::Exported;
use crate::console;
use crate::disk;
use crate::disk::space::DiskUsage;
use crate::git::{Repository, short};
use crate::lfs;
use crate::plan::Plan;
use crate::settings::Sourced;
use crate::site::Settings;
use crate::submodules::{Fetching, Filled};

impl Deployment<'_> {
    /// Writes the tree. Returns what has to be flushed before it goes live, see
    /// [`activate`](crate::activate::activate).
    pub(super) fn check_out(
        &mut self,
        settings: &Settings,
        repository: &Repository,
        context: &StepContext<'_>,
        plan: &Plan,
    ) -> Result<Option<Vec<PathBuf>>> {
        let step = console::step(format_args!("Check out {}", short(&plan.commit.id)));
        let written = tree::write(self.site, settings, repository, plan.tree, self.record.id)
            .context("the tree could not be checked out")?;
        disk::point("checked out");
        let exported = &written.exported;
        let inodes = exported.files + exported.links + exported.folders;
        self.record.usage.release = Some(DiskUsage { bytes: exported.bytes, inodes });
        self.record.tree = Some(plan.tree.to_string());
        let counted = |number: u64, one: &str| {
            format!("{number} {one}{}", if number == 1 { "" } else { "s" })
        };
        let changed = written
            .changed
            .map_or(String::new(), |changed| format!(", {changed} of them written or removed"));
        console::info(format_args!(
            "{}, {}, {}{changed}",
            counted(exported.files, "file"),
            counted(exported.folders, "folder"),
            console::text::bytes(exported.bytes)
        ));
        let more = self.fill(repository, context, plan, &written.exported)?;
        self.record_step("check out", step.done());
        Ok(written.touched.filter(|_| !more))
    }

    /// Fills submodules and puts the files of Git LFS in the place of their pointers. Says whether
    /// there was any.
    fn fill(
        &self,
        repository: &Repository,
        context: &StepContext<'_>,
        plan: &Plan,
        exported: &Exported,
    ) -> Result<bool> {
        let release = self.site.release(self.record.id);
        let fetching = Fetching {
            stores: self.site.submodules(),
            environment: &context.environment,
            limits: &context.limits,
        };
        let tree = Filled {
            repository: repository.path().to_owned(),
            commit: plan.commit.id.clone(),
            tree: plan.tree,
            project: plan.build.settings.project_folder(),
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
            _ => fetching.fill(&release, tree, &exported.submodules, &mut trees)?,
        }
        for tree in &trees {
            lfs::smudge(&fetching, &release, tree)?;
        }
        Ok(!exported.submodules.is_empty() || !exported.pointers.is_empty())
    }
}
