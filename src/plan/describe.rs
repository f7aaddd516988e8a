//! A plan in words.

use super::decide::{NO_RUNTIME, UNCHANGED_RUNTIME};
use super::{Decision, Plan};
use crate::build::BuildPlan;
use crate::python::installers::Installer;
use crate::python::version::asked_for;
use crate::settings::Sourced;
use crate::text::escaped;

/// The plan as `nyala plan` shows it.
pub fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = vec![plan.runtime.clone()];
    lines.extend(lines_after_runtime(plan));
    lines
}

/// Whether what became of `runtime.txt` explains nothing: it is as it was, and so is the env.
pub fn is_old_news(plan: &Plan) -> bool {
    matches!(plan.env.decision, Decision::Reuse { .. })
        && [NO_RUNTIME, UNCHANGED_RUNTIME].iter().any(|start| plan.runtime.starts_with(start))
}

/// The plan without what became of `runtime.txt`.
pub fn lines_after_runtime(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
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
    let BuildPlan { settings, pre_build, post_build, collectstatic: _, has_manage: _ } =
        &plan.build;
    if let Some(project) = &settings.project {
        lines.push(format!(
            "The application is the folder {} ({})",
            project.value.escape_debug(),
            project.source
        ));
    }
    if let Some(Sourced { value, source }) = &settings.command {
        lines.push(format!(
            "Command, in place of the env, install and build steps: {} ({source})",
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
    let action = match plan.env.decision {
        Decision::Update { from } if plan.env.only_uninstalls => format!("copy env {from}"),
        decision => decision.to_string(),
    };
    let also = if plan.env.uninstall.is_empty() { "" } else { ", uninstall what is not required" };
    lines.push(format!("Environment: {action}{also}{by}, because"));
    lines.extend(plan.env.reasons.iter().map(|reason| format!("- {reason}")));
    lines.extend(plan.notes.iter().cloned());
    lines
}
