//! The files of Unix sockets. A server that listens on one can be reached as long as the file is
//! there.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The paths of sockets by their inodes, for each network namespace that was asked about.
#[derive(Default)]
pub(super) struct Sockets(HashMap<PathBuf, HashMap<u64, PathBuf>>);

impl Sockets {
    /// The sockets in the namespace of a process, which is named by its folder in /proc.
    pub(super) fn of(&mut self, proc: &Path) -> &HashMap<u64, PathBuf> {
        let namespace = fs::read_link(proc.join("ns/net")).unwrap_or_default();
        let read = || parse(&fs::read(proc.join("net/unix")).unwrap_or_default());
        self.0.entry(namespace).or_insert_with(read)
    }
}

/// A line has seven fields and, for a socket that has a name, the name. That of one without a file
/// begins with @. See `proc_pid_net(5)`.
fn parse(text: &[u8]) -> HashMap<u64, PathBuf> {
    let mut found = HashMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut rest = line;
        let mut inode = &line[..0];
        for _ in 0..7 {
            rest = rest.trim_ascii_start();
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            (inode, rest) = rest.split_at(end);
        }
        let inode = str::from_utf8(inode).ok().and_then(|inode| inode.parse().ok());
        // A path may begin or end with a blank.
        if let (Some(inode), Some(path)) = (inode, rest.strip_prefix(b" "))
            && !path.is_empty()
            && !path.starts_with(b"@")
        {
            found.insert(inode, OsString::from_vec(path.to_vec()).into());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_with_a_file_are_known() {
        let text = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 31337 /srv/a b.sock\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01    12 run/x.sock\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 31338\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 31339 @abstract\n";
        let expected = [(31337, "/srv/a b.sock".into()), (12, "run/x.sock".into())];
        assert_eq!(parse(text), HashMap::from(expected));
    }
}
