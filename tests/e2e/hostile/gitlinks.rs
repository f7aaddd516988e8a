//! Submodules and Git LFS: no command in `.gitmodules` or `.lfsconfig` is run, and what they fetch
//! may be as hostile as the tree itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Attacker, FILE, FOLDER, GITLINK, LINK, Target};
use crate::support::has_git_lfs;

/// A tree with a submodule `lib` of this commit, and this `.gitmodules`.
fn with_submodule(attacker: &Attacker<'_>, gitmodules: &str, commit: &str) -> String {
    let gitmodules = attacker.blob(gitmodules);
    attacker.tree(&[(FILE, b".gitmodules", &gitmodules), (GITLINK, b"lib", commit)])
}

#[test]
fn a_hostile_submodule_reads_nothing_else() {
    let target = Target::new();
    let Target { site, precious } = &target;
    let attacker = target.attacker();
    let head = attacker.project.head();
    let touch = format!("touch {}", precious.name("ran"));
    let named =
        |path: &str, url: &str| format!("[submodule \"lib\"]\n\tpath = {path}\n\turl = {url}\n");
    let option = "is an option, not an address";
    for (url, why) in [
        (format!("--upload-pack={touch}"), option),
        (format!("\"-u{touch};x\""), option),
        (format!("\"ext::sh -c '{touch}'\""), "names a helper of git"),
        (format!("\"ssh://-oProxyCommand={touch}/x\""), "cannot be fetched"),
        (precious.name(""), "cannot be fetched"),
        (format!("file://{}", precious.name("file")), "cannot be fetched"),
        ("../precious".to_owned(), "cannot be fetched"),
        ("../../../../../precious".to_owned(), "leads above"),
        ("\"https://127.0.0.1:9/\u{1b}[2Jx\"".to_owned(), "has a control character"),
    ] {
        attacker.assert_refused(&with_submodule(&attacker, &named("lib", &url), &head), why);
    }
    // A submodule that is not named, or at another path, is an empty folder.
    for gitmodules in
        [named("../../../precious", "--upload-pack=true"), named("-lib", &touch), String::new()]
    {
        let push = attacker.push(&with_submodule(&attacker, &gitmodules, &head));
        push.assert_success()
            .assert_says("warning: lib is a submodule that .gitmodules does not name");
        assert_eq!(fs::read_dir(site.path.join("wwwroot/lib")).unwrap().count(), 0);
    }
    attacker.assert_refused(&with_submodule(&attacker, "[submodule", &head), ".gitmodules");

    // Its other keys are not read.
    let library = attacker.project.path.to_str().unwrap();
    let elsewhere =
        format!("[core]\n\tsshCommand = {touch}\n[include]\n\tpath = {}\n", precious.name("file"));
    let gitmodules = format!("{}\tupdate = !{touch}\n{elsewhere}", named("lib", library));
    attacker.push(&with_submodule(&attacker, &gitmodules, &head)).assert_success();
    assert_eq!(site.live_file("lib/page"), "live");

    // The same rules apply to its own tree.
    let file = attacker.blob("evil");
    let outside = attacker.blob(precious.name(""));
    let folder = attacker.tree(&[(FILE, b"file", &file)]);
    for (tree, why) in [
        (attacker.tree(&[(FOLDER, b"..", &folder)]), "cannot be written: its name "),
        (
            attacker.tree(&[(LINK, b"x", &outside), (FOLDER, b"x", &folder)]),
            "two entries with that name",
        ),
        (
            attacker.tree(&[(LINK, b".gitmodules", &outside), (GITLINK, b"deep", &head)]),
            "a link with that name",
        ),
    ] {
        let commit = attacker.commit(&tree);
        attacker.project.git(&["update-ref", "refs/heads/library", &commit]);
        attacker.assert_refused(&with_submodule(&attacker, &named("lib", library), &commit), why);
    }
    attacker.done("submodules");
}

#[test]
fn commands_in_lfsconfig_are_not_run() {
    if !has_git_lfs() {
        return;
    }
    let target = Target::new();
    let precious = &target.precious;
    let attacker = target.attacker();
    let script = target.site.path.join("agent");
    fs::write(&script, format!("#!/bin/sh\ntouch '{}'\n", precious.name("ran"))).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let (agent, up) = (script.display(), "../../../precious/file");
    let pointer = attacker.blob(format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n",
        "a".repeat(64)
    ));
    let attributes = attacker.blob("*.bin filter=lfs diff=lfs merge=lfs -text\n");
    for (mode, said) in [
        (LINK, up.to_owned()),
        (FILE, format!("[lfs]\n\turl = ssh://-oProxyCommand={agent}/x\n")),
        (FILE, format!("[lfs]\n\turl = file://{}\n", precious.path.display())),
        (
            FILE,
            format!(
                "[lfs]\n\tstandalonetransferagent = x\n[lfs \"customtransfer.x\"]\n\
                 \tpath = {agent}\n\
                 [core]\n\taskpass = {agent}\n\tsshCommand = {agent}\n[credential]\n\
                 \thelper = !{agent}\n"
            ),
        ),
    ] {
        let tree = attacker.tree(&[
            (FILE, b".gitattributes", &attributes),
            (mode, b".lfsconfig", &attacker.blob(said)),
            (FILE, b"big.bin", &pointer),
        ]);
        attacker.assert_refused(&tree, "big.bin is a Git LFS pointer, and its content is not in");
    }
    attacker.done(".lfsconfig");
}
