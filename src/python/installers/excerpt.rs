//! Why an install failed: the lines of an installer's output that explain it, and what to do.
//!
//! A build prints thousands of lines, of which one says what was wrong, and rarely the last one. So
//! these are collected while the output streams: what compilers call errors, programs and headers
//! that are missing, what pip says of versions that it skips, and the installer's own errors and
//! hints.

mod packages;

use std::borrow::Cow;

use super::Installer;
use super::causes::{Asked, Heard};
use crate::text::excerpt;
use crate::user_error::DEPLOY_AGAIN;

/// How many lines of each kind are repeated.
const EXPLAINING: usize = 3;
const ERRORS: usize = 3;
const OF_UV: usize = 8;
const HINTS: usize = 4;

/// What has been heard of an installer.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    /// Lines that say what was wrong, the first ones.
    explaining: Vec<String>,
    /// pip's own errors, the last ones.
    errors: Vec<String>,
    /// uv's own error, from its first line.
    of_uv: Vec<String>,
    /// uv's hints.
    hints: Vec<String>,
    /// The last line that a build has printed, while it prints.
    last: Option<String>,
    /// The last line of the first build that failed.
    of_build: Option<String>,
    /// Debian's packages that have what is missing.
    packages: Vec<&'static str>,
    refusal: Option<Refusal>,
    /// What was being built when a build failed, as `name==version` or as a name.
    built: Option<String>,
    /// Whether a build has found no `pkg_resources`.
    lacks_pkg_resources: bool,
    part: Part,
    /// What says why a package cannot be had.
    heard: Heard,
}

/// What is told of a failed install.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Why it failed, if that is known.
    pub(super) cause: Option<String>,
    /// The lines to repeat.
    pub(super) lines: Vec<String>,
    /// What to do.
    pub(super) fixes: Vec<String>,
}

/// What an index did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    /// It gave no such package. pip says no more where an index asks for credentials, too.
    Nothing,
    /// It asked for credentials, or for other ones.
    Credentials,
}

/// What the lines that come belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Output,
    /// uv's own error.
    Error,
    /// What a build printed, which uv's own error repeats.
    Build,
    Hint,
}

impl Excerpt {
    /// Takes the next line.
    pub(super) fn line(&mut self, installer: Installer, line: &str) {
        let plain = line.trim_start_matches(['│', '|', ' ', '\t']).trim_end();
        if let Some(package) = packages::of(plain) {
            if !self.packages.contains(&package) {
                self.packages.push(package);
            }
            self.explain(plain);
        } else if let plain = plain.trim_start_matches("╰─> ")
            && is_explaining(plain)
        {
            self.explain(plain);
        }
        self.heard.line(plain);
        self.refusal = self.refusal.max(refusal(plain));
        self.lacks_pkg_resources |= plain == NO_PKG_RESOURCES;
        if self.built.is_none() {
            self.built = what_was_built(plain).map(excerpt);
        }
        match installer {
            Installer::Pip => self.line_of_pip(plain),
            Installer::Uv => self.line_of_uv(line, plain),
        }
    }

    /// What to tell. `advice` is for an index that did not give a package.
    pub(super) fn finish(mut self, asked: Asked<'_>, advice: &[String]) -> Told {
        let Asked { installer, python, .. } = asked;
        let cause = self.heard.cause(asked).filter(|_| self.refusal != Some(Refusal::Credentials));
        if cause.is_some() {
            self.explaining.retain(|line| !line.contains(BROKEN));
        }
        if self.part == Part::Build {
            self.end_build();
        }
        if self.explaining.is_empty() {
            self.explaining.extend(self.of_build.take());
        }
        let mut lines = self.explaining;
        for line in self.of_uv.into_iter().chain(self.errors).chain(self.hints) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let mut packages: Vec<&str> = Vec::new();
        for package in self.packages.iter().flat_map(|packages| packages.split(' ')) {
            if !packages.contains(&package) {
                packages.push(package);
            }
        }
        let install = (!packages.is_empty()).then(|| {
            let packages = packages.join(" ");
            format!("On Debian and Ubuntu: apt install {packages}; then {DEPLOY_AGAIN}")
        });
        let built = self.built.as_deref().unwrap_or("the package");
        let pkg_resources = self.lacks_pkg_resources.then(|| {
            format!(
                "The build of {built} needs pkg_resources, which setuptools has until version 81: \
                 commit a file build-constraints.txt with the line setuptools<82, and: \
                 nyala config set {}_BUILD_CONSTRAINT=build-constraints.txt",
                installer.name().to_uppercase()
            )
        });
        // A package of the index is built where it has no wheel for this Python: most likely it is
        // older. What is in the tree has ` @ ` and a path in its name.
        let is_of_index = self.built.as_ref().is_some_and(|built| !built.contains(" @ "));
        // What is written in Rust has wheels, so it is old rather than in want of a compiler.
        let may_be_old = packages.iter().all(|package| *package == "cargo");
        let is_old = is_of_index && may_be_old && pkg_resources.is_none() && cause.is_none();
        let old = is_old.then(|| {
            format!(
                "If {built} is older than Python {}.{}, ask for a newer version of it, or for an \
                 older Python in runtime.txt, such as python-3.{}",
                python.major,
                python.minor,
                python.minor.saturating_sub(1)
            )
        });
        let older = lines.iter().find_map(|line| wanted_pip(line));
        let older = older.map(|version| format!("Set pip = \"{version}\" in nyala.toml"));
        let may_be_private = cause.as_ref().is_none_or(|cause| cause.may_be_private);
        let of_index = if may_be_private { of_index(self.refusal, advice) } else { Vec::new() };
        let cause = cause.unwrap_or_default();
        let fixes = cause
            .fixes
            .into_iter()
            .chain([old, install, pkg_resources, older].into_iter().flatten());
        Told {
            cause: Some(cause.fact).filter(|fact| !fact.is_empty()),
            lines: cause.lines.into_iter().chain(lines).collect(),
            fixes: fixes.chain(of_index).collect(),
        }
    }

    fn explain(&mut self, line: &str) {
        let line = excerpt(line);
        if self.explaining.len() < EXPLAINING && !self.explaining.contains(&line) {
            self.explaining.push(line);
        }
    }

    fn line_of_pip(&mut self, plain: &str) {
        if plain.starts_with("ERROR:") && !plain.starts_with("ERROR: Ignored the following") {
            self.errors.push(excerpt(&with_few_versions(plain)));
            let surplus = self.errors.len().saturating_sub(ERRORS);
            self.errors.drain(..surplus);
        }
        if plain == "[end of output]" {
            self.end_build();
        } else {
            self.keep_last(plain);
        }
    }

    fn line_of_uv(&mut self, line: &str, plain: &str) {
        let begins = line.starts_with("error:") || plain.starts_with('×');
        if begins && self.of_uv.is_empty() {
            self.part = Part::Error;
        } else if self.part != Part::Output {
            if plain.starts_with("hint:") {
                self.end_build();
                self.part = Part::Hint;
            } else if plain == "[stdout]" || plain == "[stderr]" {
                self.part = Part::Build;
                return;
            }
        }
        match self.part {
            Part::Error if !says_little(plain) && self.of_uv.len() < OF_UV => {
                self.of_uv.push(excerpt(plain));
            }
            Part::Hint if plain.is_empty() => self.part = Part::Output,
            Part::Hint if says_little(plain) => {}
            Part::Hint if self.hints.len() < HINTS => self.hints.push(excerpt(plain)),
            Part::Build => self.keep_last(plain),
            _ => {}
        }
    }

    fn keep_last(&mut self, plain: &str) {
        // A compiler's driver only repeats that there was an error.
        let is_drivers = ["error: command ", "error: Command ", "Error: command "]
            .iter()
            .any(|start| plain.starts_with(start));
        if !plain.is_empty() && !is_drivers {
            self.last = Some(excerpt(plain));
        }
    }

    fn end_build(&mut self) {
        if self.of_build.is_none() {
            self.of_build = self.last.take();
        }
    }
}

/// What pip says of an index that does not answer.
const BROKEN: &str = "after connection broken by";

/// A line of pip with the last of the versions that it lists.
fn with_few_versions(line: &str) -> Cow<'_, str> {
    const MARK: &str = "(from versions: ";
    const FEW: usize = 5;
    let Some((before, versions)) = line.rsplit_once(MARK) else { return Cow::Borrowed(line) };
    let versions: Vec<_> = versions.split(", ").collect();
    if versions.len() <= FEW {
        return Cow::Borrowed(line);
    }
    let last = versions[versions.len() - FEW..].join(", ");
    Cow::Owned(format!("{before}{MARK}…, {last}"))
}

const NO_PKG_RESOURCES: &str = "ModuleNotFoundError: No module named 'pkg_resources'";

/// What uv says of every build that fails.
fn says_little(line: &str) -> bool {
    let line = line.trim_start_matches(['├', '╰', '─', '▶', ' ']).trim_start_matches("cause: ");
    line.is_empty()
        || line.starts_with("The build backend returned an error")
        || line.starts_with("Call to `")
        || line.starts_with("hint: Build failures usually indicate a problem")
        || line.starts_with("hint: This usually indicates a problem with the package")
        || line == "environment."
}

/// The package whose build has failed, as pip or uv names it.
fn what_was_built(line: &str) -> Option<&str> {
    // pip says the same of what it could not fetch.
    if line.contains("' when git ") {
        return None;
    }
    let quoted = |mark: &str, end: char| line.split_once(mark)?.1.split(end).next();
    let of_pip = || line.strip_prefix("ERROR: Failed building wheel for ");
    // Below `Encountered error while generating package metadata.`
    let of_metadata = || line.strip_prefix("╰─> ").filter(|name| !name.contains([' ', '[']));
    let found = quoted("Failed to build `", '`')
        .or_else(|| quoted("Failed to download and build `", '`'))
        .or_else(|| quoted("Failed to build '", '\''))
        .or_else(of_pip)
        .or_else(of_metadata);
    found.filter(|name| !name.is_empty())
}

/// The version in pip's `Please use pip<24.1 if you need to use this version.`
fn wanted_pip(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("Please use pip")?;
    rest.split_whitespace().next().filter(|version| version.starts_with('<'))
}

/// What to do where an index did not give a package.
fn of_index(refusal: Option<Refusal>, advice: &[String]) -> Vec<String> {
    let mut advice = advice.to_vec();
    match refusal {
        None => advice.clear(),
        Some(Refusal::Nothing) if advice.is_empty() => {}
        Some(_) => advice.push(OF_INDEXES.to_owned()),
    }
    advice
}

const OF_INDEXES: &str = "Or set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL with nyala config set, the \
                          address with the credentials in it; or PIP_KEYRING_PROVIDER=subprocess";

fn refusal(line: &str) -> Option<Refusal> {
    let has = |words: &[&str]| words.iter().any(|words| line.contains(words));
    if has(&["401 Error", "401 Unauthorized", "401 Client", "403 Forbidden", "403 Client"]) {
        Some(Refusal::Credentials)
    } else if has(&["No matching distribution found for", "was not found in the package registry"])
    {
        Some(Refusal::Nothing)
    } else {
        None
    }
}

/// Whether a line says by itself what is wrong.
fn is_explaining(line: &str) -> bool {
    // `src/x.c:5:10: fatal error: sql.h: No such file or directory`
    let of_compiler = [": fatal error: ", ": error: "]
        .iter()
        .filter_map(|mark| line.split_once(mark))
        .any(|(place, _)| place.ends_with(|last: char| last.is_ascii_digit() || last == ')'));
    let of_pip = [
        "has invalid metadata",
        "Please use pip<",
        "requires a different Python",
        BROKEN,
        "401 Error, Credentials not correct",
    ];
    of_compiler
        || line.starts_with("error[E")
        // git's own error.
        || line.starts_with("fatal: ")
        || line.starts_with("error: failed to run custom build command for ")
        || line.contains("is newer than PyO3's maximum supported version")
        || line.contains("/ld: cannot find ")
        || line.starts_with("ModuleNotFoundError: ")
        || of_pip.iter().any(|words| line.contains(words)) && !line.starts_with("ERROR:")
}

#[cfg(test)]
mod tests;
