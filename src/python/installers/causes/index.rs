//! An index that does not answer, and one that has no such package.

use super::{Asked, Cause, Heard, Installer, NOT_FOUND, names};
use crate::console::did_you_mean;
use crate::python::dependencies::{Line, Source, normalized_name};
use crate::text::excerpt;
use crate::text::url::without_user;

/// How pip begins the line with its indexes.
const INDEXES: &str = "Looking in indexes: ";

/// The index did not answer.
pub(super) fn unreachable(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let broken = match asked.installer {
        Installer::Pip => {
            let has_nothing = heard.not_found().is_some_and(|(_, versions)| versions.is_empty());
            let is_lost = has_nothing
                || heard.after("ERROR: Could not install packages due to an OSError: ").is_some();
            let said = heard.lines.iter().find(|line| line.contains("after connection broken by"));
            said.filter(|_| is_lost)?.clone()
        }
        Installer::Uv => {
            let said = heard.of_uv();
            let is_one = ["Failed to fetch", "error sending request"];
            is_one.iter().any(|words| said.contains(words)).then_some(said)?
        }
    };
    let (_, why) = UNREACHABLE.iter().find(|(said, _)| broken.contains(said))?;
    let host = host_of(&broken).or_else(|| {
        let mut indexes = heard.after(INDEXES)?.split(", ");
        indexes.next().filter(|_| indexes.next().is_none()).and_then(host_of)
    });
    let is_plain = broken.contains("HTTPConnection") || broken.contains("http://");
    let scheme = if is_plain { "http" } else { "https" };
    let host = host.as_deref();
    let address = host.map_or("ADDRESS".to_owned(), |host| format!("{scheme}://{host}"));
    Some(Cause {
        fact: format!("{} cannot be reached: {why}", index_at(host)),
        fixes: vec![
            format!("See whether this machine can reach it: curl -I {address}"),
            correction(host, asked),
        ],
        ..Cause::default()
    })
}

/// The index answered with an error of its own. pip does not say so.
pub(super) fn out_of_order(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    if asked.installer != Installer::Uv {
        return None;
    }
    let said = heard.of_uv();
    let (_, rest) = said.split_once("HTTP status ")?;
    let is_its_fault = rest.starts_with("server error (") || rest.starts_with("client error (429");
    let (_, rest) = rest.split_once('(').filter(|_| is_its_fault)?;
    let (status, rest) = rest.split_once(')')?;
    let host = host_of(rest);
    let index = index_at(host.as_deref());
    Some(Cause {
        fact: format!("{index} answered with an error: {}", excerpt(status)),
        fixes: vec![AGAIN.to_owned(), correction(host.as_deref(), asked)],
        ..Cause::default()
    })
}

fn index_at(host: Option<&str>) -> String {
    host.map_or("the index".to_owned(), |host| format!("the index {host}"))
}

/// What to do about an index that is out of order.
const AGAIN: &str = "If it is out of order, wait until it works, and then: nyala redeploy";

/// Where the address of an index is to be corrected: in the commit, where that names it.
fn correction(host: Option<&str>, asked: Asked<'_>) -> String {
    let is_there = |line: &&Line| {
        let named = line.source.as_deref().and_then(host_of);
        named.is_some_and(|named| Some(named.as_str()) == host)
    };
    match (asked.recorded.lines.iter().find(is_there), asked.source) {
        (None, _) => "Or correct its address: nyala config set PIP_INDEX_URL=ADDRESS".to_owned(),
        (Some(_), Source::Lock { lock, path }) => {
            let (manifest, command) = (lock.manifests()[0], lock.command());
            format!(
                "Or correct its address in {manifest}, run {command}, commit {path}, and push again"
            )
        }
        (Some(Line { file, number, .. }), _) => {
            format!("Or correct its address (line {number} of {file}), commit, and push again")
        }
    }
}

/// What libraries say of a connection that could not be made, and what that means.
pub(super) const UNREACHABLE: [(&str, &str); 12] = [
    ("Connection refused", "the connection was refused"),
    ("Name or service not known", "its name is not known"),
    ("nodename nor servname", "its name is not known"),
    ("No address associated with hostname", "its name is not known"),
    ("emporary failure in name resolution", "the names of hosts cannot be looked up"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
    ("invalid peer certificate", "its certificate is not trusted"),
    ("Network is unreachable", "this machine has no network"),
    ("No route to host", "there is no route to it"),
    ("Connection reset", "the connection was cut"),
    ("imed out", "it did not answer in time"),
    ("ConnectTimeout", "it did not answer in time"),
];

/// The host in `host='pypi.org', port=443`, or in a URL.
pub(super) fn host_of(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("host='") {
        let (host, rest) = rest.split_once('\'')?;
        let port = rest.strip_prefix(", port=").unwrap_or_default();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        return Some(match port.as_str() {
            "" | "80" | "443" => host.to_owned(),
            port => format!("{host}:{port}"),
        });
    }
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(|sign: char| "/?#)>'\"".contains(sign) || sign.is_whitespace());
    let authority = authority.into_iter().next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// The index gave no file of a package that exists: pip says the same of an index that has no such
/// package, of one that is out of order, and of files that are all for other Pythons.
fn no_file(heard: &Heard, asked: Asked<'_>, name: &str, normal: &str) -> Cause {
    let index = heard.after(INDEXES).and_then(|indexes| indexes.split(", ").next());
    let index = without_user(index.unwrap_or("https://pypi.org/simple"));
    let (python, older) = (asked.python.minor_version(), asked.python.minor.saturating_sub(1));
    Cause {
        fact: format!("the index gave no file of {} for Python {python}", excerpt(name)),
        fixes: vec![
            format!("See what it answers: curl -i {}/{normal}/", index.trim_end_matches('/')),
            AGAIN.to_owned(),
            format!(
                "Or ask for another version in {}, or for an older Python: python-3.{older} in \
                 runtime.txt",
                asked.place(name)
            ),
        ],
        may_be_private: true,
        ..Cause::default()
    }
}

/// There is no such package in the index.
pub(super) fn no_package(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let said;
    let name = match asked.installer {
        Installer::Pip => {
            let (requirement, versions) = heard.not_found()?;
            versions.is_empty().then_some(requirement.name)?
        }
        Installer::Uv => {
            said = heard.of_uv();
            let (before, _) = NOT_FOUND.iter().find_map(|words| said.split_once(words))?;
            before.rsplit(' ').next()?
        }
    };
    let place = asked.place(name);
    let normal = normalized_name(name);
    if names::OF_PYTHON.contains(&normal.as_str()) {
        return Some(Cause {
            fact: format!("{name} is a part of Python, and no package to install"),
            fixes: vec![format!("Remove it ({place}), commit, and push again")],
            ..Cause::default()
        });
    }
    let is_known = names::KNOWN.contains(&normal.as_str());
    if asked.installer == Installer::Pip
        && (is_known || matches!(asked.source, Source::Lock { .. }))
    {
        return Some(no_file(heard, asked, name, &normal));
    }
    let other = names::OTHERS.iter().find(|(module, _)| *module == normal);
    let meant = other.map(|(_, package)| *package).or_else(|| {
        let nearest = did_you_mean(&normal, names::KNOWN.iter().copied());
        nearest.filter(|known| *known != normal && normal.len() > 3)
    });
    Some(Cause {
        fact: format!("the index has no package {}", excerpt(name)),
        fixes: vec![match meant {
            Some(meant) => {
                format!("Did you mean {meant}? Correct {place}, commit, and push again")
            }
            None => format!("Correct its name ({place}), commit, and push again"),
        }],
        may_be_private: meant.is_none(),
        ..Cause::default()
    })
}
