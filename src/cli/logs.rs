//! `nyala logs`: what the processes of the application have printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{cluster, error};
use crate::console::{self, leaves_within};
use crate::disk;
use crate::processes::RELEASE;
use crate::serve::log_files;
use crate::site::{PROCESS_LOG, Site};

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The name of the process, or that of one in nyala ps, such as web:2 [default: all of them]
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
        let wanted = self.process.as_deref().map(Wanted::of);
        if let Some(Wanted { name, .. }) = &wanted {
            let names = names(site);
            if !names.iter().any(|known| known == name) {
                bail!(error::no_logs(name, &names));
            }
        }
        let mut followed = BTreeMap::new();
        let text = more(site, wanted.as_ref(), &mut followed)?;
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<_> = text.lines().collect();
        // Each begins with its time. Those of the same time stay as they were printed.
        lines.sort_by(|one, other| time_of(one).cmp(time_of(other)));
        for line in &lines[lines.len().saturating_sub(self.lines)..] {
            say!("{line}");
        }
        while self.follow && console::write_error().is_none() {
            // A reader who has gone is noticed although nothing is printed: over ssh, for example.
            if leaves_within(rustix::stdio::stdout(), LOOK) {
                break;
            }
            console::say(more(site, wanted.as_ref(), &mut followed)?);
        }
        Ok(())
    }
}

/// The lines that are wanted.
struct Wanted<'a> {
    name: &'a str,
    /// What they are called if they are those of one process alone, as in `nyala ps`: `web:2`.
    label: Option<&'a str>,
}

impl Wanted<'_> {
    fn of(process: &str) -> Wanted<'_> {
        match process.split_once(':') {
            Some((name, "1")) => Wanted { name, label: Some(name) },
            Some((name, _)) => Wanted { name, label: Some(process) },
            None => Wanted { name: process, label: None },
        }
    }

    /// `TIME LABEL.RELEASE | …`
    fn has(&self, line: &[u8]) -> bool {
        let Some(label) = self.label else { return true };
        let mut words = line.split(|byte| *byte == b' ');
        let rest = words.nth(1).and_then(|word| word.strip_prefix(label.as_bytes()));
        rest.is_some_and(|rest| rest.starts_with(b"."))
    }
}

fn time_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// The processes that have printed something, and those of what is live.
fn names(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.process_logs()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: BTreeSet<_> =
        names.filter_map(|name| name.strip_suffix(PROCESS_LOG).map(str::to_owned)).collect();
    let live = site.live().ok().flatten().and_then(|live| site.record(live).ok().flatten());
    let commands = live.and_then(|record| record.processes).map(|found| found.commands);
    names.extend(commands.into_iter().flatten().map(|(name, _)| name).filter(|it| it != RELEASE));
    names.into_iter().collect()
}

/// What was printed since the last look, in whole lines. A process that is new comes along.
fn more(
    site: &Site,
    wanted: Option<&Wanted<'_>>,
    followed: &mut BTreeMap<String, Followed>,
) -> Result<Vec<u8>> {
    let names = wanted.map_or_else(|| names(site), |wanted| vec![wanted.name.to_owned()]);
    let mut all = Vec::new();
    for name in names {
        let files = log_files(site, &name);
        let text = followed.entry(name).or_default().more(files)?;
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        all.extend(lines.filter(|line| wanted.is_none_or(|it| it.has(line))).flatten());
    }
    Ok(all)
}

/// What has been read of the log of a process.
#[derive(Default)]
struct Followed {
    /// The file that was the newest, read to where it ended. It stays the same when it is put
    /// aside.
    file: Option<File>,
    /// What has come of the next line.
    begun: Vec<u8>,
}

impl Followed {
    /// What has come since the last time. `files` are those there are, the oldest first.
    fn more(&mut self, files: Vec<PathBuf>) -> Result<Vec<u8>> {
        let newer = self.newer(files)?;
        let mut text = std::mem::take(&mut self.begun);
        for mut file in self.file.take().into_iter().chain(newer) {
            file.read_to_end(&mut text).context("cannot read a log")?;
            self.file = Some(file);
        }
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.begun = text.split_off(whole);
        Ok(text)
    }

    /// The files that came after the one that was the newest, the oldest first.
    fn newer(&self, files: Vec<PathBuf>) -> Result<Vec<File>> {
        let mut seen = Vec::new();
        let last = self.file.as_ref().map(id).transpose()?;
        let mut newer = Vec::new();
        // From the newest to the oldest, as they are renamed: one that is put aside meanwhile is
        // met twice, and none is missed.
        for path in files.into_iter().rev() {
            let file = match File::open(&path) {
                Err(cause) if cause.kind() == ErrorKind::NotFound => continue,
                file => file.with_context(|| format!("cannot read {}", path.display()))?,
            };
            let id = id(&file)?;
            if Some(id) == last {
                break;
            }
            if !seen.contains(&id) {
                seen.push(id);
                newer.push(file);
            }
        }
        newer.reverse();
        Ok(newer)
    }
}

fn id(file: &File) -> Result<(u64, u64)> {
    Ok(disk::file_id(&file.metadata().context("cannot read a log")?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn nothing_is_lost_when_logs_are_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = |number: usize| folder.path().join(format!("web.log.{number}"));
        let files = || (0..5).rev().map(path).filter(|path| path.is_file()).collect();
        let write = |text: &str| {
            let file = File::options().append(true).create(true).open(path(0));
            file.unwrap().write_all(text.as_bytes()).unwrap();
        };
        let rotate = || {
            for number in (0..4).rev().filter(|number| path(*number).is_file()) {
                fs::rename(path(number), path(number + 1)).unwrap();
            }
        };
        let mut followed = Followed::default();
        let mut more = || String::from_utf8(followed.more(files()).unwrap()).unwrap();
        assert_eq!(more(), "");
        write("a\nb");
        assert_eq!(more(), "a\n");
        write("c\nd\n");
        rotate();
        assert_eq!(more(), "bc\nd\n");
        write("e\n");
        rotate();
        write("f\n");
        rotate();
        write("g\n");
        assert_eq!((more().as_str(), more().as_str()), ("e\nf\ng\n", ""));
        for line in ["h", "i", "j", "k", "l", "m"] {
            rotate();
            write(line);
            write("\n");
        }
        // Older ones are not kept.
        assert_eq!(more(), "i\nj\nk\nl\nm\n");
    }

    #[test]
    fn lines_of_one_process_are_known_by_their_label() {
        let has = |process: &str, line: &str| Wanted::of(process).has(line.as_bytes());
        let (first, second) = ("T web.7 | x", "T web:2.7 | web.7");
        assert!(has("web", first) && has("web", second));
        assert!(has("web:1", first) && !has("web:1", second));
        assert!(!has("web:2", first) && has("web:2", second));
        assert!(!has("web:2", "T web:20.7 | x"));
    }
}
