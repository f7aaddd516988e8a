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
