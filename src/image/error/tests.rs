//! The errors as people read them.

use super::*;
use crate::registry::Reference;

#[test]
fn every_error_says_what_to_do() {
    let id = DeploymentId::of(3);
    insta::assert_snapshot!(nothing_live(), @"
    nothing is live yet
    Deploy: git push REMOTE HEAD:main
    ");
    insta::assert_snapshot!(nowhere_to_go(), @"
    no destination was given for the image
    1. Write it to a folder: nyala image --output DIR
    2. Or send it to a registry: nyala image --push REGISTRY/NAME
    ");
    insta::assert_snapshot!(no_repository(), @"
    no repository was named, and none is set
    1. Name one: nyala image --push REGISTRY/NAME
    2. Or set repository in [image] of nyala.toml
    ");
    insta::assert_snapshot!(no_registry("shop"), @"
    the image is to be pushed, and no registry is named
    found: shop
    Write the registry and the name: nyala image --push REGISTRY/NAME
    ");
    insta::assert_snapshot!(digest_in_target("h/shop@sha256:1"), @"
    an image cannot be pushed to a digest: it has its own
    found: h/shop@sha256:1
    Write a tag, or nothing, after the name
    ");
    insta::assert_snapshot!(not_a_tag("a b"), @"
    this is not a tag
    found: a b
    Use up to 128 letters, digits, - _ and .
    ");
    insta::assert_snapshot!(no_release(id), @"
    release 3 is no longer there
    See which releases are kept: nyala list
    ");
    insta::assert_snapshot!(never_live(id, "failed"), @"
    deployment 3 has no finished release
    found: it is failed
    See which releases are kept: nyala list
    ");
    insta::assert_snapshot!(packages_stay(), @"
    the env uses packages of this machine's Python, which are not in the image
    Install what it needs into the env: python -m venv without --system-site-packages
    ");
    insta::assert_snapshot!(gone(id), @"release 3 was removed in the meantime");
    insta::assert_snapshot!(no_env(id), @"
    the env of release 3 is no longer there
    Build it again: nyala redeploy 3
    ");
    insta::assert_snapshot!(interpreter_fails(Path::new("/srv/shop/envs/3")), @"
    the interpreter of /srv/shop/envs/3 does not report its version
    Build the env again: nyala env delete, and nyala redeploy
    ");
    insta::assert_snapshot!(wrong_epoch("today"), @"
    SOURCE_DATE_EPOCH is not a number of seconds
    found: today
    Unset it, or set it to the time of a commit: git log -1 --format=%ct
    ");
    insta::assert_snapshot!(link_leads_out("env", Path::new("a"), Path::new("/etc/b")), @"
    a link leads out of the env, to what the image does not have
    found: a -> /etc/b
    1. Put what it leads to into the project, or remove the link
    2. Or, if it is the application's data, share it: nyala share
    ");
    insta::assert_snapshot!(secret_inside(Path::new("srv/app/a.py"), "SECRET_KEY"), @"
    the value of the app setting SECRET_KEY is in a file of the release
    found: /srv/app/a.py
    1. Have the application read it from its environment, and not from this file
    2. Or if it is no secret, give it a value of its own: nyala config set SECRET_KEY=…
    ");
    insta::assert_snapshot!(secret_in_command("SECRET_KEY"), @"
    the value of the app setting SECRET_KEY is in the command of web
    Write $SECRET_KEY in the command in its place
    ");
}

#[test]
fn every_error_about_a_base_says_what_to_do() {
    let here = Path::new("/srv/image");
    let tags = ["1".to_owned(), "2".to_owned()];
    insta::assert_snapshot!(no_shell("a && b"), @"
    the base has no /bin/sh, which the command of web needs
    found: a && b
    Write a command without shell syntax, or choose a base with a shell
    ");
    insta::assert_snapshot!(no_program("web", "bash start.sh", "bash"), @"
    the image has no bash, which web needs
    found: web: bash start.sh
    1. Choose a base that has it: base in [image] of nyala.toml
    2. Or change the command so that it does not need it
    ");
    insta::assert_snapshot!(loopback("serve --on localhost"), @"
    the command of web refers to localhost, which in a container is the container itself
    found: serve --on localhost
    Write the name of the other machine, or listen on 0.0.0.0
    ");
    insta::assert_snapshot!(only_here("python app.py", "127.0.0.1:41234"), @"
    web listens on 127.0.0.1:41234 alone, where a container cannot be reached
    found: python app.py
    1. Have it listen where a variable such as HOST says, and on 127.0.0.1 without it
    2. Set that to 0.0.0.0 in the container
    ");
    insta::assert_snapshot!(other_platform("linux/arm64", "linux/amd64"), @r#"
    the environment of this machine does not run on the wanted platform
    found: platform = "linux/arm64"
    allowed: linux/amd64
    Make the image on a machine of that platform
    "#);
    insta::assert_snapshot!(wrong_platform("python:3", "linux/arm64", "linux/amd64"), @"
    the base python:3 is not for linux/amd64
    found: linux/arm64
    Choose another base
    ");
    let wrong = "Shop".parse::<Reference>().unwrap_err();
    insta::assert_snapshot!(wrong_base(wrong), @r#"
    this is not the name of an image
    found: Shop
    found: the base of the image
    1. Write one such as registry.example.org/shop/web or python:3.12-slim
    2. Or name a folder with an OCI layout, or "scratch" for no base
    "#);
    insta::assert_snapshot!(not_an_image("python:3", "no manifest"), @"
    the base python:3 is not an image that can be built on
    found: no manifest
    Choose another base
    ");
    insta::assert_snapshot!(no_layout(here), @"
    /srv/image is not a folder with an image
    found: no oci-layout and index.json in it
    Write one there: skopeo copy docker://IMAGE oci:DIR
    ");
    insta::assert_snapshot!(broken_layout(&here.join("index.json")), @"
    /srv/image/index.json is not an index of images
    Remove the folder, and write the image again
    ");
    insta::assert_snapshot!(not_empty(here), @"
    /srv/image contains something other than an image
    Name a folder that is empty, or not there yet
    ");
    insta::assert_snapshot!(no_such_tag(here, "3", &tags), @"
    /srv/image has no image with the tag 3
    allowed: 1, 2
    ");
    insta::assert_snapshot!(several_tags(here, &tags), @"
    /srv/image has several images
    found: 1, 2
    Name one: /srv/image:TAG
    ");
    insta::assert_snapshot!(wrong_blob(&here.join("blobs/sha256/1"), "sha256:2"), @"
    /srv/image/blobs/sha256/1 is damaged
    found: its digest is sha256:2
    Write the image again
    ");
    insta::assert_snapshot!(restored(&[Path::new("db.sqlite3")]), @"
    what the application has written into files of the commit is not in the image
    found: db.sqlite3
    If it is the application's data, share it: nyala share
    ");
    insta::assert_snapshot!(written_to("data.bin"), @"
    the application has written into a file of Git LFS
    found: data.bin
    1. Restore it: nyala redeploy
    2. Or, if it is the application's data, share it: nyala share
    ");
    insta::assert_snapshot!(changed_meanwhile("env"), @"
    the env changed while the image was made
    Try again when nothing writes into it
    ");
    let lines = (1..13).map(|number| format!("a needs lib{number}.so")).collect();
    let said = missing_here_too(lines).to_string();
    assert!(said.contains("found: a needs lib10.so\nfound: 2 more\n"), "{said}");
    insta::assert_snapshot!(does_not_run(Some("debian:11"), vec!["a needs b".into()]), @r#"
    the image would not run: the base debian:11 lacks what the release needs
    found: a needs b
    1. Choose a base that has it, of the distribution of this machine or newer
    2. Or take all of it from this machine: base = "scratch" in [image] of nyala.toml
    "#);
}

#[test]
fn every_error_about_libraries_of_a_base_says_what_to_do() {
    insta::assert_snapshot!(ldconfig_has_not_run(Some("debian:11")), @"
    the base debian:11 has libraries where its loader does not look
    found: /etc/ld.so.conf names their folder, and there is no /etc/ld.so.cache
    Run ldconfig in the base, after the libraries are in it
    ");
    let mismatch = |of_base, needs: &str| Mismatch {
        of_base,
        file: "srv/python/bin/python3.12".to_owned(),
        needs: needs.to_owned(),
    };
    let found = mismatch(CLibrary::Musl, "/lib64/ld-linux-x86-64.so.2");
    insta::assert_snapshot!(other_c_library("alpine:3", "3.12", &found), @r#"
    the base alpine:3 has musl as its C library, and the env needs glibc
    found: /srv/python/bin/python3.12 needs /lib64/ld-linux-x86-64.so.2
    note: wheels for manylinux are made for glibc, and do not run there
    1. Choose a base with glibc, such as python:3.12-slim in place of Alpine
    2. Or take all of it from this machine: base = "scratch" in [image] of nyala.toml
    "#);
    let found = mismatch(CLibrary::Glibc, "/lib/ld-musl-x86_64.so.1");
    insta::assert_snapshot!(other_c_library("debian:13", "3.12", &found), @r#"
    the base debian:13 has glibc as its C library, and the env needs musl
    found: /srv/python/bin/python3.12 needs /lib/ld-musl-x86_64.so.1
    note: wheels for musllinux are made for musl, and do not run there
    1. Choose a base with musl, such as python:3.12-alpine
    2. Or take all of it from this machine: base = "scratch" in [image] of nyala.toml
    "#);
    let lacks = vec!["_sqlite3 needs libsqlite3.so.0".into()];
    insta::assert_snapshot!(modules_do_not_load(Some("debian:11"), lacks), @"
    some modules of Python itself do not load on the base debian:11
    found: _sqlite3 needs libsqlite3.so.0
    If the application imports them, choose a base that has these libraries
    ");
}
