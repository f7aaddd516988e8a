//! A value, and where it came from.

use std::fmt;

/// Who set a setting. It reads as the end of a sentence: "turned off by collectstatic in
/// nyala.toml".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingSource {
    /// `git push -o`, or a flag of a command.
    Option,
    /// A key of nyala.toml.
    SiteSettings(&'static str),
    AppSetting(String),
    /// A key of .deployment.
    DeploymentFile(String),
    Default,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingSource::Option => write!(f, "an option of this deployment"),
            SettingSource::SiteSettings(key) => write!(f, "{key} in nyala.toml"),
            SettingSource::AppSetting(name) => write!(f, "the app setting {name}"),
            SettingSource::DeploymentFile(key) => write!(f, "{key} in .deployment"),
            SettingSource::Default => write!(f, "the default"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    pub value: T,
    pub source: SettingSource,
}

impl<T> Sourced<T> {
    pub fn new(value: T, source: SettingSource) -> Sourced<T> {
        Sourced { value, source }
    }

    pub fn default(value: T) -> Sourced<T> {
        Sourced { value, source: SettingSource::Default }
    }

    /// The same source for another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: change(self.value), source: self.source }
    }
}
