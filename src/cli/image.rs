//! `nyala image`.

use anyhow::Result;
use clap::Args;

use crate::console;
use crate::image::{Made, Output, Request, Target, make};
use crate::site::{DeploymentId, Site};

#[derive(Debug, Args)]
pub(super) struct Image {
    /// The release [default: what is live]
    #[arg(value_name = "ID")]
    release: Option<DeploymentId>,
    /// Write the image to a folder, an OCI layout, which may have other images in it
    #[arg(long, value_name = "DIR[:TAG]")]
    output: Option<Output>,
    /// Send the image to a registry [default: `repository` in nyala.toml]
    #[arg(
        long,
        value_name = "REPOSITORY[:TAG]",
        num_args = 0..=1,
        default_missing_value = "",
        hide_default_value = true
    )]
    push: Option<Target>,
    /// What to build on: an image, a folder with one, or scratch [default: `base` in nyala.toml]
    #[arg(long, value_name = "IMAGE|DIR")]
    base: Option<String>,
}

impl Image {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let Self { release, output, push, base } = self;
        let (release, output) = (*release, output.clone());
        let (push, base) = (push.clone(), base.clone());
        let _log = console::init_step();
        let made = make(site, &Request { release, output, push, base, is_new: false });
        console::settle_log();
        let Made { digest, pushed, written, .. } = made?;
        if let Some(folder) = written {
            say!("Wrote the image to {}: {digest}", folder.display());
        }
        if let Some(name) = pushed {
            say!("Sent the image to {name}@{digest}");
        }
        Ok(())
    }
}
