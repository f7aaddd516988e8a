mod python_version;
mod runtime_txt;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

fn minor(major: u16, minor: u16) -> Wanted {
    Wanted::Minor { major, minor }
}

fn exact(major: u16, minor: u16, patch: u16) -> Wanted {
    Wanted::Exact(Version::new(major, minor, patch))
}

fn runtime_error(bytes: impl AsRef<[u8]>) -> String {
    runtime_txt(bytes.as_ref()).unwrap_err().to_string()
}

fn utf16_le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn the_setting_takes_azures_spellings() {
    for value in ["3.11", " 3.11 ", "python-3.11", "PYTHON|3.11", "python3.11"] {
        assert_eq!(setting(value), Ok(minor(3, 11)), "{value:?}");
    }
    assert_eq!(setting("3.11.7"), Ok(exact(3, 11, 7)));
}

#[test]
fn a_setting_that_names_no_version_says_how_to_set_one() {
    assert_snapshot!(setting("latest").unwrap_err().to_string(), @"
    The app setting PYTHON_VERSION does not name a Python version
    found: latest
    allowed: X.Y or X.Y.Z, as in 3.11 or 3.11.7
    Write, for example: nyala config set PYTHON_VERSION=3.11
    ");
    assert_snapshot!(setting("").unwrap_err().to_string(), @"
    The app setting PYTHON_VERSION names no Python version
    found: nothing (it is empty)
    allowed: X.Y or X.Y.Z, as in 3.11 or 3.11.7
    1. Write, for example: nyala config set PYTHON_VERSION=3.11
    2. Or: nyala config unset PYTHON_VERSION
    ");
    assert_snapshot!(site_default("3.11 or newer").unwrap_err().to_string(), @r#"
    The setting python of nyala.toml does not name a Python version
    found: 3.11 or newer
    allowed: X.Y or X.Y.Z, as in 3.11 or 3.11.7
    Did you mean: python = "3.11"
    "#);
}

#[test]
fn requires_python_is_read_from_the_project_table_only() {
    let read = |text: &str| requires_python(text.as_bytes());
    assert_eq!(
        read("[project]\nname = 'x'\nrequires-python = '>=3.9'"),
        Ok(Some(">=3.9".parse().unwrap()))
    );
    assert_eq!(read("[project]\nname = 'x'\n"), Ok(None));
    assert_eq!(read("[tool.black]\nline-length = 100\n"), Ok(None));
    assert_eq!(read("[project]\nrequires-python = ''\n"), Ok(None));
    assert_eq!(read("requires-python = '>=3.9'\n"), Ok(None));
    assert_eq!(read(""), Ok(None));
    assert_eq!(
        read("\u{feff}[project]\r\nrequires-python = '>=3.9'\r\n"),
        Ok(Some(">=3.9".parse().unwrap()))
    );
}

#[test]
fn a_broken_pyproject_is_shown_by_its_line() {
    let error = |text: &str| requires_python(text.as_bytes()).unwrap_err().to_string();
    assert_snapshot!(error("[project]\nname = 'x'\nrequires-python = \">=3.9\n"), @r#"
    pyproject.toml cannot be read
    found: requires-python = ">=3.9 (line 3)
    note: invalid basic string, expected `"`
    Correct that line
    "#);
    assert_snapshot!(error("[project]\nrequires-python = 3.9\n"), @"
    pyproject.toml cannot be read
    found: requires-python = 3.9 (line 2)
    note: invalid type: floating point `3.9`, expected a string
    Correct that line
    ");
    assert_snapshot!(error("[project]\nrequires-python = '^3.9'\n"), @r#"
    requires-python in pyproject.toml is not a version specifier
    found: requires-python = '^3.9' (line 2)
    note: Failed to parse version: Unexpected end of version specifier, expected operator
    allowed: PEP 440 specifiers, as in >=3.9 or >=3.10,<3.13
    Correct that line, for example: requires-python = ">=3.11"
    "#);
    assert_snapshot!(requires_python(&utf16_le("[project]\n")).unwrap_err().to_string(), @r#"
    pyproject.toml is UTF-16 but must be UTF-8
    found: UTF-16 (what `echo >` in Windows PowerShell writes), which says [project]
    1. Save it as UTF-8 in an editor (in PowerShell: (Get-Content pyproject.toml) | Set-Content -Encoding utf8 pyproject.toml)
    2. git commit -m "pyproject.toml in UTF-8" pyproject.toml, and push again
    "#);
}

/// The grammar once more, written down in another way than the parser has it.
fn is_in_the_grammar(line: &str) -> bool {
    let Some(version) = line.to_ascii_lowercase().strip_prefix("python-").map(ToOwned::to_owned)
    else {
        return false;
    };
    let parts: Vec<&str> = version.split('.').collect();
    (parts.len() == 2 || parts.len() == 3)
        && parts.iter().all(|part| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_digit())
                && (*part == "0" || !part.starts_with('0'))
        })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let errors = [
            runtime_txt(&bytes).err(),
            python_version(&bytes).err(),
            requires_python(&bytes).err(),
        ];
        let is_fit = |c: char| c == '\n' || c == '…' || !c.is_control() && c.is_ascii();
        for error in errors.into_iter().flatten() {
            prop_assert!(error.to_string().chars().all(is_fit));
        }
    }

    #[test]
    fn what_is_accepted_is_in_the_grammar(
        line in "[Pp]?ython-?[0-9 .+\u{2013}\u{200b}a-c\t\r#-]{0,9}",
    ) {
        let trimmed = line.strip_suffix('\r').unwrap_or(&line).trim_matches([' ', '\t']);
        let is_right = is_in_the_grammar(trimmed) && fits(trimmed);
        prop_assert_eq!(runtime_txt(line.as_bytes()).is_ok(), is_right);
    }

    #[test]
    fn no_pyproject_panics(text in "(\\[project\\]\n)?(requires-python ?= ?['\"][<>=!~0-9.,* \
                                    a-z]{0,12}['\"]?\n?)?\\PC{0,20}") {
        let _ = requires_python(text.as_bytes());
    }
}

fn fits(line: &str) -> bool {
    line["python-".len()..].split('.').all(|part| part.parse::<u16>().is_ok())
}
