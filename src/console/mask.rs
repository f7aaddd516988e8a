//! Keeps secrets out of what is printed: the values of app settings, and credentials in URLs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::text;

/// What stands in a secret's place.
const STARS: &str = "****";

/// A value of at least this many characters is a secret whatever it looks like, unless it is plain
/// (see [`Mask::new`]).
const LONG: usize = 6;

/// A shorter value than this is never masked: it would blank out half the log and protect nothing.
const SHORTEST: usize = 4;

/// How far from a place credentials in a URL are looked for when a long line is cut there, in
/// bytes.
const URL_REACH: usize = 4096;

/// Values that settings often have, that nobody guards, and whose absence would make a log
/// unreadable.
const WELL_KNOWN: [&str; 16] = [
    "critical",
    "debug",
    "development",
    "disabled",
    "enabled",
    "error",
    "false",
    "info",
    "localhost",
    "master",
    "none",
    "production",
    "staging",
    "testing",
    "true",
    "warning",
];

/// The secrets of a site, ready to be found in text. [`Mask::default`] knows none, and masks
/// credentials in URLs.
#[derive(Debug, Default)]
pub struct Mask {
    /// By their first byte, so that text is gone through once however many there are.
    by_first: Vec<Vec<Vec<u8>>>,
    longest: usize,
}

impl Mask {
    /// Takes the values of app settings. Of a value of several lines, each line is a secret of its
    /// own. A value is looked for as it is, and as it would stand in a URL (percent-encoded) and in
    /// JSON; a password in a URL (that of a database, say) also by itself.
    ///
    /// Not masked, because the log would become unreadable and nothing be protected:
    /// - fewer than 4 characters (`1`, `on`, `eu`);
    /// - 4 or 5 characters that are all letters or all digits (`debug`, `8000`);
    /// - versions and addresses made of digits and dots (`3.11.7`, `0.0.0.0`);
    /// - a few words that are in everybody's settings (`production`, `warning`), in any case.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut needles = BTreeSet::new();
        for secret in secrets {
            for line in secret.as_ref().lines() {
                let line = line.trim();
                // Only over HTTP a lone user is a token; that of a database has a name.
                let passwords = credentials(line.as_bytes()).filter_map(|url| {
                    let user = line.get(url.user.clone())?;
                    let token =
                        line.get(url.scheme..url.user.start)?.contains("http").then_some(user);
                    user.split_once(':').map(|(_, password)| password).or(token)
                });
                for value in
                    std::iter::once(line).chain(passwords).filter(|value| is_worth_masking(value))
                {
                    needles.insert(value.as_bytes().to_vec());
                    needles.insert(text::clean(value).trim().as_bytes().to_vec());
                    needles.insert(percent_encoded(value).into_bytes());
                    needles.insert(json_escaped(value).into_bytes());
                }
            }
        }
        Self::of(needles)
    }

    fn of(needles: BTreeSet<Vec<u8>>) -> Self {
        let mut mask = Self {
            longest: needles.iter().map(Vec::len).max().unwrap_or(0),
            by_first: vec![Vec::new(); if needles.is_empty() { 0 } else { 256 }],
        };
        for needle in needles {
            if let Some(first) = needle.first() {
                mask.by_first[usize::from(*first)].push(needle);
            }
        }
        for same_first in &mut mask.by_first {
            same_first.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        }
        mask
    }

    fn needles(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.by_first.iter().flatten()
    }

    /// Gives the text with every secret replaced by `****`.
    pub fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        replaced(text, self.spans(text.as_bytes()))
    }

    /// [`Mask::apply`] for one line after another, which also finds a secret that somebody has
    /// broken into lines. What a line ends with that may be the beginning of a secret is kept in
    /// `begun`, empty at first, until the next line comes.
    ///
    /// A line is shown before the next one is known, so of a secret's first part what is shorter
    /// than 6 bytes is shown.
    pub fn apply_on<'t>(&self, begun: &mut Vec<u8>, line: &'t str) -> Cow<'t, str> {
        let before = begun.len();
        begun.extend_from_slice(line.as_bytes());
        let mut spans: Vec<_> =
            self.values(begun).chain(credentials(begun).map(|url| url.user)).collect();
        let tail = self.prefix_at_end(begun);
        if tail >= LONG {
            spans.push(begun.len() - tail..begun.len());
        }
        begun.drain(..begun.len() - tail);
        let within = spans.into_iter().filter(|span| span.end > before);
        let within: Vec<_> =
            within.map(|span| span.start.saturating_sub(before)..span.end - before).collect();
        // A prefix can end within a character, which then is masked whole.
        let whole = |span: Range<usize>| {
            let start = (0..=span.start).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            let end =
                (span.end..line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
            start..end
        };
        replaced(line, joined(within.into_iter().map(whole).collect()))
    }

    /// How many bytes at the end of a text are the beginning of a secret.
    fn prefix_at_end(&self, text: &[u8]) -> usize {
        let longest = text.len().min(self.longest.saturating_sub(1));
        let begins = |length: &usize| {
            let tail = &text[text.len() - length..];
            let Some(same_first) = self.by_first.get(usize::from(tail[0])) else { return false };
            same_first.iter().any(|needle| needle.len() > *length && needle.starts_with(tail))
        };
        (1..=longest).rev().find(begins).unwrap_or(0)
    }

    /// How many bytes after a place have to be known to say whether a secret goes across it.
    pub fn reach(&self) -> usize {
        self.longest.max(URL_REACH)
    }

    /// Gives the place nearest to `at` where the text can be cut without cutting a secret in two.
    /// `text` should go on for [`Mask::reach`] bytes after `at` where there is more.
    pub fn safe_cut(&self, text: &[u8], at: usize) -> usize {
        let from = at.saturating_sub(2 * self.reach());
        let to = text.len().min(at + 2 * self.reach());
        let text = &text[from..to];
        // Of a URL everything up to the @ stays together: neither half alone would show that there
        // are credentials.
        let urls = credentials(text).map(|url| url.scheme..url.user.end + 1);
        let across = joined(self.values(text).chain(urls).collect())
            .into_iter()
            .map(|span| span.start + from..span.end + from)
            .find(|span| span.start < at && at < span.end);
        match across {
            None => at,
            Some(span) if span.start == 0 => span.end,
            Some(span) => span.start,
        }
    }

    /// Where secrets are: in order, without overlaps; what overlaps has been joined.
    fn spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        let urls = credentials(text).map(|url| url.user);
        joined(self.values(text).chain(urls).collect())
    }

    /// Where known values are; at each place the longest.
    fn values<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        let searched = if self.by_first.is_empty() { &[] } else { text };
        searched.iter().enumerate().filter_map(move |(at, byte)| {
            let needle = self.by_first[usize::from(*byte)]
                .iter()
                .find(|needle| text[at..].starts_with(needle))?;
            Some(at..at + needle.len())
        })
    }
}

static KNOWN: LazyLock<RwLock<Arc<Mask>>> = LazyLock::new(RwLock::default);

/// The mask that this process uses for whatever it prints or stores.
pub fn known() -> Arc<Mask> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Adds these secrets to the mask of the process. Those of earlier calls stay: settings can change
/// while a deployment waits, and what it printed before was masked by the old ones.
pub fn know<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) {
    let mask = Mask::new(secrets);
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let needles = mask.needles().chain(known.needles()).cloned().collect();
    *known = Arc::new(Mask::of(needles));
}

fn is_worth_masking(value: &str) -> bool {
    let all = |of: fn(&char) -> bool| value.chars().all(|character| of(&character));
    let length = value.chars().count();
    if length < SHORTEST || WELL_KNOWN.contains(&value.to_lowercase().as_str()) {
        return false;
    }
    if value.contains('.') && all(|c| c.is_ascii_digit() || *c == '.') {
        return false;
    }
    length >= LONG || !(all(|c| c.is_alphabetic()) || all(char::is_ascii_digit))
}

fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn json_escaped(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A URL with credentials in it.
struct Credentials {
    /// Where its scheme begins.
    scheme: usize,
    /// What stands before the @.
    user: Range<usize>,
}

/// Finds `scheme://user:password@host`, and `scheme://user@host`, where the user may be a token.
/// Over ssh a lone user (`git@`) is no secret: what opens the door is a key.
fn credentials(text: &[u8]) -> impl Iterator<Item = Credentials> {
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

fn replaced(text: &str, spans: Vec<Range<usize>>) -> Cow<'_, str> {
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans {
        masked.push_str(&text[done..span.start]);
        masked.push_str(STARS);
        done = span.end;
    }
    masked.push_str(&text[done..]);
    Cow::Owned(masked)
}

fn joined(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if spans.len() < 2 {
        return spans;
    }
    spans.sort_by_key(|span| (span.start, span.end));
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], text: &str) -> String {
        Mask::new(secrets).apply(text).into_owned()
    }

    #[test]
    fn a_known_value_becomes_stars() {
        assert_eq!(masked(&["hunter22"], "pw=hunter22, hunter22!"), "pw=****, ****!");
    }

    #[test]
    fn overlapping_secrets_leave_no_rest() {
        assert_eq!(masked(&["abcdef", "defghi", "abcdefgh"], "<abcdefghi>"), "<****>");
    }

    #[test]
    fn plain_values_do_not_blank_the_log() {
        let plain =
            ["1", "on", "true", "debug", "8000", "3.11", "3.11.7", "0.0.0.0", "WARNING", ""];
        let log = "1 on true debug 8000 3.11 3.11.7 0.0.0.0 WARNING";
        assert_eq!(masked(&plain, log), log);
    }

    #[test]
    fn short_values_that_look_like_secrets_are_masked() {
        assert_eq!(masked(&["s3cr", "p@ss", "123456"], "s3cr p@ss 123456"), "**** **** ****");
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_line_by_line() {
        let key = "-----BEGIN KEY-----\r\nMIIEvQIBADANBg\nkqhkiG9w0B\n";
        assert_eq!(masked(&[key], "MIIEvQIBADANBg"), "****");
        assert_eq!(masked(&[key], "x kqhkiG9w0B y"), "x **** y");
    }

    #[test]
    fn a_secret_is_found_in_urls_and_in_json() {
        assert_eq!(masked(&["p@ss w/rd"], "?key=p%40ss%20w%2Frd&x"), "?key=****&x");
        assert_eq!(masked(&["say \"friend\""], r#"{"a":"say \"friend\""}"#), r#"{"a":"****"}"#);
    }

    #[test]
    fn credentials_in_urls_are_masked_without_being_known() {
        let shown = |text| Mask::default().apply(text).into_owned();
        assert_eq!(
            shown("https://me:s3cret@pypi.example.org/simple/"),
            "https://****@pypi.example.org/simple/"
        );
        assert_eq!(shown("git+https://TOKEN@host/x"), "git+https://****@host/x");
        assert_eq!(shown("https://u:p@ss@host, x@y"), "https://****@host, x@y");
        assert_eq!(shown("git+ssh://git@host/x"), "git+ssh://git@host/x");
        assert_eq!(shown("ssh://git:pw@host/x"), "ssh://****@host/x");
        assert_eq!(shown("https://host/a@b"), "https://host/a@b");
        assert_eq!(shown("https://****@host"), "https://****@host");
    }

    #[test]
    fn a_cut_never_goes_through_a_secret() {
        let mask = Mask::new(["0123456789abc"]);
        let text = b"xxxxx0123456789abcyyyyy https://me:secret@host";
        assert_eq!(mask.safe_cut(text, 5), 5);
        assert_eq!(mask.safe_cut(text, 6), 5);
        assert_eq!(mask.safe_cut(text, 17), 5);
        assert_eq!(mask.safe_cut(text, 18), 18);
        // Not between the scheme and the password, nor between the password and the @.
        for at in 25..42 {
            assert_eq!(mask.safe_cut(text, at), 24);
        }
        assert_eq!(mask.safe_cut(text, 42), 42);
    }

    #[test]
    fn the_password_of_a_url_is_a_secret_by_itself() {
        let url = "postgres://shop:hunter22@db.example.org/shop";
        assert_eq!(masked(&[url], "password hunter22 of shop"), "password **** of shop");
        assert_eq!(masked(&["https://a-token@h/"], "it is a-token"), "it is ****");
        assert_eq!(masked(&["postgres://shopkeeper@h/"], "I am shopkeeper"), "I am shopkeeper");
    }

    fn masked_lines(secrets: &[&str], lines: &[&str]) -> Vec<String> {
        let mask = Mask::new(secrets);
        let mut begun = Vec::new();
        lines.iter().map(|line| mask.apply_on(&mut begun, line).into_owned()).collect()
    }

    #[test]
    fn a_secret_that_was_broken_into_lines_is_masked() {
        let secrets = ["correct-horse-battery-staple"];
        assert_eq!(
            masked_lines(&secrets, &["key: correct-horse", "-battery-", "staple!", "next"]),
            ["key: ****", "****", "****!", "next"]
        );
        assert_eq!(
            masked_lines(&secrets, &["cor", "rect-ho", "rse-battery-staple"]),
            ["cor", "****", "****"]
        );
        assert_eq!(
            masked_lines(&secrets, &["key: corr", "ectly done"]),
            ["key: corr", "ectly done"]
        );
        assert_eq!(masked_lines(&["sécrèt-ü"], &["<sécrè", "t-ü>"]), ["<****", "****>"]);
    }

    #[test]
    fn a_broken_secret_never_shows_more_than_its_first_bytes() {
        proptest::proptest!(|(secret in "[a-z0-9]{12,40}", width in 1..20_usize)| {
            let lines: Vec<String> =
                secret.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let shown = masked_lines(&[&secret], &lines).concat().replace('*', "");
            proptest::prop_assert!(shown.len() < LONG, "{}", shown);
        });
    }

    #[test]
    fn masking_is_complete_wherever_the_secret_stands() {
        proptest::proptest!(|(before in ".{0,20}", secret in "[a-z0-9]{8,12}", after in ".{0,20}")| {
            let text = format!("{before}{secret}{after}");
            let masked = Mask::new([&secret]).apply(&text).into_owned();
            assert!(!masked.contains(&secret));
        });
    }
}
