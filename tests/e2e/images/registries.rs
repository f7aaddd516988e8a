//! What is sent to registries: strangers read it, and registries that misbehave are survived.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use super::{base, image, layers, project};
use crate::running::application;
use crate::support::{DockerRegistry, Fault, HostileRegistry, Running, Site, runs_program, skip};

#[test]
fn strangers_read_what_is_pushed_and_a_change_sends_one_layer() {
    let site = Site::new();
    let Some(registry) = DockerRegistry::start(&site) else { return };
    let project = project(&site);
    project.push().assert_success();
    let base = base();
    let name = format!("{}/shop/web", registry.address);
    let push = |more: &[&str]| {
        let ran = image(&site, &[&["--push", &name, "--base"], more].concat());
        ran.assert_success().stdout.clone()
    };
    push(&[&base]);
    let again = push(&[&base]);
    assert!(again.contains("Sent 0 bytes"), "{again}");
    application(&project, "another page", "");
    project.push().assert_success();
    let changed = push(&[&base]);
    assert!(changed.contains("Sent ") && changed.contains(" kB; "), "{changed}");

    // The image in the registry is a base as well, of which nothing is sent again.
    let tag = &project.head()[..12];
    let pushed = format!("{name}:{tag}");
    let other = format!("{}/other", registry.address);
    let ran = image(&site, &["--push", &other, "--base", &pushed]);
    let said = ran.assert_success().stdout.clone();
    assert!(said.contains("Sent ") && said.contains(" kB; "), "{said}");
    image(&site, &["--push", &other, "--base", &format!("{name}:none")])
        .assert_failed(1, &format!("there is no image {name}:none"));

    if !runs_program("skopeo") {
        return skip("needs skopeo: apt-get install skopeo");
    }
    let skopeo = |arguments: &[&str]| {
        let ran = Running::start(Command::new("skopeo").args(arguments)).wait();
        ran.assert_success().stdout.clone()
    };
    let docker = format!("docker://{other}:{tag}");
    let seen = skopeo(&["inspect", "--tls-verify=false", &docker]);
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["Labels"]["org.opencontainers.image.revision"], project.head());
    assert_eq!(seen["Labels"]["org.opencontainers.image.base.name"], pushed);
    let copy = format!("oci:{}:1", site.sandbox.path("copy").display());
    skopeo(&["copy", "--insecure-policy", "--src-tls-verify=false", &docker, &copy]);
}

#[test]
fn a_registry_that_misbehaves_is_survived_or_named() {
    let site = Site::new();
    project(&site).push().assert_success();
    let base = base();
    let registry = HostileRegistry::start();
    let name = format!("{}/shop", registry.address);
    let push =
        |tag: &str, base: &str| image(&site, &["--push", &format!("{name}:{tag}"), "--base", base]);
    let folder = base.as_str();
    // What passes is tried again, from where it broke off.
    registry
        .fail("HEAD /v2/shop/blobs", Fault::Answer(429, "Retry-After: 0\r\n"))
        .fail("HEAD /v2/shop/blobs", Fault::Answer(405, ""))
        .fail("POST /v2/shop/blobs", Fault::Answer(503, ""))
        .fail("PUT /v2/shop/blobs", Fault::BreakAfter(1000))
        .fail("PUT /v2/shop/manifests", Fault::Answer(500, ""));
    push("1", folder).assert_success();
    assert_eq!(registry.unmet(), 0);
    let manifest = registry.manifest("1").unwrap();
    assert!(layers(&manifest).iter().all(|layer| registry.has_blob(layer)));
    let requests = registry.requests();
    let count = |start: &str| requests.iter().filter(|it| it.starts_with(start)).count();
    // Each layer and the configuration, and once more after 503.
    assert_eq!(count("POST /v2/shop/blobs"), layers(&manifest).len() + 2, "{requests:#?}");
    assert_eq!(count("PUT /v2/shop/blobs"), layers(&manifest).len() + 2, "{requests:#?}");

    // A tag that cannot be changed is no failure if it has the image.
    registry.fail("PUT /v2/shop/manifests", Fault::Answer(409, ""));
    push("1", folder).assert_success();
    registry.fail("PUT /v2/shop/manifests", Fault::Answer(409, ""));
    push("new", folder).assert_failed(1, "answered 409 to the try to push to shop");

    // One whose answer got lost is sent again, and nothing else is.
    registry.fail("PUT /v2/shop/manifests", Fault::Silence);
    push("2", folder).assert_success();
    // Bases come from it as well, over what breaks.
    let from = format!("{name}:1");
    let fresh = |fault: Fault, request: &'static str| {
        let _ = fs::remove_dir_all(site.path.join("cache/images"));
        registry.fail(request, fault);
        let output = site.sandbox.path("fresh");
        let _ = fs::remove_dir_all(&output);
        image(&site, &["--output", output.to_str().unwrap(), "--base", &from])
    };
    fresh(Fault::HalfBody, "GET /v2/shop/blobs").assert_success();
    fresh(Fault::Silence, "GET /v2/shop/manifests").assert_success();
    fresh(Fault::HalfBody, "GET /v2/shop/manifests").assert_success();
    fresh(Fault::OtherBytes, "GET /v2/shop/blobs").assert_failed(1, "has another blob");
    fresh(Fault::Garbage, "GET /v2/shop/manifests").assert_failed(1, "sent something other than");
    fresh(Fault::Answer(429, "Retry-After: 900\r\n"), "GET /v2/shop/manifests")
        .assert_failed(1, "limits requests, for 15 min");
    fresh(Fault::Answer(403, ""), "GET /v2/shop/manifests").assert_failed(1, "does not let you");
    assert_eq!(registry.unmet(), 0);

    // Who asks is known from what docker login keeps.
    registry.want_password("YW5uOnNlY3JldA==");
    registry.forget_manifest("1");
    push("1", folder).assert_failed(1, "no password is configured");
    let docker = site.sandbox.path("home/.docker");
    fs::create_dir_all(&docker).unwrap();
    let log_in = |auth: &str| {
        let config = format!("{{\"auths\": {{\"{}\": {{{auth}}}}}}}", registry.address);
        fs::write(docker.join("config.json"), config).unwrap();
    };
    log_in("\"auth\": \"YW5uOndyb25n\"");
    push("1", folder).assert_failed(1, "does not accept the user and the password");
    assert!(registry.manifest("1").is_none());
    log_in("\"auth\": \"YW5uOnNlY3JldA==\"");
    registry.fail("GET /token", Fault::Answer(503, "")).fail("GET /token", Fault::Silence);
    push("1", folder).assert_success();
    assert_eq!(registry.unmet(), 0);
    other_log_ins_are_found(&site, &registry, folder);
    log_in("\"auth\": \"YW5uOnNlY3JldA==\"");
    // What is sent on is asked in the same way, and by the same user.
    // It has all blobs, and is asked for one of them as if it had not.
    registry.fail("HEAD /v2/moved/blobs", Fault::Answer(404, ""));
    registry.fail("POST /v2/moved/blobs", Fault::Moved(301));
    registry.fail("PUT /v2/moved/blobs", Fault::Moved(307));
    registry.fail("PUT /v2/moved/manifests", Fault::Moved(308));
    let moved = format!("{}/moved:1", registry.address);
    image(&site, &["--push", &moved, "--base", folder]).assert_success();
    let output = site.sandbox.path("moved");
    let _ = fs::remove_dir_all(site.path.join("cache/images"));
    registry.fail("GET /v2/moved/manifests", Fault::Moved(302));
    registry.fail("GET /v2/moved/blobs", Fault::Moved(303));
    let fetch = ["--output", output.to_str().unwrap(), "--base", &moved];
    image(&site, &fetch).assert_success();
    assert_eq!(registry.unmet(), 0);
    // Whoever it sends on to does not get its password.
    let store = HostileRegistry::start();
    store.want_password("YW5uOnNlY3JldA==");
    let elsewhere = format!("Location: http://{}/v2/moved/blob\r\n", store.address);
    let _ = fs::remove_dir_all(site.path.join("cache/images"));
    registry.fail("GET /v2/moved/blobs", Fault::Answer(307, elsewhere.leak()));
    image(&site, &fetch).assert_failed(1, "sends requests on to where they are refused");
    assert_eq!(store.requests(), ["GET /v2/moved/blob"]);
    let helper = "#!/bin/sh\nread host || :\n\
                  echo '{\"Username\": \"ann\", \"Secret\": \"secret\"}'\n";
    let bin = site.sandbox.path("helpers");
    fs::create_dir_all(&bin).unwrap();
    let program = bin.join("docker-credential-own");
    fs::write(&program, helper).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(docker.join("config.json"), "{\"credsStore\": \"own\"}").unwrap();
    let path = std::env::var("PATH").unwrap();
    site.sandbox.set_variable("PATH", format!("{}:{path}", bin.display()));
    push("3", folder).assert_success();
    fs::write(&program, format!("{helper}exit 1\n")).unwrap();
    let ran = push("4", folder);
    ran.assert_failed(1, "docker-credential-own failed");
    assert!(!format!("{ran:?}").contains("Secret"), "{ran:?}");
    fs::write(docker.join("config.json"), "{").unwrap();
    push("4", folder).assert_failed(1, "is not what docker login or podman login writes");
}

/// Tokens, and what podman keeps: for a registry that wants a password.
fn other_log_ins_are_found(site: &Site, registry: &HostileRegistry, base: &str) {
    let push = |repository: &str| {
        let target = format!("{}/{repository}:1", registry.address);
        image(site, &["--push", &target, "--base", base])
    };
    let write = |file: &str, key: &str, entry: &str| {
        let file = site.sandbox.path(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("{{\"auths\": {{\"{key}\": {{{entry}}}}}}}")).unwrap();
        file
    };
    let docker = |entry: &str| write("home/.docker/config.json", &registry.address, entry);
    // A token that is known already is shown as it is.
    docker("\"registrytoken\": \"a-token\"");
    registry.requests();
    push("shop").assert_success();
    assert!(!registry.requests().contains(&"GET /token".to_owned()));
    docker("\"registrytoken\": \"another\"");
    push("shop").assert_failed(1, "does not accept the token");
    // What podman login keeps is read first, and may be for one repository.
    let key = format!("{}/shop", registry.address);
    let entry = "\"auth\": \"YW5uOnNlY3JldA==\"";
    let podman = write("home/.config/containers/auth.json", &key, entry);
    push("shop").assert_success();
    push("other").assert_failed(1, "does not accept the token");
    fs::remove_file(podman).unwrap();
}

#[test]
fn a_base_that_cannot_be_fetched_is_no_fault_of_the_target() {
    let site = Site::new();
    project(&site).push().assert_success();
    let (from, to) = (HostileRegistry::start(), HostileRegistry::start());
    let of_base = format!("{}/base", from.address);
    image(&site, &["--push", &format!("{of_base}:1"), "--base", &base()]).assert_success();
    let layer = &layers(&from.manifest("1").unwrap())[0];
    let request = format!("GET /v2/base/blobs/{layer}");
    let target = format!("{}/shop:1", to.address);
    let push = || image(&site, &["--base", &format!("{of_base}:1"), "--push", &target]);
    // What is in its layers is known after the first time, and read only when it is sent.
    let output = site.sandbox.path("image");
    let known = ["--base", &format!("{of_base}:1"), "--output", output.to_str().unwrap()];
    image(&site, &known).assert_success();
    for (fault, says) in [
        (Fault::Answer(404, ""), "the registry has lost a part of it"),
        (Fault::Answer(403, ""), "does not let you pull from base"),
        (Fault::OtherBytes, "has another blob than was asked for"),
    ] {
        from.fail(&request, fault);
        let ran = push();
        ran.assert_failed(1, says);
        assert!(!format!("{ran:?}").contains("cannot be reached"), "{ran:?}");
        assert_eq!(from.unmet(), 0);
        assert!(!to.has_blob(layer));
    }
    push().assert_success();
}
