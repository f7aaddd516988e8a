//! The caches of this user's sites that nobody has used for long.

use super::trash::{Freed, Usage};
use crate::disk;
use crate::python::built;

/// Removes them, and says what that frees. They only save time: what cannot be removed stays.
pub fn remove_unused_caches() -> Vec<Freed> {
    let (mut freed, mut usage) = (Vec::new(), Usage::default());
    for cache in built::put_unused_aside() {
        let bytes = usage.of(&cache);
        match disk::remove_tree(&cache) {
            Ok(()) => {
                let what = "a cache of built packages that was not used for 30 days".to_owned();
                freed.push(Freed { what, bytes });
            }
            Err(error) => tracing::debug!("{error:#}"),
        }
    }
    if let Some(all) = built::folder_of_user() {
        disk::remove_abandoned(&all);
    }
    freed
}
