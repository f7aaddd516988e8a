//! `.deployment`, as Kudu has it: an INI file whose section `[config]` sets what is said of the
//! build.
//!
//! Kudu's grammar: the first `=` of a line separates key and value, both are trimmed, keys are
//! case-insensitive, and quotes are literal; `;` and `#` start a comment line. If a key is there
//! twice, the last one counts. See `Kudu.Core/Infrastructure/IniFile.cs` in
//! <https://github.com/projectkudu/kudu>.

use anyhow::Result;

use super::error;
use crate::git::CommitTree;
use crate::text::split_mark;

/// No larger `.deployment` is read, in bytes.
const FILE_LIMIT: usize = 10 << 20;

/// What the section `[config]` of a `.deployment` says, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFile {
    values: Vec<(String, String)>,
}

impl DeploymentFile {
    /// Reads the `.deployment` of a commit; empty when it has none.
    pub fn of(commit: &CommitTree<'_>) -> Result<DeploymentFile> {
        let bytes = commit.file(".deployment", FILE_LIMIT)?;
        Ok(bytes.map(|bytes| parse(&bytes)).transpose()?.unwrap_or_default())
    }

    /// The value of a key in any case; an empty one is none.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.values.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Keys as they are written, and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Reads the bytes of a `.deployment`.
pub fn parse(bytes: &[u8]) -> Result<DeploymentFile> {
    let Ok(text) = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) else {
        return Err(error::deployment_file_not_utf8().into());
    };
    let mut file = DeploymentFile::default();
    let mut in_config = false;
    for line in text.lines() {
        match Line::of(line) {
            Line::Section(name) => in_config = name.eq_ignore_ascii_case("config"),
            Line::Value(key, value) if in_config => {
                file.values.push((key.to_owned(), value.to_owned()));
            }
            Line::Value(..) | Line::Other => {}
        }
    }
    Ok(file)
}

/// The text of a `.deployment` with this command in it, and everything else as it was.
pub fn with_command(text: &str, command: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut in_config = false;
    let mut written = false;
    let (mark, text) = split_mark(text);
    for line in text.split_terminator('\n') {
        match Line::of(line) {
            Line::Section(name) => {
                in_config = name.eq_ignore_ascii_case("config");
                lines.push(line.to_owned());
                if in_config && !written {
                    written = true;
                    lines.push(format!("command = {command}"));
                }
            }
            Line::Value(key, _) if in_config && key.eq_ignore_ascii_case("command") => {}
            Line::Value(..) | Line::Other => lines.push(line.to_owned()),
        }
    }
    if !written {
        lines.extend(["[config]".to_owned(), format!("command = {command}")]);
    }
    format!("{mark}{}\n", lines.join("\n"))
}

enum Line<'a> {
    Section(&'a str),
    Value(&'a str, &'a str),
    Other,
}

impl Line<'_> {
    fn of(line: &str) -> Line<'_> {
        let line = line.trim();
        if line.starts_with([';', '#']) {
            return Line::Other;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Line::Section(name.trim());
        }
        match line.split_once('=') {
            Some((key, value)) => Line::Value(key.trim(), value.trim()),
            None => Line::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Option<String> {
        parse(text.as_bytes()).unwrap().get("command").map(str::to_owned)
    }

    #[test]
    fn the_command_is_found_as_kudu_finds_it() {
        assert_eq!(
            command("[config]\ncommand = bash deploy.sh\n").as_deref(),
            Some("bash deploy.sh")
        );
        assert_eq!(
            command("\u{feff}[Config]\r\nCOMMAND=a=b \"c\"\r\n").as_deref(),
            Some("a=b \"c\"")
        );
        assert_eq!(command("; note\n[config]\n# command = no\nproject = web\n"), None);
        assert_eq!(command("command = outside\n[other]\ncommand = elsewhere\n"), None);
        assert_eq!(command("[config]\ncommand =\n"), None);
        assert_eq!(command("[config]\ncommand = first\nCommand = last\n").as_deref(), Some("last"));
    }

    #[test]
    fn a_command_is_put_in_and_the_rest_stays() {
        assert_eq!(with_command("", "sh x"), "[config]\ncommand = sh x\n");
        let text = "; ours\n[config]\nCommand = old\nproject = web\n[other]\ncommand = theirs\n";
        let changed = with_command(text, "sh x");
        assert_eq!(
            changed,
            "; ours\n[config]\ncommand = sh x\nproject = web\n[other]\ncommand = theirs\n"
        );
        let of_windows = "\u{feff}[config]\r\nproject = web\r\n";
        assert_eq!(
            with_command(of_windows, "sh x"),
            "\u{feff}[config]\r\ncommand = sh x\nproject = web\r\n"
        );
        let file = parse(changed.as_bytes()).unwrap();
        assert_eq!((file.get("COMMAND"), file.get("project")), (Some("sh x"), Some("web")));
    }
}
