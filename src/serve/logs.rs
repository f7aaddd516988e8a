//! What the processes of a site print: a file for each, which is renamed when it is full.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::Timestamp;

use super::printer::print;
use super::spec::Spec;
use crate::console::mask;
use crate::disk;
use crate::site::Site;

/// The size at which a file is put aside, in bytes, and how many are kept beside it.
const FULL: u64 = 10 << 20;
const KEPT: usize = 4;

/// The log of the processes of one name.
#[derive(Debug)]
pub(super) struct ProcessLog {
    path: PathBuf,
    open: RefCell<Option<(File, u64)>>,
}

impl ProcessLog {
    pub(super) fn new(site: &Site, name: &str) -> ProcessLog {
        ProcessLog::at(site.process_log(name))
    }

    fn at(path: PathBuf) -> ProcessLog {
        ProcessLog { path, open: RefCell::new(None) }
    }

    /// Writes a line with the time, the process and its release, to the file and to standard
    /// output. A disk that is full loses the line, and nothing else.
    pub(super) fn line(&self, process: &Spec, text: &str) {
        let text = mask::known().apply(text).into_owned();
        let now = Timestamp::now();
        let line = format!("{now:.3} {}.{} | {text}\n", process.label(), process.release);
        let written = self.write(line.as_bytes());
        print(line);
        if let Err(error) = written {
            tracing::debug!("{}: {error:#}", self.path.display());
        }
    }

    /// Opens the file by its name again, which may be another one now.
    pub(super) fn begin_anew(&self) {
        self.open.take();
    }

    fn write(&self, line: &[u8]) -> Result<()> {
        let mut open = self.open.borrow_mut();
        let length = line.len() as u64;
        if let Some((_, written)) = &*open
            && written + length > FULL
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
        for number in (0..KEPT).rev() {
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
    let files = (0..=KEPT).rev().map(|number| rotated(&path, number));
    files.filter(|path| path.is_file()).collect()
}

/// The file that was put aside so often: `web.log.2`, and `web.log` itself for 0.
fn rotated(path: &Path, number: usize) -> PathBuf {
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

    #[test]
    fn a_full_file_is_put_aside_and_five_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = ProcessLog::at(folder.path().join("web.log"));
        let line = vec![b'x'; usize::try_from(FULL / 2).unwrap()];
        for _ in 0..13 {
            log.write(&line).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["web.log", "web.log.1", "web.log.2", "web.log.3", "web.log.4"]);
        assert!(fs::metadata(folder.path().join("web.log.4")).unwrap().len() <= FULL);
    }
}
