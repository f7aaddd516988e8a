//! Whether a file in a repository is one that git writes there in a push.
//!
//! It decides what root may give to the owner of a repository although nobody else can read it. The
//! owner may have moved any file of root's there that is in a folder of his; so the content has to
//! be git's, and not the name alone. The formats: gitformat-pack(5), gitformat-loose(5) and
//! gitformat-commit-graph(5), gitrepository-layout(5), reftable(5) of git's documentation.

use std::ffi::OsStr;
use std::path::Path;

/// How many bytes of the beginning of a file are asked for: enough for a line of a reflog.
pub(super) const START: usize = 4096;

/// `path` is the one in the repository, `start` are the first [`START`] bytes of the file, and
/// `moves` is what git tells its hooks of the refs that a push has moved: githooks(5).
pub(super) fn is_of_git(path: &Path, start: &[u8], moves: &[u8]) -> bool {
    let mut names = path.iter().map(OsStr::as_encoded_bytes);
    match (names.next(), names.next()) {
        (Some(b"objects"), Some(b"pack" | b"info")) => is_index(start),
        (Some(b"objects"), Some(folder)) => folder.len() == 2 && is_compressed(start),
        (Some(b"refs"), Some(_)) => is_ref(start, moves),
        (Some(b"HEAD"), None) => start.starts_with(b"ref: refs/"),
        (Some(b"packed-refs"), None) => start.starts_with(b"# pack-refs with:"),
        (Some(b"logs"), Some(_)) => lines(start).all(is_of_reflog),
        (Some(b"reftable"), Some(b"tables.list")) => lines(start).all(|it| it.ends_with(b".ref")),
        (Some(b"reftable"), Some(_)) => start.starts_with(b"REFT"),
        _ => false,
    }
}

/// Many secrets look like the id of an object, so it has to be one that was pushed.
fn is_ref(start: &[u8], moves: &[u8]) -> bool {
    let id = start.trim_ascii_end();
    object_id(id) == Some(b"") && moves.split(u8::is_ascii_whitespace).any(|word| word == id)
}

/// A pack, and what belongs to one.
fn is_index(start: &[u8]) -> bool {
    const MAGIC: [&[u8]; 7] = [b"PACK", b"\xfftOc", b"RIDX", b"BITM", b"MIDX", b"CGPH", b"MTME"];
    MAGIC.iter().any(|magic| start.starts_with(magic))
}

/// The header of zlib, RFC 1950: deflate, and a check of the two bytes.
fn is_compressed(start: &[u8]) -> bool {
    matches!(*start, [method, flags, ..]
        if method == 0x78 && (u16::from(method) << 8 | u16::from(flags)).is_multiple_of(31))
}

/// `OLD NEW NAME <EMAIL> SECONDS ZONE`, a tab and a message.
fn is_of_reflog(line: &[u8]) -> bool {
    let after = object_id(line).and_then(|rest| rest.strip_prefix(b" ")).and_then(object_id);
    after.is_some_and(|rest| rest.starts_with(b" "))
}

/// What comes after the object id that a line begins with.
fn object_id(line: &[u8]) -> Option<&[u8]> {
    let digits = line.iter().take_while(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f')).count();
    matches!(digits, 40 | 64).then(|| &line[digits..])
}

/// The whole lines of the beginning of a file; one, which is empty, of a file without any.
fn lines(start: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = start.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    start[..end].split(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5f0c6d1c9a4b0f0d7a1e3e2f6d8c4b2a19283746";

    fn is(path: &str, start: impl AsRef<[u8]>) -> bool {
        let moves = format!("{ID} {ID}{} refs/heads/a\n", &ID[..24]);
        is_of_git(Path::new(path), start.as_ref(), moves.as_bytes())
    }

    #[test]
    fn what_git_writes_is_gits() {
        let log = format!("{ID} {ID} A <a@example.org> 1 +0000\tpush\n");
        assert!(is(&format!("objects/5f/{}", &ID[2..]), b"\x78\x01\x2b"));
        assert!(is("objects/pack/pack-1.pack", "PACK\0\0\0\x02"));
        assert!(is("objects/pack/pack-1.idx", b"\xfftOc\0\0"));
        assert!(is("refs/heads/main", format!("{ID}\n")));
        assert!(is("refs/heads/a/b", format!("{ID}{}\n", &ID[..24])));
        assert!(is("HEAD", "ref: refs/heads/main\n"));
        assert!(is("packed-refs", "# pack-refs with: peeled fully-peeled sorted \n"));
        assert!(is("logs/refs/heads/main", &log));
        assert!(is("logs/HEAD", log.repeat(2)));
        assert!(is("reftable/0x1-0x2-a.ref", "REFT\x01"));
    }

    #[test]
    fn what_somebody_moved_there_is_not() {
        for path in ["objects/5f/secret", "objects/pack/a", "refs/heads/a", "logs/HEAD", "HEAD"] {
            for text in ["", "hunter2", "hunter2\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n"] {
                assert!(!is(path, text), "{path}: {text}");
            }
        }
        assert!(!is("config", format!("{ID}\n")));
        assert!(!is("refs/heads/a", format!("{ID}\nhunter2\n")));
        assert!(!is("refs/heads/a", format!("{ID} hunter2\n")));
        // As `openssl rand -hex 20` prints it.
        assert!(!is("refs/heads/a", format!("{}\n", ID.replace('5', "6"))));
        assert!(!is("x/PACK", "PACK"));
    }
}
