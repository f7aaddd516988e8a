//! Which module has the settings of a Django application whose manage.py does not say it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::processes::django_settings_in;

/// What a server imports names the module, as `django-admin startproject` writes it.
const ENTRY_POINTS: [&str; 2] = ["wsgi.py", "asgi.py"];

/// How deep below manage.py they are looked for: `config/wsgi.py`, `src/site/wsgi.py`.
const DEPTH: usize = 2;

/// The modules that the entry points below this folder name, each with the file that does, relative
/// to the folder.
pub(super) fn named_below(release: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    look(release, Path::new(""), DEPTH, &mut found);
    found
}

/// The modules below this folder that have settings, the likeliest for a server first.
pub(super) fn candidates(release: &Path) -> Vec<String> {
    let mut found = Vec::new();
    settings_below(release, "", DEPTH, &mut found);
    found.sort_by_key(|module: &String| {
        let last = module.rsplit('.').next().unwrap_or_default();
        (FOR_SERVERS.iter().position(|name| last.starts_with(name)).unwrap_or(3), module.clone())
    });
    found
}

/// What settings for a server are called.
const FOR_SERVERS: [&str; 3] = ["prod", "base", "settings"];

/// `package` is the name of the folder as a module, with a dot at its end.
fn settings_below(folder: &Path, package: &str, depth: usize, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        if kind.is_dir() && depth > 0 && is_name(&name) {
            settings_below(&entry.path(), &format!("{package}{name}."), depth - 1, found);
        } else if let Some(stem) = name.strip_suffix(".py").filter(|_| kind.is_file())
            && is_name(stem)
            && (stem == "settings" || package.ends_with("settings.") && stem != "__init__")
        {
            found.push(format!("{package}{stem}"));
        }
    }
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}

/// Links are not followed: they may lead anywhere.
fn look(release: &Path, folder: &Path, depth: usize, found: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(release.join(folder)).into_iter().flatten().flatten() {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        let path = folder.join(&name);
        if kind.is_dir() && depth > 0 && !name.starts_with('.') {
            look(release, &path, depth - 1, found);
        } else if kind.is_file()
            && ENTRY_POINTS.contains(&name.as_str())
            && let Ok(text) = disk::read_to_string(release.join(&path))
            && let Some(module) = django_settings_in(&text)
        {
            found.entry(module.to_owned()).or_insert(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_the_likeliest_first() {
        let release = tempfile::tempdir().unwrap();
        for path in [
            "site/settings/__init__.py",
            "site/settings/base.py",
            "site/settings/development.py",
            "site/settings/production.py",
            "site/settings/production.example.py",
            "other/settings.py",
            "other/views.py",
        ] {
            let path = release.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = candidates(release.path());
        let expected = [
            "site.settings.production",
            "site.settings.base",
            "other.settings",
            "site.settings.development",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn entry_points_are_found_two_folders_down_and_not_behind_links() {
        let release = tempfile::tempdir().unwrap();
        let write = |path: &str, module: &str| {
            let path = release.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = format!("os.environ.setdefault('DJANGO_SETTINGS_MODULE', '{module}')\n");
            fs::write(path, text).unwrap();
        };
        write("a/b/wsgi.py", "deep.settings");
        write("site/asgi.py", "site.settings");
        write("site/wsgi.py", "site.settings");
        write("a/b/c/wsgi.py", "too.deep");
        write(".hidden/wsgi.py", "hidden");
        std::os::unix::fs::symlink("a/b/c", release.path().join("link")).unwrap();
        let found: Vec<_> = named_below(release.path()).into_keys().collect();
        assert_eq!(found, ["deep.settings", "site.settings"]);
    }
}
