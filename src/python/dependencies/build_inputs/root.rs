//! What the build of a project at the top of a tree reads. Beside the project there is much that
//! it does not: a README that the metadata does not name, tests, templates, another application.
//!
//! Only what is certain is left out. It is asked of declarative builds alone, see [`super::build`].

use anyhow::Result;
use toml::Table;

use super::super::text::{glob, normalized_name as normalized};
use super::super::tree::{Entry, Resolved, Tree, resolve};

/// The files that say how the project is built.
const CONFIGURATION: [&str; 4] = ["pyproject.toml", "setup.cfg", "setup.py", "MANIFEST.in"];

/// What backends take along without being told: licenses, and what git ignores.
const IMPLIED: [&str; 8] =
    ["licen", "copying", "notice", "author", ".gitignore", ".hgignore", "pkg-info", "version"];

/// The entries at the top that the build can read, in the order of the tree. `None` when it may be
/// all of them.
pub(super) fn entries(tree: &impl Tree) -> Result<Option<Vec<(String, Entry)>>> {
    let mut texts = Vec::new();
    let mut pyproject = Table::new();
    for name in CONFIGURATION {
        if let Resolved::File { id, .. } = resolve(tree, name)? {
            let text = String::from_utf8_lossy(&tree.read(&id)?).into_owned();
            if name == "pyproject.toml" {
                pyproject = text.parse().unwrap_or_default();
            }
            texts.push(text);
        }
    }
    let words: Vec<&str> = texts.iter().flat_map(|text| words(text)).collect();
    if words.contains(&"graft") || words.contains(&"global-include") {
        return Ok(None);
    }
    let is_named = |name: &str| {
        texts.iter().any(|text| text.contains(name)) || words.iter().any(|word| fits(word, name))
    };
    let only = only_folder(tree, &pyproject)?;
    let counts = |name: &str, entry: &Entry| match entry {
        Entry::Folder { .. } | Entry::Submodule { .. } => {
            let can_be_package = match &only {
                Some(only) => only == name,
                None => !name.starts_with('.'),
            };
            can_be_package || is_named(name)
        }
        Entry::File { .. } | Entry::Link { .. } => {
            let lower = name.to_ascii_lowercase();
            let extension = name.rsplit_once('.').map(|(_, extension)| extension);
            CONFIGURATION.contains(&name)
                || IMPLIED.iter().any(|implied| lower.starts_with(implied))
                || extension.is_some_and(|it| it.starts_with("py") || it == "so")
                || is_named(name)
        }
        Entry::Missing => false,
    };
    let all = tree.list("")?.into_iter();
    Ok(Some(all.filter(|(name, entry)| counts(name, entry)).collect()))
}

/// The one folder that holds the package, where the backend looks nowhere else.
fn only_folder(tree: &impl Tree, pyproject: &Table) -> Result<Option<String>> {
    let value = |path: &[&str]| {
        let (last, tables) = path.split_last()?;
        let table = tables
            .iter()
            .try_fold(pyproject, |table, name| table.get(*name).and_then(|it| it.as_table()))?;
        table.get(*last)
    };
    let is_set = |path: &[&str]| value(path).is_some();
    let is_folder =
        |path: &str| -> Result<bool> { Ok(matches!(tree.entry(path)?, Entry::Folder { .. })) };
    let backend = value(&["build-system", "build-backend"]).and_then(toml::Value::as_str);
    let by_name = match backend {
        Some("hatchling.build") => !is_set(&["tool", "hatch", "build"]),
        Some("flit_core.buildapi") => !is_set(&["tool", "flit"]),
        Some("uv_build") => !is_set(&["tool", "uv", "build-backend"]),
        Some("poetry.core.masonry.api") => {
            !["packages", "include", "exclude"].iter().any(|key| is_set(&["tool", "poetry", key]))
        }
        Some("setuptools.build_meta") => {
            let is_told = is_set(&["tool", "setuptools"])
                || !matches!(resolve(tree, "setup.py")?, Resolved::Missing)
                || !matches!(resolve(tree, "setup.cfg")?, Resolved::Missing);
            return Ok((!is_told && is_folder("src")?).then(|| "src".to_owned()));
        }
        _ => false,
    };
    let name = value(&["project", "name"]).or_else(|| value(&["tool", "poetry", "name"]));
    let Some(name) = name.and_then(toml::Value::as_str).filter(|_| by_name) else {
        return Ok(None);
    };
    let module = normalized(name).replace('-', "_");
    let is_package = |folder: &str| -> Result<bool> {
        let init = format!("{folder}/__init__.py");
        Ok(matches!(tree.entry(&init)?, Entry::File { .. }))
    };
    Ok(match (is_package(&module)?, is_package(&format!("src/{module}"))?) {
        (true, false) => Some(module),
        (false, true) => Some("src".to_owned()),
        _ => None,
    })
}

/// What may be names or patterns in a configuration.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| !(c.is_whitespace() || "\"',;=()[]{}".contains(c));
    text.split(move |c| !is_part(c)).filter(|word| !word.is_empty())
}

/// Whether a pattern such as `docs/*.md` may mean a name at the top. Sets of characters are split
/// off by [`words`], so what is left of such a pattern is compared by its beginning.
fn fits(pattern: &str, name: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return false;
    }
    let first = pattern.trim_start_matches(['.', '/', '!']).split('/').next().unwrap_or_default();
    glob(first.as_bytes(), name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_is_compared_with_a_name_at_the_top() {
        for (pattern, name) in [
            ("*.md", "README.md"),
            ("README*", "README.rst"),
            ("./docs*/x.md", "docs2"),
            ("/*/a", "tests"),
            ("?EADME.*", "README.md"),
            ("**", "x"),
        ] {
            assert!(fits(pattern, name), "{pattern}");
        }
        for pattern in ["README.md", "*.rst", "R?ME", "a*b*"] {
            assert!(!fits(pattern, "README.md"), "{pattern}");
        }
        assert!(!fits(&"*a".repeat(40), &"a".repeat(39)));
    }
}
