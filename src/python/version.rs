//! Python versions: what an interpreter is, what a site wants, and where that wish comes from.

mod nearest;

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use pep440_rs::{Prerelease, PrereleaseKind, VersionSpecifiers};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The version of one interpreter, as in `3.11.7` or `3.14.0rc1`. Ordered as PEP 440 orders
/// them: <https://packaging.python.org/en/latest/specifications/version-specifiers/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
    pub stage: Stage,
}

/// How far a version was on its way to its release; the order is the one in which `CPython`
/// publishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Alpha(u16),
    Beta(u16),
    Candidate(u16),
    Final,
}

/// The Python that a site asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// `3.11`: the newest 3.11 on the machine.
    Minor { major: u16, minor: u16 },
    /// `3.11.7`: that one and no other.
    Exact(Version),
    /// `>=3.9`, of `requires-python` (PEP 440).
    Specifiers(VersionSpecifiers),
    /// Nobody asked for one: the newest on the machine.
    Any,
}

/// Where the wanted version was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    RuntimeTxt,
    PythonVersionFile,
    AppSetting,
    /// The app setting that Azure's guides name.
    AzureSetting,
    PipfileLock,
    Pipfile,
    RequiresPython,
    /// `requires-python` of a lock file, whatever its tool calls it.
    LockFile,
    PoetryPython,
    SetupCfg,
    ToolVersions,
    Mise,
    SiteDefault,
    Newest,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a Python version: {0:?}")]
pub struct ParseVersionError(pub String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a place that a Python version comes from: {0:?}")]
pub struct ParseOriginError(pub String);

impl Version {
    /// A final release.
    pub fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch, stage: Stage::Final }
    }

    pub fn is_final(&self) -> bool {
        self.stage == Stage::Final
    }

    /// `X.Y`, as in `python3.11`.
    pub fn minor_version(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    pub(crate) fn to_pep440(self) -> pep440_rs::Version {
        let (kind, number) = match self.stage {
            Stage::Alpha(number) => (PrereleaseKind::Alpha, number),
            Stage::Beta(number) => (PrereleaseKind::Beta, number),
            Stage::Candidate(number) => (PrereleaseKind::Rc, number),
            Stage::Final => {
                return pep440_rs::Version::new(
                    [self.major, self.minor, self.patch].map(u64::from),
                );
            }
        };
        pep440_rs::Version::new([self.major, self.minor, self.patch].map(u64::from))
            .with_pre(Some(Prerelease { kind, number: u64::from(number) }))
    }
}

impl Wanted {
    /// Whether an interpreter of this version will do. A pre-release matches too; who chooses takes
    /// it last.
    pub fn matches(&self, version: &Version) -> bool {
        match self {
            Self::Minor { major, minor } => (*major, *minor) == (version.major, version.minor),
            Self::Exact(exact) => exact == version,
            Self::Specifiers(specifiers) => specifiers.contains(&version.to_pep440()),
            Self::Any => true,
        }
    }
}

/// Why a version was chosen, for a person: `runtime.txt asks for 3.11`. Takes both as text, because
/// records keep them so.
pub fn asked_for(wanted: &str, origin: &str) -> String {
    if wanted == ANY { origin.to_owned() } else { format!("{origin} asks for {wanted}") }
}

/// How [`Wanted::Any`] is written.
const ANY: &str = "any";

impl Origin {
    const ALL: [Self; 14] = [
        Self::RuntimeTxt,
        Self::PythonVersionFile,
        Self::AppSetting,
        Self::AzureSetting,
        Self::PipfileLock,
        Self::Pipfile,
        Self::RequiresPython,
        Self::LockFile,
        Self::PoetryPython,
        Self::SetupCfg,
        Self::ToolVersions,
        Self::Mise,
        Self::SiteDefault,
        Self::Newest,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::RuntimeTxt => "runtime.txt",
            Self::PythonVersionFile => ".python-version",
            Self::AppSetting => "app setting PYTHON_VERSION",
            Self::AzureSetting => "app setting WEBSITE_PYTHON_VERSION",
            Self::RequiresPython => "requires-python in pyproject.toml",
            Self::PipfileLock => "Pipfile.lock",
            Self::Pipfile => "Pipfile",
            Self::LockFile => "the lock file",
            Self::PoetryPython => "python in [tool.poetry.dependencies]",
            Self::SetupCfg => "python_requires in setup.cfg",
            Self::ToolVersions => ".tool-versions",
            Self::Mise => "mise.toml",
            Self::SiteDefault => "python in nyala.toml",
            Self::Newest => "the newest on this machine",
        }
    }
}

/// Takes `X.Y.Z` or a pre-release of it (`3.14.0a1`, `b1`, `rc1`): decimal digits only, no leading
/// zeros.
impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseVersionError(text.to_owned());
        let (release, stage) = split_stage(text).ok_or_else(refuse)?;
        match numbers(release).as_deref() {
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch, stage }),
            _ => Err(refuse()),
        }
    }
}

/// Takes `X.Y`, what [`Version`] takes, PEP 440 specifiers, or `any`: all that [`Wanted`] displays.
impl FromStr for Wanted {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(wanted) = minor_or_exact(text) {
            return Ok(wanted);
        }
        if text == ANY {
            return Ok(Self::Any);
        }
        match VersionSpecifiers::from_str(text) {
            Ok(specifiers) if !specifiers.is_empty() => Ok(Self::Specifiers(specifiers)),
            _ => Err(ParseVersionError(text.to_owned())),
        }
    }
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|origin| origin.as_str() == text)
            .ok_or_else(|| ParseOriginError(text.to_owned()))
    }
}

/// `X.Y` or what [`Version`] takes, and nothing else.
pub(super) fn minor_or_exact(text: &str) -> Option<Wanted> {
    match numbers(text).as_deref() {
        Some(&[major, minor]) => Some(Wanted::Minor { major, minor }),
        _ => text.parse().ok().map(Wanted::Exact),
    }
}

fn split_stage(text: &str) -> Option<(&str, Stage)> {
    let Some(letters) = text.find(|c: char| c.is_ascii_lowercase()) else {
        return Some((text, Stage::Final));
    };
    let (release, stage) = text.split_at(letters);
    let digits = stage.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let number = number(digits)?;
    let stage = match &stage[..stage.len() - digits.len()] {
        "a" => Stage::Alpha(number),
        "b" => Stage::Beta(number),
        "rc" => Stage::Candidate(number),
        _ => return None,
    };
    Some((release, stage))
}

fn numbers(text: &str) -> Option<Vec<u16>> {
    text.splitn(5, '.').map(number).collect()
}

/// Stricter than Rust's own parser, to which `+3` and `03` are 3.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if plain && !leading_zero { text.parse().ok() } else { None }
}

impl Display for Version {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match self.stage {
            Stage::Alpha(number) => write!(f, "a{number}"),
            Stage::Beta(number) => write!(f, "b{number}"),
            Stage::Candidate(number) => write!(f, "rc{number}"),
            Stage::Final => Ok(()),
        }
    }
}

impl Display for Wanted {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Minor { major, minor } => write!(f, "{major}.{minor}"),
            Self::Exact(version) => write!(f, "{version}"),
            Self::Specifiers(specifiers) => write!(f, "{specifiers}"),
            Self::Any => f.write_str(ANY),
        }
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! serde_as_string {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_string!(Version);
serde_as_string!(Wanted);
serde_as_string!(Origin);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn wanted(text: &str) -> Wanted {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_as_they_were_published() {
        let published = [
            "2.7.18",
            "3.9.18",
            "3.10.0",
            "3.14.0a1",
            "3.14.0b2",
            "3.14.0b10",
            "3.14.0rc1",
            "3.14.0",
        ]
        .map(version);
        assert!(published.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_is_not_strictly_a_version_is_refused() {
        for text in [
            "",
            "3",
            "3.11",
            "3.11.4.2",
            "3.011.1",
            "3.+11.1",
            " 3.11.1",
            "3.11.1 ",
            "3.11.x",
            "3.11.1rc",
            "3.11.1dev1",
            "3.11.99999",
            "3..1",
            "3.11.1rc01",
            "3.11.1rc1b1",
            "٣.١١.١",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_minor_version_matches_every_patch_of_it_and_an_exact_one_only_itself() {
        assert!(wanted("3.11").matches(&version("3.11.7")));
        assert!(wanted("3.11").matches(&version("3.11.0rc1")));
        assert!(!wanted("3.1").matches(&version("3.11.7")));
        assert!(wanted("3.11.7").matches(&version("3.11.7")));
        assert!(!wanted("3.11.7").matches(&version("3.11.8")));
    }

    #[test]
    fn specifiers_match_as_pep_440_says() {
        assert!(wanted(">=3.9, <3.13").matches(&version("3.12.1")));
        assert!(!wanted(">=3.9, <3.13").matches(&version("3.13.0")));
        assert!(wanted("==3.11.*").matches(&version("3.11.7")));
        assert!(wanted("~=3.10").matches(&version("3.13.0")));
        assert!(!wanted("!=3.11.7").matches(&version("3.11.7")));
    }

    #[test]
    fn origins_are_written_as_their_names() {
        for origin in Origin::ALL {
            let json = serde_json::to_string(&origin).unwrap();
            assert_eq!(json, format!("\"{origin}\""));
            assert_eq!(serde_json::from_str::<Origin>(&json).unwrap(), origin);
        }
    }

    #[test]
    fn what_is_wanted_survives_being_written_down() {
        for text in ["3.11", "3.11.7", "3.14.0rc1", ">=3.9, <4", "any"] {
            let json = serde_json::to_string(&wanted(text)).unwrap();
            assert_eq!(serde_json::from_str::<Wanted>(&json).unwrap(), wanted(text));
        }
    }

    proptest! {
        #[test]
        fn what_parses_displays_as_it_was_written(
            text in "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,5}((a|b|rc)[0-9]{1,2})?",
        ) {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = text.parse::<Version>();
            let _ = text.parse::<Wanted>();
        }
    }
}
