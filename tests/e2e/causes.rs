//! Why requirements could not be installed, in words that the installers do not say.

use crate::support::{Sandbox, Site, WebServer, uv};

/// One site for each installer that this machine has.
fn sites() -> Vec<(&'static str, Site)> {
    let of_uv = uv().map(|uv| {
        let sandbox = Sandbox::new();
        sandbox.put_uv_on_path(&uv);
        ("uv", Site::in_sandbox(sandbox, "site", &["--installer", "uv"]))
    });
    [("pip", Site::new())].into_iter().chain(of_uv).collect()
}

#[test]
fn requirements_that_were_frozen_on_another_machine_say_so() {
    for (_, site) in sites() {
        let project = site.project();
        let path = "/croot/antelope_1690232220950/work/antelope";
        project
            .write("requirements.txt", format!("acacia\nantelope @ file://{path}\n"))
            .push()
            .assert_failed_with(&format!(
                "antelope is asked for from {path}, which is not on this machine"
            ))
            .assert_says("Write antelope==VERSION in line 2 of requirements.txt");
        project
            .write("requirements.txt", "acacia\npywin32==306\n")
            .push()
            .assert_failed_with("pywin32 is for Windows only")
            .assert_says(
                "Write pywin32==306 ; sys_platform == \"win32\" in line 2 of requirements",
            );
        project
            .write("requirements.txt", "acacia\npywin32==306 ; sys_platform == \"win32\"\n")
            .push()
            .assert_success();
        project
            .write("requirements.txt", "acacia\npkg-resources==0.0.0\n")
            .push()
            .assert_failed_with("pkg-resources is no package")
            .assert_says("Remove it (line 2 of requirements.txt)");
    }
}

#[test]
fn an_index_that_is_out_of_order_is_not_said_to_lack_a_package() {
    for (installer, site) in sites() {
        let index = WebServer::answering(&[503]);
        site.sandbox.remove_variable("PIP_NO_INDEX");
        site.set("PIP_INDEX_URL", &format!("{}/simple", index.address));
        site.set("PIP_RETRIES", "0");
        site.set("UV_HTTP_RETRIES", "0");
        let host = index.address.strip_prefix("http://").unwrap();
        let (why, what) = match installer {
            "pip" => ("the index gave no file of django".to_owned(), "See what it answers: curl"),
            _ => (format!("the index {host} answered with an error: 503"), "PIP_INDEX_URL"),
        };
        let project = site.project();
        project
            .write("requirements.txt", "django\n")
            .push()
            .assert_failed_with(&why)
            .assert_says(what)
            .assert_says("wait until it works, and then: nyala redeploy")
            .assert_does_not_say("Correct its name");
    }
}
