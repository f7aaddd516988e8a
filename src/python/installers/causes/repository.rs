//! A repository that git could not fetch a requirement from.

use super::index::{UNREACHABLE, host_of};
use super::{Asked, Cause, Heard};
use crate::text::excerpt;

/// How lines of git and ssh begin.
pub(super) const STARTS: [&str; 4] =
    ["fatal: ", "error: pathspec ", "ssh: ", "Host key verification failed"];

/// ssh names the user and the host before it. A file that may not be read is "Permission denied"
/// without it.
pub(super) const REFUSED_KEY: &str = ": Permission denied (publickey";

/// What git's http says of a connection, beside [`UNREACHABLE`].
const OF_CURL: [(&str, &str); 4] = [
    ("Could not resolve host", "its name is not known"),
    ("certificate", "its certificate is not trusted"),
    ("Timeout", "it did not answer in time"),
    ("Failed to connect", "no connection could be made"),
];

/// What follows in a line that has both.
type Parts = (&'static str, &'static str);

const ASKED: [Parts; 3] = [
    ("could not read Username for '", "'"),
    ("could not read Password for '", "'"),
    ("Authentication failed for '", "'"),
];
const NOT_FOUND: [Parts; 2] =
    [("fatal: repository '", "' not found"), ("fatal: '", "' does not appear to be a git")];
const NO_REF: [Parts; 4] = [
    ("find remote ref ", ""),
    ("not our ref ", ""),
    ("error: pathspec '", "' did not match"),
    ("Remote branch ", " not found"),
];

/// git could not fetch from the repository that a requirement names.
pub(super) fn repository(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let cause = |fact, fixes| Some(Cause { fact, fixes, may_be_private: false, lines: Vec::new() });
    let correct = |what: &str| format!("{what} in {}, commit, and push again", asked.source);
    if let Some(name) = named(heard, &NO_REF) {
        let name = name.trim_start_matches("refs/tags/").trim_start_matches("refs/heads/");
        let fact = format!("the repository has no branch, tag or commit {}", excerpt(name));
        return cause(fact, vec![correct("Correct it")]);
    }
    if let Some((who, _)) = heard.lines.iter().find_map(|line| line.split_once(REFUSED_KEY)) {
        let fact = format!("{} does not accept an ssh key of this user", excerpt(who));
        let key = "Add the public key of the site's user to the repository, as a deploy key; if \
                   there is none in ~/.ssh: ssh-keygen -t ed25519";
        return cause(fact, vec![key.to_owned()]);
    }
    if heard.lines.iter().any(|line| line.starts_with("Host key verification failed")) {
        let fact = "ssh does not know the host of the repository".to_owned();
        let scan = "As the site's user: ssh-keyscan HOST >> ~/.ssh/known_hosts, and compare the \
                    key with the one that HOST publishes";
        return cause(fact, vec![scan.to_owned()]);
    }
    let access = || {
        "If the repository is private, give the site's user access: with an ssh key, and \
         git+ssh://git@HOST/OWNER/NAME.git as the address, or with a password: \
         https://git-scm.com/docs/gitcredentials"
            .to_owned()
    };
    if let Some(server) = named(heard, &ASKED) {
        let fact = format!("{} asks for a password, or has no such repository", excerpt(server));
        return cause(fact, vec![correct("If its address is wrong, correct it"), access()]);
    }
    if let Some(address) = named(heard, &NOT_FOUND) {
        let fact = format!("there is no repository {}", excerpt(address));
        return cause(fact, vec![correct("If its address is wrong, correct it"), access()]);
    }
    unreachable(heard).and_then(|(fact, test)| {
        cause(
            fact,
            vec![
                format!("See whether this machine can reach it: {test}"),
                "Or, behind a proxy: nyala config set https_proxy=ADDRESS".to_owned(),
            ],
        )
    })
}

/// The fact, and the command that shows it.
fn unreachable(heard: &Heard) -> Option<(String, String)> {
    let why = |line: &str| {
        let (_, why) = UNREACHABLE.iter().chain(&OF_CURL).find(|(said, _)| line.contains(said))?;
        Some(*why)
    };
    let of_http = heard.lines.iter().find_map(|line| {
        let (address, rest) = line.split_once("unable to access '")?.1.split_once('\'')?;
        let host = host_of(address)?;
        Some((host, why(rest)?, format!("git ls-remote {}", excerpt(address))))
    });
    let of_ssh = || {
        heard.lines.iter().find_map(|line| {
            let rest = line.strip_prefix("ssh: ")?;
            let rest = rest
                .strip_prefix("connect to host ")
                .or_else(|| rest.strip_prefix("Could not resolve hostname "))?;
            let host = rest.split([' ', ':']).next()?.to_owned();
            let test = format!("ssh -T git@{host}");
            Some((host, why(line)?, test))
        })
    };
    let (host, why, test) = of_http.or_else(of_ssh)?;
    Some((format!("repositories on {} cannot be reached: {why}", excerpt(&host)), test))
}

fn named<'h>(heard: &'h Heard, parts: &[Parts]) -> Option<&'h str> {
    heard.lines.iter().find_map(|line| {
        parts.iter().find_map(|(before, after)| {
            let (_, rest) = line.split_once(before)?;
            let named = if after.is_empty() { rest } else { rest.split_once(after)?.0 };
            Some(named).filter(|named| !named.is_empty())
        })
    })
}
