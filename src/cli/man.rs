//! `nyala man`: manual pages, generated from the commands as they are declared.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Command};
use clap_mangen::Man as Page;

use super::error;
use crate::console;
use crate::disk;

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write a page for each command to this folder [default: print the page of nyala itself]
    folder: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self, mut command: Command) -> Result<()> {
        command.build();
        let Some(folder) = &self.folder else {
            console::say(page(&command, "nyala")?);
            return Ok(());
        };
        if folder.exists() && !folder.is_dir() {
            bail!(error::not_a_folder(folder, "nyala man"));
        }
        disk::create_dir_all(folder)?;
        let mut written = 0;
        let mut waiting = vec![("nyala".to_owned(), command)];
        while let Some((title, command)) = waiting.pop() {
            let below =
                command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
            waiting.extend(
                below.map(|below| (format!("{title}-{}", below.get_name()), below.clone())),
            );
            disk::write_atomic(
                &folder.join(format!("{title}.1")),
                &page(&command, &title)?,
                0o644,
            )?;
            written += 1;
        }
        say!(
            "Wrote {written} pages to {}. To read one: man {}/nyala.1",
            folder.display(),
            folder.display()
        );
        Ok(())
    }
}

/// One page, in roff.
fn page(command: &Command, title: &str) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let titled = Page::new(command.clone()).title(title);
    titled.render(&mut page).context("cannot render the manual page")?;
    Ok(page)
}
