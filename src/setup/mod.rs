//! Creates sites, and installs the hook into repositories. Running it again changes nothing.

mod address;
mod error;
mod hook;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::access::{self, Intent};
use crate::disk;
use crate::git::{LocalConfig, RefName, Refs, Repository, bare_git, git, run};
use crate::process::{self, Environment, Invocation, is_executable, own_binary};
use crate::python::installers::Installer;
use crate::python::installers::find_uv;
use crate::python::version_files::setting;
use crate::settings::deploy_branch;
use crate::site::{REPOSITORY, SETTINGS_FILE, Site, check_new};
use crate::user_error::{Explain, UserError};

pub use error::own_repository;
pub use hook::{check_folders_are_own, check_not_of_another_site, named_in_hook, other_site};

const HOOK: &str = include_str!("../../hooks/post-receive");
const STRICT_HOOK_TEXT: &str = include_str!("../../hooks/proc-receive");

/// The hook that only strict sites have, in the folder of hooks.
pub const STRICT_HOOK: &str = "proc-receive";

/// The name under which an existing post-receive hook is kept beside ours.
pub const KEPT_HOOK: &str = "post-receive.kept";

/// The setting of git that names the refs which go to that hook, and what it is for all of them.
const STRICT_REFS: (&str, &str) = ("receive.procReceiveRefs", "refs");
const SETTINGS: &str = include_str!("../nyala.toml");

/// What `receive.fsckObjects` would refuse, and the histories of real projects contain: old tools
/// wrote it, and none of it changes which files are written where. Gitaly tolerates the like
/// (git-fsck(1) has all of them).
const TOLERATED: [(&str, &str); 13] = [
    ("badDate", "a time that is not a number; nobody compares times"),
    ("badDateOverflow", "a time after the year 2106, of a clock that was wrong"),
    ("badEmail", "an address without its brackets; it is shown, and nothing else"),
    ("badFilemode", "100664 for 100644, as git before 1.0 wrote; later gits let it in (2.38)"),
    ("badName", "a name with > in it"),
    ("badTimezone", "an offset such as +51800, of an import from another system"),
    ("missingEmail", "an author without an address, of an import from CVS or Subversion"),
    ("missingNameBeforeEmail", "an author who is only an address"),
    ("missingSpaceBeforeDate", "as git itself wrote for empty addresses until 2011"),
    ("missingSpaceBeforeEmail", "as several importers wrote"),
    ("multipleAuthors", "as a bug in old GitHub merges wrote"),
    ("zeroPaddedDate", "a time with leading zeros, of early importers"),
    ("zeroPaddedFilemode", "040000 for 40000, of early versions of grit; it means the same"),
];

/// What a new site is made with.
#[derive(Clone, Debug, Default)]
pub struct New<'a> {
    pub branch: Option<&'a str>,
    pub python: Option<&'a str>,
    /// Whether `git push` fails with the deployment.
    pub strict: bool,
    /// What installs the requirements; without it, uv where there is one that works, else pip.
    pub installer: Option<Installer>,
    /// A repository elsewhere, which people push to already.
    pub repository: Option<&'a Path>,
    /// Whether the application gets an address, at which `nyala serve` runs it.
    pub has_address: bool,
}

impl New<'_> {
    /// Fails on values that no site can have, before anything is written.
    fn check(&self) -> Result<(), UserError> {
        let is_branch = |branch: &str| {
            let name = RefName::of_branch(branch);
            let checked = bare_git().args(["check-ref-format", name.as_str()]).status();
            checked.is_ok_and(|status| status.success()) && !branch.starts_with("refs/")
        };
        if let Some(branch) = self.branch.filter(|branch| !is_branch(branch)) {
            return Err(error::not_a_branch(branch));
        }
        if let Some(python) = self.python.filter(|python| setting(python).is_err()) {
            return Err(error::not_a_version(python));
        }
        Ok(())
    }
}

/// Makes the site in `root`, with a bare repository of its own unless `new` names one. What is
/// there stays.
pub fn make_site(root: &Path, new: &New<'_>) -> Result<Site> {
    if root.join(SETTINGS_FILE).is_file() {
        let site = Site::open(root)?;
        access::enter(&site, Intent::Change)?;
        contradicts(&site, new)?;
        site.make_folders()?;
        return Ok(site);
    }
    let command = match new.repository {
        Some(repository) => format!("nyala install {} --site", repository.display()),
        None => "nyala init".to_owned(),
    };
    check_new(root, &command)?;
    new.check()?;
    disk::create_dir_all(root)?;
    let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
    if new.repository.is_none() {
        make_repository(&root.join(REPOSITORY), new.branch)?;
    }
    let mut text = String::new();
    let mut set = |key: &str, value: toml::Value| text.push_str(&format!("{key} = {value}\n"));
    if let Some(repository) = new.repository {
        set("repository", repository.to_string_lossy().into_owned().into());
    }
    if let Some(branch) = new.branch {
        set("branch", branch.into());
    }
    if let Some(python) = new.python {
        set("python", python.into());
    }
    // Written down, so that the choice is seen and does not change when uv comes or goes.
    if let Some(installer) = new.installer.or_else(|| uv_that_works().map(|_| Installer::Uv)) {
        set("installer", installer.name().into());
    }
    if new.strict {
        check_git()?;
        set("strict", true.into());
    }
    if !text.is_empty() {
        text.push('\n');
    }
    // The settings make the folder a site, so they come last: an incomplete one is created again.
    let template =
        if new.has_address { address::with_free(SETTINGS, &root) } else { SETTINGS.to_owned() };
    disk::write_atomic(&root.join(SETTINGS_FILE), format!("{text}{template}").as_bytes(), 0o644)?;
    let site = Site::open(&root)?;
    site.make_folders()?;
    Ok(site)
}

/// What installing the hook did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    Already,
    New,
    /// There was another hook, which is kept here and still runs.
    Kept(PathBuf),
}

/// Puts the post-receive hook into a bare repository, and the proc-receive hook of a strict site,
/// or takes that one away from a site that is strict no more. Lets pushes carry options.
pub fn install_hook(repository: &Path, site: &Site) -> Result<Installed> {
    // Opening it says whether it is a bare repository at all, and of which kind.
    Repository::open(repository)?;
    check_folders_are_own(repository, site)?;
    let hooks = hooks_folder(repository)?;
    let mut config = LocalConfig::read(repository)?;
    config.set_new("receive.advertisePushOptions", "true");
    for (id, _) in TOLERATED {
        config.set_new(&format!("receive.fsck.{id}"), "ignore");
    }
    // What nyala writes there is history; a `git push --mirror` would delete it.
    for refs in ["refs/deployments", "refs/notes/deployments"] {
        config.add_new("receive.hideRefs", refs);
    }
    disk::create_dir_all(&hooks)?;
    let strict = install_strict_hook(&mut config, repository, &hooks, site)?;
    config.write()?;
    let text = hook_text(HOOK, site)?;
    let hook = hooks.join("post-receive");
    let there = disk::read(&hook).ok();
    if there.as_deref() == Some(text.as_bytes()) && is_executable(&hook) {
        return Ok(if strict { Installed::New } else { Installed::Already });
    }
    let mut installed = Installed::New;
    if fs::symlink_metadata(&hook).is_ok() && !there.is_some_and(|bytes| is_ours(HOOK, &bytes)) {
        let kept = hooks.join(KEPT_HOOK);
        if fs::symlink_metadata(&kept).is_ok() {
            bail!(error::two_hooks(&hook, &kept));
        }
        disk::rename(&hook, &kept)?;
        installed = Installed::Kept(kept);
    }
    disk::write_atomic(&hook, text.as_bytes(), 0o755)?;
    Ok(installed)
}

/// Makes the proc-receive hook what the site's `strict` says. Returns whether anything had to
/// change.
fn install_strict_hook(
    config: &mut LocalConfig,
    repository: &Path,
    hooks: &Path,
    site: &Site,
) -> Result<bool> {
    let hook = hooks.join(STRICT_HOOK);
    let there = disk::read(&hook).ok();
    let ours = there.as_deref().is_some_and(|bytes| is_ours(STRICT_HOOK_TEXT, bytes));
    let (key, refs) = STRICT_REFS;
    if !site.settings()?.strict {
        if ours {
            // The hook goes last: with the setting and without the hook, git would refuse every
            // push.
            run(git(repository).args([
                "config",
                "--local",
                "--unset-all",
                key,
                &format!("^{refs}$"),
            ]))?;
            disk::remove_file(&hook)?;
        }
        return Ok(ours);
    }
    check_git()?;
    if !ours && fs::symlink_metadata(&hook).is_ok() {
        bail!(error::strict_hook_is_taken(&hook, &site.settings_file()));
    }
    let text = hook_text(STRICT_HOOK_TEXT, site)?;
    let changed = there.as_deref() != Some(text.as_bytes()) || !is_executable(&hook);
    if changed {
        disk::write_atomic(&hook, text.as_bytes(), 0o755)?;
    }
    Ok(config.add_new(key, refs) || changed)
}

/// git asks a proc-receive hook since 2.29 (its release notes).
fn check_git() -> Result<()> {
    let version = run(bare_git().arg("version"))?;
    let numbers: Vec<u32> = version
        .trim_start_matches("git version ")
        .split('.')
        .map_while(|number| number.parse().ok())
        .collect();
    match numbers[..] {
        [major, minor, ..] if (major, minor) >= (2, 29) => Ok(()),
        _ => bail!(error::git_is_too_old(&version)),
    }
}

/// A hook for this site: the two paths, quoted for a shell.
fn hook_text(template: &str, site: &Site) -> Result<String> {
    let binary = own_binary().context("nyala cannot find its own binary")?;
    let quoted = |path: &Path| -> Result<String> {
        // A script whose first line names a path with a line end in it does not run.
        let usual = path.to_str().filter(|text| !text.contains(char::is_control));
        let quoted = usual.and_then(|text| shlex::try_quote(text).ok());
        Ok(quoted.ok_or_else(|| error::unusual_path(path))?.into_owned())
    };
    Ok(template.replace("@NYALA@", &quoted(&binary)?).replace("@SITE@", &quoted(site.root())?))
}

/// Whether a hook is the post-receive that [`install_hook`] writes.
pub fn is_own_hook(hook: &[u8]) -> bool {
    is_ours(HOOK, hook)
}

/// A hook made from this template says so in its second line, up to the first full stop.
fn is_ours(template: &str, hook: &[u8]) -> bool {
    let mark = template.lines().nth(1).and_then(|line| line.split_inclusive('.').next());
    mark.is_some_and(|mark| String::from_utf8_lossy(hook).contains(mark))
}

/// Where git looks for this repository's hooks. A `core.hooksPath` that other repositories share is
/// not touched.
fn hooks_folder(repository: &Path) -> Result<PathBuf> {
    let own = repository.join("hooks");
    let Ok(named) = run(git(repository).args(["config", "--type=path", "core.hooksPath"])) else {
        return Ok(own);
    };
    let named = repository.join(named);
    let local = run(git(repository).args(["config", "--local", "core.hooksPath"])).is_ok();
    if !local && named != own {
        bail!(error::hooks_elsewhere(repository, &named, &own));
    }
    Ok(named)
}

fn make_repository(path: &Path, branch: Option<&str>) -> Result<()> {
    let mut init = bare_git();
    init.args(["init", "--quiet", "--bare"]).arg(path);
    run(&mut init).explain(|| error::repository_not_created(path))?;
    // A repository that a machine-wide setting gives other hooks would never run the one it is made
    // for.
    let mut config = LocalConfig::read(path)?;
    if run(git(path).args(["config", "core.hooksPath"])).is_ok() {
        config.set_new("core.hooksPath", "hooks");
    }
    // Malformed and hostile objects are refused at the door.
    config.set_new("receive.fsckObjects", "true");
    // Deleting the deploy branch leaves the site up, so there is no reason to refuse it.
    config.set_new("receive.denyDeleteCurrent", "ignore");
    config.write()?;
    if let Some(branch) = branch {
        Repository::open(path)?.set_head(branch)?;
    }
    Ok(())
}

/// Where uv is, if it runs.
fn uv_that_works() -> Option<PathBuf> {
    let environment = Environment::clean();
    let uv = find_uv(&environment)?;
    let asked = Invocation::new(&uv).arg("--version").cwd("/").environment(environment);
    process::capture(&asked).is_ok().then_some(uv)
}

/// Fails when `init` is run again with other values, which would have no effect.
fn contradicts(site: &Site, new: &New<'_>) -> Result<()> {
    let settings = site.settings()?;
    let (root, file) = (site.root(), site.settings_file());
    for (name, asked, is) in [
        ("branch", new.branch, deploy_branch(site, &settings)?),
        ("python", new.python, settings.python.clone()),
        (
            "installer",
            new.installer.map(Installer::name),
            Some(settings.installer.name().to_owned()),
        ),
    ] {
        if asked.is_some() && asked != is.as_deref() {
            bail!(error::differs(root, name, is.as_deref(), &file));
        }
    }
    if new.strict && !settings.strict {
        bail!(error::not_strict(root, &file));
    }
    if let Some(repository) = new.repository
        && site.repository(&settings) != repository
    {
        let own = site.repository(&settings).display().to_string();
        bail!(error::differs(root, "repository", Some(&own), &file));
    }
    Ok(())
}
