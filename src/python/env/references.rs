//! Looks at what an installer or a command of the project has put into an env: what leads from it
//! to a release, and what it shares with files elsewhere.
//!
//! An editable install is code in a release that an env leads to. When another release uses that
//! env, it runs the old one's code, and fails when the old one is removed.

use std::ffi::OsString;
use std::fs;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use memchr::memmem;

use super::names::spellings;
use super::record::normal;
use super::site_packages;
use crate::disk;

/// The folders of a site that an env may lead to.
#[derive(Debug)]
pub struct Folders<'a> {
    /// The release that the env is made for.
    pub release: &'a Path,
    /// What all releases are in.
    pub releases: &'a Path,
    /// The link to the live release.
    pub wwwroot: &'a Path,
}

/// Files of an env that lead to a release, as `FILE names PATH`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct References {
    /// To the release that the env is made for.
    pub own: Vec<String>,
    /// To another release, to whichever is live, or to another env.
    pub foreign: Vec<String>,
}

/// Finds what in an env leads to a release.
pub fn find(env: &Path, folders: &Folders<'_>) -> Result<References> {
    let releases = places(folders.releases);
    let envs = env.parent().map(places).unwrap_or_default();
    let mut references = References::default();
    for path in candidates(env)? {
        let Some(bytes) = content(&path)? else { continue };
        let mut named = Vec::new();
        for (places, folder) in [(&releases, Some(folders.releases)), (&envs, env.parent())] {
            let numbers = places.iter().flat_map(|place| numbers_in(&bytes, place));
            named.extend(numbers.filter_map(|number| Some(folder?.join(number))));
        }
        named.extend(written(&bytes, folders.wwwroot).then(|| folders.wwwroot.to_owned()));
        if path.extension().is_some_and(|extension| extension == "pth") {
            let from = places(path.parent().unwrap_or(&path)).into_iter();
            let numbers = from.flat_map(|folder| relative(&bytes, &folder, &releases));
            named.extend(numbers.map(|number| folders.releases.join(number)));
        }
        named.sort();
        named.dedup();
        for named in named.iter().filter(|named| *named != env) {
            let file = path.strip_prefix(env).unwrap_or(&path).display();
            let reference = format!("{file} names {}", named.display());
            if named == folders.release { &mut references.own } else { &mut references.foreign }
                .push(reference);
        }
    }
    Ok(references)
}

/// Gives every file of an env an inode of its own. uv links files to its cache when a command of
/// the project runs it with `--link-mode`.
pub fn unshare(env: &Path) -> Result<()> {
    let reading = || format!("cannot read {}", env.display());
    for entry in fs::read_dir(env).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let (path, kind) = (entry.path(), entry.file_type().with_context(reading)?);
        if kind.is_dir() {
            unshare(&path)?;
        } else if kind.is_file() && entry.metadata().with_context(reading)?.nlink() > 1 {
            disk::unshare(&path)?;
        } else if kind.is_symlink()
            && let Ok(target) = fs::read_link(&path)
            && is_in_uvs_cache(&target)
            && target.is_file()
        {
            disk::remove_file(&path)?;
            disk::copy_file(&target, &path)?;
        }
    }
    Ok(())
}

/// Whether a link leads to an unpacked wheel, as `--link-mode symlink` makes them.
fn is_in_uvs_cache(target: &Path) -> bool {
    target.is_absolute()
        && target.components().any(|component| {
            matches!(component, Component::Normal(name)
                if name.as_bytes().starts_with(b"archive-v"))
        })
}

/// The files by which an env leads elsewhere: those that Python reads when it starts, the finders
/// that they import, what installers say about an editable install, and scripts.
fn candidates(env: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let packages = site_packages(env);
    for folder in packages.iter().cloned().chain([env.join("bin")]) {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let (name, path) = (entry.file_name(), entry.path());
            let kind =
                entry.file_type().with_context(|| format!("cannot read {}", path.display()))?;
            let name = name.as_bytes();
            let is_script = Some(&folder) != packages.as_ref();
            if kind.is_dir() {
                found.extend(
                    [path.join("direct_url.json")]
                        .into_iter()
                        .filter(|file| name.ends_with(b".dist-info") && is_editable(file)),
                );
            } else if is_script
                || kind.is_symlink()
                || [b".pth".as_slice(), b".egg-link", b".py"].iter().any(|end| name.ends_with(end))
            {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether a package is used where its source lies. For any other one, the file only says where it
/// was built from.
pub(super) fn is_editable(direct_url: &Path) -> bool {
    let url = fs::read(direct_url).ok();
    let url: Option<serde_json::Value> = url.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    url.is_some_and(|url| url["dir_info"]["editable"] == true)
}

/// The content of a file that is not large, or what a link leads to.
fn content(path: &Path) -> Result<Option<Vec<u8>>> {
    const LARGEST: u64 = 1 << 20;
    let reading = || format!("cannot read {}", path.display());
    let metadata = fs::symlink_metadata(path).with_context(reading)?;
    if metadata.is_symlink() {
        let target = fs::read_link(path).with_context(reading)?;
        return Ok(Some(target.into_os_string().into_encoded_bytes()));
    }
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Ok(None);
    }
    fs::read(path).with_context(reading).map(Some)
}

/// The ways to a folder, which may be a link. A process is told the path of the folder that it runs
/// in without any links.
fn places(folder: &Path) -> Vec<PathBuf> {
    let canonical = folder.canonicalize().ok().filter(|canonical| canonical != folder);
    iter::once(folder.to_owned()).chain(canonical).collect()
}

/// The numbers of the folders in `folder` that a text names.
fn numbers_in(text: &[u8], folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for mut way in spellings(folder.as_os_str().as_bytes()) {
        way.push(b'/');
        for at in memmem::find_iter(text, &way) {
            let rest = &text[at + way.len()..];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = str::from_utf8(&rest[..digits]).unwrap_or_default();
            // `envs/5x` is no env of nyala's.
            if digits > 0 && !rest.get(digits).is_some_and(u8::is_ascii_alphanumeric) {
                found.push(number.to_owned());
            }
        }
    }
    found
}

/// Whether a text names a path.
fn written(text: &[u8], path: &Path) -> bool {
    spellings(path.as_os_str().as_bytes()).iter().any(|way| {
        memmem::find_iter(text, way)
            .any(|at| !text.get(at + way.len()).is_some_and(u8::is_ascii_alphanumeric))
    })
}

/// The numbers of the releases that the lines of a `.pth` file name relative to its `folder`.
fn relative(text: &[u8], folder: &Path, releases: &[PathBuf]) -> Vec<OsString> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("../"));
    lines
        .filter_map(|line| {
            let path = normal(&folder.join(line));
            let within = releases.iter().find_map(|it| path.strip_prefix(it).ok())?;
            Some(within.components().next()?.as_os_str().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Site(tempfile::TempDir);

    impl Site {
        fn new() -> Site {
            let site = Site(tempfile::tempdir().unwrap());
            for folder in ["lib/python3.12/site-packages", "bin"] {
                fs::create_dir_all(site.env().join(folder)).unwrap();
            }
            site
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn env(&self) -> PathBuf {
            self.path("envs/7")
        }

        /// Writes a file of the env, with the site's path in place of SITE.
        fn write(&self, name: &str, text: &str) {
            let path = self.env().join(name.replace("SP/", "lib/python3.12/site-packages/"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("SITE", self.0.path().to_str().unwrap())).unwrap();
        }

        /// How many lead to its own release, and to others.
        fn references(&self) -> (usize, usize) {
            let folders = Folders {
                release: &self.path("releases/7"),
                releases: &self.path("releases"),
                wwwroot: &self.path("wwwroot"),
            };
            let References { own, foreign } = find(&self.env(), &folders).unwrap();
            (own.len(), foreign.len())
        }
    }

    #[test]
    fn every_way_to_lead_to_a_release_is_found() {
        let spellings = [
            ("SP/x.pth", "SITE/releases/@/src\n"),
            ("SP/_editable_impl_x.pth", "import sys; sys.path.append('SITE/releases/@')\n"),
            ("SP/relative.pth", "../../../../../releases/@/src\n"),
            ("SP/__editable___x_finder.py", "MAPPING = {'x': 'SITE/releases/@/x'}\n"),
            ("SP/x.egg-link", "SITE/releases/@\n."),
            (
                "SP/x-1.dist-info/direct_url.json",
                "{\"dir_info\": {\"editable\": true}, \"url\": \"file://SITE/releases/@\"}",
            ),
            ("bin/x", "#!/bin/sh\nexec SITE/releases/@/x\n"),
        ];
        for (name, text) in spellings {
            let site = Site::new();
            site.write(name, &text.replace('@', "7"));
            assert_eq!(site.references(), (1, 0), "{name}");
            site.write(name, &text.replace('@', "6"));
            assert_eq!(site.references(), (0, 1), "{name}");
        }
        let site = Site::new();
        let link = site.env().join("lib/python3.12/site-packages/x");
        std::os::unix::fs::symlink(site.path("releases/6/x"), link).unwrap();
        assert_eq!(site.references(), (0, 1));
    }

    #[test]
    fn other_envs_and_what_is_live_are_foreign() {
        let site = Site::new();
        site.write("bin/a", "#!SITE/envs/7/bin/python\n");
        assert_eq!(site.references(), (0, 0));
        site.write("bin/b", "#!SITE/envs/71/bin/python\n");
        site.write("SP/c.pth", "SITE/wwwroot\n");
        assert_eq!(site.references(), (0, 2));
    }

    #[test]
    fn the_folder_of_the_releases_may_be_a_link() {
        let site = Site::new();
        fs::create_dir_all(site.path("disk/6")).unwrap();
        std::os::unix::fs::symlink("disk", site.path("releases")).unwrap();
        let disk = site.path("disk").canonicalize().unwrap();
        site.write("SP/x.pth", &format!("{}/7/src\n", disk.display()));
        site.write("SP/y.pth", "../../../../../disk/6\n");
        assert_eq!(site.references(), (1, 1));
    }

    #[test]
    fn where_an_ordinary_package_was_built_is_no_tie() {
        let site = Site::new();
        site.write(
            "SP/x-1.dist-info/direct_url.json",
            "{\"dir_info\": {}, \"url\": \"file://SITE/releases/7/x\"}",
        );
        assert_eq!(site.references(), (0, 0));
    }

    #[test]
    fn a_file_with_another_name_gets_an_inode_of_its_own() {
        let site = Site::new();
        site.write("SP/x.py", "1");
        let (file, other) =
            (site.env().join("lib/python3.12/site-packages/x.py"), site.path("cache"));
        fs::hard_link(&file, &other).unwrap();
        unshare(&site.env()).unwrap();
        fs::write(&file, "2").unwrap();
        assert_eq!(fs::read_to_string(other).unwrap(), "1");
    }
}
