//! The layers over the base: each is written only when it is needed, and known by its digest
//! otherwise.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use oci_spec::image::{Descriptor, MediaType};

use super::cache::Cache;
use super::error;
use super::fingerprint::fingerprint;
use super::layer::{self, Part, Written};
use super::secrets::Secrets;
use crate::disk;

/// A layer over the base.
pub(super) struct OwnLayer<'l> {
    /// `env`, `release`, …
    pub(super) what: &'static str,
    parts: Vec<Part<'l>>,
    time: u64,
    secrets: &'l Secrets,
    pub(super) written: Written,
    /// Where it is known from, and by which name.
    cache: &'l Cache,
    name: String,
    /// The folder for its file, and the file once it is there.
    temporary: &'l Path,
    file: Option<PathBuf>,
}

impl<'l> OwnLayer<'l> {
    /// Finds out what a layer is, by writing it where that is not known.
    pub(super) fn new(
        what: &'static str,
        parts: Vec<Part<'l>>,
        time: u64,
        secrets: &'l Secrets,
        more: &[&[u8]],
        cache: &'l Cache,
        temporary: &'l Path,
    ) -> Result<OwnLayer<'l>> {
        let seconds = time.to_le_bytes();
        let mut decides: Vec<&[u8]> = vec![&seconds];
        decides.extend(secrets.values());
        decides.extend(more);
        let name = format!("layer-{}", fingerprint(&parts, &decides)?);
        let known: Option<Written> = cache.get(&name);
        let (written, file) = if let Some(written) = known {
            (written, None)
        } else {
            let (written, path) = write(what, &parts, time, secrets, temporary)?;
            cache.put(&name, &written)?;
            (written, Some(path))
        };
        Ok(OwnLayer { what, parts, time, secrets, written, cache, name, temporary, file })
    }

    /// The file with the layer, which is written when it was not yet.
    pub(super) fn file(&mut self) -> Result<&Path> {
        if self.file.is_none() {
            let (again, path) =
                write(self.what, &self.parts, self.time, self.secrets, self.temporary)?;
            if again.digest != self.written.digest {
                self.cache.forget(&self.name)?;
                bail!(error::changed_meanwhile(self.what));
            }
            self.file = Some(path);
        }
        self.file.as_deref().context("a layer was not written")
    }

    pub(super) fn descriptor(&self) -> Result<Descriptor> {
        let digest: oci_spec::image::Digest =
            self.written.digest.parse().context("this is not a digest")?;
        Ok(Descriptor::new(MediaType::ImageLayerGzip, self.written.size, digest))
    }
}

fn write(
    what: &str,
    parts: &[Part<'_>],
    time: u64,
    secrets: &Secrets,
    temporary: &Path,
) -> Result<(Written, PathBuf)> {
    let path = temporary.join(what);
    let mut file = disk::create_file(&path, 0o600)?;
    let written = layer::write(parts, time, secrets, &mut file)?;
    Ok((written, path))
}
