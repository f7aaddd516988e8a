//! `nyala serve`: runs applications, and hands them their requests.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::access::{self, Intent};
use crate::serve;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Sites, or folders that contain sites [default: the site that contains the working directory]
    #[arg(value_name = "SITE|FOLDER")]
    places: Vec<PathBuf>,
}

impl Serve {
    pub(super) fn run(&self, named: Option<&Path>) -> Result<()> {
        let places = if self.places.is_empty() {
            vec![Site::find(named)?.root().to_owned()]
        } else {
            self.places
                .iter()
                .map(|place| place.canonicalize().unwrap_or_else(|_| place.clone()))
                .collect()
        };
        // What runs belongs to the owner of the site. Several owners take several of these.
        for place in places.iter().filter(|place| Site::is_at(place)) {
            access::enter(&Site::open(place)?, Intent::Change)?;
        }
        serve::run(&places)
    }
}
