//! What an application wrote into its env while it ran there: corpora that a package downloads, a
//! database in site-packages. It does not go along into another env.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::marker::is_marker;

/// Which time of a file says when it was written, as seconds and nanoseconds.
type Time = fn(&Metadata) -> (i64, i64);

/// The files of an env that were made or changed after `since`, relative to the env and sorted.
/// Compiled files are nobody's data.
pub fn written_since(env: &Path, since: Timestamp) -> Vec<PathBuf> {
    let since = (since.as_second(), i64::from(since.subsec_nanosecond()));
    let mut found = Vec::new();
    if let Some(time) = telling_time(env, since) {
        look(env, env, &|metadata| time(metadata) > since, &mut found);
    }
    found.sort_unstable();
    found
}

/// The time of change, which nobody can set. In an env that was copied, restored or given to
/// another user, it is new for every file: there the time of the content has to do. `None` when
/// that is new for every file, too.
fn telling_time(env: &Path, since: (i64, i64)) -> Option<Time> {
    // Written once, when the env is made.
    let Ok(oldest) = fs::symlink_metadata(env.join("pyvenv.cfg")) else { return Some(changed) };
    let times: [Time; 2] = [changed, modified];
    times.into_iter().find(|time| time(&oldest) <= since)
}

/// When a file was last changed, as seconds and nanoseconds.
pub(super) fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.ctime(), metadata.ctime_nsec())
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn look(env: &Path, folder: &Path, is_new: &dyn Fn(&Metadata) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Ok(metadata) = entry.metadata() else { continue };
        let is_compiled = name == "__pycache__" || path.extension() == Some(OsStr::new("pyc"));
        if is_compiled || folder == env && is_marker(&name) {
            continue;
        }
        if metadata.is_dir() {
            look(env, &path, is_new, found);
        } else if metadata.is_file() && is_new(&metadata) {
            found.push(path.strip_prefix(env).unwrap_or(&path).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn what_was_written_later_is_found() {
        let env = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = env.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        write("lib/a.py");
        let made = fs::metadata(env.path().join("lib/a.py")).unwrap();
        let since =
            Timestamp::new(made.ctime(), i32::try_from(made.ctime_nsec()).unwrap()).unwrap();
        assert!(written_since(env.path(), since).is_empty());
        for name in ["lib/nltk_data/words", "lib/__pycache__/a.pyc", "lib/b.pyc", "nyala.json"] {
            write(name);
        }
        let later = Timestamp::new(since.as_second() - 1, 0).unwrap();
        let found = written_since(env.path(), later);
        assert_eq!(found, [Path::new("lib/a.py"), Path::new("lib/nltk_data/words")]);
    }

    #[test]
    fn in_a_copied_env_only_what_has_new_content_is_found() {
        let env = tempfile::tempdir().unwrap();
        let since = Timestamp::new(2000, 0).unwrap();
        let write = |name: &str, second: u64| {
            let file = fs::File::create(env.path().join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        };
        write("pyvenv.cfg", 1000);
        write("a.py", 1000);
        write("words", 3000);
        assert_eq!(written_since(env.path(), since), [Path::new("words")]);
        // A copy without the times says nothing about anything.
        write("pyvenv.cfg", 3000);
        assert!(written_since(env.path(), since).is_empty());
    }
}
