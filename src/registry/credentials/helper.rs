//! The programs that keep passwords. See <https://github.com/docker/docker-credential-helpers>.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;

use super::Credentials;
use crate::registry::error;

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// How long a helper may take: it may ask a service of the cloud.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the program `docker-credential-HELPER`, which a file names, and which is given the registry
/// on its standard input.
pub(super) fn ask(helper: &str, registry: &str, file: &Path) -> Result<Option<Credentials>> {
    let program = format!("docker-credential-{helper}");
    let started = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let not_run = |cause| error::no_helper(&program, file, &cause);
    let mut child = started.map_err(not_run)?;
    if let Some(mut input) = child.stdin.take() {
        // One that reads nothing is told by what it answers.
        let _ = input.write_all(registry.as_bytes());
    }
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        return Err(error::slow_helper(&program, PATIENCE).into());
    };
    let output = output.map_err(not_run)?;
    if !output.status.success() {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // What every helper says, see `errors.go` of docker-credential-helpers.
        if [&stdout, &stderr].iter().any(|said| said.contains("credentials not found")) {
            return Ok(None);
        }
        return Err(error::failed_helper(&program, &harmless(&stdout, &stderr)).into());
    }
    let Ok(answer) = serde_json::from_slice::<Helped>(&output.stdout) else {
        return Err(error::failed_helper(&program, "its answer is not understood").into());
    };
    Ok(answer.credentials())
}

impl Helped {
    /// `None` for an answer without anything: some helpers say so that they know nothing.
    fn credentials(self) -> Option<Credentials> {
        let Helped { username, secret } = self;
        match username.as_str() {
            "" if secret.is_empty() => None,
            "<token>" => Some(Credentials::RefreshToken(secret)),
            _ => Some(Credentials::Password { user: username, password: secret }),
        }
    }
}

/// What a helper that failed has said, as far as it can be no password: helpers print those, and
/// tell errors on either output.
fn harmless(stdout: &str, stderr: &str) -> String {
    let said = [stderr, stdout].map(str::trim).into_iter().find(|said| !said.is_empty());
    let Some(said) = said else { return "it said nothing".to_owned() };
    let lower = said.to_lowercase();
    let may_be_secret =
        said.contains('{') || ["secret", "password", "token"].iter().any(|it| lower.contains(it));
    // An error on the standard output, where the password belongs, is one sentence.
    let is_answer = stderr.trim().is_empty() && (said.contains('\n') || !said.contains(' '));
    if may_be_secret || is_answer {
        return "what it said is not shown: a password may be in it".to_owned();
    }
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_may_know_nothing() {
        let helped = |json: &str| serde_json::from_str::<Helped>(json).unwrap().credentials();
        assert!(helped(r#"{"Username": "", "Secret": ""}"#).is_none());
        assert!(helped(r#"{"Username": "a", "Secret": ""}"#).is_some());
    }

    #[test]
    fn no_password_that_a_helper_prints_is_shown() {
        let said = "error getting credentials - err: exit status 1";
        assert_eq!(harmless(&format!("{said}\n"), ""), said);
        assert_eq!(harmless("hunter2", said), said);
        assert_eq!(harmless("", ""), "it said nothing");
        let json = r#"{"Username": "ann", "Secret": "hunter2"}"#;
        for stdout in [json, "hunter2", "user ann\nwith hunter2", "the secret is hunter2"] {
            assert!(!harmless(stdout, "").contains("hunter2"), "{stdout}");
        }
        assert!(!harmless("", json).contains("hunter2"));
    }
}
