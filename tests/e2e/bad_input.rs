//! Invalid input gets a clear error, and the live release is unchanged.

use std::fs;

use crate::support::{Project, Sandbox, Site, newest_python};

/// Pushes a change to a site with a live release. The deployment fails with `texts` in its log, and
/// the live release is unchanged.
#[track_caller]
fn assert_refused(change: impl Fn(&Project<'_>), texts: &[&str]) {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();

    change(&project);
    let push = project.push();
    for text in texts {
        push.assert_failed_with(text);
    }
    assert_eq!(site.live_state(), before);
    assert_eq!(site.live_id(), Some(1));
    assert_eq!(site.record(2)["status"], "failed");
    assert!(push.last_line().ends_with("deployment 1 is still live"), "{}", push.last_line());
}

#[test]
fn the_last_line_is_one_sentence() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.write("runtime.txt", "").write("requirements.txt", "");
    let push = project.push();
    assert_eq!(
        push.last_line(),
        "error: deployment 2 failed: runtime.txt names no Python version; deployment 1 is still \
         live"
    );
}

#[test]
fn an_invalid_runtime_txt_is_refused_and_shown_escaped() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();
    let cases: [(&str, &[u8], &str); 20] = [
        ("empty", b"", "runtime.txt"),
        ("only blanks and comments", b"\n  \n# python-3.12\n", "runtime.txt"),
        ("two lines", b"python-3.11\npython-3.12\n", "python-3.11"),
        ("major only", b"python-3\n", "python-3"),
        ("four numbers", b"python-3.11.4.2\n", "python-3.11.4.2"),
        ("blank inside", b"python- 3.11\n", "python- 3.11"),
        ("leading zero", b"python-3.011\n", "python-3.011"),
        ("signs", b"python-+3.+11\n", "python-+3.+11"),
        ("en dash", "python\u{2013}3.11\n".as_bytes(), r"python\u{2013}3.11"),
        ("zero-width space", "python-3.11\u{200b}\n".as_bytes(), r"python-3.11\u{200b}"),
        ("control characters", b"python-3.11\x1b[2J\n", r"\u{1b}"),
        ("NUL", b"python-3.11\0\n", "python-3.11"),
        ("other digits", "python-3.\u{661}\u{661}\n".as_bytes(), r"\u{661}"),
        ("no prefix", b"3.11\n", "3.11"),
        ("another implementation", b"pypy3.10-7.3.12\n", "pypy3.10"),
        ("a release candidate", b"python-3.14.0rc1\n", "rc1"),
        ("a huge number", b"python-3.99999999999999999999\n", "99999999"),
        ("UTF-16", b"\xff\xfep\0y\0t\0h\0o\0n\0-\x003\0.\x001\x001\0\r\0\n\0", "UTF-16"),
        ("UTF-16, big-endian", b"\xfe\xff\0p\0y\0t\0h\0o\0n\0-\x003\0.\x001\x001", "UTF-16"),
        ("not UTF-8", b"python-3.11 caf\xe9\n", "UTF-8"),
    ];
    for (name, content, text) in cases {
        project.write("runtime.txt", content);
        let push = project.push();
        println!("{name}:\n{}", push.output);
        push.assert_failed_with("runtime.txt").assert_says(text);
        assert!(!push.stderr.contains('\u{1b}'), "{name}");
        assert_eq!(site.live_state(), before, "{name}");
    }
    project.write("runtime.txt", "python-3\n");
    project.push().assert_says(&newest_python().to_string());
    project.write("runtime.txt", newest_python().runtime());
    project.push().assert_success();
}

#[test]
fn a_runtime_txt_of_10_mb_is_refused_without_being_shown() {
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", "python-3.11".repeat(1_000_000));
    let push = project.push();
    push.assert_failed_with("runtime.txt");
    assert!(push.output.len() < 10_000, "{} bytes", push.output.len());
}

#[test]
fn a_runtime_txt_that_is_a_link_is_refused() {
    assert_refused(
        |project| {
            project.write("real.txt", newest_python().runtime());
            project.link("runtime.txt", "real.txt");
        },
        &["runtime.txt"],
    );
}

#[test]
fn a_runtime_txt_that_is_a_folder_is_refused() {
    assert_refused(
        |project| {
            project.write("runtime.txt/file", "python-3.11\n");
        },
        &["runtime.txt"],
    );
}

#[test]
fn an_empty_requirements_file_is_a_site_without_packages() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.remove("requirements.txt").push().assert_success();
    assert!(site.live_file("app.py").contains("import"));
    if site.path.join("wwwroot/env").exists() {
        assert_eq!(site.package("antelope"), None);
    }
}

#[test]
fn a_requirements_file_that_pip_rejects_is_refused() {
    assert_refused(
        |project| {
            project.write("requirements.txt", "antelope === !!! 1.0\n");
        },
        &["requirements.txt", "antelope"],
    );
}

#[test]
fn an_option_that_pip_does_not_know_is_refused() {
    assert_refused(
        |project| {
            project.write("requirements.txt", "--nonsense\nantelope==1.0\n");
        },
        &["--nonsense"],
    );
}

#[test]
fn a_package_that_does_not_exist_is_refused() {
    assert_refused(
        |project| {
            project.write("requirements.txt", "antelope==1.0\nthere-is-no-such-package\n");
        },
        &["the index has no package there-is-no-such-package", "line 2 of requirements.txt"],
    );
}

#[test]
fn a_nested_requirements_file_that_is_missing_is_refused() {
    assert_refused(
        |project| {
            project.write("requirements.txt", "-r deps/missing.txt\n");
        },
        &["deps/missing.txt", "requirements.txt"],
    );
}

#[test]
fn a_requirements_folder_is_refused() {
    assert_refused(
        |project| {
            project.remove("requirements.txt");
            project.write("requirements.txt/file", "antelope\n");
        },
        &["requirements.txt"],
    );
}

#[test]
fn a_build_that_fails_after_5_mb_of_output_is_refused_with_all_of_it_in_the_log() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "live").push().assert_success();
    let before = site.live_state();
    project.custom_script("seq 1 700000\necho the last word\nexit 1");
    project.push().assert_failed_with("the last word");
    assert_eq!(site.live_state(), before);
    let log = site.log(2);
    assert!(log.len() > 5_000_000);
    assert!(log.contains(" 1\n") && log.contains(" 350000\n") && log.contains(" 700000\n"));
}

#[test]
fn a_deployment_file_that_names_a_missing_script_is_refused() {
    assert_refused(
        |project| {
            project.write(".deployment", "[config]\ncommand = bash nowhere.sh\n");
        },
        &["nowhere.sh"],
    );
}

#[test]
fn a_repository_without_a_site_says_what_to_do() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let site = Site::installed(sandbox, repository);
    fs::remove_dir_all(&site.path).unwrap();
    let push = site.project().write("page", "").push();
    assert!(push.accepted, "{}", push.stderr);
    push.assert_says("error: ").assert_says(site.path.to_str().unwrap()).assert_says("nyala ");
    assert!(!site.path.exists());
}

#[test]
fn an_unknown_push_option_is_not_silent() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "");
    project.push_with(&["-o", "rebiuld-env"]).assert_says("rebiuld-env").assert_says("rebuild-env");
}
