//! `nyala script`: a deployment script to start from.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::error;
use crate::disk;
use crate::settings::{deployment_file, project};

const SCRIPT: &str = include_str!("../build/deploy.sh");
const COMMAND: &str = "bash deploy.sh";

#[derive(Debug, Args)]
pub(super) struct Script {
    /// The folder of the project, which contains .deployment
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Replace an existing deploy.sh, and the command in an existing .deployment
    #[arg(long)]
    force: bool,
}

impl Script {
    pub(super) fn run(&self) -> Result<()> {
        if !self.folder.is_dir() {
            bail!(error::not_a_folder(&self.folder, "nyala script"));
        }
        let file = self.folder.join(".deployment");
        let text = match disk::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        let said = deployment_file::parse(&text)?;
        // The script runs in the application's folder, which may be below the project's.
        let application = said.get("project").and_then(project::folder).unwrap_or_default();
        let script = self.folder.join(application).join("deploy.sh");
        if !self.force {
            if let Some(command) = said.get("command").filter(|command| *command != COMMAND) {
                bail!(error::has_command(&file, command));
            }
            if fs::symlink_metadata(&script).is_ok() {
                bail!(error::script_exists(&script));
            }
        }
        let text = deployment_file::with_command(&String::from_utf8_lossy(&text), COMMAND);
        disk::write_atomic(&script, SCRIPT.as_bytes(), 0o755)?;
        disk::write_atomic(&file, text.as_bytes(), 0o644)?;
        say!("Wrote {} and {}.", script.display(), file.display());
        say!("To try it on this machine, in ./artifacts: bash deploy.sh");
        say!("To deploy with it: git add .deployment deploy.sh, then commit and push");
        Ok(())
    }
}
