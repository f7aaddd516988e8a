//! What the processes of a site print: a file for each, which is renamed when it is full.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::Timestamp;

use super::printer::print;
use super::spec::Spec;
use crate::console::mask;
use crate::disk;
use crate::site::Site;
use crate::site::settings::{MOST_LOG_FILES, Run};

/// The log of the processes of one name.
#[derive(Debug)]
pub(super) struct ProcessLog {
    /// The name of the site, which standard output has of all of them.
    site: String,
    path: PathBuf,
    open: RefCell<Option<(File, u64)>>,
    /// The size at which a file is put aside, in bytes, and how many there are at most.
    bounds: Cell<(u64, u32)>,
}

impl ProcessLog {
    pub(super) fn new(site: &Site, name: &str, run: &Run) -> ProcessLog {
        let (site, path) = (site.name().into_owned(), site.process_log(name));
        let bounds = Cell::new((run.log_size, run.log_files));
        ProcessLog { site, path, open: RefCell::new(None), bounds }
    }

    /// Keeps as much as these settings want, from now on.
    pub(super) fn bound(&self, run: &Run) {
        self.bounds.set((run.log_size, run.log_files));
    }

    /// Writes a line with the time, the process and its release, to the file and to standard
    /// output. A disk that is full loses the line, and nothing else.
    pub(super) fn line(&self, process: &Spec, text: &str) {
        let text = mask::known().apply(text).into_owned();
        let now = Timestamp::now();
        let line = format!("{now:.3} {}.{} | {text}\n", process.label(), process.release);
        let written = self.write(line.as_bytes());
        print(format!("{}: {line}", self.site));
        if let Err(error) = written {
            tracing::debug!("{}: {error:#}", self.path.display());
        }
    }

    /// Whether nobody finds the file any more that is written to: it was removed, or renamed by
    /// another program that puts logs aside.
    pub(super) fn is_gone(&self) -> bool {
        let id = |found: io::Result<Metadata>| found.ok().map(|found| disk::file_id(&found));
        let is_gone =
            |(file, _): &(File, u64)| id(file.metadata()) != id(fs::symlink_metadata(&self.path));
        self.open.borrow().as_ref().is_some_and(is_gone)
    }

    /// Opens the file by its name again, which may be another one now.
    pub(super) fn begin_anew(&self) {
        self.open.take();
    }

    fn write(&self, line: &[u8]) -> Result<()> {
        let mut open = self.open.borrow_mut();
        let length = line.len() as u64;
        if let Some((_, written)) = &*open
            && written + length > self.bounds.get().0
        {
            *open = None;
            self.rotate()?;
        }
        let (file, written) = if let Some(open) = &mut *open {
            open
        } else {
            let file = disk::open_to_append(&self.path, 0o600)?;
            let written = file.metadata().map_or(0, |metadata| metadata.len());
            open.insert((file, written))
        };
        file.write_all(line)?;
        *written += length;
        Ok(())
    }

    fn rotate(&self) -> Result<()> {
        let last = self.bounds.get().1.saturating_sub(1);
        // More than the last where fewer are kept than before.
        let too_many = (last..=MOST_LOG_FILES).map(|number| rotated(&self.path, number));
        for file in too_many.filter(|file| fs::symlink_metadata(file).is_ok()) {
            disk::remove_file(&file)?;
        }
        for number in (0..last).rev() {
            let from = rotated(&self.path, number);
            if fs::symlink_metadata(&from).is_ok() {
                disk::rename(&from, &rotated(&self.path, number + 1))?;
            }
        }
        Ok(())
    }
}

/// The files in which the output of a process is, oldest first.
pub fn log_files(site: &Site, process: &str) -> Vec<PathBuf> {
    let path = site.process_log(process);
    let files = (0..=MOST_LOG_FILES).rev().map(|number| rotated(&path, number));
    files.filter(|path| path.is_file()).collect()
}

/// The file that was put aside so often: `web.log.2`, and `web.log` itself for 0.
fn rotated(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_in(folder: &Path, run: &Run) -> ProcessLog {
        let (site, path) = (String::new(), folder.join("web.log"));
        let bounds = Cell::new((run.log_size, run.log_files));
        ProcessLog { site, path, open: RefCell::new(None), bounds }
    }

    #[test]
    fn a_file_that_was_removed_or_renamed_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let log = log_in(folder.path(), &Run::default());
        assert!(!log.is_gone(), "nothing was printed yet");
        log.write(b"one\n").unwrap();
        assert!(!log.is_gone());
        let aside = folder.path().join("web.log-20260301");
        fs::rename(&log.path, &aside).unwrap();
        assert!(log.is_gone());
        log.begin_anew();
        log.write(b"two\n").unwrap();
        assert!(!log.is_gone());
        assert_eq!(fs::read(&log.path).unwrap(), b"two\n");
        fs::remove_file(&log.path).unwrap();
        assert!(log.is_gone());
    }

    #[test]
    fn a_full_file_is_put_aside_and_a_few_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::default();
        let log = log_in(folder.path(), &run);
        let half = vec![b'x'; usize::try_from(run.log_size / 2).unwrap()];
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        for _ in 0..13 {
            log.write(&half).unwrap();
        }
        assert_eq!(names(), ["web.log", "web.log.1", "web.log.2", "web.log.3", "web.log.4"]);
        let length = fs::metadata(folder.path().join("web.log.4")).unwrap().len();
        assert!(length <= run.log_size);
        for (files, expected) in [(2, &["web.log", "web.log.1"][..]), (1, &["web.log"][..])] {
            log.bound(&Run { log_files: files, log_size: 10, ..Run::default() });
            log.write(b"0123456789").unwrap();
            assert_eq!(names(), expected);
        }
        assert_eq!(fs::read(folder.path().join("web.log")).unwrap(), b"0123456789");
    }
}
