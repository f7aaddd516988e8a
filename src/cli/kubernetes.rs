//! `nyala kubernetes`: what is applied to a cluster.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::console;
use crate::kubernetes::{again, to_yaml};
use crate::site::{DeploymentId, Site};

#[derive(Debug, Subcommand)]
pub(super) enum Kubernetes {
    /// Print the objects of a release as YAML
    ///
    /// They are what a redeploy of it would apply: its image, with the settings of today. Something
    /// else, such as Argo CD or Flux, may apply them.
    Manifests(Manifests),
    /// Show what in the cluster would change
    ///
    /// Runs kubectl diff. Exits with 0 if nothing would change, and with 1 if something would.
    Diff(Diff),
}

#[derive(Debug, Args)]
pub(super) struct Manifests {
    /// The release [default: what is live]
    #[arg(value_name = "ID")]
    release: Option<DeploymentId>,
    /// Print also the Secret, with the values of the app settings
    #[arg(long)]
    show_secrets: bool,
    /// Print the objects without the project's patches
    #[arg(long)]
    without_patches: bool,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The release [default: what is live]
    #[arg(value_name = "ID")]
    release: Option<DeploymentId>,
}

impl Kubernetes {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        match self {
            Kubernetes::Manifests(manifests) => manifests.run(site),
            Kubernetes::Diff(diff) => again(site, diff.release, true)?.diff(site),
        }
    }
}

impl Manifests {
    fn run(&self, site: &Site) -> Result<ExitCode> {
        let rollout = again(site, self.release, !self.without_patches)?;
        if let Some(secret) = rollout.secret().filter(|_| !self.show_secrets) {
            say!("# The Secret {secret} is left out; to print it, too: --show-secrets");
        }
        console::say(to_yaml(&rollout.all_objects(self.show_secrets))?);
        Ok(ExitCode::SUCCESS)
    }
}
