//! Where an image goes: a folder, a registry, or both.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::base::split_tag;
use super::error;
use crate::registry::{Reference, is_tag};
use crate::site::settings::Image;
use crate::user_error::UserError;

/// A folder, and the tag that the image gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub folder: PathBuf,
    pub tag: Option<String>,
}

impl FromStr for Output {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Output, UserError> {
        let (folder, tag) = split_tag(text);
        if let Some(tag) = tag.as_ref().filter(|tag| !is_tag(tag)) {
            return Err(error::not_a_tag(tag));
        }
        Ok(Output { folder: PathBuf::from(folder), tag })
    }
}

/// A repository of a registry: the one that is named, or that of nyala.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Named(String),
    OfSettings,
}

impl From<&str> for Target {
    fn from(text: &str) -> Target {
        if text.is_empty() { Target::OfSettings } else { Target::Named(text.to_owned()) }
    }
}

impl Target {
    /// The repository, and the tag if one is named.
    pub(super) fn reference(&self, settings: &Image) -> Result<Reference> {
        let text = match (self, &settings.repository) {
            (Target::Named(text), _) | (Target::OfSettings, Some(text)) => text,
            (Target::OfSettings, None) => bail!(error::no_repository()),
        };
        let reference: Reference = text.parse()?;
        if reference.digest.is_some() {
            bail!(error::digest_in_target(text));
        }
        // Nobody may push to what Docker itself publishes.
        if reference.name().starts_with("docker.io/library/") {
            bail!(error::no_registry(text));
        }
        Ok(reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_after_the_folder() {
        let output = |text: &str| {
            let Output { folder, tag } = text.parse().unwrap();
            (folder.display().to_string(), tag)
        };
        assert_eq!(output("/tmp/image"), ("/tmp/image".to_owned(), None));
        assert_eq!(output("image:1.0"), ("image".to_owned(), Some("1.0".to_owned())));
        assert_eq!(output("a:b/c"), ("a:b/c".to_owned(), None));
        assert!("image:a b".parse::<Output>().is_err());
    }
}
