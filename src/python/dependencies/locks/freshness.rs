//! Whether a lock still belongs to the files that it was made from.
//!
//! Poetry, PDM and Pipenv keep a hash of what they read; it is computed here as they do, from the
//! JSON that Python's `json.dumps(…, sort_keys=True)` gives. uv keeps the requirements themselves:
//! see `uv_lock/freshness.rs`.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::error::LockError;
use super::marker::normalized;
use crate::hex::hex;

/// Fails unless the `content-hash` of a poetry.lock is that of this pyproject.toml.
pub(super) fn poetry(hash: &str, pyproject: &Table) -> Result<(), LockError> {
    compare(hash, &poetry_texts(pyproject), "pyproject.toml", pyproject)
}

/// Fails unless the `content_hash` of a pdm.lock, `sha256:…`, is that of this pyproject.toml.
pub(super) fn pdm(hash: &str, pyproject: &Table) -> Result<(), LockError> {
    let hash = hash.strip_prefix("sha256:").unwrap_or(hash);
    compare(hash, &pdm_texts(pyproject), "pyproject.toml", pyproject)
}

/// Fails unless the hash of a Pipfile.lock is that of this Pipfile.
pub(super) fn pipenv(hash: &str, pipfile: &Table) -> Result<(), LockError> {
    compare(hash, &[pipenv_text(pipfile)], "Pipfile", pipfile)
}

/// Fails when none of the texts has the hash. There are several where versions of a tool differ in
/// what they hash.
fn compare(
    found: &str,
    texts: &[String],
    file: &'static str,
    manifest: &Table,
) -> Result<(), LockError> {
    if texts.iter().any(|text| hex(&Sha256::digest(text)) == found) {
        return Ok(());
    }
    let is_changed = !manifest.is_empty();
    let why = if is_changed { "has changed since" } else { "is not there, or empty" };
    Err(LockError::Stale { file: file.to_owned(), why: format!("that file {why}") })
}

/// `Locker._get_content_hash` of Poetry.
fn poetry_texts(pyproject: &Table) -> Vec<String> {
    const LEGACY: [&str; 4] = ["dependencies", "source", "extras", "dev-dependencies"];
    let poetry = table(pyproject, &["tool", "poetry"]);
    let groups = table(pyproject, &["dependency-groups"]).filter(|groups| !groups.is_empty());
    let project: Vec<(&str, Json<'_>)> =
        ["requires-python", "dependencies", "optional-dependencies"]
            .into_iter()
            .filter_map(|key| Some((key, Json::Value(pyproject.get("project")?.get(key)?))))
            .collect();
    let of_poetry = |keep_empty: bool| -> Vec<(&str, Json<'_>)> {
        LEGACY
            .into_iter()
            .chain(["group"])
            .filter_map(|key| match poetry.and_then(|poetry| poetry.get(key)) {
                Some(value) => Some((key, Json::Value(value))),
                None => (keep_empty && LEGACY.contains(&key)).then_some((key, Json::Null)),
            })
            .collect()
    };
    // Poetry 1 knew no [project].
    let mut texts = vec![Json::Object(of_poetry(true)).dumps(false)];
    if !project.is_empty() || groups.is_some() {
        let with = |groups: Option<&Value>| {
            let mut parts = Vec::new();
            if !project.is_empty() {
                parts.push(("project", Json::Object(project.clone())));
            }
            if let Some(groups) = groups {
                parts.push(("dependency-groups", Json::Value(groups)));
            }
            let poetry = Json::Object(of_poetry(false));
            parts.push(("tool", Json::Object(vec![("poetry", poetry)])));
            Json::Object(parts).dumps(false)
        };
        texts.push(with(None));
        texts.push(with(pyproject.get("dependency-groups")));
    }
    texts
}

/// `PyProject.content_hash` of PDM. Its last key had another name before 2.17.
fn pdm_texts(pyproject: &Table) -> Vec<String> {
    let pdm = table(pyproject, &["tool", "pdm"]);
    let project = |key: &str| pyproject.get("project").and_then(|project| project.get(key));
    let or = |value: Option<&Value>, other: Value| value.cloned().unwrap_or(other);
    let mut groups = Table::new();
    let tables = [
        table(pyproject, &["dependency-groups"]),
        table(pyproject, &["tool", "pdm", "dev-dependencies"]),
    ];
    for (name, requirements) in tables.into_iter().flatten().flatten() {
        let requirements = requirements.as_array().cloned().unwrap_or_default();
        match groups.entry(normalized(name)).or_insert(Value::Array(Vec::new())) {
            Value::Array(all) => all.extend(requirements),
            _ => unreachable!("only arrays are put in"),
        }
    }
    let sources = or(pdm.and_then(|pdm| pdm.get("source")), Value::Array(Vec::new()));
    let dependencies = or(project("dependencies"), Value::Array(Vec::new()));
    let groups = Value::Table(groups);
    let optional = or(project("optional-dependencies"), Value::Table(Table::new()));
    let python = or(project("requires-python"), Value::String(String::new()));
    let resolution = or(pdm.and_then(|pdm| pdm.get("resolution")), Value::Table(Table::new()));
    let overrides = or(
        table(pyproject, &["tool", "pdm", "resolution"]).and_then(|it| it.get("overrides")),
        Value::Table(Table::new()),
    );
    [("resolution", &resolution), ("overrides", &overrides)]
        .into_iter()
        .map(|(name, last)| {
            Json::Object(vec![
                ("sources", Json::Value(&sources)),
                ("dependencies", Json::Value(&dependencies)),
                ("dev-dependencies", Json::Value(&groups)),
                ("optional-dependencies", Json::Value(&optional)),
                ("requires-python", Json::Value(&python)),
                (name, Json::Value(last)),
            ])
            .dumps(false)
        })
        .collect()
}

/// What of a Pipfile is no category of packages, or has a name of its own in what is hashed.
const NOT_CATEGORIES: [&str; 9] = [
    "source",
    "packages",
    "dev-packages",
    "requires",
    "scripts",
    "pipfile",
    "pipenv",
    "default",
    "develop",
];

/// `Pipfile.get_hash` of plette, which Pipenv uses.
fn pipenv_text(pipfile: &Table) -> String {
    let empty = Value::Table(Table::new());
    let default_source = Value::Array(vec![Value::Table(Table::from_iter([
        ("name".to_owned(), Value::from("pypi")),
        ("url".to_owned(), Value::from("https://pypi.org/simple")),
        ("verify_ssl".to_owned(), Value::from(true)),
    ]))]);
    let get = |key: &str| pipfile.get(key).unwrap_or(&empty);
    let sources = pipfile.get("source").unwrap_or(&default_source);
    let meta = vec![("sources", Json::Value(sources)), ("requires", Json::Value(get("requires")))];
    let mut parts = vec![
        ("_meta", Json::Object(meta)),
        ("default", Json::Value(get("packages"))),
        ("develop", Json::Value(get("dev-packages"))),
    ];
    for (category, packages) in pipfile {
        if !NOT_CATEGORIES.contains(&category.as_str()) {
            parts.push((category, Json::Value(packages)));
        }
    }
    Json::Object(parts).dumps(true)
}

fn table<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

#[derive(Clone, Debug)]
enum Json<'a> {
    Null,
    Value(&'a Value),
    Object(Vec<(&'a str, Json<'a>)>),
}

impl Json<'_> {
    /// As Python's `json.dumps(…, sort_keys=True)` writes it; `compact` is without white space.
    fn dumps(&self, compact: bool) -> String {
        let mut text = String::new();
        self.write(compact, &mut text);
        text
    }

    fn write(&self, compact: bool, text: &mut String) {
        match self {
            Json::Null => text.push_str("null"),
            Json::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                object(entries.into_iter().map(|(key, value)| (*key, value)), compact, text);
            }
            Json::Value(Value::Table(table)) => {
                let mut entries: Vec<_> =
                    table.iter().map(|(key, value)| (key.as_str(), Json::Value(value))).collect();
                entries.sort_by_key(|(key, _)| *key);
                object(entries.iter().map(|(key, value)| (*key, value)), compact, text);
            }
            Json::Value(Value::Array(values)) => {
                text.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        text.push_str(if compact { "," } else { ", " });
                    }
                    Json::Value(value).write(compact, text);
                }
                text.push(']');
            }
            Json::Value(Value::String(value)) => string(value, text),
            Json::Value(value) => text.push_str(&value.to_string()),
        }
    }
}

fn object<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Json<'a>)>,
    compact: bool,
    text: &mut String,
) {
    text.push('{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            text.push_str(if compact { "," } else { ", " });
        }
        string(key, text);
        text.push_str(if compact { ":" } else { ": " });
        value.write(compact, text);
    }
    text.push('}');
}

/// With `ensure_ascii`: what is not ASCII is escaped, in UTF-16.
fn string(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}
