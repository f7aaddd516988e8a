//! Runs kubectl, the user's own: it has the credentials, and the programs that give them.

use std::io::{ErrorKind, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Deserializer, Value, json};

use super::manifests::NYALA;
use super::place::Place;
use super::{complaint, error};
use crate::process::{self, ChildError, Environment, Invocation, Limits};

const PROGRAM: &str = "kubectl";

/// How long one request may take, and one run of kubectl, which makes several.
const REQUEST: &str = "--request-timeout=15s";
const LIMIT: Duration = Duration::from_mins(1);

/// kubectl for one namespace of a cluster.
pub(super) struct Kubectl {
    place: Place,
    heeds_stop: bool,
}

impl Kubectl {
    pub(super) fn new(place: &Place) -> Kubectl {
        Kubectl { place: place.clone(), heeds_stop: true }
    }

    /// Where its cluster is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The same for what takes back what a cancelled deployment has done.
    #[must_use]
    pub(super) fn despite_stop(mut self) -> Kubectl {
        self.heeds_stop = false;
        self
    }

    /// Whether the deployment that this is for was cancelled.
    pub(super) fn is_stopped(&self) -> bool {
        self.heeds_stop && process::is_stopped()
    }

    /// Runs it and gives what it prints. Fails with what its complaint means.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        self.captured(&self.invocation(arguments))
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(arguments)?;
        // Nothing at all is what it prints for nothing found.
        let text = if text.trim().is_empty() { "null" } else { &text };
        serde_json::from_str(text).context("kubectl printed something else than JSON")
    }

    /// The items of a list that it prints.
    pub(super) fn items(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let found = self.json(arguments)?;
        Ok(match &found["items"] {
            Value::Array(items) => items.clone(),
            _ if found.is_null() => Vec::new(),
            _ => vec![found],
        })
    }

    /// Runs it with objects on its standard input.
    pub(super) fn feed(&self, arguments: &[&str], objects: &[Value]) -> Result<String> {
        self.captured(&self.invocation(arguments).input(list(objects)?))
    }

    /// [`Kubectl::feed`] for what prints one or several JSON documents.
    pub(super) fn ask(&self, arguments: &[&str], objects: &[Value]) -> Result<Vec<Value>> {
        let text = self.feed(arguments, objects)?;
        let mut found = Vec::new();
        for document in Deserializer::from_str(&text).into_iter::<Value>() {
            let document = document.context("kubectl printed something else than JSON")?;
            match &document["items"] {
                Value::Array(items) => found.extend(items.clone()),
                _ => found.push(document),
            }
        }
        Ok(found)
    }

    /// Applies objects, with nyala as their field manager.
    pub(super) fn apply(&self, objects: &[Value], more: &[&str]) -> Result<String> {
        let manager = format!("--field-manager={NYALA}");
        self.feed(&[&["apply", "--server-side", &manager, "-f", "-"], more].concat(), objects)
    }

    /// Prints how objects differ from those of the cluster.
    pub(super) fn diff(&self, objects: &[Value]) -> Result<ExitCode> {
        let manager = format!("--field-manager={NYALA}");
        let mut command = self.command(&["diff", "--server-side", &manager, "-f", "-"]);
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(|it| not_started(&it))?;
        if let Some(mut input) = child.stdin.take() {
            // It may have ended before it has read all.
            let _ = input.write_all(&list(objects)?);
        }
        let code = child.wait().context("cannot wait for kubectl")?.code().unwrap_or(2);
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(2)))
    }

    /// Passes on each line of a log until that ends, with the time before it. Fails with what the
    /// complaint means, which is no line of the log.
    pub(super) fn stream_stamped(
        &self,
        arguments: &[&str],
        on_line: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let invocation = self.invocation_without_limit(arguments);
        process::stream_stamped(&invocation, on_line).map_err(|error| self.explained(&error))
    }

    /// The command itself, for whoever has a terminal for it.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(self.flags()).args(arguments);
        command.env_clear().envs(Environment::clean().iter());
        command
    }

    fn captured(&self, invocation: &Invocation) -> Result<String> {
        let captured = process::capture(invocation).map_err(|error| self.explained(&error))?;
        Ok(String::from_utf8_lossy(&captured.stdout).into_owned())
    }

    fn invocation(&self, arguments: &[&str]) -> Invocation {
        let limits = Limits { step: Some(LIMIT), ..Limits::default() };
        self.invocation_without_limit(arguments).arg(REQUEST).limits(limits)
    }

    fn invocation_without_limit(&self, arguments: &[&str]) -> Invocation {
        let limits = Limits { step: None, idle: None, ..Limits::default() };
        let invocation = Invocation::new(PROGRAM).args(self.flags()).args(arguments);
        let named = format!("kubectl {}", arguments.first().copied().unwrap_or_default());
        let invocation = invocation.limits(limits).named(named);
        if self.heeds_stop { invocation } else { invocation.despite_stop() }
    }

    fn flags(&self) -> Vec<String> {
        let Place { kubeconfig, context, namespace, server: _, name: _ } = &self.place;
        let flag = |name: &str, value: &str| format!("--{name}={value}");
        let kubeconfig = kubeconfig.as_ref().map(|it| flag("kubeconfig", &it.to_string_lossy()));
        let context = context.as_ref().map(|it| flag("context", it));
        let namespace = namespace.as_ref().map(|it| flag("namespace", it));
        kubeconfig.into_iter().chain(context).chain(namespace).collect()
    }

    fn explained(&self, error: &ChildError) -> anyhow::Error {
        match error {
            ChildError::NotStarted { source, .. } if source.kind() == ErrorKind::NotFound => {
                error::no_kubectl().into()
            }
            ChildError::Exited { complaint, .. } => complaint::explain(complaint, &self.place)
                .unwrap_or_else(|| error.user_error())
                .into(),
            ChildError::StepLimit { .. } => error::no_answer(&self.place, &[]).into(),
            _ => error.user_error().into(),
        }
    }
}

/// Why it could not be started.
pub(super) fn not_started(cause: &std::io::Error) -> anyhow::Error {
    match cause.kind() {
        ErrorKind::NotFound => error::no_kubectl().into(),
        _ => anyhow!("cannot start kubectl: {cause}"),
    }
}

fn list(objects: &[Value]) -> Result<Vec<u8>> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    serde_json::to_vec(&list).context("cannot write the objects")
}
