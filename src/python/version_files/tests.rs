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
fn runtime_txt_names_a_minor_version_or_an_exact_one() {
    assert_eq!(runtime_txt(b"python-3.11"), Ok(minor(3, 11)));
    assert_eq!(runtime_txt(b"python-3.11.7\n"), Ok(exact(3, 11, 7)));
    assert_eq!(runtime_txt(b"Python-3.0"), Ok(minor(3, 0)));
    assert_eq!(runtime_txt(b"PYTHON-2.7.18\r\n"), Ok(exact(2, 7, 18)));
}

#[test]
fn a_byte_order_mark_comments_and_blank_lines_do_not_count() {
    let file =
        b"\xef\xbb\xbf# the Python of production\r\n\r\n  \t python-3.12 \t\r\n  # python-3.10\r\n";
    assert_eq!(runtime_txt(file), Ok(minor(3, 12)));
}

#[test]
fn nothing_but_the_grammar_is_taken() {
    for text in [
        "python-3",
        "python-3.11.4.2",
        "python- 3.11",
        "python-3.011",
        "python-+3.+11",
        "python\u{2013}3.11",
        "python-3.11\u{200b}",
        "python-3.11\u{a0}",
        "python-3.1\u{7}1",
        "python-3.11\0",
        "python-3.11\rpython-3.12",
        "3.11",
        "python3.11",
        "python 3.11",
        "python-3.x",
        "python-3.",
        "python-.11",
        "python-3.11.",
        "python-",
        "python-3.11 # the newest",
        "python-3.14.0rc1",
        "python-99999.1",
        "pypy-3.9",
        "\u{feff}\u{feff}python-3.11",
        "python-٣.١١",
        "python-3.11;",
        "-3.11",
        "python--3.11",
    ] {
        assert!(runtime_txt(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn an_en_dash_is_shown_escaped() {
    assert_snapshot!(runtime_error("python–3.11\n"), @r"
    runtime.txt does not name a Python version
    found: python\u{2013}3.11 (line 1)
    note: U+2013 is a dash, not a hyphen
    allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    Did you mean: python-3.11
    ");
}

#[test]
fn a_zero_width_space_is_shown_escaped() {
    assert_snapshot!(runtime_error("\n# x\npython-3.11\u{200b}\n"), @r"
    runtime.txt does not name a Python version
    found: python-3.11\u{200b} (line 3)
    note: U+200B is invisible; an editor or a web page put it there
    allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    Did you mean: python-3.11
    ");
}

#[test]
fn control_characters_never_reach_a_terminal() {
    assert_snapshot!(runtime_error("python-\u{1b}[31m3.11\u{7}"), @r"
    runtime.txt does not name a Python version
    found: python-\u{1b}[31m3.11\u{7} (line 1)
    note: U+001B is a control character
    allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    Write, for example: python-3.11
    ");
}

#[test]
fn an_empty_file_is_told_from_one_with_comments_only() {
    assert_snapshot!(runtime_error(""), @"
    runtime.txt names no Python version
    found: nothing (it is empty)
    allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    1. Write, for example: python-3.11
    2. Or delete the file: git rm runtime.txt
    ");
    assert_snapshot!(runtime_error("# python-3.11\n\n").lines().nth(1).unwrap(), @"found: only blank lines and comments");
}

#[test]
fn utf_16_gets_the_fix_with_the_version_it_names() {
    let with_mark = [b"\xff\xfe".to_vec(), utf16_le("python-3.12\r\n")].concat();
    assert_snapshot!(runtime_error(&with_mark), @r#"
    runtime.txt is UTF-16 but must be UTF-8
    found: UTF-16 (what `echo >` in Windows PowerShell writes), which says python-3.12
    1. Save it as UTF-8: echo python-3.12 > runtime.txt (in PowerShell: Set-Content -Encoding ascii runtime.txt python-3.12)
    2. git commit -m "runtime.txt in UTF-8" runtime.txt, and push again
    "#);
    assert_eq!(runtime_error(utf16_le("python-3.12\r\n")), runtime_error(&with_mark));
    let big_endian: Vec<u8> =
        "\u{feff}python-3.12\r\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(runtime_error(big_endian), runtime_error(&with_mark));
}

#[test]
fn bytes_that_are_no_text_are_shown_as_numbers() {
    assert_snapshot!(runtime_error(b"# x\npython-\xe93.11\n"), @r"
    runtime.txt is not UTF-8
    found: python-\xe93.11 (line 2)
    allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    Write, for example: python-3.11
    ");
}

#[test]
fn two_lines_are_both_shown() {
    assert_snapshot!(runtime_error("python-3.11\n\npython-3.12\n"), @"
    runtime.txt has 2 lines, but only one is allowed
    found: python-3.11 (line 1)
    found: python-3.12 (line 3)
    allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    Keep the line that names the Python you want; delete the others or comment them out with #
    ");
}

#[test]
fn of_many_lines_the_first_are_shown() {
    assert_snapshot!(runtime_error("python-3.11\n".repeat(900)).lines().nth(6).unwrap(), @"found: and 895 more lines");
}

#[test]
fn ten_megabytes_are_shown_by_their_start() {
    assert_snapshot!(runtime_error("python-3.11 ".repeat(900_000)), @"
    runtime.txt is too large: 10800000 bytes
    found: python-3.11 python-3.11 python-3.11 python-3.11 python-3.11 python-3.11 python-3…
    allowed: at most 65536 bytes; one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    Write, for example: python-3.11
    ");
}

#[test]
fn a_long_line_is_cut() {
    let error = runtime_error("x".repeat(5000));
    assert_snapshot!(error.lines().nth(1).unwrap(), @"found: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… and 4920 characters more (line 1)");
}

#[test]
fn a_major_version_alone_is_not_enough() {
    assert_snapshot!(runtime_error("python-3"), @"
    runtime.txt does not name a Python version
    found: python-3 (line 1)
    note: the minor version (the Y of X.Y) is missing
    allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8; blank lines and lines that start with # are ignored
    Write, for example: python-3.11
    ");
}

#[test]
fn what_was_likely_meant_is_suggested() {
    let suggested = |text: &str| runtime_error(text).lines().last().unwrap().to_owned();
    for text in [
        "3.11",
        "python3.11",
        "python 3.11",
        "python==3.11",
        "python-3.011",
        "python-+3.+11",
        "v3.11",
        "python-3.11.x",
    ] {
        assert_eq!(suggested(text), "Did you mean: python-3.11", "{text}");
    }
    assert_eq!(suggested("python-3.11.4.2"), "Did you mean: python-3.11.4");
    assert_eq!(suggested("pypy-3.9"), "Write, for example: python-3.11");
}

#[test]
fn python_version_takes_what_pyenv_and_uv_write() {
    let wanted = |text: &str| python_version(text.as_bytes()).unwrap().wanted;
    assert_eq!(wanted("3.11\n"), minor(3, 11));
    assert_eq!(wanted("3.11.7\r\n"), exact(3, 11, 7));
    assert_eq!(wanted("# by uv\n\n 3.12 # newest\n"), minor(3, 12));
    assert_eq!(wanted("cpython-3.11"), minor(3, 11));
    assert_eq!(wanted("python3.11"), minor(3, 11));
    assert_eq!(wanted("cpython@3.11.7"), exact(3, 11, 7));
    assert_eq!(wanted("3.14.0rc1"), Wanted::Exact("3.14.0rc1".parse().unwrap()));
    assert_eq!(wanted("cpython-3.12.1-linux-x86_64-gnu"), exact(3, 12, 1));
    assert_eq!(wanted("cpython-3.12-macos-aarch64-none"), minor(3, 12));
    assert_eq!(wanted("3.12.x"), minor(3, 12));
    assert_eq!(wanted("3.12.*"), minor(3, 12));
    assert_eq!(wanted(">=3.11,<3.13").to_string(), ">=3.11, <3.13");
    assert_eq!(wanted(">= 3.11, < 3.13 # both\n3.10").to_string(), ">=3.11, <3.13");
    assert_eq!(wanted("~=3.11.0").to_string(), "~=3.11.0");
}

#[test]
fn names_of_virtual_environments_beside_a_version_are_ignored() {
    let pin = python_version(b"my-site\n3.11.7\n").unwrap();
    assert_eq!((pin.wanted, pin.unused), (exact(3, 11, 7), vec!["my-site".to_owned()]));
    assert_eq!(python_version(b"site-3.11\n3.12\n").unwrap().wanted, minor(3, 12));
    assert_eq!(python_version(b"3.12.1/envs/site\n").unwrap().wanted, exact(3, 12, 1));
    for wrong in ["python3..11\n3.12\n", "pypy3.9\n3.12\n", "system\n3.12\n", "3.12.y\n3.12\n"] {
        assert!(python_version(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn specifiers_where_none_are_allowed_suggest_one_version() {
    let error = setting(">=3.11,<3.13").unwrap_err().to_string();
    assert!(error.contains("PYTHON_VERSION=3.11") && !error.contains("3.113"), "{error}");
}

#[test]
fn the_first_of_several_versions_counts_and_the_others_are_named() {
    let pin = python_version(b"3.11.7\n3.10.13 pypy3.9\n").unwrap();
    assert_eq!(pin.wanted, exact(3, 11, 7));
    assert_eq!(pin.unused, ["3.10.13", "pypy3.9"]);
}

#[test]
fn names_that_are_no_version_are_refused_in_python_version() {
    let error = |text: &str| python_version(text.as_bytes()).unwrap_err().to_string();
    assert_snapshot!(error("system\n"), @"
    .python-version does not name a Python version
    found: system (line 1)
    note: `system` is whichever Python comes first on the machine, which can change at any time
    allowed: X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the file is used
    Write, for example: 3.11
    ");
    assert_snapshot!(error("pypy3.9-7.3.11\n"), @"
    .python-version does not name a Python version
    found: pypy3.9-7.3.11 (line 1)
    note: nyala deploys CPython only
    allowed: X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the file is used
    Write, for example: 3.11
    ");
    assert_snapshot!(error("my-site-env\n"), @"
    .python-version does not name a Python version
    found: my-site-env (line 1)
    allowed: X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the file is used
    Write, for example: 3.11
    ");
    assert_snapshot!(error("3\n"), @"
    .python-version does not name a Python version
    found: 3 (line 1)
    note: the minor version (the Y of X.Y) is missing
    allowed: X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the file is used
    Write, for example: 3.11
    ");
    assert_snapshot!(error("3.13t\n"), @"
    .python-version does not name a Python version
    found: 3.13t (line 1)
    note: it names the free-threaded build, and nyala uses the standard one
    allowed: X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the file is used
    Did you mean: 3.13
    ");
    assert_snapshot!(error(" \n"), @"
    .python-version names no Python version
    found: only blank lines and comments
    allowed: X.Y, X.Y.Z or specifiers, as in 3.11, 3.11.7 or >=3.11,<3.13; the first one in the file is used
    1. Write, for example: 3.11
    2. Or delete the file: git rm .python-version
    ");
    assert_snapshot!(python_version(&utf16_le("3.11\r\n")).unwrap_err().to_string(), @r#"
    .python-version is UTF-16 but must be UTF-8
    found: UTF-16 (what `echo >` in Windows PowerShell writes), which says 3.11
    1. Save it as UTF-8: echo 3.11 > .python-version (in PowerShell: Set-Content -Encoding ascii .python-version 3.11)
    2. git commit -m ".python-version in UTF-8" .python-version, and push again
    "#);
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
        for error in [runtime_txt(&bytes).err(), python_version(&bytes).err(), requires_python(&bytes).err()].into_iter().flatten() {
            prop_assert!(error.to_string().chars().all(|c| c == '\n' || c == '…' || !c.is_control() && c.is_ascii()));
        }
    }

    #[test]
    fn what_is_accepted_is_in_the_grammar(line in "[Pp]?ython-?[0-9 .+\u{2013}\u{200b}a-c\t\r#-]{0,9}") {
        let trimmed = line.strip_suffix('\r').unwrap_or(&line).trim_matches([' ', '\t']);
        prop_assert_eq!(runtime_txt(line.as_bytes()).is_ok(), is_in_the_grammar(trimmed) && fits(trimmed));
    }

    #[test]
    fn no_pyproject_panics(text in "(\\[project\\]\n)?(requires-python ?= ?['\"][<>=!~0-9.,* a-z]{0,12}['\"]?\n?)?\\PC{0,20}") {
        let _ = requires_python(text.as_bytes());
    }
}

fn fits(line: &str) -> bool {
    line["python-".len()..].split('.').all(|part| part.parse::<u16>().is_ok())
}
