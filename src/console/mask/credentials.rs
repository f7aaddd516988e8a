//! Where credentials stand in URLs.

use std::ops::Range;

use crate::text::percent_decoded;

/// A URL with credentials in it.
pub(super) struct Credentials {
    /// Where its scheme begins.
    pub(super) scheme: usize,
    /// What stands before the @.
    pub(super) user: Range<usize>,
}

/// Finds `scheme://user:password@host`, and `scheme://user@host`, where the user may be a token.
/// Over ssh a lone user (`git@`) is no secret: what opens the door is a key.
pub(super) fn credentials(text: &[u8]) -> impl Iterator<Item = Credentials> {
    memchr::memmem::find_iter(text, b"://").filter_map(|colon| {
        let start = colon + 3;
        let length = text[start..]
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || b"/?#".contains(byte))
            .unwrap_or(text.len() - start);
        let authority = &text[start..start + length];
        let user = &authority[..memchr::memrchr(b'@', authority)?];
        let over_ssh = text[..colon].ends_with(b"ssh");
        if user.is_empty() || (over_ssh && !user.contains(&b':')) {
            return None;
        }
        let scheme = text[..colon]
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(byte))
            .count();
        Some(Credentials { scheme: colon - scheme, user: start..start + user.len() })
    })
}

/// What opens the door in a URL: the password of each that has one, as it is written there and as
/// whoever connects decodes it. Only over HTTP a lone user is a token; that of a database has a
/// name.
pub(super) fn passwords(text: &str) -> Vec<String> {
    let mut passwords = Vec::new();
    for url in credentials(text.as_bytes()) {
        let Some(user) = text.get(url.user.clone()) else { continue };
        let is_http = text.get(url.scheme..url.user.start).is_some_and(|it| it.contains("http"));
        let token = is_http.then_some(user);
        if let Some(password) = user.split_once(':').map(|(_, password)| password).or(token) {
            passwords.extend([password.to_owned(), percent_decoded(password)]);
        }
    }
    passwords
}

#[cfg(test)]
mod tests {
    use super::passwords;

    #[test]
    fn a_password_is_known_as_it_is_written_and_decoded() {
        assert_eq!(passwords("postgres://u:p%40ss%2fw%rd@h/x"), ["p%40ss%2fw%rd", "p@ss/w%rd"]);
        assert_eq!(passwords("https://t%6fken@h/"), ["t%6fken", "token"]);
        assert_eq!(passwords("postgres://user@h/"), Vec::<String>::new());
    }
}
