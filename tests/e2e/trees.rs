//! The tree of a release is the tree that was pushed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Running, Site};

#[test]
fn exec_bits_and_links_are_kept() {
    let site = Site::new();
    let project = site.project();
    project.write("bin/run", "#!/bin/sh\n").make_executable("bin/run");
    project.write("plain", "").link("link", "bin/run");
    project.link("dangling", "nowhere");
    project.push().assert_success();
    assert_eq!(site.mode("wwwroot/bin/run"), 0o755);
    assert_eq!(site.mode("wwwroot/plain"), 0o644);
    let wwwroot = site.path.join("wwwroot");
    assert_eq!(fs::read_link(wwwroot.join("link")).unwrap(), Path::new("bin/run"));
    assert_eq!(fs::read_link(wwwroot.join("dangling")).unwrap(), Path::new("nowhere"));
}

#[test]
fn modes_do_not_depend_on_the_pushers_umask() {
    let site = Site::new();
    let project = site.project();
    project.write("folder/plain", "").commit("One");
    let mut push = site.sandbox.command("sh");
    push.current_dir(&project.path).args(["-c", "umask 077; git push nyala HEAD:refs/heads/main"]);
    Running::start(&mut push).wait().assert_success();
    assert_eq!(site.mode("wwwroot/folder/plain"), 0o644);
    assert_eq!(site.mode("wwwroot/folder"), 0o755);
}

#[test]
fn line_endings_follow_gitattributes() {
    let site = Site::new();
    let project = site.project();
    project.write(".gitattributes", "*.bat text eol=crlf\n*.bin -text\n");
    project.write("run.bat", "a\nb\n").write("data.bin", "a\nb\n");
    project.write("plain.txt", "a\nb\n");
    project.push().assert_success();
    assert_eq!(site.live_file("run.bat"), "a\r\nb\r\n");
    assert_eq!(site.live_file("data.bin"), "a\nb\n");
    assert_eq!(site.live_file("plain.txt"), "a\nb\n");
}

#[test]
fn files_with_export_ignore_are_deployed() {
    let site = Site::new();
    let project = site.project();
    project.write(".gitattributes", "secret.txt export-ignore\n");
    project.write("secret.txt", "here").push().assert_success();
    assert_eq!(site.live_file("secret.txt"), "here");
}

#[test]
fn file_names_that_are_not_utf_8_are_deployed() {
    let site = Site::new();
    let project = site.project();
    let name = OsStr::from_bytes(b"caf\xe9 \n \x01");
    if fs::write(project.path.join(name), "bytes").is_err() {
        return crate::support::skip("needs a file system that takes any bytes as a name");
    }
    project.push().assert_success();
    let file = site.path.join("wwwroot").join(name);
    assert_eq!(fs::read_to_string(file).unwrap(), "bytes");
}

#[test]
fn a_submodule_is_an_empty_folder_and_a_warning() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "hello").commit("One");
    let entry = format!("160000,{},vendor/lib", project.head());
    project.git(&["update-index", "--add", "--cacheinfo", &entry]);
    project.git(&["commit", "--quiet", "-m", "Add a submodule"]);
    let push = project.push_refs(&["HEAD:refs/heads/main"]);
    push.assert_success();
    let warned = push
        .output
        .lines()
        .any(|line| line.starts_with("warning: ") && line.contains("vendor/lib"));
    assert!(warned, "{}", push.stderr);
    let folder = site.path.join("wwwroot/vendor/lib");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn removed_files_are_gone_and_files_may_become_folders() {
    let site = Site::new();
    let project = site.project();
    project.write("a", "file").write("b/c", "in a folder");
    project.link("d", "a").write("gone", "");
    project.push().assert_success();

    project.remove("a").remove("b").remove("d").remove("gone");
    project.write("a/b", "in a folder").write("b", "file");
    project.write("d", "file");
    project.push().assert_success();
    assert_eq!(site.live_file("a/b"), "in a folder");
    assert_eq!(site.live_file("b"), "file");
    assert!(!fs::symlink_metadata(site.path.join("wwwroot/d")).unwrap().is_symlink());
    assert!(!site.path.join("wwwroot/gone").exists());
}

#[test]
fn a_new_tree_does_not_write_through_links_of_the_old_one() {
    let site = Site::new();
    let precious = site.sandbox.path("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "precious").unwrap();
    let project = site.project();
    project.link("link", precious.to_str().unwrap());
    project.push().assert_success();

    project.remove("link").write("link/file", "overwritten");
    project.push().assert_success();
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "precious");
    assert_eq!(site.live_file("link/file"), "overwritten");
}

#[test]
fn a_setuid_bit_in_a_tree_is_not_kept() {
    let site = Site::new();
    let project = site.project();
    project.write("run", "#!/bin/sh\n").make_executable("run");
    fs::set_permissions(project.path.join("run"), fs::Permissions::from_mode(0o4755)).unwrap();
    project.push().assert_success();
    assert_eq!(site.mode("wwwroot/run"), 0o755);
}

#[test]
fn files_whose_filter_is_not_run_are_named() {
    let site = Site::new();
    let project = site.project();
    project.write(".gitattributes", "*.key filter=git-crypt diff=git-crypt\n*.bin filter=lfs\n");
    project.write("deep/secret.key", "\0GITCRYPT\0").write("page", "1");
    let push = project.push();
    push.assert_success().assert_says("warning: git's filter git-crypt is not run");
    push.assert_says("deep/secret.key");
    push.assert_does_not_say("page,");
    // Said again where the file was not written again.
    project.write("page", "2").push().assert_says("for example encrypted: deep/secret.key");
}
