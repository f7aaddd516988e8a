//! The secrets within a value that programs take apart before they use it, and then print alone: a
//! URL, JSON, `key=value` words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::is_worth_masking;
use crate::text::url::{passwords, percent_decoded};

/// A value has no more secrets than this: a mask of many more would fill the memory.
const MOST: usize = 500;

/// How many keys of a line are looked at, and how far behind each, in bytes.
const KEYS: usize = 200;
const REACH: usize = 1024;

/// How often JSON can be in a text of JSON.
const DEEPEST: usize = 4;

/// The names of secrets have one of these in them, in lower case and without what separates words.
const NAMED: [&str; 10] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "credential",
    "signature",
    "apikey",
    "accesskey",
    "privatekey",
    "bearer",
];

/// Or one of these as a word.
const NAMED_BY_WORD: [&str; 6] = ["key", "keys", "sig", "auth", "pw", "pin"];

/// What is followed by a secret without a sign between them, as in `.netrc`.
const FOLLOWED: [&str; 5] = ["password", "passwd", "account", "bearer", "basic"];

/// What is followed by `user:password`: the options of curl, wget and http.
const BEFORE_USER: [&str; 6] = ["--auth", "--proxy-user", "--user", "-U", "-a", "-u"];

/// What stands before a colon and is no user: `mailto:ann@example.org`, `npm:left-pad@1.3.0`.
const NO_USERS: [&str; 4] = ["docker", "git", "mailto", "npm"];

/// The secrets in a value: the password of each URL and of `user:password` before a host or behind
/// an option, and what has the name of a secret in JSON, in the query of a URL, in `key=value`,
/// `key: value` and `--key value`. Each as it is written and decoded.
pub(super) fn of(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    look(value, DEEPEST, &mut found);
    found
}

fn look(value: &str, depth: usize, found: &mut Vec<String>) {
    if let Some(text) = from_base64(value).filter(|_| depth > 0) {
        // The key of a service, as a setting of one line.
        if text.contains("-----BEGIN ") {
            add(&text, found);
        }
        look(&text, depth - 1, found);
    }
    let json = value.trim_start().starts_with(['{', '[', '"']);
    match serde_json::from_str::<Value>(value) {
        Ok(json_value) if json && depth > 0 => in_json(&json_value, false, depth - 1, found),
        _ => {
            for line in value.lines() {
                found.extend(passwords(line));
                assigned(line, found);
                let words: Vec<_> = line.split_whitespace().collect();
                of_words(&words, found);
                // A password in quotation marks may have blanks in it.
                if line.contains(['"', '\'', '\\'])
                    && let Some(words) = shlex::split(line)
                {
                    of_words(&words.iter().map(String::as_str).collect::<Vec<_>>(), found);
                }
            }
        }
    }
}

fn in_json(value: &Value, is_secret: bool, depth: usize, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if is_secret {
                add(text, found);
                header(text, found);
            }
            look(text, depth, found);
        }
        Value::Number(number) if is_secret => add(&number.to_string(), found),
        Value::Array(values) => {
            for value in values {
                in_json(value, is_secret, depth, found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                in_json(value, is_secret || names_secret(name), depth, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What stands behind `key=`, `key: ` and `"key": ` for each key that names a secret.
fn assigned(line: &str, found: &mut Vec<String>) {
    let mut keys = 0;
    for (at, sign) in line.match_indices(['=', ':']) {
        let rest = &line[at + 1..line.floor_char_boundary(at + 1 + REACH)];
        if sign == ":" && !rest.starts_with(' ') {
            continue;
        }
        let before = &line[line.floor_char_boundary(at.saturating_sub(REACH))..at];
        let before = before.trim_end().trim_end_matches(['"', '\'']);
        let is_part = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        let key = before
            .rfind(|letter| !is_part(letter))
            .map_or(before, |start| before[start..].trim_start_matches(|letter| !is_part(letter)));
        if !names_secret(key) {
            continue;
        }
        keys += 1;
        if keys > KEYS {
            return;
        }
        let rest = rest.trim_start();
        if let Some(quote) = rest.chars().next().filter(|first| "\"'".contains(*first)) {
            add(&quoted(&rest[1..], quote), found);
        }
        // A password may have signs in it that end one elsewhere.
        let ends: [fn(char) -> bool; 3] = [
            |letter| letter.is_whitespace() || ";&,#\"'".contains(letter),
            char::is_whitespace,
            |letter| letter == ';',
        ];
        for end in ends {
            add(rest.split(end).next().unwrap_or_default(), found);
        }
    }
}

/// A text up to the quotation mark that ends it, with what is escaped in it as it is meant.
fn quoted(text: &str, quote: char) -> String {
    let mut meant = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next().filter(|letter| *letter != quote) {
        meant.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    meant
}

/// What stands behind a word or an option that is followed by a secret, and what stands before a
/// host.
fn of_words(words: &[&str], found: &mut Vec<String>) {
    for (at, word) in words.iter().enumerate() {
        before_host(word, found);
        let (option, joined) =
            word.split_once('=').map_or((*word, None), |(it, of)| (it, Some(of)));
        let next = joined.or(words.get(at + 1).copied()).unwrap_or_default();
        if BEFORE_USER.contains(&option) {
            pair(next, found);
        } else if let Some(joined) = word.strip_prefix("-u") {
            pair(joined, found);
        }
        if names_secret_option(option) && !next.starts_with('-') {
            add(next, found);
        } else if FOLLOWED.contains(&word.to_lowercase().as_str()) {
            add(next, found);
            header(next, found);
        }
    }
}

/// `--api-key`, but not `--key-file` and `--no-password`.
fn names_secret_option(option: &str) -> bool {
    const OTHERS: [&str; 8] = ["dir", "file", "id", "mode", "name", "path", "type", "url"];
    option.strip_prefix("--").is_some_and(|name| {
        names_secret(name)
            && !name.starts_with("no-")
            && !OTHERS.iter().any(|other| name.ends_with(other))
    })
}

/// `user:password@host`, as one names a proxy or a mail server.
fn before_host(word: &str, found: &mut Vec<String>) {
    if word.contains("://") {
        return;
    }
    let Some((before, host)) = word.rsplit_once('@') else { return };
    let is_host = (host.contains(['.', ':']) || host.starts_with("localhost"))
        && !host.starts_with("sha256:");
    let start = before.find(':').and_then(|colon| before[..colon].rfind(['=', '"', '\'', ',']));
    let before = &before[start.map_or(0, |at| at + 1)..];
    let user = before.split(':').next().unwrap_or_default();
    if is_host && !user.contains('/') && !NO_USERS.contains(&user) {
        pair(before, found);
    }
}

/// `user:password`: the password, and both, which are one text in a header.
fn pair(text: &str, found: &mut Vec<String>) {
    if let Some((_, password)) = text.split_once(':').filter(|(_, it)| is_worth_masking(it)) {
        add(password, found);
        add(text, found);
    }
}

/// What an `Authorization` header has behind `Basic`: `user:password` in base64.
fn header(text: &str, found: &mut Vec<String>) {
    if let Some(text) = from_base64(text.trim_end_matches(['"', '\''])) {
        pair(&text, found);
    }
}

/// The text that this is in base64, in one line or several.
fn from_base64(text: &str) -> Option<String> {
    let joined: String = text.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(joined).ok()?).ok().filter(|text| !text.is_empty())
}

fn add(secret: &str, found: &mut Vec<String>) {
    if found.len() >= MOST {
        return;
    }
    let decoded = [percent_decoded(secret), percent_decoded(&secret.replace('+', " "))];
    for one in decoded.into_iter().chain([secret.to_owned()]) {
        if !found.contains(&one) {
            found.push(one);
        }
    }
}

/// Whether what has this name is a secret: `PGPASSWORD`, `sharedAccessKey`, `x-auth-token`.
pub fn names_secret(key: &str) -> bool {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in key.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && was_lower {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    let whole = words.concat();
    NAMED.iter().any(|name| whole.contains(name))
        || words.iter().any(|word| NAMED_BY_WORD.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in ["PGPASSWORD", "db_pass", "sharedAccessKey", "X-Auth-Token", "sig", "api.key"] {
            assert!(names_secret(name), "{name}");
        }
        for name in ["user", "host", "monkey", "design", "keyboard", "sslmode", ""] {
            assert!(!names_secret(name), "{name}");
        }
    }

    #[test]
    fn a_quoted_secret_is_found_as_it_is_meant() {
        let found = of(r"user=me password='it\'s a; secret' host=db");
        assert!(found.contains(&"it's a; secret".to_owned()), "{found:?}");
    }

    #[test]
    fn json_in_a_text_of_json_is_read_and_many_secrets_are_not_too_many() {
        let found = of(r#"{"config": "{\"token\": \"abc def\"}"}"#);
        assert!(found.contains(&"abc def".to_owned()), "{found:?}");
        assert!(of(&"key=abc ".repeat(20_000)).len() < 2 * MOST);
        assert!(of(&"key=".repeat(20_000)).len() < 2 * MOST);
    }
}
