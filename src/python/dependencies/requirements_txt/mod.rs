//! Requirements files, read as pip reads them.
//!
//! The reference is pip's `_internal/req/req_file.py` and `constructors.py`. Where its versions
//! differ, the comment says so. What the comments claim about how pip treats an existing env is
//! checked with the real pip in `pip_tests.rs`.

mod closure;
mod decode;
mod error;
mod line;
mod options;
mod requirement_source;
mod spec;

#[cfg(test)]
mod pip_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(super) mod tests;

pub use closure::{Closure, SourceFile, closure};
pub use error::{ClosureError, Location, Mention};
