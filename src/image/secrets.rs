//! Looks for the values of app settings in what goes into an image.

use memchr::memmem::Finder;

use crate::site::AppSettings;
use crate::site::app_settings::secrets_in;

/// The values that must not be in an image, or that are worth a warning.
#[derive(Default)]
pub(super) struct Secrets {
    values: Vec<Secret>,
    longest: usize,
}

pub(super) struct Secret {
    name: String,
    finder: Finder<'static>,
    /// Whether the name says that it is a secret.
    is_named_so: bool,
}

/// Shorter values are words that stand anywhere.
const SHORTEST: usize = 8;

/// The setting that is the command of an image.
const COMMAND: &str = "STARTUP_COMMAND";

/// What names of secrets have in them.
const PARTS: [&str; 8] =
    ["AUTH", "CREDENTIAL", "DATABASE_URL", "DSN", "KEY", "PASS", "SECRET", "TOKEN"];

/// One that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundSecret {
    pub(super) name: String,
    pub(super) is_named_so: bool,
}

impl Secrets {
    pub(super) fn of(settings: &AppSettings) -> Secrets {
        let values = settings.iter().filter(|(name, value)| {
            value.len() >= SHORTEST && !secrets_in(name, value).is_empty() && *name != COMMAND
        });
        let values: Vec<_> = values
            .map(|(name, value)| Secret {
                name: name.to_owned(),
                finder: Finder::new(value).into_owned(),
                is_named_so: PARTS.iter().any(|part| name.to_uppercase().contains(part)),
            })
            .collect();
        let longest = values.iter().map(|it| it.finder.needle().len()).max().unwrap_or(0);
        Secrets { values, longest }
    }

    /// Starts to look into a file.
    pub(super) fn scan(&self) -> Scan<'_> {
        Scan { secrets: self, tail: Vec::new(), found: None }
    }

    /// The first that is in these bytes.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<FoundSecret> {
        let found = self.values.iter().find(|it| it.finder.find(bytes).is_some())?;
        Some(FoundSecret { name: found.name.clone(), is_named_so: found.is_named_so })
    }

    /// The values, for a digest of them.
    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.values.iter().map(|it| it.finder.needle())
    }
}

/// A file that is looked into part by part.
pub(super) struct Scan<'s> {
    secrets: &'s Secrets,
    /// The end of what came before: a value may lie across two parts.
    tail: Vec<u8>,
    pub(super) found: Option<FoundSecret>,
}

impl Scan<'_> {
    pub(super) fn next(&mut self, part: &[u8]) {
        if self.found.is_some() || self.secrets.longest == 0 {
            return;
        }
        let overlap = self.secrets.longest - 1;
        if !self.tail.is_empty() {
            let begin = &part[..part.len().min(overlap)];
            self.found = self.secrets.find(&[&self.tail, begin].concat());
        }
        self.found = self.found.take().or_else(|| self.secrets.find(part));
        if part.len() >= overlap {
            self.tail = part[part.len() - overlap..].to_vec();
        } else {
            self.tail.extend_from_slice(part);
            let more = self.tail.len().saturating_sub(overlap);
            self.tail.drain(..more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_across_parts_of_any_size() {
        let settings =
            AppSettings::parse("SECRET_KEY=abcdefghij PORT=80 MODE=production1").unwrap();
        let secrets = Secrets::of(&settings);
        let text = b"....abcdefghij....";
        for size in 1..text.len() {
            let mut scan = secrets.scan();
            text.chunks(size).for_each(|part| scan.next(part));
            let found = scan.found.unwrap();
            assert_eq!((found.name.as_str(), found.is_named_so), ("SECRET_KEY", true), "{size}");
        }
        let mut scan = secrets.scan();
        scan.next(b"abcdefghi");
        scan.next(b"k production");
        assert_eq!(scan.found, None);
        assert!(!secrets.find(b"x=production1").unwrap().is_named_so);
    }
}
