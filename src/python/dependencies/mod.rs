//! What a project declares that it depends on: read from a commit's own objects, recorded in the
//! env's marker, and compared with what an env was made from.
//!
//! [`detect()`] says which [`Source`] counts, and [`Source::read`] gives what it declares in the
//! form that every source shares: [`Recorded`] is what the marker keeps, and [`compare()`] says
//! what changed and whether a copy of the env is enough. A new source is a new variant of
//! [`Source`], a folder beside [`requirements_txt`], and a line in each installer that supports it.
//!
//! Nothing here touches the file system: a link in the tree is followed inside the tree only.

mod build_inputs;
mod change;
mod compare;
mod declarations;
mod declared;
mod detect;
mod error;
pub mod locks;
mod project;
mod record;
pub mod requirements_txt;
mod source;
mod subfolders;
mod text;
mod tree;
mod workspace;

pub use build_inputs::variables_of_builds;
pub use change::{Change, EnvAction, FileChange, StaleReason};
pub use compare::compare;
pub use declarations::{Declaration, declarations, missing_lock};
pub use declared::{Declared, InstallInput, RELEASE_VARIABLES, ReadContext};
pub use detect::{Detected, detect};
pub use project::Project;
pub use record::{Found, Input, Line, Local, LocalKind, MutableReference, Recorded, Role};
pub use source::Source;
pub use subfolders::{folders_with, has_same_folders_with};
pub use text::glob;
pub(super) use text::normalized_name;
pub use tree::{Entry, Resolved, Tree, in_commit, joined, leads_above, resolve};
pub use workspace::{lock_without_member, workspace_lock};
