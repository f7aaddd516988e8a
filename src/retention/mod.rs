//! What a site keeps: which releases and envs are pruned, and what is salvaged from them first.

pub mod gc;
mod leftovers;
mod notices;
mod prune;
pub mod salvage;

pub use leftovers::{leftovers, temporary_files};
pub use notices::Notices;
pub use prune::{Unneeded, Waits, prune, salvage_release, unneeded};
