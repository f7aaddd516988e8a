//! What a pod runs, and how Kubernetes knows that it is well.

use serde_json::{Value, json};

use super::manifests::Facts;
use crate::image::PORT;
use crate::processes::{RELEASE, WEB};
use crate::site::settings::{Run, host_of};

/// How long a pod that is to end goes on, before it is told: it takes a moment until no proxy sends
/// it requests any more, in seconds.
const LINGER: u64 = 5;

/// What is left between the grace of the application and its end, in seconds.
const RESERVE: u64 = 5;

/// How long a node may be away until its pods run elsewhere, in seconds. Kubernetes itself waits
/// five minutes, as long as a rollout may take.
const NODE_AWAY: u64 = 30;

/// How often is asked whether a pod is ready, and for how long, in seconds.
const ASK_AT_START: u64 = 2;
const ASK: u64 = 5;
const PATIENCE: u64 = 5;

/// Asks the application for its first page, as nyala serve does: everything below 500 is well.
const ASK_FOR_PAGE: &str = "\
import http.client, os, sys
connection = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4)
connection.request('GET', '/', headers={'Host': sys.argv[1]})
answer = connection.getresponse()
sys.exit(f'answered {answer.status} {answer.reason}' if answer.status >= 500 else 0)
";

/// The pod of a process that is kept running.
pub(super) fn of_process(
    facts: &Facts<'_>,
    process: &str,
    command: &[String],
    selected: &Value,
) -> Value {
    let mut container = container(facts, process, command);
    let run = &facts.settings.run;
    if process == WEB {
        container["ports"] = json!([{ "name": "http", "containerPort": PORT, "protocol": "TCP" }]);
        let (start, ready) = probes(facts);
        container["startupProbe"] = start;
        container["readinessProbe"] = ready;
        container["lifecycle"] = json!({ "preStop": { "exec": { "command": pause(facts) } } });
    }
    let linger = if process == WEB { LINGER } else { 0 };
    let mut pod = pod(facts, &container);
    pod["terminationGracePeriodSeconds"] = json!(linger + run.grace.as_secs() + RESERVE);
    pod["topologySpreadConstraints"] = json!([{
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": selected },
    }]);
    let away = |condition: &str| {
        json!({
            "key": format!("node.kubernetes.io/{condition}"),
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": NODE_AWAY,
        })
    };
    pod["tolerations"] = json!([away("not-ready"), away("unreachable")]);
    pod
}

/// The pod of the command that runs once in each deployment.
pub(super) fn of_job(facts: &Facts<'_>, command: &[String]) -> Value {
    let mut pod = pod(facts, &container(facts, RELEASE, command));
    pod["restartPolicy"] = json!("Never");
    pod
}

/// Turns the pod of a process into one for another command, which ends with it: of the containers,
/// only that of the process is left, since what a patch has put beside it would run for ever.
pub(super) fn for_command(pod: &mut Value, component: &str, command: &[String], terminal: bool) {
    pod["restartPolicy"] = json!("Never");
    if let Some(pod) = pod.as_object_mut() {
        pod.remove("topologySpreadConstraints");
    }
    if let Some(before) = pod.get_mut("initContainers").and_then(Value::as_array_mut) {
        before.retain(|it| it["restartPolicy"] != "Always");
    }
    let Some(containers) = pod["containers"].as_array_mut() else { return };
    containers.retain(|it| it["name"] == component);
    let Some(container) = containers.first_mut().and_then(Value::as_object_mut) else { return };
    for of_process in ["startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports"] {
        container.remove(of_process);
    }
    container.insert("name".to_owned(), json!(COMMAND));
    container.insert("command".to_owned(), json!(escaped(command)));
    container.remove("args");
    container.insert("stdin".to_owned(), json!(true));
    container.insert("stdinOnce".to_owned(), json!(true));
    container.insert("tty".to_owned(), json!(terminal));
}

/// The container of a command that a person runs.
pub(super) const COMMAND: &str = "run";

fn pod(facts: &Facts<'_>, container: &Value) -> Value {
    let (user, group) = facts.settings.image.owner().unwrap_or_default();
    json!({
        // An application that is taken over can do nothing in the cluster.
        "automountServiceAccountToken": false,
        // A Service of the namespace must not become a variable such as PORT.
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": user,
            "runAsGroup": group,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [container],
    })
}

fn container(facts: &Facts<'_>, process: &str, command: &[String]) -> Value {
    let mut container = json!({
        "name": super::names::component(process),
        "image": facts.release.image,
        "command": escaped(command),
        // A user without an entry in passwd has / as its home, where nobody may write.
        "env": [
            { "name": "PORT", "value": PORT.to_string() },
            { "name": "HOME", "value": "/tmp" },
        ],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
        },
    });
    if let Some(secret) = facts.secret {
        container["envFrom"] = json!([{ "secretRef": { "name": secret } }]);
    }
    let resources = json!(facts.kubernetes.resources);
    if resources.as_object().is_some_and(|it| !it.is_empty()) {
        container["resources"] = resources;
    }
    container
}

/// The probe until a pod has started, and the one after that.
fn probes(facts: &Facts<'_>) -> (Value, Value) {
    let Run { health, health_timeout, domains, .. } = &facts.settings.run;
    let domain = domains.first().or(facts.kubernetes.ingress_host.as_ref());
    let host = domain.map_or_else(|| "localhost".to_owned(), |domain| host_of(domain));
    let (start, ready) = match (health, &facts.release.python) {
        (Some(path), _) => {
            let headers = json!([{ "name": "Host", "value": host }]);
            // With its default: what the cluster adds stays there when the probe becomes another.
            let get = json!({
                "path": path, "port": "http", "scheme": "HTTP", "httpHeaders": headers,
            });
            (json!({ "httpGet": get }), json!({ "httpGet": get }))
        }
        // Any page may do, also one that is not found, which no probe of Kubernetes can say.
        (None, Some(python)) => {
            let ask = json!({ "command": [python, "-c", ASK_FOR_PAGE, host] });
            (json!({ "exec": ask }), json!({ "tcpSocket": { "port": "http" } }))
        }
        (None, None) => {
            let listens = json!({ "tcpSocket": { "port": "http" } });
            (listens.clone(), listens)
        }
    };
    let with = |mut probe: Value, period: u64, failures: u64| {
        probe["periodSeconds"] = json!(period);
        probe["timeoutSeconds"] = json!(PATIENCE);
        probe["failureThreshold"] = json!(failures);
        probe
    };
    let tries = health_timeout.as_secs().div_ceil(ASK_AT_START);
    (with(start, ASK_AT_START, tries.max(1)), with(ready, ASK, 3))
}

/// An image may have no `sleep`.
fn pause(facts: &Facts<'_>) -> Vec<String> {
    match &facts.release.python {
        Some(python) => {
            let program = format!("import time; time.sleep({LINGER})");
            vec![python.clone(), "-c".to_owned(), program]
        }
        None => vec!["/bin/sh".to_owned(), "-c".to_owned(), format!("sleep {LINGER}")],
    }
}

/// Kubernetes fills in `$(NAME)`, which is the shell's: `$$` stands for `$` there.
fn escaped(command: &[String]) -> Vec<String> {
    let word = |word: &String| {
        let mut escaped = String::with_capacity(word.len());
        let mut rest = word.chars().peekable();
        while let Some(letter) = rest.next() {
            escaped.push(letter);
            if letter == '$' && rest.peek().is_some_and(|next| "($".contains(*next)) {
                escaped.push('$');
            }
        }
        escaped
    };
    command.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shell_fills_in_is_left_to_it() {
        let escaped = |word: &str| escaped(&[word.to_owned()]).remove(0);
        assert_eq!(escaped("exec gunicorn -b :$PORT"), "exec gunicorn -b :$PORT");
        assert_eq!(escaped("-w $(nproc)"), "-w $$(nproc)");
        assert_eq!(escaped("kill $$"), "kill $$$");
    }

    #[test]
    fn a_command_gets_the_pod_of_web_without_its_probes() {
        let web = json!({ "containers": [{ "name": "web", "image": "i", "readinessProbe": {},
            "ports": [], "args": ["x"], "env": [] }], "topologySpreadConstraints": [] });
        let mut pod = web;
        for_command(&mut pod, "web", &["python".to_owned()], true);
        let container = json!({ "name": "run", "image": "i", "env": [], "command": ["python"],
            "stdin": true, "stdinOnce": true, "tty": true });
        assert_eq!(pod, json!({ "restartPolicy": "Never", "containers": [container] }));
    }

    #[test]
    fn a_command_runs_without_what_a_patch_has_put_beside_web() {
        let mut pod = json!({
            "initContainers": [
                { "name": "wait-for-database" },
                { "name": "mesh", "restartPolicy": "Always" },
            ],
            "containers": [{ "name": "proxy", "image": "p" }, { "name": "web", "image": "i" }],
        });
        for_command(&mut pod, "web", &["python".to_owned()], false);
        assert_eq!(pod["initContainers"], json!([{ "name": "wait-for-database" }]));
        let containers = pod["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "{containers:?}");
        assert_eq!(containers[0]["image"], "i");
    }
}
