//! Links, and other entries in place of something that nyala reads, runs, creates or replaces.

use std::fs;
use std::path::Path;

use super::{FILE, FOLDER, GITLINK, LINK, Target};
use crate::support::Precious;

/// The path from the root of a release to the precious folder.
const UP: &str = "../../../precious";

#[test]
fn links_out_of_the_release_are_never_followed() {
    let target = Target::new();
    let Target { site, precious } = &target;
    site.configure("keep = 1");
    let attacker = target.attacker();
    let outside = attacker.blob(UP);
    let secret = attacker.blob(format!("{UP}/file"));
    let program = attacker.blob(format!("../{UP}/bin/post_compile"));
    let [absolute, root, above, itself] = ["", "/", "../../", "itself"]
        .map(|to| attacker.blob(if to.is_empty() { precious.name("") } else { to.to_owned() }));
    let bin = attacker.tree(&[(LINK, b"post_compile", &program), (LINK, b"pre_compile", &program)]);
    let links: [(&str, &[u8], &str); 15] = [
        (LINK, b".gitattributes", &secret),
        (LINK, b".lfsconfig", &secret),
        (LINK, b".skipDjango", &secret),
        (LINK, b".skipPythonDeployment", &secret),
        (LINK, b"above", &above),
        (LINK, b"absolute", &absolute),
        (FOLDER, b"bin", &bin),
        (LINK, b"env", &outside),
        (LINK, b"fifo", &attacker.blob(format!("{UP}/fifo"))),
        (LINK, b"folder", &outside),
        (LINK, b"git~2", &absolute),
        (LINK, b"itself", &itself),
        (LINK, b"requirements", &outside),
        (LINK, b"root", &root),
        (LINK, b"shared", &outside),
    ];
    attacker
        .push(&attacker.tree(&links))
        .assert_success()
        .assert_says("Environment: no environment");
    assert_eq!(fs::read_link(site.path.join("wwwroot/env")).unwrap(), Path::new(UP));

    // What was a link is a folder now, in a release of its own and then in one that was brought
    // forward.
    let evil = attacker.blob("evil");
    let inner = attacker.tree(&[
        (FILE, b"file", &evil),
        (FILE, b"new", &evil),
        (FILE, b"requirements.txt", &evil),
    ]);
    let folders: Vec<_> =
        links.iter().map(|(_, name, _)| (FOLDER, *name, inner.as_str())).collect();
    for _ in 0..2 {
        attacker.push(&attacker.tree(&folders)).assert_success();
        assert_eq!(site.live_file("folder/file"), "evil");
        attacker.push(&attacker.tree(&links)).assert_success();
        assert_eq!(fs::read_link(site.path.join("wwwroot/folder")).unwrap(), Path::new(UP));
    }
    // Whatever else goes over a release: none of it follows them.
    for command in
        [&["env", "delete"][..], &["redeploy"], &["gc"], &["delete", "1", "2"], &["doctor"]]
    {
        Precious::assert_not_in(&site.nyala(command).assert_success().stdout);
        precious.assert_untouched(site);
    }
    attacker.done("links that lead out");
}

#[test]
fn files_that_nyala_reads_are_not_read_through_links() {
    let target = Target::new();
    let precious = &target.precious;
    let attacker = target.attacker();
    for (name, text) in [
        (".deployment", ".deployment is a symbolic link in the commit"),
        ("runtime.txt", "runtime.txt is a symbolic link in the commit"),
        (".python-version", ".python-version is a symbolic link in the commit"),
        ("pyproject.toml", "pyproject.toml is a symbolic link in the commit"),
        ("requirements.txt", "requirements.txt is reached through a link that leaves the commit"),
    ] {
        for to in [precious.name("file"), format!("{UP}/fifo")] {
            attacker.assert_refused(&attacker.tree_of(&[(LINK, name, &to)]), text);
        }
    }
    // Nor are they read from a submodule.
    for (name, text) in [
        (".deployment", ".deployment is a submodule in the commit"),
        ("runtime.txt", "runtime.txt is a submodule in the commit"),
        (
            "requirements.txt",
            "requirements.txt is in a submodule that is not checked out, not a requirements file",
        ),
    ] {
        attacker.assert_refused(
            &attacker.tree(&[(GITLINK, name.as_bytes(), &attacker.blob(""))]),
            text,
        );
    }
    attacker.done("links that nyala would read");
}

#[test]
fn files_that_nyala_reads_are_found_in_unsorted_trees() {
    let target = Target::new();
    let attacker = target.attacker();
    let empty = attacker.blob("");
    // A binary search for the name, which relies on git's order, finds the wrong entry in both.
    for (before, after) in [(&["z", "y", "x", "w"][..], &[][..]), (&[], &["$", "#", "\"", "!"])] {
        for (name, text, said) in [
            (".deployment", "[config]\ncommand = echo seen; exit 3\n", "seen"),
            (".python-version", "1.0\n", "wanted: 1.0 (.python-version)"),
            ("runtime.txt", "python-1.0\n", "wanted: 1.0 (runtime.txt)"),
            ("pyproject.toml", "[project]\nrequires-python = '<1'\n", "wanted: <1 ("),
            ("requirements.txt", "-r nowhere.txt\n", "nowhere.txt"),
        ] {
            let text = attacker.blob(text);
            let mut names: Vec<_> =
                before.iter().chain(after).map(|name| (*name, &empty)).collect();
            names.insert(before.len(), (name, &text));
            if name != "requirements.txt" {
                names.insert(before.len(), ("requirements.txt", &empty));
            }
            let entries: Vec<_> =
                names.iter().map(|(name, id)| (FILE, name.as_bytes(), id.as_str())).collect();
            attacker.assert_refused(&attacker.tree(&entries), said);
        }
    }
    attacker.done("files in a tree of another order");
}

#[test]
fn an_env_in_the_tree_is_refused_if_nyala_creates_one() {
    let target = Target::new();
    let site = &target.site;
    let attacker = target.attacker();
    let requirements = attacker.blob("grass\n");
    let file = attacker.blob("x");
    let folder = attacker.tree(&[(FILE, b"file", &file)]);
    let link = |to: &str| attacker.blob(to);
    let bin = attacker.tree_of(&[(LINK, "python", &format!("../../{UP}/file"))]);
    let committed = attacker.tree(&[
        (FOLDER, b"bin", &bin),
        (LINK, b"pyvenv.cfg", &link(&format!("../{UP}/pyvenv.cfg"))),
    ]);
    let with = |mode, id: &str| {
        attacker.tree(&[(mode, b"env", id), (FILE, b"requirements.txt", &requirements)])
    };
    for (tree, found) in [
        (with(LINK, &link(UP)), "found: a symbolic link"),
        (with(LINK, &link(&target.precious.name(""))), "found: a symbolic link"),
        (with(LINK, &link("../../envs/1")), "found: a symbolic link"),
        (with(FILE, &file), "found: a file"),
        (with(FOLDER, &folder), "found: a folder without a pyvenv.cfg"),
        (with(GITLINK, &file), "found: a submodule"),
        // A committed env may name an interpreter elsewhere, but this is not one.
        (with(FOLDER, &committed), "the env/ that the tree tracks cannot be used"),
    ] {
        attacker.assert_refused(&tree, found);
    }

    // Unsorted entries do not hide it either.
    for (mode, id, found) in
        [(LINK, link(UP), "found: a symbolic link"), (FILE, file, "found: a file")]
    {
        let entries: [(&str, &[u8], &str); 3] = [
            (FILE, b"requirements.txt", &requirements),
            (FILE, b"z", &requirements),
            (mode, b"env", &id),
        ];
        attacker.assert_refused(&attacker.tree(&entries), found);
    }

    // A link with the name of Django's program is not run.
    let manage = link(&format!("{UP}/bin/python"));
    let entries: [(&str, &[u8], &str); 2] =
        [(LINK, b"manage.py", &manage), (FILE, b"requirements.txt", &requirements)];
    attacker.push(&attacker.tree(&entries)).assert_success();
    assert_eq!(site.package("grass").as_deref(), Some("1.0"));
    attacker.done("envs");
}

#[test]
fn shared_paths_and_projects_are_not_followed_through_links() {
    let target = Target::new();
    let Target { site, precious } = &target;
    site.configure("shared = [\"media\", \"data/db\"]");
    let attacker = target.attacker();
    let outside = attacker.blob(precious.name(""));
    let seed = attacker.tree_of(&[
        (LINK, "file", &precious.name("file")),
        (LINK, "folder", &precious.name("folder")),
    ]);
    // The live release has neither, so the next one would provide their initial contents.
    for shared in ["media", "data"] {
        fs::remove_dir_all(site.path.join("shared").join(shared)).unwrap();
    }
    let data = attacker.tree(&[(LINK, b"db", &outside)]);
    attacker
        .push(&attacker.tree(&[(FOLDER, b"data", &data), (FOLDER, b"media", &seed)]))
        .assert_success();
    assert_eq!(
        fs::read_link(site.path.join("shared/media/file")).unwrap(),
        Path::new(&precious.name("file"))
    );
    assert_eq!(fs::read_dir(site.path.join("shared/data/db")).unwrap().count(), 0);
    // Once it exists, a link in its place is replaced, and a link above it is refused.
    attacker.push(&attacker.tree(&[(LINK, b"media", &outside)])).assert_success();
    attacker.assert_refused(
        &attacker.tree(&[(LINK, b"data", &outside)]),
        "is a link, and has to be a folder",
    );

    for (project, found) in [
        ("link", "it is a symbolic link"),
        ("link/folder", "there is nothing of that name"),
        ("file", "it is a file"),
        ("gitlink", "it is a submodule"),
        ("..", "it leads out of the commit"),
        ("../..", "it leads out of the commit"),
        ("link/../..", "it leads out of the commit"),
        ("..\\\\..", "it leads out of the commit"),
        (&precious.name(""), "it leads out of the commit"),
    ] {
        let said = attacker.blob(format!("[config]\nproject = {project}\n"));
        let entries: [(&str, &[u8], &str); 4] = [
            (FILE, b".deployment", &said),
            (FILE, b"file", &said),
            (GITLINK, b"gitlink", &said),
            (LINK, b"link", &outside),
        ];
        attacker.assert_refused(&attacker.tree(&entries), found);
    }
    attacker.done("shared paths and projects");
}
