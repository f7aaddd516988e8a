//! What nyala knows of Python: versions, interpreters, environments, dependencies and installers.

pub mod built;
pub mod cache;
pub mod dependencies;
mod download;
pub mod env;
pub mod inputs;
pub mod installers;
pub mod interpreters;
mod poetry_constraint;
pub mod version;
pub mod version_files;
