//! What the application wrote into a release, outside of what is shared: the next release does not
//! have it.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::error::{self, ONE_FOLDER};
use super::salvage::{Salvage, Scan};
use crate::console;
use crate::site::{DeploymentId, Settings, SharedPath, Site};
use crate::text::excerpt;
use crate::user_error::UserError;

/// How many paths a log names.
const NAMED: usize = 10;

/// How many paths a command names.
const COMMANDED: usize = 50;

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
    /// `None` when nyala.toml cannot name it: its name is not UTF-8, or has control characters.
    shared: Option<SharedPath>,
}

/// Looks for what the application wrote into a release since it went live; `None` when that is
/// nothing. What Python caches does not count.
pub fn unshared(
    site: &Site,
    settings: &Settings,
    release: DeploymentId,
    scan: Scan,
) -> Result<Option<Unshared>> {
    let salvage = Salvage::new(site, settings, release, site.release(release))?;
    let files = salvage.written(Path::new(""), scan)?;
    let all = salvage.places(&files);
    let is_beside = |path: &str| {
        let base = BESIDE.iter().find_map(|suffix| path.strip_suffix(suffix));
        base.is_some_and(|base| all.contains_key(base) || site.release(release).join(base).exists())
    };
    let places = all.iter().filter(|(path, _)| !is_beside(path)).map(|(path, files)| Place {
        is_committed: salvage.is_committed(Path::new(path)),
        // A name that is not UTF-8 is another one here, which is not there.
        shared: SharedPath::try_from(path.clone())
            .ok()
            .filter(|path| fs::symlink_metadata(site.release(release).join(path.path())).is_ok()),
        path: path.clone(),
        files: *files,
    });
    let places: Vec<_> = places.collect();
    Ok((!places.is_empty()).then_some(Unshared { release, places }))
}

/// Warns of links into `SITE/shared` that the live release has and nyala.toml does not name: `nyala
/// share` was killed before the end, or somebody has removed them from the setting.
pub fn warn_of_half_shared(site: &Site, settings: &Settings, live: DeploymentId) {
    let mut found = Vec::new();
    half_shared(site, settings, live, Path::new(""), &mut found);
    if let Some(command) = share_command(&found) {
        console::warning(format_args!(
            "release {live} has links into shared/ that the next release does not have, because \
             shared in nyala.toml does not name them: {}",
            found.iter().map(|path| excerpt(path)).collect::<Vec<_>>().join(", ")
        ));
        console::hint(format_args!("to have them in every release: {command}"));
    }
}

/// The command that shares these paths; `None` when there are none.
pub(super) fn share_command(paths: &[String]) -> Option<String> {
    let names = shlex::try_join(paths.iter().map(String::as_str)).ok()?;
    (!paths.is_empty()).then(|| format!("nyala share {names}"))
}

/// Looks at names that are in both folders only, so it costs nothing where little is shared.
fn half_shared(
    site: &Site,
    settings: &Settings,
    live: DeploymentId,
    folder: &Path,
    found: &mut Vec<String>,
) {
    for entry in fs::read_dir(site.shared().join(folder)).into_iter().flatten().flatten() {
        let path = folder.join(entry.file_name());
        let Some(shared) = path.to_str().and_then(|it| SharedPath::try_from(it.to_owned()).ok())
        else {
            continue;
        };
        let named = || settings.shared.iter().any(|it| it.path() == path);
        let own = site.release(live).join(&path);
        match fs::symlink_metadata(&own) {
            Ok(there) if there.is_symlink() => {
                let is_ours = fs::read_link(&own).is_ok_and(|to| site.is_shared_link(&shared, &to));
                found.extend((is_ours && !named()).then(|| shared.to_string()));
            }
            Ok(there) if there.is_dir() && entry.file_type().is_ok_and(|it| it.is_dir()) => {
                half_shared(site, settings, live, &path, found);
            }
            _ => {}
        }
    }
}

impl Unshared {
    /// What of it is not known yet; `None` when all is.
    pub fn without(mut self, known: Option<&Unshared>) -> Option<Unshared> {
        let known = known.map_or(&[][..], |known| &known.places);
        self.places.retain(|place| known.iter().all(|it| it.path != place.path));
        (!self.places.is_empty()).then_some(self)
    }

    /// What can be shared without a change of the project: not the files of the commit.
    pub fn paths(&self) -> Vec<SharedPath> {
        let new = self.places.iter().filter(|place| !place.is_committed);
        new.filter_map(|place| place.shared.clone()).collect()
    }

    /// The one command that keeps them. Very many are not named: they belong into a folder.
    pub fn command(&self) -> Option<String> {
        let paths = self.paths();
        if paths.len() > COMMANDED {
            return None;
        }
        share_command(&paths.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// Warns of them in the log.
    pub fn log(&self) {
        console::warning(format_args!("{}: {}", error::unshared(self.release), self.names()));
        console::hint(match self.command() {
            Some(command) => format!("to keep them in every release: {command}"),
            None => format!("to keep them in every release: {ONE_FOLDER}"),
        });
    }

    /// The error of a deployment that must not go live without them.
    pub fn error(&self) -> UserError {
        error::would_be_lost(self.release, self.names(), self.command().as_deref())
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
            _ if self.shared.is_none() => format!("{shown} (a name that cannot be shared)"),
            _ if self.is_committed => format!("{shown} (a file of the commit)"),
            1 => shown.to_string(),
            files => format!("{shown} ({files} files)"),
        }
    }
}
