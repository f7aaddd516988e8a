//! The sites that are served: found in their folders, begun, and ended when they are gone. Those
//! of other owners have a `nyala serve` of their own, which root's starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Result, bail};
use rustix::process::geteuid;
use tokio::task::spawn_local;

use super::deputy::{self, Deputy};
use super::manager::Manager;
use super::printer::print;
use super::served::Served;
use super::{door, error, process};
use crate::server::Server;
use crate::site::Site;
use crate::user_error::UserError;

pub(super) struct Sites {
    places: Vec<PathBuf>,
    manager: Rc<Manager>,
    /// Whether the sites of other owners are the business of root's.
    is_deputy: bool,
    served: BTreeMap<PathBuf, Rc<Served>>,
    /// Why others are not served, as it was said.
    refused: BTreeMap<PathBuf, UserError>,
    /// Who serves the sites of each other owner.
    deputies: BTreeMap<u32, Rc<Deputy>>,
}

impl Sites {
    /// Fails when a folder that is to be looked through is not there.
    pub(super) fn new(
        places: Vec<PathBuf>,
        manager: Rc<Manager>,
        is_deputy: bool,
    ) -> Result<Sites> {
        for place in places.iter().filter(|place| !is_deputy && !Site::is_at(place)) {
            Server::open(place)?;
        }
        let (served, refused, deputies) = Default::default();
        Ok(Sites { places, manager, is_deputy, served, refused, deputies })
    }

    /// Begins to serve what is new, and ends what is gone. Returns how many sites there are.
    ///
    /// What cannot be served is said once, and tried again; but whoever named just one site has
    /// nothing else to wait for.
    pub(super) fn look(&mut self) -> Result<usize> {
        let found = owned_sites(&self.places);
        let own = geteuid().as_raw();
        let (own_sites, others): (Vec<_>, Vec<_>) =
            found.iter().partition(|(_, owner)| *owner == own);
        for (site, _) in &own_sites {
            if !self.served.contains_key(site.root()) {
                let begun = begin(site, &self.manager);
                self.note(site, begun)?;
            }
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
        self.served.values().for_each(Served::listen_once_free);
        self.end_others(&own_sites, &owners);
        Ok(if self.is_deputy { own_sites.len() } else { found.len() })
    }

    fn note(&mut self, site: &Site, begun: Result<Rc<Served>>) -> Result<()> {
        let root = site.root().to_owned();
        match begun {
            Ok(served) => {
                self.refused.remove(&root);
                self.served.insert(root, served);
            }
            Err(error) if self.places == [root.as_path()] => return Err(error),
            Err(error) => {
                let error = UserError::of(&error);
                if self.refused.get(&root) != Some(&error) {
                    print(format!("{}: {error}\n", root.display()));
                    self.refused.insert(root, error);
                }
            }
        }
        Ok(())
    }

    fn end_others(&mut self, sites: &[&(Site, u32)], owners: &BTreeSet<u32>) {
        let is_gone = |root: &Path| sites.iter().all(|(site, _)| site.root() != root);
        self.refused.retain(|root, _| root.exists());
        for (root, site) in self.served.extract_if(.., |root, _| is_gone(root)) {
            print(format!("{}: the site is gone\n", root.display()));
            spawn_local(async move { site.close_for_good().await });
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
        let closing: Vec<_> = sites.chain(deputies).collect();
        for closing in closing {
            let _ = closing.await;
        }
    }
}

/// The sites at these places, and whose they are. A folder that is gone has no sites any more.
pub(super) fn owned_sites(places: &[PathBuf]) -> Vec<(Site, u32)> {
    let found = places.iter().flat_map(|place| Server::sites_at(place).unwrap_or_default());
    found
        .filter_map(|site| {
            let owner = fs::metadata(site.root()).ok()?.uid();
            Some((site, owner))
        })
        .collect()
}

fn begin(site: &Site, manager: &Rc<Manager>) -> Result<Rc<Served>> {
    let Some(lock) = site.try_serve_lock()? else { bail!(error::is_served(site.root())) };
    let left = process::end_left_behind(site.root());
    let served = Served::new(site.clone(), lock, Rc::clone(manager));
    if left > 0 {
        served.say(format_args!("{left} processes of an earlier nyala serve were ended"));
    }
    door::open(&served)?;
    if let Err(error) = served.start_live() {
        served.say(UserError::of(&error));
    }
    Ok(served)
}

/// What the names of this process's sockets begin with.
pub(super) fn own_prefix() -> String {
    deputy::prefix(geteuid().as_raw())
}
