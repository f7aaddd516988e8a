//! Sites that a newer nyala has written into.

use std::collections::BTreeSet;

use super::Site;
use crate::format;
use crate::python::env::Marker;
use crate::user_error::UserError;

impl Site {
    /// Fails when a newer nyala has deployed to this site: then this one must change nothing.
    ///
    /// Whoever deploys writes the newest record, and after a rollback that of what is live stays,
    /// so these two and the live env say it.
    pub fn check_format(&self) -> Result<(), UserError> {
        let newest = self.deployment_ids().ok().and_then(|ids| ids.last().copied());
        let live = self.live().ok().flatten();
        for id in newest.into_iter().chain(live).collect::<BTreeSet<_>>() {
            format::check(&self.record_file(id))?;
        }
        let env = live.and_then(|live| self.env_of_release(live));
        env.map_or(Ok(()), |env| Marker::check_format(&self.env(env)))
    }
}
