//! A lock of a workspace belongs to the manifests of all its members.

use super::super::super::super::{Manifests, Pyproject, Workspace};
use super::super::super::file::Lock;
use super::super::check;
use super::{LOCK, PYPROJECT, checked};

/// The answer for a commit in which a project is deployed, with these others in their folders, of
/// which those `within` lie in another project.
fn checked_with(
    lock: &Lock,
    deployed: &str,
    others: &[(&str, &str)],
    within: &[&str],
) -> Result<(), String> {
    let others = others.iter().map(|(folder, text)| {
        let path = format!("{folder}/pyproject.toml");
        ((*folder).to_owned(), Pyproject { path, table: text.parse().unwrap() })
    });
    let workspace = Workspace {
        others: others.collect(),
        within_others: within.iter().map(|&folder| folder.to_owned()).collect(),
        ..Workspace::default()
    };
    let pyproject = deployed.parse().unwrap();
    let manifests = Manifests { pyproject, workspace, ..Manifests::default() };
    check(lock, &manifests).map_err(|error| error.to_string())
}

/// The lock is that of uv 0.13 for these manifests.
#[test]
fn each_project_of_a_workspace_counts() {
    let mut lock: Lock = toml::from_str(
        r#"
        version = 1
        revision = 5
        requires-python = ">=3.9"
        [manifest]
        members = ["one", "top", "two"]
        [[package]]
        name = "one"
        version = "0.2.0"
        source = { editable = "libs/one" }
        [package.metadata]
        requires-dist = [
            { name = "click", specifier = ">=8" },
            { name = "two", editable = "libs/two" },
        ]
        [[package]]
        name = "click"
        version = "8.0"
        source = { registry = "https://pypi.org/simple" }
        [[package]]
        name = "top"
        version = "0.1.0"
        source = { virtual = "." }
        [package.metadata]
        requires-dist = [{ name = "one", editable = "libs/one" }]
        [[package]]
        name = "two"
        version = "0.3.0"
        source = { editable = "libs/two" }
        [package.metadata]
        requires-dist = [{ name = "pluggy" }]
        "#,
    )
    .unwrap();
    let project = |name: &str, version: &str, needs: &str| {
        format!("[project]\nname = '{name}'\nversion = '{version}'\ndependencies = [{needs}]\n")
    };
    let sources = "[tool.uv.sources]\none = { workspace = true }\n";
    let top = project("top", "0.1.0", "'one'") + sources;
    let one = project("one", "0.2.0", "'click>=8', 'two'")
        + "[build-system]\nrequires = ['hatchling']\n[tool.uv.sources]\ntwo = {workspace = true}\n";
    let two = project("two", "0.3.0", "'pluggy'");
    let check = |lock: &Lock, deployed: &str, others: &[(&str, &str)]| {
        checked_with(lock, deployed, others, &[])
    };
    let changed = two.replace("'pluggy'", "'pluggy', 'attrs'");
    let why = |path: &str, why: &str| Err(format!("it does not belong to {path} any more: {why}"));
    assert_eq!(check(&lock, &top, &[("libs/one", &one), ("libs/two", &two)]), Ok(()));
    assert_eq!(
        check(&lock, &top, &[("libs/one", &one), ("libs/two", &changed)]),
        why("libs/two/pyproject.toml", "attrs is new there")
    );
    // A member is deployed.
    assert_eq!(check(&lock, &two, &[(".", &top), ("libs/one", &one)]), Ok(()));
    assert_eq!(
        check(&lock, &two, &[(".", &top.replace("0.1.0", "0.1.1")), ("libs/one", &one)]),
        why("./pyproject.toml", "the version is 0.1.1 there, and 0.1.0 in the lock")
    );
    // The top is no project, and says something for all.
    lock.packages.retain(|package| package.name != "top");
    let settings = "[tool.uv]\nconstraint-dependencies = ['click<9']\n";
    assert_eq!(
        check(&lock, &two, &[(".", settings)]),
        why("./pyproject.toml", "click<9 is new there, in constraint-dependencies")
    );
}

/// The sources of a project that is no member may be those of a workspace that is not read.
#[test]
fn what_another_workspace_may_say_of_sources_is_not_compared() {
    let member = |text: &str| text.replace("virtual = \".\"", "virtual = \"lib\"");
    let pyproject = PYPROJECT.replace("torch = {", "other = {");
    let pyproject = pyproject.replace("click<9", "click<7");
    assert_eq!(checked(&member(LOCK), &pyproject), Ok(()));
    let changed = pyproject.replace("iniconfig>=2", "iniconfig>=3");
    let why = checked(&member(LOCK), &changed).unwrap_err();
    assert_eq!(why, "iniconfig>=3 is not what the lock was made for");
    let gone = pyproject.replace("\"torch\", ", "");
    assert_eq!(checked(&member(LOCK), &gone).unwrap_err(), "torch is no longer there");
}

/// A lock of uv 0.13 for these manifests.
#[test]
fn a_member_has_the_sources_of_its_workspace_unless_it_has_its_own() {
    const TOP: &str = "[project]\nname = 'top'\nversion = '0'\n[tool.uv.workspace]\n\
                       members = ['one', 'two']\n[[tool.uv.index]]\nname = 'ours'\n\
                       url = 'https://example.org/simple'\nexplicit = true\n[tool.uv.sources]\n\
                       two = {workspace = true}\ntorch = {path = 'torch'}\n\
                       six = {index = 'ours'}\n";
    const ONE: &str = "[project]\nname = 'one'\nversion = '0'\n\
                       dependencies = ['two', 'torch', 'six']\n";
    let locked = |torch: &str, six: &str, of_one: &str| {
        let lock = format!(
            "version = 1\nrevision = 3\n[manifest]\nmembers = ['one', 'top', 'two']\n\
             [[package]]\nname = 'top'\nversion = '0'\nsource = {{ virtual = '.' }}\n\
             [[package]]\nname = 'two'\nversion = '0'\nsource = {{ editable = 'two' }}\n\
             [[package]]\nname = 'one'\nversion = '0'\nsource = {{ virtual = 'one' }}\n\
             [package.metadata]\nrequires-dist = [{{ name = 'two', editable = 'two' }},\n\
             {{ name = 'torch', {torch} }}, {{ name = 'six'{six} }}]\n"
        );
        let lock: Lock = toml::from_str(&lock).unwrap();
        let one = format!("{ONE}{of_one}");
        let both = [(TOP, ("one", one.as_str())), (&one, (".", TOP))]
            .map(|(deployed, other)| checked_with(&lock, deployed, &[other], &[]).is_ok());
        assert_eq!(both[0], both[1], "the top and the member are deployed");
        both[0]
    };
    let (of_top, ours) = ("directory = 'torch'", ", index = 'https://example.org/simple'");
    assert!(locked(of_top, ours, ""));
    assert!(!locked(of_top, "", ""), "six was locked from PyPI");
    assert!(!locked(of_top, &ours.replace("simple", "other"), ""));
    assert!(!locked("directory = 'one/torch'", ours, ""), "a path starts from the top");
    assert!(!locked("specifier = ''", ours, ""), "torch was locked from PyPI");
    let own = "[tool.uv.sources]\ntorch = {path = '../torch-2'}\nsix = {index = 'own'}\n\
               [[tool.uv.index]]\nname = 'own'\nurl = 'https://example.org/own'\n";
    let of_own = ", index = 'https://example.org/own'";
    assert!(locked("directory = 'torch-2'", of_own, own));
    assert!(!locked(of_top, of_own, own) && !locked("directory = 'torch-2'", ours, own));
    // Another name for the index: that of the workspace is the second that is asked.
    assert!(locked("directory = 'torch-2'", ours, &own.replace("= 'own'}", "= 'ours'}")));
}

/// uv 0.13: a pyproject.toml in a folder between a member and the top of its workspace, whatever is
/// in it, keeps the sources of the top from the member.
#[test]
fn a_member_within_another_project_has_its_own_sources_only() {
    const TOP: &str = "[project]\nname = 'top'\nversion = '0'\n[tool.uv.workspace]\n\
                       members = ['apps/one', 'two']\n\
                       [tool.uv.sources]\ntwo = {workspace = true}\n";
    const ONE: &str = "[project]\nname = 'one'\nversion = '0'\ndependencies = ['two']\n";
    let is_fresh = |two: &str, within: bool| {
        let lock = format!(
            "version = 1\nrevision = 3\n[manifest]\nmembers = ['one', 'top', 'two']\n\
             [[package]]\nname = 'top'\nversion = '0'\nsource = {{ virtual = '.' }}\n\
             [[package]]\nname = 'two'\nversion = '0'\nsource = {{ editable = 'two' }}\n\
             [[package]]\nname = 'one'\nversion = '0'\nsource = {{ virtual = 'apps/one' }}\n\
             [package.metadata]\nrequires-dist = [{{ name = 'two'{two} }}]\n"
        );
        let lock: Lock = toml::from_str(&lock).unwrap();
        let within: &[&str] = if within { &["apps/one"] } else { &[] };
        [(TOP, ("apps/one", ONE)), (ONE, (".", TOP))]
            .map(|(deployed, other)| checked_with(&lock, deployed, &[other], within).is_ok())
    };
    assert_eq!(is_fresh(", editable = 'two'", false), [true; 2]);
    assert_eq!(is_fresh("", false), [false; 2]);
    assert_eq!(is_fresh("", true), [true; 2]);
    assert_eq!(is_fresh(", editable = 'two'", true), [false; 2]);
}

/// uv 0.13, asked with all of these.
#[test]
fn whether_a_member_is_editable_the_whole_workspace_says() {
    let is_fresh = |top: &str, member: &str, of_member: &str, locked: &str| {
        let lock = format!(
            "version = 1\nrevision = 3\n[manifest]\nmembers = ['{member}', 'top', 'two']\n\
             [[package]]\nname = 'top'\nversion = '0'\nsource = {{ virtual = '.' }}\n\
             [[package]]\nname = 'two'\nversion = '0'\nsource = {{ {locked} = 'two' }}\n\
             [[package]]\nname = '{member}'\nversion = '0'\nsource = {{ virtual = '{member}' }}\n\
             [package.metadata]\nrequires-dist = [{{ name = 'two', {locked} = 'two' }}]\n"
        );
        let lock: Lock = toml::from_str(&lock).unwrap();
        let source = |says: &str| {
            let source = format!("[tool.uv.sources]\ntwo = {{workspace = true{says}}}\n");
            if says == "none" { String::new() } else { source }
        };
        let top = format!("[project]\nname = 'top'\nversion = '0'\n{}", source(top));
        let needs = "dependencies = ['two']\n";
        let other = format!("[project]\nname = '{member}'\nversion = '0'\n{needs}");
        let other = other + &source(of_member);
        let both = [(&top, (member, other.as_str())), (&other, (".", top.as_str()))]
            .map(|(deployed, other)| checked_with(&lock, deployed, &[other], &[]).is_ok());
        assert_eq!(both[0], both[1], "the top and the member are deployed");
        both[0]
    };
    let (yes, no) = (", editable = true", ", editable = false");
    for (top, member, of_member, is_editable) in [
        ("", "one", "", true),
        ("", "one", no, true),
        (no, "one", "", false),
        (no, "one", no, false),
        (no, "one", "none", false),
        ("none", "one", no, false),
        ("none", "one", "", true),
        (yes, "one", "", true),
        (no, "zed", "", true),
        ("", "zed", no, false),
        (no, "zed", no, false),
    ] {
        let case = format!("{top} {member} {of_member}");
        assert_eq!(is_fresh(top, member, of_member, "editable"), is_editable, "{case}");
        assert_eq!(is_fresh(top, member, of_member, "directory"), !is_editable, "{case}");
    }
}
