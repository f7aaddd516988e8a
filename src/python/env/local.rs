//! What the projects that were installed from folders say that they need.

use std::fs;
use std::path::Path;

use super::site_packages;

/// The `Requires-Dist` of every project that was installed from a folder, sorted.
pub fn required_by_local(env: &Path) -> Vec<String> {
    let entries = site_packages(env).and_then(|folder| fs::read_dir(folder).ok());
    let folders = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut required = Vec::new();
    for folder in folders.filter(|path| path.extension().is_some_and(|it| it == "dist-info")) {
        if is_from_folder(&folder) {
            let metadata = fs::read(folder.join("METADATA")).unwrap_or_default();
            let metadata = String::from_utf8_lossy(&metadata);
            required.extend(headers(&metadata, "Requires-Dist:").map(str::to_owned));
        }
    }
    required.sort();
    required
}

/// Whether a package was installed from a folder; `metadata` is the folder with its metadata.
pub(super) fn is_from_folder(metadata: &Path) -> bool {
    let origin = fs::read_to_string(metadata.join("direct_url.json")).unwrap_or_default();
    origin.contains("\"dir_info\"")
}

/// The values of the headers of this name, which has its colon.
pub(super) fn headers<'m>(metadata: &'m str, name: &'m str) -> impl Iterator<Item = &'m str> {
    let header = metadata.lines().take_while(|line| !line.is_empty());
    header.filter_map(move |line| line.strip_prefix(name)).map(str::trim)
}

/// What was required before and is not any more, whatever the version.
pub fn no_longer_required(before: &[String], after: &[String]) -> Vec<String> {
    let is_still = |text: &&String| after.iter().any(|other| subject(other) == subject(text));
    before.iter().filter(|text| !is_still(text)).cloned().collect()
}

/// What a requirement is about: its name, its extras, and its marker.
fn subject(requirement: &str) -> (String, String) {
    let (what, marker) = requirement.split_once(';').unwrap_or((requirement, ""));
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    let end = what.find(['<', '>', '=', '!', '~', '(', '@']).unwrap_or(what.len());
    (plain(&what[..end]), plain(marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_no_more_is_gone() {
        let before = ["a>=1", "b (<2)", "c[x]; extra == 'y'", "d @ https://h/d"].map(str::to_owned);
        let after = ["a>=2", "c[x]", "d"].map(str::to_owned);
        assert_eq!(no_longer_required(&before, &after), ["b (<2)", "c[x]; extra == 'y'"]);
        assert_eq!(no_longer_required(&before, &before), [""; 0]);
    }

    #[test]
    fn the_headers_of_metadata_name_what_is_required() {
        let metadata = "Name: a\nRequires-Dist: b>=1\nRequires-Dist:c\n\nRequires-Dist: d\n";
        assert_eq!(headers(metadata, "Requires-Dist:").collect::<Vec<_>>(), ["b>=1", "c"]);
    }
}
