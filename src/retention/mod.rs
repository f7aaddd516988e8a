//! What a site keeps: which releases and envs are pruned, and what is salvaged from them first.

pub mod gc;
mod holders;
mod leftovers;
mod notices;
mod prune;
pub mod salvage;
mod trash;

pub use holders::{Holder, Stays, holders, mounted};
pub use leftovers::{leftovers, temporary_files};
pub use notices::Notices;
pub use prune::{Pruned, Unneeded, Waits, discard_unheld, prune, salvage_release, unneeded};
pub use trash::{Freed, empty_trash};
