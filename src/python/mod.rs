//! What nyala knows of Python: versions, interpreters, environments, requirements and installers.

pub mod env;
pub mod installers;
pub mod interpreters;
pub mod requirements;
pub mod version;
pub mod version_files;
