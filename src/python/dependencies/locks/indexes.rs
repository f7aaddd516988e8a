//! The indexes that the packages of a lock come from, and the credentials for them, which each tool
//! takes from settings of its own:
//!
//! - uv: `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD`,
//!   <https://docs.astral.sh/uv/concepts/indexes/#providing-credentials-directly>
//! - Poetry: `POETRY_HTTP_BASIC_<NAME>_USERNAME` and `POETRY_HTTP_BASIC_<NAME>_PASSWORD`,
//!   <https://python-poetry.org/docs/repositories/#configuring-credentials>
//! - PDM and Pipenv: variables in the address, `https://${USER}:${PASSWORD}@example.org/simple`.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::error::{variable_not_set, wrong_index};
use super::files::is_pypi;
use super::{Lock, Manifests, Origin, Package, ResolvedSet, web_address};
use crate::text::url::{credentials, percent_encoded, without_credentials, without_user};
use crate::user_error::UserError;

/// The indexes that a manifest declares, and the settings of the site.
pub(super) struct Indexes<'a> {
    lock: Lock,
    declared: Vec<Index>,
    /// Gives the value of an app setting.
    variable: &'a dyn Fn(&str) -> Option<String>,
}

/// An index that a manifest gives a name.
#[derive(Clone, Debug, Default)]
struct Index {
    name: String,
    url: String,
    /// Whether it is one page with files, as `--find-links` takes it.
    is_page: bool,
    /// What the manifest itself says, which only PDM allows.
    username: Option<String>,
    password: Option<String>,
    /// `verify_ssl = false` of Pipenv and PDM.
    is_trusted: bool,
    /// Whether only those packages come from it that say so.
    is_explicit: bool,
}

/// An index as an installer is told of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedIndex {
    /// Credentials may be in it.
    pub url: String,
    /// Whether it is one page with files, as `--find-links` takes it.
    pub is_page: bool,
}

/// Where an installer looks for packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Search {
    /// In the indexes of its own settings, and in these.
    Own(Vec<NamedIndex>),
    /// Here alone: an index that does not know a package may refuse to say so.
    Only(NamedIndex),
}

impl Search {
    /// The options of a requirements file that make an installer look there; `known` gives the
    /// credentials for an address that has none.
    pub fn options(&self, known: &dyn Fn(&str) -> Option<String>) -> String {
        let address = |url: &str| known(url).unwrap_or_else(|| url.to_owned());
        let option = |NamedIndex { url, is_page }: &NamedIndex| match is_page {
            true => format!("--find-links {}\n", address(url)),
            false => format!("--extra-index-url {}\n", address(url)),
        };
        match self {
            Search::Own(others) => others.iter().map(option).collect(),
            Search::Only(page @ NamedIndex { is_page: true, .. }) => {
                format!("--no-index\n{}", option(page))
            }
            Search::Only(NamedIndex { url, .. }) => format!("--index-url {}\n", address(url)),
        }
    }
}

/// What an installer is told of the indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexOptions {
    /// Those of a set, by their addresses in it.
    named: BTreeMap<String, NamedIndex>,
    /// Those that any package may come from, beside the installer's own.
    for_all: Vec<NamedIndex>,
    /// Those that what a build needs may come from, beside the installer's own.
    for_builds: Vec<NamedIndex>,
    /// Hosts whose certificates are not checked. `HOST` or `HOST:PORT`.
    pub trusted_hosts: BTreeSet<String>,
    /// Which settings give credentials for the indexes that have none, as advice.
    pub advice: Vec<String>,
}

impl IndexOptions {
    /// Where a package of the set is found, with what its build needs.
    pub(super) fn search(&self, package: &Package) -> Search {
        let Package { origin, is_built, .. } = package;
        let named = match origin {
            Origin::Index(Some(url)) => self.named.get(url),
            Origin::Index(None) => return Search::Own(self.for_all.clone()),
            Origin::Url { .. } | Origin::Git { .. } | Origin::File(_) | Origin::Folder(_) => None,
        };
        match named {
            Some(index) if !is_built && self.for_all.is_empty() => Search::Only(index.clone()),
            named => {
                let others = self.for_builds.iter().filter(|other| Some(*other) != named);
                Search::Own(named.into_iter().chain(others).cloned().collect())
            }
        }
    }
}

impl<'a> Indexes<'a> {
    pub(super) fn new(
        lock: Lock,
        manifests: &Manifests,
        variable: &'a dyn Fn(&str) -> Option<String>,
    ) -> Indexes<'a> {
        let Manifests { pyproject, pipfile, .. } = manifests;
        let of_tool = |name: &str, key: &str| {
            pyproject.get("tool").and_then(|tools| tools.get(name)?.get(key)).map(tables)
        };
        let declared = match lock {
            Lock::Uv | Lock::Pylock => of_tool("uv", "index"),
            Lock::Poetry => of_tool("poetry", "source"),
            Lock::Pdm => of_tool("pdm", "source"),
            Lock::Pipfile => pipfile.as_ref().and_then(|it| it.get("source")).map(tables),
        };
        let declared = declared.unwrap_or_default();
        Indexes { lock, declared, variable }
    }

    /// What the installer is told, to find the packages of a set. Fails when an address has a
    /// variable in it that is not set, or is none.
    pub(super) fn options(&self, set: &ResolvedSet) -> Result<IndexOptions, UserError> {
        let mut urls: BTreeSet<&str> = BTreeSet::new();
        for package in &set.packages {
            if let Origin::Index(Some(url)) = &package.origin {
                urls.insert(url);
            }
        }
        if self.lock == Lock::Pdm {
            // Its lock does not say which package is from where.
            urls.extend(
                self.declared.iter().map(|index| index.url.as_str()).filter(|url| !is_pypi(url)),
            );
        }
        let mut options = IndexOptions::default();
        for url in urls {
            let index = self.declared.iter().find(|index| is_same(&index.url, url));
            let with = self.with_credentials(url, index)?;
            if credentials(with.as_bytes()).next().is_none() {
                options.advice.push(self.advice(url, index));
            }
            if index.is_some_and(|index| index.is_trusted) {
                options.trusted_hosts.extend(host(&with));
            }
            let is_page = index.is_some_and(|index| index.is_page);
            let named = NamedIndex { url: with, is_page };
            if self.lock == Lock::Pdm {
                options.for_all.push(named.clone());
            }
            if !index.is_some_and(|index| index.is_explicit) {
                options.for_builds.push(named.clone());
            }
            options.named.insert(url.to_owned(), named);
        }
        Ok(options)
    }

    /// The address with the credentials that there are for it.
    fn with_credentials(&self, url: &str, index: Option<&Index>) -> Result<String, UserError> {
        let url = self.expanded(url)?;
        let has_some = credentials(url.as_bytes()).next().is_some();
        let Some((scheme, rest)) = url.split_once("://").filter(|_| !has_some) else {
            return Ok(url);
        };
        let [username, password] = index.map_or([None, None], |index| self.of_settings(index));
        if username.is_none() && password.is_none() {
            return Ok(url);
        }
        let username = percent_encoded(username.unwrap_or_default());
        let password = password.map_or(String::new(), |it| format!(":{}", percent_encoded(&it)));
        Ok(format!("{scheme}://{username}{password}@{rest}"))
    }

    fn of_settings(&self, index: &Index) -> [Option<String>; 2] {
        let Some(prefix) = self.prefix(&index.name) else {
            return [index.username.clone(), index.password.clone()];
        };
        let read = |name: &str| (self.variable)(&format!("{prefix}_{name}"));
        [read("USERNAME"), read("PASSWORD")].map(|value| value.filter(|value| !value.is_empty()))
    }

    /// What the settings of an index begin with; `None` where the tool has no such settings, or the
    /// index no name.
    fn prefix(&self, name: &str) -> Option<String> {
        if name.is_empty() {
            return None;
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = name.chars().map(plain).collect();
        match self.lock {
            Lock::Uv | Lock::Pylock => Some(format!("UV_INDEX_{name}")),
            Lock::Poetry => Some(format!("POETRY_HTTP_BASIC_{name}")),
            Lock::Pdm | Lock::Pipfile => None,
        }
    }

    fn advice(&self, url: &str, index: Option<&Index>) -> String {
        let url = without_credentials(url);
        let prefix = index.and_then(|index| self.prefix(&index.name));
        match (prefix, self.lock) {
            (Some(prefix), _) => format!(
                "If {url} needs credentials, set {prefix}_USERNAME and {prefix}_PASSWORD with \
                 nyala config set"
            ),
            (None, Lock::Pdm | Lock::Pipfile) => format!(
                "If {url} needs credentials, name settings in its address, such as \
                 https://${{INDEX_USER}}:${{INDEX_PASSWORD}}@…, and set them with nyala config set"
            ),
            (None, _) => format!(
                "If {url} needs credentials, set PIP_EXTRA_INDEX_URL with nyala config set: the \
                 address with them in it"
            ),
        }
    }

    /// The address with the values of the variables in it, `${NAME}` or, for Pipenv, `$NAME`.
    /// Before the host they are encoded, as both tools do it.
    fn expanded(&self, url: &str) -> Result<String, UserError> {
        if !matches!(self.lock, Lock::Pdm | Lock::Pipfile) {
            return Ok(url.to_owned());
        }
        let mut expanded = String::new();
        let mut rest = url;
        while let Some(at) = rest.find('$') {
            let (before, after) = rest.split_at(at);
            expanded.push_str(before);
            let Some((name, after)) = variable_name(&after[1..], self.lock == Lock::Pipfile) else {
                expanded.push('$');
                rest = &after[1..];
                continue;
            };
            let value = (self.variable)(name)
                .ok_or_else(|| variable_not_set(self.lock.file_name(), url, name))?;
            let is_in_authority = after.split('/').next().unwrap_or_default().contains('@');
            expanded.push_str(&if is_in_authority { percent_encoded(&value) } else { value });
            rest = after;
        }
        expanded.push_str(rest);
        web_address("the index", &expanded).map_err(|_| wrong_index(self.lock.file_name(), url))
    }
}

/// The name after a `$`, and what follows it.
fn variable_name(text: &str, may_be_bare: bool) -> Option<(&str, &str)> {
    if let Some(inside) = text.strip_prefix('{') {
        return inside.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    (may_be_bare && end > 0).then(|| text.split_at(end))
}

/// The host of an address, with its port.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit('@').next().filter(|host| !host.is_empty()).map(str::to_owned)
}

/// `[[tool.uv.index]]`, `[[tool.poetry.source]]`, `[[tool.pdm.source]]`, or `[[source]]` of a
/// Pipfile.
fn tables(list: &Value) -> Vec<Index> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter()
        .filter_map(|table| {
            let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
            Some(Index {
                name: text("name").unwrap_or_default(),
                url: text("url")?,
                is_page: text("format").as_deref() == Some("flat")
                    || text("type").as_deref() == Some("find_links"),
                username: text("username"),
                password: text("password"),
                is_trusted: table.get("verify_ssl").and_then(Value::as_bool) == Some(false),
                is_explicit: table.get("explicit").and_then(Value::as_bool) == Some(true)
                    || text("priority").as_deref() == Some("explicit"),
            })
        })
        .collect()
}

/// Whether two addresses are the same, without credentials and the last slash.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |url: &str| without_user(url).trim_end_matches('/').to_owned();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests;
