//! The folder that requirements are installed in: the release, or a copy where something of the
//! commit is built.
//!
//! Builds leave `build/` and `*.egg-info` behind, and the env would name the release as the place
//! that a project came from. What is above the application in the commit is in no release at all,
//! so where that is needed, the copy is one of the whole commit.

use std::path::PathBuf;

use anyhow::Result;

use super::StepContext;
use super::check_out::write_commit;
use crate::disk;
use crate::plan::Plan;
use crate::python::dependencies::{LocalKind, Source};
use crate::site::ENV_LINK;

/// Where an installer runs.
pub(super) struct BuildFolder {
    /// The folder that paths in requirements are relative to.
    pub(super) folder: PathBuf,
    /// The copy of the whole commit that it is in, if it is in one.
    pub(super) commit: Option<PathBuf>,
}

/// Makes the folder. A copy is gone when the deployment has ended.
pub(super) fn make(context: &StepContext<'_>, plan: &Plan, source: &Source) -> Result<BuildFolder> {
    let release = context.site.release(context.deployment);
    let is_any = |kind| plan.requirements.local.iter().any(|local| local.kind == kind);
    // What is installed with -e has to be in the release.
    let builds = is_any(LocalKind::Folder) && !is_any(LocalKind::Editable);
    if !builds && !plan.leads_above {
        return Ok(BuildFolder { folder: release, commit: None });
    }
    let copy = context.site.temporary(context.deployment).join("build");
    disk::remove_tree(&copy)?;
    disk::create_dir_all(&context.site.temporary(context.deployment))?;
    let project = plan.build.settings.project_folder();
    let commit = !project.as_os_str().is_empty();
    let folder = if commit { copy.join(&project) } else { copy.clone() };
    if commit {
        disk::create_dir(&copy)?;
        write_commit(context, plan, &copy)?;
        // The release has what the project's own commands have made.
        disk::remove_tree(&folder)?;
    }
    disk::copy_tree(&release, &folder)?;
    disk::remove_file(&folder.join(ENV_LINK))?;
    if matches!(source, Source::Project(project) if project.lacks_setup_py()) {
        let text = b"from setuptools import setup\n\nsetup()\n";
        disk::write(&folder.join("setup.py"), text, 0o644)?;
    }
    Ok(BuildFolder { folder, commit: commit.then_some(copy) })
}
