//! What decides what pip installs, read from a commit's own objects and compared with what an env
//! was made from.
//!
//! The reference is pip's `_internal/req/req_file.py` and `constructors.py`. Where its versions
//! differ, the comment says so; the claims about what pip does to an env that is there already are
//! checked with the real pip in `pip_tests.rs`. Nothing here touches the file system: a link in the
//! tree is followed inside the tree only.

mod closure;
mod compare;
mod decode;
mod error;
mod line;
mod location;
mod options;
mod project;
mod record;
mod spec;
mod text;
mod tree;

#[cfg(test)]
mod pip_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use closure::{Closure, SourceFile, closure};
pub use compare::{Asks, Change, Why, compare};
pub use error::{ClosureError, Mention, Place};
pub use project::{Project, project};
pub use record::{Found, Line, Local, LocalKind, Moving, Recorded, Role};
pub use tree::{Entry, Resolved, Tree, resolve};
