//! Lock files: what is read from one is pinned and stays within its lines, and what is wrong with
//! one is fit to be shown.
//!
//! The input is the lock and what else is in its tree, such as pyproject.toml, see
//! [`super::tree`].

use nyala::python::dependencies::locks::{Chosen, Lock, Requirements};
use nyala::python::dependencies::{
    Declared, InstallInput, ReadContext, Recorded, Role, Source, compare,
};
use nyala::python::version::Version;

use super::requirements::assert_without_secrets;
use super::text::{LONGEST, assert_fit_to_be_shown};
use super::tree::{MemoryTree, trees};

fn check(lock: Lock, data: &[u8]) {
    let (now, then) = trees(data, lock.file_name());
    let now = read_and_look(lock, data, &now);
    let then = then.and_then(|then| read_and_look(lock, data, &then));
    if let (Some(now), Some(then)) = (now, then) {
        for change in compare(&then.recorded, &now.recorded) {
            assert_fit_to_be_shown(&change.to_string(), LONGEST);
            assert_without_secrets(data, &change.to_string());
        }
    }
}

/// What the lock declares, the last time that it can be read: with nothing chosen, and with a group
/// and an extra.
fn read_and_look(lock: Lock, data: &[u8], tree: &MemoryTree) -> Option<Declared> {
    let mut last = None;
    for (groups, extras, frozen) in [(&[][..], &[][..], false), (&["dev"], &["web"], true)] {
        let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let reading = ReadContext {
            variable: &|_| None,
            setting_files: &[],
            python: Some(Version::new(3, 12, 1)),
            chosen: Chosen::new(&names(groups), &names(extras)),
            frozen,
        };
        match Source::lock(lock).read(tree, &reading) {
            Ok(declared) => {
                assert_is_right(data, &declared);
                last = Some(declared);
            }
            Err(error) => {
                let error = format!("{error:#}");
                assert_fit_to_be_shown(&error, LONGEST);
                assert_without_secrets(data, &error);
            }
        }
    }
    last
}

fn assert_is_right(data: &[u8], declared: &Declared) {
    let Declared { recorded, install_input, .. } = declared;
    assert!(compare(recorded, recorded).is_empty());
    let json = serde_json::to_string(recorded).expect("it can be written");
    assert_eq!(&serde_json::from_str::<Recorded>(&json).expect("it can be read"), recorded);
    assert_without_secrets(data, &json);
    let Some(InstallInput::Pinned(Requirements { parts, advice: _ })) = install_input else {
        panic!("a lock pins");
    };
    let options = parts.iter().map(|part| part.search.options(&|_| None));
    for line in options.collect::<String>().lines() {
        let (_, index) = line.split_once(' ').unwrap_or((line, "://"));
        assert!(index.contains("://") && !index.contains(' '), "{line:?}");
    }
    let mut packages = 0;
    for line in parts.iter().flat_map(|part| part.text.lines()) {
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        if line.starts_with("--trusted-host ") {
            continue;
        }
        packages += 1;
        let (requirement, hashes) = line.split_once(" --hash=").unwrap_or((line, ""));
        assert!(!requirement.contains(" -") && !requirement.starts_with('-'), "{line:?}");
        for hash in hashes.split(" --hash=") {
            assert!(!hash.contains(' '), "{line:?}");
        }
    }
    let required = recorded.lines.iter().filter(|line| line.role == Role::Requirement);
    assert_eq!(packages, required.count(), "{parts:?}");
}

macro_rules! locks {
    ($($name:ident: $lock:expr),* $(,)?) => {
        $(pub mod $name {
            use nyala::python::dependencies::locks::Lock;

            pub fn check(data: &[u8]) {
                super::check($lock, data);
            }
        })*
    };
}

locks! {
    pdm_lock: Lock::Pdm,
    pipfile_lock: Lock::Pipfile,
    poetry_lock: Lock::Poetry,
    pylock: Lock::Pylock,
    uv_lock: Lock::Uv,
}
