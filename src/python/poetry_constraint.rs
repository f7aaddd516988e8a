//! Poetry's version constraints: `^1.2`, `~1.2`, `1.2.*`, `>=1.2,<2 || >=3`, and PEP 440's. See
//! <https://python-poetry.org/docs/dependency-specification/#version-constraints>.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

/// The alternatives of a constraint, of which one has to hold. `None` when it is none.
fn alternatives(constraint: &str) -> Option<Vec<VersionSpecifiers>> {
    let alternatives = constraint.split("||").flat_map(|part| part.split(" | "));
    alternatives.map(all_of).collect()
}

fn all_of(alternative: &str) -> Option<VersionSpecifiers> {
    let all: Option<Vec<_>> = parts(alternative).iter().map(|part| specifiers(part)).collect();
    Some(all?.into_iter().flatten().collect())
}

/// Whether a version satisfies a constraint. `None` when it is none.
pub(super) fn allows(constraint: &str, version: &Version) -> Option<bool> {
    Some(alternatives(constraint)?.iter().any(|all| all.contains(version)))
}

/// Which Pythons a constraint allows, as one list of specifiers: `~3.12 || ~3.14` is
/// `>=3.12, !=3.13.*, <3.15`. `None` when it is no constraint, or cannot be said so.
pub(super) fn pythons(constraint: &str) -> Option<VersionSpecifiers> {
    let alternatives = alternatives(constraint)?;
    if let [only] = &alternatives[..] {
        return Some(only.clone());
    }
    // Every Python there is, and some to come.
    let minors: Vec<(u64, u64)> =
        [(2, 6), (2, 7)].into_iter().chain((0..LAST_MINOR).map(|minor| (3, minor))).collect();
    let allows = |version: [u64; 3]| {
        let version = Version::new(version);
        alternatives.iter().any(|all| all.contains(&version))
    };
    let allowed: Vec<Vec<u64>> = minors
        .iter()
        .map(|(major, minor)| (0..LAST_PATCH).filter(|it| allows([*major, *minor, *it])).collect())
        .collect();
    let first = allowed.iter().position(|patches| !patches.is_empty())?;
    let last = allowed.iter().rposition(|patches| !patches.is_empty())?;
    let mut text = format!(">={}.{}", minors[first].0, minors[first].1);
    if last + 1 < minors.len() {
        text += &format!(",<{}.{}", minors[last + 1].0, minors[last + 1].1);
    } else if !allows([4, 0, 0]) {
        text += ",<4";
    }
    for ((major, minor), patches) in minors.iter().zip(&allowed).take(last + 1).skip(first) {
        if patches.is_empty() {
            text += &format!(",!={major}.{minor}.*");
        } else {
            for patch in (0..LAST_PATCH).filter(|patch| !patches.contains(patch)) {
                text += &format!(",!={major}.{minor}.{patch}");
            }
        }
    }
    VersionSpecifiers::from_str(&text).ok()
}

const LAST_MINOR: u64 = 40;
/// No Python has had so many; a minor version of which some patches are allowed is rare.
const LAST_PATCH: u64 = 40;

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
            assert_eq!(allows(inside), Some(true), "{constraint} {inside}");
            assert_eq!(allows(outside), Some(false), "{constraint} {outside}");
        }
        assert_eq!(allows("*", &"1.0".parse().unwrap()), Some(true));
        for wrong in ["^", "latest", "^x", ">=1,<", "~"] {
            assert_eq!(allows(wrong, &"1.0".parse().unwrap()), None, "{wrong}");
        }
    }

    #[test]
    fn alternatives_are_said_as_one_list() {
        for (constraint, expected) in [
            ("^3.11", ">=3.11, <4"),
            (">=3.9 <3.13", ">=3.9, <3.13"),
            ("^3.12.0-rc1", ">=3.12.0rc1, <4"),
            ("~3.12 || ~3.14", ">=3.12, !=3.13.*, <3.15"),
            ("~3.12||~3.13", ">=3.12, <3.14"),
            ("^3.9 || ^3.11", ">=3.9, <4"),
            (
                "~2.7 || >=3.9",
                ">=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*, !=3.5.*, \
             !=3.6.*, !=3.7.*, !=3.8.*",
            ),
            ("* || ~3.14", ">=2.6"),
        ] {
            let found = pythons(constraint).map(|it| it.to_string());
            assert_eq!(found.as_deref(), Some(expected), "{constraint}");
        }
        assert_eq!(pythons("^three"), None);
    }
}
