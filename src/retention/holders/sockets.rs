//! The files of Unix sockets. A server that listens on one can be reached as long as the file is
//! there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{UnixSocket, unix_sockets};

/// The paths of sockets by their inodes, for each network namespace that was asked about.
#[derive(Default)]
pub(super) struct Sockets(HashMap<PathBuf, HashMap<u64, PathBuf>>);

impl Sockets {
    /// The sockets in the namespace of a process, which is named by its folder in /proc.
    pub(super) fn of(&mut self, proc: &Path) -> &HashMap<u64, PathBuf> {
        let namespace = fs::read_link(proc.join("ns/net")).unwrap_or_default();
        let read = || {
            let with_file = unix_sockets(proc).into_iter().filter(UnixSocket::has_file);
            with_file.map(|socket| (socket.inode, socket.path)).collect()
        };
        self.0.entry(namespace).or_insert_with(read)
    }
}
