//! A difference between two sets of requirements: what it asks for, and how the log says it.

use std::fmt;

use super::record::{Found, Input, Line, MutableReference, Role};
use super::text::shown;

/// What a change requires. The greater one includes the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnvAction {
    /// Copy the env and let pip bring the copy up to date.
    Update,
    /// Make a new env.
    Create,
}

/// One difference. Its display is a reason for the log: one line, escaped, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Added(Line),
    Gone(Line),
    /// Another version: pip itself checks whether the installed one satisfies it.
    Changed {
        from: Line,
        to: Line,
    },
    /// pip would not notice that the installed one no longer satisfies it.
    Replaced {
        from: Line,
        to: Line,
        why: Vec<StaleReason>,
    },
    /// A local folder changed; pip always reinstalls folders.
    LocalFolder {
        path: String,
        /// Why a change anywhere in the tree counts.
        whole_tree: Option<String>,
    },
    /// A wheel or archive changed but kept its name; pip keeps an installed wheel of the same
    /// version.
    LocalFile {
        path: String,
    },
    /// `-e` uses a project where it is, in the release, so an older env points to an older release.
    Editable {
        path: String,
    },
    FoundAdded(Found),
    FoundChanged(Found),
    FoundGone(Found),
    MutableReference(MutableReference),
    /// A lock is installed, and the env was made of what is none: its installer has chosen packages
    /// that the lock may not have, and nothing uninstalls them.
    FirstLock {
        from: String,
        to: String,
    },
    /// A file that the installer reads beside the requirements.
    Input {
        input: Input,
        how: FileChange,
    },
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    Added,
    Changed,
    Removed,
}

/// Why pip would keep an installed package although it is no longer the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleReason {
    /// It comes from elsewhere; pip only compares versions.
    Source,
    /// Extras were removed; pip uninstalls nothing.
    Extras,
    /// Its hashes differ; pip checks what it downloads, not what is installed.
    Hashes,
    /// It is built with other options.
    Options,
    /// A masked part of the line differs: a setting it reads, or the query of a URL.
    Hidden,
    /// An option of pip.
    Option,
}

impl Change {
    /// Whether the packages that go with this change can be found by the metadata of what is
    /// installed, and be uninstalled from a copy.
    pub fn can_be_uninstalled(&self) -> bool {
        match self {
            // Of a lock, what an env has is known: one without it is made from that.
            Change::Gone(line) => {
                line.role == Role::Requirement && line.source.is_none() && !is_locked(line)
            }
            Change::Replaced { from, why, .. } => {
                why == &[StaleReason::Extras] && from.source.is_none()
            }
            _ => false,
        }
    }

    /// Whether an installer that updates an env may leave other versions in it than a new env would
    /// have. What is only added, or gone, is known by its own metadata.
    pub fn drifts(&self) -> bool {
        !matches!(self, Change::Added(_)) && !self.can_be_uninstalled()
    }

    /// The requirement that is there no more. Of one that lost an extra, its name: what it says of
    /// the version it says still.
    pub fn gone(&self) -> Option<&str> {
        match self {
            Change::Gone(line) => Some(&line.text),
            Change::Replaced { from, .. } => Some(&from.key),
            _ => None,
        }
    }

    /// What this change asks for by itself.
    pub fn env_action(&self) -> EnvAction {
        match self {
            Change::Added(line) if line.role == Role::Option && !only_offers(line) => {
                EnvAction::Create
            }
            Change::Added(_)
            | Change::Changed { .. }
            | Change::LocalFolder { .. }
            | Change::Editable { .. }
            | Change::FoundAdded(_) => EnvAction::Update,
            Change::Gone(_)
            | Change::Replaced { .. }
            | Change::LocalFile { .. }
            | Change::FoundChanged(_)
            | Change::FoundGone(_)
            | Change::MutableReference(_)
            | Change::FirstLock { .. }
            // What it said of what is installed cannot be known.
            | Change::Input { .. } => EnvAction::Create,
        }
    }
}

/// Whether an option only adds candidates. Installed packages stay valid then; after an option that
/// forbids candidates (`--no-binary`) or replaces them (`--index-url`) they may not. An unknown
/// option may do either.
fn only_offers(line: &Line) -> bool {
    const OFFERS: [&str; 6] = [
        "--extra-index-url",
        "--find-links",
        "--pre",
        "--prefer-binary",
        "--trusted-host",
        "--use-feature",
    ];
    let name = line.text.split(' ').next().unwrap_or_default();
    OFFERS.contains(&name)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Added(line) => write!(f, "{} was added ({})", what(line), place(line)),
            Change::Gone(line) if is_locked(line) => {
                write!(f, "{} is gone: nothing asks for it", what(line))
            }
            Change::Gone(line) => {
                write!(f, "{} was removed from {}", what(line), shown(&line.file))
            }
            Change::Changed { from, to } => write_change(f, from, to),
            Change::Replaced { from, to, why } => {
                write_change(f, from, to)?;
                for why in why {
                    write!(f, "; {why}")?;
                }
                Ok(())
            }
            Change::LocalFolder { path, whole_tree: Some(why) } => write!(
                f,
                "the folder {} is reinstalled after any change of the tree, because {}",
                shown(path),
                shown(why)
            ),
            Change::LocalFolder { path, whole_tree: None } => {
                write!(f, "the folder {} changed and is reinstalled", shown(path))
            }
            Change::LocalFile { path } => {
                write!(
                    f,
                    "the file {} changed but kept its name, so pip would keep the installed one",
                    shown(path)
                )
            }
            Change::Editable { path } => {
                write!(
                    f,
                    "{} is installed with -e, so the env must point to the new release",
                    shown(path)
                )
            }
            Change::FoundAdded(Found { path, id: _ }) => {
                write!(f, "{} was added to a --find-links folder", shown(path))
            }
            Change::FoundChanged(Found { path, id: _ }) => {
                write!(f, "{} changed in a --find-links folder", shown(path))
            }
            Change::FoundGone(Found { path, id: _ }) => {
                write!(f, "{} was removed from a --find-links folder", shown(path))
            }
            Change::Input { input: Input { path, by, digest: _ }, how } => {
                let how = match how {
                    FileChange::Added => "is new",
                    FileChange::Changed => "changed",
                    FileChange::Removed => "was removed",
                };
                write!(f, "{} {how} ({})", shown(path), shown(by))
            }
            Change::FirstLock { from, to } => write!(
                f,
                "{} is installed instead of {}, which left the choice of packages to the installer",
                shown(to),
                shown(from)
            ),
            Change::MutableReference(MutableReference { file, number, text, why, fix }) => {
                let line = if *number == 0 { String::new() } else { format!(" line {number}") };
                write!(
                    f,
                    "{} ({}{line}) {why}, so the environment is never reused: {fix}",
                    shown(text),
                    shown(file)
                )
            }
        }
    }
}

impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StaleReason::Source => "pip keeps an installed version even if it came from elsewhere",
            StaleReason::Extras => "pip does not uninstall what an extra brought in",
            StaleReason::Hashes => "pip does not check the hashes of installed packages",
            StaleReason::Options => "pip does not rebuild installed packages",
            StaleReason::Hidden => "a setting that it reads, or a masked part of it, changed",
            StaleReason::Option => "pip does not reselect installed packages",
        })
    }
}

fn write_change(f: &mut fmt::Formatter<'_>, from: &Line, to: &Line) -> fmt::Result {
    if from.text == to.text {
        write!(f, "{} changed ({})", what(to), place(to))
    } else if is_locked(from) && is_locked(to) && !to.version.is_empty() {
        write!(f, "{} -> {} ({})", what(from), shown(&to.version), place(to))
    } else {
        let (from, new) = (what(from), shown(&to.text));
        write!(f, "{from} -> {new} ({})", place(to))
    }
}

fn what(line: &Line) -> String {
    let kind = match line.role {
        Role::Requirement => "",
        Role::Constraint => "the constraint ",
        Role::Option => "the option ",
    };
    format!("{kind}{}", shown(&line.text))
}

/// Whether it is a package of a lock: those have no lines of their own.
fn is_locked(line: &Line) -> bool {
    line.role == Role::Requirement && line.number == 0
}

fn place(line: &Line) -> String {
    match line.number {
        0 => shown(&line.file),
        number => format!("{} line {number}", shown(&line.file)),
    }
}
