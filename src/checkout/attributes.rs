//! Which conversion the `.gitattributes` of a tree ask for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use git2::{Odb, Oid};
use gix_attributes::glob::pattern::Case;
use gix_attributes::search::{MetadataCollection, Outcome};
use gix_attributes::{Search, StateRef};

use super::convert::{Conversion, LineEndings, Text};
use super::encoding::Encoding;
use super::error::{no_encoding, too_many_attributes};
use super::name::shown;
use super::objects;

/// git ignores files and lines that are longer (`ATTR_MAX_FILE_SIZE` and `ATTR_MAX_LINE_LENGTH` in
/// its attr.h).
const LONGEST_FILE: usize = 100 * 1024 * 1024;
const LONGEST_LINE: usize = 2048;

/// Each line takes hundreds of bytes of memory, in each thread.
const MOST_LINES: usize = 100_000;

/// The one filter that is run, elsewhere.
const LFS: &str = "lfs";

/// In the order in which [`Files::states`] gives them.
const NAMES: [&str; 6] = ["text", "crlf", "eol", "ident", "working-tree-encoding", "filter"];

/// The `.gitattributes` that hold in a folder: its own, and those of the folders above. `None`
/// where there are none, which costs nothing.
pub(super) type Inherited = Option<Arc<Node>>;

/// One `.gitattributes` of a tree, read when a file asks for it first.
#[derive(Debug)]
pub(super) struct Node {
    above: Inherited,
    path: Vec<u8>,
    blob: Oid,
}

impl Node {
    /// Adds the file at `path` of the tree to those that hold above it.
    pub(super) fn below(above: Inherited, path: Vec<u8>, blob: Oid) -> Arc<Node> {
        Arc::new(Node { above, path, blob })
    }
}

/// Answers which conversion a file gets. Each thread has one of its own.
#[derive(Default)]
pub(super) struct Attributes {
    files: Option<Files>,
}

struct Files {
    search: Search,
    names: MetadataCollection,
    outcome: Outcome,
    /// What has been read, the topmost first.
    read: Vec<Arc<Node>>,
}

impl Attributes {
    /// The conversion for the file at `path` of the tree, which is asked for only where there are
    /// attributes. Fails when it is one that we do not have.
    pub(super) fn conversion(
        &mut self,
        odb: &Odb,
        inherited: &Inherited,
        path: impl FnOnce() -> Vec<u8>,
    ) -> Result<Conversion> {
        let Some(lowest) = inherited else {
            return Ok(Conversion::default());
        };
        let path = path();
        let files = self.read_up_to(odb, lowest)?;
        files.conversion(&path).with_context(|| format!("cannot convert the file {}", shown(&path)))
    }

    /// The name of the filter that the file at `path` of the tree is given to, such as `lfs`.
    pub(super) fn filter(
        &mut self,
        odb: &Odb,
        inherited: &Inherited,
        path: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let Some(lowest) = inherited else { return Ok(None) };
        let states = self.read_up_to(odb, lowest)?.states(path);
        let [.., filter] = states.unwrap_or([StateRef::Unspecified; NAMES.len()]);
        Ok(match filter {
            StateRef::Value(name) => Some(name.as_bstr().to_vec()),
            StateRef::Set | StateRef::Unset | StateRef::Unspecified => None,
        })
    }

    fn read_up_to(&mut self, odb: &Odb, lowest: &Arc<Node>) -> Result<&mut Files> {
        let files = match &mut self.files {
            Some(files) => files,
            none => none.insert(Files::new()?),
        };
        files.read_up_to(odb, lowest)?;
        Ok(files)
    }
}

impl Files {
    fn new() -> Result<Files> {
        let mut names = MetadataCollection::default();
        let no_files: [PathBuf; 0] = [];
        let search = Search::new_globals(no_files, &mut Vec::new(), &mut names)
            .context("cannot prepare git's own attributes")?;
        Ok(Files { search, names, outcome: Outcome::default(), read: Vec::new() })
    }

    /// Makes what has been read the files that hold at `node`, no more and no less.
    fn read_up_to(&mut self, odb: &Odb, node: &Arc<Node>) -> Result<()> {
        if self.read.last().is_some_and(|last| Arc::ptr_eq(last, node)) {
            return Ok(());
        }
        let mut wanted = Vec::new();
        let mut next = Some(node);
        while let Some(node) = next {
            wanted.push(node);
            next = node.above.as_ref();
        }
        wanted.reverse();
        let common = self
            .read
            .iter()
            .zip(&wanted)
            .take_while(|(read, wanted)| Arc::ptr_eq(read, wanted))
            .count();
        for _ in self.read.drain(common..) {
            self.search.pop_pattern_list();
        }
        for node in &wanted[common..] {
            self.read(odb, node)?;
        }
        // A file that was read may define a macro again, which an old outcome would not notice.
        self.outcome = Outcome::default();
        self.outcome.initialize_with_selection(&self.names, NAMES);
        Ok(())
    }

    fn read(&mut self, odb: &Odb, node: &Arc<Node>) -> Result<()> {
        let about = || format!("cannot read {}", shown(&node.path));
        // One that git ignores is not read.
        let blob = if objects::is_larger(odb, node.blob, LONGEST_FILE) {
            None
        } else {
            Some(objects::blob(odb, node.blob).with_context(about)?)
        };
        let bytes = blob.as_ref().map_or(&[][..], |blob| blob.data());
        let bytes = as_git_reads(bytes);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        if lines > MOST_LINES {
            return Err(too_many_attributes(&node.path, lines, MOST_LINES).into());
        }
        let is_topmost = node.above.is_none() && !node.path.contains(&b'/');
        self.search
            .add_patterns_buffer(
                &bytes,
                PathBuf::from(OsStr::from_bytes(&node.path)),
                Some(Path::new("")),
                &mut self.names,
                // git accepts macros in the topmost file alone.
                is_topmost,
            )
            .with_context(about)?;
        self.read.push(Arc::clone(node));
        Ok(())
    }

    fn conversion(&mut self, path: &[u8]) -> Result<Conversion> {
        let Some([text, crlf, eol, ident, encoding, filter]) = self.states(path) else {
            return Ok(Conversion::default());
        };
        let mut conversion = Conversion::new(
            Text::of(text).or_else(|| Text::of(crlf)),
            LineEndings::of(eol),
            matches!(ident, StateRef::Set),
            Encoding::of(encoding)?,
        );
        conversion.is_unfiltered = matches!(filter, StateRef::Value(name) if name.as_bstr() != LFS);
        Ok(conversion)
    }

    /// What the attributes of [`NAMES`] are for a file; `None` when no pattern is about it.
    fn states(&mut self, path: &[u8]) -> Option<[StateRef<'_>; NAMES.len()]> {
        self.outcome.reset();
        let matched = self.search.pattern_matching_relative_path(
            path.into(),
            Case::Sensitive,
            Some(false),
            &mut self.outcome,
        );
        if !matched {
            return None;
        }
        let mut states = self.outcome.iter_selected().map(|found| found.assignment.state);
        Some(std::array::from_fn(|_| states.next().unwrap_or(StateRef::Unspecified)))
    }
}

/// git reads the file as lines of C strings: up to the first NUL, a byte order mark being part of
/// the first pattern, and without the lines that are too long. The crate does none of this.
fn as_git_reads(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= LONGEST_FILE {
        return Vec::new();
    }
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let mut read = Vec::with_capacity(end + 1);
    // The crate skips a byte order mark at the start, and so finds none.
    read.push(b'\n');
    for line in bytes[..end].split(|&byte| byte == b'\n') {
        if line.len() < LONGEST_LINE {
            read.extend_from_slice(line);
        }
        read.push(b'\n');
    }
    read
}

impl Text {
    /// Of the attribute `text`, or of its older name `crlf`.
    fn of(state: StateRef) -> Option<Text> {
        match state {
            StateRef::Set => Some(Text::Yes),
            StateRef::Unset => Some(Text::No),
            StateRef::Value(value) if value.as_bstr() == "input" => Some(Text::Input),
            StateRef::Value(value) if value.as_bstr() == "auto" => Some(Text::Auto),
            StateRef::Value(_) | StateRef::Unspecified => None,
        }
    }
}

impl LineEndings {
    fn of(state: StateRef) -> Option<LineEndings> {
        match state {
            StateRef::Value(value) if value.as_bstr() == "lf" => Some(LineEndings::Lf),
            StateRef::Value(value) if value.as_bstr() == "crlf" => Some(LineEndings::Crlf),
            _ => None,
        }
    }
}

impl Encoding {
    fn of(state: StateRef) -> Result<Option<Encoding>> {
        match state {
            StateRef::Unspecified => Ok(None),
            StateRef::Value(value) => Encoding::named(value.as_bstr()),
            StateRef::Set | StateRef::Unset => Err(no_encoding().into()),
        }
    }
}
