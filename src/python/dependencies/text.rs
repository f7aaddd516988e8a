//! Text from a commit, made fit to be shown and kept: without credentials, and with nothing
//! invisible. And the names of packages.

pub(super) use crate::text::excerpt as shown;
pub(in crate::python) use crate::text::url::{without_credentials, without_secrets};

/// The name of a package as <https://peps.python.org/pep-0503/#normalized-names> has it: lower
/// case, runs of `-`, `_` and `.` are one `-`.
pub(in crate::python) fn normalized_name(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    for character in name.chars() {
        if "-_.".contains(character) {
            if !result.ends_with('-') {
                result.push('-');
            }
        } else {
            result.extend(character.to_lowercase());
        }
    }
    result
}

/// The first line that `git merge` has left in a file as a mark, counted from 1. What an installer
/// says of it helps nobody.
pub(super) fn conflict(text: &str) -> Option<usize> {
    let is_mark = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    text.lines().position(is_mark).map(|before| before + 1)
}

/// `*` and `?` as a shell has them.
pub fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut star) = (0, None);
    let mut from = 0;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(one) if *one == b'?' || *one == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, tried)) = star else { return false };
                star = Some((star_at, tried + 1));
                at = star_at + 1;
                from = tried + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}
