//! Locks whose packages are in an index that asks for credentials: those are in the app settings
//! that the lock's own tool reads, whatever the installer.

use std::fs;
use std::process::Command;

use super::{FIRST, assert_has, fast_site, lock, write};
use crate::secrets::files_with;
use crate::support::private_index::{PASSWORD, USER};
use crate::support::{PrivateIndex, Project, Running, Site, newest_python, skip, wait_until};

const OF_UV: [&str; 2] = ["UV_INDEX_MY_OWN_USERNAME", "UV_INDEX_MY_OWN_PASSWORD"];
const OF_POETRY: [&str; 2] =
    ["POETRY_HTTP_BASIC_MY_OWN_USERNAME", "POETRY_HTTP_BASIC_MY_OWN_PASSWORD"];
const IN_ADDRESS: [&str; 2] = ["INDEX_USER", "INDEX_PASSWORD"];

/// Writes the lock and its manifest, which gives the index the name `my-own`.
fn write_private(project: &Project<'_>, kind: &str, index: &PrivateIndex) {
    let url = index.url();
    let with_variables =
        format!("http://${{INDEX_USER}}:${{INDEX_PASSWORD}}@{}/simple", index.host);
    write(project, kind, &FIRST);
    let pyproject = |tool: &str, url: &str| {
        format!(
            "[project]\nname = \"site\"\nversion = \"0\"\n\
             dependencies = [\"antelope\", \"grass\"]\n\
             [[tool.{tool}]]\nname = \"my-own\"\nurl = \"{url}\"\n"
        )
    };
    let text = lock(kind, &FIRST);
    match kind {
        "uv.lock" => {
            project.write("pyproject.toml", pyproject("uv.index", &url));
            project.write(kind, text.replace("https://pypi.org/simple", &url));
        }
        "poetry.lock" => {
            project.write("pyproject.toml", pyproject("poetry.source", &url));
            let source = format!(
                "}}]\n[package.source]\ntype = \"legacy\"\nurl = \"{url}\"\n\
                 reference = \"my-own\"\n"
            );
            project.write(kind, text.replace("}]\n", &source));
        }
        "pdm.lock" => {
            project.write("pyproject.toml", pyproject("pdm.source", &with_variables));
        }
        _ => {
            let source = format!(r#""sources": [{{"name": "my-own", "url": "{with_variables}"}}]"#);
            project.write(kind, text.replace(r#""sources": []"#, &source));
        }
    }
}

/// Pushes without credentials, which `says` so, and with them.
fn needs_credentials(site: &Site, kind: &str, [user, password]: [&str; 2], says: &str) {
    let index = PrivateIndex::start();
    site.sandbox.remove_variable("PIP_NO_INDEX");
    site.sandbox.remove_variable("PIP_FIND_LINKS");
    site.sandbox.set_variable("PIP_INDEX_URL", format!("http://{}/empty", index.host));
    let project = site.project();
    write_private(&project, kind, &index);
    let push = project.push();
    push.assert_failed_with(says);
    assert!(push.stderr.contains(user), "{}", push.stderr);
    assert_eq!(site.live_id(), None);

    site.set(user, USER);
    site.set(password, PASSWORD);
    project.commit("Again");
    let push = project.push();
    assert_has(site, &[("antelope", "1.0"), ("grass", "1.0")], &push);
    let plan = site.nyala(&["plan", "--json"]);
    let list = site.nyala(&["list", "--json"]);
    let said = [push.stderr, plan.stdout, plan.stderr, list.stdout].concat();
    let encoded = PASSWORD.replace('@', "%40").replace('/', "%2F");
    for secret in [PASSWORD, &encoded] {
        assert!(!said.contains(secret), "{said}");
        let files = files_with(&site.path, &[secret]);
        let others = files.iter().filter(|file| !file.ends_with("/settings.env"));
        assert_eq!(others.collect::<Vec<_>>(), [] as [&str; 0]);
    }

    // Who asks the index decides nothing.
    site.set(password, "renewed");
    project.write("page", "2").push().assert_success();
    assert_eq!(site.live()["env"]["decision"], "reuse");
}

#[test]
fn credentials_of_an_index_are_in_the_settings_of_the_locks_own_tool() {
    let not_installed = "the requirements could not be installed";
    needs_credentials(&Site::new(), "poetry.lock", OF_POETRY, not_installed);
    needs_credentials(&fast_site(), "poetry.lock", OF_POETRY, not_installed);
    needs_credentials(&fast_site(), "uv.lock", OF_UV, not_installed);
    for kind in ["pdm.lock", "Pipfile.lock"] {
        let says = format!("the address of an index of {kind} needs INDEX_USER, which is not set");
        needs_credentials(&fast_site(), kind, IN_ADDRESS, &says);
    }
}

#[test]
fn the_certificate_of_an_index_is_not_checked_where_the_pipfile_says_so() {
    if Command::new("openssl").arg("version").output().is_err() {
        skip("needs openssl");
        return;
    }
    for site in [Site::new(), fast_site()] {
        let index = PrivateIndex::start();
        let folder = site.sandbox.path("tls");
        fs::create_dir(&folder).unwrap();
        let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fixtures/tls.py");
        let mut server = site.sandbox.command(&newest_python().path);
        let _server = Running::start(server.arg(tls).arg(&index.host).arg(&folder));
        wait_until("the server listens", || folder.join("port").exists());
        let port = fs::read_to_string(folder.join("port")).unwrap();
        let url = format!("https://{USER}:${{INDEX_PASSWORD}}@127.0.0.1:{port}/simple");

        site.sandbox.remove_variable("PIP_NO_INDEX");
        site.sandbox.remove_variable("PIP_FIND_LINKS");
        site.sandbox.set_variable("PIP_INDEX_URL", format!("http://{}/empty", index.host));
        site.sandbox.set_variable("PIP_RETRIES", "0");
        site.set("INDEX_PASSWORD", PASSWORD);
        let project = site.project();
        let source = format!(r#""sources": [{{"name": "my-own", "url": "{url}"}}]"#);
        let text = lock("Pipfile.lock", &FIRST).replace(r#""sources": []"#, &source);
        project.write("Pipfile.lock", text);
        let pipfile = |verifies: bool| {
            format!("[[source]]\nname = \"my-own\"\nurl = \"{url}\"\nverify_ssl = {verifies}\n")
        };
        project.write("Pipfile", pipfile(true));
        project.push().assert_failed_with("the requirements could not be installed");
        project.write("Pipfile", pipfile(false));
        let push = project.push();
        assert_has(&site, &[("antelope", "1.0"), ("grass", "1.0")], &push);
    }
}

#[test]
fn a_renewed_token_in_the_address_of_an_index_is_no_reason_for_a_new_env() {
    let site = Site::new();
    let index = PrivateIndex::start();
    site.sandbox.remove_variable("PIP_NO_INDEX");
    site.sandbox.remove_variable("PIP_FIND_LINKS");
    let encoded = PASSWORD.replace('@', "%40").replace('/', "%2F");
    let address = |token: &str, path| format!("http://{USER}:{token}@{}/{path}", index.host);
    let project = site.project();
    project.write("requirements.txt", "antelope==1.0\n");
    for (token, path, decision) in [
        (&*encoded, "simple", "create"),
        ("renewed", "simple", "reuse"),
        (&encoded, "simple/", "create"),
    ] {
        site.set("PIP_INDEX_URL", &address(token, path));
        project.write("page", path).commit("Change nothing else");
        project.push().assert_success();
        assert_eq!(site.live()["env"]["decision"], decision, "{token} {path}");
    }
}
