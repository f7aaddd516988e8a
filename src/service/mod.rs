//! `nyala serve` as a service of systemd: one unit, which serves every site of a folder. Root's is
//! one of the machine, another user's is one of that user.

mod error;
mod unit;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::disk;
use crate::process::{Environment, Invocation, Limits, capture, own_binary};
use crate::user_error::Explain;

/// The name of the unit.
pub const UNIT: &str = "nyala.service";

/// Where a machine that systemd runs has a folder: `sd_booted(3)`.
const BOOTED: &str = "/run/systemd/system";

/// What has been told to start does so in this time, or has failed.
const PATIENCE: Duration = Duration::from_mins(5);

/// Whose systemd runs the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    System,
    User,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub file: PathBuf,
    pub folder: PathBuf,
    pub is_new: bool,
}

/// How the service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub file: PathBuf,
    pub folder: PathBuf,
    /// `active`, `activating`, `failed`, `inactive`; see systemctl(1).
    pub state: String,
    /// What it says of itself.
    pub says: String,
    /// Since when it is so, as systemd writes times.
    pub since: String,
    /// Whether it starts with the machine, or with the systemd of its user.
    pub is_enabled: bool,
}

impl Scope {
    /// The one that this process may change.
    pub fn own() -> Scope {
        if geteuid().is_root() { Scope::System } else { Scope::User }
    }

    /// The option of systemctl and journalctl.
    pub fn option(self) -> &'static str {
        match self {
            Scope::System => "",
            Scope::User => " --user",
        }
    }

    fn file(self) -> Result<PathBuf> {
        let folder = match self {
            Scope::System => PathBuf::from("/etc/systemd/system"),
            Scope::User => {
                let named = env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty());
                let home = || Some(Path::new(&env::var_os("HOME")?).join(".config"));
                let configuration = named.map(PathBuf::from).or_else(home);
                configuration.context("HOME is not set")?.join("systemd/user")
            }
        };
        Ok(folder.join(UNIT))
    }

    fn systemctl(self, arguments: &[&str]) -> Result<String> {
        let limits = Limits { step: Some(PATIENCE), idle: None, heartbeat: PATIENCE };
        let mut systemctl = Invocation::new("systemctl").limits(limits);
        if self == Scope::User {
            let environment = Environment::clean().set("XDG_RUNTIME_DIR", runtime_folder());
            systemctl = systemctl.arg("--user").environment(environment);
        }
        Ok(capture(&systemctl.args(arguments))?.text())
    }
}

/// The text of the unit that serves a folder.
pub fn text(scope: Scope, folder: &Path) -> Result<String> {
    let folder = folder.canonicalize().explain(|| error::no_folder(folder))?;
    let binary = own_binary().context("the path of nyala cannot be found")?;
    for path in [&folder, &binary] {
        if !unit::can_name(path) {
            bail!(error::cannot_be_named(path));
        }
    }
    Ok(unit::text(scope, &binary.to_string_lossy(), &folder.to_string_lossy()))
}

/// Installs the unit, has it started with the machine, and starts it. One that is there already is
/// brought up to date, and restarted only if that changes it.
pub fn install(scope: Scope, folder: &Path) -> Result<Installed> {
    let folder = folder.canonicalize().explain(|| error::no_folder(folder))?;
    let text = text(scope, &folder)?;
    check_systemd(scope, &folder)?;
    let file = scope.file()?;
    let before = disk::read_to_string(&file).ok();
    check_name(scope, &file, before.as_deref(), &folder)?;
    let is_new = before.as_ref() != Some(&text);
    if is_new {
        if let Some(folder) = file.parent() {
            disk::create_dir_all(folder)?;
        }
        disk::write_atomic(&file, text.as_bytes(), 0o644)?;
        scope.systemctl(&["daemon-reload"])?;
    }
    scope.systemctl(&["enable", "--quiet", UNIT])?;
    let start = if is_new { "restart" } else { "start" };
    scope.systemctl(&[start, UNIT]).explain(|| error::not_started(scope.option()))?;
    Ok(Installed { file, folder, is_new })
}

pub fn status(scope: Scope) -> Result<Status> {
    let (file, folder) = installed(scope)?;
    check_systemd(scope, &folder)?;
    let properties = ["ActiveState", "StatusText", "StateChangeTimestamp", "UnitFileState"];
    let option = format!("--property={}", properties.join(","));
    let shown = scope.systemctl(&["show", &option, UNIT])?;
    let value = |name: &str| {
        let mut lines = shown.lines().filter_map(|line| line.split_once('='));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let [state, says, since, enabled] = properties.map(value);
    Ok(Status { file, folder, state, says, since, is_enabled: enabled == "enabled" })
}

/// The unit that serves a site, and its folder, if it is not as this nyala writes it; `None` also
/// where no unit of ours serves the site.
pub fn outdated(site: &Path) -> Option<(PathBuf, PathBuf)> {
    [Scope::System, Scope::User].into_iter().find_map(|scope| {
        let file = scope.file().ok()?;
        let text = disk::read_to_string(&file).ok()?;
        let folder = unit::folder_of(&text)?;
        (site.starts_with(&folder) && !unit::is_current(scope, &text, &folder))
            .then_some((file, folder))
    })
}

/// Whether systemd runs this machine.
pub fn is_booted() -> bool {
    Path::new(BOOTED).is_dir()
}

/// Stops the service, and removes its unit. Returns the file.
pub fn remove(scope: Scope) -> Result<PathBuf> {
    let (file, folder) = installed(scope)?;
    check_systemd(scope, &folder)?;
    scope.systemctl(&["disable", "--now", "--quiet", UNIT])?;
    disk::remove_file(&file)?;
    scope.systemctl(&["daemon-reload"])?;
    Ok(file)
}

/// The user whose systemd ends with the last session, and the service with it; `None` when it goes
/// on.
pub fn needs_lingering(scope: Scope) -> Option<String> {
    let name = user_name();
    let lingers = Path::new("/var/lib/systemd/linger").join(&name).exists();
    (scope == Scope::User && !lingers).then_some(name)
}

/// The unit of ours that is there, and the folder that it serves.
fn installed(scope: Scope) -> Result<(PathBuf, PathBuf)> {
    let file = scope.file()?;
    let Ok(text) = disk::read_to_string(&file) else { bail!(error::not_installed()) };
    match unit::folder_of(&text) {
        Some(folder) => Ok((file, folder)),
        None => bail!(error::taken(&file)),
    }
}

/// `before` is what is in the file, if there is one.
fn check_name(scope: Scope, file: &Path, before: Option<&str>, folder: &Path) -> Result<()> {
    let Some(before) = before else {
        // A package may bring one.
        let found = scope.systemctl(&["show", "--value", "--property=FragmentPath", UNIT])?;
        if !found.is_empty() {
            bail!(error::taken(Path::new(&found)));
        }
        return Ok(());
    };
    match unit::folder_of(before) {
        Some(served) if served == folder => Ok(()),
        Some(served) => bail!(error::serves_another(&served)),
        None => bail!(error::taken(file)),
    }
}

fn check_systemd(scope: Scope, folder: &Path) -> Result<()> {
    if !is_booted() {
        let folder = folder.to_string_lossy();
        bail!(error::no_systemd(&shlex::try_quote(&folder).unwrap_or_default()));
    }
    if scope == Scope::User && !runtime_folder().join("systemd").is_dir() {
        bail!(error::no_user_manager(&user_name()));
    }
    Ok(())
}

/// Where the systemd of this user is found. A login over ssh without PAM, or with `su`, does not
/// say so.
fn runtime_folder() -> PathBuf {
    let named = env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty());
    let usual = || format!("/run/user/{}", geteuid().as_raw()).into();
    named.map_or_else(usual, PathBuf::from)
}

fn user_name() -> String {
    let name = env::var("USER").or_else(|_| env::var("LOGNAME"));
    name.unwrap_or_else(|_| geteuid().as_raw().to_string())
}
