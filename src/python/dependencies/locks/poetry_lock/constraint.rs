//! Poetry's version constraints: `^1.2`, `~1.2`, `1.2.*`, `>=1.2,<2 || >=3`, and PEP 440's. See
//! <https://python-poetry.org/docs/dependency-specification/#version-constraints>.
//!
//! <https://python-poetry.org/docs/dependency-specification/#version-constraints>

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

use super::super::error::LockError;

/// Whether `version` satisfies `constraint`.
pub(super) fn allows(constraint: &str, version: &Version) -> Result<bool, LockError> {
    let unknown = || LockError::Unknown { what: format!("the version constraint {constraint:?}") };
    let mut allowed = false;
    for alternative in constraint.split("||").flat_map(|part| part.split(" | ")) {
        let mut all = true;
        for part in parts(alternative) {
            let specifiers = specifiers(&part).ok_or_else(unknown)?;
            all &= specifiers.contains(version);
        }
        allowed |= all;
    }
    Ok(allowed)
}

/// The parts that must all hold. A comma divides them, and so does white space, except after an
/// operator.
fn parts(alternative: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in alternative.replace(',', " ").split_whitespace() {
        match parts.last_mut() {
            Some(last) if last.chars().all(|c| "<>=!~^".contains(c)) => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

/// One part as PEP 440 writes it.
fn specifiers(part: &str) -> Option<VersionSpecifiers> {
    let text = if matches!(part, "*" | "") {
        String::new()
    } else if let Some(version) = part.strip_prefix('^') {
        let release = Version::from_str(version).ok()?.release().to_vec();
        // The first number that is not zero may not change.
        let counts = release.iter().position(|number| *number != 0).unwrap_or(release.len() - 1);
        format!(">={version},<{}", next(&release, counts))
    } else if let Some(version) = part.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let release = Version::from_str(version).ok()?.release().to_vec();
        format!(">={version},<{}", next(&release, usize::from(release.len() > 1)))
    } else if part.starts_with(|c: char| c.is_ascii_digit()) {
        format!("=={part}")
    } else if let Some(version) = part.strip_prefix('=').filter(|rest| !rest.starts_with('=')) {
        format!("=={version}")
    } else if let Some(version) =
        part.strip_suffix(".*").filter(|part| part.starts_with(['<', '>']))
    {
        version.to_owned()
    } else {
        part.to_owned()
    };
    VersionSpecifiers::from_str(&text).ok()
}

/// `release` with the number at `index` raised by one, and nothing after it.
fn next(release: &[u64], index: usize) -> String {
    let mut numbers = release[..=index].to_vec();
    numbers[index] += 1;
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_mean_what_poetrys_documentation_says() {
        for (constraint, inside, outside) in [
            ("^1.2.3", "1.9", "2.0"),
            ("^1.2", "1.2.0", "1.1.9"),
            ("^0.2.3", "0.2.9", "0.3.0"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("^0.0", "0.0.9", "0.1"),
            ("^0", "0.9", "1.0"),
            ("~1.2.3", "1.2.9", "1.3"),
            ("~1.2", "1.2.9", "1.3"),
            ("~1", "1.9", "2"),
            ("~=1.2", "1.9", "2.0"),
            ("1.2.*", "1.2.7", "1.3"),
            ("1.2.3", "1.2.3", "1.2.4"),
            ("=1.2.3", "1.2.3", "1.2.4"),
            (">=1.2,<1.5", "1.4", "1.5"),
            (">= 1.2 < 1.5", "1.4", "1.5"),
            (">=2.7, !=3.0.*, !=3.1.*", "3.4", "3.1.2"),
            ("<2 || >=3", "3.1", "2.5"),
            (">=2.7,<2.8 || >=3.5", "2.7.18", "3.4"),
        ] {
            let allows = |version: &str| allows(constraint, &version.parse().unwrap());
            assert_eq!(allows(inside), Ok(true), "{constraint} {inside}");
            assert_eq!(allows(outside), Ok(false), "{constraint} {outside}");
        }
        assert_eq!(allows("*", &"1.0".parse().unwrap()), Ok(true));
        for wrong in ["^", "latest", "^x", ">=1,<", "~"] {
            assert!(allows(wrong, &"1.0".parse().unwrap()).is_err(), "{wrong}");
        }
    }
}
