//! Readers and writers that take the digest of what passes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::error;
use crate::hex::hex;

/// A writer that takes the digest and the size of what passes.
pub(super) struct Hashed<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashed<W> {
    pub(super) fn new(inner: W) -> Hashed<W> {
        Hashed { inner, hash: Sha256::new(), size: 0 }
    }

    pub(super) fn finish(self) -> (W, String, u64) {
        (self.inner, format!("sha256:{}", hex(&self.hash.finalize())), self.size)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A blob in a folder, which has to be what its digest says.
pub(super) struct Checked {
    path: PathBuf,
    file: File,
    hash: Sha256,
    digest: String,
}

impl Checked {
    pub(super) fn open(path: &Path, digest: &str) -> Result<Checked> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (path, digest) = (path.to_owned(), digest.to_owned());
        Ok(Checked { path, file, hash: Sha256::new(), digest })
    }

    /// Reads what is left, and compares.
    pub(super) fn finish(mut self) -> Result<()> {
        let path = self.path.clone();
        io::copy(&mut self, &mut io::sink())
            .with_context(|| format!("cannot read {}", path.display()))?;
        let found = format!("sha256:{}", hex(&self.hash.finalize()));
        if found != self.digest {
            bail!(error::wrong_blob(&path, &found));
        }
        Ok(())
    }
}

impl Read for Checked {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(to)?;
        self.hash.update(&to[..read]);
        Ok(read)
    }
}
