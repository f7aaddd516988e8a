//! Keeps secrets out of what is printed: the values of app settings, and credentials in URLs.

mod decoded;
mod encodings;
mod parts;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::iter;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

pub use parts::names_secret;

use crate::text;
use crate::text::url::{STARS, credentials};

/// A value of at least this many characters is a secret whatever it looks like, except for a few
/// (see [`Mask::new`]).
const LONG: usize = 6;

/// A shorter value is never masked: that would blank out half of the log and protect nothing.
const SHORTEST: usize = 4;

/// How far around the cut of a long line credentials in a URL are looked for, in bytes.
const URL_REACH: usize = 4096;

/// Common values of settings that are no secrets. Masking them would make a log unreadable.
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

/// The secrets of a site, prepared for searching. [`Mask::default`] knows none, and masks only
/// credentials in URLs.
#[derive(Debug, Default)]
pub struct Mask {
    /// By their first two bytes, the longest first, so that text is searched once whatever their
    /// number.
    needles: HashMap<[u8; 2], Vec<Vec<u8>>>,
    /// The bytes that needles begin with.
    first: Vec<bool>,
    longest: usize,
}

impl Mask {
    /// Takes the values of app settings. Of a value of several lines, each line is a secret of its
    /// own. A value is looked for as it is, and as it stands in a URL, in JSON, in HTML, in the
    /// words
    /// of a shell, in what Python's `repr` prints and in base64; a password in it (of a database's
    /// URL, say) also by itself, encoded and decoded: see [`parts`].
    ///
    /// Not masked, since that would make the log unreadable and protect nothing:
    /// - fewer than 4 characters (`1`, `on`, `eu`);
    /// - 4 or 5 characters that are all letters or all digits (`debug`, `8000`);
    /// - versions and addresses made of digits and dots (`3.11.7`, `0.0.0.0`);
    /// - a few common words, whatever their case (`production`, `warning`).
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut needles = BTreeSet::new();
        for secret in secrets {
            let secret = secret.as_ref().trim();
            if secret.contains('\n') {
                needles.extend(encodings::in_base64(secret.as_bytes()));
            }
            let parts = parts::of(secret);
            for line in iter::once(secret).chain(parts.iter().map(String::as_str)) {
                for value in line.lines().map(str::trim).filter(|value| is_worth_masking(value)) {
                    needles.insert(text::clean(value).trim().as_bytes().to_vec());
                    needles.extend(encodings::of(value));
                }
            }
        }
        Self::of(needles)
    }

    fn of(mut needles: BTreeSet<Vec<u8>>) -> Self {
        let mut mask = Self { first: vec![false; 256], ..Self::default() };
        let of_one_case: Vec<_> = needles
            .iter()
            .filter_map(|needle| encodings::with_digits_of_one_case(needle))
            .collect();
        needles.extend(of_one_case);
        for needle in needles {
            if let [first, second, ..] = needle[..] {
                mask.longest = mask.longest.max(needle.len());
                mask.first[usize::from(first)] = true;
                mask.needles.entry([first, second]).or_default().push(needle);
            }
        }
        for same_start in mask.needles.values_mut() {
            same_start.sort_by_key(|needle| Reverse(needle.len()));
        }
        mask
    }

    fn needles(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.needles.values().flatten()
    }

    /// The needles that begin with the first two bytes of the text.
    fn with_start_of(&self, text: &[u8]) -> &[Vec<u8>] {
        match *text {
            [first, second, ..] if self.first[usize::from(first)] => {
                self.needles.get(&[first, second]).map_or(&[], Vec::as_slice)
            }
            _ => &[],
        }
    }

    /// Replaces every secret in the text by `****`.
    pub fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        replaced(text, self.spans(text.as_bytes()))
    }

    /// [`Mask::apply`] for consecutive lines. It also finds a secret that was broken into lines:
    /// the end of a line that may be the beginning of a secret is kept in `begun`, which is empty
    /// at first, until the next line comes.
    ///
    /// A line is shown before the next one is known, so a first part of less than 6 bytes is shown.
    pub fn apply_on<'t>(&self, begun: &mut Vec<u8>, line: &'t str) -> Cow<'t, str> {
        let before = begun.len();
        begun.extend_from_slice(line.as_bytes());
        let mut spans: Vec<_> =
            self.values(begun).into_iter().chain(credentials(begun).map(|url| url.user)).collect();
        let tail = self.prefix_at_end(begun);
        if tail >= LONG {
            spans.push(begun.len() - tail..begun.len());
        }
        begun.drain(..begun.len() - tail);
        let within = spans.into_iter().filter(|span| span.end > before);
        let within: Vec<_> =
            within.map(|span| span.start.saturating_sub(before)..span.end - before).collect();
        // A prefix can end within a character, which is then masked as a whole.
        let whole = |span: Range<usize>| {
            let start = (0..=span.start).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            let end =
                (span.end..line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
            start..end
        };
        replaced(line, joined(within.into_iter().map(whole).collect()))
    }

    /// The number of bytes at the end of a text that are the beginning of a secret.
    fn prefix_at_end(&self, text: &[u8]) -> usize {
        let longest = text.len().min(self.longest.saturating_sub(1));
        let begins = |length: &usize| {
            let tail = &text[text.len() - length..];
            match tail {
                [only] => self.first[usize::from(*only)],
                _ => self
                    .with_start_of(tail)
                    .iter()
                    .any(|needle| needle.len() > *length && needle.starts_with(tail)),
            }
        };
        (1..=longest).rev().find(begins).unwrap_or(0)
    }

    /// The number of bytes after a place that must be known to decide whether a secret spans it.
    pub fn reach(&self) -> usize {
        self.longest.max(URL_REACH)
    }

    /// The place nearest to `at` where the text can be cut without splitting a secret. If there is
    /// more text, `text` should contain [`Mask::reach`] bytes after `at`.
    pub fn safe_cut(&self, text: &[u8], at: usize) -> usize {
        let from = at.saturating_sub(2 * self.reach());
        let to = text.len().min(at + 2 * self.reach());
        let text = &text[from..to];
        // Everything in a URL up to the @ stays together: neither half alone would be recognized as
        // credentials.
        let urls = credentials(text).map(|url| url.scheme..url.user.end + 1);
        let across = joined(self.values(text).into_iter().chain(urls).collect())
            .into_iter()
            .map(|span| span.start + from..span.end + from)
            .find(|span| span.start < at && at < span.end);
        match across {
            None => at,
            Some(span) if span.start == 0 => span.end,
            Some(span) => span.start,
        }
    }

    /// The places of secrets, in order. Overlapping ones are merged.
    fn spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        let urls = credentials(text).map(|url| url.user);
        joined(self.values(text).into_iter().chain(urls).collect())
    }

    /// The places of known values, also where some of their characters are escaped. The digits in
    /// `%2f` and `\u00e4` may have any case.
    fn values(&self, text: &[u8]) -> Vec<Range<usize>> {
        if self.needles.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<_> = self.as_written(text).collect();
        if let Some(normal) = encodings::with_digits_of_one_case(text) {
            found.extend(self.as_written(&normal));
        }
        for decoded in decoded::all(text) {
            found.extend(self.as_written(&decoded.bytes).map(|part| decoded.place(&part)));
        }
        found
    }

    /// The longest match at each place.
    fn as_written<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        (0..text.len()).filter_map(move |at| {
            let rest = &text[at..];
            let needle = self.with_start_of(rest).iter().find(|needle| rest.starts_with(needle))?;
            Some(at..at + needle.len())
        })
    }
}

static KNOWN: LazyLock<RwLock<Arc<Mask>>> = LazyLock::new(RwLock::default);

/// The mask for everything that this process prints or stores.
pub fn known() -> Arc<Mask> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Adds secrets to the mask of this process. Earlier ones stay: settings can change while a
/// deployment waits.
pub fn know<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) {
    let mask = Mask::new(secrets);
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let needles = mask.needles().chain(known.needles()).cloned().collect();
    *known = Arc::new(Mask::of(needles));
}

type Renew = Box<dyn FnMut() + Send>;
static RENEW: Mutex<Option<Renew>> = Mutex::new(None);

/// Has this process look for new secrets, and [`know`] them, before it shows what children print:
/// they may have read them a moment ago.
pub fn keep_fresh(renew: impl FnMut() + Send + 'static) {
    *RENEW.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(renew));
}

/// [`known`], with the newest secrets.
pub fn fresh() -> Arc<Mask> {
    if let Some(renew) = &mut *RENEW.lock().unwrap_or_else(PoisonError::into_inner) {
        renew();
    }
    known()
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
mod tests;
