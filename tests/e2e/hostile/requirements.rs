//! Requirements that lead to files outside: pip would read them, and quote in the log what is no requirement in them.

use super::{FILE, LINK, Target};

#[test]
fn pip_is_not_led_to_a_file_outside() {
    let target = Target::new();
    let Target { site, precious } = &target;
    let attacker = target.attacker();
    let outside = "lies outside of the folder that is deployed";
    let absolute = precious.name("requirements.txt");
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
        ("-r inside/link/requirements.txt".to_owned(), "is reached through a link that leaves the commit"),
        ("-r ftp://requirements.txt".to_owned(), "is reached through a link that leaves the commit"),
    ] {
        site.set("PRECIOUS", "/.");
        let requirements = attacker.blob(format!("grass\n{line}\n"));
        let link = attacker.blob(precious.name(""));
        let inside = attacker.tree(&[(LINK, b"link", &link)]);
        let tree = attacker.tree(&[
            (LINK, b"ftp:", &link),
            ("40000", b"inside", &inside),
            (FILE, b"requirements.txt", &requirements),
        ]);
        let push = attacker.assert_refused(&tree, why);
        push.assert_says("found: requirements.txt line 2: ").assert_does_not_say("virtual environment");
    }
    attacker.done("requirements that lead out");
}

#[test]
fn a_requirements_file_whose_name_looks_like_an_option_is_a_file() {
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
