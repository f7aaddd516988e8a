//! What the application wrote into a release, outside of what is shared: the next release does not
//! have it.

use std::path::Path;

use anyhow::Result;

use super::salvage::{Look, Salvage};
use crate::console;
use crate::site::{DeploymentId, Settings, SharedPath, Site};
use crate::user_error::UserError;

/// How many paths a log names.
const NAMED: usize = 10;

/// What SQLite keeps beside a database, which goes where the database goes.
pub(super) const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Paths in a release that the application wrote, and that are not shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unshared {
    pub release: DeploymentId,
    places: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: String,
    files: usize,
    /// It is a file of the commit that was changed in place. Shared, it would be the same for ever.
    is_committed: bool,
}

/// Looks for what the application wrote into a release since it went live; `None` when that is
/// nothing. What Python caches does not count.
pub fn unshared(
    site: &Site,
    settings: &Settings,
    release: DeploymentId,
    look: Look,
) -> Result<Option<Unshared>> {
    let salvage = Salvage::new(site, settings, release, site.release(release))?;
    let files = salvage.written(Path::new(""), look)?;
    let all = salvage.places(&files);
    let is_beside = |path: &str| {
        let base = BESIDE.iter().find_map(|suffix| path.strip_suffix(suffix));
        base.is_some_and(|base| all.contains_key(base) || site.release(release).join(base).exists())
    };
    let places = all.iter().filter(|(path, _)| !is_beside(path)).map(|(path, files)| Place {
        is_committed: salvage.is_committed(Path::new(path)),
        path: path.clone(),
        files: *files,
    });
    let places: Vec<_> = places.collect();
    Ok((!places.is_empty()).then_some(Unshared { release, places }))
}

impl Unshared {
    /// What can be shared without a change of the project: not the files of the commit.
    pub fn paths(&self) -> Vec<SharedPath> {
        let new = self.places.iter().filter(|place| !place.is_committed);
        new.filter_map(|place| SharedPath::try_from(place.path.clone()).ok()).collect()
    }

    /// The one command that keeps them.
    pub fn command(&self) -> Option<String> {
        let paths = self.paths();
        let names: Vec<_> = paths.iter().map(ToString::to_string).collect();
        let names = shlex::try_join(names.iter().map(String::as_str)).ok()?;
        (!paths.is_empty()).then(|| format!("nyala share {names}"))
    }

    /// Warns of them in the log.
    pub fn log(&self) {
        console::warning(format_args!("{}: {}", self.fact(), self.names()));
        if let Some(command) = self.command() {
            console::hint(format_args!("to keep them in every release: {command}"));
        }
    }

    /// The error of a deployment that must not go live without them.
    pub fn error(&self) -> UserError {
        let error = UserError::new(self.fact()).found(self.names());
        let keep = self.command().map(|command| format!("Run {command}, and push again"));
        error.fixes(keep).fix("Or go live without them: unshared = \"warn\" in nyala.toml")
    }

    fn fact(&self) -> String {
        let release = self.release;
        format!(
            "the application wrote files into release {release} that the next one does not have"
        )
    }

    /// `media (3 files), db.sqlite3, page (of the commit)`
    fn names(&self) -> String {
        let mut names: Vec<_> = self.places.iter().take(NAMED).map(Place::name).collect();
        let more = self.places.len().saturating_sub(NAMED);
        names.extend((more > 0).then(|| format!("and {more} more")));
        names.join(", ")
    }
}

impl Place {
    fn name(&self) -> String {
        let shown = self.path.escape_debug();
        match self.files {
            _ if self.is_committed => format!("{shown} (a file of the commit)"),
            1 => shown.to_string(),
            files => format!("{shown} ({files} files)"),
        }
    }
}
