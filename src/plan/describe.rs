//! A plan and an error in words.

use anyhow::Error;

use super::{Decision, Plan};
use crate::build::{BuildPlan, Said};
use crate::console::text::escaped;
use crate::python::installers::Installer;
use crate::python::version::asked_for;

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
            project.by
        ));
    }
    if let Some(Said { value, by }) = &settings.command {
        lines.push(format!(
            "Command, in the place of the env, install and build steps: {} ({by})",
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
    lines.push(format!("Environment: {}{by}, because", plan.env.decision));
    lines.extend(plan.env.reasons.iter().map(|reason| format!("- {reason}")));
    lines
}

/// An error with all its causes: the outermost fact first, what it was caused by after a colon,
/// then the details.
pub fn error_text(error: &Error) -> String {
    let mut heads = Vec::new();
    let mut details = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
        if !heads.iter().any(|known: &String| known.ends_with(head)) {
            heads.push(head.to_owned());
        }
        details.extend(rest.lines().map(str::to_owned));
    }
    let mut lines = vec![heads.join(": ")];
    lines.append(&mut details);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_on_the_first_line_and_details_below() {
        let error = anyhow::anyhow!("pip exited with status 1\nERROR: no such package")
            .context("not installed\nsee above");
        assert_eq!(
            error_text(&error),
            "not installed: pip exited with status 1\nsee above\nERROR: no such package"
        );
    }
}
