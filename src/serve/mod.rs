//! `nyala serve`: runs the applications of sites, and hands them the requests of their visitors.
//!
//! Everything is on one thread, and a site shares nothing with another one. Visitors' connections
//! end here; each request is given to the release that is live at that moment. So a switch is one
//! pointer, and a connection that is kept alive goes on across it.

mod backend;
mod body;
mod door;
mod error;
mod headers;
mod health;
mod listen;
mod logs;
mod memory;
mod port;
mod printer;
mod process;
mod proxy;
mod release;
mod served;
mod statistics;
mod stopped;
mod switch;
mod watch;
mod websocket;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::server::Server;
use crate::site::Site;
use crate::user_error::UserError;

pub use logs::log_files;

use printer::print;
use served::Served;

/// The least time that a process gets to end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked for new sites.
const LOOK: Duration = Duration::from_secs(2);

/// Serves sites, and every site in folders that contain some, those too that are made later. Runs
/// until it gets SIGTERM or SIGINT; then it ends everything that it has started.
pub fn run(places: &[PathBuf]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    LocalSet::new().block_on(&runtime, serve(places))
}

async fn serve(places: &[PathBuf]) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let mut sites = BTreeMap::new();
    for place in places.iter().filter(|place| !Site::is_at(place)) {
        Server::open(place)?;
    }
    look(places, &mut sites)?;
    if sites.is_empty() {
        for place in places {
            print(format!("{}\n", error::no_site_yet(place)));
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    loop {
        let status = format!("{} sites", sites.len());
        let _ = sd_notify::notify(&[NotifyState::Status(&status)]);
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = sleep(LOOK) => {}
        }
        if let Err(error) = look(places, &mut sites) {
            print(format!("{}\n", UserError::of(&error)));
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    let closing: Vec<_> = sites
        .into_values()
        .flatten()
        .map(|site: Rc<Served>| tokio::task::spawn_local(async move { site.close().await }))
        .collect();
    for site in closing {
        let _ = site.await;
    }
    Ok(())
}

/// Begins to serve what is new, and ends what is gone. A site that cannot be served is said once,
/// and is tried again when somebody has removed it.
fn look(places: &[PathBuf], sites: &mut BTreeMap<PathBuf, Option<Rc<Served>>>) -> Result<()> {
    let found = found(places)?;
    for site in &found {
        let root = site.root();
        let Entry::Vacant(new) = sites.entry(root.to_owned()) else { continue };
        let served = match begin(site) {
            Ok(served) => Some(served),
            // Whoever named just this site has nothing else to wait for.
            Err(error) if places == [root] => return Err(error),
            Err(error) => {
                let error = UserError::of(&error);
                print(format!("{}: {error}\n", root.display()));
                None
            }
        };
        new.insert(served);
    }
    let gone: Vec<_> =
        sites.keys().filter(|root| found.iter().all(|it| it.root() != *root)).cloned().collect();
    for root in gone {
        if let Some(Some(site)) = sites.remove(&root) {
            print(format!("{}: the site is gone\n", root.display()));
            tokio::task::spawn_local(async move { site.close().await });
        }
    }
    Ok(())
}

fn found(places: &[PathBuf]) -> Result<Vec<Site>> {
    let mut found = Vec::new();
    for place in places {
        if Site::is_at(place) {
            found.push(Site::open(place)?);
            continue;
        }
        // A folder that is gone has no sites any more.
        let Ok(server) = Server::open(place) else { continue };
        found.extend(server.site_names().iter().filter_map(|name| server.site(name)));
    }
    Ok(found)
}

fn begin(site: &Site) -> Result<Rc<Served>> {
    // What runs belongs to the owner of the site, whoever started this.
    let owner = fs::metadata(site.root()).context("the site cannot be looked at")?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        bail!(error::of_another_user(site.root()));
    }
    let Some(lock) = site.try_serve_lock()? else { bail!(error::is_served(site.root())) };
    let left = process::end_left_behind(site.root());
    let served = Served::new(site.clone(), lock);
    if left > 0 {
        served.say(format_args!("{left} processes of an earlier nyala serve were ended"));
    }
    door::open(&served)?;
    if let Err(error) = served.start_live() {
        served.say(UserError::of(&error));
    }
    Ok(served)
}

/// An id for a request that has none. It says nothing of the machine or the site.
fn request_id() -> String {
    let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
