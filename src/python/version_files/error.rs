//! What is said to a person whose file names no version.

use std::fmt::Write;

use thiserror::Error;

use super::shown::visible;
use super::suggestion;
use crate::python::version::{Origin, Wanted};

/// A file or setting from which no wanted version can be read. Its text is for a person: the fact,
/// what was found, what is allowed, the fix; several lines, without a newline at the end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", text(*.origin, .problem))]
pub struct VersionFileError {
    pub origin: Origin,
    pub problem: Problem,
}

/// What is wrong. `found` and `start` are escaped already; `line` counts from 1 and is `None` for a
/// setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    TooLarge {
        bytes: usize,
        limit: usize,
        start: String,
    },
    /// `text` is what the file says, decoded.
    Utf16 {
        text: String,
    },
    NotUtf8 {
        line: usize,
        found: String,
    },
    Empty {
        comments: bool,
    },
    SeveralLines {
        found: Vec<(usize, String)>,
        count: usize,
    },
    NotAVersion {
        line: Option<usize>,
        word: String,
    },
    Toml {
        line: usize,
        message: String,
        found: String,
    },
    NotSpecifiers {
        line: usize,
        message: String,
        found: String,
    },
}

fn text(origin: Origin, problem: &Problem) -> String {
    let name = name(origin);
    let mut lines = Vec::new();
    match problem {
        Problem::TooLarge { bytes, limit, start } => {
            lines.push(format!("{name} is too large: {bytes} bytes."));
            lines.push(format!("found: {start}"));
            lines.push(format!("allowed: at most {limit} bytes; {}", allowed(origin)));
            lines.extend(fix(origin, None));
        }
        Problem::Utf16 { text } => {
            lines.push(format!("{name} is UTF-16 but must be UTF-8."));
            lines.push(format!(
                "found: UTF-16 (what `echo >` in Windows PowerShell writes), which says {}",
                visible(text.trim_matches(BLANK))
            ));
            lines.extend(utf16_fix(origin, text));
        }
        Problem::NotUtf8 { line, found } => {
            lines.push(format!("{name} is not UTF-8."));
            lines.push(format!("found: {found} (line {line})"));
            lines.push(format!("allowed: {}", allowed(origin)));
            lines.extend(fix(origin, None));
        }
        Problem::Empty { comments } => {
            lines.push(format!("{name} names no Python version."));
            lines.push(format!(
                "found: {}",
                if *comments { "only blank lines and comments" } else { "nothing (it is empty)" }
            ));
            lines.push(format!("allowed: {}", allowed(origin)));
            lines.extend(fix(origin, None));
            lines.push(remove(origin));
        }
        Problem::SeveralLines { found, count } => {
            lines.push(format!("{name} has {count} lines, but only one is allowed."));
            lines.extend(
                found
                    .iter()
                    .map(|(line, found)| format!("found: {} (line {line})", visible(found))),
            );
            if found.len() < *count {
                lines.push(format!("found: and {} more lines", count - found.len()));
            }
            lines.push(format!("allowed: {}", allowed(origin)));
            lines.push(
                "fix: keep the line that names the Python you want; delete the others or comment them out with #."
                    .to_owned(),
            );
        }
        Problem::NotAVersion { line, word } => {
            lines.push(format!("{name} does not name a Python version."));
            lines.push(match line {
                Some(line) => format!("found: {} (line {line})", visible(word)),
                None => format!("found: {}", visible(word)),
            });
            lines.extend(remark(word).map(|remark| format!("note: {remark}")));
            lines.push(format!("allowed: {}", allowed(origin)));
            lines.extend(fix(origin, suggestion(word).as_ref()));
        }
        Problem::Toml { line, message, found } => {
            lines.push(format!("{name} cannot be read."));
            lines.push(format!("found: {found} (line {line})"));
            lines.push(format!("note: {}", visible(message)));
            lines.push("fix: correct that line.".to_owned());
        }
        Problem::NotSpecifiers { line, message, found } => {
            let (key, example) = match origin {
                Origin::PoetryPython => ("python", "python = \"^3.11\""),
                Origin::SetupCfg => ("python_requires", "python_requires = >=3.11"),
                _ => ("requires-python", "requires-python = \">=3.11\""),
            };
            lines.push(format!("{key} in {name} is not a version specifier."));
            lines.push(format!("found: {found} (line {line})"));
            lines.push(format!("note: {}", visible(message)));
            lines.push(format!("allowed: {}", allowed(origin)));
            lines.push(format!("fix: correct that line, for example: {example}"));
        }
    }
    lines.join("\n")
}

const BLANK: [char; 5] = [' ', '\t', '\r', '\n', '\u{feff}'];

fn name(origin: Origin) -> &'static str {
    match origin {
        Origin::RuntimeTxt => "runtime.txt",
        Origin::PythonVersionFile => ".python-version",
        Origin::AppSetting => "The app setting PYTHON_VERSION",
        Origin::AzureSetting => "The app setting WEBSITE_PYTHON_VERSION",
        Origin::PipfileLock => "Pipfile.lock",
        Origin::Pipfile => "Pipfile",
        Origin::RequiresPython | Origin::PoetryPython => "pyproject.toml",
        Origin::LockFile => "The lock file",
        Origin::SetupCfg => "setup.cfg",
        Origin::ToolVersions => ".tool-versions",
        Origin::Mise => "mise.toml",
        Origin::SiteDefault => "The setting python of nyala.toml",
        Origin::Newest => "The default",
    }
}

fn allowed(origin: Origin) -> &'static str {
    match origin {
        Origin::RuntimeTxt => {
            "one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored"
        }
        Origin::PythonVersionFile => {
            "X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the file is used"
        }
        Origin::RequiresPython | Origin::LockFile | Origin::SetupCfg => {
            "PEP 440 specifiers, as in >=3.9 or >=3.10,<3.13"
        }
        Origin::PoetryPython => "poetry's version constraints, as in ^3.11 or >=3.10,<3.13",
        Origin::AppSetting
        | Origin::AzureSetting
        | Origin::PipfileLock
        | Origin::Pipfile
        | Origin::ToolVersions
        | Origin::Mise
        | Origin::SiteDefault
        | Origin::Newest => "X.Y or X.Y.Z, as in 3.11 or 3.11.7",
    }
}

fn fix(origin: Origin, meant: Option<&Wanted>) -> Option<String> {
    let example = meant.map_or_else(|| "3.11".to_owned(), ToString::to_string);
    let lead = match meant {
        Some(_) => "fix: did you mean:",
        None => "fix: for example:",
    };
    match origin {
        Origin::RuntimeTxt => Some(format!("{lead} python-{example}")),
        Origin::PythonVersionFile => Some(format!("{lead} {example}")),
        Origin::AppSetting => Some(format!("{lead} nyala config set PYTHON_VERSION={example}")),
        Origin::AzureSetting => {
            Some(format!("{lead} nyala config set WEBSITE_PYTHON_VERSION={example}"))
        }
        Origin::SiteDefault => Some(format!("{lead} python = \"{example}\"")),
        Origin::PipfileLock
        | Origin::Pipfile
        | Origin::RequiresPython
        | Origin::LockFile
        | Origin::PoetryPython
        | Origin::SetupCfg
        | Origin::ToolVersions
        | Origin::Mise
        | Origin::Newest => None,
    }
}

fn remove(origin: Origin) -> String {
    match origin {
        Origin::AppSetting => "  or: nyala config unset PYTHON_VERSION".to_owned(),
        Origin::AzureSetting => "  or: nyala config unset WEBSITE_PYTHON_VERSION".to_owned(),
        Origin::SiteDefault => "  or: delete that line".to_owned(),
        _ => format!("  or: delete the file: git rm {}", name(origin)),
    }
}

fn utf16_fix(origin: Origin, text: &str) -> Vec<String> {
    let file = name(origin);
    let mut steps = vec!["fix: save it as UTF-8:".to_owned()];
    if matches!(origin, Origin::RuntimeTxt | Origin::PythonVersionFile) {
        let meant = suggestion(text.trim_matches(BLANK))
            .map_or_else(|| "3.11".to_owned(), |wanted| wanted.to_string());
        let prefix = if origin == Origin::RuntimeTxt { "python-" } else { "" };
        steps.push(format!("  in PowerShell: Set-Content -Encoding ascii {file} {prefix}{meant}"));
        steps.push(format!("  elsewhere:     echo {prefix}{meant} > {file}"));
    } else {
        steps.push(format!(
            "  in PowerShell: (Get-Content {file}) | Set-Content -Encoding utf8 {file}"
        ));
        steps.push("  in an editor:  save it with the encoding UTF-8".to_owned());
    }
    let mut commit = String::from("then: ");
    let _ = write!(commit, "git commit -m \"{file} in UTF-8\" {file}, and push again");
    steps.push(commit);
    steps
}

/// Whether a word names a Python that nyala knows and does not deploy.
pub(super) fn is_known(word: &str) -> bool {
    remark(word).is_some()
}

/// What a person may not see at a glance, or not know.
fn remark(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let odd = word.chars().find(|c| !matches!(c, ' '..='~'));
    if let Some(odd) = odd {
        let code = u32::from(odd);
        return Some(match odd {
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{ff0d}' => {
                format!("U+{code:04X} is a dash, not a hyphen")
            }
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {
                format!("U+{code:04X} is invisible; an editor or a web page put it there")
            }
            _ if odd.is_control() => format!("U+{code:04X} is a control character"),
            _ if odd.is_whitespace() => format!("U+{code:04X} looks like a space but is not one"),
            _ => return None,
        });
    }
    if lower == "system" {
        return Some(
            "`system` is whichever Python comes first on the machine, which can change at any time"
                .to_owned(),
        );
    }
    if [
        "pypy",
        "graalpy",
        "jython",
        "ironpython",
        "miniconda",
        "anaconda",
        "miniforge",
        "mambaforge",
        "stackless",
        "micropython",
    ]
    .iter()
    .any(|name| lower.starts_with(name))
    {
        return Some("nyala deploys CPython only".to_owned());
    }
    if lower.ends_with('t') && suggestion(word).is_some() || lower.contains("freethreaded") {
        return Some(
            "it names the free-threaded build, and nyala uses the standard one".to_owned(),
        );
    }
    let digits = lower.trim_start_matches(|c: char| !c.is_ascii_digit());
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("the minor version (the Y of X.Y) is missing".to_owned());
    }
    None
}
