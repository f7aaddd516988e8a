//! The files of a package: whether one of them is for this machine.

use super::error::LockError;
use super::marker::Environment;

/// Whether an address is that of the Python Package Index, or of its files.
pub(super) fn is_pypi(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    matches!(host, "pypi.org" | "pypi.python.org" | "files.pythonhosted.org")
}

/// Whether a file of a package is a wheel.
pub(super) fn is_wheel(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "whl")
}

/// Fails when a package has nothing but wheels, all of them for other systems or processors. Which
/// Python a wheel is for is left to the installer, which knows every rule.
pub(super) fn check_machine<'a>(
    package: &str,
    has_sdist: bool,
    wheels: impl Iterator<Item = &'a str>,
    environment: &Environment,
) -> Result<(), LockError> {
    let wheels: Vec<&str> = wheels.collect();
    if has_sdist || wheels.is_empty() || wheels.iter().any(|wheel| is_for(wheel, environment)) {
        return Ok(());
    }
    Err(LockError::OtherMachines { package: package.to_owned(), files: wheels.join(", ") })
}

/// By the last part of a wheel's name, its platform tags:
/// <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>
fn is_for(wheel: &str, environment: &Environment) -> bool {
    let Some(stem) = wheel.strip_suffix(".whl") else { return true };
    let tags = stem.rsplit('-').next().unwrap_or_default();
    tags.split('.').any(|tag| {
        tag == "any" || tag.contains("linux") && tag.ends_with(environment.machine.as_str())
    })
}
