//! The applications of a Django project, by its files, which are read and never imported.

use anyhow::Result;

use super::LARGEST;
use super::recognized::{Application, Interface};
use crate::git::{CommitTree, Kind};
use crate::site::AppSettings;

/// The variable that names the module of the settings.
pub const DJANGO_SETTINGS: &str = "DJANGO_SETTINGS_MODULE";

/// What `startproject` has written beside the settings, for servers of either kind: the package
/// that manage.py names comes first.
pub(super) fn find(
    tree: &CommitTree<'_>,
    folder: &str,
    app_settings: &AppSettings,
) -> Result<Vec<Application>> {
    let manage = tree.file(&below(folder, "manage.py"), LARGEST)?.unwrap_or_default();
    let manage = String::from_utf8_lossy(&manage);
    let named = app_settings
        .get(DJANGO_SETTINGS)
        .or_else(|| django_settings_in(&manage))
        .unwrap_or_default();
    let mut package = named;
    // `shop.settings.production` is beside `shop.wsgi`.
    while let Some((above, _)) = package.rsplit_once('.') {
        package = above;
        let found = in_package(tree, folder, package)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    for (name, entry) in tree.list(folder)? {
        if entry.kind != Kind::Folder || name.starts_with('.') {
            continue;
        }
        let settings = below(&below(folder, &name), "settings");
        if is_file(tree, &format!("{settings}.py"))? || tree.entry(&settings)?.is_some() {
            let found = in_package(tree, folder, &name)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(Vec::new())
}

/// The module in `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")`, or in
/// `os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"`.
pub fn django_settings_in(python: &str) -> Option<&str> {
    python.match_indices(DJANGO_SETTINGS).find_map(|(at, _)| {
        let line = python[..at].rsplit('\n').next().unwrap_or_default();
        let rest = &python[at + DJANGO_SETTINGS.len()..];
        // A call may go on in the next lines.
        let value = rest
            .trim_start_matches(['"', '\''])
            .trim_start_matches(|it: char| matches!(it, ']' | ',' | '=') || it.is_whitespace());
        // Whatever is not a plain literal, such as a call, is not known.
        let module = value.strip_prefix(['"', '\''])?.split(['"', '\'']).next()?;
        let is_module = !line.trim_start().starts_with('#') && module.split('.').all(is_name);
        is_module.then_some(module)
    })
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|it| it.is_alphanumeric() || it == '_')
}

fn in_package(tree: &CommitTree<'_>, folder: &str, package: &str) -> Result<Vec<Application>> {
    let path = below(folder, &package.replace('.', "/"));
    let mut found = Vec::new();
    for (file, interface) in [("wsgi", Interface::Wsgi), ("asgi", Interface::Asgi)] {
        if is_file(tree, &format!("{path}/{file}.py"))? {
            found.push(Application {
                what: format!("Django ({path}/{file}.py)"),
                folder: folder.to_owned(),
                module: format!("{package}.{file}"),
                name: "application",
                is_factory: false,
                interface,
            });
        }
    }
    Ok(found)
}

fn is_file(tree: &CommitTree<'_>, path: &str) -> Result<bool> {
    Ok(tree.entry(path)?.is_some_and(|entry| entry.kind == Kind::File))
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use git2::Repository;

    use super::*;
    use crate::git::tree_of;

    /// The applications that are found in a project with these files.
    fn found(files: &[(&str, &str)], app_settings: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        let tree = tree_of(&repository, files);
        let tree = CommitTree::new(&repository, tree).unwrap();
        let found = find(&tree, "", &AppSettings::parse(app_settings).unwrap()).unwrap();
        found.into_iter().map(|application| application.module).collect()
    }

    #[test]
    fn the_package_that_is_named_comes_first() {
        let manage = |module: &str| format!("setdefault('DJANGO_SETTINGS_MODULE', '{module}')");
        let with = |manage: &str, app_settings: &str| {
            let files = [
                ("manage.py", manage),
                ("demo/settings.py", ""),
                ("demo/wsgi.py", ""),
                ("mysite/settings/production.py", ""),
                ("mysite/wsgi.py", ""),
                ("mysite/asgi.py", ""),
            ];
            found(&files, app_settings)
        };
        let mysite = ["mysite.wsgi", "mysite.asgi"];
        assert_eq!(with(&manage("mysite.settings.production"), ""), mysite);
        assert_eq!(with(&manage("demo.settings"), ""), ["demo.wsgi"]);
        let setting = "DJANGO_SETTINGS_MODULE=mysite.settings.production";
        assert_eq!(with(&manage("demo.settings"), setting), mysite);
        // What has no application, or is nowhere, does not count.
        for module in ["gone.settings", "settings"] {
            assert_eq!(with(&manage(module), ""), ["demo.wsgi"]);
        }
        assert_eq!(found(&[("manage.py", &manage("shop.settings"))], ""), [""; 0]);
    }

    #[test]
    fn manage_py_names_the_settings() {
        for (line, expected) in [
            (
                "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')",
                Some("mysite.settings"),
            ),
            (
                "    os.environ[\"DJANGO_SETTINGS_MODULE\"] = \"shop.settings.production\"",
                Some("shop.settings.production"),
            ),
            ("# os.environ['DJANGO_SETTINGS_MODULE'] = 'old.settings'", None),
            ("os.environ.setdefault('DJANGO_SETTINGS_MODULE', settings)", None),
            ("os.environ.setdefault('DJANGO_SETTINGS_MODULE', '../settings')", None),
            ("main()", None),
        ] {
            assert_eq!(django_settings_in(&format!("import os\n{line}\n")), expected, "{line}");
        }
    }

    #[test]
    fn the_module_is_read_as_people_write_it() {
        for text in [
            "import os\nos.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"mysite.settings\")\n",
            "os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'",
            "# os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'old')\n\
             os.environ.setdefault('DJANGO_SETTINGS_MODULE','mysite.settings')",
            "os.environ.setdefault(\n    'DJANGO_SETTINGS_MODULE',\n    'mysite.settings',\n)\n",
        ] {
            assert_eq!(django_settings_in(text), Some("mysite.settings"), "{text}");
        }
        for text in [
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', name())",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', f'{site}.settings')",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', '')",
            "# DJANGO_SETTINGS_MODULE = 'mysite.settings'",
            "",
        ] {
            assert_eq!(django_settings_in(text), None, "{text}");
        }
    }
}
