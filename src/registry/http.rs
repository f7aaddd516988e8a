//! Requests to a registry: who asks, and what is tried again after a pause.

use std::cell::Cell;
use std::io::{self, Read};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{Method, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, ResponseExt, SendBody};

use super::access::Access;
use super::credentials::{self, Credentials};
use super::reference::{Reference, Scheme};
use super::{error, redirect};
use crate::console;
use crate::text::{duration, excerpt};

pub(super) type Answer = Response<Body>;

/// A repository of a registry.
pub struct Registry {
    agent: Agent,
    /// Waits longer for an answer: after the last byte of a large blob, a registry may copy it
    /// first.
    patient: Agent,
    /// `https://host:port`
    origin: String,
    reference: Reference,
    access: Access,
    /// Whether anything was ever answered: then what fails may pass.
    was_reached: Cell<bool>,
}

/// What is asked of a registry.
pub(super) struct Call<'c> {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: &'c [u8],
    /// What it is, in words: `the upload of sha256:…`.
    pub what: &'c str,
}

/// How often something is tried, and the pause after the first time; each later one is twice as
/// long.
pub(super) const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that a registry may ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// How long a registry on this machine may take to answer in https.
const PROBE: Duration = Duration::from_secs(3);

/// How much of an answer is read that is no blob, in bytes.
const LARGEST_TEXT: u64 = 4 << 20;

impl Registry {
    /// Gets ready to speak to the registry of a reference. `scopes` are what is to be done, as
    /// tokens have it.
    pub fn connect(
        reference: &Reference,
        scopes: Vec<String>,
        roots: &RootCerts,
    ) -> Result<Registry> {
        let agent = |patience: Duration| -> Agent {
            let mut config = Agent::config_builder()
                .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
                .http_status_as_error(false)
                .user_agent(concat!("nyala/", env!("CARGO_PKG_VERSION")))
                .timeout_connect(Some(Duration::from_secs(20)))
                .timeout_per_read(Some(Duration::from_mins(1)))
                .timeout_per_write(Some(Duration::from_mins(1)))
                .timeout_recv_response(Some(patience))
                .redirect_auth_headers(RedirectAuthHeaders::SameHost);
            if reference.is_local() {
                // No proxy knows this machine by that name.
                config = config.proxy(None);
            }
            config.build().into()
        };
        let (agent, patient) = (agent(Duration::from_mins(1)), agent(Duration::from_mins(10)));
        let host = reference.host();
        let origin = match reference.scheme {
            Scheme::Http => format!("http://{host}"),
            Scheme::Usual if reference.is_local() => local_origin(&agent, reference)?,
            Scheme::Usual | Scheme::Https => format!("https://{host}"),
        };
        let access = Access::new(reference, origin.starts_with("http://"), scopes);
        let was_reached = Cell::new(false);
        Ok(Registry { agent, patient, origin, reference: reference.clone(), access, was_reached })
    }

    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The name of the registry.
    pub(super) fn name(&self) -> &str {
        &self.reference.registry
    }

    /// The address of something in the repository.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.origin, self.reference.repository)
    }

    /// Asks until there is an answer that is final: any status but 401 and those that may pass.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<Answer> {
        let mut tries = Tries::new(self.name(), call.what);
        let mut has_logged_in = false;
        loop {
            match self.send(&call.method, &call.url, &call.headers, call.body) {
                Ok(answer) if answer.status() == 401 => {
                    self.log_in(&answer, &mut has_logged_in)?;
                }
                Ok(answer) if may_pass(answer.status().as_u16()) => {
                    tries
                        .failed(&format!("answered {}", answer.status().as_u16()), Some(&answer))?;
                }
                Ok(answer) => return Ok(answer),
                Err(cause) => self.lost(&cause, &mut tries)?,
            }
        }
    }

    /// Does what 401 asks for, once for one request: whoever is refused with it then has no right.
    pub(super) fn log_in(&self, answer: &Answer, has_logged_in: &mut bool) -> Result<()> {
        let uri = answer.get_uri();
        if !self.is_own(&uri.to_string()) {
            // The password is the registry's, and not that of whom it sends on to.
            bail!(error::login_elsewhere(self.name(), uri.host().unwrap_or_default()));
        }
        if std::mem::replace(has_logged_in, true) {
            let shown = self.access.authorization().unwrap_or_default();
            bail!(match credentials::find(&self.reference)? {
                None => error::needs_login(self.name(), &credentials::files()),
                Some(Credentials::RegistryToken(_)) => error::wrong_token(self.name()),
                // Whoever got a token has the right password.
                Some(_) if shown.starts_with("Bearer ") => {
                    let repository = &self.reference.repository;
                    error::no_right(self.name(), &format!("into {repository}"), "")
                }
                Some(_) => error::wrong_password(self.name()),
            });
        }
        self.access.answer(&self.agent, answer)
    }

    /// Waits after a failure of the connection, or fails for good.
    pub(super) fn lost(&self, cause: &ureq::Error, tries: &mut Tries<'_>) -> Result<()> {
        let text = in_words(cause);
        if is_about_certificates(&text) {
            bail!(error::not_trusted(self.name(), &text));
        }
        if !self.was_reached.get() && is_about_tls(cause, &text) {
            bail!(error::no_tls(self.name(), &text));
        }
        if is_final(cause) || !self.was_reached.get() && is_refused(cause) {
            bail!(error::unreachable(self.name(), &text));
        }
        if matches!(cause, ureq::Error::Timeout(_)) {
            // Each time has taken a minute or more.
            tries.failed += TRIES / 2 - 1;
        }
        tries.failed(&format!("cannot be reached ({text})"), None)
    }

    /// Asks for something, once.
    pub(super) fn get(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, ureq::Error> {
        self.send(&Method::GET, url, headers, &[])
    }

    /// The same with a method and a body, wherever the registry sends it on to.
    fn send(
        &self,
        method: &Method,
        url: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let send = |url: &str| self.send_once(&self.agent, method, url, headers, body);
        redirect::follow(url.to_owned(), |error| error, send)
    }

    fn send_once(
        &self,
        agent: &Agent,
        method: &Method,
        url: &str,
        headers: &[(&'static str, String)],
        body: impl AsSendBody,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // What is elsewhere, such as the store that a registry redirects to, gets no password.
        if let Some(authorization) = self.access.authorization().filter(|_| self.is_own(url)) {
            request = request.header("authorization", authorization);
        }
        // ureq would go on with another method, and without a password on the same host.
        let request = agent.configure_request(request.body(body)?).max_redirects(0).build();
        let answer = agent.run(request)?;
        self.was_reached.set(true);
        Ok(answer)
    }

    /// Whether an address is one of the registry itself.
    fn is_own(&self, url: &str) -> bool {
        redirect::origin(url).is_some_and(|origin| Some(origin) == redirect::origin(&self.origin))
    }

    /// Sends so many bytes of a reader, once; what answers may send it on.
    pub(super) fn send_from(
        &self,
        method: &Method,
        url: &str,
        mut headers: Vec<(&'static str, String)>,
        from: &mut dyn Read,
        length: u64,
    ) -> Result<Answer, ureq::Error> {
        headers.push(("content-length", length.to_string()));
        headers.push(("content-type", "application/octet-stream".to_owned()));
        self.send_once(&self.patient, method, url, &headers, SendBody::from_reader(from))
    }

    /// What a refusal means; `what` is what was to be done, such as `push to shop/web`.
    pub(super) fn refusal(&self, mut answer: Answer, what: &str) -> anyhow::Error {
        // One that broke off is a refusal all the same.
        let said = said(&text_of(&mut answer).unwrap_or_default());
        match answer.status().as_u16() {
            401 | 403 => error::no_right(self.name(), what, &said).into(),
            status => {
                error::refused(self.name(), &format!("the try to {what}"), status, &said).into()
            }
        }
    }
}

/// The tries of one thing, and the pauses between them.
pub(super) struct Tries<'r> {
    /// The name of the registry.
    name: &'r str,
    what: &'r str,
    failed: u32,
}

impl<'r> Tries<'r> {
    pub(super) fn new(name: &'r str, what: &'r str) -> Tries<'r> {
        Tries { name, what, failed: 0 }
    }

    /// Starts to count again, once something went on.
    pub(super) fn went_on(&mut self) {
        self.failed = 0;
    }

    /// Waits before the next try, or fails after the last. `cause` says what the registry did.
    pub(super) fn failed(&mut self, cause: &str, answer: Option<&Answer>) -> Result<()> {
        self.failed += 1;
        let name = self.name;
        if self.failed >= TRIES {
            bail!(error::gave_up(name, self.what, cause, self.failed));
        }
        let wanted = answer.and_then(|answer| answer.headers().get("retry-after"));
        let wanted = wanted.and_then(|header| pause(header.to_str().ok()?, Timestamp::now()));
        let pause = wanted.unwrap_or(FIRST_PAUSE * 2_u32.pow(self.failed - 1));
        if pause > LONGEST_PAUSE {
            bail!(error::too_long_a_pause(name, pause));
        }
        let pause_in_words = duration(pause);
        console::info(format_args!("{name} {cause}; trying again in {pause_in_words}."));
        sleep(pause);
        Ok(())
    }
}

/// The pause that a header `Retry-After` asks for, in seconds or until a moment. See section 10.2.3
/// of <https://www.rfc-editor.org/rfc/rfc9110>.
fn pause(wanted: &str, now: Timestamp) -> Option<Duration> {
    let wanted = wanted.trim();
    let seconds = wanted.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| {
        let moment = DateTimeParser::new().parse_timestamp(wanted).ok()?;
        Some(Duration::try_from(moment.duration_since(now)).unwrap_or_default())
    })
}

/// Whether what is answered now may be answered otherwise later; from 520 on, a proxy of Cloudflare
/// says so of the registry behind it.
pub(super) fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=524)
}

/// `https`, or `http` where nothing on this machine speaks `https`, as Docker does it.
fn local_origin(agent: &Agent, reference: &Reference) -> Result<String> {
    let host = reference.host();
    // What waits for the end of a line answers no greeting of TLS.
    let request = agent.get(format!("https://{host}/v2/"));
    match request.config().timeout_global(Some(PROBE)).build().call() {
        Ok(_) => Ok(format!("https://{host}")),
        Err(cause) => {
            let text = in_words(&cause);
            if is_about_certificates(&text) {
                bail!(error::not_trusted(&reference.registry, &text));
            }
            if is_refused(&cause) || matches!(cause, ureq::Error::HostNotFound) {
                bail!(error::unreachable(&reference.registry, &text));
            }
            Ok(format!("http://{host}"))
        }
    }
}

fn is_refused(cause: &ureq::Error) -> bool {
    matches!(cause, ureq::Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused)
}

/// Whether it is the same at the next try: the address is wrong.
pub(super) fn is_final(cause: &ureq::Error) -> bool {
    use ureq::Error::{BadUri, HostNotFound, TooManyRedirects};
    matches!(cause, HostNotFound | BadUri(_) | TooManyRedirects)
}

/// Whether the other side has a certificate that is not believed. The types of rustls are not part
/// of ureq's interface.
pub(super) fn is_about_certificates(text: &str) -> bool {
    text.contains("certificate")
}

fn is_about_tls(cause: &ureq::Error, text: &str) -> bool {
    matches!(cause, ureq::Error::Tls(_) | ureq::Error::Rustls(_))
        || text.contains("corrupt message")
}

pub(super) fn in_words(cause: &ureq::Error) -> String {
    let text = cause.to_string();
    excerpt(text.strip_prefix("io: ").unwrap_or(&text))
}

/// The text of an answer. It fails where the connection breaks off.
pub(super) fn text_of(answer: &mut Answer) -> io::Result<String> {
    let mut bytes = Vec::new();
    answer.body_mut().as_reader().take(LARGEST_TEXT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What an answer says of itself: `CODE: message`, as registries have it, or its first line.
pub(super) fn said(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let errors = json["errors"].as_array().into_iter().flatten();
    let errors: Vec<_> = errors
        .filter_map(|error| {
            let (code, message) = (error["code"].as_str()?, error["message"].as_str());
            Some(message.map_or(code.to_owned(), |message| format!("{code}: {message}")))
        })
        .collect();
    let text = if errors.is_empty() { text.trim().to_owned() } else { errors.join("; ") };
    excerpt(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_wanted_in_seconds_or_until_a_moment() {
        let now = "2026-11-27T12:00:00Z".parse().unwrap();
        let seconds = |wanted: &str| pause(wanted, now).map(|pause| pause.as_secs());
        assert_eq!(seconds(" 30 "), Some(30));
        assert_eq!(seconds("Fri, 27 Nov 2026 12:01:30 GMT"), Some(90));
        assert_eq!(seconds("Fri, 27 Nov 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn what_a_registry_says_is_one_line() {
        let json = r#"{"errors": [{"code": "DENIED", "message": "no\u001b[2J"}, {"code": "X"}]}"#;
        assert_eq!(said(json), "DENIED: no\\u{1b}[2J; X");
        assert_eq!(said("<html>\n<body>"), "<html>");
        assert_eq!(said(""), "");
    }
}
