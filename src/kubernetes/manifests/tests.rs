use insta::assert_snapshot;

use super::super::yaml::to_yaml;
use super::*;
use crate::site::DeploymentId;

fn release() -> Release {
    let words = |command: &str| ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    let commands = [
        ("web", "exec gunicorn -b 0.0.0.0:$PORT shop:app"),
        ("my_worker", "exec python worker.py"),
        ("release", "exec python manage.py migrate"),
    ];
    Release {
        id: "7".parse::<DeploymentId>().unwrap(),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        image: "registry.example.org/shop@sha256:00".to_owned(),
        commands: commands.map(|(name, it)| (name.to_owned(), words(it))).into(),
        python: Some("/srv/env/bin/python".to_owned()),
    }
}

fn made(text: &str) -> Vec<Value> {
    let text = format!("image.repository = 'registry.example.org/shop'\n{text}");
    let settings = Settings::parse(&text).unwrap();
    objects(&Facts {
        release: &release(),
        name: "shop",
        namespace: Some("web"),
        site: "host:/srv/shop",
        settings: &settings,
        kubernetes: settings.kubernetes.as_ref().unwrap(),
        secret: Some("shop-1a2b3c4d5e"),
        counts: &BTreeMap::from([("web".to_owned(), 3)]),
    })
}

fn object<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let is_meant = |it: &&Value| it["kind"] == kind && it["metadata"]["name"] == name;
    objects.iter().find(is_meant).unwrap()
}

#[test]
fn a_release_is_these_objects() {
    let objects = made(
        "[run]\nhealth = '/health'\ndomains = ['shop.example.org']\n[kubernetes]\n\
         ingress_host = 'shop.example.org'\nresources = { requests = { cpu = '100m' } }\n",
    );
    assert_snapshot!(to_yaml(&objects).unwrap());
}

#[test]
fn without_a_health_path_any_page_below_500_will_do() {
    let objects = made("[kubernetes]");
    let web = object(&objects, "Deployment", "shop-web");
    let container = &web["spec"]["template"]["spec"]["containers"][0];
    let start = &container["startupProbe"]["exec"]["command"];
    assert_eq!(start[0], "/srv/env/bin/python");
    assert_eq!(start[3], "localhost");
    assert_eq!(container["readinessProbe"]["tcpSocket"]["port"], "http");
    assert!(container["resources"].is_null());
    assert!(objects.iter().all(|it| it["kind"] != "Ingress"));
}

#[test]
fn a_probe_asks_for_a_host_that_a_client_would_send() {
    for setting in ["kubernetes.ingress_host = '*.example.org'", "run.domains = ['*.example.org']"]
    {
        let objects = made(&format!("{setting}\nrun.health = '/'\nkubernetes.replicas = 1"));
        let web = object(&objects, "Deployment", "shop-web");
        let container = &web["spec"]["template"]["spec"]["containers"][0];
        for probe in ["startupProbe", "readinessProbe"] {
            let header = &container[probe]["httpGet"]["httpHeaders"][0];
            assert_eq!(*header, json!({ "name": "Host", "value": "nyala.example.org" }));
        }
    }
}

#[test]
fn old_pods_end_first_where_two_must_not_run_at_once() {
    let objects = made("[kubernetes]\nstrategy = 'recreate'");
    let strategy = &object(&objects, "Deployment", "shop-my-worker")["spec"]["strategy"];
    assert_eq!(*strategy, json!({ "type": "Recreate" }));
}

#[test]
fn times_fit_each_other() {
    let objects = made(
        "run.watch = '10m'\nrun.grace = '2m'\nkubernetes.deadline = '1m'\n\
                        kubernetes.apply = false",
    );
    let spec = &object(&objects, "Deployment", "shop-web")["spec"];
    let (ready, progress) = (&spec["minReadySeconds"], &spec["progressDeadlineSeconds"]);
    assert!(progress.as_u64() > ready.as_u64(), "the API server wants that");
    let grace = spec["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
    assert_eq!(grace, Some(5 + 120 + 5));
}
