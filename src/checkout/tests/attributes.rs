//! What `.gitattributes` do to files, compared with git's own checkout.

use super::repo::{FILE, LINK, PROGRAM, Repo};

/// Every kind of content that a rule may look at.
const CONTENTS: &[(&str, &[u8])] = &[
    ("lf", b"one\ntwo\n"),
    ("crlf", b"one\r\ntwo\r\n"),
    ("mixed", b"one\r\ntwo\nthree\n"),
    ("cr", b"one\rtwo\n"),
    ("crcrlf", b"one\r\r\ntwo\n"),
    ("no-newline", b"one"),
    ("last-cr", b"one\ntwo\r"),
    ("only-lf", b"\n"),
    ("empty", b""),
    ("nul", b"one\0two\nthree\n"),
    ("control", b"\x01\x02\x03\nfew\n"),
    ("dos-eof", b"one\n\x1a"),
    ("utf8", "eins\nzwei ä €\n𝄞\n".as_bytes()),
    ("bom", "\u{feff}one\ntwo\n".as_bytes()),
    ("latin1", b"caf\xe9\nx\n"),
    ("id", b"a $Id$ b\n$Id: old $\n$Id: of another $\n$Ident$\n$Id\n$Id:\n"),
    ("id-odd", b"$$Id$ $Id$Id$ $Idx$Id: y$ $I$Id$ $Id\0$Id$\n$Id: a\0 b$\n$Id:$Id:$\n$Id"),
    ("id-crlf", b"$Id$\r\n$Id: x$\n"),
    ("id-unfinished", b"x\n$Id: and so on\n$Id"),
];

/// Checks all contents under these attributes, each as `NAME` and as `sub/NAME.txt`.
fn assert_like_git(attributes: &str) {
    assert_like_git_with(&[(".gitattributes", attributes.as_bytes())]);
}

fn assert_like_git_with(attributes: &[(&str, &[u8])]) {
    let repo = Repo::new();
    let names: Vec<(String, &[u8])> = CONTENTS
        .iter()
        .flat_map(|(name, bytes)| {
            [((*name).to_owned(), *bytes), (format!("sub/{name}.txt"), *bytes)]
        })
        .collect();
    let mut paths: Vec<_> =
        names.iter().map(|(name, bytes)| (FILE, name.as_str(), *bytes)).collect();
    paths.extend(attributes.iter().map(|(name, bytes)| (FILE, *name, *bytes)));
    repo.assert_like_git(repo.tree_of(&paths));
}

#[test]
fn line_endings_in_every_combination_are_like_gits() {
    for text in [
        "",
        "text",
        "-text",
        "!text",
        "text=auto",
        "text=input",
        "text=nonsense",
        "crlf",
        "-crlf",
        "crlf=input",
        "crlf=auto",
        "binary",
    ] {
        for eol in ["", "eol=crlf", "eol=lf", "-eol", "eol", "eol=cr"] {
            assert_like_git(&format!("* {text} {eol}\n"));
        }
    }
}

#[test]
fn ident_is_like_gits_whatever_else_is_asked_for() {
    for others in
        ["", "text", "-text", "text=auto", "eol=crlf", "text=auto eol=crlf", "text=auto eol=lf"]
    {
        assert_like_git(&format!("* ident {others}\n"));
    }
    assert_like_git("* ident\n*.txt -ident\n");
    assert_like_git("* ident=yes\n");
}

#[test]
fn later_lines_deeper_files_and_negations_win() {
    assert_like_git("* eol=crlf\n*.txt -text\nlf text\n");
    assert_like_git("*.txt eol=crlf\n* text=auto\n* !text\n");
    assert_like_git_with(&[
        (".gitattributes", b"* text=auto eol=crlf\nsub/*.txt ident\n"),
        ("sub/.gitattributes", b"*.txt !eol\nlf.txt eol=crlf\n/crlf.txt -text\nid.txt -ident\n"),
    ]);
    assert_like_git_with(&[("sub/.gitattributes", b"* eol=crlf\n")]);
    assert_like_git_with(&[("sub/.gitattributes", b"sub/* eol=crlf\n../lf eol=crlf\n")]);
}

#[test]
fn patterns_match_like_gits() {
    for pattern in [
        "sub/*",
        "/sub/*",
        "sub/",
        "sub",
        "sub/**",
        "**/lf.txt",
        "**",
        "*",
        "/lf",
        "/*",
        "lf*",
        "*f",
        "l?",
        "[kl]f",
        "[!k]f",
        "s*b/lf.txt",
        "sub/l*t",
        "\"sub/lf.txt\"",
        "\"l\\146\"",
        "\\lf",
        "l\\f",
        "!lf",
        "\\!lf",
        "*/lf.txt",
        "LF",
        "**/",
        "sub/*.txt/",
        "./lf",
        "sub//lf.txt",
    ] {
        assert_like_git(&format!("{pattern} eol=crlf\n"));
    }
}

#[test]
fn macros_are_like_gits() {
    assert_like_git("[attr]dos text eol=crlf\n*.txt dos\n");
    assert_like_git("[attr]dos text eol=crlf\n* dos\n*.txt -dos\n");
    assert_like_git("[attr]dos text eol=crlf\n* -dos\n");
    assert_like_git("[attr]outer inner\n[attr]inner eol=crlf\n* outer\nlf !eol\n");
    assert_like_git("* eol=crlf\n*.txt binary\n");
    assert_like_git("* eol=crlf\n*.txt -binary\n");
    assert_like_git("[attr]binary eol=crlf\n*.txt binary\n");
    assert_like_git("[attr]a eol=crlf\n[attr]a eol=lf\n* a\n");
    assert_like_git("[attr]a a eol=crlf\n* a\n");
    assert_like_git_with(&[
        (".gitattributes", b"[attr]dos eol=crlf\n"),
        ("sub/.gitattributes", b"[attr]dos eol=lf\n[attr]own eol=crlf\n*.txt dos\nlf.txt own\n"),
    ]);
}

#[test]
fn odd_attribute_files_are_read_as_git_reads_them() {
    let long =
        format!("*{} eol=crlf\n* eol=lf\n* {} eol=crlf\n", "x".repeat(3000), "a".repeat(2040));
    let just = format!("* {} eol=crlf\n", "a".repeat(2047 - 11));
    for file in [
        "\u{feff}* eol=crlf\n".as_bytes(),
        b"# comment\n\n   * eol=crlf",
        b"* eol=crlf\r\n",
        b"lf eol=crlf\n\0* eol=crlf\n",
        b"lf eol=crlf\0 ident\n* eol=crlf\n",
        b"* eol=crlf bad/name\n",
        b"* -eol=crlf\n",
        b"* eol=crlf eol=lf\n",
        b"*\teol=crlf\x0b\n",
        b"*\teol=crlf\x0c\n",
        b"\"unfinished eol=crlf\n",
        b"[attr] eol=crlf\n* eol=crlf\n",
        b"[attr]bad/name eol=crlf\n* bad\n",
        b"* !\n* -\n*.txt eol=crlf\n",
        long.as_bytes(),
        just.as_bytes(),
        b"",
    ] {
        assert_like_git_with(&[(".gitattributes", file)]);
    }
}

/// git 2.44 and newer reserve names that start with `builtin_`, and skip the line.
#[test]
fn names_that_git_reserves_are_no_attributes() {
    let file = b"* builtin_x eol=crlf\n";
    let repo = Repo::new();
    let tree = repo.tree_of(&[(FILE, ".gitattributes", file), (FILE, "lf", b"one\n")]);
    let (into, _) = repo.export(tree);
    assert_eq!(std::fs::read(into.path().join("lf")).unwrap(), b"one\n");
}

#[test]
fn the_encodings_that_we_write_are_like_gits() {
    let text = "eins\nzwei ä\n".as_bytes();
    let wide = "\u{feff}eins €\r\n𝄞\n".as_bytes();
    for encoding in [
        "UTF-16",
        "utf16",
        "UTF-16LE",
        "UTF-16BE",
        "UTF-16LE-BOM",
        "utf-16be-bom",
        "UTF-32",
        "UTF-32LE",
        "UTF-32BE",
        "UTF-8",
        "utf8",
    ] {
        for others in ["", "text eol=crlf", "ident", "text=auto eol=crlf", "-text"] {
            let repo = Repo::new();
            let attributes = format!("*.x working-tree-encoding={encoding} {others}\n");
            let tree = repo.tree_of(&[
                (FILE, ".gitattributes", attributes.as_bytes()),
                (FILE, "a.x", text),
                (PROGRAM, "b.x", wide),
                (FILE, "c.x", b""),
                (FILE, "d.x", b"$$Id$ $Id$\n"),
            ]);
            repo.assert_like_git(tree);
        }
    }
    for encoding in ["ISO-8859-1", "latin1", "ISO8859-1"] {
        let repo = Repo::new();
        let attributes = format!("*.x working-tree-encoding={encoding} eol=crlf\n");
        repo.assert_like_git(
            repo.tree_of(&[(FILE, ".gitattributes", attributes.as_bytes()), (FILE, "a.x", text)]),
        );
    }
}

#[test]
fn an_encoding_that_cannot_be_written_is_an_error_that_names_the_file() {
    let repo = Repo::new();
    for (encoding, bytes, expected) in [
        ("=KOI-7\x01", b"x".as_slice(), r#"found: "KOI-7\u{1}""#),
        ("", b"x", "needs the name of an encoding"),
        ("=UTF-16LE", b"caf\xe9", "not UTF-8"),
        ("=ISO-8859-1", "€".as_bytes(), "no character U+20AC"),
    ] {
        let attributes = format!("*.x working-tree-encoding{encoding}\n");
        let text =
            repo.export_error(repo.tree_of(&[
                (FILE, ".gitattributes", attributes.as_bytes()),
                (FILE, "s/a.x", bytes),
            ]));
        assert!(text.contains("\"s/a.x\"") && text.contains(expected), "{text}");
    }
}

#[test]
fn links_are_not_converted() {
    let repo = Repo::new();
    repo.assert_like_git(repo.tree_of(&[
        (FILE, ".gitattributes", b"* text eol=crlf ident\n"),
        (LINK, "link", b"a\n$Id$"),
        (FILE, "file", b"a\n$Id$"),
    ]));
}

#[test]
fn an_attribute_file_that_is_a_link_or_a_folder_is_what_it_is_to_git() {
    let repo = Repo::new();
    repo.assert_like_git(
        repo.tree_of(&[(LINK, ".gitattributes", b"* eol=crlf"), (FILE, "a", b"x\n")]),
    );
    repo.assert_like_git(repo.tree_of(&[
        (FILE, ".gitattributes/x", b"* eol=crlf\n"),
        (FILE, "a", b"x\n"),
        (FILE, ".gitattributes/.gitattributes", b"x eol=crlf"),
    ]));
}

#[test]
fn filters_without_a_driver_change_nothing() {
    assert_like_git("* filter=lfs diff=lfs merge=lfs -text\n");
    assert_like_git("* filter=nobody eol=crlf ident\n");
}
