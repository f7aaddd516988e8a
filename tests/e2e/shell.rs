//! Completions, manual pages, and a next command in every error.

use std::fs;

use crate::support::{Running, Sandbox, Site};

#[test]
fn nyala_without_a_command_prints_the_status_inside_a_site() {
    let site = Site::new();
    site.project().write("page", "1").push().assert_success();
    let mut inside = site.sandbox.nyala_command();
    inside.current_dir(site.path.join("releases/1"));
    let inside = Running::start(&mut inside).wait();
    assert_eq!(inside.assert_success().stdout, site.nyala(&["status"]).stdout);
    let outside = site.sandbox.nyala(&[]);
    outside.assert_failed(2, "Usage: nyala");
    assert!(
        outside.stderr.contains("rollback") && !outside.stderr.contains("post-receive"),
        "{outside:?}"
    );
}

#[test]
fn a_key_for_several_sites_may_ask_for_the_version() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("sites");
    fs::create_dir(&root).unwrap();
    for name in ["one", "two"] {
        sandbox.nyala(&["init", root.join(name).to_str().unwrap()]).assert_success();
    }
    let mut shell = sandbox.nyala_command();
    shell.arg("shell").arg("--root").arg(&root).env("SSH_ORIGINAL_COMMAND", "nyala --version");
    let said = Running::start(&mut shell).wait().assert_success().stdout.clone();
    assert_eq!(said, sandbox.nyala(&["--version"]).stdout);
}

#[test]
fn completions_are_valid_in_their_shells() {
    let site = Site::new();
    for (shell, arguments) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])]
    {
        let completions = site.sandbox.nyala(&["completions", shell]);
        assert!(completions.assert_success().stdout.contains("rollback"), "{shell}");
        let file = site.sandbox.path("completions");
        fs::write(&file, &completions.stdout).unwrap();
        let mut check = site.sandbox.command("sh");
        let script = format!(
            "command -v {shell} >/dev/null || exit 0; exec {shell} {} \"$0\"",
            arguments.join(" ")
        );
        Running::start(check.args(["-c", &script]).arg(&file)).wait().assert_success();
    }
    site.sandbox.nyala(&["completions", "tcsh"]).assert_failed(2, "bash, zsh, fish");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let site = Site::new();
    let page = site.sandbox.nyala(&["man"]);
    assert!(page.assert_success().stdout.contains(".TH nyala 1"), "{}", page.stdout);
    let folder = site.sandbox.path("man");
    site.sandbox.nyala(&["man", folder.to_str().unwrap()]).assert_success();
    for (name, text) in [
        ("nyala", "nyala\\-rollback(1)"),
        ("nyala-rollback", "earlier release"),
        ("nyala-config-set", "NAME=VALUE"),
    ] {
        let page = fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(text), "no {text:?} in {page}");
    }
    assert!(!folder.join("nyala-worker.1").exists(), "what only the hook calls has no page");
}

#[test]
fn every_error_names_a_next_command() {
    let site = Site::new();
    fs::write(site.path.join("settings.env"), "A='").unwrap();
    for arguments in [
        &["build-log"][..],
        &["show", "3"],
        &["rollback"],
        &["diff", "1", "2"],
        &["delete", "1"],
        &["redeploy"],
        &["redeploy", "nowhere"],
        &["plan", "nowhere"],
        &["config", "list"],
        &["config", "get", "X"],
        &["step", "env"],
        &["init", "/proc/nowhere"],
        &["install", "/nowhere.git"],
    ] {
        let ran = site.nyala(arguments);
        assert!(!ran.status.success(), "{arguments:?}: {ran:?}");
        let names_one = ["nyala ", "git "].iter().any(|command| ran.stderr.contains(command));
        assert!(names_one && ran.stderr.starts_with("error: "), "{arguments:?}: {}", ran.stderr);
    }
}
