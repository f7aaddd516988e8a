//! `nyala report`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use clap::Args;

use super::{error, say_warning};
use crate::report;
use crate::server::Server;
use crate::site::Site;

/// Programs that open a page in the browser of whoever is at this machine, after `$BROWSER`.
const OPENERS: [&str; 3] = ["xdg-open", "open", "wslview"];

#[derive(Debug, Args)]
pub(super) struct Report {
    /// The folder to write to [default: report/ in the site, or in the folder of --all]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Write a report of every site in a folder, and a page that leads to them
    #[arg(long, value_name = "FOLDER", conflicts_with = "site")]
    all: Option<PathBuf>,
    /// Open the page in a browser
    #[arg(long)]
    open: bool,
}

impl Report {
    /// Whether it writes into the site.
    pub(super) fn changes(&self) -> bool {
        self.output.is_none() && self.all.is_none()
    }

    pub(super) fn run(&self, site: &dyn Fn() -> Result<Site>) -> Result<()> {
        let page = if let Some(folder) = &self.all {
            if !folder.is_dir() {
                bail!(error::no_folder(folder));
            }
            let output = self.output.clone().unwrap_or_else(|| folder.join("report"));
            report::write_all(&Server::sites_at(folder)?, &output)?
        } else {
            // Root becomes the owner of the site before it writes.
            let site = site()?;
            let output = self.output.clone().unwrap_or_else(|| site.report());
            report::write(&site, &output)?
        };
        say!("{}", page.display());
        if self.open {
            open(&page);
        }
        Ok(())
    }
}

/// Opens a page. It has been written whether a browser is there or not.
fn open(page: &Path) {
    let page = page.canonicalize().unwrap_or_else(|_| page.to_owned());
    let own = std::env::var("BROWSER").ok().filter(|browser| !browser.is_empty());
    let is_opened = own.as_deref().into_iter().chain(OPENERS).any(|program| {
        let quiet = || Stdio::null();
        let started = Command::new(program)
            .arg(&page)
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .status();
        started.is_ok_and(|status| status.success())
    });
    if !is_opened {
        say_warning(&format!("no browser could be started; open {}", page.display()));
    }
}
