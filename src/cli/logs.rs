//! `nyala logs`: what the processes of the application have printed.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{cluster, error};
use crate::console::{self, leaves_within};
use crate::disk;
use crate::serve::log_files;
use crate::site::{PROCESS_LOG, Site};

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The name of the process [default: all of them]
    process: Option<String>,
    /// Keep printing new lines, until it is interrupted
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines are printed
    #[arg(short = 'n', default_value_t = 100, value_name = "LINES")]
    lines: usize,
}

impl Logs {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        if let Some(live) = cluster::live(site)? {
            let process = self.process.as_deref();
            return cluster::print_logs(&live, process, self.lines, self.follow);
        }
        let names = names(site);
        let names = match &self.process {
            Some(process) if names.contains(process) => vec![process.clone()],
            Some(process) => bail!(error::no_logs(process, &names)),
            None => names,
        };
        let mut ends: Vec<(PathBuf, u64)> = Vec::new();
        let mut lines = Vec::new();
        for name in &names {
            for file in log_files(site, name) {
                let text =
                    disk::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
                lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
            }
            let current = site.process_log(name);
            let length = fs::metadata(&current).map_or(0, |metadata| metadata.len());
            ends.push((current, length));
        }
        // Each begins with its time.
        lines.sort();
        for line in &lines[lines.len().saturating_sub(self.lines)..] {
            say!("{line}");
        }
        if self.follow {
            follow(ends)?;
        }
        Ok(())
    }
}

fn names(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.process_logs()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> =
        names.filter_map(|name| name.strip_suffix(PROCESS_LOG).map(str::to_owned)).collect();
    names.sort();
    names
}

/// Prints what is added to files, of which one may be put aside and begun anew.
fn follow(mut files: Vec<(PathBuf, u64)>) -> Result<()> {
    while console::write_error().is_none() {
        for (path, printed) in &mut files {
            let length = fs::metadata(&*path).map_or(0, |metadata| metadata.len());
            if length < *printed {
                *printed = 0;
            }
            if length > *printed {
                *printed += print_from(path, *printed)?;
            }
        }
        // A reader who has gone is noticed although nothing is printed: over ssh, for example.
        if leaves_within(rustix::stdio::stdout(), LOOK) {
            break;
        }
    }
    Ok(())
}

fn print_from(path: &Path, start: u64) -> Result<u64> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.seek(SeekFrom::Start(start)).context("cannot read")?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).context("cannot read")?;
    // The rest of a line that is being written comes next time.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    console::say(&text[..whole]);
    Ok(whole as u64)
}
