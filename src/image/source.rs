//! What an image is made of: a release, its env, and what is known of both.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::make::Request;
use super::python::Python;
use super::{error, restored};
use crate::build::django;
use crate::git::Repository;
use crate::processes::{self, Found, WEB};
use crate::retention::salvage::{Salvage, Scan};
use crate::site::settings::Run;
use crate::site::{self, AppSettings, DeploymentId, ENV_LINK, Record, Settings, Site};
use crate::text::excerpt;

/// A release that an image is made of.
pub(super) struct Source {
    pub(super) id: DeploymentId,
    pub(super) commit: String,
    /// When the commit was made.
    pub(super) time: Timestamp,
    pub(super) folder: PathBuf,
    /// The folder of the env, which may be in the release.
    pub(super) env: Option<(PathBuf, Python)>,
    /// The command of the web process, or why there is none.
    pub(super) command: Result<String, String>,
    /// The commands of all processes.
    pub(super) commands: BTreeMap<String, String>,
    /// What the project says of itself.
    pub(super) version: Option<String>,
    pub(super) url: Option<String>,
    /// What the application has written into the release, and the commit does not have.
    pub(super) written: Vec<PathBuf>,
    /// Files of the commit that the application has written to, and where they are as they were.
    pub(super) restored: BTreeMap<PathBuf, PathBuf>,
    /// Kept open, so that nothing of it is removed meanwhile: what a process uses stays.
    #[expect(dead_code, reason = "it is only kept open")]
    held: Vec<File>,
}

impl Source {
    /// The release of a deployment, or the one that is live.
    pub(super) fn find(
        site: &Site,
        settings: &Settings,
        app_settings: &AppSettings,
        request: &Request,
        temporary: &Path,
    ) -> Result<Source> {
        let live = site.live()?;
        let Some(id) = request.release.or(live) else { bail!(error::nothing_live()) };
        let Some(record) = site.record(id)? else { bail!(site::no_deployment(id)) };
        let id = record.rolled_back_to.unwrap_or(id);
        let Some(record) = site.record(id)? else { bail!(site::no_deployment(id)) };
        let folder = site.release(id);
        if !folder.is_dir() {
            bail!(error::no_release(id));
        }
        if !request.is_new && !record.went_live() && live != Some(id) {
            bail!(error::never_live(id, record.status.name()));
        }
        let mut held = vec![File::open(&folder).with_context(|| error::gone(id))?];
        let env = match site.env_of_release(id) {
            Some(env) => Some(site.env(env)),
            None => Some(folder.join(ENV_LINK)).filter(|env| env.join("pyvenv.cfg").is_file()),
        };
        let env = match env {
            Some(env) if !env.is_dir() => bail!(error::no_env(id)),
            Some(env) => {
                held.push(File::open(&env).with_context(|| error::gone(id))?);
                let python = Python::of_env(&env)?;
                Some((env, python))
            }
            None => None,
        };
        let facts = Facts::of(site, settings, app_settings, &record)?;
        let salvage = Salvage::new(site, settings, id, folder.clone())?;
        let all = salvage.written(Path::new(""), Scan::EveryFile)?;
        // What the commit has is part of the application; what was written there is not.
        let (committed, written) = all.into_iter().partition(|file| salvage.is_committed(file));
        let restored = restored::restore(site, settings, &record, committed, temporary)?;
        let Facts { command, commands, time, version, url } = facts;
        let commit = record.commit.clone();
        Ok(Source {
            id,
            commit,
            time,
            folder,
            env,
            command,
            commands,
            version,
            url,
            written,
            restored,
            held,
        })
    }
}

/// What the commit says.
struct Facts {
    command: Result<String, String>,
    commands: BTreeMap<String, String>,
    time: Timestamp,
    version: Option<String>,
    url: Option<String>,
}

impl Facts {
    fn of(
        site: &Site,
        settings: &Settings,
        app_settings: &AppSettings,
        record: &Record,
    ) -> Result<Facts> {
        /// The largest pyproject.toml that is read, in bytes.
        const LARGEST: usize = 1 << 20;
        let repository = Repository::open(&site.repository(settings))?;
        let commit = repository.commit(&record.commit)?;
        let tree = match &record.tree {
            Some(tree) => repository.tree_with_id(repository.oid(tree)?)?,
            None => repository.tree(&commit)?,
        };
        let folder = site.release(record.id);
        let programs = folder.join(ENV_LINK).join("bin");
        let run = Run { processes: settings.run.processes.clone(), ..Run::default() };
        let release = processes::Release {
            run: &run,
            app_settings,
            manage_folder: django::manage_folder(&folder, record.manage_folders.as_deref()),
            has_program: &|program| programs.join(program).exists(),
        };
        let (command, commands) = match processes::find(&tree, &release)? {
            Found::Processes(found) => {
                let none = || format!("{} has no process called web", found.origin);
                (found.commands.get(WEB).cloned().ok_or_else(none), found.commands)
            }
            Found::None(why) => (Err(why), BTreeMap::new()),
        };
        let objects = repository.objects();
        let seconds = repository.oid(&record.commit).ok();
        let seconds = seconds.and_then(|oid| objects.find_commit(oid).ok());
        let seconds = seconds.map_or(0, |commit| commit.time().seconds());
        let time = Timestamp::from_second(seconds.max(0)).unwrap_or(Timestamp::UNIX_EPOCH);
        let project = tree.file("pyproject.toml", LARGEST).ok().flatten();
        let project = project.and_then(|bytes| String::from_utf8(bytes).ok());
        let project: toml::Table = project.and_then(|text| text.parse().ok()).unwrap_or_default();
        let project = project.get("project").and_then(toml::Value::as_table);
        let version = project.and_then(|it| it.get("version")?.as_str()).map(excerpt);
        let urls = project.and_then(|it| it.get("urls")?.as_table());
        let is_source = |name: &str| {
            ["source", "repository", "source code", "sourcecode", "github", "code"]
                .contains(&name.to_lowercase().as_str())
        };
        let url = urls.and_then(|urls| {
            let (_, url) = urls.iter().find(|(name, _)| is_source(name))?;
            url.as_str().map(excerpt)
        });
        Ok(Facts { command, commands, time, version, url })
    }
}
