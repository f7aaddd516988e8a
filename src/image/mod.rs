//! Makes an OCI image of a release, without a container engine: the layers of a base, the
//! interpreter where the base has none, the env, and the release, in this order, so that what
//! changes most comes last. See <https://github.com/opencontainers/image-spec>.

mod archive;
mod base;
mod c_library;
mod cache;
mod check;
mod command;
mod config;
mod contents;
mod deliver;
mod error;
mod fingerprint;
mod hashed;
mod layer;
mod layout;
mod libraries;
mod listen;
mod loader;
mod make;
mod own;
mod platform;
mod prefix;
mod push;
mod python;
mod reach;
mod record;
mod restored;
mod rules;
mod runs;
mod secrets;
mod source;
mod target;
mod verdict;
mod zstd;

pub use command::{PORT, in_container};
pub use make::{Made, Request, make};
pub use target::{Output, Target};
