//! What is recorded of a standing folder: whole, or an error.

use std::fs;

use super::repo::{Repo, Standing};
use super::update::{standing, tree};

#[test]
fn a_manifest_that_does_not_fit_is_an_error() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let good = fs::read(standing.manifest()).unwrap();
    let mut error_of = |bytes: &[u8]| {
        fs::write(standing.manifest(), bytes).unwrap();
        format!("{:#}", standing.try_bring(standing.tree).unwrap_err())
    };
    for end in [0, 8, 40, good.len() / 2, good.len() - 8, good.len() - 1] {
        assert!(error_of(&good[..end]).contains("is damaged"), "{end}");
    }
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    assert!(error_of(&flipped).contains("is damaged"));
    let mut older = good.clone();
    older[14] = b'0';
    assert!(error_of(&older).contains("another version"));

    fs::write(standing.manifest(), &good).unwrap();
    let right = standing.tree;
    standing.tree = tree(&repo, "never written");
    let text = format!("{:#}", standing.try_bring(right).unwrap_err());
    assert!(text.contains("is not of the tree"), "{text}");
    fs::remove_file(standing.manifest()).unwrap();
    assert!(standing.try_bring(right).is_err());
}

#[test]
fn a_manifest_that_was_appended_to_is_whole_or_an_error() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let before = fs::read(standing.manifest()).unwrap();
    standing.bring(tree(&repo, "two"));
    let after = fs::read(standing.manifest()).unwrap();
    assert!(after.starts_with(&before), "what had not changed was not written again");
    for end in before.len()..after.len() {
        fs::write(standing.manifest(), &after[..end]).unwrap();
        let text = format!("{:#}", standing.try_bring(standing.tree).unwrap_err());
        let why = if end == before.len() { "is not of the tree" } else { "is damaged" };
        assert!(text.contains(why), "{end} of {}: {text}", after.len());
    }
    fs::write(standing.manifest(), &after).unwrap();
    assert_eq!(standing.bring(standing.tree).written, 0);
}

#[test]
fn a_manifest_that_is_appended_to_does_not_grow_without_end() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let size = |standing: &Standing| fs::metadata(standing.manifest()).unwrap().len();
    let first = size(&standing);
    for number in 0..100 {
        standing.bring(tree(&repo, &number.to_string()));
        assert!(
            size(&standing) < 3 * first,
            "{number}: {} bytes, {first} at first",
            size(&standing)
        );
    }
}
