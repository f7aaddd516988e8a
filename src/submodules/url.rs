//! The addresses of submodules, which may be relative to that of the repository they are in.

use std::path::Path;

use anyhow::{Result, ensure};

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
    let shown = url.escape_debug();
    ensure!(!url.is_empty(), "its address in .gitmodules is empty");
    ensure!(
        !url.starts_with('-'),
        "its address in .gitmodules is an option, not an address\nfound: {shown}"
    );
    ensure!(
        !url.contains(char::is_control),
        "its address in .gitmodules has a control character\nfound: {shown}"
    );
    ensure!(
        !url.contains("::"),
        "its address in .gitmodules names a helper of git, which is not run\nfound: {shown}"
    );
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
                anyhow::bail!("its address in .gitmodules leads above {base}\nfound: {shown}");
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
    fn what_is_no_address_is_refused() {
        for wrong in
            ["", "--upload-pack=touch x", "-u", "ext::sh -c 'touch x'", "a\nb", "../../../../x"]
        {
            assert!(resolve("/srv/shop.git", wrong).is_err(), "{wrong:?}");
        }
        assert!(resolve("https://host/x", "../../../y").is_err());
    }
}
