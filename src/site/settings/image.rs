//! The table `[image]`: what an image of a release is made on, and where it goes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error;
use crate::registry::{Reference, is_tag};
use crate::user_error::UserError;

/// The table `[image]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// Where images are pushed to, without a tag.
    pub repository: Option<String>,
    /// The image that is built on, or a folder with one; by default [`SCRATCH`].
    pub base: Option<String>,
    /// By default, the first digits of the commit.
    pub tag: Option<String>,
    /// Such as `linux/amd64`; by default, that of this machine.
    pub platform: Option<String>,
    /// Who runs the application: the numbers of a user and a group.
    pub user: String,
    /// What else the image says of itself.
    pub labels: BTreeMap<String, String>,
}

/// The base that has nothing in it.
pub const SCRATCH: &str = "scratch";

impl Default for Image {
    fn default() -> Image {
        Image {
            repository: None,
            base: None,
            tag: None,
            platform: None,
            user: "1000:1000".to_owned(),
            labels: BTreeMap::new(),
        }
    }
}

impl Image {
    pub(super) fn check(&self) -> Result<(), UserError> {
        if let Some(repository) = &self.repository {
            let parsed: Reference =
                repository.parse().map_err(|error| in_settings(error, "repository"))?;
            if parsed.tag.is_some() || parsed.digest.is_some() {
                return Err(error::repository_with_tag(repository));
            }
        }
        if let Some(tag) = self.tag.as_ref().filter(|tag| !is_tag(tag)) {
            return Err(error::not_a_tag(tag));
        }
        if let Some(platform) = self.platform.as_ref().filter(|it| !is_platform(it)) {
            return Err(error::not_a_platform(platform));
        }
        if self.owner().is_none() {
            return Err(error::not_a_user(&self.user));
        }
        match self.labels.keys().find(|name| name.trim().is_empty()) {
            Some(_) => Err(error::label_without_name()),
            None => Ok(()),
        }
    }

    /// The numbers of the user and of the group; the group is the user's number where none is
    /// named.
    pub fn owner(&self) -> Option<(u32, u32)> {
        let (user, group) = self.user.split_once(':').unwrap_or((&self.user, &self.user));
        let number = |text: &str| {
            text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok()).flatten()
        };
        Some((number(user)?, number(group)?))
    }
}

fn in_settings(error: UserError, key: &str) -> UserError {
    error.found(format!("{key} in [image] of nyala.toml names it"))
}

fn is_platform(text: &str) -> bool {
    let parts: Vec<_> = text.split('/').collect();
    let is_word = |part: &&str| {
        !part.is_empty() && part.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
    };
    matches!(parts.len(), 2 | 3) && parts.iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    #[test]
    fn a_user_is_one_number_or_two() {
        let owner = |user: &str| {
            let settings = Settings::parse(&format!("[image]\nuser = '{user}'"));
            settings.ok().and_then(|settings| settings.image.owner())
        };
        assert_eq!(owner("33"), Some((33, 33)));
        assert_eq!(owner("1000:50"), Some((1000, 50)));
        for wrong in ["", "app", "1000:", ":5", "-1", "1:2:3", "99999999999"] {
            assert_eq!(owner(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        let error = |text: &str| Settings::parse(&format!("[image]\n{text}")).unwrap_err();
        insta::assert_snapshot!(error("repository = 'Shop'"), @"
        this is not the name of an image
        found: Shop
        found: repository in [image] of nyala.toml names it
        Write one such as registry.example.org/shop/web or python:3.12-slim
        ");
        insta::assert_snapshot!(error("repository = 'localhost:5000/shop:1'"), @r#"
        repository in [image] has a tag
        found: repository = "localhost:5000/shop:1"
        Write the tag on a line of its own: tag = "…"
        "#);
        insta::assert_snapshot!(error("tag = 'a b'"), @r#"
        tag in [image] is not a tag
        found: tag = "a b"
        Use up to 128 letters, digits, - _ and ., such as tag = "latest"
        "#);
        insta::assert_snapshot!(error("platform = 'amd64'"), @r#"
        platform in [image] is not a platform
        found: platform = "amd64"
        Write one such as platform = "linux/amd64"
        "#);
        insta::assert_snapshot!(error("user = 'app'"), @r#"
        user in [image] is not the number of a user
        found: user = "app"
        Write the numbers of a user and a group, such as user = "1000:1000"
        "#);
        insta::assert_snapshot!(error("labels = { '' = 'x' }"), @"
        labels in [image] has a label without a name
        Give it one, or remove it
        ");
        insta::assert_snapshot!(error("tags = 'x'"), @"
        unknown key `tags` in [image]
        Did you mean `tag`?
        ");
    }
}
