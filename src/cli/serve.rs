//! `nyala serve`: runs applications, and hands them their requests.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::error;
use crate::access::{self, Intent};
use crate::serve;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Sites, or folders that contain sites [default: the site that contains the working directory]
    #[arg(value_name = "SITE|FOLDER")]
    places: Vec<PathBuf>,
    /// Only the sites of this user, for the `nyala serve` of root that starts this one
    #[arg(long, value_name = "UID", hide = true)]
    owner: Option<u32>,
}

impl Serve {
    pub(super) fn run(&self, named: Option<&Path>) -> Result<()> {
        if serve::is_first_process() {
            return serve::run_as_first_process();
        }
        let places = if self.places.is_empty() {
            vec![Site::find(named)?.root().to_owned()]
        } else {
            self.places
                .iter()
                .map(|place| place.canonicalize().unwrap_or_else(|_| place.clone()))
                .collect()
        };
        if let Some(place) = places.iter().find(|place| !place.is_dir()) {
            bail!(error::no_folder(place));
        }
        if let Some(owner) = self.owner {
            return serve::run_for(owner, &places);
        }
        // The owner of a single site needs nobody else.
        if let [place] = &places[..]
            && Site::is_at(place)
        {
            access::enter(&Site::open(place)?, Intent::Change)?;
        }
        serve::run(&places)
    }
}
