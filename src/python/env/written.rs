//! What an application wrote into its env while it ran there: corpora that a package downloads, a
//! database in site-packages. It does not go along into another env.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::marker::is_marker;

/// The files of an env that were made or changed after `since`, relative to the env and sorted.
/// Compiled files are nobody's data.
pub fn written_since(env: &Path, since: Timestamp) -> Vec<PathBuf> {
    let mut found = Vec::new();
    look(env, env, since, &mut found);
    found.sort_unstable();
    found
}

fn look(env: &Path, folder: &Path, since: Timestamp, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Ok(metadata) = entry.metadata() else { continue };
        let is_compiled = name == "__pycache__" || path.extension() == Some(OsStr::new("pyc"));
        if is_compiled || folder == env && is_marker(&name) {
            continue;
        }
        if metadata.is_dir() {
            look(env, &path, since, found);
        } else if metadata.is_file()
            // Not the time of its content, which whoever writes a file can set.
            && (metadata.ctime(), metadata.ctime_nsec())
                > (since.as_second(), i64::from(since.subsec_nanosecond()))
        {
            found.push(path.strip_prefix(env).unwrap_or(&path).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
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
}
