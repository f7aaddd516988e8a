//! The addresses of submodules, which may be relative to that of the repository they are in.

use std::path::Path;

use anyhow::{Result, bail};

use super::error::wrong_address;
use crate::git::{git, run};

/// What addresses in a repository's `.gitmodules` are relative to: its `origin` when it has one,
/// else its own path.
pub(super) fn of_repository(repository: &Path) -> String {
    run(git(repository).args(["config", "remote.origin.url"]))
        .unwrap_or_else(|_| repository.display().to_string())
}

/// An address as git takes it: `./` and `../` at its start are relative to `base`, as gitmodules(5)
/// has it.
///
/// Fails for what git would take for an option, or for one of its helpers.
pub(super) fn resolve(base: &str, url: &str) -> Result<String> {
    let problem = match url {
        "" => Some("is empty"),
        _ if url.starts_with('-') => Some("is an option, not an address"),
        _ if url.contains(char::is_control) => Some("has a control character"),
        _ if url.contains("::") => Some("names a helper of git, which is not run"),
        _ => None,
    };
    if let Some(problem) = problem {
        bail!(wrong_address(problem, url));
    }
    if !url.starts_with("./") && !url.starts_with("../") {
        return Ok(url.to_owned());
    }
    let (mut base, mut rest, mut colon) = (base.trim_end_matches('/'), url, false);
    loop {
        if let Some(above) = rest.strip_prefix("../") {
            rest = above;
            let cut = base.rfind('/').or_else(|| base.rfind(':'));
            let Some(cut) =
                cut.filter(|cut| !base[..*cut].is_empty() && !base[..*cut].ends_with(":/"))
            else {
                bail!(wrong_address(&format!("leads above {base}"), url));
            };
            colon = base.as_bytes()[cut] == b':';
            base = &base[..cut];
        } else if let Some(here) = rest.strip_prefix("./") {
            rest = here;
        } else {
            let separator = if colon { ':' } else { '/' };
            return Ok(format!("{base}{separator}{}", rest.trim_end_matches('/')));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_addresses_are_resolved_as_git_does() {
        for (base, url, expected) in [
            ("/srv/shop/repository.git", "../lib.git", "/srv/shop/lib.git"),
            ("/srv/shop.git/", "./lib", "/srv/shop.git/lib"),
            ("https://host/org/shop.git", "../../other/lib.git", "https://host/other/lib.git"),
            ("git@host:org/shop.git", "../lib.git", "git@host:org/lib.git"),
            ("git@host:shop.git", "../lib.git", "git@host:lib.git"),
            ("ssh://host/a/b", "../c/", "ssh://host/a/c"),
            ("/srv/shop.git", "https://host/lib.git", "https://host/lib.git"),
        ] {
            assert_eq!(resolve(base, url).unwrap(), expected, "{base} {url}");
        }
    }

    #[test]
    fn options_helpers_and_paths_above_the_root_are_refused() {
        for wrong in
            ["", "--upload-pack=touch x", "-u", "ext::sh -c 'touch x'", "a\nb", "../../../../x"]
        {
            assert!(resolve("/srv/shop.git", wrong).is_err(), "{wrong:?}");
        }
        assert!(resolve("https://host/x", "../../../y").is_err());
    }
}
