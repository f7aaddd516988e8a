//! What becomes of a file that names its env when that env is copied.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::names::Names;
use super::shebang;

/// What becomes of a file that names its env.
pub(super) enum Content {
    Rewritten(Vec<u8>),
    /// It is a compiled file: Python makes it again from its source.
    LeftOut {
        source: PathBuf,
    },
}

/// The new content of a file that names its env; the error says why there is none.
pub(super) fn content(names: &Names, path: &Path, bytes: &[u8]) -> Result<Content, &'static str> {
    if path.extension() == Some(OsStr::new("pyc")) {
        if names.keep_lengths() {
            return Ok(Content::Rewritten(names.rewrite(bytes)));
        }
        // Lengths are recorded in it, so it cannot be rewritten.
        return match source_of(path) {
            Some(source) => Ok(Content::LeftOut { source }),
            None => Err("it names the path of its env, and is compiled without its source"),
        };
    }
    if !bytes.contains(&0) {
        let rewritten = names.rewrite(bytes);
        return Ok(Content::Rewritten(shebang::shortened(rewritten)));
    }
    // A zip file that runs: what comes after its first line does not depend on that line.
    if let Some(end) = memchr::memchr(b'\n', bytes)
        && bytes.starts_with(b"#!")
        && !names.are_in(&bytes[end..])
    {
        let mut rewritten = names.rewrite(&bytes[..end]);
        rewritten.extend_from_slice(&bytes[end..]);
        return Ok(Content::Rewritten(rewritten));
    }
    Err("it names the path of its env, and is not a text file")
}

/// The source of a compiled file: `a.py` for `__pycache__/a.cpython-312.pyc`, and for the `a.pyc`
/// of Python 2; `None` when it is not there.
fn source_of(compiled: &Path) -> Option<PathBuf> {
    let folder = compiled.parent()?;
    let name = compiled.file_name()?.as_bytes();
    let (folder, stem) = if folder.file_name() == Some(OsStr::new("__pycache__")) {
        let end = memchr::memmem::rfind(name, b".cpython-").or(memchr::memchr(b'.', name))?;
        (folder.parent()?, &name[..end])
    } else {
        (folder, name.strip_suffix(b".pyc")?)
    };
    let source = folder.join(std::ffi::OsString::from_vec([stem, b".py".as_slice()].concat()));
    source.is_file().then_some(source)
}
