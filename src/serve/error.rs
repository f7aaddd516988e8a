//! What goes wrong when an application is run, in words for people.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use hyper::StatusCode;

use super::ending::how;
use super::health::Question;
use super::process::Process;
use super::spec::Spec;
use crate::processes::{how_to_listen, program};
use crate::site::DeploymentId;
use crate::site::settings::LOCALHOST;
use crate::text::duration;
use crate::user_error::UserError;

pub(super) const NO_CONNECTIONS: &str = "it does not take connections";

const FIX_WHAT_IT_PRINTED: &str = "Fix what it printed, commit, and push again; \
                                   or fix it on the server, and deploy again";
const OR_FIX_WHAT_IT_PRINTED: &str = "Or fix what it printed, commit, and push again; \
                                      or fix it on the server, and deploy again";
const FIX_THAT: &str =
    "Fix that, commit, and push again; or fix it on the server, and deploy again";

/// How many of the last lines of a process an error repeats.
const LINES: usize = 10;

pub(super) fn is_served(site: &Path) -> UserError {
    UserError::new(format!("{} is already served by another nyala serve", site.display()))
        .fix("See what runs: nyala ps")
}

pub(super) fn of_another_user(site: &Path) -> UserError {
    UserError::new(format!("{} belongs to another user, and must run as that user", site.display()))
        .fix("Serve it as root, which serves the sites of every owner: sudo nyala serve FOLDER")
        .fix("Or run another nyala serve as that user")
}

/// The child of the first process of a container has not ended as it should.
pub(super) fn child_ended(status: ExitStatus) -> UserError {
    let how = how(status);
    let how = how.strip_prefix("it ").unwrap_or(&how);
    UserError::new(format!("the nyala serve of this container {how}"))
}

pub(super) fn unknown_request() -> UserError {
    UserError::new("nyala serve got a request that it does not understand")
        .fix("After an upgrade of nyala, restart nyala serve")
}

pub(super) fn nothing_runs() -> UserError {
    UserError::new("nothing is live yet, so nothing runs").fix("Deploy: git push REMOTE HEAD:main")
}

pub(super) fn is_stopped() -> UserError {
    UserError::new("the application is stopped").fix("Start it: nyala start")
}

pub(super) fn no_process(name: &str) -> UserError {
    UserError::new(format!("no process {} runs", name.escape_debug()))
        .fix("See what runs: nyala ps")
}

/// Sites that are made later are served, too.
pub(super) fn no_site_yet(folder: &Path) -> UserError {
    UserError::new(format!("there is no site in {} yet", folder.display()))
        .fix(format!("Make one: nyala init {}/SITE", folder.display()))
}

/// The web process ended before it was healthy.
pub(super) fn ended(command: &str, end: &str, recent: Vec<String>) -> UserError {
    let program = program(command);
    let end = end.strip_prefix("it ").unwrap_or(end);
    let what = program.as_deref().unwrap_or("its command");
    let error = UserError::new(format!("the application did not start: {what} {end}"));
    if let Some(program) = program.as_deref().filter(|_| end == "exited with 127") {
        return printed(error, recent)
            .fix(format!("Add what has {program} to the requirements, or correct the command"));
    }
    if recent.is_empty() {
        return error
            .labelled("output", "none")
            .fix(format!("See why it ends: run its command yourself, {command}"));
    }
    printed(error, recent).fix(FIX_WHAT_IT_PRINTED)
}

/// The web process does not answer as it should. `elsewhere` is where it listens, if it does not
/// listen where it should.
pub(super) fn unhealthy(
    question: &Question,
    limit: Duration,
    answer: &Result<StatusCode, String>,
    web: &Process,
    elsewhere: &[String],
) -> UserError {
    not_healthy(question, limit, answer, (&web.spec.command, elsewhere), web.recent())
}

fn not_healthy(
    question: &Question,
    limit: Duration,
    answer: &Result<StatusCode, String>,
    (command, elsewhere): (&str, &[String]),
    recent: Vec<String>,
) -> UserError {
    let mut fact = format!("the application was not healthy after {}", duration(limit));
    if !elsewhere.is_empty() {
        let elsewhere = elsewhere.join(", ");
        fact = format!("{fact}: it listens on {elsewhere}, not on $PORT");
    }
    let error = question_and_answer(UserError::new(fact), question, answer);
    let has_printed = !recent.is_empty();
    let error = printed(error, recent);
    if answer.is_err() {
        let fixes = has_printed.then(|| OR_FIX_WHAT_IT_PRINTED.to_owned());
        let error = match how_to_listen(command).filter(|_| !elsewhere.is_empty()) {
            Some((who, how)) => {
                error.fix(format!("Let {who} listen on 127.0.0.1 and the port in $PORT: {how}"))
            }
            None => error.fix("Let the command listen on 127.0.0.1 and the port in $PORT"),
        };
        return error
            .fixes(fixes)
            .fix("Or give it more time: health_timeout under [run] in nyala.toml");
    }
    // Django and others refuse a Host that they do not know.
    let is_refused = answer.as_ref().is_ok_and(|status| *status == StatusCode::BAD_REQUEST);
    let domains = (is_refused && question.host == LOCALHOST)
        .then_some("Name the host that it knows: domains under [run] in nyala.toml");
    error
        .fixes(domains)
        .fix(FIX_WHAT_IT_PRINTED)
        .fix("Or choose another path: health under [run] in nyala.toml")
}

/// A release was live, and a web process of it ended.
pub(super) fn died(release: DeploymentId, process: &Process, end: &str) -> UserError {
    not_well(release, &process.spec.label(), end, process.recent())
}

fn not_well(release: DeploymentId, process: &str, end: &str, recent: Vec<String>) -> UserError {
    let end = end.strip_prefix("it ").unwrap_or(end);
    let error =
        UserError::new(format!("release {release} failed while it was watched: {process} {end}"));
    printed(error, recent).fix(FIX_WHAT_IT_PRINTED)
}

/// A release was live, and did not answer health checks any more as it should.
pub(super) fn sick(
    release: DeploymentId,
    question: &Question,
    answer: &Result<StatusCode, String>,
    recent: Vec<String>,
) -> UserError {
    let error = UserError::new(format!("release {release} became unhealthy"));
    let error = question_and_answer(error, question, answer);
    printed(error, recent).fix(FIX_WHAT_IT_PRINTED)
}

/// A release was live, and answered with 5xx too often; `share` is how often it was before.
pub(super) fn too_many_errors(
    release: DeploymentId,
    errors: u64,
    answers: u64,
    share: f64,
) -> UserError {
    let fact = format!("{errors} of its {answers} answers were 5xx");
    UserError::new(format!("release {release} failed while it was watched: {fact}"))
        .found(format!("of the previous release: {:.1} %", share * 100.0))
        .fix("See what it printed: nyala logs web")
        .fix(FIX_THAT)
}

pub(super) fn asked_to_go_back() -> UserError {
    UserError::new("it was cancelled while the release was watched")
}

/// What is live is to run, and does not.
pub(super) fn not_running(release: DeploymentId) -> UserError {
    UserError::new(format!("release {release} is live, but none of its processes run"))
        .fix("Start it: nyala start")
}

/// A process of what is live ends again and again.
pub(super) fn restarts(process: &Process) -> UserError {
    let end = process.last_end().unwrap_or_default();
    restarts_of(&process.spec.label(), process.state().restarts, &end, process.recent())
}

fn restarts_of(process: &str, restarts: u32, end: &str, recent: Vec<String>) -> UserError {
    let error = UserError::new(format!(
        "{process} ends again and again: it was restarted {restarts} times; the last time, {end}"
    ));
    printed(error, recent)
        .fix(format!("See what it printed: nyala logs {}", process.split(':').next().unwrap_or("")))
        .fix(FIX_THAT)
        .fix("Or go back to the release before: nyala rollback")
}

/// A web process of what is live does not answer as it should.
pub(super) fn unwell(
    process: &Spec,
    question: &Question,
    answer: &Result<StatusCode, String>,
    recent: Vec<String>,
) -> UserError {
    let Spec { release, .. } = process;
    let fact = format!("{} of release {release} is not healthy", process.label());
    printed(question_and_answer(UserError::new(fact), question, answer), recent)
        .fix(FIX_WHAT_IT_PRINTED)
        .fix("Or start it anew: nyala restart web")
        .fix("Or go back to the release before: nyala rollback")
}

fn question_and_answer(
    error: UserError,
    question: &Question,
    answer: &Result<StatusCode, String>,
) -> UserError {
    let Question { port, path, host, is_strict } = question;
    let asked = format!("GET {path} on its port {port}, with Host: {host}");
    let wanted = if *is_strict { "2xx or 3xx" } else { "anything below 500" };
    let error = error.labelled("asked", asked).labelled("wanted", wanted);
    match answer {
        Ok(status) => error.labelled("answered", status),
        Err(why) => error.labelled("answered", format!("nothing: {why}")),
    }
}

fn printed(error: UserError, mut recent: Vec<String>) -> UserError {
    let skipped = recent.len().saturating_sub(LINES);
    error.with_output(&recent.split_off(skipped))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn printed() -> Vec<String> {
        vec!["Traceback".to_owned(), "KeyError: 'X'".to_owned()]
    }

    /// What listens nowhere else, and is no server.
    const NOWHERE: (&str, &[String]) = ("./start", &[]);

    fn question() -> Question {
        Question {
            port: 20001,
            path: "/health".to_owned(),
            host: "shop.example.org".to_owned(),
            is_strict: true,
        }
    }

    #[test]
    fn it_is_said_how_a_release_did_not_stay_well() {
        let release = "7".parse().unwrap();
        let answer = Ok(StatusCode::SERVICE_UNAVAILABLE);
        insta::assert_snapshot!(sick(release, &question(), &answer, printed()), @"
        release 7 became unhealthy
        asked: GET /health on its port 20001, with Host: shop.example.org
        wanted: 2xx or 3xx
        answered: 503 Service Unavailable
        output: Traceback
                KeyError: 'X'
        Fix what it printed, commit, and push again; or fix it on the server, and deploy again
        ");
        let end = "it exited with 3";
        insta::assert_snapshot!(not_well(release, "web:2", end, printed()), @"
        release 7 failed while it was watched: web:2 exited with 3
        output: Traceback
                KeyError: 'X'
        Fix what it printed, commit, and push again; or fix it on the server, and deploy again
        ");
        insta::assert_snapshot!(too_many_errors(release, 12, 40, 0.015), @"
        release 7 failed while it was watched: 12 of its 40 answers were 5xx
        found: of the previous release: 1.5 %
        1. See what it printed: nyala logs web
        2. Fix that, commit, and push again; or fix it on the server, and deploy again
        ");
    }

    #[test]
    fn it_is_said_what_is_wrong_with_what_is_live() {
        insta::assert_snapshot!(not_running("7".parse().unwrap()), @"
        release 7 is live, but none of its processes run
        Start it: nyala start
        ");
        insta::assert_snapshot!(restarts_of("worker:2", 4, "it exited with 3", printed()), @"
        worker:2 ends again and again: it was restarted 4 times; the last time, it exited with 3
        output: Traceback
                KeyError: 'X'
        1. See what it printed: nyala logs worker
        2. Fix that, commit, and push again; or fix it on the server, and deploy again
        3. Or go back to the release before: nyala rollback
        ");
    }

    #[test]
    fn every_error_says_what_to_do() {
        let site = Path::new("/srv/shop");
        insta::assert_snapshot!(of_another_user(site), @"
        /srv/shop belongs to another user, and must run as that user
        1. Serve it as root, which serves the sites of every owner: sudo nyala serve FOLDER
        2. Or run another nyala serve as that user
        ");
        let first = |status| child_ended(ExitStatus::from_raw(status)).fact;
        let container = "the nyala serve of this container";
        assert_eq!(first(9), format!("{container} was killed by signal 9"));
        assert_eq!(first(1 << 8), format!("{container} exited with 1"));
        insta::assert_snapshot!(unknown_request(), @"
        nyala serve got a request that it does not understand
        After an upgrade of nyala, restart nyala serve
        ");
        insta::assert_snapshot!(nothing_runs(), @"
        nothing is live yet, so nothing runs
        Deploy: git push REMOTE HEAD:main
        ");
        insta::assert_snapshot!(is_stopped(), @"
        the application is stopped
        Start it: nyala start
        ");
        insta::assert_snapshot!(no_process("worker"), @"
        no process worker runs
        See what runs: nyala ps
        ");
        insta::assert_snapshot!(is_served(site), @"
        /srv/shop is already served by another nyala serve
        See what runs: nyala ps
        ");
        insta::assert_snapshot!(no_site_yet(site), @"
        there is no site in /srv/shop yet
        Make one: nyala init /srv/shop/SITE
        ");
        insta::assert_snapshot!(ended("gunicorn app:app", "it exited with 3", printed()), @"
        the application did not start: gunicorn exited with 3
        output: Traceback
                KeyError: 'X'
        Fix what it printed, commit, and push again; or fix it on the server, and deploy again
        ");
        insta::assert_snapshot!(ended("gunicorn app:app", "it exited with 127", vec![]), @"
        the application did not start: gunicorn exited with 127
        Add what has gunicorn to the requirements, or correct the command
        ");
        let fact = |command| ended(command, "it exited with 0", vec![]).fact;
        let start = "the application did not start: ";
        assert_eq!(fact("exec python app.py"), format!("{start}python exited with 0"));
        insta::assert_snapshot!(ended("cd . && gunicornn", "it exited with 0", vec![]), @"
        the application did not start: its command exited with 0
        output: none
        See why it ends: run its command yourself, cd . && gunicornn
        ");
        let question = question();
        let limit = Duration::from_mins(1);
        let sick = Ok(StatusCode::SERVICE_UNAVAILABLE);
        insta::assert_snapshot!(not_healthy(&question, limit, &sick, NOWHERE, printed()), @"
        the application was not healthy after 1 min
        asked: GET /health on its port 20001, with Host: shop.example.org
        wanted: 2xx or 3xx
        answered: 503 Service Unavailable
        output: Traceback
                KeyError: 'X'
        1. Fix what it printed, commit, and push again; or fix it on the server, and deploy again
        2. Or choose another path: health under [run] in nyala.toml
        ");
        let refused = Ok(StatusCode::BAD_REQUEST);
        let unknown = Question { host: LOCALHOST.to_owned(), ..question.clone() };
        let fixes = not_healthy(&unknown, limit, &refused, NOWHERE, vec![]).fixes;
        assert_eq!(fixes[0], "Name the host that it knows: domains under [run] in nyala.toml");
        assert_eq!(not_healthy(&question, limit, &refused, NOWHERE, vec![]).fixes.len(), 2);
        let silent = Err(NO_CONNECTIONS.to_owned());
        let fixes = not_healthy(&question, limit, &silent, NOWHERE, printed()).fixes;
        assert_eq!(fixes[1], OR_FIX_WHAT_IT_PRINTED);
        insta::assert_snapshot!(not_healthy(&question, limit, &silent, NOWHERE, vec![]), @"
        the application was not healthy after 1 min
        asked: GET /health on its port 20001, with Host: shop.example.org
        wanted: 2xx or 3xx
        answered: nothing: it does not take connections
        1. Let the command listen on 127.0.0.1 and the port in $PORT
        2. Or give it more time: health_timeout under [run] in nyala.toml
        ");
        let elsewhere = ["127.0.0.1:5000".to_owned()];
        let flask = ("flask run --port 5000", &elsewhere[..]);
        insta::assert_snapshot!(not_healthy(&question, limit, &silent, flask, vec![]), @"
        the application was not healthy after 1 min: it listens on 127.0.0.1:5000, not on $PORT
        asked: GET /health on its port 20001, with Host: shop.example.org
        wanted: 2xx or 3xx
        answered: nothing: it does not take connections
        1. Let flask listen on 127.0.0.1 and the port in $PORT: --port $PORT
        2. Or give it more time: health_timeout under [run] in nyala.toml
        ");
    }
}
