//! The settings that take one of a few words.

use serde::Deserialize;

/// What `3.11.7` means on a machine that has another patch of 3.11.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Patch {
    /// An error.
    #[default]
    Exact,
    /// The newest patch there is, with a warning.
    Newest,
}

impl Patch {
    pub fn name(self) -> &'static str {
        match self {
            Patch::Exact => "exact",
            Patch::Newest => "newest",
        }
    }
}

/// Whether a deployment installs a Python that is not on the machine. The names are uv's:
/// <https://docs.astral.sh/uv/reference/settings/#python-downloads>.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum PythonDownloads {
    /// It fails, and names the command that installs it.
    #[default]
    Never,
    /// It installs it with uv.
    Automatic,
}

impl PythonDownloads {
    pub fn name(self) -> &'static str {
        match self {
            PythonDownloads::Never => "never",
            PythonDownloads::Automatic => "automatic",
        }
    }
}

/// What a deployment does about files that the application wrote into the live release.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unshared {
    /// Goes live, and names them.
    Warn,
    /// Fails.
    Fail,
    /// Moves them to `SITE/shared` first.
    Share,
}

impl Unshared {
    pub fn name(self) -> &'static str {
        match self {
            Unshared::Warn => "warn",
            Unshared::Fail => "fail",
            Unshared::Share => "share",
        }
    }
}

/// How a deployment that ran to its end came out.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Success,
    Failure,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        }
    }
}
