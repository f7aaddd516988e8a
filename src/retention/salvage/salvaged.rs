//! What was salvaged from a release, as a log says it.

use std::fmt;
use std::path::PathBuf;

use crate::console;
use crate::site::DeploymentId;

/// How many files a log names.
const NAMED: usize = 10;

/// Files that were moved out of a release that is about to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    pub release: DeploymentId,
    /// Where they are now, relative to the release.
    pub files: Vec<PathBuf>,
    /// What `shared` in nyala.toml would have to be.
    pub shared: Vec<String>,
}

impl Salvaged {
    /// Logs what was saved, where, and how to keep it without help next time.
    pub fn log(&self) {
        let mut lines = self.to_string();
        let hint = lines.split_off(lines.find("To have").unwrap_or(lines.len()));
        console::warning(lines.trim_end());
        console::hint(hint);
    }
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Salvaged { release, files, shared } = self;
        let (count, s) = (files.len(), if files.len() == 1 { "" } else { "s" });
        writeln!(
            f,
            "the application wrote {count} file{s} into release {release}, which is removed; saved in kept/{release}:"
        )?;
        for file in files.iter().take(NAMED) {
            writeln!(f, "  {}", file.display().to_string().escape_debug())?;
        }
        if count > NAMED {
            writeln!(f, "  and {} more", count - NAMED)?;
        }
        let mut named: Vec<_> = shared
            .iter()
            .take(NAMED)
            .map(|path| toml::Value::from(path.as_str()).to_string())
            .collect();
        named.extend((shared.len() > NAMED).then(|| format!("and {} more", shared.len() - NAMED)));
        write!(
            f,
            "To have such files in every release: shared = [{}] in nyala.toml",
            named.join(", ")
        )
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
        let said = Salvaged { release: DeploymentId::of(7), files, shared }.to_string();
        assert!(said.contains("  9.json\n  and 1990 more\n"), "{said}");
        assert!(said.ends_with("\"9.json\", and 1990 more] in nyala.toml"), "{said}");
    }
}
