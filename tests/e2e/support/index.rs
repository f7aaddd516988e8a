//! The real package index of this machine, for the few tests that need it.

use std::process::Command;

use super::{Site, newest_python, skip};

/// Makes a site's pip use the machine's own index if it has a package for this requirement;
/// otherwise reports the test as skipped.
pub(crate) fn use_real_index(site: &Site, requirement: &str) -> bool {
    let reached = tempfile::tempdir().unwrap();
    let ran = Command::new(&newest_python().path)
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--retries", "0", "--dest"])
        .arg(reached.path())
        .arg(requirement)
        .output()
        .unwrap();
    if !ran.status.success() {
        skip("needs a package index that this machine's pip reaches");
        return false;
    }
    for name in ["PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"] {
        site.sandbox.remove_variable(name);
    }
    // The machine's own way to its index: pip's configuration and what it takes from the
    // environment.
    for (name, value) in std::env::vars() {
        if name.starts_with("PIP_")
            || name.to_lowercase().ends_with("_proxy")
            || name.starts_with("SSL_")
        {
            site.sandbox.set_variable(&name, value);
        }
    }
    if let Some(home) = std::env::home_dir() {
        let user = home.join(".config/pip/pip.conf");
        if user.exists() {
            site.sandbox.set_variable("PIP_CONFIG_FILE", user);
        }
    }
    true
}
