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

#[test]
fn requirements_in_another_spelling_are_noticed() {
    let found = detect(&MemoryTree::of(&[("Requirements.txt", ""), ("app.py", "")])).unwrap();
    assert_eq!(found.lookalike.as_deref(), Some("Requirements.txt"));
    let found =
        detect(&MemoryTree::of(&[("Requirements.txt", ""), ("requirements.txt", "")])).unwrap();
    assert_eq!(
        (found.lookalike, found.source.as_ref().map(Source::path)),
        (None, Some("requirements.txt"))
    );
}
