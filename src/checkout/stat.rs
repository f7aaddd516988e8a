//! What a file system says of a file: enough to notice that it was changed.

use rustix::fs::Stat as Raw;

/// Two of them are equal when nobody has changed the file in between, or so shortly after the first
/// one that the clock of the file system did not advance (see
/// [`Manifest::is_settled`](super::manifest::Manifest::is_settled)). Times are nanoseconds since
/// 1970.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) size: u64,
    pub(super) modified: i64,
    pub(super) changed: i64,
    pub(super) inode: u64,
    /// With the type of the file.
    pub(super) mode: u32,
}

impl Stat {
    /// The length of [`Stat::to_bytes`].
    pub(super) const LENGTH: usize = 36;

    pub(super) fn of(raw: &Raw) -> Stat {
        Stat {
            size: raw.st_size.cast_unsigned(),
            modified: nanoseconds(raw.st_mtime, raw.st_mtime_nsec),
            changed: nanoseconds(raw.st_ctime, raw.st_ctime_nsec),
            inode: raw.st_ino,
            mode: wide(raw.st_mode),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.modified.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.changed.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.inode.to_le_bytes());
        bytes[32..].copy_from_slice(&self.mode.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Stat {
        Stat {
            size: u64::from_le_bytes(part(bytes, 0)),
            modified: i64::from_le_bytes(part(bytes, 8)),
            changed: i64::from_le_bytes(part(bytes, 16)),
            inode: u64::from_le_bytes(part(bytes, 24)),
            mode: u32::from_le_bytes(part(bytes, 32)),
        }
    }
}

fn part<const N: usize>(bytes: &[u8; Stat::LENGTH], start: usize) -> [u8; N] {
    std::array::from_fn(|at| bytes[start + at])
}

fn nanoseconds(seconds: i64, nanoseconds: impl Into<i128>) -> i64 {
    let all = i128::from(seconds) * 1_000_000_000 + nanoseconds.into();
    i64::try_from(all).unwrap_or(i64::MAX)
}

/// Not the same type on every system.
fn wide(mode: impl Into<u32>) -> u32 {
    mode.into()
}
