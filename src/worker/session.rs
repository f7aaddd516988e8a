//! What a deployment runs may call nyala itself: an action that checks the application's health
//! goes back to the release before, a build deploys once more.
//!
//! Such a command must not wait for the deployment that runs it, which waits for the command. And
//! what it starts must not go on to start others of its kind: of two releases that are both ill,
//! each would go back to the other for ever.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Result, bail};
use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::error;
use crate::build::custom::{DEPLOYMENT_VARIABLE, SITE_VARIABLE};
use crate::process::{left_behind, trail};
use crate::site::{DeploymentId, Site};

/// The deployment of this site that runs this command, in a step or in an action, and has not ended
/// yet; `None` when there is none.
///
/// What a deployment leaves running keeps its variables for years, so they are not believed when
/// that deployment has ended.
pub fn own_deployment(site: &Site) -> Result<Option<DeploymentId>> {
    let Some(id) = claimed(site.root()) else { return Ok(None) };
    let runs = site.record(id)?.is_some_and(|record| !record.has_ended()) && site.has_worker(id)?;
    Ok(runs.then_some(id))
}

/// The deployment of this site that has started this command, which may have ended meanwhile: an
/// action need not wait for a command that it starts.
pub fn starter(site: &Site) -> Result<Option<DeploymentId>> {
    let Some(id) = claimed(site.root()) else { return Ok(None) };
    let Some(record) = site.record(id)? else { return Ok(None) };
    let began = trail::age().and_then(|age| Timestamp::now().checked_sub(age).ok());
    let is_over = record.ended_at.zip(began).is_some_and(|(ended, began)| ended < began);
    Ok((!is_over && (record.has_ended() || site.has_worker(id)?)).then_some(id))
}

/// Has this process, the worker of a deployment, and all that it starts be known as that one's.
pub(super) fn begin(site: &Site, id: DeploymentId) {
    trail::leave(number(site.root(), id));
}

/// Fails when the deployment that runs this command was itself started by one.
pub fn check_chain(site: &Site, own: Option<DeploymentId>) -> Result<()> {
    let Some(own) = own else { return Ok(()) };
    let Some(first) = site.record(own)?.and_then(|record| record.started_by) else { return Ok(()) };
    bail!(error::chain(own, first))
}

/// Fails when this command, which is about to wait for `what`, is run by a deployment of the site.
pub fn check_wait(site: &Site, what: &str) -> Result<()> {
    let Some(own) = own_deployment(site)? else { return Ok(()) };
    bail!(error::waits_for_itself(own, what))
}

fn claimed(site: &Path) -> Option<DeploymentId> {
    let mark = env::var_os(left_behind::VARIABLE);
    let by_mark = mark.as_deref().and_then(|mark| deployment_in(mark, site));
    let named = by_mark.or_else(|| {
        let is_here = env::var_os(SITE_VARIABLE).is_some_and(|named| Path::new(&named) == site);
        let id = env::var(DEPLOYMENT_VARIABLE).ok()?;
        id.parse().ok().filter(|_| is_here)
    });
    named.or_else(|| by_trail(site)).or_else(|| by_ancestors(site))
}

/// How many bits of a trail are the number of a deployment. The others tell sites apart.
const ID_BITS: u32 = 24;
const SITE_BITS: u32 = 61 - ID_BITS;

fn number(site: &Path, id: DeploymentId) -> u64 {
    let site = xxh3_64(site.as_os_str().as_bytes()) >> (64 - SITE_BITS);
    (site << ID_BITS) | (id.number() & ((1 << ID_BITS) - 1))
}

/// The deployment whose trail this process follows. Whatever a process does to forget where it
/// comes from (`env -i`, `setsid`, a parent that ends), it keeps its limits.
fn by_trail(site: &Path) -> Option<DeploymentId> {
    let found = trail::number()?;
    let id = (found & ((1 << ID_BITS) - 1)).to_string().parse().ok()?;
    (number(site, id) == found).then_some(id)
}

/// The deployment of the nearest worker of this site above this process. `sudo` and `env -i` take
/// the variables away.
fn by_ancestors(site: &Path) -> Option<DeploymentId> {
    static ABOVE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    // A push asks twice, and what has started it stays the same.
    ABOVE.get_or_init(command_lines_above).iter().find_map(|command| worker_of(command, site))
}

/// The command lines of the processes above this one, the nearest first.
fn command_lines_above() -> Vec<Vec<u8>> {
    let mut commands = Vec::new();
    let mut next = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    while let Some(pid) = next.filter(|pid| *pid > 1) {
        let Some(command) = read_at_once(&format!("/proc/{pid}/cmdline")) else { break };
        commands.push(command);
        let stat = read_at_once(&format!("/proc/{pid}/stat"));
        next = stat.and_then(|stat| parent_in(&String::from_utf8_lossy(&stat)));
    }
    commands
}

/// A file of /proc, which has no size: `fs::read` would begin with 32 bytes and call again and
/// again.
fn read_at_once(path: &str) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(4096);
    File::open(path).ok()?.take(u64::MAX).read_to_end(&mut content).ok()?;
    Some(content)
}

/// Of a worker's command line, as [`super::start`] makes it and /proc shows it.
fn worker_of(command: &[u8], site: &Path) -> Option<DeploymentId> {
    let mut words = command.split(|byte| *byte == 0).skip(1);
    let mut next = || words.next();
    if next()? != b"worker" || next()? != b"--deployment" {
        return None;
    }
    let id = std::str::from_utf8(next()?).ok()?.parse().ok()?;
    (next()? == b"--site" && next()? == site.as_os_str().as_bytes()).then_some(id)
}

/// Field 4 of `proc_pid_stat(5)`. The name, the second field, may have blanks and brackets in it.
fn parent_in(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// Of a mark `SESSION:DEPLOYMENT:SITE`.
fn deployment_in(mark: &OsStr, site: &Path) -> Option<DeploymentId> {
    let mut parts = mark.as_bytes().splitn(3, |byte| *byte == b':').skip(1);
    let id = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    (parts.next()? == site.as_os_str().as_bytes()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_known_by_its_command_line() {
        let of = |command: &str| worker_of(command.replace(' ', "\0").as_bytes(), Path::new("/s"));
        let id = Some(DeploymentId::of(7));
        assert_eq!(of("/usr/bin/nyala worker --deployment 7 --site /s "), id);
        for other in ["nyala worker --deployment 7 --site /t ", "nyala worker --deployment", "sh "]
        {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(parent_in("7 (a) b (c) S 41 7 7 0"), Some(41));
        assert_eq!(parent_in("7 (a"), None);
    }

    #[test]
    fn a_mark_names_the_deployment_of_one_site() {
        let of = |mark: &str| deployment_in(OsStr::new(mark), Path::new("/srv/a:b"));
        assert_eq!(of("4711:7:/srv/a:b"), Some(DeploymentId::of(7)));
        for other in ["4711:7:/srv/a", "4711:7", "4711:0:/srv/a:b", "x", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
