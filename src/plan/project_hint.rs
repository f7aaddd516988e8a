//! Where the application, or what it needs, may be when there is nothing of it in its folder.

use std::path::Path;

use anyhow::Result;

use crate::python::dependencies::{Resolved, Tree, folders_with, resolve};

/// Files that an application has at its own top.
const NAMES: [&str; 10] = [
    "requirements.txt",
    "pylock.toml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "Pipfile",
    "pyproject.toml",
    "setup.py",
    "manage.py",
];
/// How many folders are named.
const SHOWN: usize = 5;

/// Names what is above the folder and declares dependencies, or else the folders that could be the
/// application, and says what to write; `None` when there is nothing. `project` is the folder that
/// was looked at.
pub(super) fn hint(tree: &impl Tree, project: &Path) -> Result<Option<String>> {
    match above(tree, project)? {
        None => Ok(text(&folders_with(tree, &NAMES)?, project)),
        found => Ok(found),
    }
}

fn above(tree: &impl Tree, project: &Path) -> Result<Option<String>> {
    for levels in 1..=tree.place().split('/').filter(|name| !name.is_empty()).count() {
        for name in NAMES.into_iter().filter(|name| *name != "manage.py") {
            let path = format!("{}{name}", "../".repeat(levels));
            if !matches!(resolve(tree, &path)?, Resolved::File { .. }) {
                continue;
            }
            let project = project.to_string_lossy().escape_debug().to_string();
            let what_to_do = if name == "requirements.txt" {
                format!(
                    "to install them, write file = \"{path}\" under [dependencies] in the site's \
                     nyala.toml, on the server"
                )
            } else {
                format!(
                    "to install them, remove project = \"{project}\" from the site's nyala.toml, \
                     on the server"
                )
            };
            return Ok(Some(format!(
                "no dependencies are declared in {project}, but in {path}: {what_to_do}"
            )));
        }
    }
    Ok(None)
}

fn text(found: &[String], project: &Path) -> Option<String> {
    let folders: Vec<String> = found
        .iter()
        .take(SHOWN)
        .map(|folder| project.join(folder).to_string_lossy().escape_debug().to_string())
        .collect();
    let first = folders.first()?;
    let more = match found.len() {
        len if len > SHOWN => format!(" and {} more", len - SHOWN),
        _ => String::new(),
    };
    let place = if project.as_os_str().is_empty() { "at the top of the tree" } else { "there" };
    Some(format!(
        "no dependencies are declared {place}, but in {}{more}: if {} the application, write \
         project = \"{first}\" in the site's nyala.toml, on the server",
        folders.join(", "),
        if folders.len() == 1 { "that is" } else { "one of them is" },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(found: &[&str], project: &str) -> Option<String> {
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        text(&found, Path::new(project))
    }

    #[test]
    fn what_could_be_the_application_is_named_with_what_to_write() {
        insta::assert_snapshot!(of(&["backend"], "").unwrap(), @r#"
        no dependencies are declared at the top of the tree, but in backend: if that is the application, write project = "backend" in the site's nyala.toml, on the server
        "#);
        insta::assert_snapshot!(of(&["api", "web", "x/y"], "srv").unwrap(), @r#"
        no dependencies are declared there, but in srv/api, srv/web, srv/x/y: if one of them is the application, write project = "srv/api" in the site's nyala.toml, on the server
        "#);
        let many: Vec<String> = (1..8).map(|number| number.to_string()).collect();
        assert!(text(&many, Path::new("")).unwrap().contains("in 1, 2, 3, 4, 5 and 2 more:"));
        assert_eq!(of(&[], ""), None);
    }
}
