//! The report of a site: a page about its deployments, and needs neither a server nor a
//! script to be read.
//!
//! What people and programs wrote, such as commit messages and logs, reaches the page only through
//! [`text`], and the page forbids scripts by itself (`Content-Security-Policy`).

mod data;
mod error;
mod figures;
mod index;
mod log;
mod page;
mod reasons;
mod steps;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::console::mask;
use crate::disk;
use crate::site::Site;

pub use data::Ending;
use data::SiteData;

const PAGE: &str = "index.html";

/// The most bytes of a page, whatever the deployments are.
const LARGEST: usize = 950_000;

/// Writes the report of a site into a folder, which is made if it is missing; the path of the page.
pub fn write(site: &Site, folder: &Path) -> Result<PathBuf> {
    know_secrets(site);
    let data = SiteData::of(site, None)?;
    write_page(folder, &page::page(&data, LARGEST))
}

/// Writes the report of a site into the site itself, for a deployment that is about to end as its
/// `ending` says.
pub fn refresh(site: &Site, ending: &Ending<'_>) -> Result<()> {
    let data = SiteData::of(site, Some(ending))?;
    write_page(&site.report(), &page::page(&data, LARGEST)).map(drop)
}

/// Writes the reports of several sites, each into a folder of its name, and a page that leads to
/// them; the path of that page.
pub fn write_all(sites: &[Site], folder: &Path) -> Result<PathBuf> {
    make_folder(folder)?;
    let mut rows = Vec::new();
    for site in sites {
        know_secrets(site);
        let data = SiteData::of(site, None)?;
        write_page(&folder.join(&data.folder), &page::page(&data, LARGEST))?;
        rows.push(index::Row::of(&data));
    }
    write_page(folder, &index::page(&rows))
}

/// Secrets are masked when a log or a record is written; this is for those that were not known
/// then. Settings that cannot be read are in no one's way.
fn know_secrets(site: &Site) {
    if let Ok(settings) = site.app_settings() {
        mask::know(settings.secrets());
    }
}

/// Replaces the page in a folder. No link is followed: what is in the folder may lead elsewhere.
fn write_page(folder: &Path, html: &str) -> Result<PathBuf> {
    make_folder(folder)?;
    let path = folder.join(PAGE);
    if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        bail!(error::in_the_way(&path));
    }
    disk::write_atomic(&path, html.as_bytes(), 0o644)?;
    Ok(path)
}

fn make_folder(folder: &Path) -> Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => bail!(error::in_the_way(folder)),
        Err(_) => {
            disk::create_dir_all(folder)?;
            disk::set_mode(folder, 0o755)
        }
    }
}

/// Whether a site keeps its report fresh. Broken settings say nothing of it.
pub fn is_wanted(site: &Site) -> bool {
    site.settings().is_ok_and(|settings| settings.report)
}
