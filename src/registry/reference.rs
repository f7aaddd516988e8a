//! The names of images, as Docker writes them: `python:3.12-slim`,
//! `registry.example.org:5000/shop/web:1@sha256:…`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::error;
use crate::user_error::UserError;

/// The registry of names without one, what people call it, and where it really is.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

const DEFAULT_TAG: &str = "latest";

/// How a registry is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `https`; on this machine `http` if it speaks no `https`.
    Usual,
    Http,
    Https,
}

/// The name of an image or of a repository of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub scheme: Scheme,
    /// The host, with its port if it has one.
    pub registry: String,
    pub repository: String,
    pub tag: Option<String>,
    /// `sha256:` and 64 digits.
    pub digest: Option<String>,
}

impl Reference {
    /// What a manifest is asked for by: its digest, or else its tag, or else `latest`.
    pub fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or(DEFAULT_TAG)
    }

    /// The host and port to connect to.
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB { DOCKER_HUB_HOST } else { &self.registry }
    }

    /// Whether the registry is on this machine.
    pub fn is_local(&self) -> bool {
        let host = match self.registry.strip_prefix('[') {
            Some(ip) => ip.split(']').next().unwrap_or(ip),
            None => self.registry.split(':').next().unwrap_or_default(),
        };
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The name of the repository, with its registry and without a tag.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl FromStr for Reference {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Reference, UserError> {
        let wrong = || error::not_a_reference(text);
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(_) => return Err(wrong()),
            None => (Scheme::Usual, text),
        };
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        let is_host = |name: &str| name.contains(['.', ':']) || name == "localhost";
        let (registry, path) = match rest.split_once('/') {
            Some((host, path)) if is_host(host) || scheme != Scheme::Usual => (host, path),
            _ if scheme != Scheme::Usual => return Err(wrong()),
            _ => (DOCKER_HUB, rest),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        let registry = canonical(registry);
        let is_official = registry == DOCKER_HUB && !path.contains('/');
        let repository = if is_official { format!("library/{path}") } else { path.to_owned() };
        let is_right = is_host_and_port(registry)
            && is_repository(path)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        if !is_right {
            return Err(wrong());
        }
        Ok(Reference {
            scheme,
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

/// A registry by the one name that it has here: Docker Hub is known by several.
pub(super) fn canonical(registry: &str) -> &str {
    match registry {
        "index.docker.io" | DOCKER_HUB_HOST => DOCKER_HUB,
        other => other,
    }
}

/// As a person would write it.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference { scheme: _, registry, repository, tag, digest } = self;
        if registry == DOCKER_HUB {
            f.write_str(repository.strip_prefix("library/").unwrap_or(repository))?;
        } else {
            write!(f, "{registry}/{repository}")?;
        }
        if let Some(tag) = tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// See "Pulling manifests" in <https://github.com/opencontainers/distribution-spec>.
pub fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

/// Whether a text is a digest of the one kind that registries use.
pub fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
    })
}

fn is_repository(path: &str) -> bool {
    let is_part = |part: &str| {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        part.bytes().next().is_some_and(is_word)
            && part.bytes().last().is_some_and(is_word)
            && part.bytes().all(|byte| is_word(byte) || b"._-".contains(&byte))
            && !part.contains("..")
            && !part.contains("___")
    };
    path.len() <= 255 && path.split('/').all(is_part)
}

fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) if port.starts_with(':') => (host, Some(&port[1..])),
        Some(_) => return false,
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_ip = text.starts_with('[') && host.parse::<IpAddr>().is_ok();
    let is_name = !host.is_empty()
        && host.bytes().all(|it| it.is_ascii_alphanumeric() || b".-".contains(&it));
    (is_ip || is_name) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let python = parse("python:3.12-slim");
        assert_eq!(python.host(), "registry-1.docker.io");
        assert_eq!((python.repository.as_str(), python.version()), ("library/python", "3.12-slim"));
        assert_eq!(python.to_string(), "python:3.12-slim");
        let own = parse("localhost:5000/shop/web");
        assert_eq!((own.host(), own.repository.as_str()), ("localhost:5000", "shop/web"));
        assert_eq!((own.version(), own.is_local()), ("latest", true));
        let digest = format!("sha256:{}", "0a".repeat(32));
        let both = parse(&format!("ghcr.io/a/b:1@{digest}"));
        assert_eq!((both.version(), both.tag.as_deref()), (digest.as_str(), Some("1")));
        assert!(!both.is_local() && parse("[::1]:5000/a").is_local());
        assert_eq!(parse("http://registry/a").scheme, Scheme::Http);
        assert_eq!(parse("http://registry/a").registry, "registry");
        assert_eq!(parse("docker.io/me/app").to_string(), "me/app");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in [
            "",
            "Shop",
            "shop:",
            "shop web",
            "host.example/",
            "host.example/a//b",
            "host:99999/a",
            "host:0/a",
            "shop@sha256:12",
            "ftp://host/a",
            "http://a",
            "user:pw@host/a",
            "a/../b",
            "-a",
            "a\nb",
            "host.example/a?b",
        ] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong:?}");
        }
    }
}
