//! What is secret in URLs.

use std::ops::Range;

/// What stands in a secret's place.
pub const STARS: &str = "****";

/// A URL with credentials in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Where its scheme begins.
    pub scheme: usize,
    /// What stands before the @ of its host.
    pub user: Range<usize>,
}

/// Finds `scheme://user:password@host`, and `scheme://user@host`, where the user may be a token.
/// Over ssh a lone user (`git@`) is no secret: what opens the door is a key.
///
/// A password may have signs in it that should have been escaped: what follows the first colon is
/// one when it is no port, and goes on to the last @ of the word. A URL may have another one in its
/// path: that is how one names what a proxy fetches.
pub fn credentials(text: &[u8]) -> impl Iterator<Item = Credentials> {
    let mut done = 0;
    let mut without_at = 0;
    memchr::memmem::find_iter(text, b"://").filter_map(move |colon| {
        let start = colon + 3;
        if colon < done {
            return None;
        }
        let end_of = |ends: fn(&u8) -> bool, from: usize| {
            text[from..].iter().position(ends).map_or(text.len(), |length| from + length)
        };
        let end = end_of(|byte| byte.is_ascii_whitespace() || b"/?#".contains(byte), start);
        let authority = &text[start..end];
        let at = memchr::memrchr(b'@', authority).map(|at| start + at).or_else(|| {
            if !has_password_for_port(authority) || start < without_at {
                return None;
            }
            let end = end_of(u8::is_ascii_whitespace, end);
            let at = memchr::memrchr(b'@', &text[start..end]).map(|at| start + at);
            // However many there are in one word, it is gone through once.
            without_at = if at.is_none() { end } else { 0 };
            at
        })?;
        let user = start..at;
        let over_ssh = ends_with_ssh(&text[..colon]);
        if user.is_empty() || (over_ssh && !text[user.clone()].contains(&b':')) {
            return None;
        }
        done = user.end;
        let scheme = text[..colon]
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(byte))
            .count();
        Some(Credentials { scheme: colon - scheme, user })
    })
}

fn ends_with_ssh(scheme: &[u8]) -> bool {
    scheme.last_chunk::<3>().is_some_and(|end| end.eq_ignore_ascii_case(b"ssh"))
}

/// Whether what stands where a host and its port belong has no port after the colon.
fn has_password_for_port(authority: &[u8]) -> bool {
    let is_plain = !authority.starts_with(b"[") && !authority.contains(&b'@');
    memchr::memchr(b':', authority).filter(|_| is_plain).is_some_and(|colon| {
        // A quotation mark at the end belongs to the line around the URL.
        let port = &authority[colon + 1..];
        let quotes = port.iter().rev().take_while(|byte| b"\"'".contains(byte)).count();
        !port[..port.len() - quotes].iter().all(u8::is_ascii_digit)
    })
}

/// What opens the door in a URL: the password of each that has one, as it is written there and as
/// whoever connects decodes it, also behind its user, as in a header. Only over HTTP a lone user is
/// a token; that of a database has a name.
pub fn passwords(text: &str) -> Vec<String> {
    let mut passwords = Vec::new();
    for url in credentials(text.as_bytes()) {
        let Some(user) = text.get(url.user.clone()) else { continue };
        let is_http = text.get(url.scheme..url.user.start).is_some_and(|it| it.contains("http"));
        let token = is_http.then_some(user);
        if let Some(password) = user.split_once(':').map(|(_, password)| password).or(token) {
            passwords.extend([password.to_owned(), percent_decoded(password)]);
            if token != Some(password) {
                passwords.push(percent_decoded(user));
            }
        }
    }
    passwords
}

/// `text`, which is a line of somebody's file, with the credentials of every URL in it replaced by
/// `****`, also of one that is broken off before its host.
pub fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for url in credentials(text.as_bytes()) {
        shown.push_str(&without_cut_passwords(&text[done..url.user.start]));
        shown.push_str(STARS);
        done = url.user.end;
    }
    shown + &without_cut_passwords(&text[done..])
}

/// A URL without who asks, so that it can be typed or compared.
pub fn without_user(url: &str) -> String {
    let user = credentials(url.as_bytes()).next().map(|found| found.user);
    user.map_or(url.to_owned(), |user| format!("{}{}", &url[..user.start], &url[user.end + 1..]))
}

/// [`without_credentials`], and without what follows a `?` in a URL: that is where signatures and
/// tokens are kept.
pub fn without_secrets(text: &str) -> String {
    by_words(&without_credentials(text), without_query)
}

/// A text in which no URL has a password before an @, without what stands in place of a port
/// and is none.
fn without_cut_passwords(text: &str) -> String {
    by_words(text, |word| {
        let broken_off = word.match_indices("://").find_map(|(at, _)| {
            let authority = word[at + 3..].split(['/', '?', '#']).next()?;
            let is_broken_off = has_password_for_port(authority.as_bytes());
            is_broken_off.then(|| at + 3 + authority.find(':').unwrap_or_default())
        });
        broken_off.map_or(word.to_owned(), |colon| format!("{}:{STARS}", &word[..colon]))
    })
}

/// A URL ends where white space begins.
fn by_words(text: &str, act: impl Fn(&str) -> String) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    words
        .map(|word| {
            let url = word.trim_end_matches(char::is_whitespace);
            act(url) + &word[url.len()..]
        })
        .collect()
}

/// A word without what follows the first `?` of a URL in it, up to its fragment.
fn without_query(word: &str) -> String {
    let Some((scheme, url)) = word.split_once("://") else { return word.to_owned() };
    let Some((path, query)) = url.split_once('?') else { return word.to_owned() };
    // A quotation mark at the end belongs to the line around the URL.
    let end = query.find('#').unwrap_or_else(|| query.trim_end_matches(['"', '\'']).len());
    format!("{scheme}://{path}?{STARS}{}", &query[end..])
}

/// Scheme and host of a URL, for one whose path may be a secret too.
pub fn scheme_and_host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{}", host.escape_debug())
}

/// The text that a percent-encoded one stands for (RFC 3986). A percent sign without two
/// hexadecimal digits after it stays as it is, and what is not UTF-8 then is replaced.
pub fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = match after {
            [high, low, ..] if *first == b'%' => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        decoded.push(byte.map_or(*first, |(high, low)| high << 4 | low));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The text as it may stand anywhere in a URL: all but letters, digits and `-._~` is escaped.
pub fn percent_encoded(text: impl AsRef<[u8]>) -> String {
    let bytes = text.as_ref();
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked() {
        for (text, masked) in [
            ("https://user:pass@host/x", "https://****@host/x"),
            ("https://token@host", "https://****@host"),
            ("--index-url=https://u:p@h/s --pre", "--index-url=https://****@h/s --pre"),
            ("https://u:p@ss@host/x", "https://****@host/x"),
            ("-i 'https://u:p'w@host/x'", "-i 'https://****@host/x'"),
            ("https://u:p/ss@host/x", "https://****@host/x"),
            ("https://u:p#s?s@host/x", "https://****@host/x"),
            ("https://u:${TOKEN}@host/x", "https://****@host/x"),
            ("a @ git+https://t@h/r.git@main", "a @ git+https://****@h/r.git@main"),
            ("https://a:b@c https://d:e@f", "https://****@c https://****@f"),
            ("https://user:pass", "https://user:****"),
            ("git+ssh://git:pw@host/r", "git+ssh://****@host/r"),
            ("https://proxy/https://u:p@host/x", "https://proxy/https://****@host/x"),
        ] {
            assert_eq!(without_credentials(text), masked, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "git+ssh://git@github.com/a/b.git@main",
            "git+git@github.com:a/b.git",
            "https://host:8080/a@b/c",
            "-i 'https://host:80'",
            "http://[::1]:8080/simple",
            "a @ https://host/a.zip",
            "file:///srv/@scope/x",
            "flask==3.0",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }

    #[test]
    fn a_query_is_hidden_but_not_the_hash_after_it() {
        assert_eq!(
            without_secrets("https://h/a.whl?sig=abc#sha256=00"),
            "https://h/a.whl?****#sha256=00"
        );
        assert_eq!(without_secrets("https://h/a?u=https://x:y@z b?c"), "https://h/a?**** b?c");
    }

    #[test]
    fn a_password_is_known_as_it_is_written_and_decoded() {
        let found = passwords("postgres://u:p%40ss%2fw%rd@h/x");
        assert_eq!(found, ["p%40ss%2fw%rd", "p@ss/w%rd", "u:p@ss/w%rd"]);
        assert_eq!(passwords("https://t%6fken@h/"), ["t%6fken", "token"]);
        assert_eq!(passwords("postgres://user@h/"), Vec::<String>::new());
    }

    #[test]
    fn only_the_host_is_shown() {
        assert_eq!(
            scheme_and_host("https://u:p@hooks.example.org:8443/T0/secret?x=1"),
            "https://hooks.example.org:8443"
        );
        assert_eq!(scheme_and_host("http://localhost"), "http://localhost");
    }

    #[test]
    fn a_password_with_signs_that_should_be_escaped_goes_up_to_the_host() {
        let found = |text: &str| {
            let urls = credentials(text.as_bytes());
            urls.map(|url| text[url.user].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("postgres://u:p/s#s?@h/x"), ["u:p/s#s?"]);
        assert_eq!(found("a https://u:p/s@h b@c"), ["u:p/s"]);
        assert_eq!(
            found("https://p:x/https://u:p@h/https://v:w@h"),
            ["p:x/https://u:p@h/https://v:w"]
        );
        for harmless in
            ["http://h:80/a@b", "http://h:x, a@b", "http://[::1]:x/a@b", "ssh://git@h:a/b@c"]
        {
            assert_eq!(found(harmless), Vec::<String>::new(), "{harmless}");
        }
    }

    #[test]
    fn a_word_full_of_urls_is_gone_through_once() {
        let text = "x://a:b/".repeat(200_000);
        assert_eq!(credentials(text.as_bytes()).count(), 0);
    }
}
