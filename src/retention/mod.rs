//! What a site keeps: which releases and envs are pruned, and what is salvaged from them first.

mod caches;
mod databases;
mod error;
pub mod gc;
mod holders;
mod leftovers;
mod listening;
mod notices;
mod prune;
pub mod salvage;
mod share;
mod stuck;
mod trash;
mod unshared;

pub use caches::remove_unused_caches;
pub use databases::warn_of_databases;
pub use holders::{Held, Holder, holders, mounted};
pub use leftovers::{leftovers, temporary_files};
pub use listening::warn_of_sockets;
pub use notices::Notices;
pub use prune::{
    Pruned, Unneeded, discard_unheld, prune, prune_written, salvage_release, scan_in_time, unneeded,
};
pub use share::{Moved, share, share_held};
pub use stuck::{Stuck, stuck};
pub use trash::{Freed, empty_trash};
pub use unshared::{Unshared, unshared, warn_of_half_shared};
