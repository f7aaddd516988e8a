//! Pushes with more of something than anybody needs.

use std::fs;
use std::io::Write;

use crate::support::{Running, Site};

#[test]
fn a_message_and_an_author_of_any_length_are_cut_in_the_record() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").commit("One");
    let tree = project.git(&["rev-parse", "HEAD^{tree}"]);
    let object = site.sandbox.path("commit");
    let mut file = fs::File::create(&object).unwrap();
    let name = "Ada".repeat(1 << 20);
    write!(
        file,
        "tree {}\nauthor {name} <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n",
        tree.trim()
    )
    .unwrap();
    file.write_all("ä long title ".repeat(2 << 20).as_bytes()).unwrap();
    let commit = project.git(&["hash-object", "-t", "commit", "-w", object.to_str().unwrap()]);
    project.git(&["reset", "-q", "--hard", commit.trim()]);
    let push = project.push();
    push.assert_success();
    assert!(push.output.len() < 8 << 10, "{} bytes of output", push.output.len());
    let record = site.path.join("deployments/1/deployment.json");
    assert!(fs::metadata(record).unwrap().len() < 32 << 10);
    let message = site.record(1)["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("ä long title"));
    assert!(message.ends_with("bytes in all]"), "{message}");
    for command in ["list", "status", "show"] {
        let said = site.nyala(&[command]).assert_success().stdout.len();
        assert!(said < 20 << 10, "{command} says {said} bytes");
    }
    // What it hands on to a command of the project fits in an environment.
    project.custom_script("echo ${#SCM_COMMIT_MESSAGE} > length").push();
    site.nyala(&["rollback", "1"]).assert_success();
}

#[test]
fn of_many_refs_ten_are_named() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let head = project.head();
    let refs: Vec<_> =
        (0..5_000).map(|number| format!("{head} refs/heads/b{number:04}\n")).collect();
    fs::write(project.path.join(".git/packed-refs"), refs.concat()).unwrap();
    let mut push = site.sandbox.command("git");
    push.current_dir(&project.path).args(["push", "-q", "nyala", "refs/heads/b*:refs/heads/b*"]);
    let output = Running::start(&mut push).wait().stderr;
    assert_eq!(output.matches("is not the deploy branch").count(), 10, "{output}");
    assert!(output.contains("4990 more refs are not deployed."), "{output}");
}
