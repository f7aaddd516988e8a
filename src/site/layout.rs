//! Where everything in a site is, and what it is called.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::Site;
use crate::ids::{DeploymentId, EnvId};

/// The file that makes a folder a site: its settings.
pub const SETTINGS_FILE: &str = "nyala.toml";

/// The name in a release of the link to its environment, or of the environment that a tree brings.
pub const ENV_LINK: &str = "env";

/// The repository that people push to, unless the settings name another one.
pub const REPOSITORY: &str = "repository.git";

/// The folder of the actions, unless the settings name another one.
pub const ACTIONS: &str = "actions";

/// The folders of a site.
pub(super) const RELEASES: &str = "releases";
pub(super) const ENVS: &str = "envs";
pub(super) const DEPLOYMENTS: &str = "deployments";
pub(super) const SHARED: &str = "shared";
pub(super) const CACHE: &str = "cache";
const TEMPORARIES: &str = "tmp";
const ROLLOUT: &str = "kubernetes.json";
const STAGING: &str = ".staging";

/// What the name of a process's log ends with.
pub const PROCESS_LOG: &str = ".log";

impl Site {
    pub fn settings_file(&self) -> PathBuf {
        self.root.join(SETTINGS_FILE)
    }

    pub fn app_settings_file(&self) -> PathBuf {
        self.root.join("settings.env")
    }

    pub fn wwwroot(&self) -> PathBuf {
        self.root.join("wwwroot")
    }

    /// Where that link leads when a release is live.
    pub fn wwwroot_target(release: DeploymentId) -> PathBuf {
        Path::new(RELEASES).join(release.to_string())
    }

    pub fn releases(&self) -> PathBuf {
        self.root.join(RELEASES)
    }

    /// What the site is called: the name of its folder.
    pub fn name(&self) -> Cow<'_, str> {
        self.root.file_name().unwrap_or_default().to_string_lossy()
    }

    pub fn release(&self, id: DeploymentId) -> PathBuf {
        self.releases().join(id.to_string())
    }

    /// The number of the release whose folder this is.
    pub fn release_at(&self, path: &Path) -> Option<DeploymentId> {
        path.strip_prefix(self.releases()).ok()?.to_str()?.parse().ok()
    }

    /// The link in a release to the environment that it runs in.
    pub fn env_link(&self, release: DeploymentId) -> PathBuf {
        self.release(release).join(ENV_LINK)
    }

    pub fn envs(&self) -> PathBuf {
        self.root.join(ENVS)
    }

    pub fn env(&self, id: EnvId) -> PathBuf {
        self.envs().join(id.to_string())
    }

    /// What outlives releases, and is linked into each.
    pub fn shared(&self) -> PathBuf {
        self.root.join(SHARED)
    }

    /// What applications had written into releases that were removed, by their numbers.
    pub fn kept(&self) -> PathBuf {
        self.root.join("kept")
    }

    /// The folder of the report, where the settings ask for one.
    pub fn report(&self) -> PathBuf {
        self.root.join("report")
    }

    /// What the application had written into one release that was removed.
    pub fn kept_of(&self, release: DeploymentId) -> PathBuf {
        self.kept().join(release.to_string())
    }

    pub fn deployments(&self) -> PathBuf {
        self.root.join(DEPLOYMENTS)
    }

    pub fn deployment(&self, id: DeploymentId) -> PathBuf {
        self.deployments().join(id.to_string())
    }

    /// The highest number that was ever given, where its record has been deleted.
    pub fn last_number_file(&self) -> PathBuf {
        self.deployments().join("last")
    }

    /// What the next log is still to say of releases that were removed.
    pub fn notices_file(&self) -> PathBuf {
        self.deployments().join("notices.json")
    }

    pub fn record_file(&self, id: DeploymentId) -> PathBuf {
        self.deployment(id).join("deployment.json")
    }

    pub fn log_file(&self, id: DeploymentId) -> PathBuf {
        self.deployment(id).join("log.txt")
    }

    /// What a deployment has applied to a cluster.
    pub fn rollout_file(&self, id: DeploymentId) -> PathBuf {
        self.deployment(id).join(ROLLOUT)
    }

    /// Says that a cluster may have something else than what is live.
    pub fn begun_rollout(&self) -> PathBuf {
        self.deployments().join(ROLLOUT)
    }

    /// What running deployments may use and leave behind, by their numbers.
    pub fn temporaries(&self) -> PathBuf {
        self.cache().join(TEMPORARIES)
    }

    /// What one running deployment may use and leave behind: gone when it ends.
    pub fn temporary(&self, id: DeploymentId) -> PathBuf {
        self.temporaries().join(id.to_string())
    }

    /// What `nyala serve` has in a site: its socket, its lock and what the processes print.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Held by the `nyala serve` that serves the site.
    pub fn serve_lock(&self) -> PathBuf {
        self.run().join("lock")
    }

    /// What the processes print, a file for each.
    pub fn process_logs(&self) -> PathBuf {
        self.run().join("logs")
    }

    /// What the processes of one name print. Older files have a number behind it.
    pub fn process_log(&self, process: &str) -> PathBuf {
        self.process_logs().join(format!("{process}{PROCESS_LOG}"))
    }

    /// The page that visitors get in place of the application, while it is there.
    pub fn maintenance_file(&self) -> PathBuf {
        self.root.join("maintenance.html")
    }

    /// What only saves time.
    pub fn cache(&self) -> PathBuf {
        self.root.join(CACHE)
    }

    /// What `nyala step env` decided in a running deployment, for its record.
    pub fn step_decision(&self, id: DeploymentId) -> PathBuf {
        self.temporary(id).join("env.json")
    }

    /// What the project's own hooks keep from deployment to deployment.
    pub fn hooks_cache(&self) -> PathBuf {
        self.cache().join("hooks")
    }

    /// The repositories of submodules, fetched once for all deployments.
    pub fn submodules(&self) -> PathBuf {
        self.cache().join("submodules")
    }

    /// The folder of the owner alone in which the next release is prepared; see
    /// [`crate::staging`].
    pub fn staging(&self) -> PathBuf {
        self.releases().join(STAGING)
    }

    pub fn staging_tree(&self) -> PathBuf {
        self.staging().join("tree")
    }

    /// What is known of the staging tree.
    pub fn staging_marker(&self) -> PathBuf {
        self.staging().join("tree.json")
    }
}

/// What a person calls an entry of a site: `release 3` for `releases/3`.
pub fn entry_name(was: &Path) -> String {
    let folder = was.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let name = was.file_name().unwrap_or_default().to_string_lossy();
    match folder.as_ref() {
        RELEASES => format!("release {name}"),
        ENVS => format!("env {name}"),
        DEPLOYMENTS => format!("record and log of deployment {name}"),
        STAGING => "the staging tree".to_owned(),
        TEMPORARIES => format!("temporary files of deployment {name}"),
        _ => format!("leftover {}", was.display()),
    }
}

/// Whether a path is that of a release, and not of what is prepared beside them.
pub fn is_release_folder(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    path.parent().and_then(name).as_deref() == Some(RELEASES)
        && name(path).is_none_or(|name| !name.starts_with('.'))
}
