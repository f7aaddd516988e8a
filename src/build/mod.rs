//! What the project itself wants run in the new release before it goes live, and what is said of
//! that.

pub mod custom;
pub mod django;
pub mod project;
mod ran;

use anyhow::Result;

use crate::git::{CommitTree, Kind};
use crate::python::dependencies::{detect, folders_with};
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
    /// The folder of Django's manage.py; empty for the top.
    pub manage_folder: String,
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
    /// There is no `manage.py`: not a word is said of it.
    NotDjango,
    /// Not collected, for this reason.
    Off(String),
    /// Collected if the env has Django and the application uses its static files.
    IfInstalled,
}

const PRE_COMPILE: &str = "bin/pre_compile";
const POST_COMPILE: &str = "bin/post_compile";

impl BuildPlan {
    /// Whether anything of the project itself is run, which may write whatever it likes.
    pub fn runs_anything(&self) -> bool {
        let Self { settings, pre_build, post_build, collectstatic, manage_folder: _ } = self;
        settings.command.is_some()
            || !pre_build.is_empty()
            || !post_build.is_empty()
            || *collectstatic == Collectstatic::IfInstalled
    }
}

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
            manage_folder: String::new(),
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
    let manage_folder = if is_file(django::MANAGE)? {
        Some(String::new())
    } else if detect(tree)?.is_python() {
        folders_with(tree, &[django::MANAGE])?.into_iter().next()
    } else {
        None
    };
    let collectstatic = if manage_folder.is_none() {
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
        manage_folder: manage_folder.unwrap_or_default(),
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
