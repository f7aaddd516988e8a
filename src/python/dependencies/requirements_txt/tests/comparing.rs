//! What changed between two commits, and what it asks for.

use insta::assert_snapshot;

use super::*;
use EnvAction::{Create, Update};

#[test]
fn comments_order_and_spelling_are_no_change() {
    assert_eq!(
        between("flask==3.0\nDjango >= 4 # web\n", "django>=4\r\n\r\nFlask == 3.0"),
        [""; 0]
    );
    assert_eq!(between("-i https://h/", "--index-url=https://h/"), [""; 0]);
}

#[test]
fn a_new_or_other_version_is_an_update() {
    assert_snapshot!(between("flask==2.0", "flask==3.0\ndjango").join("\n"), @r#"
    Update: django was added (requirements.txt line 2)
    Update: flask==2.0 -> flask==3.0 (requirements.txt line 1)
    "#);
}

#[test]
fn what_is_gone_wants_a_new_env() {
    assert_eq!(
        between("flask==2.0\ndjango", "flask==2.0"),
        ["Create: django was removed from requirements.txt"]
    );
    assert_eq!(env_action("a; os_name == 'nt'", "a"), Some(Create));
}

#[test]
fn an_extra_is_added_in_place_but_not_taken_away() {
    assert_eq!(env_action("a[x]", "a[x,y]"), Some(Update));
    assert_eq!(env_action("a[x,y]", "a[x]"), Some(Create));
}

#[test]
fn another_source_wants_a_new_env() {
    let id = "0123456789abcdef0123456789abcdef01234567";
    let at = |id: &str| format!("a @ git+https://h/r.git@{id}");
    assert_eq!(env_action(&at(id), &at(id)), None);
    assert_eq!(env_action(&at(id), &at(&id.replace('0', "1"))), Some(Create));
    assert_eq!(env_action("a==1", "a @ https://h/a.zip#sha256=00"), Some(Create));
    assert_eq!(env_action("./lib", "-e ./lib"), Some(Create));
}

#[test]
fn hashes_that_are_gone_want_a_new_env() {
    let line = |hashes: &str| format!("a==1 {hashes}");
    assert_eq!(
        env_action(&line("--hash=sha256:1"), &line("--hash=sha256:1 --hash=sha256:2")),
        Some(Update)
    );
    assert_eq!(env_action(&line("--hash=sha256:1"), &line("--hash=sha256:2")), Some(Create));
    assert_eq!(env_action(&line(""), &line("--hash=sha256:2")), Some(Create));
    assert_eq!(env_action(&line("--hash=sha256:1"), &line("")), Some(Update));
    assert_eq!(env_action("a==1 --hash=sha256:1", "a==2 --hash=sha256:2"), Some(Update));
}

#[test]
fn options_that_offer_more_are_an_update_and_the_others_want_a_new_env() {
    for option in ["--extra-index-url https://h/", "--pre", "-f wheels", "--trusted-host h"] {
        assert_eq!(env_action("a", &format!("{option}\na")), Some(Update), "{option}");
        assert_eq!(env_action(&format!("{option}\na"), "a"), Some(Create), "{option}");
    }
    for option in [
        "-i https://h/",
        "--no-index",
        "--no-binary :all:",
        "--only-binary a",
        "--require-hashes",
        "--new",
    ] {
        assert_eq!(env_action("a", &format!("{option}\na")), Some(Create), "{option}");
    }
    assert_eq!(
        between("-i https://a/", "-i https://b/"),
        ["Create: the option --index-url https://a/ -> --index-url https://b/ \
          (requirements.txt line 1); pip does not reselect installed packages"]
    );
    assert_eq!(env_action("a --config-settings=x=1", "a --config-settings=x=2"), Some(Create));
}

#[test]
fn a_constraint_is_compared_like_a_requirement() {
    let read =
        |text: &str| read(&MemoryTree::of(&[("requirements.txt", "a\n-c c.txt"), ("c.txt", text)]));
    assert_snapshot!(reasons(&read("b<2\nc<2\n"), &read("b<3\nd<2")).join("\n"), @r#"
    Create: the constraint c<2 was removed from c.txt
    Update: the constraint b<2 -> b<3 (c.txt line 1)
    Update: the constraint d<2 was added (c.txt line 2)
    "#);
}

#[test]
fn a_file_that_is_out_of_sight_is_gone_when_its_line_is() {
    assert_eq!(env_action("a\n-r https://h/r.txt", "a"), Some(Create));
}

#[test]
fn local_folders_are_installed_again_and_local_files_want_a_new_env() {
    let read = |folder: &str, file: &str| {
        read(&MemoryTree::of(&[
            ("requirements.txt", "./lib\n./a-1-py3-none-any.whl\n-e ./app"),
            ("lib/setup.py", folder),
            ("app/setup.py", ""),
            ("a-1-py3-none-any.whl", file),
        ]))
    };
    let then = read("1", "1");
    assert_eq!(
        reasons(&then, &read("1", "1")),
        ["Update: app is installed with -e, so the env must point to the new release"]
    );
    assert_snapshot!(reasons(&then, &read("2", "1")).join("\n"), @r#"
    Update: app is installed with -e, so the env must point to the new release
    Update: the folder lib changed and is reinstalled
    "#);
    assert_snapshot!(reasons(&then, &read("1", "2")).join("\n"), @r#"
    Create: the file a-1-py3-none-any.whl changed but kept its name, so pip would keep the installed one
    Update: app is installed with -e, so the env must point to the new release
    "#);
}

#[test]
fn what_find_links_offers_is_compared_by_name() {
    let read = |files: &[(&str, &str)]| {
        let tree = MemoryTree::of(&[("requirements.txt", "-f wheels\na")]);
        read(&files.iter().fold(tree, |tree, (path, text)| tree.with(path, *text)))
    };
    let then = read(&[("wheels/a-1.whl", "1"), ("wheels/b-1.whl", "1")]);
    let now = read(&[("wheels/a-1.whl", "2"), ("wheels/c-1.whl", "1")]);
    assert_snapshot!(reasons(&then, &now).join("\n"), @r#"
    Create: wheels/b-1.whl was removed from a --find-links folder
    Create: wheels/a-1.whl changed in a --find-links folder
    Update: wheels/c-1.whl was added to a --find-links folder
    "#);
}

#[test]
fn what_moves_is_said_each_time_with_the_fix() {
    assert_eq!(
        between("git+https://u:pw@h/r.git@main", "git+https://u:pw@h/r.git@main"),
        ["Create: git+https://****@h/r.git@main (requirements.txt line 1) names no fixed commit, \
          so the environment is never reused: pin it to a full commit ID: \
          …@<40 hexadecimal digits>"]
    );
}
