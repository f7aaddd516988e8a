//! `nyala serve`: runs the applications of sites, and hands them the requests of their visitors.
//!
//! Everything is on one thread, and a site shares nothing with another one. Visitors' connections
//! end here; each request is given to the release that is live at that moment. So a switch is one
//! pointer, and a connection that is kept alive goes on across it.

mod address;
mod backend;
mod bind;
mod body;
mod bounds;
mod channel;
mod conversation;
mod deputy;
mod door;
mod ending;
mod error;
mod first_process;
mod headers;
mod health;
mod hold;
mod linger;
mod listen;
mod logs;
mod manager;
mod marks;
mod memory;
mod pause;
mod port;
mod printer;
mod process;
mod proxy;
mod release;
mod scale;
mod served;
mod signals;
mod sites;
mod spec;
mod statistics;
mod stopped;
mod switch;
mod taken;
mod troubles;
mod upstream;
mod watch;
mod websocket;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{DumpableBehavior, geteuid, set_dumpable_behavior};
use sd_notify::NotifyState;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use crate::access::{self, Intent};
use crate::process::{bound, end_with_parent};
use crate::site::Site;
use crate::user_error::UserError;

pub use first_process::{is_first_process, run_as_first_process};
pub use logs::log_files;

use manager::Manager;
use printer::print;
use signals::Signals;
use sites::{Sites, found};

/// The least time that a process gets to end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How many files are enough for it, as in the unit.
const FILES: u64 = 65_536;

/// How many threads end processes at the same time.
const BLOCKING: usize = 8;

/// How often it is looked for new sites, and the manager is told that this process works.
const LOOK: Duration = Duration::from_secs(2);

/// How long those who serve other owners may take before visitors are said to be served.
const READY_PATIENCE: Duration = Duration::from_secs(10);

/// How often the manager is asked for more time while everything ends.
const EXTEND: Duration = Duration::from_secs(5);

/// Serves sites, and every site in folders that contain some, those too that are made later. Runs
/// until it gets SIGTERM or SIGINT, or its terminal is closed; then it ends everything that it has
/// started.
///
/// What runs belongs to the owner of each site. Root serves the sites of several owners by a
/// process for each.
pub fn run(places: &[PathBuf]) -> Result<()> {
    let manager = Manager::systemd();
    block_on(places, manager, None)
}

/// Serves the sites of one owner, for the `nyala serve` of root that has started this process: it
/// becomes one of the owner's. Must be called while it has one thread.
pub fn run_for(owner: u32, places: &[PathBuf]) -> Result<()> {
    let own = found(places).sites.into_iter().filter(|(_, found)| *found == owner);
    let sites: Vec<_> = own.map(|(site, _)| site).collect();
    let Some(site) = sites.first() else { return Ok(()) };
    access::enter(site, Intent::Change)?;
    // It may have been given to somebody else meanwhile.
    if geteuid().as_raw() != owner {
        bail!(error::of_another_user(site.root()));
    }
    // The kernel forgets the one and forbids the other when a process changes its user. Nothing of
    // root's is in it.
    end_with_parent();
    let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    block_on(places, Manager::serve()?, Some(sites))
}

fn block_on(places: &[PathBuf], manager: Manager, seen: Option<Vec<Site>>) -> Result<()> {
    bound::raise_files(FILES);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // An application may use up what its owner may start: the thread that ends it is there
        // already, and stays.
        .thread_keep_alive(Duration::MAX)
        .max_blocking_threads(BLOCKING)
        .build()
        .context("cannot start")?;
    let manager = Rc::new(manager);
    drop(runtime.spawn_blocking(|| ()));
    LocalSet::new().block_on(&runtime, async {
        let sites = Sites::new(places.to_vec(), Rc::clone(&manager), seen)?;
        serve(sites, places, &manager).await
    })
}

async fn serve(mut sites: Sites, places: &[PathBuf], manager: &Rc<Manager>) -> Result<()> {
    let mut signals = Signals::new()?;
    let mut count = sites.look()?;
    manager.forget_others(|socket| sites.waits_for(socket));
    if count == 0 {
        for place in places {
            print(format!("{}\n", error::no_site_yet(place)));
        }
    }
    let _ = timeout(READY_PATIENCE, sites.ready()).await;
    manager.tell(&[NotifyState::Ready]);
    loop {
        // From the thread on which visitors are answered: whoever hears it knows that it goes on.
        manager.tell(&[NotifyState::Status(&status(count)), NotifyState::Watchdog]);
        tokio::select! {
            () = signals.end() => break,
            () = sleep(LOOK) => {}
        }
        match sites.look() {
            Ok(found) => count = found,
            Err(error) => print(format!("{}\n", UserError::of(&error))),
        }
    }
    manager.tell(&[NotifyState::Stopping]);
    let mut closed = std::pin::pin!(sites.close());
    while timeout(EXTEND, closed.as_mut()).await.is_err() {
        // However long that takes: each site has a `grace` of its own.
        let more = u32::try_from((3 * EXTEND).as_micros()).unwrap_or(u32::MAX);
        manager.tell(&[NotifyState::ExtendTimeoutUsec(more)]);
    }
    Ok(())
}

fn status(sites: usize) -> String {
    if sites == 1 { "Serving 1 site".to_owned() } else { format!("Serving {sites} sites") }
}
