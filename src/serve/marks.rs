//! How the processes of a site are found again, whatever they have started.

use std::cell::Cell;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use xxhash_rust::xxh3::xxh3_64;

use crate::process::{self, Mark, kill_marked};

/// The variable by which everything that belongs to a site's processes is found, whatever it has
/// started. Its value is `NUMBER:SITE`; the number tells the starts of one `nyala serve` apart.
const MARK: &str = "NYALA_PROCESS";

thread_local! {
    static STARTS: Cell<u64> = const { Cell::new(0) };
}

/// Kills what an earlier `nyala serve` of this site has left.
pub(super) fn end_left_behind(site: &Path) -> usize {
    kill_marked(&OfSite { site: site.to_owned(), start: None })
}

/// The number of the next start.
pub(super) fn next() -> u64 {
    let number = STARTS.get() + 1;
    STARTS.set(number);
    number
}

/// What carries the mark of a site.
pub(super) struct OfSite {
    site: PathBuf,
    /// Which start; `None` for all of them, also by other processes.
    start: Option<u64>,
}

/// How many bits of a mark are the number of a start. The others tell sites apart.
const START_BITS: u32 = 24;
const SITE_BITS: u32 = 62 - START_BITS;

impl OfSite {
    pub(super) fn start(site: &Path, number: u64) -> OfSite {
        OfSite { site: site.to_owned(), start: Some(number) }
    }

    /// Has a command carry the mark, and all that it starts.
    pub(super) fn put_on(&self, command: &mut Command) {
        let mut value = OsString::from(format!("{}:", self.start.unwrap_or_default()));
        value.push(&self.site);
        command.env(MARK, value);
        process::number(command, self.number());
    }

    /// The mark of a start; of the first one, where all are meant.
    fn number(&self) -> u64 {
        let site = xxh3_64(self.site.as_os_str().as_bytes()) >> (64 - SITE_BITS);
        let start = self.start.unwrap_or_default() & ((1 << START_BITS) - 1);
        (site << START_BITS) | start
    }
}

impl Mark for OfSite {
    fn is_variable(&self, variable: &[u8]) -> bool {
        let value = variable.strip_prefix(MARK.as_bytes()).and_then(|it| it.strip_prefix(b"="));
        let Some(value) = value else { return false };
        let mut parts = value.splitn(2, |byte| *byte == b':');
        let (start, site) = (parts.next(), parts.next());
        site == Some(self.site.as_os_str().as_bytes())
            && self.start.is_none_or(|own| start == Some(own.to_string().as_bytes()))
    }

    fn is_number(&self, number: u64) -> bool {
        let bits = if self.start.is_some() { 0 } else { START_BITS };
        number >> bits == self.number() >> bits
    }
}
