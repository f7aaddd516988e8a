//! The RECORD of an installed package, which lists its files with a hash and a size each.
//!
//! Source: <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::site_packages;
use crate::disk;

/// What a RECORD says of a file that was rewritten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    hash: String,
    size: usize,
}

impl Rewritten {
    pub(super) fn of(bytes: &[u8]) -> Rewritten {
        Rewritten { hash: base64_url(&Sha256::digest(bytes)), size: bytes.len() }
    }
}

/// Corrects the RECORDs of an env for these files, which are named relative to the env.
pub(super) fn update(env: &Path, rewritten: &HashMap<PathBuf, Rewritten>) -> Result<()> {
    let Some(packages) = site_packages(env).filter(|_| !rewritten.is_empty()) else {
        return Ok(());
    };
    let within = packages.strip_prefix(env).unwrap_or(&packages).to_owned();
    let reading = || format!("cannot read {}", packages.display());
    for entry in fs::read_dir(&packages).with_context(reading)?.flatten() {
        let record = entry.path().join("RECORD");
        let Ok(text) = fs::read_to_string(&record) else { continue };
        let lines = rows(&text)
            .map(|row| updated(&row, &within, rewritten).unwrap_or_else(|| row.line.to_owned()));
        let new: String = lines.collect();
        if new != text {
            disk::write(&record, new.as_bytes(), 0o644)?;
        }
    }
    Ok(())
}

/// What a RECORD says of a file.
pub struct Row<'r> {
    /// Its path, relative to the folder of the packages.
    pub name: String,
    /// The path as it stands there: in quotes, when it has a comma or a quote in it.
    pub field: &'r str,
    /// All of it, with the end of the line.
    pub line: &'r str,
}

/// The rows of a RECORD, as <https://docs.python.org/3/library/csv.html> writes them.
pub fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (field, after) = rest.split_at(field_length(rest));
        let end = after.find('\n').map_or(after.len(), |at| at + 1);
        let (line, after) = rest.split_at(field.len() + end);
        rest = after;
        let quoted = field.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let name =
            quoted.map_or(field.trim_end().to_owned(), |quoted| quoted.replace("\"\"", "\""));
        (!line.is_empty()).then_some(Row { name, field, line })
    })
}

/// How long the first field of a text is. In quotes, it may have even the end of a line in it.
fn field_length(text: &str) -> usize {
    let plain = || text.find([',', '\n']).unwrap_or(text.len());
    let Some(quoted) = text.strip_prefix('"') else { return plain() };
    let mut at = 0;
    while let Some(quote) = quoted[at..].find('"') {
        at += quote + 1;
        if !quoted[at..].starts_with('"') {
            return at + 1;
        }
        at += 1;
    }
    plain()
}

/// A row for a file that was rewritten; `None` when it is about another file, or has no hash.
fn updated(
    row: &Row<'_>,
    packages: &Path,
    rewritten: &HashMap<PathBuf, Rewritten>,
) -> Option<String> {
    let Row { name, field, line } = row;
    line[field.len()..].starts_with(",sha256=").then_some(())?;
    let Rewritten { hash, size } = rewritten.get(&normal(&packages.join(name)))?;
    Some(format!("{field},sha256={hash},{size}\n"))
}

/// A path without `..` in it, whatever is there.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// Base64 with the alphabet of URLs and without padding.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let mut all = [0; 4];
        all[1..=part.len()].copy_from_slice(part);
        let number = u32::from_be_bytes(all);
        for place in 0..=part.len() {
            let digit = (number >> (18 - 6 * place)) & 63;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_as_pip_does() {
        assert_eq!(
            Rewritten::of(b"").hash,
            "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
            "the SHA-256 of nothing"
        );
        assert_eq!(base64_url(b"ab"), "YWI");
    }

    #[test]
    fn only_lines_of_rewritten_files_change() {
        let rewritten = HashMap::from([(PathBuf::from("bin/x"), Rewritten::of(b"new"))]);
        let packages = Path::new("lib/python3.12/site-packages");
        let updated = |line: &str| updated(&rows(line).next().unwrap(), packages, &rewritten);
        let line = updated("../../../bin/x,sha256=old,1\n").unwrap();
        assert_eq!(line, format!("../../../bin/x,sha256={},3\n", Rewritten::of(b"new").hash));
        for other in ["x,sha256=old,1\n", "../../../bin/x,,\n", "x.dist-info/RECORD,,"] {
            assert_eq!(updated(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_may_be_in_quotes() {
        let text = "a.py,sha256=x,1\r\n\"b, \"\"c\"\".py\",sha256=y,2\n\
                    \"two\nlines.py\",,\n\"\"\"d.py\",,\nit\"s.py,,\n\"unfinished.py,,\nlast";
        let all: Vec<_> = rows(text).collect();
        let names: Vec<_> = all.iter().map(|row| row.name.as_str()).collect();
        let expected = ["a.py", "b, \"c\".py", "two\nlines.py", "\"d.py", "it\"s.py"];
        assert_eq!(names, [&expected[..], &["\"unfinished.py", "last"]].concat());
        assert_eq!(all.iter().map(|row| row.line).collect::<String>(), text);
        assert_eq!(all[1].field, "\"b, \"\"c\"\".py\"");
        assert!(rows("").next().is_none());
    }
}
