//! The numbers that name deployments and virtual environments.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a deployment, and of its release: 1, 2, 3 … for each site, never reused.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DeploymentId(NonZeroU64);

/// The number of a virtual environment: that of the deployment which made it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EnvId(NonZeroU64);

/// What was given is no number of a deployment or an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl DeploymentId {
    /// The number of a site's first deployment.
    pub const FIRST: DeploymentId = DeploymentId(NonZeroU64::MIN);

    /// The number that follows this one.
    #[must_use]
    pub fn next(self) -> DeploymentId {
        DeploymentId(self.0.saturating_add(1))
    }

    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// The number before this one; `None` before the first.
    pub fn previous(self) -> Option<DeploymentId> {
        NonZeroU64::new(self.0.get() - 1).map(DeploymentId)
    }

    #[cfg(test)]
    pub(crate) fn of(number: u64) -> DeploymentId {
        DeploymentId(NonZeroU64::new(number).expect("deployments are numbered from 1"))
    }
}

impl EnvId {
    /// The deployment that made this environment.
    pub fn maker(self) -> DeploymentId {
        DeploymentId(self.0)
    }

    #[cfg(test)]
    pub(crate) fn of(number: u64) -> EnvId {
        DeploymentId::of(number).into()
    }
}

impl From<DeploymentId> for EnvId {
    /// The environment that a deployment makes, if it makes one.
    fn from(maker: DeploymentId) -> EnvId {
        EnvId(maker.0)
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EnvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DeploymentId {
    type Err = NotAnId;

    /// Reads decimal digits without a sign or leading zeros, so that each number has one spelling:
    /// the name of its folder.
    fn from_str(text: &str) -> Result<DeploymentId, NotAnId> {
        let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain {
            return Err(NotAnId);
        }
        text.parse().map(DeploymentId).map_err(|_| NotAnId)
    }
}

impl FromStr for EnvId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<EnvId, NotAnId> {
        text.parse::<DeploymentId>().map(EnvId::from)
    }
}

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number is expected, such as 7")
    }
}

impl Error for NotAnId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!("7".parse(), Ok(DeploymentId::of(7)));
        assert_eq!("7".parse(), Ok(EnvId::of(7)));
        assert_eq!(u64::MAX.to_string().parse(), Ok(DeploymentId::of(u64::MAX)));
        for text in ["", "0", "07", "+7", "-7", "7 ", "7a", "٣", "18446744073709551616"] {
            assert_eq!(text.parse::<DeploymentId>(), Err(NotAnId), "{text}");
            assert_eq!(text.parse::<EnvId>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn in_json_an_id_is_a_number_and_never_zero() {
        assert_eq!(serde_json::to_string(&Some(DeploymentId::of(7))).unwrap(), "7");
        assert_eq!(serde_json::from_str::<EnvId>("7").unwrap(), EnvId::of(7));
        assert!(serde_json::from_str::<DeploymentId>("0").is_err());
    }

    #[test]
    fn an_environment_is_named_after_its_deployment() {
        let deployment = DeploymentId::FIRST.next();
        assert_eq!(EnvId::from(deployment).maker(), deployment);
        assert_eq!(deployment.previous(), Some(DeploymentId::FIRST));
        assert_eq!(DeploymentId::FIRST.previous(), None);
    }
}
