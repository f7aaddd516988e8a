//! Asks a process whether it is well.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::process::Process;
use crate::site::settings::Run;
use crate::text::duration;

/// How long one question may take at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long the body of an answer is read.
const BODY: Duration = Duration::from_secs(1);

/// How much of an answer's body is read, in bytes.
const READ: usize = 1 << 20;

/// What is asked, and which answers are good.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) port: u16,
    pub(super) path: String,
    /// The site's first domain, so that `ALLOWED_HOSTS` of Django and the like do not refuse it.
    pub(super) host: String,
    /// Whether only 2xx and 3xx are good; otherwise everything below 500 is.
    pub(super) is_strict: bool,
}

impl Question {
    /// What a web process is asked to know whether it is well.
    pub(super) fn of(run: &Run, process: &Process) -> Question {
        let path = run.health.clone().unwrap_or_else(|| "/".to_owned());
        let host = run.host();
        let port = process.port();
        Question { port, path, host, is_strict: run.health.is_some() }
    }

    /// The status that is answered within `limit`, or why there is none.
    pub(super) async fn ask(&self, limit: Duration) -> Result<StatusCode, String> {
        let (answer, connection) = match timeout(limit, self.get()).await {
            Ok(answer) => answer?,
            Err(_) => return Err(format!("no answer in {}", duration(limit))),
        };
        let status = answer.status();
        // A process that dies while it answers is not well. One that sends events never comes to
        // an end, and is.
        let body = Limited::new(answer.into_body(), READ).collect();
        let body = timeout(BODY.min(limit), body).await;
        connection.abort();
        match body {
            Ok(Err(error)) if !error.is::<http_body_util::LengthLimitError>() => {
                Err(format!("the answer ended early: {error}"))
            }
            _ => Ok(status),
        }
    }

    pub(super) fn is_good_answer(&self, answer: &Result<StatusCode, String>) -> bool {
        answer.as_ref().is_ok_and(|status| self.is_good(*status))
    }

    pub(super) fn is_good(&self, status: StatusCode) -> bool {
        if self.is_strict {
            status.is_success() || status.is_redirection()
        } else {
            !status.is_server_error()
        }
    }

    /// The head of an answer, and the connection on which its body comes.
    async fn get(&self) -> Result<(Response<Incoming>, JoinHandle<hyper::Result<()>>), String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
        let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
        let (mut sender, connection) = handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let connection = tokio::task::spawn_local(connection);
        let request = Request::get(&self.path)
            .header(HOST, &self.host)
            .header(USER_AGENT, "nyala-health")
            // Django's SECURE_SSL_REDIRECT and the like answer what a visitor gets.
            .header("X-Forwarded-Proto", "https")
            .header(CONNECTION, "close")
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        Ok((answer, connection))
    }
}
