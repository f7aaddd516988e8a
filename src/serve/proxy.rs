//! Hands each request of a visitor to what is live, and its answer back.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER,
};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use tokio::time::{Instant, sleep};

use super::backend::InFlight;
use super::body::{Answer, Fault, Limits, Outgoing};
use super::headers::{self, Visitor};
use super::served::Served;
use super::websocket;
use crate::hex::hex;
use crate::text::excerpt;

/// How long nothing may come of a body that is wanted. nginx waits for as long.
const SILENCE: Duration = Duration::from_mins(1);

/// How often a request is sent anew that was not sent at all.
const TRIES: usize = 3;

/// The pause before it is tried again to connect to a process that should be there.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Answers a request on a connection of a visitor, which `is_upgraded` when that changes it to
/// another protocol.
pub(super) async fn answer_on(
    site: &Rc<Served>,
    address: Option<(IpAddr, HeaderValue)>,
    request: Request<Incoming>,
    is_upgraded: &AtomicBool,
) -> Response<Answer> {
    let begun = Instant::now();
    let mut answer = if let Some(page) = site.maintenance() {
        maintenance(page)
    } else {
        let answer = answer(site, address, begun, request).await;
        site.count(answer.status(), begun);
        answer
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        is_upgraded.store(true, Ordering::Relaxed);
    } else if site.is_closing() {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

async fn answer(
    site: &Rc<Served>,
    address: Option<(IpAddr, HeaderValue)>,
    begun: Instant,
    mut request: Request<Incoming>,
) -> Response<Answer> {
    if let Some((status, why)) = headers::refusal(&request) {
        return text(status, why);
    }
    let run = site.run();
    let length =
        request.headers().get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > run.max_body) {
        return text(Fault::TooLarge.status(), Fault::TooLarge.why());
    }
    let is_websocket = headers::is_websocket(request.version(), request.headers());
    let visitors = is_websocket.then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    let is_trusted =
        |address: &IpAddr| address.is_loopback() || run.trusted_proxies.contains(address);
    let visitor = Visitor {
        is_trusted: address.as_ref().is_none_or(|(address, _)| is_trusted(address)),
        address: address.map(|(_, text)| text),
    };
    let mut host = parts.uri.authority().map(ToString::to_string);
    // HTTP/1.0 knows no Host, and the version that the application gets has to have one.
    if host.is_none() && !parts.headers.contains_key(HOST) {
        host = Some(run.host());
    }
    let host = host.as_deref();
    headers::to_application(&mut parts.headers, host, is_websocket, visitor, request_id);
    // The application is asked for a path, in the version that it knows.
    parts.uri = parts.uri.path_and_query().map_or_else(Uri::default, |it| Uri::from(it.clone()));
    parts.version = Version::HTTP_11;
    let fault = Rc::default();
    let limits = Limits { size: run.max_body, silence: SILENCE };
    let body = Outgoing::of(body, limits, Rc::clone(&fault));
    match forward(site, begun, parts, body, &fault, visitors).await {
        Ok(answer) => answer,
        Err(Failed::Visitor(fault)) => text(fault.status(), fault.why()),
        Err(Failed::Down) => {
            let mut answer =
                text(StatusCode::SERVICE_UNAVAILABLE, "the application is not running");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            answer
        }
        Err(Failed::Broken) => text(StatusCode::BAD_GATEWAY, "the application did not answer"),
        Err(Failed::Invalid) => {
            text(StatusCode::BAD_GATEWAY, "the application gave no valid answer")
        }
    }
}

/// Why there is no answer of the application.
enum Failed {
    /// No process of it takes requests.
    Down,
    /// It broke off.
    Broken,
    /// What it answered cannot be passed on.
    Invalid,
    /// The body of the request did not come to its end.
    Visitor(Fault),
}

/// Sends a request to what is live, and returns its answer.
///
/// What was not sent at all is sent again. What was sent and got no head of an answer is sent once
/// more if it may be repeated (RFC 9110, section 9.2.2) and has no body; nothing else ever is.
async fn forward(
    site: &Rc<Served>,
    begun: Instant,
    parts: Parts,
    body: Outgoing,
    fault: &Cell<Option<Fault>>,
    visitors: Option<OnUpgrade>,
) -> Result<Response<Answer>, Failed> {
    site.pause_is_over().await;
    let deadline = Instant::now() + site.run().hold;
    let may_repeat = matches!(body, Outgoing::Empty) && is_idempotent(&parts.method);
    let head = may_repeat.then(|| parts.clone());
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let mut request = Request::from_parts(parts, body);
    let mut fresh = false;
    let mut unsent = 0;
    let is_repeated = Cell::new(false);
    loop {
        let mut in_flight = site.live_release(deadline).await.ok_or(Failed::Down)?;
        let backend = Rc::clone(in_flight.backend());
        let mut sender = match backend.connection(fresh).await {
            Ok(sender) => sender,
            // It has just ended, and nobody has noticed yet; or it has too many connections.
            Err(error) if Instant::now() + CONNECT_PAUSE < deadline => {
                tracing::debug!("cannot connect to {}: {error}", backend.process.spec.label());
                drop(in_flight);
                sleep(CONNECT_PAUSE).await;
                continue;
            }
            Err(_) => return Err(Failed::Down),
        };
        fresh = true;
        let (failed, why) = match sender.try_send_request(request).await {
            Ok(answer) => {
                in_flight.is_answered_on(sender);
                let status = answer.status();
                match pass_on(answer, in_flight, visitors) {
                    Ok(answer) => {
                        backend.count(status, begun.elapsed());
                        return Ok(answer);
                    }
                    Err(why) => (Failed::Invalid, format!("no valid answer: {why}")),
                }
            }
            Err(mut error) => {
                // The application did nothing wrong, and its answers are not counted.
                if let Some(fault) = fault.get() {
                    return Err(Failed::Visitor(fault));
                }
                let again = match error.take_message() {
                    Some(again) if unsent < TRIES => {
                        unsent += 1;
                        Some(again)
                    }
                    Some(_) => None,
                    None => head
                        .clone()
                        .filter(|_| !is_repeated.replace(true))
                        .map(|head| Request::from_parts(head, Outgoing::Empty)),
                };
                let cause = error.error();
                tracing::debug!("{} broke off: {cause}", backend.process.spec.label());
                if let Some(again) = again {
                    request = again;
                    continue;
                }
                failed(cause)
            }
        };
        // What follows the path may be secret.
        let path = excerpt(uri.path());
        backend.process.say(&format!("{method} {path} got {why}"));
        backend.count(StatusCode::BAD_GATEWAY, begun.elapsed());
        return Err(failed);
    }
}

/// What became of a request that got no answer from hyper, and why.
fn failed(cause: &hyper::Error) -> (Failed, String) {
    if cause.is_parse_too_large() {
        // hyper's own limits: `DEFAULT_MAX_HEADERS` and `DEFAULT_MAX_BUFFER_SIZE`.
        let why = "no valid answer: it has more than 100 headers, or more than 408 KiB of them";
        (Failed::Invalid, why.to_owned())
    } else if cause.is_parse() {
        (Failed::Invalid, format!("no valid answer: what it sent is not valid HTTP ({cause})"))
    } else {
        (Failed::Broken, format!("no answer: {cause}"))
    }
}

/// The answer for the visitor; the reason where it cannot be passed on.
fn pass_on(
    mut answer: Response<Incoming>,
    in_flight: InFlight,
    visitors: Option<OnUpgrade>,
) -> Result<Response<Answer>, String> {
    if let Some(encoding) = headers::foreign_encoding(answer.headers()) {
        let encoding = excerpt(&String::from_utf8_lossy(encoding.as_bytes()));
        return Err(format!("its Transfer-Encoding is not chunked, but {encoding}"));
    }
    // The version of an answer is that of whoever sends it on: RFC 9110, section 2.5. Visitors do
    // not keep their connection for one of HTTP/1.0.
    *answer.version_mut() = Version::HTTP_11;
    let switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    headers::to_visitor(answer.headers_mut(), switches);
    if switches {
        let applications = hyper::upgrade::on(&mut answer);
        let Some(visitors) = visitors else {
            return Err("it changes the protocol unasked".to_owned());
        };
        websocket::relay(visitors, applications, in_flight);
        return Ok(answer.map(|_| Answer::Text(None)));
    }
    Ok(answer.map(|body| Answer::Applications { body, _in_flight: in_flight }))
}

/// An id for a request that has none. It says nothing of the machine or the site.
fn request_id() -> HeaderValue {
    let random = || RandomState::new().build_hasher().finish().to_be_bytes();
    HeaderValue::from_str(&hex(&[random(), random()].concat()))
        .unwrap_or(HeaderValue::from_static("-"))
}

/// RFC 9110, section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE]
        .contains(method)
}

/// What visitors get in place of all answers. It is not counted.
fn maintenance(page: Bytes) -> Response<Answer> {
    let mut answer = Response::new(Answer::Text(Some(page)));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("120"));
    answer
}

fn text(status: StatusCode, text: &str) -> Response<Answer> {
    let body = Bytes::from(format!("{} {text}\n", status.as_u16()));
    let mut answer = Response::new(Answer::Text(Some(body)));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}
