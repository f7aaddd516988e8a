//! The links between the pages lead to files, and to headings that are there.

use std::fs;
use std::path::Path;

use super::{pages_in_docs, root};

#[test]
fn every_link_leads_somewhere() {
    let others = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let pages = pages_in_docs().into_iter().chain(others.map(|page| root().join(page)));
    let (mut followed, mut broken) = (0, Vec::new());
    for page in pages {
        for link in links(&fs::read_to_string(&page).unwrap()) {
            followed += 1;
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let is_there = target.exists() && (heading.is_empty() || has(&target, heading));
            if !is_there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 100, "only {followed} links were found");
}

/// The targets of links and pictures that are in the repository.
fn links(page: &str) -> Vec<String> {
    let after = |mark: &str, end: char| -> Vec<String> {
        let parts = page.split(mark).skip(1);
        parts.filter_map(|part| Some(part.split_once(end)?.0.to_owned())).collect()
    };
    let all = [after("](", ')'), after("src=\"", '"'), after("srcset=\"", '"')].concat();
    all.into_iter().filter(|link| !link.contains("://") && !link.contains(' ')).collect()
}

fn has(page: &Path, heading: &str) -> bool {
    let text = fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).any(|it| it == heading)
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|it| it.is_alphanumeric() || "-_".contains(*it)).collect()
}
