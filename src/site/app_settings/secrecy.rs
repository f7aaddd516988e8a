//! What may be a secret in the value of a setting.

use std::borrow::Cow;
use std::iter;

use crate::text::url::passwords;

/// The value if it may be a secret, and what is one in it by the name of the setting. Of an open
/// one, only what is secret in its addresses.
pub fn secrets_in<'v>(name: &str, value: &'v str) -> Vec<Cow<'v, str>> {
    if is_open(name, value) {
        return in_addresses(value);
    }
    let parts = iter::once(value).chain(taken_apart(name, value));
    parts.map(Cow::Borrowed).collect()
}

/// Whether a setting is no secret by its nature: it names a version, a module, a file, an index, or
/// how a tool works. Of an address, only parts may be secret: see [`in_addresses`].
fn is_open(name: &str, value: &str) -> bool {
    let is_known = OPEN.contains(&name)
        || OPEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            && !SECRET_PARTS.iter().any(|part| name.contains(part));
    let is_address = |word: &str| word.contains("://");
    is_known && words(value).all(|word| is_address(word) || !word.contains(['@', '?']))
}

/// The secrets in the addresses of a value: the password of each, its query, and what may be a
/// token in its path.
fn in_addresses(value: &str) -> Vec<Cow<'_, str>> {
    let mut secrets = Vec::new();
    for (_, address) in words(value).filter_map(|word| word.split_once("://")) {
        let (before, query) = address.split_once('?').unwrap_or((address, ""));
        secrets.extend([query].into_iter().filter(|it| !it.is_empty()).map(Cow::Borrowed));
        let path = before.split('/').skip(1).filter(|part| may_be_token(part));
        secrets.extend(path.map(Cow::Borrowed));
    }
    secrets.extend(passwords(value).into_iter().map(Cow::Owned));
    secrets
}

/// Some hosts of private indexes have a token in the path. It is long, and not made of words.
fn may_be_token(part: &str) -> bool {
    const SHORTEST: usize = 16;
    let has = |of: fn(&u8) -> bool| part.bytes().any(|byte| of(&byte));
    part.len() >= SHORTEST
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && has(u8::is_ascii_alphabetic)
        && (has(u8::is_ascii_digit) || has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase))
}

/// The parts of a list, as pip and uv separate them.
fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(|letter: char| letter.is_whitespace() || letter == ',')
}

const OPEN: [&str; 38] = [
    "ALL_PROXY",
    "APP_ENV",
    "CUSTOM_REQUIREMENTSTXT_PATH",
    "DEBUG",
    "DEPENDENCIES_EXTRAS",
    "DEPENDENCIES_GROUPS",
    "DEPLOYMENT_BRANCH",
    "DISABLE_COLLECTSTATIC",
    "DJANGO_ENV",
    "DJANGO_SETTINGS_MODULE",
    "ENVIRONMENT",
    "FLASK_APP",
    "FLASK_DEBUG",
    "FLASK_ENV",
    "HOME",
    "HOST",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LOG_LEVEL",
    "NODE_ENV",
    "NO_PROXY",
    "PATH",
    "PIP_KEYRING_PROVIDER",
    "PORT",
    "PROJECT",
    "SCM_POST_DEPLOYMENT_ACTIONS_PATH",
    "TMPDIR",
    "TZ",
    "UV_INDEX_STRATEGY",
    "UV_KEYRING_PROVIDER",
    "WEBSITE_PYTHON_VERSION",
    "WEB_CONCURRENCY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Settings of Python, pip, uv and the locale, of which few are secrets.
const OPEN_PREFIXES: [&str; 4] = ["LC_", "PIP_", "PYTHON", "UV_"];
/// What is in the names of those.
const SECRET_PARTS: [&str; 7] = ["AUTH", "CREDENTIAL", "KEY", "PASS", "SECRET", "TOKEN", "USER"];

/// What a program takes apart before it uses it, and then prints alone: the keys of a list, and the
/// password of `user:password`.
fn taken_apart<'v>(name: &str, value: &'v str) -> Vec<&'v str> {
    const NAMED: [&str; 6] = ["AUTH", "CREDENTIAL", "KEY", "PASS", "SECRET", "TOKEN"];
    const ENDINGS: [&str; 4] = ["LOGIN", "LOGINS", "USER", "USERS"];
    let name = name.to_uppercase();
    let is_named = NAMED.iter().any(|part| name.contains(part))
        || ENDINGS.iter().any(|ending| name.ends_with(ending));
    if !is_named || value.contains("://") {
        return Vec::new();
    }
    let parts = value.split([',', ';', '\n']).map(str::trim);
    // Before the colon of `module.name:object` is a dot.
    let password = |part: &'v str| {
        part.split_once(':').filter(|(user, _)| !user.contains(['.', '/'])).map(|(_, rest)| rest)
    };
    parts.flat_map(|part| iter::once(part).chain(password(part))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::console::mask::Mask;

    #[test]
    fn what_is_no_secret_by_its_nature_is_not_masked() {
        let is_masked = |name: &str, value: &str| !secrets_in(name, value).is_empty();
        for (name, value) in [
            ("PIP_FIND_LINKS", "package"),
            ("PIP_REQUIREMENT", "requirements/production.txt"),
            ("PYTHON_VERSION", "three"),
            ("PYTHONPATH", "source"),
            ("UV_INDEX_STRATEGY", "unsafe-best-match"),
            ("UV_LINK_MODE", "hardlink"),
            ("DJANGO_SETTINGS_MODULE", "backend.settings"),
            ("LC_ALL", "de_DE.UTF-8"),
            ("PATH", "/opt/node/bin"),
            ("PIP_INDEX_URL", "https://pypi.example.org:8443/team-2024/simple"),
            ("PIP_EXTRA_INDEX_URL", "https://a.example.org/simple\n/srv/simple"),
            ("UV_INDEX", "ours=https://a.example.org/simple http://b.example.org/"),
            ("UV_DEFAULT_INDEX", "https://a.example.org/simple"),
            ("PIP_FIND_LINKS", "https://host/wheels,/srv/wheels"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("PIP_KEYRING_PROVIDER", "subprocess"),
        ] {
            assert!(!is_masked(name, value), "{name}");
        }
        for (name, value) in [
            ("PIP_FIND_LINKS", "https://host/1f5d9a3cb2474e50/wheels"),
            ("PIP_INDEX_URL", "https://host/basic/kQzWvXbTnLpRsYma/simple"),
            ("PIP_INDEX_URL", "https://host/qzwvxbtnlprs7yma/simple"),
            ("PIP_PROXY", "user:password@proxy"),
            ("PIP_INDEX_URL", "host/simple?token=x"),
            ("UV_INDEX_PRIVATE_PASSWORD", "package"),
            ("UV_PUBLISH_TOKEN", "package"),
            ("DJANGO_SECRET_KEY", "package"),
            ("COMMAND", "deploy --token abc"),
            ("ANYTHING", "package"),
        ] {
            assert!(is_masked(name, value), "{name}");
        }
    }

    #[test]
    fn of_an_address_only_its_credentials_are_masked() {
        let value = "https://ann:hunter2%40@a.example.org/simple \
                     ours=https://b.example.org/Zx81_kdf83Gd72-s/simple?sig=abcdef";
        let mask = Mask::new(secrets_in("PIP_EXTRA_INDEX_URL", value));
        assert_eq!(
            mask.apply(&format!("{value} ann:hunter2@ hunter2%40")),
            "https://****@a.example.org/simple \
             ours=https://b.example.org/****/simple?**** **** ****"
        );
    }

    #[test]
    fn the_keys_of_a_list_and_the_password_behind_a_user_are_secrets() {
        let secrets = |name: &str, value: &str| {
            secrets_in(name, value).into_iter().map(Cow::into_owned).collect::<BTreeSet<_>>()
        };
        let keys = secrets("API_KEYS", "one-key1, another2");
        assert!(keys.contains("one-key1") && keys.contains("another2"), "{keys:?}");
        for name in ["BASIC_AUTH", "ADMIN_LOGIN"] {
            assert!(secrets(name, "ann:hunter2").contains("hunter2"), "{name}");
        }
        assert_eq!(secrets("AUTH_BACKEND", "shop.auth:Backend").len(), 1);
        assert_eq!(secrets("ALLOWED_HOSTS", "a.example,b.example").len(), 1);
    }
}
