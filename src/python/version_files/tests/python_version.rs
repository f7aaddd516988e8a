use insta::assert_snapshot;

use super::*;

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
fn a_major_version_alone_is_any_of_its_minor_versions() {
    for text in ["3\n", "3.x\n", "3.*\n", "cpython-3\n"] {
        assert_eq!(python_version(text.as_bytes()).unwrap().wanted.to_string(), "==3.*", "{text}");
    }
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
    assert_snapshot!(error("4\n"), @"
    .python-version does not name a Python version
    found: 4 (line 1)
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
