//! Text from a commit, made fit to be shown and kept: without credentials, and with nothing
//! invisible.

pub(super) use crate::console::text::excerpt as shown;

const MASK: &str = "****";

/// `text` with the credentials of every URL in it replaced by `****`: what comes before the `@` of
/// its host.
///
/// A user name alone stays for ssh, where it is `git` and no secret.
pub(in crate::python) fn without_credentials(text: &str) -> String {
    mask(text, false)
}

/// The same, and what follows a `?` in a URL as well: that is where signatures and tokens are kept.
pub(in crate::python) fn without_secrets(text: &str) -> String {
    mask(text, true)
}

fn mask(text: &str, queries: bool) -> String {
    // A URL ends where white space begins.
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let url = word.trim_end_matches(char::is_whitespace);
            let space = &word[url.len()..];
            let masked = without_credentials_in(url);
            let masked = if queries { without_queries(&masked) } else { masked };
            masked + space
        })
        .collect()
}

/// A word without the credentials in it. A URL may have another one in its path: that is how one
/// names what a proxy fetches.
fn without_credentials_in(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        let ssh = before[..at].to_ascii_lowercase().ends_with("ssh");
        let (instead, host) = credentials(url, ssh);
        out.push_str(&instead);
        rest = &url[host..];
    }
    out.push_str(rest);
    out
}

/// The secret at the beginning of a URL whose scheme is cut off: what is shown in its place, and
/// where it ends.
fn credentials(url: &str, ssh: bool) -> (String, usize) {
    let authority = &url[..url.find('/').unwrap_or(url.len())];
    if authority.contains('@') {
        return match authority.rfind('@') {
            Some(at) if !ssh || authority[..at].contains(':') => (format!("{MASK}@"), at + 1),
            _ => (String::new(), 0),
        };
    }
    // What looks like a port and is none is a password with a sign in it that should have been
    // escaped.
    match authority.split_once(':') {
        Some((user, port)) if !is_port(port) && !authority.starts_with('[') => match url.rfind('@')
        {
            Some(at) => (format!("{MASK}@"), at + 1),
            None => (format!("{user}:{MASK}"), url.len()),
        },
        _ => (String::new(), 0),
    }
}

fn is_port(text: &str) -> bool {
    text.trim_end_matches(['"', '\'']).bytes().all(|byte| byte.is_ascii_digit())
}

/// A word without what follows the first `?` of a URL in it, up to its fragment.
fn without_queries(word: &str) -> String {
    let Some((scheme, url)) = word.split_once("://") else { return word.to_owned() };
    let Some((path, query)) = url.split_once('?') else { return word.to_owned() };
    // A quotation mark at the end belongs to the line around the URL.
    let end = query.find('#').unwrap_or_else(|| query.trim_end_matches(['"', '\'']).len());
    format!("{scheme}://{path}?{MASK}{}", &query[end..])
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
}
