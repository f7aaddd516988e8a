//! Which headers pass, in both directions: RFC 9110, section 7.6, and what a visitor must not say.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
    UPGRADE,
};
use hyper::{Method, Request, StatusCode, Version};

/// The most that all headers of a request may have, in bytes.
const LARGEST_HEAD: usize = 32 << 10;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that speak of one connection.
///
/// `Trailer` is one of them as well, but it says which headers come after a body, and those pass.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What a visitor cannot say, unless trusted: the application would believe it.
const FORWARDED: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// The status that a request is refused with, and why; `None` when it may pass.
///
/// What two servers could read differently is refused, so that no request hides in another one.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    if request.method() == Method::CONNECT {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not allowed"));
    }
    // A path, an address with its scheme, or `*` (RFC 9112, section 3.2); never `user:password@`.
    if let Some(authority) = request.uri().authority()
        && (request.uri().scheme().is_none() || !is_host(authority.as_str().as_bytes()))
    {
        return Some((StatusCode::BAD_REQUEST, "not a valid address"));
    }
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Some((StatusCode::BAD_REQUEST, "more than one Host")),
        (None, None) if request.version() >= Version::HTTP_11 && request.uri().host().is_none() => {
            return Some((StatusCode::BAD_REQUEST, "no Host"));
        }
        (Some(host), None) if !is_host(host.as_bytes()) => {
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
    let address = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if address > LARGEST_HEAD {
        return Some((StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size + address > LARGEST_HEAD {
        return Some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large"));
    }
    None
}

fn is_host(host: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]%~".contains(byte);
    !host.is_empty() && host.iter().all(allowed)
}

/// Whether a request changes its connection to a websocket. HTTP/1.0 cannot: RFC 9110, section 7.8.
pub(super) fn is_websocket(version: Version, headers: &HeaderMap) -> bool {
    let wants =
        headers.get(UPGRADE).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"));
    wants
        && version >= Version::HTTP_11
        && listed(headers).any(|name| name.eq_ignore_ascii_case("upgrade"))
}

/// How the body of an answer is encoded, if that cannot be passed on: its chunks are unpacked on
/// the way, and made anew, but nothing else of it is. Whoever reads it would take the one for the
/// other.
pub(super) fn foreign_encoding(headers: &HeaderMap) -> Option<&HeaderValue> {
    let is_known = |value: &HeaderValue| {
        let value = value.as_bytes().trim_ascii();
        value.eq_ignore_ascii_case(b"chunked") || value.eq_ignore_ascii_case(b"identity")
    };
    headers.get_all(TRANSFER_ENCODING).iter().find(|value| !is_known(value))
}

/// For whom a request is forwarded.
pub(super) struct Visitor {
    /// The address. `None` behind a unix socket.
    pub(super) address: Option<HeaderValue>,
    /// Whether what it says of others is believed: another proxy of this machine or of the site's.
    pub(super) is_trusted: bool,
}

/// Makes the headers of a request those that the application gets.
pub(super) fn to_application(
    headers: &mut HeaderMap,
    host: Option<&str>,
    is_websocket: bool,
    visitor: Visitor,
    id: impl Fn() -> HeaderValue,
) {
    let Visitor { address, is_trusted } = visitor;
    remove(headers, |name| {
        // Many servers make X_A of both X-A and X_A: RFC 3875, section 4.1.18.
        name == "expect" || name.contains('_') || (!is_trusted && FORWARDED.contains(&name))
    });
    if is_websocket {
        to_websocket(headers);
    }
    // A request for a whole address has its host from there: RFC 9112, section 3.2.2.
    if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
        headers.insert(HOST, host);
    }
    if let Some(address) = address {
        let before = headers.get_all(FORWARDED_FOR).iter();
        let all: Vec<_> = before.chain([&address]).map(HeaderValue::as_bytes).collect();
        let all = HeaderValue::from_bytes(&all.join(&b", "[..])).unwrap_or(address);
        headers.insert(FORWARDED_FOR, all);
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !headers.contains_key(FORWARDED_HOST)
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(FORWARDED_HOST, host);
    }
    if !headers.contains_key(REQUEST_ID) {
        headers.insert(REQUEST_ID, id());
    }
}

/// What comes after a body must not say either what a visitor cannot say: some servers put it
/// beside the headers.
pub(super) fn trailers_to_application(trailers: &mut HeaderMap) {
    remove(trailers, |name| name.contains('_') || FORWARDED.contains(&name));
}

/// Makes the headers of an answer those that the visitor gets.
pub(super) fn to_visitor(headers: &mut HeaderMap, is_websocket: bool) {
    // The length of a body in chunks is not what it says beside them: RFC 9112, section 6.3.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    remove(headers, |_| false);
    if is_websocket {
        to_websocket(headers);
    }
}

fn to_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Removes the headers that speak of one connection, and more: in one pass, which mostly finds
/// nothing.
fn remove(headers: &mut HeaderMap, is_more: impl Fn(&str) -> bool) {
    let named: Vec<String> = listed(headers).map(str::to_ascii_lowercase).collect();
    let is_gone = |name: &&HeaderName| {
        let name = name.as_str();
        // What says where a body ends, and for whom the request is, is not of one connection.
        let is_framing = ["content-length", "host"].contains(&name);
        HOP_BY_HOP.contains(&name)
            || (!is_framing && named.iter().any(|it| it == name))
            || is_more(name)
    };
    let gone: Vec<HeaderName> = headers.keys().filter(is_gone).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// What `Connection` names.
fn listed(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty())
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
        let is_websocket = is_websocket(Version::HTTP_11, &headers);
        let address = Some(HeaderValue::from_static("192.0.2.7"));
        let id = || HeaderValue::from_static("id");
        to_application(&mut headers, None, is_websocket, Visitor { address, is_trusted }, id);
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
        let at = |address: &str| {
            let mut request = request(&[("host", "a")]);
            *request.uri_mut() = address.parse().unwrap();
            refusal(&request).map(|(status, _)| status.as_u16())
        };
        for address in ["/x", "*", "http://b/x", "http://b:80", "https://[::1]:8000/"] {
            assert_eq!(at(address), None, "{address}");
        }
        assert_eq!(at(&format!("/?{}", "x".repeat(LARGEST_HEAD))), Some(414));
        let half = "x".repeat(LARGEST_HEAD / 2);
        assert_eq!(at(&format!("/?{half}")), None);
        for address in ["foo", "foo:80", "http://user:password@b/x", "http://user@b/"] {
            assert_eq!(at(address), Some(400), "{address}");
        }
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
        let is = |version, headers| is_websocket(version, request(headers).headers());
        assert!(is(Version::HTTP_11, &websocket));
        assert!(!is(Version::HTTP_10, &websocket));
        assert!(!is(Version::HTTP_11, &[("upgrade", "websocket")]));
    }

    #[test]
    fn only_chunks_are_passed_on_as_they_are_meant() {
        let is_foreign = |encodings: &[&'static str]| {
            let encodings: Vec<_> = encodings.iter().map(|it| ("transfer-encoding", *it)).collect();
            foreign_encoding(request(&encodings).headers()).is_some()
        };
        for known in [&[][..], &["chunked"], &[" Chunked "], &["identity"], &["chunked"; 2]] {
            assert!(!is_foreign(known), "{known:?}");
        }
        for foreign in [&["gzip, chunked"][..], &["gzip"], &["gzip", "chunked"], &[""]] {
            assert!(is_foreign(foreign), "{foreign:?}");
        }
    }
}
