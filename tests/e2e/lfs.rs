//! Git LFS: a release contains the files, never their pointers.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Project, Site, has_git_lfs};

/// A project that stores `*.bin` in Git LFS.
fn project(site: &Site) -> Project<'_> {
    let project = site.project();
    project.git(&["lfs", "install", "--local"]);
    project.git(&["lfs", "track", "*.bin"]);
    // git-lfs takes any text like a pointer for one, whatever the attributes.
    project.git(&["config", "lfs.allowincompletepush", "true"]);
    project
}

#[test]
fn git_lfs_files_are_in_the_release() {
    if !has_git_lfs() {
        return;
    }
    let site = Site::new();
    let project = project(&site);
    let big = "big ".repeat(50_000);
    let about = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n",
        "a".repeat(64)
    );
    project
        .write("big.bin", &big)
        .write("folder/tool.bin", "#!/bin/sh\n")
        .make_executable("folder/tool.bin");
    project.write("pointers.txt", &about).push().assert_success().assert_says("Git LFS: 2 files");
    assert_eq!(site.live_file("big.bin"), big);
    assert_eq!(site.live_file("folder/tool.bin"), "#!/bin/sh\n");
    assert_eq!(
        (site.mode("wwwroot/folder/tool.bin"), site.mode("wwwroot/big.bin")),
        (0o755, 0o644)
    );
    assert_eq!(site.live_file("pointers.txt"), about, "a text about pointers is a text");

    // Pushed without its content: a clear error, not a site with pointers.
    site.sandbox.set_variable("GIT_LFS_SKIP_PUSH", "1");
    let push = project.write("big.bin", "another").push();
    push.assert_failed_with("big.bin is a Git LFS pointer, and its content is not in");
    push.assert_says("git lfs push --all");
    assert_eq!(site.live_file("big.bin"), big);

    // The content is uploaded later, and the commit is redeployed.
    let repository = site.repository.to_str().unwrap();
    project.git(&["lfs", "push", "--all", &format!("file://{repository}")]);
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(site.live_file("big.bin"), "another");

    // A damaged object is not written into a release.
    let id = project.git(&["lfs", "ls-files", "--long", "--name-only"]);
    assert!(id.contains("big.bin"));
    let oid = project.git(&["lfs", "ls-files", "--long"]);
    let oid = oid.lines().find(|line| line.contains("big.bin")).unwrap().split(' ').next().unwrap();
    let object = site.repository.join("lfs/objects").join(&oid[..2]).join(&oid[2..4]).join(oid);
    fs::remove_file(&object).unwrap();
    fs::write(&object, "anothex").unwrap();
    site.nyala(&["redeploy"]).assert_failed(1, "");
    assert!(site.log(4).contains("is damaged"), "{}", site.log(4));
}

#[test]
fn without_git_lfs_pointers_are_an_error() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let tools = site.sandbox.path("tools");
    fs::create_dir(&tools).unwrap();
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != "git-lfs" {
                let _ = symlink(entry.path(), tools.join(entry.file_name()));
            }
        }
    }
    site.sandbox.set_variable("PATH", tools);
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n",
        "a".repeat(64)
    );
    project.write(".gitattributes", "*.bin filter=lfs -text\n").write("a.bin", pointer);
    let push = project.push();
    push.assert_failed_with("a.bin is a Git LFS pointer");
    push.assert_says("git-lfs is not installed on this server");
    push.assert_says("apt-get install git-lfs");
    assert_eq!(site.live_id(), Some(1));
}
