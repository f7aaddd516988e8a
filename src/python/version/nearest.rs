//! Which Python to ask for where another one is wanted.

use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use super::Version;

impl Version {
    /// The minor version of Python 3 that satisfies these specifiers and is nearest to this one,
    /// newer ones first. This one itself does not count.
    pub fn nearest_minor(&self, needs: &str) -> Option<String> {
        let needs = VersionSpecifiers::from_str(needs).ok()?;
        let allows = |minor: u16| {
            let newest = Version::new(3, minor, 99).to_pep440();
            (self.major == 3 && needs.contains(&newest)).then(|| format!("3.{minor}"))
        };
        let newer = (self.minor + 1..self.minor + 10).find_map(allows);
        newer.or_else(|| (3..self.minor).rev().find_map(allows))
    }
}
