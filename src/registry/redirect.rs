//! Where a registry sends a request on to, such as the store that has its blobs.

use ureq::ResponseExt;
use ureq::http::Uri;

use super::http::Answer;

/// How often one request is sent on.
const MOST: usize = 10;

/// The answer to a request that is sent to an address, and wherever that sends it on to.
pub(super) fn follow<E>(
    mut url: String,
    failed: impl FnOnce(ureq::Error) -> E,
    mut send: impl FnMut(&str) -> Result<Answer, E>,
) -> Result<Answer, E> {
    for _ in 0..MOST {
        let answer = send(&url)?;
        match next(&answer) {
            Some(next) => url = next,
            None => return Ok(answer),
        }
    }
    Err(failed(ureq::Error::TooManyRedirects))
}

/// The address that an answer sends a request on to, with its method and its body: what registries
/// mean by any of these, although browsers ask with GET after some.
fn next(answer: &Answer) -> Option<String> {
    let is_redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if is_redirect { location(answer) } else { None }
}

/// The address that the header `Location` of an answer means.
pub(super) fn location(answer: &Answer) -> Option<String> {
    let location = answer.headers().get("location")?.to_str().ok()?;
    Some(resolved(&answer.get_uri().to_string(), location))
}

/// An address as it is meant beside the one that was asked, see section 5.2 of
/// <https://www.rfc-editor.org/rfc/rfc3986>.
fn resolved(asked: &str, location: &str) -> String {
    let asked = asked.split('?').next().unwrap_or(asked);
    let scheme_end = asked.find("://").unwrap_or(0);
    let path_start = asked[scheme_end..].match_indices('/').nth(2);
    let path_start = path_start.map_or(asked.len(), |(at, _)| scheme_end + at);
    let is_scheme = |text: &str| text.bytes().all(|it| it.is_ascii_alphanumeric());
    match location {
        _ if location.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) => {
            location.to_owned()
        }
        _ if location.starts_with("//") => format!("{}:{location}", &asked[..scheme_end]),
        _ if location.starts_with('/') => format!("{}{location}", &asked[..path_start]),
        _ if location.starts_with('?') => format!("{asked}{location}"),
        _ => {
            let folder = asked[path_start..].rfind('/').map_or(path_start, |at| path_start + at);
            format!("{}/{location}", &asked[..folder])
        }
    }
}

/// Whom an address asks: scheme, host and port, in the one form that all spellings of them have.
pub(super) fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::{origin, resolved};

    #[test]
    fn an_origin_has_many_spellings() {
        let own = origin("https://r.example");
        for same in ["https://r.example/v2/", "HTTPS://R.example:443/?a", "https://r.example:443"] {
            assert_eq!(origin(same), own, "{same}");
        }
        for other in [
            "http://r.example/",
            "https://r.example:444/",
            "https://r.example.org/",
            "https://r.example@h/",
        ] {
            assert!(origin(other).is_some() && origin(other) != own, "{other}");
        }
        assert_eq!(origin("/v2/"), None);
    }

    #[test]
    fn an_address_is_beside_the_one_that_was_asked() {
        let asked = "https://r.example:5000/v2/shop/blobs/uploads/7?state=a/b";
        for (location, wanted) in [
            ("http://other/x?a=b", "http://other/x?a=b"),
            ("HTTPS://other/x", "HTTPS://other/x"),
            ("//other/x", "https://other/x"),
            ("/x?to=http://y/", "https://r.example:5000/x?to=http://y/"),
            ("8?to=http://y/", "https://r.example:5000/v2/shop/blobs/uploads/8?to=http://y/"),
            ("?state=b", "https://r.example:5000/v2/shop/blobs/uploads/7?state=b"),
        ] {
            assert_eq!(resolved(asked, location), wanted);
        }
        assert_eq!(resolved("http://r", "x"), "http://r/x");
    }
}
