//! What a registry does not do, in words for people.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::text::{duration, excerpt};
use crate::user_error::UserError;

/// Where the password of a registry comes from.
fn log_in(registry: &str) -> String {
    format!("Log in as the owner of the site: docker login {registry}")
}

pub(super) fn not_a_reference(text: &str) -> UserError {
    UserError::new("this is not the name of an image")
        .found(excerpt(text))
        .fix("Write one such as registry.example.org/shop/web or python:3.12-slim")
}

pub(super) fn unreachable(registry: &str, cause: &str) -> UserError {
    UserError::new(format!("the registry {registry} cannot be reached: {cause}"))
        .fix("Check its name and port, and that it runs")
}

pub(super) fn no_tls(registry: &str, cause: &str) -> UserError {
    UserError::new(format!("the registry {registry} does not speak https: {cause}"))
        .fix(format!("If it is to be used without encryption, write http://{registry}/…"))
}

pub(super) fn not_trusted(registry: &str, cause: &str) -> UserError {
    UserError::new(format!("the certificate of the registry {registry} is not trusted: {cause}"))
        .fix("Name the file with its authority: SSL_CERT_FILE=/etc/ssl/certs/own.pem")
}

/// There is no user, and the registry wants one. `files` are those that could name one.
pub(super) fn needs_login(registry: &str, files: &[PathBuf]) -> UserError {
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    UserError::new(format!(
        "the registry {registry} requires a login, and no password is configured"
    ))
    .labelled("looked in", files.join(", "))
    .fix(log_in(registry))
}

/// The token is one that a person has written down, or another program.
pub(super) fn wrong_token(registry: &str) -> UserError {
    UserError::new(format!("the registry {registry} does not accept the token"))
        .found("registrytoken, which may have expired")
        .fix(log_in(registry))
}

pub(super) fn wrong_password(registry: &str) -> UserError {
    UserError::new(format!("the registry {registry} does not accept the user and the password"))
        .fix(log_in(registry))
}

pub(super) fn unknown_challenge(registry: &str, header: &str) -> UserError {
    UserError::new(format!("the registry {registry} asks for a login of an unknown kind"))
        .found(excerpt(header))
        .labelled("allowed", "Basic, Bearer")
}

/// A request was sent on, to a host that is no part of the registry.
pub(super) fn login_elsewhere(registry: &str, host: &str) -> UserError {
    UserError::new(format!("the registry {registry} sends requests on to where they are refused"))
        .found(format!("{} requires a login of its own", excerpt(host)))
        .fix("Have the registry and its store checked")
}

/// The address that gives tokens is not encrypted, and the registry is.
pub(super) fn unsafe_realm(registry: &str, realm: &str) -> UserError {
    UserError::new(format!("the registry {registry} wants the password sent without encryption"))
        .found(excerpt(realm))
        .fix("Its token address must begin with https://")
}

/// `what` is what was to be done: `push to shop/web`.
pub(super) fn no_right(registry: &str, what: &str, said: &str) -> UserError {
    let error = UserError::new(format!("the registry {registry} does not let you {what}"));
    let error = if said.is_empty() { error } else { error.found(said) };
    error.fix("Check the name, and ask for the right to do so").fix(log_in(registry))
}

pub(super) fn no_image(name: &str, said: &str) -> UserError {
    let error = UserError::new(format!("there is no image {name}"));
    let error = if said.is_empty() { error } else { error.found(said) };
    error.fix("Check its name and its tag")
}

/// `what` is what was asked for, and `said` what the registry answered.
pub(super) fn refused(registry: &str, what: &str, status: u16, said: &str) -> UserError {
    let error = UserError::new(format!("the registry {registry} answered {status} to {what}"));
    let error = if said.is_empty() { error } else { error.found(said) };
    error.fix("Check the name of the repository, and what the registry's own log says")
}

pub(super) fn gave_up(registry: &str, what: &str, cause: &str, tries: u32) -> UserError {
    UserError::new(format!("{what} failed {tries} times: the registry {registry} {cause}"))
        .fix("Try again later: what has arrived is not sent again")
}

pub(super) fn too_long_a_pause(registry: &str, pause: Duration) -> UserError {
    let pause = duration(pause);
    UserError::new(format!("the registry {registry} limits requests, for {pause}"))
        .fix("Try again after that")
}

pub(super) fn garbage(registry: &str, what: &str, found: &str) -> UserError {
    UserError::new(format!("the registry {registry} sent something other than {what}"))
        .found(excerpt(found))
        .fix("Check that a registry answers there")
}

pub(super) fn wrong_digest(registry: &str, what: &str, expected: &str, found: &str) -> UserError {
    UserError::new(format!("the registry {registry} has another {what} than was asked for"))
        .found(format!("{found} in place of {expected}"))
        .fix("Try again, and have the registry checked if it happens again")
}

/// Parts of the file are secrets, so that none is shown.
pub(super) fn wrong_config(path: &Path) -> UserError {
    UserError::new(format!("{} is not what docker login or podman login writes", path.display()))
        .fix("Correct it, or remove it and log in again: docker login")
}

pub(super) fn wrong_auth(path: &Path, registry: &str) -> UserError {
    UserError::new(format!("the entry for {registry} in {} cannot be read", path.display()))
        .fix(format!("Log in again: docker login {registry}"))
}

pub(super) fn no_helper(program: &str, file: &Path, cause: &std::io::Error) -> UserError {
    UserError::new(format!("{program} cannot be run: {cause}"))
        .found(format!("{} names it", file.display()))
        .fix("Install it, or remove it from credsStore and credHelpers")
}

pub(super) fn slow_helper(program: &str, patience: Duration) -> UserError {
    let patience = duration(patience);
    UserError::new(format!("{program} did not answer within {patience}"))
        .fix("Make sure that it does not prompt: there is nobody to answer")
}

pub(super) fn failed_helper(program: &str, said: &str) -> UserError {
    UserError::new(format!("{program} failed"))
        .found(excerpt(said.trim()))
        .fix("Log in again: docker login")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(not_a_reference("Shop"), @"
        this is not the name of an image
        found: Shop
        Write one such as registry.example.org/shop/web or python:3.12-slim
        ");
        insta::assert_snapshot!(unreachable("localhost:5000", "connection refused"), @"
        the registry localhost:5000 cannot be reached: connection refused
        Check its name and port, and that it runs
        ");
        insta::assert_snapshot!(no_tls("registry", "it sent a corrupt message"), @"
        the registry registry does not speak https: it sent a corrupt message
        If it is to be used without encryption, write http://registry/…
        ");
        insta::assert_snapshot!(not_trusted("registry", "UnknownIssuer"), @"
        the certificate of the registry registry is not trusted: UnknownIssuer
        Name the file with its authority: SSL_CERT_FILE=/etc/ssl/certs/own.pem
        ");
        let files = ["auth.json", "config.json"].map(PathBuf::from);
        insta::assert_snapshot!(needs_login("registry", &files), @"
        the registry registry requires a login, and no password is configured
        looked in: auth.json, config.json
        Log in as the owner of the site: docker login registry
        ");
        insta::assert_snapshot!(wrong_token("registry"), @"
        the registry registry does not accept the token
        found: registrytoken, which may have expired
        Log in as the owner of the site: docker login registry
        ");
        insta::assert_snapshot!(wrong_password("registry"), @"
        the registry registry does not accept the user and the password
        Log in as the owner of the site: docker login registry
        ");
        insta::assert_snapshot!(unknown_challenge("registry", "Negotiate"), @"
        the registry registry asks for a login of an unknown kind
        found: Negotiate
        allowed: Basic, Bearer
        ");
        insta::assert_snapshot!(login_elsewhere("registry", "store"), @"
        the registry registry sends requests on to where they are refused
        found: store requires a login of its own
        Have the registry and its store checked
        ");
        insta::assert_snapshot!(unsafe_realm("registry", "http://auth/token"), @"
        the registry registry wants the password sent without encryption
        found: http://auth/token
        Its token address must begin with https://
        ");
        insta::assert_snapshot!(no_right("registry", "push to shop/web", "DENIED"), @"
        the registry registry does not let you push to shop/web
        found: DENIED
        1. Check the name, and ask for the right to do so
        2. Log in as the owner of the site: docker login registry
        ");
        insta::assert_snapshot!(no_image("registry/shop:2", ""), @"
        there is no image registry/shop:2
        Check its name and its tag
        ");
        insta::assert_snapshot!(refused("registry", "an upload", 400, "NAME_INVALID"), @"
        the registry registry answered 400 to an upload
        found: NAME_INVALID
        Check the name of the repository, and what the registry's own log says
        ");
        insta::assert_snapshot!(gave_up("registry", "an upload", "answered 500", 6), @"
        an upload failed 6 times: the registry registry answered 500
        Try again later: what has arrived is not sent again
        ");
        insta::assert_snapshot!(too_long_a_pause("registry", Duration::from_mins(15)), @"
        the registry registry limits requests, for 15 min
        Try again after that
        ");
        insta::assert_snapshot!(garbage("registry", "a manifest", "<html>"), @"
        the registry registry sent something other than a manifest
        found: <html>
        Check that a registry answers there
        ");
        insta::assert_snapshot!(wrong_digest("registry", "blob", "sha256:1", "sha256:2"), @"
        the registry registry has another blob than was asked for
        found: sha256:2 in place of sha256:1
        Try again, and have the registry checked if it happens again
        ");
    }

    #[test]
    fn every_error_about_a_login_says_what_to_do() {
        insta::assert_snapshot!(wrong_config(Path::new("config.json")), @"
        config.json is not what docker login or podman login writes
        Correct it, or remove it and log in again: docker login
        ");
        insta::assert_snapshot!(wrong_auth(Path::new("config.json"), "registry"), @"
        the entry for registry in config.json cannot be read
        Log in again: docker login registry
        ");
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let config = Path::new("config.json");
        insta::assert_snapshot!(no_helper("docker-credential-x", config, &missing), @"
        docker-credential-x cannot be run: entity not found
        found: config.json names it
        Install it, or remove it from credsStore and credHelpers
        ");
        insta::assert_snapshot!(slow_helper("docker-credential-x", Duration::from_secs(30)), @"
        docker-credential-x did not answer within 30 s
        Make sure that it does not prompt: there is nobody to answer
        ");
        insta::assert_snapshot!(failed_helper("docker-credential-x", "no session"), @"
        docker-credential-x failed
        found: no session
        Log in again: docker login
        ");
    }
}
