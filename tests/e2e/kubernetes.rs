//! `[kubernetes]` without a cluster: what would be applied, and pushes that cannot roll out.
//! Rollouts themselves are tried by `scripts/test-kubernetes`, in a cluster.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::images::base;
use crate::running::application;
use crate::support::{HostileRegistry, Project, Running, Site, newest_python, runs_program, skip};

/// What is checked against, and the versions of Kubernetes: the oldest and the newest that it has
/// whose objects are like those of today.
const VALIDATOR: &str = "kubernetes-validate==1.37.0";
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// A site that is rolled out, by the lines of its table.
fn roll_out(site: &Site, registry: &str, kubernetes: &str) {
    let file = site.path.join("nyala.toml");
    let old = fs::read_to_string(&file).unwrap();
    let old = old.split("\n[image]").next().unwrap().to_owned();
    let image = format!("[image]\nrepository = '{registry}/shop'\nbase = '{}'", base());
    fs::write(file, format!("{old}\n{image}\n[kubernetes]\n{kubernetes}\n")).unwrap();
}

fn project(site: &Site) -> Project<'_> {
    let project = site.python_project();
    application(&project, "page", "import antelope");
    project
        .write("Procfile", "web: python3 server.py\nmy_worker: python3 worker.py\nrelease: true\n");
    project
}

#[test]
fn what_would_be_applied_is_printed_and_schemas_take_it() {
    let site = Site::new();
    let project = project(&site);
    let registry = HostileRegistry::start();
    let settings = "apply = false\nnamespace = 'web'\nname = 'shop'\nreplicas = 3\n\
                    ingress_host = 'shop.example.org'\n\
                    resources = { requests = { cpu = '100m' }, limits = { memory = '64Mi' } }";
    roll_out(&site, &registry.address, settings);
    site.set("API_TOKEN", "not to be seen");
    project.push().assert_success().assert_says("Not applied: apply = false in nyala.toml.");

    let manifests = |more: &[&str]| {
        let ran = site.nyala(&[&["kubernetes", "manifests"], more].concat());
        ran.assert_success().stdout.clone()
    };
    let text = manifests(&[]);
    let tag = &project.head()[..12];
    assert!(registry.manifest(tag).is_some(), "the image was sent");
    assert!(text.contains(&format!("image: {}/shop@sha256:", registry.address)), "{text}");
    for name in ["shop-web", "shop-my-worker", "shop-release-1"] {
        assert!(text.contains(&format!("  name: {name}\n")), "{name} is missing: {text}");
    }
    assert!(text.contains("# The Secret shop-") && !text.contains("kind: Secret"), "{text}");
    let whole = manifests(&["1", "--show-secrets"]);
    assert!(whole.contains("bm90IHRvIGJlIHNlZW4="), "{whole}");
    // Nothing of it is on the disk.
    let recorded = fs::read_to_string(site.path.join("deployments/1/kubernetes.json")).unwrap();
    assert!(!recorded.contains("bm90IHRv") && !recorded.contains("not to be seen"));
    assert_eq!(site.mode("deployments/1/kubernetes.json"), 0o600);

    let file = site.sandbox.path("manifests.yaml");
    fs::write(&file, whole).unwrap();
    // The patches went with the files of the release.
    fs::rename(site.path.join("releases/1"), site.sandbox.path("removed")).unwrap();
    let ran = site.nyala(&["kubernetes", "manifests", "1"]);
    ran.assert_failed(1, "the files of release 1 are removed, and its patches with them");
    assert_eq!(manifests(&["1", "--without-patches"]), text);
    let Some(validator) = validator() else { return };
    for version in VERSIONS {
        let mut validate = Command::new(&newest_python().path);
        validate.args(["-m", "kubernetes_validate", "--strict", "-k", version]).arg(&file);
        Running::start(validate.env("PYTHONPATH", &validator)).wait().assert_success();
    }
}

/// The folder with the validator, which is kept from run to run; `None` where no index has it, so
/// that the test is reported as skipped.
fn validator() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = shared.join(VALIDATOR);
    if !folder.is_dir() {
        let new = tempfile::tempdir_in(shared).unwrap();
        let mut pip = Command::new(&newest_python().path);
        pip.args(["-m", "pip", "install", "--quiet", "--retries", "0", "--target"]);
        if !pip.arg(new.path()).arg(VALIDATOR).output().unwrap().status.success() {
            skip("needs a package index that this machine's pip reaches");
            return None;
        }
        fs::rename(new.keep(), &folder).unwrap();
    }
    Some(folder)
}

#[test]
fn what_a_patch_adds_stays_what_it_is() {
    if !runs_program("kubectl") {
        return skip("needs kubectl: apt-get install kubernetes-client");
    }
    let site = Site::new();
    let project = project(&site);
    let labels = "labels: {app.kubernetes.io/component: release}";
    let more = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: warm-up, {labels}}}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n\
         metadata: {{name: shop, {labels}}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shop}}\n\
         data: {{commit: '1234567e1234', odd: \"\\a\\e\\L\\n\\x1f\\n\"}}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: shop-web}}\nspec:\n  \
         template:\n    spec:\n      volumes:\n      - {{name: v, secret: \
         {{secretName: s, defaultMode: 0400}}}}\n"
    );
    project.write("k8s/more.yaml", &more);
    let registry = HostileRegistry::start();
    roll_out(&site, &registry.address, "apply = false\nnamespace = 'web'\nname = 'shop'");
    // What kubectl kustomize would lose is refused.
    let odd = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndata: {odd: \"\\N\"}\n";
    project.write("k8s/odd.yaml", odd);
    let says = "k8s/odd.yaml has a control character that kubectl kustomize cannot keep";
    project.push().assert_says(says).assert_says("found: U+0085 in data.odd");
    project.remove("k8s/odd.yaml");
    project.push().assert_success().assert_says("Patches from k8s, and 3 objects more.");
    // The deployment may end at any moment, and what it has made goes with it.
    let bin = site.sandbox.path("bin");
    let script = format!(
        "#!/bin/sh\nrm -rf '{}'/*\nPATH=\"$REAL_PATH\" exec kubectl \"$@\"\n",
        site.path.join("cache/tmp").display()
    );
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("kubectl"), script).unwrap();
    fs::set_permissions(bin.join("kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    site.sandbox.set_variable("REAL_PATH", &path);
    site.sandbox.set_variable("PATH", format!("{}:{path}", bin.display()));
    let text = site.nyala(&["kubernetes", "manifests"]).assert_success().stdout.clone();
    let object = |kind: &str, name: &str| {
        let (kind, name) = (format!("kind: {kind}\n"), format!("\n  name: {name}\n"));
        let found = text.split("---\n").find(|it| it.contains(&kind) && it.contains(&name));
        found.unwrap_or_else(|| panic!("no {kind}{name} in {text}"))
    };
    assert!(object("Job", "shop-release-2").contains("\n  namespace: web\n"));
    object("Job", "warm-up");
    assert!(!object("ClusterRole", "shop").contains("namespace:"));
    assert!(object("ConfigMap", "shop").contains("1234567e1234"));
    assert!(object("ConfigMap", "shop").contains(r#"odd: "\a\e\L\n\x1F\n""#), "{text}");
    assert!(object("Deployment", "shop-web").contains("defaultMode: 256\n"));
}

#[test]
fn a_cluster_that_cannot_be_used_changes_nothing() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "one").push().assert_success();
    let live = site.live_state();
    let refused = |kubernetes: &str, says: &str| {
        roll_out(&site, "127.0.0.1:1", kubernetes);
        let ran = site.nyala(&["redeploy"]);
        assert_eq!(ran.status.code(), Some(1), "{ran:#?}");
        // Settings that are wrong are refused before there is a log.
        let text = [&*ran.stdout, &*ran.stderr].concat();
        assert!(text.contains(says), "no {says:?} in {ran:#?}");
        assert_eq!(site.live_state(), live, "{kubernetes}");
    };
    // Only git is on it.
    let git = site.sandbox.git(&site.path, &["--exec-path"]);
    site.sandbox.set_variable("PATH", git.trim());
    refused("", "there is no kubectl on this machine");
    site.sandbox.reset_variable("PATH");
    refused("kubeconfig = 'none.yaml'", "the kubeconfig that nyala.toml names is not there");
    let nameless = "[run.processes]\n_ = 'true'";
    refused(nameless, "a process cannot have its name in the cluster");
    refused("name = 'A'", "name in [kubernetes] is not a valid Kubernetes name");
    if !runs_program("kubectl") {
        return skip("needs kubectl: apt-get install kubernetes-client");
    }
    // A port that nobody listens on any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters:\n- name: one\n  cluster:\n\
         \x20   server: https://127.0.0.1:{port}\nusers:\n- name: me\n  user: {{token: x}}\n\
         contexts:\n- name: one\n  context: {{cluster: one, user: me}}\n"
    );
    fs::write(site.path.join("config.yaml"), kubeconfig).unwrap();
    refused("kubeconfig = 'config.yaml'\ncontext = 'oen'", "the kubeconfig has no context oen");
    refused("kubeconfig = 'config.yaml'", "the API server of the cluster does not answer");
}
