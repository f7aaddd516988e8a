//! `nyala share`.

use anyhow::Result;
use clap::Args;

use super::gc::lock;
use crate::retention::{Moved, share};
use crate::site::{DeploymentId, SharedPath, Site};
use crate::user_error::UserError;

#[derive(Debug, Args)]
pub(super) struct Share {
    /// The files and folders to share, relative to the release
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// The release whose files are meant, if the application wrote them in several
    #[arg(long, value_name = "RELEASE")]
    from: Option<DeploymentId>,
}

impl Share {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let paths = self.paths.iter().map(|path| {
            SharedPath::parse(path).map_err(|error| UserError { is_usage: true, ..error })
        });
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        let moved = share(site, &paths, self.from, &lock(site)?)?;
        for Moved { path, from } in &moved {
            match from {
                Some(release) => say!("Moved {path} of release {release} to shared/{path}."),
                None => say!("{path} was in shared/{path} already."),
            }
        }
        let all: Vec<_> = site.settings()?.shared.iter().map(ToString::to_string).collect();
        say!("Every release has these paths now: {}", all.join(", "));
        if moved.iter().any(|moved| moved.from.is_some()) {
            say!(
                "Restart the application soon: a database that it has open is known to it by the \
                  old path."
            );
        }
        Ok(())
    }
}
