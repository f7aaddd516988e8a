//! Which headers pass, in both directions: RFC 9110, section 7.6, and what a visitor must not say.

use std::net::IpAddr;

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, StatusCode, Version};

/// The most that all headers of a request may have, in bytes.
const LARGEST_HEAD: usize = 32 << 10;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that speak of one connection.
const HOP_BY_HOP: [&str; 6] = [
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
];

/// What else a visitor cannot say, unless trusted: the application would believe it.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"];

/// The status that a request is refused with, and why; `None` when it may pass.
///
/// What two servers could read differently is refused, so that no request hides in another one.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    if request.method() == Method::CONNECT {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not allowed"));
    }
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Some((StatusCode::BAD_REQUEST, "more than one Host")),
        (None, None) if request.version() >= Version::HTTP_11 && request.uri().host().is_none() => {
            return Some((StatusCode::BAD_REQUEST, "no Host"));
        }
        (Some(host), None) if !is_host(host) => {
            return Some((StatusCode::BAD_REQUEST, "not a valid Host"));
        }
        _ => {}
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next() {
        let is_chunked = encoding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if !is_chunked || encodings.next().is_some() {
            return Some((StatusCode::NOT_IMPLEMENTED, "the only Transfer-Encoding is chunked"));
        }
        if headers.contains_key(CONTENT_LENGTH) {
            return Some((StatusCode::BAD_REQUEST, "Content-Length beside Transfer-Encoding"));
        }
    }
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size + request.uri().path().len() > LARGEST_HEAD {
        return Some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large"));
    }
    None
}

fn is_host(host: &HeaderValue) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]%~".contains(byte);
    !host.is_empty() && host.as_bytes().iter().all(allowed)
}

/// Whether a request or an answer changes its connection to a websocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let wants =
        headers.get(UPGRADE).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"));
    wants && listed(headers).any(|name| name.eq_ignore_ascii_case("upgrade"))
}

/// For whom a request is forwarded.
pub(super) struct Visitor {
    /// `None` behind a unix socket.
    pub(super) address: Option<IpAddr>,
    /// Whether what it says of others is believed: another proxy of this machine or of the site's.
    pub(super) is_trusted: bool,
}

/// Makes the headers of a request those that the application gets.
pub(super) fn to_application(
    headers: &mut HeaderMap,
    authority: Option<&str>,
    visitor: &Visitor,
    id: &dyn Fn() -> String,
) {
    let is_websocket = is_websocket(headers);
    remove_hop_by_hop(headers);
    headers.remove(EXPECT);
    // Many servers make X_A of both X-A and X_A: RFC 3875, section 4.1.18.
    let underscored: Vec<_> =
        headers.keys().filter(|name| name.as_str().contains('_')).cloned().collect();
    for name in underscored {
        headers.remove(name);
    }
    if is_websocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    // A request for a whole address has its host from there: RFC 9112, section 3.2.2.
    if let Some(host) = authority.and_then(|authority| HeaderValue::from_str(authority).ok()) {
        headers.insert(HOST, host);
    }
    if !visitor.is_trusted {
        for name in FORWARDED {
            headers.remove(name);
        }
        headers.remove(FORWARDED_FOR);
        headers.remove(FORWARDED_PROTO);
        headers.remove(FORWARDED_HOST);
        headers.remove(REQUEST_ID);
    }
    if let Some(address) = visitor.address {
        let before: Vec<_> = headers.get_all(FORWARDED_FOR).iter().map(text).collect();
        let all = before.into_iter().chain([address.to_string()]).collect::<Vec<_>>().join(", ");
        set(headers, FORWARDED_FOR, &all);
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        set(headers, FORWARDED_PROTO, "http");
    }
    if !headers.contains_key(FORWARDED_HOST)
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(FORWARDED_HOST, host);
    }
    if !headers.contains_key(REQUEST_ID) {
        set(headers, REQUEST_ID, &id());
    }
}

/// Makes the headers of an answer those that the visitor gets.
pub(super) fn to_visitor(headers: &mut HeaderMap, is_websocket: bool) {
    remove_hop_by_hop(headers);
    if is_websocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<String> = listed(headers).map(str::to_owned).collect();
    for name in named.iter().map(String::as_str).chain(HOP_BY_HOP) {
        // What says where a body ends, and for whom the request is, is not of one connection.
        let is_framing = ["content-length", "host"].iter().any(|it| name.eq_ignore_ascii_case(it));
        if !is_framing && let Ok(name) = HeaderName::try_from(name) {
            headers.remove(name);
        }
    }
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

/// What `Connection` names.
fn listed(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::get("/").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request
    }

    fn forwarded(headers: &[(&'static str, &'static str)], is_trusted: bool) -> HeaderMap {
        let mut headers = request(headers).headers().clone();
        let visitor = Visitor { address: Some("192.0.2.7".parse().unwrap()), is_trusted };
        to_application(&mut headers, None, &visitor, &|| "id".to_owned());
        headers
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        let status = |headers: &[(&'static str, &'static str)]| {
            refusal(&request(headers)).map(|(status, _)| status.as_u16())
        };
        assert_eq!(status(&[("host", "a")]), None);
        assert_eq!(status(&[]), Some(400));
        assert_eq!(status(&[("host", "a"), ("host", "b")]), Some(400));
        assert_eq!(status(&[("host", "a/b")]), Some(400));
        assert_eq!(status(&[("host", "")]), Some(400));
        assert_eq!(status(&[("host", "a"), ("transfer-encoding", "chunked")]), None);
        for encoding in ["gzip, chunked", "xchunked", "identity", "chunked, chunked"] {
            assert_eq!(status(&[("host", "a"), ("transfer-encoding", encoding)]), Some(501));
        }
        let both = [("host", "a"), ("transfer-encoding", "chunked"), ("content-length", "3")];
        assert_eq!(status(&both), Some(400));
        let large = Box::leak("x".repeat(LARGEST_HEAD).into_boxed_str());
        assert_eq!(status(&[("host", "a"), ("cookie", large)]), Some(431));
        let mut connect = request(&[("host", "a")]);
        *connect.method_mut() = Method::CONNECT;
        assert_eq!(refusal(&connect).map(|(status, _)| status.as_u16()), Some(405));
    }

    #[test]
    fn a_visitor_does_not_say_for_whom_the_request_is() {
        let said =
            [("host", "shop"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")];
        let headers = forwarded(&said, false);
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "shop");
        assert_eq!(headers["x-request-id"], "id");
        let headers = forwarded(&said, true);
        assert_eq!(headers["x-forwarded-for"], "1.2.3.4, 192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "https");
    }

    #[test]
    fn headers_of_one_connection_do_not_pass() {
        let headers = forwarded(
            &[
                ("host", "a"),
                ("connection", "close, X-Mine, content-length"),
                ("x-mine", "1"),
                ("content-length", "3"),
                ("keep-alive", "5"),
                ("te", "trailers"),
                ("expect", "100-continue"),
                ("upgrade", "h2c"),
                ("x_forwarded_for", "1.2.3.4"),
            ],
            true,
        );
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        let expected = [
            "host",
            "content-length",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-request-id",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn only_websockets_change_a_connection() {
        let websocket =
            [("host", "a"), ("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        let headers = forwarded(&websocket, false);
        assert_eq!(
            (headers["connection"].as_bytes(), headers["upgrade"].as_bytes()),
            (&b"upgrade"[..], &b"websocket"[..])
        );
        assert!(!is_websocket(request(&[("upgrade", "websocket")]).headers()));
    }
}
