//! An OCI layout: a folder with images, see
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor, ImageIndex, ImageIndexBuilder, MediaType};
use serde::Serialize;

use super::error;
use crate::disk;
use crate::user_error::Explain;

#[derive(Debug)]
pub(super) struct Layout {
    folder: PathBuf,
}

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

impl Layout {
    /// A layout that is there.
    pub(super) fn open(folder: &Path) -> Result<Layout> {
        if !folder.join(MARKER).is_file() || !folder.join(INDEX).is_file() {
            bail!(error::no_layout(folder));
        }
        Ok(Layout { folder: folder.to_owned() })
    }

    /// A layout that is there, or a new one in a folder that is empty or not there yet.
    pub(super) fn create(folder: &Path) -> Result<Layout> {
        let layout = Layout { folder: folder.to_owned() };
        // The marker comes first: a folder with it is ours, however far we came.
        if !folder.join(MARKER).is_file() {
            let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let is_used = entries.any(|entry| !disk::is_abandoned(&entry.file_name()));
            if is_used || folder.exists() && !folder.is_dir() {
                bail!(error::not_empty(folder));
            }
            disk::create_dir_all(folder)?;
            disk::write_atomic(&folder.join(MARKER), VERSION.as_bytes(), 0o644)?;
        }
        layout.clean()?;
        if !folder.join(INDEX).is_file() {
            let empty = ImageIndexBuilder::default().schema_version(2_u32).manifests(Vec::new());
            let empty = empty.build().context("cannot write an index")?;
            disk::write_atomic(&folder.join(INDEX), &to_json(&empty)?, 0o644)?;
        }
        Ok(layout)
    }

    /// Removes what a process that was killed has begun to write.
    fn clean(&self) -> Result<()> {
        for folder in [self.folder.clone(), self.folder.join("blobs/sha256")] {
            disk::remove_abandoned(&folder);
        }
        disk::create_dir_all(&self.folder.join("blobs/sha256"))
    }

    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest.replacen(':', "/", 1))
    }

    /// Whether a blob is there, as far as its size tells.
    pub(super) fn has(&self, digest: &str, size: u64) -> bool {
        fs::metadata(self.blob(digest)).is_ok_and(|it| it.is_file() && it.len() == size)
    }

    pub(super) fn put(&self, digest: &str, bytes: &[u8]) -> Result<()> {
        disk::write_atomic(&self.blob(digest), bytes, 0o644)
    }

    /// Puts a blob there that `fill` writes. Half of one is never there by its name.
    pub(super) fn fill(
        &self,
        digest: &str,
        fill: impl FnOnce(&mut File) -> Result<()>,
    ) -> Result<()> {
        disk::replace_file(&self.blob(digest), 0o644, fill)
    }

    pub(super) fn index(&self) -> Result<ImageIndex> {
        let path = self.folder.join(INDEX);
        let unreadable = || error::broken_layout(&path);
        let bytes = disk::read(&path)?;
        serde_json::from_slice(&bytes).explain(unreadable)
    }

    /// Gives a tag to a manifest, which is taken from what had it before.
    pub(super) fn tag(&self, tag: &str, manifest: &Descriptor) -> Result<()> {
        let mut index = self.index()?;
        let mut all = index.manifests().clone();
        all.retain(|other| tag_of(other) != Some(tag));
        let mut manifest = manifest.clone();
        manifest.set_annotations(Some(
            [(ANNOTATION_REF_NAME.to_owned(), tag.to_owned())].into_iter().collect(),
        ));
        all.push(manifest);
        index.set_manifests(all);
        index.set_media_type(Some(MediaType::ImageIndex));
        disk::write_atomic(&self.folder.join(INDEX), &to_json(&index)?, 0o644)
    }
}

/// The tag of an entry of an index.
pub(super) fn tag_of(entry: &Descriptor) -> Option<&str> {
    entry.annotations().as_ref()?.get(ANNOTATION_REF_NAME).map(String::as_str)
}

/// The JSON of a value, whose keys are sorted: `oci-spec` keeps some in maps without an order, and
/// the same image must be the same bytes.
pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(value).context("cannot write JSON")?;
    value.sort_all_objects();
    serde_json::to_vec(&value).context("cannot write JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_that_was_begun_is_made_whole() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("image");
        fs::create_dir(&folder).unwrap();
        // Of a process that was killed before anything had its name.
        fs::write(folder.join(".nyala-1-1-x"), "{").unwrap();
        for left in [&[][..], &["blobs", INDEX], &[INDEX]] {
            for name in left {
                let path = folder.join(name);
                fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).unwrap();
            }
            let layout = Layout::create(&folder).unwrap();
            assert!(layout.index().unwrap().manifests().is_empty(), "{left:?}");
            assert!(folder.join("blobs/sha256").is_dir(), "{left:?}");
        }
        fs::remove_file(folder.join(MARKER)).unwrap();
        assert!(Layout::create(&folder).is_err());
    }
}
