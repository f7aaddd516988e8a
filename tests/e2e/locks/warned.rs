//! What a lock or a pin names, and should not.

use std::fs;

use super::{assert_has, fast_site, write};
use crate::support::{Site, uv, wheels};

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

/// With uv, nothing but nyala looks at it: a lock is installed without dependencies.
#[test]
fn what_is_for_another_python_is_refused() {
    for site in [Site::new(), fast_site()] {
        let project = site.project();
        let builder = include_str!("../fixtures/builder.py");
        let builder = builder.replace("\"Version: 1.0\"", "\"Version: 1.0\\nRequires-Python: <3\"");
        project
            .write("lib/backend/builder.py", builder)
            .write("lib/waterhole.py", "VERSION = '1.0'\n")
            .write(
                "lib/pyproject.toml",
                "[build-system]\nrequires = []\nbuild-backend = \"builder\"\n\
                 backend-path = [\"backend\"]\n",
            )
            .write("lib/needs.txt", "")
            .write("Pipfile", "[packages]\n")
            .write(
                "Pipfile.lock",
                r#"{"_meta": {"pipfile-spec": 6}, "default": {"waterhole": {"path": "./lib"}}}"#,
            );
        let push = project.push();
        push.assert_failed_with("needs Python <3, and this environment has 3.");
        assert_eq!(site.live_id(), None);
    }
}

/// uv itself takes one of them where it locks, since the most of them work.
#[test]
fn of_an_index_what_is_older_than_the_python_is_a_warning_with_uv() {
    if uv().is_none() {
        return;
    }
    let site = fast_site();
    let folder = site.sandbox.path("wheels");
    fs::create_dir(&folder).unwrap();
    wheels::write_wheel(&folder, "waterhole", "1.0", "Requires-Python: <3.1\n");
    wheels::write_wheel(&folder, "waterhole", "2.0", "Requires-Python: >=4\n");
    site.sandbox.set_variable("PIP_FIND_LINKS", &folder);
    let project = site.project();
    project.write("Pipfile", "[packages]\n");
    let lock = |version: &str| {
        format!(
            r#"{{"_meta": {{"pipfile-spec": 6}},
            "default": {{"waterhole": {{"version": "=={version}"}}}}}}"#
        )
    };
    let push = project.write("Pipfile.lock", lock("1.0")).push();
    push.assert_success();
    push.assert_says("warning: waterhole 1.0 needs Python <3.1, and this environment has 3.");
    let push = project.write("Pipfile.lock", lock("2.0")).push();
    push.assert_failed_with("waterhole 2.0 needs Python >=4, and this environment has 3.");
    assert_eq!(site.live_id(), Some(1));
}
