//! What was salvaged from a release, as a log says it.

use std::fmt;
use std::path::PathBuf;

use crate::console;
use crate::site::DeploymentId;
use crate::text::toml_string;

/// How many files a log names.
const NAMED: usize = 10;

/// Files that were moved out of a release that is about to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    pub release: DeploymentId,
    /// Without one, these are all files of the release.
    pub has_record: bool,
    /// Where they are now, relative to the release.
    pub files: Vec<PathBuf>,
    /// What `shared` in nyala.toml would have to be.
    pub shared: Vec<String>,
}

impl Salvaged {
    /// Logs what was saved, where, and how to keep it without help next time.
    pub fn log(&self) {
        let (warning, hint) = self.in_words();
        console::warning(warning);
        console::hint(hint);
    }

    /// The warning and the hint of [`Salvaged::log`].
    pub fn in_words(&self) -> (String, String) {
        (self.what(), self.advice())
    }

    /// What was saved, and where.
    fn what(&self) -> String {
        let Salvaged { release, has_record, files, shared: _ } = self;
        let (count, s) = (files.len(), if files.len() == 1 { "" } else { "s" });
        let first = if *has_record {
            format!(
                "the application wrote {count} file{s} into release {release}, which is removed; \
                 saved in kept/{release}:"
            )
        } else {
            format!(
                "release {release} is removed, and its record in deployments is gone, so all that \
                 is in it may be the application's; saved in kept/{release}:"
            )
        };
        let mut lines = vec![first];
        let named = files.iter().take(NAMED);
        lines.extend(named.map(|file| format!("  {}", file.display().to_string().escape_debug())));
        lines.extend((count > NAMED).then(|| format!("  and {} more", count - NAMED)));
        lines.join("\n")
    }

    fn advice(&self) -> String {
        if !self.has_record {
            return format!(
                "to delete a deployment with all that is its own: nyala delete {}",
                self.release
            );
        }
        let shared = self.shared.iter().take(NAMED);
        let mut named: Vec<_> = shared.map(|path| toml_string(path)).collect();
        let more = self.shared.len().saturating_sub(NAMED);
        named.extend((more > 0).then(|| format!("and {more} more")));
        format!(
            "To have such files in every release: shared = [{}] in nyala.toml",
            named.join(", ")
        )
    }
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what(), self.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_many_files_stays_short() {
        let files: Vec<_> =
            (0..2_000).map(|number| PathBuf::from(format!("{number}.json"))).collect();
        let shared = files.iter().map(|file| file.display().to_string()).collect();
        let said = Salvaged { release: DeploymentId::of(7), has_record: true, files, shared };
        let said = said.to_string();
        assert!(said.contains("  9.json\n  and 1990 more\n"), "{said}");
        assert!(said.ends_with("\"9.json\", and 1990 more] in nyala.toml"), "{said}");
    }
}
