//! Where a requirement comes from: what pyproject.toml says of that, and what uv.lock keeps of it.

use toml::Value;

use super::super::super::tree_path;
use super::UvRequirement;
use crate::text::url::percent_decoded;

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Index,
    /// With the commit, tag or branch that is asked for, such as `rev=v1`.
    Git(String, Option<String>),
    Url(String),
    /// A path, relative to the folder of the lock, and whether it is editable; `None` where that is
    /// not written.
    Tree(Option<String>, Option<bool>),
    /// Not compared: several sources, or perhaps one in the workspace's pyproject.toml.
    Any,
}

/// What a source in Git may name.
const REFERENCES: [&str; 3] = ["rev", "tag", "branch"];

impl Place {
    pub(super) fn of_lock(requirement: &UvRequirement) -> Place {
        let UvRequirement { git, url, path, directory, editable, r#virtual, .. } = requirement;
        if let Some(address) = git {
            return Place::Git(without_query(address), reference(address));
        }
        if let Some(url) = url {
            return Place::Url(plain(url));
        }
        let path = [path, directory, editable, r#virtual].into_iter().flatten().next();
        let is_editable = r#virtual.is_none().then_some(editable.is_some());
        path.map_or(Place::Index, |path| Place::Tree(tree_path("", path).ok(), is_editable))
    }

    /// What `[tool.uv.sources]` of the project in this folder says. `as_member` is whether the
    /// workspace has the package as an editable one, if it is a member.
    pub(super) fn of_source(source: &Value, folder: &str, as_member: Option<bool>) -> Place {
        let text = |key: &str| source.get(key).and_then(Value::as_str);
        // For some systems or extras: uv keeps it in parts.
        let in_parts = ["marker", "extra", "group"].iter().any(|key| source.get(key).is_some());
        if in_parts || !source.is_table() {
            return Place::Any;
        }
        if let Some(address) = text("git") {
            let asked = |key: &&str| Some(format!("{key}={}", text(key)?));
            return address_of(address, |it| {
                Place::Git(without_query(it), REFERENCES.iter().find_map(asked))
            });
        }
        if let Some(url) = text("url") {
            return archive_at(url);
        }
        let is_editable = source.get("editable").and_then(Value::as_bool);
        if let Some(path) = text("path") {
            let is_relative = !path.starts_with(['/', '~']);
            let path = tree_path("", &format!("{folder}/{path}")).ok();
            return Place::Tree(path.filter(|_| is_relative), Some(is_editable.unwrap_or(false)));
        }
        // The path is that of another member.
        let is_member = source.get("workspace").is_some();
        let is_editable = as_member.or(is_editable).unwrap_or(true);
        if is_member { Place::Tree(None, Some(is_editable)) } else { Place::Index }
    }

    /// What follows the `@` of a requirement.
    pub(super) fn of_url(url: &str) -> Place {
        if !url.starts_with("git+") {
            return archive_at(url);
        }
        let address = url.split('#').next().unwrap_or_default();
        let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let asked = path.and_then(|(_, path)| path.rsplit_once('@')).map(|(_, asked)| asked);
        let without = asked.map_or(address, |asked| &address[..address.len() - asked.len() - 1]);
        address_of(without, |it| {
            Place::Git(without_query(it), asked.map(|asked| format!("rev={asked}")))
        })
    }

    /// The same, as far as it can be compared with what is wanted.
    pub(super) fn compared_with(self, wanted: &Place) -> Place {
        match (self, wanted) {
            (_, Place::Any) => Place::Any,
            (Place::Tree(path, is_editable), Place::Tree(of_wanted, as_wanted)) => {
                let path = path.filter(|_| of_wanted.is_some());
                Place::Tree(path, is_editable.or(*as_wanted))
            }
            (place, _) => place,
        }
    }
}

/// The place at an address; not compared where uv writes it in a way that is not known here.
fn address_of(address: &str, place: impl FnOnce(&str) -> Place) -> Place {
    let is_plain = address.contains("://") && !plain(address).contains("${");
    if is_plain { place(address) } else { Place::Any }
}

/// Of a file or folder on the machine, uv.lock keeps the path.
fn archive_at(url: &str) -> Place {
    let is_here = url.to_ascii_lowercase().starts_with("file:");
    if is_here { Place::Any } else { address_of(url, |it| Place::Url(plain(it))) }
}

/// An address as uv.lock keeps it: without credentials and what follows a `#`.
pub(super) fn plain(address: &str) -> String {
    let address = address.strip_prefix("git+").unwrap_or(address);
    let address = address.split('#').next().unwrap_or_default();
    let Some((scheme, host, path)) = without_credentials(address) else {
        return address.to_owned();
    };
    format!("{scheme}://{host}{}", path.trim_end_matches('/'))
}

/// The address of an index as uv compares it: with its last slash, if it has one.
pub(super) fn of_index(address: &str) -> String {
    let Some((scheme, host, path)) = without_credentials(address) else {
        return address.to_owned();
    };
    format!("{scheme}://{host}{}", if path.is_empty() { "/" } else { path })
}

/// Scheme, host and path; `None` for what has no scheme.
fn without_credentials(address: &str) -> Option<(&str, String, &str)> {
    let (scheme, rest) = address.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    Some((scheme, host.to_ascii_lowercase(), path))
}

fn without_query(address: &str) -> String {
    plain(address.split('?').next().unwrap_or_default())
}

/// What the address of a repository asks for, as uv.lock keeps it: `?tag=v1`.
fn reference(address: &str) -> Option<String> {
    let query = address.split_once('?')?.1.split('#').next()?;
    let is_reference =
        |part: &&str| part.split_once('=').is_some_and(|(key, _)| REFERENCES.contains(&key));
    let asked = query.split('&').find(is_reference)?;
    // Whatever is special in a query, such as the slash of a branch's name, is written as %2F.
    Some(percent_decoded(asked))
}
