//! A plan and an error in words.

use std::error::Error as StdError;

use anyhow::Error;

use super::{Decision, Plan};
use crate::build::BuildPlan;
use crate::console::text::escaped;
use crate::process::ChildError;
use crate::python::installers::Installer;
use crate::python::version::asked_for;
use crate::python::version_files::VersionFileError;
use crate::settings::Sourced;
use crate::user_error::{Explained, UserError};

/// The plan as the log and `nyala plan` show it.
pub fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = vec![plan.runtime.clone()];
    if let Some(python) = &plan.python {
        let at = python
            .interpreter
            .as_ref()
            .map_or(String::new(), |found| format!("; {}", found.path.display()));
        lines.push(format!(
            "Python {} ({}{at})",
            python.version,
            asked_for(&python.wanted.to_string(), python.origin.as_str())
        ));
    }
    let BuildPlan { settings, pre_build, post_build, collectstatic: _ } = &plan.build;
    if let Some(project) = &settings.project {
        lines.push(format!(
            "The application is the folder {} ({})",
            project.value.escape_debug(),
            project.source
        ));
    }
    if let Some(Sourced { value, source }) = &settings.command {
        lines.push(format!(
            "Command, in the place of the env, install and build steps: {} ({source})",
            escaped(value)
        ));
    } else {
        for (when, commands) in [("before", pre_build), ("after", post_build)] {
            lines.extend(commands.iter().map(|own| {
                format!("Command {when} the build: {} ({})", escaped(&own.command), own.by)
            }));
        }
    }
    let by = match plan.env.decision {
        Decision::Create { .. } | Decision::Update { .. } if plan.installer == Installer::Uv => {
            " (by uv)"
        }
        _ => "",
    };
    let also = if plan.env.uninstall.is_empty() { "" } else { ", uninstall what is not required" };
    lines.push(format!("Environment: {}{also}{by}, because", plan.env.decision));
    lines.extend(plan.env.reasons.iter().map(|reason| format!("- {reason}")));
    lines.extend(plan.notes.iter().cloned());
    lines
}

/// An error with all its causes, as one: the outermost fact first, what it was caused by after a
/// colon, then everything that was found, and everything that fixes it.
pub fn user_error(error: &Error) -> UserError {
    let mut facts: Vec<String> = Vec::new();
    let mut whole = UserError::default();
    for cause in error.chain() {
        let part = part(cause);
        if !facts.iter().any(|known| known.ends_with(&part.fact)) {
            facts.push(part.fact.clone());
        }
        whole = whole.and(part);
    }
    whole.fact = facts.join(": ");
    whole
}

/// [`user_error`] as text.
pub fn error_text(error: &Error) -> String {
    user_error(error).to_string()
}

/// One cause of an error. Those that know what was found and what to do are asked for it; of any
/// other, the first line is the fact.
fn part(cause: &(dyn StdError + 'static)) -> UserError {
    if let Some(told) = cause.downcast_ref::<UserError>() {
        told.clone()
    } else if let Some(explained) = cause.downcast_ref::<Explained>() {
        explained.explanation.clone()
    } else if let Some(child) = cause.downcast_ref::<ChildError>() {
        child.user_error()
    } else if let Some(file) = cause.downcast_ref::<VersionFileError>() {
        file.user_error()
    } else {
        foreign(&cause.to_string())
    }
}

/// An error that was not made for a person: its first line is the fact.
fn foreign(text: &str) -> UserError {
    let mut lines = text.lines();
    let mut error = UserError::new(lines.next().unwrap_or_default());
    for line in lines {
        let step = line.split_once(". ").filter(|(number, _)| number.parse::<u8>().is_ok());
        if let Some(found) = line.strip_prefix("found: ") {
            error.found.push(found.to_owned());
        } else if let (Some(last), true) = (error.found.last_mut(), line.starts_with(' ')) {
            *last += "\n";
            *last += line.trim_start();
        } else {
            error.fixes.push(step.map_or(line, |(_, step)| step).to_owned());
        }
    }
    error
}

/// Whether an error is one that nyala expects and explains, and no surprise to look into.
pub fn is_explained(error: &Error) -> bool {
    error.chain().any(|cause| cause.is::<UserError>() || cause.is::<Explained>())
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, Result};

    use super::*;
    use crate::user_error::Explain;

    #[test]
    fn causes_follow_on_the_first_line_and_the_other_parts_below() {
        let inner = UserError::new("pip exited with status 1.").found("no such package").fix("b");
        let error: Result<()> = Err(inner)
            .context("requirements.txt")
            .explain(|| UserError::new("not installed").found("env 3").fix("a"));
        insta::assert_snapshot!(error_text(&error.unwrap_err()), @r"
        not installed: requirements.txt: pip exited with status 1
        found: env 3
        found: no such package
        1. a
        2. b
        ");
    }

    #[test]
    fn a_cause_that_the_fact_repeats_is_said_once() {
        let io = std::io::Error::other("no");
        let error = UserError::new(format!("cannot start pip: {io}"));
        let error = Err::<(), _>(io).explain(|| error).unwrap_err();
        assert_eq!(error_text(&error), "cannot start pip: no");
        assert!(is_explained(&error) && !is_explained(&anyhow::anyhow!("x")));
    }
}
