//! Whether what this process writes is writable for a group: that of a shared site, see
//! [`crate::access`].

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static SHARED: AtomicBool = AtomicBool::new(false);

/// Makes what this process writes from now on writable for the group of its folder, whatever mode
/// is asked for: others of the group replace and remove it later.
pub fn share_with_group() {
    SHARED.store(true, Ordering::Relaxed);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask()));
}

/// The umask of what a site's processes write.
pub fn umask() -> u32 {
    if SHARED.load(Ordering::Relaxed) { 0o002 } else { 0o022 }
}

/// These permission bits, with those of the owner for the group as well where a site is shared.
pub fn mode(bits: u32) -> u32 {
    if SHARED.load(Ordering::Relaxed) { bits | (bits & 0o700) >> 3 } else { bits }
}

/// The mode of a private folder. Only where what is made in the folder above belongs to that one's
/// group, it is open to a group: not in somebody's home.
pub(super) fn private_mode(path: &Path) -> u32 {
    let above = path.ancestors().skip(1).find_map(|above| fs::metadata(above).ok());
    let is_of_group = above.is_some_and(|above| above.permissions().mode() & 0o2000 != 0);
    if is_of_group { mode(0o700) } else { 0o700 }
}
