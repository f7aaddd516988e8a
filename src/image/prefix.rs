//! What becomes of the entries of folders of this machine that are carried along: an interpreter.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;

use super::layer::{Link, Rules};
use super::rules::is_cache;
use crate::python::env::normal;

/// The rules of an interpreter that is carried along.
pub(super) struct PrefixRules<'r> {
    /// The folder, and where it is in the image, with a slash before it.
    pub(super) folder: &'r Path,
    pub(super) to: String,
    /// Whether it has nothing but the standard library in it.
    pub(super) is_stdlib: bool,
    /// Whether its own packages are used by the env.
    pub(super) with_packages: bool,
}

impl Rules for PrefixRules<'_> {
    fn skips(&self, path: &Path, metadata: &Metadata) -> bool {
        let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        let in_stdlib = folder.as_bytes().starts_with(b"python")
            || self.is_stdlib && path.components().count() == 1;
        // Nothing runs these: caches, static libraries, and Python's own tests.
        if metadata.is_dir() {
            is_cache(path)
                || in_stdlib && (name == b"test" || name.starts_with(b"config-"))
                || in_stdlib && name == b"site-packages" && !self.with_packages
        } else {
            name.ends_with(b".a")
        }
    }

    fn link(&self, path: &Path, target: &Path) -> Result<Link> {
        let from = self.folder.join(path);
        let leads_to = normal(&from.parent().unwrap_or(&from).join(target));
        Ok(match leads_to.strip_prefix(self.folder) {
            Ok(_) if target.is_relative() => Link::To(target.to_owned()),
            Ok(rest) => Link::To(Path::new(&self.to).join(rest)),
            // Distributions keep single files of Python elsewhere, such as sitecustomize.py.
            Err(_) if from.is_file() => Link::File(from),
            Err(_) => Link::Nothing,
        })
    }

    fn content(&self, _: &Path, _: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}
