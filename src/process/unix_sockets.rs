//! The Unix sockets that have a name, as /proc knows them: `proc_pid_net(5)`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A socket with a name.
#[derive(Debug, PartialEq, Eq)]
pub struct UnixSocket {
    pub inode: u64,
    /// Whether a server listens on it.
    pub listens: bool,
    /// As it was bound; with @ before it, where it has no file.
    pub path: PathBuf,
}

impl UnixSocket {
    pub fn has_file(&self) -> bool {
        !self.path.as_os_str().as_bytes().starts_with(b"@")
    }
}

/// The sockets in the network namespace of a process, which is named by its folder in /proc; none
/// where that cannot be seen.
pub fn unix_sockets(proc: &Path) -> Vec<UnixSocket> {
    parse(&fs::read(proc.join("net/unix")).unwrap_or_default())
}

/// A line has seven fields and, for a socket that has a name, the name.
fn parse(text: &[u8]) -> Vec<UnixSocket> {
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
        {
            let path = OsString::from_vec(path.to_vec()).into();
            found.push(UnixSocket { inode, listens: fields[3] == LISTENS, path });
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
        let named = |inode, listens, path: &str| UnixSocket { inode, listens, path: path.into() };
        let expected = [named(31337, true, "/srv/a b.sock"), named(12, false, "run/x.sock")];
        let (with_file, others): (Vec<_>, Vec<_>) =
            parse(text).into_iter().partition(UnixSocket::has_file);
        assert_eq!(with_file, expected);
        assert_eq!(others, [named(31339, true, "@abstract")]);
    }
}
