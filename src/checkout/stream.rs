//! Blobs that are too large to be held in memory.
//!
//! libgit2 reads a packed object as a whole. git itself writes it piece by piece, so a child of it
//! is read from.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, bail};
use git2::Oid;

use super::error::unreadable;
use crate::git::git;

/// Lets `act` read a blob. Fails when git has not read all of it.
pub(super) fn blob<T>(
    repository: &Path,
    id: Oid,
    act: impl FnOnce(&mut dyn Read) -> Result<T>,
) -> Result<T> {
    let mut command = git(repository);
    command
        // What is larger is streamed from its pack (git-config(1)).
        .args(["-c", "core.bigFileThreshold=1m", "cat-file", "blob", &id.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().context("git could not be started")?;
    let mut child = Ended(child);
    let mut output = child.0.stdout.take().context("git cat-file has no output")?;
    let done = act(&mut output)?;
    drop(output);
    let mut complaint = String::new();
    if let Some(stderr) = &mut child.0.stderr {
        let _ = stderr.read_to_string(&mut complaint);
    }
    let status = child.0.wait().context("git cat-file was lost")?;
    if !status.success() {
        bail!(unreadable(&format!("the blob {id}")).labelled("output", complaint.trim()));
    }
    Ok(done)
}

/// A child that does not outlive a failure of who reads from it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What becomes of the bytes on their way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streamed {
    pub(super) has_crlf: bool,
}

impl Streamed {
    pub(super) fn read(self, from: &mut dyn Read) -> impl Read {
        let follows_cr = false;
        Converted { from, has_crlf: self.has_crlf, follows_cr, ready: Vec::new(), given: 0 }
    }
}

struct Converted<'a> {
    from: &'a mut dyn Read,
    has_crlf: bool,
    /// Whether the last byte that was read is a CR.
    follows_cr: bool,
    ready: Vec<u8>,
    given: usize,
}

/// How much is read at a time, in bytes.
const PIECE: usize = 256 << 10;

impl Read for Converted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.has_crlf {
            return self.from.read(into);
        }
        if self.given == self.ready.len() {
            let mut piece = vec![0; PIECE];
            let count = self.from.read(&mut piece)?;
            self.ready.clear();
            self.given = 0;
            for &byte in &piece[..count] {
                if byte == b'\n' && !self.follows_cr {
                    self.ready.push(b'\r');
                }
                self.ready.push(byte);
                self.follows_cr = byte == b'\r';
            }
        }
        let count = into.len().min(self.ready.len() - self.given);
        into[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let (first, rest) = self.0.split_at(self.0.len().min(1));
            into[..first.len()].copy_from_slice(first);
            self.0 = rest;
            Ok(first.len())
        }
    }

    #[test]
    fn line_endings_are_converted_across_pieces() {
        let converted = |bytes: &[u8], has_crlf| {
            let mut all = Vec::new();
            Streamed { has_crlf }.read(&mut Slow(bytes)).read_to_end(&mut all).unwrap();
            all
        };
        assert_eq!(converted(b"a\nb\r\nc\rd\n\ne", true), b"a\r\nb\r\nc\rd\r\n\r\ne");
        assert_eq!(converted(b"a\nb", false), b"a\nb");
    }
}
