//! The sites that are served: found in their folders, begun, and ended when they are gone. Those
//! of other owners have a `nyala serve` of their own, which root's starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Result, bail};
use rustix::process::geteuid;
use tokio::task::{JoinHandle, spawn_local};

use super::deputy::{self, Deputy};
use super::logs::ProcessLog;
use super::manager::Manager;
use super::printer::print;
use super::served::Served;
use super::{door, error, listen, marks};
use crate::server::Server;
use crate::site::Site;
use crate::user_error::UserError;

/// So many looks in a row have to miss a site before it is gone: an editor that writes its
/// `nyala.toml` may have it away for a moment.
const MISSES: u32 = 2;

#[derive(Debug)]
struct Known {
    site: Site,
    owner: u32,
    /// How many looks have missed it since it was seen last.
    missed: u32,
}

/// What is found at the places that are to be served.
pub(super) struct Found {
    /// The sites, and whose they are.
    pub(super) sites: Vec<(Site, u32)>,
    /// The places of which nobody can say now what is there, and why.
    unseen: Vec<(PathBuf, UserError)>,
}

pub(super) struct Sites {
    places: Vec<PathBuf>,
    manager: Rc<Manager>,
    /// Whether the sites of other owners are the business of root's.
    is_deputy: bool,
    /// The sites that there are.
    known: BTreeMap<PathBuf, Known>,
    served: BTreeMap<PathBuf, Rc<Served>>,
    /// Those that are gone, while they end.
    ending: BTreeMap<PathBuf, JoinHandle<()>>,
    /// Why others are not served, as it was said.
    refused: BTreeMap<PathBuf, UserError>,
    /// Who serves the sites of each other owner.
    deputies: BTreeMap<u32, Rc<Deputy>>,
}

impl Sites {
    /// Fails when a folder that is to be looked through is not there, or may not be. A deputy is
    /// told what root has `seen`.
    pub(super) fn new(
        places: Vec<PathBuf>,
        manager: Rc<Manager>,
        seen: Option<Vec<Site>>,
    ) -> Result<Sites> {
        for place in places.iter().filter(|_| seen.is_none()) {
            Server::sites_at(place)?;
        }
        let owner = geteuid().as_raw();
        let is_deputy = seen.is_some();
        let known = |site: Site| (site.root().to_owned(), Known { site, owner, missed: 0 });
        let known = seen.into_iter().flatten().map(known).collect();
        let (served, ending, refused, deputies) = Default::default();
        Ok(Sites { places, manager, is_deputy, known, served, ending, refused, deputies })
    }

    /// Begins to serve what is new, and ends what is gone. Returns how many sites there are.
    ///
    /// What cannot be served is said once, and tried again; but whoever named just one site has
    /// nothing else to wait for.
    pub(super) fn look(&mut self) -> Result<usize> {
        self.find();
        let known: Vec<_> = self.known.values().map(|it| (it.site.clone(), it.owner)).collect();
        let own = geteuid().as_raw();
        let (own_sites, others): (Vec<_>, Vec<_>) =
            known.iter().partition(|(_, owner)| *owner == own);
        self.end_replaced();
        // One that was at the same place has its address until it has ended.
        let is_new = |site: &Site| {
            !self.served.contains_key(site.root()) && !self.ending.contains_key(site.root())
        };
        let new = own_sites.iter().map(|(site, _)| site).filter(|site| is_new(site));
        let mut new: Vec<_> = new.collect();
        // Of several that want one address, a site that visitors know comes before a new one.
        new.sort_by_key(|site| !matches!(site.live(), Ok(Some(_))));
        for site in new {
            let begun = begin(site, &self.manager);
            self.note(site, begun)?;
        }
        let mut owners = BTreeSet::new();
        for (site, owner) in others {
            if self.is_deputy {
                continue;
            }
            if own == 0 {
                owners.insert(*owner);
            } else {
                self.note(site, Err(error::of_another_user(site.root()).into()))?;
            }
        }
        for owner in &owners {
            let start = || Deputy::start(*owner, &self.places, &self.manager);
            self.deputies.entry(*owner).or_insert_with(start);
        }
        self.end_others(&own_sites, &owners);
        for site in self.served.values() {
            site.listen_if_gone();
            site.listen_once_free();
            site.start_once_it_can();
            site.begin_logs_anew(ProcessLog::is_gone);
        }
        Ok(if self.is_deputy { own_sites.len() } else { known.len() })
    }

    /// Finds out which sites there are. What cannot be looked at now is as it was.
    fn find(&mut self) {
        let Found { sites, unseen } = found(&self.places);
        self.known.values_mut().for_each(|known| known.missed += 1);
        for (site, owner) in sites {
            self.known.insert(site.root().to_owned(), Known { site, owner, missed: 0 });
        }
        let is_unseen = |root: &Path| unseen.iter().any(|(place, _)| root.starts_with(place));
        self.known
            .retain(|root, known| is_unseen(root) || (known.missed < MISSES && root.exists()));
        let is_refused = |path: &Path| unseen.iter().any(|(place, _)| place == path);
        self.refused.retain(|path, _| self.known.contains_key(path) || is_refused(path));
        for (place, error) in unseen {
            self.refuse(&place, error);
        }
    }

    /// Whether a socket that is kept is one of a site that could not be begun.
    pub(super) fn waits_for(&self, socket: &str) -> bool {
        self.known.iter().any(|(root, known)| {
            self.refused.contains_key(root) && socket.ends_with(&listen::site_suffix(&known.site))
        })
    }

    fn note(&mut self, site: &Site, begun: Result<Rc<Served>>) -> Result<()> {
        let root = site.root().to_owned();
        match begun {
            Ok(served) => {
                self.refused.remove(&root);
                self.served.insert(root, served);
            }
            Err(error) if self.places == [root.as_path()] => return Err(error),
            Err(error) => self.refuse(&root, UserError::of(&error)),
        }
        Ok(())
    }

    /// Says once why something is not served.
    fn refuse(&mut self, path: &Path, error: UserError) {
        if self.refused.get(path) != Some(&error) {
            print(format!("{}: {error}\n", path.display()));
            self.refused.insert(path.to_owned(), error);
        }
    }

    /// Ends what is served in place of another site that was made there meanwhile, or by somebody
    /// else now.
    fn end_replaced(&mut self) {
        self.ending.retain(|_, ending| !ending.is_finished());
        let is_over = |site: &Rc<Served>| {
            site.is_replaced()
                || door::open_if_gone(site).is_err_and(|error| {
                    site.say(UserError::of(&error));
                    true
                })
        };
        for (root, site) in self.served.extract_if(.., |_, site| is_over(site)) {
            print(format!("{}: what was served there is ended\n", root.display()));
            self.ending.insert(root, spawn_local(async move { site.close_for_good().await }));
        }
    }

    fn end_others(&mut self, sites: &[&(Site, u32)], owners: &BTreeSet<u32>) {
        let is_gone = |root: &Path| sites.iter().all(|(site, _)| site.root() != root);
        for (root, site) in self.served.extract_if(.., |root, _| is_gone(root)) {
            print(format!("{}: the site is gone\n", root.display()));
            self.ending.insert(root, spawn_local(async move { site.close_for_good().await }));
        }
        for (_, deputy) in self.deputies.extract_if(.., |owner, _| !owners.contains(owner)) {
            spawn_local(async move {
                deputy.stop().await;
                deputy.forget();
            });
        }
    }

    /// Returns when all others are ready for visitors, too.
    pub(super) async fn ready(&self) {
        for deputy in self.deputies.values() {
            deputy.ready().await;
        }
    }

    /// Ends everything, all at once. Returns when it has ended.
    pub(super) async fn close(self) {
        let sites =
            self.served.into_values().map(|it| spawn_local(async move { it.close().await }));
        let deputies =
            self.deputies.into_values().map(|it| spawn_local(async move { it.stop().await }));
        let closing: Vec<_> = sites.chain(deputies).chain(self.ending.into_values()).collect();
        for closing in closing {
            let _ = closing.await;
        }
    }
}

/// What is at these places. A folder that is gone has no sites any more.
pub(super) fn found(places: &[PathBuf]) -> Found {
    let mut found = Found { sites: Vec::new(), unseen: Vec::new() };
    for place in places {
        match Server::sites_at(place) {
            Ok(sites) => found.sites.extend(sites.into_iter().filter_map(|site| {
                let owner = fs::metadata(site.root()).ok()?.uid();
                Some((site, owner))
            })),
            Err(_) if is_gone(place) => {}
            Err(error) => found.unseen.push((place.clone(), UserError::of(&error))),
        }
    }
    found
}

fn is_gone(place: &Path) -> bool {
    let found = fs::metadata(place);
    found.is_err_and(|why| why.kind() == ErrorKind::NotFound)
}

fn begin(site: &Site, manager: &Rc<Manager>) -> Result<Rc<Served>> {
    let Some(lock) = site.try_serve_lock()? else { bail!(error::is_served(site.root())) };
    let left = marks::end_left_behind(site.root());
    let served = Served::new(site.clone(), lock, Rc::clone(manager));
    if left > 0 {
        served.say(format_args!("{left} processes of an earlier nyala serve were ended"));
    }
    door::open(&served)?;
    served.start_live();
    Ok(served)
}

/// What the names of this process's sockets begin with.
pub(super) fn own_prefix() -> String {
    deputy::prefix(geteuid().as_raw())
}
