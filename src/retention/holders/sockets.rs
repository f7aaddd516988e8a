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
        let read = || {
            let text = fs::read(proc.join("net/unix")).unwrap_or_default();
            parse(&text).into_iter().map(|Named { inode, path, .. }| (inode, path)).collect()
        };
        self.0.entry(namespace).or_insert_with(read)
    }
}

/// The paths, as they were bound, of the sockets that servers listen on.
pub(in super::super) fn listening() -> Vec<PathBuf> {
    let named = parse(&fs::read("/proc/self/net/unix").unwrap_or_default());
    named.into_iter().filter(|socket| socket.listens).map(|socket| socket.path).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Named {
    inode: u64,
    listens: bool,
    path: PathBuf,
}

/// A line has seven fields and, for a socket that has a name, the name. That of one without a file
/// begins with @. See `proc_pid_net(5)`.
fn parse(text: &[u8]) -> Vec<Named> {
    /// `__SO_ACCEPTCON`, which is written as the fourth field.
    const LISTENS: &[u8] = b"00010000";
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut rest = line;
        let mut fields = [&line[..0]; 7];
        for field in &mut fields {
            rest = rest.trim_ascii_start();
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            (*field, rest) = rest.split_at(end);
        }
        let inode = str::from_utf8(fields[6]).ok().and_then(|inode| inode.parse().ok());
        // A path may begin or end with a blank.
        if let (Some(inode), Some(path)) = (inode, rest.strip_prefix(b" "))
            && !path.is_empty()
            && !path.starts_with(b"@")
        {
            let path = OsString::from_vec(path.to_vec()).into();
            found.push(Named { inode, listens: fields[3] == LISTENS, path });
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
                     0000000000000000: 00000003 00000000 00000000 0001 03    12 run/x.sock\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 31338\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 31339 @abstract\n";
        let named = |inode, listens, path: &str| Named { inode, listens, path: path.into() };
        let expected = [named(31337, true, "/srv/a b.sock"), named(12, false, "run/x.sock")];
        assert_eq!(parse(text), expected);
    }
}
