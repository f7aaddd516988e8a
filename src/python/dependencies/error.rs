//! What is wrong with the files of a commit that declare dependencies, in words for people. What is
//! wrong with a requirements file or a lock is said where they are read.

use super::text::shown;
use crate::text::bytes;
use crate::user_error::UserError;

/// `most` is how many bytes of such a file are read at most.
pub(super) fn too_large(path: &str, size: u64, most: u64) -> UserError {
    UserError::new(format!("{path} is too large"))
        .found(format!("{}; at most {} are read", bytes(size), bytes(most)))
        .fix("Commit a smaller one, and push again")
}

/// `at` is the first byte that belongs to no character.
pub(super) fn not_utf8(path: &str, at: usize) -> UserError {
    UserError::new(format!("{path} is not UTF-8"))
        .found(format!("byte {at} is not part of a character"))
        .fix("Save it as UTF-8, commit, and push again")
}

/// `why` is what a parser says of that line.
pub(super) fn not_toml(path: &str, line: usize, why: &str) -> UserError {
    UserError::new(format!("{path} cannot be read"))
        .found(format!("{} (line {line})", shown(why)))
        .fix("Correct that line, commit, and push again")
}

/// The site names `file` as where its dependencies are declared.
pub(super) fn declares_no_project(file: &str) -> UserError {
    UserError::new(format!("{file} declares no project"))
        .fix("Write a [project] table with a name and dependencies into pyproject.toml")
}

/// `kind` is `group` or `extra`, and `there` are those that pyproject.toml has.
pub(super) fn no_such(kind: &str, name: &str, nearest: Option<&str>, there: &[&str]) -> UserError {
    let nearest = nearest.map_or(String::new(), |nearest| format!(" (did you mean {nearest}?)"));
    let error = UserError::new(format!("pyproject.toml has no {kind} {}{nearest}", shown(name)));
    let error = if there.is_empty() { error } else { error.found(there.join(", ")) };
    error.fix("Correct groups or extras under [dependencies] in nyala.toml")
}

pub(super) fn unreadable_group(name: &str, what: &str) -> UserError {
    UserError::new(format!("the group {name} in pyproject.toml cannot be read: {what}"))
        .fix("Correct [dependency-groups] as https://peps.python.org/pep-0735/ has it")
}

/// `name` is the key whose value is to be a list of requirements.
pub(super) fn not_a_list(name: &str) -> UserError {
    UserError::new(format!("{} in pyproject.toml is not a list", shown(name)))
        .fix("Write it as PEP 621 has it, such as dependencies = [\"flask>=3\"]")
}

pub(super) fn in_conflict(path: &str, line: usize) -> UserError {
    UserError::new(format!("{} has merge conflict markers", shown(path)))
        .found(format!("line {line}"))
        .fix("Resolve the conflict, commit, and push again")
}

/// `list` is `members` or `exclude` of `[tool.uv.workspace]`, and `why` what uv's parser says.
pub(super) fn not_a_pattern(list: &str, text: &str, why: &str) -> UserError {
    UserError::new(format!("{list} has {:?}, which is not a pattern", shown(text)))
        .found(format!("{why}, in [tool.uv.workspace] of pyproject.toml"))
        .fix("Correct it, make the lock again (uv lock), commit, and push again")
}

pub(super) fn not_a_requirement(text: &str) -> UserError {
    UserError::new("pyproject.toml has a dependency that is not a requirement")
        .found(shown(text))
        .fix("Write it as PEP 508 has it, such as \"flask>=3\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        insta::assert_snapshot!(too_large("uv.lock", 70_000_000, 67_108_864), @"
        uv.lock is too large
        found: 70 MB; at most 67 MB are read
        Commit a smaller one, and push again
        ");
        insta::assert_snapshot!(not_utf8("Pipfile", 7), @"
        Pipfile is not UTF-8
        found: byte 7 is not part of a character
        Save it as UTF-8, commit, and push again
        ");
        insta::assert_snapshot!(not_toml("pyproject.toml", 3, "invalid key"), @"
        pyproject.toml cannot be read
        found: invalid key (line 3)
        Correct that line, commit, and push again
        ");
    }

    #[test]
    fn what_a_project_declares_wrongly_is_shown() {
        insta::assert_snapshot!(declares_no_project("setup.cfg"), @"
        setup.cfg declares no project
        Write a [project] table with a name and dependencies into pyproject.toml
        ");
        insta::assert_snapshot!(no_such("group", "prd", Some("prod"), &["dev", "prod"]), @"
        pyproject.toml has no group prd (did you mean prod?)
        found: dev, prod
        Correct groups or extras under [dependencies] in nyala.toml
        ");
        insta::assert_snapshot!(no_such("extra", "web", None, &[]), @"
        pyproject.toml has no extra web
        Correct groups or extras under [dependencies] in nyala.toml
        ");
        insta::assert_snapshot!(unreadable_group("a", "it includes itself (a -> a)"), @"
        the group a in pyproject.toml cannot be read: it includes itself (a -> a)
        Correct [dependency-groups] as https://peps.python.org/pep-0735/ has it
        ");
        insta::assert_snapshot!(not_a_list("dependencies"), @r#"
        dependencies in pyproject.toml is not a list
        Write it as PEP 621 has it, such as dependencies = ["flask>=3"]
        "#);
        insta::assert_snapshot!(not_a_pattern("members", "[a", "invalid range pattern"), @r#"
        members has "[a", which is not a pattern
        found: invalid range pattern, in [tool.uv.workspace] of pyproject.toml
        Correct it, make the lock again (uv lock), commit, and push again
        "#);
        insta::assert_snapshot!(not_a_requirement("-r x"), @r#"
        pyproject.toml has a dependency that is not a requirement
        found: -r x
        Write it as PEP 508 has it, such as "flask>=3"
        "#);
    }
}
