//! A site of an older nyala keeps working; one of a newer nyala is refused, and left as it is.
//! See docs/upgrading.md.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Running, Sandbox, Site, newest_python, seeds, snapshot_without};

/// The site that nyala 0.1.0 has left, unpacked; see `scripts/make-site-fixture`.
fn site_of_0_1_0() -> Site {
    let sandbox = Sandbox::new();
    seeds::lend(&sandbox);
    let path = sandbox.path("site");
    fs::create_dir(&path).unwrap();
    let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fixtures/site-0.1.0.tar.gz");
    let mut tar = sandbox.command("tar");
    tar.args(["-x", "--no-same-owner", "-f", packed, "-C", path.to_str().unwrap()]);
    Running::start(&mut tar).wait().assert_success();
    let hook = path.join("repository.git/hooks/post-receive");
    let marker = path.join("envs/2/nyala.json");
    for file in [&hook, &marker] {
        let text = fs::read_to_string(file).unwrap();
        let text = text.replace("@SITE@", path.to_str().unwrap());
        fs::write(file, text.replace("@NYALA@", env!("CARGO_BIN_EXE_nyala"))).unwrap();
    }
    // The site knows nothing of the wheels of other tests.
    sandbox.remove_variable("PIP_FIND_LINKS");
    complete(&sandbox, &path.join("envs/2"));
    Site { sandbox, repository: path.join("repository.git"), path }
}

/// Makes an env of this machine's Python around a marker, and changes in that what depends on the
/// machine.
fn complete(sandbox: &Sandbox, env: &Path) {
    let mut venv = sandbox.command(&newest_python().path);
    venv.args(["-m", "venv", "--without-pip", env.to_str().unwrap()]);
    Running::start(&mut venv).wait().assert_success();
    change(&env.join("nyala.json"), |marker| {
        marker["python"] = json!(newest_python().to_string());
        marker["packages"] = json!([]);
    });
}

fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

#[test]
fn a_site_of_0_1_0_is_deployed_to_and_rolled_back() {
    let site = site_of_0_1_0();
    let is_well = || {
        site.nyala(&["doctor"]).assert_success();
    };
    is_well();
    assert_eq!(site.shown(3)["status"], "failed");
    let project = site.project();
    project.git(&["pull", "--quiet", "nyala", "main"]);
    project.remove(".deployment").write("page", "three");
    project.push().assert_success().assert_says("Found compatible virtual environment");
    assert_eq!((site.live_id(), site.env_id()), (Some(4), 2));
    is_well();
    site.nyala(&["rollback", "2"]).assert_success();
    assert_eq!((site.live_file("page").as_str(), site.env_id()), ("two\n", 2));
    site.nyala(&["rollback", "1"]).assert_success();
    assert_eq!(site.live_file("page"), "one\n");
    is_well();
}

#[test]
fn a_site_of_a_newer_nyala_is_refused_and_left_as_it_is() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    // The worker writes into the site until then.
    fs::File::open(site.path.join("lock")).unwrap().lock().unwrap();
    let files = [site.path.join("deployments/1/deployment.json"), site.env().join("nyala.json")];
    for file in files {
        let before = fs::read(&file).unwrap();
        // In a form that this nyala could not read.
        change(&file, |value| {
            value["format"] = json!(1000);
            value["python"] = json!({ "of": "another kind" });
        });
        let newer = snapshot_without(&site.path, &["repository.git"]);
        let refusal = format!("{} was written by a newer nyala", file.display());
        project.write("page", file.to_str().unwrap());
        project.push().assert_deployed_nothing(&refusal);
        for arguments in [
            &["redeploy"][..],
            &["rollback"],
            &["env", "delete"],
            &["gc"],
            &["delete", "1"],
            &["freeze", "a reason"],
            &["config", "set", "NAME=value"],
            &["doctor", "--fix"],
            &["serve"],
        ] {
            let ran = site.nyala(arguments);
            assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {ran:#?}");
            assert!(ran.stderr.contains(&refusal), "{arguments:?}: {ran:#?}");
        }
        let doctor = site.nyala(&["doctor", "--json"]);
        let findings: Value = serde_json::from_str(&doctor.stdout).unwrap();
        assert_eq!(findings[0]["id"], "newer-nyala", "{findings}");
        assert_eq!(findings.as_array().unwrap().len(), 1, "{findings}");
        assert_eq!(snapshot_without(&site.path, &["repository.git"]), newer);
        fs::write(&file, before).unwrap();
    }
    project.write("page", "back").push().assert_success();
}
