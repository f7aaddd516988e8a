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
mod references;
mod requirement_source;
mod spec;

#[cfg(test)]
mod pip_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(in crate::python) mod tests;

pub(in crate::python) use super::text::{without_credentials, without_secrets};
pub(super) use closure::closure_of;
pub use closure::{Closure, SettingFile, SettingFileRole, SourceFile, closure, closure_with};
pub use error::{ClosureError, Location, Mention};
pub(in crate::python) use references::{Meant, Reference, passages, references};
pub(in crate::python) use requirement_source::{is_offered, local_path};
