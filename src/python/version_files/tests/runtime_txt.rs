use insta::assert_snapshot;

use super::*;

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
    assert_eq!(
        runtime_error("# python-3.11\n\n").lines().nth(1).unwrap(),
        "found: only blank lines and comments"
    );
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
    assert_eq!(
        runtime_error("python-3.11\n".repeat(900)).lines().nth(6).unwrap(),
        "found: and 895 more lines"
    );
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
    assert_eq!(
        error.lines().nth(1).unwrap(),
        format!("found: {}… and 4920 characters more (line 1)", "x".repeat(80))
    );
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
        "pyton-3.11",
    ] {
        assert_eq!(suggested(text), "Did you mean: python-3.11", "{text}");
    }
    assert_eq!(suggested("python-3.11.4.2"), "Did you mean: python-3.11.4");
    assert_eq!(suggested("pypy-3.9"), "Write, for example: python-3.11");
}
