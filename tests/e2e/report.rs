//! `nyala report`, and the page that a site keeps fresh.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::Site;

#[test]
fn each_deployment_keeps_the_report_fresh_and_none_fails_for_it() {
    let site = Site::new();
    site.configure("report = true");
    let project = site.project();
    let page = || fs::read_to_string(site.path.join("report/index.html")).unwrap();
    project.write("page", "1").commit("The <b>first</b>\u{202e}");
    project.push().assert_success();
    let first = page();
    assert!(first.contains("Release <strong>1</strong> is live"), "{first}");
    assert!(first.contains("The &lt;b&gt;first&lt;/b&gt;\\u{202e}"), "{first}");
    assert!(first.contains("success: deployment 1 is live"), "{first}");
    let mode = fs::metadata(site.path.join("report/index.html")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);

    project.custom_script("echo it is s3cret-token; exit 3");
    site.nyala(&["config", "set", "TOKEN=s3cret-token"]).assert_success();
    project.push().assert_failed_with("exited with status 3");
    let failed = page();
    assert!(failed.contains("error: deployment 2 failed") && !failed.contains("s3cret-token"));
    project.custom_script("true").push().assert_success();
    site.nyala(&["rollback", "1"]).assert_success();
    assert!(page().contains("it made release 1 live again"));

    // What is in the way stays as it is, and so does the deployment.
    fs::remove_dir_all(site.path.join("report")).unwrap();
    let elsewhere = site.sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, site.path.join("report")).unwrap();
    let push = project.write("page", "2").push();
    push.assert_success().assert_says("warning: the report could not be updated");
    push.assert_says("a link, which is not followed");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    site.nyala(&["report"]).assert_failed(1, "a link, which is not followed");
}

#[test]
fn several_sites_have_a_page_that_leads_to_them() {
    let site = Site::new();
    site.project().write("page", "1").push().assert_success();
    let (folder, output) = (site.path.parent().unwrap(), site.sandbox.path("pages"));
    let [folder, pages] = [folder.to_str().unwrap(), output.to_str().unwrap()];
    let said = site.sandbox.nyala(&["report", "--all", folder, "--output", pages]);
    let index = output.join("index.html");
    assert_eq!(said.assert_success().stdout, format!("{}\n", index.display()));
    let name = site.path.file_name().unwrap().to_str().unwrap();
    let link = format!("./{name}/index.html");
    assert!(fs::read_to_string(&index).unwrap().contains(&format!("href=\"{link}\"")));
    assert!(output.join(&link).is_file());
    site.nyala(&["report", "--output", pages]).assert_success();
    assert!(fs::read_to_string(&index).unwrap().contains("Release <strong>1</strong> is live"));
}
