//! What the project itself wants run in the new release before it goes live, and what is said of
//! that.

pub mod custom;
pub mod django;
mod error;
pub mod project;
mod ran;
mod said;

use anyhow::Result;

use crate::git::{CommitTree, Kind};
use crate::python::dependencies::detect;
use crate::settings::{EffectiveSettings, Sourced};

pub use ran::commands_in_env;

/// What is run beside the env and install steps.
#[derive(Clone, Debug)]
pub struct BuildPlan {
    pub settings: EffectiveSettings,
    /// Before the env step, in this order.
    pub pre_build: Vec<OwnCommand>,
    /// After everything else is built, in this order.
    pub post_build: Vec<OwnCommand>,
    pub collectstatic: Collectstatic,
    /// Whether Django's manage.py is at the top of the tree.
    pub has_manage: bool,
}

/// A command of the project's own, beside the built-in steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCommand {
    /// For `sh -c`, in the release's folder.
    pub command: String,
    /// Who names it, in words for the log.
    pub by: String,
    /// A file of the tree that may lack its executable bit, as one committed on Windows does.
    pub file: Option<&'static str>,
}

/// What is done about Django's static files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collectstatic {
    /// Nothing is built, or nothing is Python: not a word is said of it.
    NotDjango,
    /// Not collected, for this reason.
    Off(String),
    /// Collected if the env has Django and the application uses its static files.
    IfInstalled,
}

const PRE_COMPILE: &str = "bin/pre_compile";
const POST_COMPILE: &str = "bin/post_compile";

/// What an application's tree and what is said of the build come to.
pub fn plan(tree: &CommitTree<'_>, settings: EffectiveSettings) -> Result<BuildPlan> {
    let is_file = |path: &str| -> Result<bool> {
        Ok(tree.entry(path)?.is_some_and(|entry| entry.kind == Kind::File))
    };
    if !settings.build.value {
        let (pre_build, post_build) = (Vec::new(), Vec::new());
        return Ok(BuildPlan {
            settings,
            pre_build,
            post_build,
            collectstatic: Collectstatic::NotDjango,
            has_manage: false,
        });
    }
    let own = |file: &'static str, said: Option<&Sourced<String>>| -> Result<Vec<OwnCommand>> {
        let hook =
            OwnCommand { command: file.to_owned(), by: "in the tree".to_owned(), file: Some(file) };
        let said = said.map(|said| OwnCommand {
            command: said.value.clone(),
            by: said.source.to_string(),
            file: None,
        });
        Ok(is_file(file)?.then_some(hook).into_iter().chain(said).collect())
    };
    let has_manage = is_file(django::MANAGE)?;
    let collectstatic = if !has_manage && !detect(tree)?.is_python() {
        Collectstatic::NotDjango
    } else if is_file(django::OPT_OUT)? {
        Collectstatic::Off(format!("{} is in the tree", django::OPT_OUT))
    } else if is_file(django::HEROKUS_OPT_OUT)? {
        Collectstatic::Off(format!("{} is in the tree", django::HEROKUS_OPT_OUT))
    } else if is_file(SKIP_PYTHON)? {
        Collectstatic::Off(format!("{SKIP_PYTHON} is in the tree"))
    } else {
        match &settings.collectstatic {
            Sourced { value: true, .. } => Collectstatic::IfInstalled,
            Sourced { value: false, source } => {
                Collectstatic::Off(format!("they are turned off by {source}"))
            }
        }
    };
    Ok(BuildPlan {
        pre_build: own(PRE_COMPILE, settings.pre_build_command.as_ref())?,
        post_build: own(POST_COMPILE, settings.post_build_command.as_ref())?,
        collectstatic,
        has_manage,
        settings,
    })
}

/// Kudu's way out of everything that has to do with Python.
pub const SKIP_PYTHON: &str = ".skipPythonDeployment";

/// Why no environment is made whatever the tree has; `None` when nothing speaks against one.
pub fn python_is_skipped(
    tree: &CommitTree<'_>,
    settings: &EffectiveSettings,
) -> Result<Option<String>> {
    if let Sourced { value: false, source } = &settings.build {
        return Ok(Some(format!("nothing is built: it is turned off by {source}")));
    }
    Ok(tree
        .entry(SKIP_PYTHON)?
        .map(|_| format!("{SKIP_PYTHON} is in the tree: Python steps are skipped")))
}
