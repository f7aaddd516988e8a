//! Whether a commit is a Python project.

use super::*;

#[test]
fn a_plain_site_is_no_python_project() {
    let found =
        project(&MemoryTree::of(&[("index.html", ""), ("tools/x.py", ""), (".py", "")])).unwrap();
    assert!(!found.is_python());
}

#[test]
fn python_files_at_the_top_make_one() {
    let found =
        project(&MemoryTree::of(&[("app.py", ""), ("runtime.txt", ""), ("x/setup.py", "")]))
            .unwrap();
    assert_eq!(found.python_files, ["app.py", "runtime.txt"]);
    assert!(found.is_python() && found.requirements.is_none());
}

#[test]
fn requirements_in_another_spelling_are_noticed() {
    let found = project(&MemoryTree::of(&[("Requirements.txt", ""), ("app.py", "")])).unwrap();
    assert_eq!(found.lookalike.as_deref(), Some("Requirements.txt"));
    let found =
        project(&MemoryTree::of(&[("Requirements.txt", ""), ("requirements.txt", "")])).unwrap();
    assert_eq!((found.lookalike, found.requirements.as_deref()), (None, Some("requirements.txt")));
}
