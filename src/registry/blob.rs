//! Blobs that are fetched: read as a stream, which goes on where a connection broke, and checked
//! against their digest at the end.

use std::io::{self, Read};

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use ureq::http::Method;

use super::error;
use super::http::{Answer, Registry, Tries, may_pass};
use crate::hex::hex;
use crate::user_error::UserError;

/// A blob that is being read. [`Blob::failure`] says why it could not be read to its end.
pub struct Blob<'r> {
    registry: &'r Registry,
    digest: String,
    what: String,
    size: u64,
    at: u64,
    /// Where it was read from the start, all of it so far.
    hash: Option<Sha256>,
    body: Option<Box<dyn Read + 'r>>,
    /// How often nothing came in a row.
    failed: u32,
    failure: Option<UserError>,
}

impl Registry {
    /// Whether the repository has a blob.
    pub fn has_blob(&self, digest: &str) -> Result<bool> {
        let ask = |method: Method| {
            self.call(&super::http::Call {
                method,
                url: self.url(&format!("blobs/{digest}")),
                headers: Vec::new(),
                body: &[],
                what: &format!("the question for {digest}"),
            })
        };
        let mut answer = ask(Method::HEAD)?;
        // Some, or the stores that they send on to, know no HEAD. What GET gives is not read.
        if !matches!(answer.status().as_u16(), 200 | 404) {
            answer = ask(Method::GET)?;
        }
        match answer.status().as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            _ => {
                let repository = &self.reference().repository;
                Err(self.refusal(answer, &format!("look into {repository}")))
            }
        }
    }

    /// Reads a blob from a place on. Only one that is read from its start is checked.
    pub fn blob(&self, digest: &str, size: u64, from: u64) -> Blob<'_> {
        Blob {
            registry: self,
            digest: digest.to_owned(),
            what: format!("the download of {digest}"),
            size,
            at: from,
            hash: (from == 0).then(Sha256::new),
            body: None,
            failed: 0,
            failure: None,
        }
    }

    /// A blob that is small enough to be kept in memory.
    pub fn small_blob(&self, digest: &str, size: u64) -> Result<Vec<u8>> {
        const LARGEST: u64 = 8 << 20;
        if size > LARGEST {
            let found = format!("{size} bytes");
            bail!(error::garbage(self.name(), "a configuration", &found));
        }
        let mut bytes = Vec::new();
        let mut blob = self.blob(digest, size, 0);
        match blob.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(blob.failure(error)),
        }
    }
}

impl Blob<'_> {
    /// Why reading failed with this error.
    pub fn failure(&mut self, error: io::Error) -> anyhow::Error {
        self.failure.take().map_or_else(|| error.into(), Into::into)
    }

    fn open(&mut self) -> Result<()> {
        let url = self.registry.url(&format!("blobs/{}", self.digest));
        let range = (self.at > 0).then(|| ("range", format!("bytes={}-", self.at)));
        let headers: Vec<_> = range.into_iter().collect();
        let mut tries = Tries::new(self.registry.name(), &self.what);
        let mut has_logged_in = false;
        loop {
            let answer = match self.registry.get(&url, &headers) {
                Ok(answer) => answer,
                Err(cause) => {
                    self.registry.lost(&cause, &mut tries)?;
                    continue;
                }
            };
            match answer.status().as_u16() {
                status @ (200 | 206) => {
                    // One that knows no ranges begins again.
                    let whole = if status == 200 { 0 } else { self.at };
                    let start = first_byte(&answer).unwrap_or(whole);
                    let Some(more) = self.at.checked_sub(start) else {
                        tries.failed("sent another part than was asked for", None)?;
                        continue;
                    };
                    let mut body = answer.into_body().into_reader();
                    let skipped = io::copy(&mut body.by_ref().take(more), &mut io::sink());
                    if skipped.is_ok_and(|skipped| skipped == more) {
                        self.body = Some(Box::new(body));
                    } else {
                        tries.failed("broke off", None)?;
                        continue;
                    }
                }
                401 => {
                    self.registry.log_in(&answer, &mut has_logged_in)?;
                    continue;
                }
                status if may_pass(status) => {
                    tries.failed(&format!("answered {status}"), Some(&answer))?;
                    continue;
                }
                404 => {
                    let name = format!("{}@{}", self.registry.reference().name(), self.digest);
                    bail!(error::no_image(&name, "the registry has lost a part of it"));
                }
                _ => {
                    let repository = &self.registry.reference().repository;
                    return Err(self.registry.refusal(answer, &format!("pull from {repository}")));
                }
            }
            return Ok(());
        }
    }

    fn next(&mut self, to: &mut [u8]) -> Result<usize> {
        loop {
            if self.at == self.size {
                return self.check().map(|()| 0);
            }
            if self.body.is_none() {
                self.open()?;
            }
            let Some(body) = &mut self.body else { continue };
            let wanted = usize::try_from(self.size - self.at).unwrap_or(to.len()).min(to.len());
            match body.read(&mut to[..wanted]) {
                Ok(read) if read > 0 => {
                    self.failed = 0;
                    self.at += read as u64;
                    if let Some(hash) = &mut self.hash {
                        hash.update(&to[..read]);
                    }
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => {
                    self.body = None;
                    self.failed += 1;
                    if self.failed >= super::http::TRIES {
                        bail!(error::gave_up(
                            self.registry.name(),
                            &self.what,
                            "broke off",
                            self.failed
                        ));
                    }
                }
            }
        }
    }

    fn check(&mut self) -> Result<()> {
        let Some(hash) = self.hash.take() else { return Ok(()) };
        let found = format!("sha256:{}", hex(&hash.finalize()));
        if found != self.digest {
            let name = self.registry.name();
            bail!(error::wrong_digest(name, "blob", &self.digest, &found));
        }
        Ok(())
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        if let Some(failure) = &self.failure {
            return Err(io::Error::other(failure.clone()));
        }
        self.next(to).map_err(|failure| {
            let failure = UserError::of(&failure);
            self.failure = Some(failure.clone());
            io::Error::other(failure)
        })
    }
}

/// The first byte of a part, by its header `Content-Range`: 7 of `bytes 7-99/100`.
fn first_byte(answer: &Answer) -> Option<u64> {
    let range = answer.headers().get("content-range")?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.trim().split('-').next()?.trim().parse().ok()
}
