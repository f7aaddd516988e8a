//! The indexes that a lock names, and what the user's settings know of them.

use std::path::Path;

use super::uv_config::Config;
use super::{InputFile, Installer, pip_config};
use crate::console;
use crate::process::Environment;
use crate::python::dependencies::locks::{NamedIndex, Search};
use crate::text::url::{credentials, without_credentials};

/// The settings of pip and the variables of uv that name indexes.
pub(super) const OF_PIP: [&str; 3] = ["index-url", "pypi-url", "extra-index-url"];
pub(super) const OF_UV: [&str; 4] =
    ["UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"];

/// The credentials in the addresses of indexes that the user's settings name. Installers use them
/// for whatever is on the same host, and so they are for the indexes of a lock, too.
#[derive(Debug)]
pub struct Credentials(Vec<String>);

impl Credentials {
    /// Those in the settings that an installer sees in a release.
    pub fn of(
        installer: Installer,
        environment: &Environment,
        env: &Path,
        release: &Path,
    ) -> Credentials {
        // The installer's own error about a configuration that cannot be read is better.
        let of_pip = pip_config::settings(environment, env, release).unwrap_or_default();
        let of_pip = of_pip.into_iter().filter(|setting| OF_PIP.contains(&setting.name.as_str()));
        let mut values: Vec<String> = of_pip.map(|setting| setting.value).collect();
        if installer == Installer::Uv {
            let variables = OF_UV.iter().filter_map(|name| environment.get(name));
            values.extend(variables.map(|value| value.to_string_lossy().into_owned()));
            let files = Config::read(environment, release);
            values.extend(files.iter().flat_map(Config::indexes));
        }
        let addresses = values.iter().flat_map(|value| value.split_whitespace());
        let with_some = addresses.filter(|it| credentials(it.as_bytes()).next().is_some());
        Credentials(with_some.map(str::to_owned).collect())
    }

    /// An address with the credentials that are known for its host; `None` when it has some, or
    /// none are known.
    pub fn with(&self, url: &str) -> Option<String> {
        if credentials(url.as_bytes()).next().is_some() {
            return None;
        }
        let host = origin(url)?;
        let same = self.0.iter().find(|known| origin(known) == Some(host))?;
        let user = &same[credentials(same.as_bytes()).next()?.user];
        let (scheme, rest) = url.split_once("://")?;
        Some(format!("{scheme}://{user}@{rest}"))
    }
}

/// Says where the packages of a file come from, if that is one place. pip does so itself.
pub(super) fn say(file: &InputFile) {
    if let Some(Search::Only(NamedIndex { url, .. })) = &file.search {
        console::info(format_args!("From {}:", without_credentials(url)));
    }
}

/// The scheme, and the host with its port.
fn origin(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    // Before it may be the name that uv gives it.
    let scheme = scheme.rsplit('=').next()?;
    let user = credentials(url.as_bytes()).next().map(|found| &url[found.user]);
    let rest = user.map_or(rest, |user| &rest[user.len() + 1..]);
    Some((scheme, rest.split(['/', '?', '#']).next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_for_all_that_is_on_their_host() {
        let environment = Environment::empty()
            .set("PIP_EXTRA_INDEX_URL", "https://ann:x@a.example.org/simple https://b.example.org/")
            .set("PIP_CONFIG_FILE", "/dev/null")
            .set("UV_NO_CONFIG", "1")
            .set("UV_INDEX", "ours=http://tok@c.example.org:81/simple");
        let [env, release] = ["/s/envs/1", "/s/releases/1"].map(Path::new);
        let with =
            |installer, url: &str| Credentials::of(installer, &environment, env, release).with(url);
        for installer in Installer::ALL {
            assert_eq!(
                with(installer, "https://a.example.org/other").as_deref(),
                Some("https://ann:x@a.example.org/other")
            );
            for url in [
                "https://b.example.org/",
                "http://a.example.org/",
                "https://a.example.org:444/",
                "https://eve@a.example.org/",
            ] {
                assert_eq!(with(installer, url), None, "{url}");
            }
        }
        assert_eq!(
            with(Installer::Uv, "http://c.example.org:81/x").as_deref(),
            Some("http://tok@c.example.org:81/x")
        );
    }
}
