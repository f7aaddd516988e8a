//! Locks with packages of several indexes: each is asked for its own packages, and for no others.

use super::{FIRST, assert_has, fast_site, lock, write};
use crate::support::{PrivateIndex, Project, Site};

/// Writes the lock, which has grass from this index.
fn write_with_index(project: &Project<'_>, kind: &str, url: &str) {
    write(project, kind, &FIRST);
    let text = lock(kind, &FIRST);
    let pyproject = |of_tool: &str| {
        format!(
            "[project]\nname = \"site\"\nversion = \"0\"\n\
             dependencies = [\"antelope\", \"grass\"]\n[[tool.{of_tool}]]\nname = \"ours\"\n\
             url = \"{url}\"\n"
        )
    };
    let (before, after) = text.split_once("grass").unwrap();
    let with = |from: &str, to: &str| format!("{before}grass{}", after.replacen(from, to, 1));
    let text = match kind {
        "uv.lock" => {
            let sources = "[tool.uv.sources]\ngrass = {index = \"ours\"}\n";
            project.write("pyproject.toml", pyproject("uv.index") + sources);
            let asked = format!("{{ name = \"grass\", index = \"{url}\" }}]\n");
            let text = with("https://pypi.org/simple", url);
            let (others, of_site) = text.rsplit_once("{ name = \"grass\" }]\n").unwrap();
            format!("{others}{asked}{of_site}")
        }
        "poetry.lock" => {
            project.write("pyproject.toml", pyproject("poetry.source"));
            let source = "}]\n[package.source]\ntype = \"legacy\"\nreference = \"ours\"\nurl = ";
            with("}]\n", &format!("{source}\"{url}\"\n"))
        }
        "pylock.toml" => with("version", &format!("index = \"{url}\"\nversion")),
        _ => {
            let source = format!("[[source]]\nname = \"ours\"\nurl = \"{url}\"\n[packages]\n");
            project.write("Pipfile", source);
            let pypi = r#"{"name": "pypi", "url": "https://pypi.org/simple"}"#;
            let sources = format!(r#""sources": [{pypi}, {{"name": "ours", "url": "{url}"}}]"#);
            with("\": {", "\": {\"index\": \"ours\", ").replace(r#""sources": []"#, &sources)
        }
    };
    project.write(kind, text);
}

#[test]
fn each_package_is_asked_for_where_its_lock_has_it() {
    for kind in ["uv.lock", "poetry.lock", "pylock.toml", "Pipfile.lock"] {
        let sites =
            if kind == "uv.lock" { vec![Site::new(), fast_site()] } else { vec![fast_site()] };
        for site in sites {
            let [own, ours] = [&["antelope"], &["grass"]].map(|names| PrivateIndex::only(names));
            site.sandbox.remove_variable("PIP_NO_INDEX");
            site.sandbox.remove_variable("PIP_FIND_LINKS");
            site.set("PIP_INDEX_URL", &own.url());
            let project = site.project();
            write_with_index(&project, kind, &ours.url());
            let push = project.push();
            assert_has(&site, &[("antelope", "1.0"), ("grass", "1.0")], &push);
            // pip itself is looked for, too: the env gets the newest.
            let asked = [&own, &ours].map(|index| {
                index.asked().into_iter().filter(|name| name != "pip").collect::<Vec<_>>()
            });
            assert_eq!(asked, [["antelope"], ["grass"]]);
            assert!(push.stderr.contains(&ours.url()), "no secret: {}", push.stderr);
        }
    }
}
