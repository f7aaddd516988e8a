//! What keeps a tree from being written, in words for people.

use std::path::Path;

use super::name::{Refused, shown};
use crate::user_error::UserError;

const FIX_THE_TREE: &str = "Rename or remove it, commit, and push again";

/// `path` is that of a folder in the tree.
pub(super) fn too_deep(path: &[u8], deepest: usize) -> UserError {
    UserError::new(format!("the tree is deeper than {deepest} folders"))
        .found(shown(path))
        .fix(FIX_THE_TREE)
}

/// `root` is the folder that the tree is written into, and `length` that of the whole path.
pub(super) fn path_too_long(path: &[u8], length: usize, longest: usize, root: &Path) -> UserError {
    UserError::new(format!("the path {} is too long", shown(path)))
        .found(format!("{length} bytes below {}; the system allows {longest}", root.display()))
        .fix("Shorten it, commit, and push again")
}

pub(super) fn name_too_long(what: &str, path: &[u8], root: &Path, length: usize) -> UserError {
    cannot(what, path, root)
        .found(format!("a name of {length} bytes; file systems allow 255"))
        .fix("Shorten it, commit, and push again")
}

/// `path` is that of a `.gitattributes` in the tree.
pub(super) fn too_many_attributes(path: &[u8], lines: usize, most: usize) -> UserError {
    UserError::new(format!("{} is too long", shown(path)))
        .found(format!("{lines} lines; at most {most} are read"))
        .fix("Name several files by one pattern, such as *.jpg, commit, and push again")
}

/// `size` is that of the link's target.
pub(super) fn link_too_long(path: &[u8], root: &Path, size: usize, longest: usize) -> UserError {
    cannot("make the link", path, root)
        .found(format!("a target of {size} bytes; the system allows {longest}"))
        .fix("Shorten or remove it, commit, and push again")
}

pub(super) fn exists(what: &str, path: &[u8], root: &Path) -> UserError {
    cannot(what, path, root)
        .found(
            "the tree has two entries with that name, or two that this file system does not \
             distinguish",
        )
        .fix("Rename or remove one of the two, commit, and push again")
}

/// `what` is what is done to the path, as a verb and its object: `write the file`.
pub(super) fn cannot(what: &str, path: &[u8], root: &Path) -> UserError {
    UserError::new(format!("cannot {what} {} in {}", shown(path), root.display()))
}

pub(super) fn entry_refused(path: &[u8], why: Refused) -> UserError {
    UserError::new(format!("the entry {} of the tree cannot be written: {why}", shown(path)))
        .fix(FIX_THE_TREE)
}

pub(super) fn two_entries(path: &[u8]) -> UserError {
    UserError::new("the tree has two entries with that name")
        .found(shown(path))
        .fix("Rename or remove one of the two, commit, and push again")
}

/// An object that the repository lacks, or that is damaged. `what` names it.
pub(super) fn unreadable(what: &str) -> UserError {
    UserError::new(format!("cannot read {what} from the repository"))
        .fix("See what the repository lacks: git --git-dir REPOSITORY fsck")
        .fix("Push the branch again from a complete clone")
}

/// A `working-tree-encoding` that nyala does not write.
pub(super) fn unknown_encoding(name: &[u8]) -> UserError {
    UserError::new(
        "the working-tree-encoding that .gitattributes asks for is not one that nyala writes",
    )
    .found(shown(name))
    .labelled(
        "allowed",
        "UTF-8, UTF-16, UTF-32 (with LE or BE, and UTF-16LE-BOM, UTF-16BE-BOM), ISO-8859-1, ASCII",
    )
    .fix("Change it in .gitattributes, commit, and push again")
}

pub(super) fn no_encoding() -> UserError {
    UserError::new("the attribute working-tree-encoding needs the name of an encoding")
        .found("true or false")
        .fix("Write it in .gitattributes, for example: working-tree-encoding=UTF-16LE-BOM")
}

pub(super) fn not_utf8() -> UserError {
    UserError::new("it is to be written in another encoding, but its content in git is not UTF-8")
        .fix("Add it again, so that git converts it: git add --renormalize .")
        .fix("Commit, and push again")
}

/// `name` is that of an encoding.
pub(super) fn no_character(name: &str, character: char) -> UserError {
    UserError::new(format!("{name} has no character U+{:04X}", u32::from(character)))
        .fix("Choose another working-tree-encoding in .gitattributes, such as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_cannot_be_written_names_the_entry() {
        let root = Path::new("/srv/shop/releases/8");
        insta::assert_snapshot!(too_deep(b"a/a/", 1024), @r#"
        the tree is deeper than 1024 folders
        found: "a/a/"
        Rename or remove it, commit, and push again
        "#);
        insta::assert_snapshot!(path_too_long(b"a/b", 5000, 4095, root), @r#"
        the path "a/b" is too long
        found: 5000 bytes below /srv/shop/releases/8; the system allows 4095
        Shorten it, commit, and push again
        "#);
        insta::assert_snapshot!(name_too_long("write the file", b"a/b", root, 300), @r#"
        cannot write the file "a/b" in /srv/shop/releases/8
        found: a name of 300 bytes; file systems allow 255
        Shorten it, commit, and push again
        "#);
        insta::assert_snapshot!(link_too_long(b"a/b", root, 5000, 4095), @r#"
        cannot make the link "a/b" in /srv/shop/releases/8
        found: a target of 5000 bytes; the system allows 4095
        Shorten or remove it, commit, and push again
        "#);
        insta::assert_snapshot!(too_many_attributes(b"a/.gitattributes", 2000, 1000), @r#"
        "a/.gitattributes" is too long
        found: 2000 lines; at most 1000 are read
        Name several files by one pattern, such as *.jpg, commit, and push again
        "#);
        insta::assert_snapshot!(exists("write the file", b"a/README", root), @r#"
        cannot write the file "a/README" in /srv/shop/releases/8
        found: the tree has two entries with that name, or two that this file system does not distinguish
        Rename or remove one of the two, commit, and push again
        "#);
        insta::assert_snapshot!(two_entries(b"a/b"), @r#"
        the tree has two entries with that name
        found: "a/b"
        Rename or remove one of the two, commit, and push again
        "#);
        insta::assert_snapshot!(unreadable("the blob 1a2b"), @"
        cannot read the blob 1a2b from the repository
        1. See what the repository lacks: git --git-dir REPOSITORY fsck
        2. Push the branch again from a complete clone
        ");
    }

    #[test]
    fn an_encoding_that_nyala_does_not_write_says_which_it_does() {
        insta::assert_snapshot!(unknown_encoding(b"SHIFT-JIS"), @r#"
        the working-tree-encoding that .gitattributes asks for is not one that nyala writes
        found: "SHIFT-JIS"
        allowed: UTF-8, UTF-16, UTF-32 (with LE or BE, and UTF-16LE-BOM, UTF-16BE-BOM), ISO-8859-1, ASCII
        Change it in .gitattributes, commit, and push again
        "#);
        insta::assert_snapshot!(no_encoding(), @"
        the attribute working-tree-encoding needs the name of an encoding
        found: true or false
        Write it in .gitattributes, for example: working-tree-encoding=UTF-16LE-BOM
        ");
        insta::assert_snapshot!(not_utf8(), @"
        it is to be written in another encoding, but its content in git is not UTF-8
        1. Add it again, so that git converts it: git add --renormalize .
        2. Commit, and push again
        ");
        insta::assert_snapshot!(no_character("ISO-8859-1", '\u{20ac}'), @"
        ISO-8859-1 has no character U+20AC
        Choose another working-tree-encoding in .gitattributes, such as UTF-8
        ");
    }

    #[test]
    fn an_entry_that_is_refused_says_why() {
        insta::assert_snapshot!(entry_refused(b"a/.GIT", Refused::DotGit), @r#"
        the entry "a/.GIT" of the tree cannot be written: its name is `.git`, or is equivalent to that on Windows or macOS
        Rename or remove it, commit, and push again
        "#);
    }
}
