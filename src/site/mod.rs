//! A site on disk: the only room that knows the layout.

pub mod app_settings;
pub mod cancel;
mod deploy_options;
mod error;
pub mod freeze;
mod layout;
mod links;
pub mod lock;
mod maintenance;
mod newer;
mod place;
pub mod queue;
pub mod record;
mod reserve;
pub mod settings;
mod shared_path;
mod stopped;
mod temporary;
mod text_file;
mod torn;
pub mod trash;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

pub use app_settings::AppSettings;
pub use deploy_options::DeployOptions;
pub use error::no_deployment;
pub use layout::{
    ACTIONS, ENV_LINK, PROCESS_LOG, REPOSITORY, SETTINGS_FILE, entry_name, is_release_folder,
};
pub use place::check_new;
pub use record::{Record, Status};
pub use settings::Settings;
pub use shared_path::SharedPath;
pub use stopped::Stopped;
pub use temporary::Temporary;

use crate::disk;
pub use crate::ids::{DeploymentId, EnvId};
use layout::{CACHE, DEPLOYMENTS, ENVS, RELEASES, SHARED};

/// The folder of one deployed application. Cheap to copy around: it is a path that was checked
/// once.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
}

impl Site {
    /// The site in `root`, which must have a `nyala.toml`.
    pub fn open(root: &Path) -> Result<Site> {
        match root.canonicalize() {
            Ok(found) if Site::is_at(&found) => Ok(Site { root: found }),
            _ => Err(place::no_site(root).into()),
        }
    }

    /// Whether there is a site in a folder. A release is none, also when the project has a
    /// `nyala.toml` of its own.
    pub fn is_at(folder: &Path) -> bool {
        let is_release = || {
            let folder = folder.canonicalize().ok()?;
            let (number, releases) = (folder.file_name()?.to_str()?, folder.parent()?);
            Some(
                number.parse::<u64>().is_ok()
                    && releases.file_name()? == RELEASES
                    && releases.parent()?.join(SETTINGS_FILE).is_file(),
            )
        };
        folder.join(SETTINGS_FILE).is_file() && !is_release().unwrap_or_default()
    }

    /// The site that is meant: `--site`, else `NYALA_SITE` (both are `named`), else the one the
    /// working directory is in.
    pub fn find(named: Option<&Path>) -> Result<Site> {
        if let Some(root) = named {
            return Site::open(root);
        }
        match Site::here()? {
            (_, Some(root)) => Site::open(&root),
            (here, None) => bail!(error::none_named(&here)),
        }
    }

    /// The working directory, and the folder of the site that it is in.
    pub fn here() -> Result<(PathBuf, Option<PathBuf>)> {
        let here = env::current_dir().context("the working directory no longer exists")?;
        let root = here.ancestors().find(|folder| Site::is_at(folder)).map(Path::to_owned);
        Ok((here, root))
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folders every site has, made when they are missing.
    pub fn make_folders(&self) -> Result<()> {
        for folder in [RELEASES, ENVS, DEPLOYMENTS, SHARED, CACHE] {
            let path = self.root.join(folder);
            if !path.is_dir() {
                disk::create_dir_all(&path)?;
            }
        }
        Ok(())
    }

    /// The deployment that is live; `None` when there is none yet. Nothing else says so: records
    /// tell what was done, and not what is so now.
    ///
    /// It is the one whose release `wwwroot` links to. Fails when `wwwroot` is something else than
    /// a link to a release of this site.
    pub fn live(&self) -> Result<Option<DeploymentId>> {
        let wwwroot = self.wwwroot();
        match fs::read_link(&wwwroot) {
            Ok(target) => match id_in(&target, RELEASES).or_else(|| self.release_of(&target)) {
                Some(id) => Ok(Some(id)),
                None => bail!(error::not_a_release(&wwwroot, &target)),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(_) => bail!(error::not_a_link(&wwwroot)),
        }
    }

    /// The release that a link leads to which somebody has made by hand, as by `ln -sfn
    /// /srv/shop/releases/7 wwwroot`.
    fn release_of(&self, target: &Path) -> Option<DeploymentId> {
        let path = self.root.join(target);
        let folder = path.parent()?.canonicalize().ok()?;
        let is_own = self.releases().canonicalize().is_ok_and(|releases| releases == folder);
        path.file_name()?.to_str()?.parse().ok().filter(|_| is_own)
    }

    /// Whether a deployment is live, for those who only tell of it: no, when that cannot be known.
    pub fn is_live(&self, id: DeploymentId) -> bool {
        self.live().ok().flatten() == Some(id)
    }

    /// When `wwwroot` was made to point where it does.
    pub fn live_since(&self) -> Option<Timestamp> {
        Timestamp::try_from(fs::symlink_metadata(self.wwwroot()).ok()?.modified().ok()?).ok()
    }

    /// The deployments that have a record or a log, oldest first.
    pub fn deployment_ids(&self) -> Result<Vec<DeploymentId>> {
        ids_in(&self.deployments())
    }

    /// Whether there is a deployment that comes after this one, which is the last one until then.
    /// Quick enough to be asked often.
    pub fn has_newer(&self, id: DeploymentId) -> bool {
        fs::symlink_metadata(self.deployment(id.next())).is_ok()
    }

    /// The deployments that have a release, oldest first.
    pub fn release_ids(&self) -> Result<Vec<DeploymentId>> {
        ids_in(&self.releases())
    }

    /// The environments, oldest first.
    pub fn env_ids(&self) -> Result<Vec<EnvId>> {
        ids_in(&self.envs())
    }

    /// The deployments that have a folder for temporary files, oldest first.
    pub fn temporary_ids(&self) -> Result<Vec<DeploymentId>> {
        ids_in(&self.temporaries())
    }
}

/// The ids that name what is in a folder and has not been discarded, ascending; none when the
/// folder is missing.
fn ids_in<Id: FromStr + Ord>(folder: &Path) -> Result<Vec<Id>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    let (mut ids, mut discarded) = (Vec::<Id>::new(), Vec::new());
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        match name.strip_prefix(trash::PREFIX) {
            // A file marks what could not be renamed.
            Some(name) if entry.file_type().is_ok_and(|kind| kind.is_file()) => {
                discarded.extend(name.split('.').next().and_then(|id| id.parse::<Id>().ok()));
            }
            Some(_) => {}
            None => ids.extend(name.parse::<Id>()),
        }
    }
    ids.retain(|id| !discarded.contains(id));
    ids.sort_unstable();
    Ok(ids)
}

/// `7` in `releases/7`.
fn id_in<Id: FromStr>(path: &Path, folder: &str) -> Option<Id> {
    path.strip_prefix(folder).ok()?.to_str()?.parse().ok()
}
