//! Where something comes from: a path, or a URL and what it is pinned to (pip's `link.py`).

use crate::text::url::percent_decoded;

/// Where a requirement comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequirementSource {
    /// From an index or `--find-links`, as pip finds it.
    Index,
    /// A path, relative to the folder that pip runs in; as written.
    Path(String),
    /// A URL with its fragment.
    Url(String),
}

impl RequirementSource {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            RequirementSource::Index => None,
            RequirementSource::Path(text) | RequirementSource::Url(text) => Some(text),
        }
    }
}

/// A URL, or the path that a `file:` URL of this machine names.
pub(super) fn source(text: &str) -> RequirementSource {
    let Some(rest) =
        text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:")).map(|_| &text[5..])
    else {
        return if is_url(text) {
            RequirementSource::Url(text.to_owned())
        } else {
            RequirementSource::Path(text.to_owned())
        };
    };
    let rest = rest.split(['#', '?']).next().unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => rest,
    };
    RequirementSource::Path(percent_decoded(path))
}

/// The path that a `-r` or `-c` names, or `None` for what pip fetches. There it knows no other
/// schemes than these two: it opens `ftp://x` as a file in the folder `ftp:`.
pub(super) fn included_path(reference: &str) -> Option<String> {
    match source(reference) {
        RequirementSource::Path(path) => Some(path),
        RequirementSource::Index => None,
        RequirementSource::Url(url) => {
            let scheme = url.split(':').next().unwrap_or_default();
            let is_fetched =
                ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
            (!is_fetched).then_some(url)
        }
    }
}

/// The path that a `--find-links` names, or `None` for a place on the network.
pub(in crate::python) fn local_path(reference: &str) -> Option<String> {
    match source(reference) {
        RequirementSource::Path(path) => Some(path),
        RequirementSource::Index | RequirementSource::Url(_) => None,
    }
}

/// Why what a URL gives can change while the URL stays the same, and what to do; `None` when it
/// cannot.
pub(super) fn why_mutable(url: &str, hashes: &[String]) -> Option<(&'static str, &'static str)> {
    if let Some(system) = version_control(url) {
        let full =
            |hex: &str| matches!(hex.len(), 40 | 64) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let pinned = revision(url).is_some_and(|revision| match system {
            "git" | "hg" => full(revision),
            // Revisions of Subversion are numbers, and never change.
            "svn" => revision.bytes().all(|b| b.is_ascii_digit()),
            _ => false,
        });
        return (!pinned).then_some((
            "names no fixed commit",
            "pin it to a full commit ID: …@<40 hexadecimal digits>",
        ));
    }
    let in_url = ["sha1", "sha224", "sha256", "sha384", "sha512", "md5"]
        .iter()
        .any(|name| fragment(url, name).is_some());
    (!in_url && hashes.is_empty()).then_some((
        "has no hash, and the contents of a URL can change",
        "add #sha256=<64 hexadecimal digits> to the URL",
    ))
}

/// Whether pip would take it for an archive by its name alone.
pub(super) fn is_archive(path: &str) -> bool {
    const ENDINGS: [&str; 12] = [
        ".zip",
        ".whl",
        ".tar.bz2",
        ".tbz",
        ".tar.gz",
        ".tgz",
        ".tar",
        ".tar.xz",
        ".txz",
        ".tlz",
        ".tar.lz",
        ".tar.lzma",
    ];
    let path = path.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Whether pip takes a file of this name in a `--find-links` folder into account.
pub(in crate::python) fn is_offered(name: &str) -> bool {
    is_archive(name) || name.to_ascii_lowercase().ends_with(".html")
}

pub(super) fn is_url(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else {
        return false;
    };
    let scheme = scheme.to_ascii_lowercase();
    matches!(scheme.as_str(), "http" | "https" | "ftp" | "file") || version_control(text).is_some()
}

fn version_control(url: &str) -> Option<&'static str> {
    let (scheme, _) = url.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    let system = scheme.split('+').next()?;
    // `git+git@host:path`: what comes before the colon is no scheme then, but begins like one.
    ["git", "hg", "svn", "bzr"].into_iter().find(|known| *known == system)
}

/// What stands after the last `@` of a URL's path.
fn revision(url: &str) -> Option<&str> {
    let url = url.split(['#', '?']).next()?;
    let path = match url.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => url.split_once(':')?.1,
    };
    path.rsplit_once('@').map(|(_, revision)| revision)
}

pub(super) fn without_revision(url: &str) -> &str {
    let bare = url.split('#').next().unwrap_or(url);
    match (version_control(url), revision(url)) {
        (Some(_), Some(revision)) => {
            bare.strip_suffix(revision).and_then(|url| url.strip_suffix('@')).unwrap_or(bare)
        }
        _ => bare,
    }
}

pub(super) fn fragment<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let (_, fragment) = url.split_once('#')?;
    fragment
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_commit_id_or_a_hash_is_fixed() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        for url in [
            format!("git+https://h/r.git@{id}"),
            format!("git+ssh://git@h/r@{id}#egg=x"),
            format!("git+git@h:r@{id}"),
            format!("hg+https://h/r@{id}"),
            format!("git+https://h/r@{id}{}", &id[..24]),
            "svn+https://h/r@123".to_owned(),
            "https://h/a.zip#egg=a&sha256=00".to_owned(),
        ] {
            assert_eq!(why_mutable(&url, &[]), None, "{url}");
        }
        for url in [
            "git+https://h/r.git".to_owned(),
            "git+https://h/r.git@main".to_owned(),
            format!("git+https://{id}@h/r.git"),
            format!("git+https://h/r.git@{}", &id[..12]),
            "bzr+https://h/r@12".to_owned(),
            "https://h/a.zip".to_owned(),
            "https://h/a.zip#egg=a".to_owned(),
        ] {
            assert!(why_mutable(&url, &[]).is_some(), "{url}");
        }
        assert_eq!(why_mutable("https://h/a.zip", &["sha256:00".into()]), None);
    }
}
