//! Speaks to registries of images, as <https://github.com/opencontainers/distribution-spec> has it:
//! blobs and manifests, fetched and sent.

mod access;
mod blob;
mod challenge;
mod credentials;
mod error;
mod http;
mod manifest;
mod redirect;
mod reference;
mod upload;

pub use blob::Blob;
pub use http::Registry;
pub use manifest::{ACCEPTED, Manifest};
pub use reference::{Reference, Scheme, is_digest, is_tag};
pub use upload::Upload;

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The digest by which registries know bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}
