//! What is read, and where it is looked for.

use super::*;

#[test]
fn nested_files_are_found_beside_the_file_that_names_them() {
    let closure = read(&MemoryTree::of(&[
        ("requirements.txt", "-r deploy/prod.txt\nflask"),
        ("deploy/prod.txt", "--requirement=base.txt\n-c ../constraints.txt\ngunicorn"),
        ("deploy/base.txt", "requests # needed"),
        ("constraints.txt", "urllib3<2"),
    ]));
    let files: Vec<_> = closure.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        files,
        ["requirements.txt", "deploy/prod.txt", "deploy/base.txt", "constraints.txt"]
    );
    assert_eq!(texts(&closure), ["requests", "urllib3<2", "gunicorn", "flask"]);
    assert_eq!(closure.record().lines[1].role, Role::Constraint);
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let closure = read(&MemoryTree::of(&[
        ("requirements.txt", "-r a.txt\n-r b.txt"),
        ("a.txt", "-r c.txt"),
        ("b.txt", "-r ./c.txt"),
        ("c.txt", "flask"),
    ]));
    assert_eq!(texts(&closure), ["flask"]);
}

#[test]
fn a_link_to_a_tracked_file_is_followed() {
    let closure = read(
        &MemoryTree::of(&[("deploy/real.txt", "flask\n-r base.txt"), ("base.txt", "django")])
            .link("requirements.txt", "current/real.txt")
            .link("current", "./deploy"),
    );
    // As in pip, `-r` is relative to the name that was used, not to where the link leads.
    assert_eq!(texts(&closure), ["flask", "django"]);
}

#[test]
fn paths_of_requirements_are_relative_to_the_tree() {
    let closure = read(&MemoryTree::of(&[
        ("requirements.txt", "-r deploy/prod.txt"),
        ("deploy/prod.txt", "./lib\n-e ./app[dev]\n./wheels/a-1-py3-none-any.whl"),
        ("lib/setup.py", ""),
        ("app/setup.py", ""),
        ("wheels/a-1-py3-none-any.whl", "bytes"),
    ]));
    let local: Vec<_> = closure.record().local.iter().map(|l| (l.path.as_str(), l.kind)).collect();
    assert_eq!(
        local,
        [
            ("app", LocalKind::Editable),
            ("lib", LocalKind::Folder),
            ("wheels/a-1-py3-none-any.whl", LocalKind::File),
        ]
    );
}

#[test]
fn a_submodule_is_installed_as_the_commit_it_is_pinned_to() {
    let id = |commit: &str| {
        let tree = MemoryTree::of(&[("requirements.txt", "./vendor/lib/python")]);
        read(&tree.submodule("vendor/lib", commit)).record().local[0].id.clone()
    };
    assert!(id("abc").starts_with("abc in "));
    assert_ne!(id("abc"), id("def"));
}

#[test]
fn find_links_offers_what_lies_beside_the_file_or_in_the_tree() {
    let closure = read(
        &MemoryTree::of(&[
            ("requirements.txt", "-f wheels\n-r deploy/r.txt"),
            ("deploy/r.txt", "--find-links=own\n-f wheels\n-f https://h/w\n-f nowhere"),
            ("wheels/a.whl", "1"),
            ("wheels/deep/x.whl", "4"),
            ("deploy/own/b.whl", "2"),
            ("elsewhere.whl", "3"),
        ])
        .link("wheels/c.whl", "../elsewhere.whl"),
    );
    let found: Vec<_> =
        closure.record().found.iter().map(|f| (f.path.as_str(), f.id.as_str())).collect();
    assert_eq!(found, [("deploy/own/b.whl", "2"), ("wheels/a.whl", "1"), ("wheels/c.whl", "3")]);
}

#[test]
fn what_can_change_unseen_is_moving() {
    let closure = read(&MemoryTree::of(&[(
        "requirements.txt",
        "git+https://h/r.git@main\na @ https://h/a.zip\n-r https://h/r.txt\n-c HTTP://h/c.txt\n\
         ../lib\n-e /srv/lib\nflask\n\
         -f /srv/wheels\nb @ https://h/b.zip --hash=sha256:00",
    )]));
    let numbers: Vec<_> = closure.record().mutable_references.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn settings_lead_to_other_files_and_are_named() {
    let tree = MemoryTree::of(&[
        ("requirements.txt", "-r requirements/${STAGE}.txt\n${LIB}\n# ${UNUSED}"),
        ("requirements/prod.txt", "flask==${FLASK}"),
        ("lib/setup.py", ""),
    ]);
    let setting = |name: &str| match name {
        "STAGE" => Some("prod".to_owned()),
        "LIB" => Some("./lib".to_owned()),
        _ => None,
    };
    let closure = closure(&tree, "requirements.txt", &setting).unwrap();
    assert_eq!(closure.variables, ["FLASK", "LIB", "STAGE"]);
    assert_eq!(closure.files[1].path, "requirements/${STAGE}.txt");
    assert!(closure.record().local[0].id.contains("lib/setup.py"));
}
