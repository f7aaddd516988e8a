//! Which files and folders the settings of pip and uv name.
//!
//! Sources: <https://pip.pypa.io/en/stable/topics/configuration/>,
//! <https://docs.astral.sh/uv/concepts/configuration-files/> and
//! <https://docs.astral.sh/uv/reference/environment/>.

use std::path::{Path, PathBuf};
use std::{io, iter};

use crate::process::Environment;
use crate::python::installers::{Installer, may_lead_a_build, pip_config, read_by_builds};

/// What an installer takes a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its own settings.
    Configuration,
    /// A pyproject.toml, of which uv reads the table `tool.uv`.
    ToolUv,
    /// Requirements that are installed.
    Requirements,
    /// Constraints, overrides, exclusions.
    Constraints,
    /// Archives to install from.
    FindLinks,
    /// A file of another form.
    Other,
    /// One that compilers or build tools read.
    OfBuilds,
    /// A project that is used where it is.
    Editable,
}

/// A file or folder, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) kind: Kind,
    /// A path, relative to the release unless it is absolute, or a URL.
    pub(super) path: String,
    pub(super) by: String,
}

type Read<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Everything that the settings in `environment` make the installer read, beside what its command
/// line names. `read` gives the bytes of a file.
pub(super) fn of(
    installer: Installer,
    environment: &Environment,
    read: Read<'_>,
    releases: &Path,
) -> Vec<Named> {
    // pip's settings are translated for uv.
    let mut named = pip(environment, read);
    named.extend(of_builds(environment));
    if installer == Installer::Uv {
        named.extend(uv_variables(environment));
        named.extend(uv_files(environment, read, releases));
    }
    for one in &mut named {
        if let (Some(rest), Some(home)) = (one.path.strip_prefix("~/"), environment.get("HOME")) {
            one.path = Path::new(home).join(rest).display().to_string();
        }
    }
    named
}

fn pip(environment: &Environment, read: Read<'_>) -> Vec<Named> {
    let files = pip_config::files(environment, None, &|file| read(file).is_ok());
    let mut named: Vec<Named> =
        files.iter().map(|file| configuration(file, "pip's configuration")).collect();
    let text = |file: &Path| read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    // One that cannot be read is pip's own error, and a better one.
    for setting in pip_config::settings_from(environment, None, &text).unwrap_or_default() {
        let kind = match setting.name.as_str() {
            "constraint" | "c" | "build-constraint" => Kind::Constraints,
            "requirement" | "r" => Kind::Requirements,
            "find-links" | "f" => Kind::FindLinks,
            "editable" | "e" => Kind::Editable,
            "requirements-from-script" | "group" => Kind::Other,
            _ => continue,
        };
        named.extend(setting.value.split_whitespace().map(|value| {
            let path = match setting.name.as_str() {
                "group" => value.rsplit_once(':').map_or("pyproject.toml", |(path, _)| path),
                _ => value,
            };
            Named { kind, path: path.to_owned(), by: setting.by.clone() }
        }));
    }
    named
}

/// `CMAKE_TOOLCHAIN_FILE=/opt/arm.cmake`. What is no file is not there, and does not count.
fn of_builds(environment: &Environment) -> Vec<Named> {
    let variables = environment.iter();
    let variables = variables.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let named = variables.filter(|(name, value)| {
        value.starts_with('/') && (read_by_builds(name) || may_lead_a_build(name, value))
    });
    named
        .map(|(name, value)| Named {
            kind: Kind::OfBuilds,
            path: value.to_owned(),
            by: name.to_owned(),
        })
        .collect()
}

const PYPROJECT: &str = "pyproject.toml";

/// uv's variables, and what separates their values.
const UV_VARIABLES: [(&str, Kind, char); 9] = [
    ("UV_CONSTRAINT", Kind::Constraints, ' '),
    ("UV_CONSTRAINTS", Kind::Constraints, ' '),
    ("UV_BUILD_CONSTRAINT", Kind::Constraints, ' '),
    ("UV_BUILD_CONSTRAINTS", Kind::Constraints, ' '),
    ("UV_OVERRIDE", Kind::Constraints, ' '),
    ("UV_OVERRIDES", Kind::Constraints, ' '),
    ("UV_EXCLUDE", Kind::Constraints, ' '),
    ("UV_EXCLUDES", Kind::Constraints, ' '),
    ("UV_FIND_LINKS", Kind::FindLinks, ','),
];

fn uv_variables(environment: &Environment) -> Vec<Named> {
    let mut named = Vec::new();
    for (name, kind, separator) in UV_VARIABLES {
        let value = environment.get(name).unwrap_or_default().to_string_lossy().into_owned();
        let values = value.split([separator, '\n']).map(str::trim);
        named.extend(values.filter(|value| !value.is_empty()).map(|value| Named {
            kind,
            path: value.to_owned(),
            by: name.to_owned(),
        }));
    }
    named
}

/// uv's configuration files, and the folders that they name.
fn uv_files(environment: &Environment, read: Read<'_>, releases: &Path) -> Vec<Named> {
    let mut named = Vec::new();
    for file in uv_configuration(environment, releases) {
        let kind = if file.ends_with(PYPROJECT) { Kind::ToolUv } else { Kind::Configuration };
        named.push(Named { kind, ..configuration(&file, "uv's configuration") });
        let text = read(&file).unwrap_or_default();
        let table = match kind {
            Kind::ToolUv => tool_uv(&text),
            _ => String::from_utf8_lossy(&text).parse().ok(),
        };
        let table = table.unwrap_or_default();
        let folder = file.parent().unwrap_or(Path::new(""));
        named.extend(flat_indexes(&table).into_iter().map(|place| {
            let is_path = !place.contains("://") && !place.starts_with("~/");
            let path =
                if is_path { folder.join(&place).display().to_string() } else { place.clone() };
            Named { kind: Kind::FindLinks, path, by: file.display().to_string() }
        }));
    }
    named
}

fn uv_configuration(environment: &Environment, releases: &Path) -> Vec<PathBuf> {
    let variable =
        |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = variable("UV_CONFIG_FILE") {
        return vec![file];
    }
    let is_off = |value: &Path| matches!(value.to_str(), Some("0" | "false" | "no" | "off"));
    if variable("UV_NO_CONFIG").is_some_and(|value| !is_off(&value)) {
        return Vec::new();
    }
    let machine = variable("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg".into());
    let mut files: Vec<PathBuf> =
        std::env::split_paths(&machine).map(|folder| folder.join("uv/uv.toml")).collect();
    files.push("/etc/uv/uv.toml".into());
    let home = variable("HOME").map(|home| home.join(".config"));
    files.extend(variable("XDG_CONFIG_HOME").or(home).map(|folder| folder.join("uv/uv.toml")));
    // Those of the release itself, and of the folders above it: which of them uv reads also depends
    // on what else is there.
    for folder in iter::once(Path::new("")).chain(releases.ancestors()) {
        files.extend(["uv.toml", PYPROJECT].map(|name| folder.join(name)));
    }
    files
}

/// What uv reads of a pyproject.toml.
pub(super) fn tool_uv(pyproject: &[u8]) -> Option<toml::Table> {
    let mut table: toml::Table = String::from_utf8_lossy(pyproject).parse().ok()?;
    let mut tool = table.remove("tool")?;
    match tool.as_table_mut()?.remove("uv")? {
        toml::Value::Table(uv) => Some(uv),
        _ => None,
    }
}

fn configuration(file: &Path, by: &str) -> Named {
    Named { kind: Kind::Configuration, path: file.display().to_string(), by: by.to_owned() }
}

/// The folders that a uv.toml has wheels installed from.
fn flat_indexes(table: &toml::Table) -> Vec<String> {
    let pip = table.get("pip").and_then(toml::Value::as_table);
    let lists = [Some(table), pip].into_iter().flatten();
    let mut places: Vec<String> = lists
        .filter_map(|table| table.get("find-links")?.as_array())
        .flatten()
        .filter_map(|place| place.as_str().map(str::to_owned))
        .collect();
    let indexes = table.get("index").and_then(toml::Value::as_array).into_iter().flatten();
    places.extend(indexes.filter_map(|index| {
        (index.get("format")?.as_str()? == "flat")
            .then(|| index.get("url")?.as_str().map(str::to_owned))?
    }));
    places
}
