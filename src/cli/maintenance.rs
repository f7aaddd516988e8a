//! `nyala maintenance`: a page in place of the application.

mod error;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::control::{Control, Request};
use crate::disk;
use crate::site::Site;
use crate::user_error::Explain;

/// The page where nobody has one.
const PAGE: &[u8] = include_bytes!("maintenance/page.html");

/// The largest page, in bytes: nyala serve has it in memory.
const LARGEST: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Maintenance {
    /// Answer all requests with 503 and a page; deployments go on behind it
    On {
        /// A file with the page, in HTML. It is copied [default: a page of nyala's]
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
    },
    /// Show visitors the application again
    Off,
}

impl Maintenance {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        match self {
            Maintenance::On { page } => {
                let read = page.as_ref().map(|page| {
                    disk::read(page).explain(|| error::cannot_read_page(page)).map(|it| (page, it))
                });
                let page = match read.transpose()? {
                    Some((path, page)) if page.len() > LARGEST => {
                        bail!(error::page_is_too_large(path, page.len() as u64, LARGEST as u64))
                    }
                    Some((_, page)) => page,
                    None => PAGE.to_owned(),
                };
                site.set_maintenance(&page)?;
                tell(site)?;
                say!("Visitors now get a page with 503. To end this: nyala maintenance off");
            }
            Maintenance::Off => {
                let was = site.end_maintenance()?;
                tell(site)?;
                say!("{}", if was { "Visitors see the application again." } else { "It was off." });
            }
        }
        Ok(())
    }
}

/// Without a nyala serve, the next one reads it when it starts.
fn tell(site: &Site) -> Result<()> {
    if let Some(mut control) = Control::connect(site)? {
        control.ask(&Request::Maintenance, &mut |line| say!("{line}"))?;
    }
    Ok(())
}
