//! What is said to a person whose file names no version.

use std::fmt;

use super::shown::visible;
use super::suggestion;
use crate::python::version::{Origin, Wanted};
use crate::user_error::UserError;

/// A file or setting from which no wanted version can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl VersionFileError {
    /// What is said to a person.
    pub fn user_error(&self) -> UserError {
        user_error(self.origin, &self.problem)
    }
}

impl fmt::Display for VersionFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user_error().fmt(f)
    }
}

impl From<VersionFileError> for anyhow::Error {
    fn from(error: VersionFileError) -> Self {
        error.user_error().into()
    }
}

fn user_error(origin: Origin, problem: &Problem) -> UserError {
    let name = name(origin);
    let at = |found: &str, line: usize| format!("{found} (line {line})");
    match problem {
        Problem::TooLarge { bytes, limit, start } => {
            UserError::new(format!("{name} is too large: {bytes} bytes"))
                .found(start)
                .labelled("allowed", format!("at most {limit} bytes; {}", allowed(origin)))
                .fixes(fix(origin, None))
        }
        Problem::Utf16 { text } => UserError::new(format!("{name} is UTF-16 but must be UTF-8"))
            .found(format!(
                "UTF-16 (what `echo >` in Windows PowerShell writes), which says {}",
                visible(text.trim_matches(BLANK))
            ))
            .fixes(utf16_fix(origin, text)),
        Problem::NotUtf8 { line, found } => UserError::new(format!("{name} is not UTF-8"))
            .found(at(found, *line))
            .labelled("allowed", allowed(origin))
            .fixes(fix(origin, None)),
        Problem::Empty { comments } => UserError::new(format!("{name} names no Python version"))
            .found(if *comments {
                "only blank lines and comments"
            } else {
                "nothing (it is empty)"
            })
            .labelled("allowed", allowed(origin))
            .fixes(fix(origin, None))
            .fix(remove(origin)),
        Problem::SeveralLines { found, count } => {
            let mut error =
                UserError::new(format!("{name} has {count} lines, but only one is allowed"));
            for (line, found) in found {
                error = error.found(at(&visible(found), *line));
            }
            if found.len() < *count {
                error = error.found(format!("and {} more lines", count - found.len()));
            }
            error.labelled("allowed", allowed(origin)).fix(
                "Keep the line that names the Python you want; delete the others or comment them \
                 out with #",
            )
        }
        Problem::NotAVersion { line, word } => {
            let word_shown = visible(word);
            let mut error = UserError::new(format!("{name} does not name a Python version"))
                .found(line.map_or(word_shown.clone(), |line| at(&word_shown, line)));
            if let Some(remark) = remark(word) {
                error = error.labelled("note", remark);
            }
            error.labelled("allowed", allowed(origin)).fixes(fix(origin, suggestion(word).as_ref()))
        }
        Problem::Toml { line, message, found } => UserError::new(format!("{name} cannot be read"))
            .found(at(found, *line))
            .labelled("note", visible(message))
            .fix("Correct that line"),
        Problem::NotSpecifiers { line, message, found } => {
            let (key, example) = match origin {
                Origin::PoetryPython => ("python", "python = \"^3.11\""),
                Origin::SetupCfg => ("python_requires", "python_requires = >=3.11"),
                _ => ("requires-python", "requires-python = \">=3.11\""),
            };
            UserError::new(format!("{key} in {name} is not a version specifier"))
                .found(at(found, *line))
                .labelled("note", visible(message))
                .labelled("allowed", allowed(origin))
                .fix(format!("Correct that line, for example: {example}"))
        }
    }
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
            "one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with \
             # are ignored"
        }
        Origin::PythonVersionFile => {
            "X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the \
             file is used"
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
        Some(_) => "Did you mean:",
        None => "Write, for example:",
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
        Origin::AppSetting => "Or: nyala config unset PYTHON_VERSION".to_owned(),
        Origin::AzureSetting => "Or: nyala config unset WEBSITE_PYTHON_VERSION".to_owned(),
        Origin::SiteDefault => "Or delete that line".to_owned(),
        _ => format!("Or delete the file: git rm {}", name(origin)),
    }
}

fn utf16_fix(origin: Origin, text: &str) -> [String; 2] {
    let file = name(origin);
    let save = if matches!(origin, Origin::RuntimeTxt | Origin::PythonVersionFile) {
        let meant = suggestion(text.trim_matches(BLANK))
            .map_or_else(|| "3.11".to_owned(), |wanted| wanted.to_string());
        let prefix = if origin == Origin::RuntimeTxt { "python-" } else { "" };
        format!(
            "Save it as UTF-8: echo {prefix}{meant} > {file} (in PowerShell: Set-Content \
             -Encoding ascii {file} {prefix}{meant})"
        )
    } else {
        format!(
            "Save it as UTF-8 in an editor (in PowerShell: (Get-Content {file}) | Set-Content \
             -Encoding utf8 {file})"
        )
    };
    [save, format!("git commit -m \"{file} in UTF-8\" {file}, and push again")]
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
