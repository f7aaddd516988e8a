//! Whether a commit is a Python project.

use super::*;

#[test]
fn a_plain_site_is_no_python_project() {
    let found =
        detect(&MemoryTree::of(&[("index.html", ""), ("tools/x.py", ""), (".py", "")])).unwrap();
    assert!(!found.is_python());
}

#[test]
fn python_files_at_the_top_make_one() {
    let found = detect(&MemoryTree::of(&[("app.py", ""), ("runtime.txt", ""), ("x/setup.py", "")]))
        .unwrap();
    assert_eq!(found.python_files, ["app.py", "runtime.txt"]);
    assert!(found.is_python() && found.source.is_none());
}
