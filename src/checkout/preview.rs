//! What a file of a tree will hold once it is written, for whoever has to know before.

use anyhow::{Context, Result};
use git2::Oid;

use super::attributes::{Attributes, Inherited, Node};
use super::entry::{Entries, Kind};
use super::fill::ATTRIBUTES;
use super::name::shown;
use super::objects;

/// The bytes that [`super::export`] writes for the file at a path of a tree, its names separated by
/// `/`: those of its blob, changed as the tree's `.gitattributes` ask for.
///
/// Fails when there is no file at this path (links are not followed), and where `export` fails.
pub fn preview(objects: &git2::Repository, tree: Oid, path: &str) -> Result<Vec<u8>> {
    let about = || format!("cannot read the file {}", shown(path.as_bytes()));
    let odb = objects.odb().context("the object database cannot be opened")?;
    let PreviewFolder { inherited, found } = look_up(&odb, tree, path).with_context(about)?;
    let (_, blob) =
        found.filter(|(kind, _)| matches!(kind, Kind::File { .. })).with_context(about)?;
    let conversion =
        Attributes::default().conversion(&odb, &inherited, || path.as_bytes().to_vec())?;
    let object = objects::blob(&odb, blob).with_context(about)?;
    Ok(conversion.apply(object.data(), blob).with_context(about)?.into_owned())
}

/// The filters that the tree's `.gitattributes` give files to, such as `lfs`: one for each path, as
/// in [`preview`].
pub fn filters<'p>(
    objects: &git2::Repository,
    tree: Oid,
    paths: impl Iterator<Item = &'p str>,
) -> Result<Vec<Option<Vec<u8>>>> {
    let odb = objects.odb().context("the object database cannot be opened")?;
    let mut attributes = Attributes::default();
    paths
        .map(|path| {
            let PreviewFolder { inherited, .. } = look_up(&odb, tree, path)?;
            attributes.filter(&odb, &inherited, path.as_bytes())
        })
        .collect()
}

/// Goes to what is at a path, by way of the folders above it.
fn look_up(odb: &git2::Odb<'_>, tree: Oid, path: &str) -> Result<PreviewFolder> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut inherited = Inherited::None;
    let mut above = Vec::new();
    let mut tree = tree;
    for name in folder.split('/').filter(|name| !name.is_empty()) {
        let looked = look(odb, tree, &above, name.as_bytes(), inherited)?;
        inherited = looked.inherited;
        let is_folder = |(kind, _): &(Kind, Oid)| *kind == Kind::Folder;
        tree = looked.found.filter(is_folder).with_context(|| format!("{name} is no folder"))?.1;
        above.extend([name.as_bytes(), b"/"].concat());
    }
    look(odb, tree, &above, name.as_bytes(), inherited)
}

/// One folder on the way.
struct PreviewFolder {
    inherited: Inherited,
    found: Option<(Kind, Oid)>,
}

/// Looks through a folder as it is written: entry by entry, whatever their order is.
fn look(
    odb: &git2::Odb<'_>,
    tree: Oid,
    above: &[u8],
    name: &[u8],
    mut inherited: Inherited,
) -> Result<PreviewFolder> {
    let object = objects::tree(odb, tree)?;
    let mut entries = Entries::new(object.data(), 0, tree.as_bytes().len());
    let mut found = None;
    while let Some(entry) = entries.next()? {
        if entry.name == ATTRIBUTES && matches!(entry.kind, Kind::File { .. } | Kind::Link) {
            inherited = Some(Node::below(inherited, [above, ATTRIBUTES].concat(), entry.id()?));
        }
        if entry.name == name {
            found = Some((entry.kind, entry.id()?));
        }
    }
    Ok(PreviewFolder { inherited, found })
}
