//! One test with a real package index; nearly all others do without.

use crate::support::{Site, use_real_index};

#[test]
fn a_package_from_the_real_index_is_installed() {
    let site = Site::new();
    if !use_real_index(&site, "itsdangerous==2.2.0") {
        return;
    }
    let project = site.project();
    project.write("requirements.txt", "itsdangerous==2.2.0\n");
    project.push().assert_success();
    let version =
        site.env_python("import importlib.metadata as m; print(m.version('itsdangerous'))");
    assert_eq!(version, "2.2.0");
}
