//! Bases that were not made by nyala.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{base, blob, image, json, project};
use crate::support::{HostileRegistry, Site, digest_of, skip};

/// Writes an image of one layer, which has what is in a folder, and gives its path.
fn base_of(site: &Site, root: &Path) -> String {
    let folder = site.sandbox.path("layout");
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |kind: &str, bytes: &[u8]| {
        let digest = digest_of(bytes);
        fs::write(blobs.join(digest.replace("sha256:", "")), bytes).unwrap();
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    };
    let own = json(&Path::new(&base()).join("index.json"));
    let own = json(&blob(base().as_ref(), own["manifests"][0]["digest"].as_str().unwrap()));
    let own = json(&blob(base().as_ref(), own["config"]["digest"].as_str().unwrap()));
    let layer = Command::new("tar").args(["-c", "-C"]).arg(root).arg(".").output().unwrap();
    let layer = put("application/vnd.oci.image.layer.v1.tar", &layer.stdout);
    let config = json!({
        "os": own["os"],
        "architecture": own["architecture"],
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = put("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = put(kind, manifest.to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), "{\"imageLayoutVersion\": \"1.0.0\"}").unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_base_with_another_c_library_is_refused_in_usual_words() {
    let site = Site::new();
    if cfg!(not(target_env = "gnu")) {
        return skip("needs a machine with glibc");
    }
    project(&site).push().assert_success();
    let root = site.sandbox.path("alpine");
    fs::create_dir_all(root.join("lib")).unwrap();
    fs::write(root.join("lib/ld-musl-x86_64.so.1"), "").unwrap();
    let base = base_of(&site, &root);
    let registry = HostileRegistry::start();
    let target = format!("{}/shop", registry.address);
    let ran = image(&site, &["--push", &target, "--base", &base]);
    ran.assert_failed(1, "has musl as its C library, and the env needs glibc");
    assert!(ran.stderr.contains("wheels for manylinux"), "{ran:#?}");
    assert!(registry.requests().is_empty(), "nothing was sent");
}
