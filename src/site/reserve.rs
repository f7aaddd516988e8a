//! `cache/reserve`: a little space that is kept for the commands that help a site off a full disk.
//!
//! Cancelling, rolling back, deleting and cleaning up write a few small files before they free
//! anything. Without this they would fail exactly where they are needed.

use std::path::PathBuf;

use super::Site;
use crate::disk;
use crate::disk::space::{DiskUsage, FileSystem, free_at, shortage};

/// Enough for a deployment's folder, its record and log, and a few directory blocks.
const RESERVE: DiskUsage = DiskUsage { bytes: 256 << 10, inodes: 16 };

/// Where less is free, the reserve would be missed elsewhere.
const PLENTY: DiskUsage = DiskUsage { bytes: 4 << 20, inodes: 1000 };

impl Site {
    fn reserve(&self) -> PathBuf {
        self.cache().join("reserve")
    }

    /// Puts the reserve aside, unless it is there or too little space is free.
    pub fn keep_reserve(&self) {
        let path = self.reserve();
        let has_plenty = || free_at(self.root()).is_ok_and(|free| shortage(PLENTY, free).is_none());
        if path.is_dir() || !has_plenty() {
            return;
        }
        if let Err(error) = disk::create_reserve(&path, RESERVE) {
            tracing::debug!("no space is kept in reserve: {error:#}");
            self.give_back_reserve();
        }
    }

    /// Frees the reserve when the disk is full.
    pub fn give_back_reserve_if_full(&self) {
        if FileSystem::of(self.root()).is_ok_and(|system| system.is_full()) {
            self.give_back_reserve();
        }
    }

    fn give_back_reserve(&self) {
        if let Err(error) = disk::remove_tree(&self.reserve()) {
            tracing::debug!("the reserve cannot be freed: {error:#}");
        }
    }
}
