//! The settings as a list, for `nyala config show`.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{EffectiveSettings, SettingSource, Sourced};
use crate::console::mask;
use crate::site::settings::{Dependencies, Image, Kubernetes, Outcome, Run, Webhook};
use crate::text::url::{STARS, scheme_and_host};

/// One setting: its value is `null` when nobody has set it and there is no default.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The key of nyala.toml, or the name of an app setting that has none.
    pub name: &'static str,
    pub value: Value,
    pub source: SettingSource,
}

impl EffectiveSettings {
    /// Every setting, in the order of the reference. What is known as a secret is `****`.
    pub fn listed(&self) -> Vec<Listed> {
        // Destructured whole, so that a new setting cannot be forgotten here.
        let EffectiveSettings {
            repository,
            branch,
            python_version,
            python,
            patch,
            python_downloads,
            python_paths,
            dependencies,
            strict,
            installer,
            pip,
            keep,
            staging,
            shared,
            unshared,
            step_timeout,
            idle_timeout,
            command,
            project,
            pre_build_command,
            post_build_command,
            build,
            collectstatic,
            actions,
            actions_on,
            report,
            run,
            image,
            kubernetes,
            webhook,
            disable_submodules,
            variables: _,
            warnings: _,
            problems: _,
        } = self;
        vec![
            optional("branch", branch.as_ref()),
            listed("repository", repository, |path| path_value(path)),
            optional("python", python.as_ref()),
            listed("patch", patch, |patch| json!(patch.name())),
            listed("python_downloads", python_downloads, |downloads| json!(downloads.name())),
            listed("python_paths", python_paths, |paths| {
                paths.iter().map(|path| path_value(path)).collect()
            }),
            listed("strict", strict, |strict| json!(strict)),
            listed("installer", installer, |installer| json!(installer.name())),
            optional("pip", pip.as_ref()),
            listed("keep", keep, |keep| json!(keep)),
            match staging {
                Some(staging) => listed("staging", staging, |staging| json!(staging)),
                None => unset("staging"),
            },
            listed("shared", shared, |paths| paths.iter().map(ToString::to_string).collect()),
            listed("unshared", unshared, |unshared| json!(unshared.name())),
            optional("command", command.as_ref()),
            optional("project", project.as_ref()),
            optional("pre_build_command", pre_build_command.as_ref()),
            optional("post_build_command", post_build_command.as_ref()),
            listed("build", build, |build| json!(build)),
            listed("collectstatic", collectstatic, |collectstatic| json!(collectstatic)),
            listed("actions", actions, |path| path_value(path)),
            listed("actions_on", actions_on, |outcomes| outcomes_value(outcomes)),
            listed("report", report, |report| json!(report)),
            listed("step_timeout", step_timeout, |timeout| duration_value(*timeout)),
            listed("idle_timeout", idle_timeout, |timeout| duration_value(*timeout)),
            listed("dependencies", dependencies, |dependencies| {
                let Dependencies { file, ignore, groups, extras, frozen } = dependencies;
                json!({
                    "file": file,
                    "ignore": ignore,
                    "groups": groups,
                    "extras": extras,
                    "frozen": frozen,
                })
            }),
            listed("run", run, run_value),
            listed("image", image, image_value),
            match kubernetes {
                Some(kubernetes) => listed("kubernetes", kubernetes, kubernetes_value),
                None => unset("kubernetes"),
            },
            listed("webhook", webhook, |webhooks| webhooks.iter().map(webhook_value).collect()),
            optional("PYTHON_VERSION", python_version.as_ref()),
            listed("SCM_DISABLE_SUBMODULES", disable_submodules, |disable| json!(disable)),
        ]
    }
}

fn listed<T>(name: &'static str, setting: &Sourced<T>, value: impl FnOnce(&T) -> Value) -> Listed {
    let mut value = value(&setting.value);
    hide_secrets(&mut value);
    Listed { name, value, source: setting.source.clone() }
}

fn optional(name: &'static str, setting: Option<&Sourced<String>>) -> Listed {
    match setting {
        Some(setting) => listed(name, setting, |text| json!(text)),
        None => unset(name),
    }
}

fn unset(name: &'static str) -> Listed {
    Listed { name, value: Value::Null, source: SettingSource::Default }
}

fn path_value(path: &Path) -> Value {
    json!(path.to_string_lossy())
}

fn outcomes_value(outcomes: &[Outcome]) -> Value {
    outcomes.iter().map(|outcome| outcome.name()).collect()
}

/// As nyala.toml has it.
fn duration_value(duration: Duration) -> Value {
    SignedDuration::try_from(duration)
        .map_or(Value::Null, |duration| json!(format!("{duration:#}")))
}

/// As nyala.toml has it. A command may have a secret in it, which is hidden like any other.
fn run_value(run: &Run) -> Value {
    let Run {
        listen,
        health,
        health_timeout,
        grace,
        watch,
        scale,
        hold,
        max_body,
        log_size,
        log_files,
        trusted_proxies,
        domains,
        processes,
    } = run;
    json!({
        "listen": listen.as_ref().map(ToString::to_string),
        "health": health,
        "health_timeout": duration_value(*health_timeout),
        "grace": duration_value(*grace),
        "watch": duration_value(*watch),
        "scale": scale,
        "hold": duration_value(*hold),
        "max_body": max_body,
        "log_size": log_size,
        "log_files": log_files,
        "trusted_proxies": trusted_proxies,
        "domains": domains,
        "processes": processes,
    })
}

/// As nyala.toml has it.
fn kubernetes_value(kubernetes: &Kubernetes) -> Value {
    let Kubernetes {
        context,
        namespace,
        name,
        replicas,
        resources,
        ingress_host,
        strategy,
        kubeconfig,
        deadline,
        patches,
        apply,
    } = kubernetes;
    json!({
        "context": context,
        "namespace": namespace,
        "name": name,
        "replicas": replicas,
        "resources": resources,
        "ingress_host": ingress_host,
        "strategy": strategy.name(),
        "kubeconfig": kubeconfig.as_deref().map(path_value),
        "deadline": duration_value(*deadline),
        "patches": patches,
        "apply": apply,
    })
}

fn image_value(image: &Image) -> Value {
    let Image { repository, base, tag, platform, user, labels } = image;
    json!({
        "repository": repository,
        "base": base,
        "tag": tag,
        "platform": platform,
        "user": user,
        "labels": labels,
    })
}

/// The address may be a secret but for its host.
fn webhook_value(webhook: &Webhook) -> Value {
    let Webhook { url, on, secret, timeout, tries } = webhook;
    json!({
        "url": format!("{}/{STARS}", scheme_and_host(url)),
        "on": outcomes_value(on),
        "secret": secret,
        "timeout": duration_value(*timeout),
        "tries": tries,
    })
}

fn hide_secrets(value: &mut Value) {
    match value {
        Value::String(text) => *text = mask::known().apply(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(hide_secrets),
        Value::Object(values) => values.values_mut().for_each(hide_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::DeploymentFile;
    use crate::site::{AppSettings, Settings};

    #[test]
    fn a_webhook_shows_its_host_only() {
        let toml = "[[webhook]]\nurl = 'https://user:pw@hooks.example.org:8443/T0/secret?key=1'";
        let settings = EffectiveSettings::resolve(
            &Settings::parse(toml).unwrap(),
            &AppSettings::default(),
            &DeploymentFile::default(),
        );
        let webhook = settings.listed().into_iter().find(|it| it.name == "webhook").unwrap();
        assert_eq!(webhook.value[0]["url"], "https://hooks.example.org:8443/****");
        assert_eq!(webhook.source.to_string(), "webhook in nyala.toml");
    }

    #[test]
    fn a_time_is_written_as_a_person_would() {
        let written = [7200, 1800, 90].map(|it| duration_value(Duration::from_secs(it)));
        assert_eq!(written, ["2h", "30m", "1m 30s"]);
    }
}
