//! `maintenance.html`: the page that visitors get in place of the application, while it is there.

use anyhow::Result;

use super::Site;
use crate::disk;

impl Site {
    /// The page; `None` when visitors get the application.
    pub fn maintenance(&self) -> Result<Option<Vec<u8>>> {
        disk::read_if_there(&self.maintenance_file())
    }

    pub fn set_maintenance(&self, page: &[u8]) -> Result<()> {
        let _guard = self.guard()?;
        disk::write_atomic(&self.maintenance_file(), page, 0o644)
    }

    /// Says whether there was one to end.
    pub fn end_maintenance(&self) -> Result<bool> {
        let _guard = self.guard()?;
        let was = self.maintenance()?.is_some();
        if was {
            disk::remove_file(&self.maintenance_file())?;
        }
        Ok(was)
    }
}
