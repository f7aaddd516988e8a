//! What an image runs on: an operating system and a processor.

use std::fmt;

use anyhow::{Result, bail};
use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex};

use super::error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) variant: Option<String>,
}

impl Platform {
    /// That of this machine, by Go's names, which images use.
    pub(super) fn here() -> Platform {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "aarch64" => ("arm64", None),
            "x86" => ("386", None),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        let os = std::env::consts::OS.to_owned();
        Platform { os, architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// The platform that a setting names, which must be that of this machine: the env was made on
    /// it.
    pub(super) fn parse(text: &str) -> Result<Platform> {
        let mut parts = text.split('/').map(str::to_owned);
        let (os, architecture) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let platform = Platform { os, architecture, variant: parts.next() };
        let here = Platform::here();
        if platform.os != here.os || platform.architecture != here.architecture {
            bail!(error::other_platform(text, &here.to_string()));
        }
        Ok(platform)
    }

    pub(super) fn of(config: &ImageConfiguration) -> Platform {
        Platform {
            os: config.os().to_string(),
            architecture: config.architecture().to_string(),
            variant: config.variant().clone(),
        }
    }

    /// Whether what is for the other platform runs on this one.
    pub(super) fn runs(&self, other: &Platform) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant == other.variant || self.variant.is_none() || other.variant.is_none())
    }

    /// The image of a list that is for this platform.
    pub(super) fn pick(&self, named: &str, index: &ImageIndex) -> Result<Descriptor> {
        let known: Vec<(Platform, &Descriptor)> = index
            .manifests()
            .iter()
            .filter_map(|entry| {
                let of = entry.platform().as_ref()?;
                let platform = Platform {
                    os: of.os().to_string(),
                    architecture: of.architecture().to_string(),
                    variant: of.variant().clone(),
                };
                Some((platform, entry))
            })
            .collect();
        let exact = known.iter().find(|(platform, _)| platform == self);
        let found = exact.or_else(|| known.iter().find(|(platform, _)| self.runs(platform)));
        if let Some((_, entry)) = found {
            return Ok((*entry).clone());
        }
        // One without a platform may be for this one: its configuration says so.
        let mut unknown = index.manifests().iter().filter(|entry| entry.platform().is_none());
        if let (Some(only), None) = (unknown.next(), unknown.next()) {
            return Ok(only.clone());
        }
        let known: Vec<_> = known
            .iter()
            .map(|(platform, _)| platform.to_string())
            .filter(|platform| !platform.contains("unknown"))
            .collect();
        bail!(error::wrong_platform(named, &known.join(", "), &self.to_string()))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_for_this_platform_is_picked() {
        let entry = |os: &str, architecture: &str, digit: char| {
            let digest = digit.to_string().repeat(64);
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": format!("sha256:{digest}"),
                "size": 1,
                "platform": {"os": os, "architecture": architecture},
            })
        };
        let index = |entries: Vec<serde_json::Value>| -> ImageIndex {
            let json = serde_json::json!({"schemaVersion": 2, "manifests": entries});
            serde_json::from_value(json).unwrap()
        };
        let here = Platform::here();
        let own = entry(&here.os, &here.architecture, 'b');
        let all = index(vec![entry("linux", "mips", 'a'), own]);
        let picked = here.pick("python", &all).unwrap();
        assert!(picked.digest().to_string().ends_with('b'));
        let error = here.pick("python", &index(vec![entry("linux", "mips", 'a')])).unwrap_err();
        assert!(error.to_string().contains("linux/mips"), "{error}");
        let mut unnamed = entry("", "", 'c');
        unnamed.as_object_mut().unwrap().remove("platform");
        let attested = index(vec![entry("unknown", "unknown", 'a'), unnamed]);
        assert!(here.pick("python", &attested).unwrap().digest().to_string().ends_with('c'));
        assert!(Platform::parse("linux/mips").is_err());
        assert_eq!(Platform::parse(&here.to_string()).unwrap(), here);
    }
}
