//! Objects of the repository, by id.

use anyhow::{Result, ensure};
use git2::{ObjectType, Odb, OdbObject, Oid};

use super::error::unreadable;
use crate::user_error::Explain;

/// The bytes of a tree.
pub(super) fn tree<'a>(odb: &'a Odb<'_>, id: Oid) -> Result<OdbObject<'a>> {
    object(odb, id, ObjectType::Tree)
}

/// The bytes of a blob.
pub(super) fn blob<'a>(odb: &'a Odb<'_>, id: Oid) -> Result<OdbObject<'a>> {
    object(odb, id, ObjectType::Blob)
}

/// Whether an object has more bytes than this. It is not read.
pub(super) fn is_larger(odb: &Odb, id: Oid, bytes: usize) -> bool {
    size(odb, id) > bytes
}

/// The size of an object, which is not read; 0 when it is not there.
pub(super) fn size(odb: &Odb, id: Oid) -> usize {
    odb.read_header(id).map_or(0, |(size, _)| size)
}

fn object<'a>(odb: &'a Odb<'_>, id: Oid, wanted: ObjectType) -> Result<OdbObject<'a>> {
    let object = odb.read(id).explain(|| unreadable(&format!("the {wanted} {id}")))?;
    ensure!(
        object.kind() == wanted,
        "the object {id} is a {} where the tree has a {wanted}",
        object.kind()
    );
    Ok(object)
}
