//! Why a package could not be installed, in words for people: the nearest cause of those that pip
//! and uv are known to print.

mod frozen;
mod index;
mod names;
mod repository;
mod versions;

use std::str::FromStr;

use pep440_rs::{Version as Pep440, VersionSpecifiers};

use frozen::frozen_elsewhere;
use index::{no_package, out_of_order, unreachable};
use repository::repository;
pub(super) use versions::needs_python;
use versions::{no_version, other_python};

use super::Installer;
use super::editables::as_committed;
use super::error::LET_PIP;
use crate::python::dependencies::{Line, Recorded, Role, Source, normalized_name};
use crate::python::version::Version;
use crate::text::excerpt;

/// How many lines are kept, and how long they may be: pip lists all versions of a package in one.
const LINES: usize = 100;
const LONGEST: usize = 20_000;

/// What uv says of a package that is in no index, and in no folder of packages.
const NOT_FOUND: [&str; 2] =
    [" was not found in the package registry", " was not found in the provided"];

/// What pip says of a package that it cannot build.
const WHEEL_NOT_BUILT: &str = "ERROR: Failed building wheel for ";
const NOT_BUILT: &str = "ERROR: Failed to build '";

/// One cause.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) fact: String,
    /// The lines that say more.
    pub(super) lines: Vec<String>,
    pub(super) fixes: Vec<String>,
    /// Whether a private index may have the package.
    pub(super) may_be_private: bool,
}

/// What is known of an installation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) installer: Installer,
    /// The env's.
    pub(super) python: &'a Version,
    pub(super) source: &'a Source,
    pub(super) recorded: &'a Recorded,
}

/// The lines of an installer that say why it could not install something.
#[derive(Debug, Default)]
pub(super) struct Heard {
    lines: Vec<String>,
    /// Whether the next lines belong together with the one before.
    in_block: bool,
}

impl Heard {
    /// Takes the next line, without its indent.
    pub(super) fn line(&mut self, plain: &str) {
        const BEGIN: [&str; 7] = [
            "ERROR: Invalid requirement: ",
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES",
            "The conflict is caused by:",
            "error: ",
            "× ",
            "hint: ",
            "Hint: ",
        ];
        const SINGLE: [&str; 8] = [
            "ERROR: Could not find a version that satisfies the requirement ",
            "ERROR: Could not install packages due to an OSError: ",
            WHEEL_NOT_BUILT,
            NOT_BUILT,
            "ERROR: Ignored the following ",
            "ERROR: Package '",
            "Looking in indexes: ",
            "WARNING: Retrying ",
        ];
        let begins = BEGIN.iter().any(|start| plain.starts_with(start));
        let is_single = SINGLE.iter().any(|start| plain.starts_with(start));
        self.in_block = begins || self.in_block && !is_single && !plain.starts_with("ERROR: ");
        let is_of_git = repository::STARTS.iter().any(|start| plain.starts_with(start))
            || plain.contains(repository::REFUSED_KEY);
        if (is_single || is_of_git || self.in_block) && self.lines.len() < LINES {
            self.lines.push(plain.chars().take(LONGEST).collect());
        }
    }

    /// The nearest cause.
    pub(super) fn cause(&self, asked: Asked<'_>) -> Option<Cause> {
        const CAUSES: [fn(&Heard, Asked<'_>) -> Option<Cause>; 11] = [
            repository,
            old_uv,
            unreachable,
            out_of_order,
            frozen_elsewhere,
            wrong_hash,
            malformed,
            contradiction,
            other_python,
            no_version,
            no_package,
        ];
        CAUSES.iter().find_map(|cause| cause(self, asked))
    }

    fn after(&self, start: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(start))
    }

    /// The package that pip could not build.
    fn not_built(&self) -> Option<&str> {
        let quoted = self.after(NOT_BUILT).and_then(|rest| rest.split('\'').next());
        self.after(WHEEL_NOT_BUILT).or(quoted)
    }

    /// What follows the line that begins so.
    fn below(&self, start: &'static str) -> impl Iterator<Item = &str> {
        let begins = move |line: &&String| !line.starts_with(start);
        self.lines.iter().skip_while(begins).skip(1).map(String::as_str)
    }

    /// Everything that uv says of its error, in one line.
    fn of_uv(&self) -> String {
        self.lines.join(" ")
    }

    /// What pip could not find, and the versions that it has found of it instead.
    fn not_found(&self) -> Option<(Requirement<'_>, Vec<&str>)> {
        let said = self.after("ERROR: Could not find a version that satisfies the requirement ")?;
        let requirement = said.split(" (from ").next()?;
        let versions = said.rsplit_once("(from versions: ")?.1.trim_end_matches(')');
        let versions = versions.split(", ").filter(|version| !matches!(*version, "none" | ""));
        Some((Requirement::of(requirement), versions.collect()))
    }
}

/// `six==1.17`, in parts.
#[derive(Clone, Copy, Debug)]
struct Requirement<'a> {
    name: &'a str,
    specifiers: &'a str,
}

impl<'a> Requirement<'a> {
    fn of(text: &'a str) -> Self {
        let is_name = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
        let end = text.find(|sign| !is_name(sign)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest =
            rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |s| s.1);
        let specifiers = rest.split(';').next().unwrap_or_default().trim();
        Self { name, specifiers }
    }

    fn allows(self, version: &str) -> bool {
        let specifiers = VersionSpecifiers::from_str(self.specifiers);
        let version = Pep440::from_str(version);
        specifiers.is_ok_and(|specifiers| version.is_ok_and(|it| specifiers.contains(&it)))
    }

    /// The version that alone will do.
    fn pinned(self) -> Option<&'a str> {
        self.specifiers.strip_prefix("==").filter(|version| !version.contains(['*', ',', '=']))
    }
}

impl<'a> Asked<'a> {
    /// Where a package is asked for: `line 3 of requirements.txt`.
    fn place(self, name: &str) -> String {
        self.line(name).map_or_else(
            || self.source.to_string(),
            |line| format!("line {} of {}", line.number, line.file),
        )
    }

    /// The line of a requirements file that asks for a package.
    fn line(self, name: &str) -> Option<&'a Line> {
        let name = normalized_name(name);
        let is_it = |key: &str| key == name || key.starts_with(&format!("{name} ;"));
        let mut lines = self.recorded.lines.iter();
        lines.find(|line| line.role == Role::Requirement && line.number > 0 && is_it(&line.key))
    }
}

/// The project asks for another uv.
fn old_uv(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    if asked.installer != Installer::Uv {
        return None;
    }
    let said = heard.after("error: Required uv version `")?;
    let (wanted, rest) = said.split_once("` does not match the running version `")?;
    let running = rest.split('`').next()?;
    Some(Cause {
        fact: format!(
            "the project needs uv {}, and uv here is {}",
            excerpt(wanted),
            excerpt(running)
        ),
        fixes: vec![
            "Change it on the server: uv self update; or, if nyala downloaded it: nyala uv install"
                .to_owned(),
            "Or correct required-version under [tool.uv] in pyproject.toml, commit, and push again"
                .to_owned(),
            LET_PIP.to_owned(),
        ],
        ..Cause::default()
    })
}

fn wrong_hash(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    const OF_PIP: &str = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES";
    let (package, lines) = match asked.installer {
        Installer::Pip => {
            let lines: Vec<_> =
                heard.below(OF_PIP).filter(|line| !line.is_empty()).take(3).collect();
            (lines.first()?.split(" from ").next()?.to_owned(), lines)
        }
        // uv's own lines are repeated anyway.
        Installer::Uv => {
            let said = heard.of_uv();
            let (_, rest) = said.split_once("Hash mismatch for `")?;
            (rest.split('`').next()?.to_owned(), Vec::new())
        }
    };
    let place = asked.place(Requirement::of(&package).name);
    Some(Cause {
        fact: format!("{} does not have the hash that {place} gives", excerpt(&package)),
        lines: lines.into_iter().map(excerpt).collect(),
        fixes: vec![
            format!(
                "If its version was changed, correct the hash in {place}, commit, and push again"
            ),
            "If not, do not install it: the file is not the one that was approved".to_owned(),
        ],
        ..Cause::default()
    })
}

/// What is written is no requirement.
fn malformed(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    if asked.installer == Installer::Uv {
        return malformed_to_uv(heard, asked);
    }
    let said = heard.after("ERROR: Invalid requirement: ")?;
    let written = said.trim_start_matches(['\'', '"']).split(['\'', '"']).next()?;
    // The place stands at the end of the error, which newer versions break into lines.
    let place = heard.lines.iter().find_map(|line| {
        let (number, rest) = line.split_once("(from line ")?.1.split_once(" of ")?;
        Some(format!("line {number} of {}", rest.trim_end_matches(')')))
    });
    let place = place.unwrap_or_else(|| asked.source.to_string());
    let hint = heard.after("Hint: ");
    let fix = match (hint, written.split_once('=')) {
        (Some("= is not a valid operator. Did you mean == ?"), Some((name, version))) => {
            // conda writes `name=version=build`.
            let version = version.split('=').next().unwrap_or(version);
            format!("Write {name}=={version} there, commit, and push again")
        }
        _ => "Correct it, commit, and push again".to_owned(),
    };
    Some(Cause {
        fact: format!("{} is not a requirement ({})", excerpt(written), excerpt(&place)),
        lines: hint.map(excerpt).into_iter().collect(),
        fixes: vec![fix],
        ..Cause::default()
    })
}

fn malformed_to_uv(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    const STARTS: [&str; 3] = ["error: ", "cause: ", "Caused by: "];
    let plain = |line: &'_ String| {
        let rest = STARTS.iter().find_map(|start| line.strip_prefix(start));
        rest.unwrap_or(line).to_owned()
    };
    // In an included file, it is a cause itself.
    let mut said = heard.lines.iter().map(plain);
    let file = said.find_map(|line| {
        let (file, _) = line.strip_prefix("Couldn't parse requirement in `")?.split_once('`')?;
        Some(as_committed(file))
    })?;
    let cause = said.next()?;
    // uv goes on with what is written.
    let is_of_pip = |line: &String| line.contains("${") || line.contains('\\');
    let is_of_pip = is_of_pip(&cause) || said.any(|line| is_of_pip(&line));
    let file = file.unwrap_or_else(|| asked.source.to_string());
    let fix = if is_of_pip {
        format!("Write it on one line and without variables in {file}, commit, and push again")
    } else {
        format!("Correct it in {file}, commit, and push again")
    };
    let let_pip = pip_reads(asked.recorded).then(|| LET_PIP.to_owned());
    Some(Cause {
        fact: format!("a requirement cannot be read: {}", excerpt(&cause)),
        fixes: [fix].into_iter().chain(let_pip).collect(),
        ..Cause::default()
    })
}

/// Whether pip reads every requirement. Unlike uv, it joins lines that end in a backslash, and puts
/// settings in everywhere.
fn pip_reads(recorded: &Recorded) -> bool {
    let is_name = |key: &str| {
        let name = key.split(" ;").next().unwrap_or_default();
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    recorded.lines.iter().filter(|line| line.role != Role::Option).all(|line| {
        let has_settings = line.text.contains("${") && line.digest.is_some();
        let is_version = VersionSpecifiers::from_str(&line.version).is_ok();
        line.source.is_some() || has_settings || is_version && is_name(&line.key)
    })
}

/// Requirements that no versions satisfy together.
fn contradiction(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let cause = |fact: String, lines| Cause {
        fact,
        lines,
        fixes: vec![format!("Change one of them in {}, commit, and push again", asked.source)],
        ..Cause::default()
    };
    if asked.installer == Installer::Uv {
        // Where it says what depends on what, and both are there.
        let said = heard.of_uv();
        let is_one = said.contains("requirements are unsatisfiable")
            && said.contains(" depends on ")
            && ![
                "depends on Python",
                "does not satisfy Python",
                "was not found in",
                "no version of",
            ]
            .iter()
            .any(|words| said.contains(words));
        return is_one.then(|| cause("the requirements contradict each other".to_owned(), vec![]));
    }
    let parts: Vec<_> = heard
        .below("The conflict is caused by:")
        .take_while(|line| !line.is_empty())
        .take(4)
        .map(|line| match line.strip_prefix("The user requested ") {
            Some(wanted) => excerpt(wanted),
            None => excerpt(&line.replacen(" depends on ", ", which needs ", 1)),
        })
        .collect();
    let parts = (!parts.is_empty()).then(|| parts.join(", and "))?;
    Some(cause(format!("these requirements contradict each other: {parts}"), Vec::new()))
}

#[cfg(test)]
mod tests;
