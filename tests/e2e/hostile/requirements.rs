//! Requirements that lead to files outside of the tree: pip would read them, and quote their lines
//! in the log.

use super::{FILE, LINK, Target};

#[test]
fn pip_never_reads_a_file_outside_of_the_tree() {
    let target = Target::new();
    let Target { site, precious } = &target;
    let attacker = target.attacker();
    let outside = "is outside the deployed folder";
    let absolute = precious.name("requirements.txt");
    site.set("PRECIOUS", "/.");
    for (line, why) in [
        ("-r ../../../precious/requirements.txt".to_owned(), outside),
        ("-c ../../../precious/requirements.txt".to_owned(), outside),
        ("--requirement=inside/../../../../precious/file".to_owned(), outside),
        (format!("-r {absolute}"), outside),
        (format!("-c{absolute}"), outside),
        (format!("-r {}", precious.name("fifo")), outside),
        (format!("-r file://{absolute}"), outside),
        (format!("-c file:{absolute}"), outside),
        (format!("-r ${{PRECIOUS}}{absolute}"), outside),
        (format!("--only-a-newer-pip-knows x -r {absolute}"), outside),
        (
            "-r inside/link/requirements.txt".to_owned(),
            "is reached through a link that leaves the commit",
        ),
        (
            "-r ftp://requirements.txt".to_owned(),
            "is reached through a link that leaves the commit",
        ),
    ] {
        let requirements = attacker.blob(format!("grass\n{line}\n"));
        let link = attacker.blob(precious.name(""));
        let inside = attacker.tree(&[(LINK, b"link", &link)]);
        let tree = attacker.tree(&[
            (LINK, b"ftp:", &link),
            ("40000", b"inside", &inside),
            (FILE, b"requirements.txt", &requirements),
        ]);
        let push = attacker.assert_refused(&tree, why);
        push.assert_says("found: requirements.txt line 2: ")
            .assert_does_not_say("virtual environment");
    }

    // The text that is written to a file can differ from the one in the commit.
    let secret = precious.name("file");
    let (link, grass) = (attacker.blob(&secret), attacker.blob("grass\n"));
    let text = format!("-r {secret} # {}", if secret.len().is_multiple_of(2) { "" } else { "#" });
    let units: Vec<_> =
        text.as_bytes().chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n",
        "a".repeat(64)
    );
    for (attribute, requirements, why) in [
        ("ident", "-r $Id$\n".to_owned(), "is reached through a link that leaves the commit"),
        ("working-tree-encoding=UTF-16LE", String::from_utf16(&units).unwrap(), outside),
        ("filter=lfs", pointer, "requirements.txt is kept in Git LFS"),
    ] {
        let attributes = attacker.blob(format!("requirements.txt {attribute}\n"));
        let requirements = attacker.blob(requirements);
        let entries: [(&str, &[u8], &str); 4] = [
            (FILE, b"$Id$", &grass),
            (LINK, b"$Id:", &link),
            (FILE, b".gitattributes", &attributes),
            (FILE, b"requirements.txt", &requirements),
        ];
        attacker
            .assert_refused(&attacker.tree(&entries), why)
            .assert_does_not_say("virtual environment");
    }
    attacker.done("requirements that lead out");
}

#[test]
fn a_requirements_file_named_like_an_option_is_a_file() {
    let target = Target::new();
    let Target { site, precious } = &target;
    let attacker = target.attacker();
    let name = format!("--target={}", precious.path.display()).replace('/', "\\");
    let push = attacker.push(&attacker.tree_of(&[
        (FILE, &name, "acacia\n"),
        (FILE, "--version", "grass==1.0\n"),
        (FILE, "-e", "grass\n"),
        (FILE, "requirements.txt", &format!("-r --version\n-c -e\n--requirement '{name}'\n")),
    ]));
    push.assert_success();
    assert_eq!(site.package("grass").as_deref(), Some("1.0"));
    assert!(site.package("acacia").is_some());
    attacker.done("requirements named like options");
}
