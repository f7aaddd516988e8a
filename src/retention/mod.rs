//! What a site keeps: which releases and envs are pruned, and what is salvaged from them first.

pub mod gc;
mod leftovers;
mod prune;
pub mod salvage;

pub use leftovers::{leftovers, temporary_files};
pub use prune::{Releases, Unneeded, prune, salvage_release, unneeded};
