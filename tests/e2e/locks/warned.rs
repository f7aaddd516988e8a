//! What a lock or a pin names, and should not.

use std::fs;

use super::{assert_has, fast_site, write};
use crate::support::{Site, wheels};

/// Makes an index in which every version of a package is yanked the only one.
fn use_yanked(site: &Site, name: &str) {
    let page = site.sandbox.path("index").join(name);
    fs::create_dir_all(&page).unwrap();
    let names = fs::read_dir(wheels::folder()).unwrap().map(|it| it.unwrap().file_name());
    let files = names.map(|name| name.into_string().unwrap());
    let links = files.filter(|file| file.starts_with(&format!("{name}-"))).map(|file| {
        let url = wheels::folder().join(&file);
        format!("<a href='file://{}' data-yanked='it loses data'>{file}</a>\n", url.display())
    });
    fs::write(page.join("index.html"), links.collect::<String>()).unwrap();
    for variable in ["PIP_NO_INDEX", "PIP_FIND_LINKS"] {
        site.sandbox.remove_variable(variable);
    }
    let url = format!("file://{}", site.sandbox.path("index").display());
    site.sandbox.set_variable("PIP_INDEX_URL", url);
}

#[test]
fn a_yanked_version_that_is_pinned_is_named() {
    const SAID: &str =
        "warning: oryx 2.0 (it loses data) was yanked from the index; pin another version";
    for site in [Site::new(), fast_site()] {
        use_yanked(&site, "oryx");
        let project = site.project();
        let push = project.write("requirements.txt", "oryx==2.0\n").push();
        assert_has(&site, &[("oryx", "2.0")], &push);
        // Once, and not also in the installer's own words.
        push.assert_says(SAID).assert_does_not_say("is yanked").assert_does_not_say("candidate");

        project.remove("requirements.txt").write("page", "1");
        let push = write(&project, "Pipfile.lock", &[("oryx", "2.0", None)]).push();
        assert_has(&site, &[("oryx", "2.0")], &push);

        project.git(&["rm", "--quiet", "Pipfile", "Pipfile.lock"]);
        site.nyala(&["env", "delete"]).assert_success();
        let push = write(&project, "uv.lock", &[("oryx", "2.0", None)]).push();
        assert_has(&site, &[("oryx", "2.0")], &push);
        push.assert_says(SAID);
    }
}
