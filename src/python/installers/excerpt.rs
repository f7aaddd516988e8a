//! Why an install failed: the lines of an installer's output that explain it, and what to do.
//!
//! A build prints thousands of lines, of which one says what was wrong, and rarely the last one. So
//! these are collected while the output streams: what compilers call errors, programs and headers
//! that are missing, what pip says of versions that it skips, and the installer's own errors and
//! hints.

mod packages;

use super::Installer;
use crate::text::excerpt;

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
    part: Part,
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
        } else if is_explaining(plain) {
            self.explain(plain);
        }
        self.refusal = self.refusal.max(refusal(plain));
        match installer {
            Installer::Pip => self.line_of_pip(plain),
            Installer::Uv => self.line_of_uv(line, plain),
        }
    }

    /// The lines to repeat, and what to do about them; `advice` is for an index that did not give a
    /// package.
    pub(super) fn finish(mut self, advice: &[String]) -> (Vec<String>, Vec<String>) {
        if self.explaining.is_empty() {
            self.explaining.extend(self.of_build.take());
        }
        let mut lines = self.explaining;
        for line in self.of_uv.into_iter().chain(self.errors).chain(self.hints) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let install = (!self.packages.is_empty()).then(|| {
            let packages = self.packages.join(" ");
            format!("On Debian and Ubuntu: apt install {packages}; then push again")
        });
        let older = lines.iter().find_map(|line| wanted_pip(line));
        let older = older.map(|version| format!("Set pip = \"{version}\" in nyala.toml"));
        let of_index = of_index(self.refusal, advice);
        (lines, install.into_iter().chain(older).chain(of_index).collect())
    }

    fn explain(&mut self, line: &str) {
        let line = excerpt(line);
        if self.explaining.len() < EXPLAINING && !self.explaining.contains(&line) {
            self.explaining.push(line);
        }
    }

    fn line_of_pip(&mut self, plain: &str) {
        if plain.starts_with("ERROR:") {
            self.errors.push(excerpt(plain));
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
            Part::Error if !plain.is_empty() && self.of_uv.len() < OF_UV => {
                self.of_uv.push(excerpt(plain));
            }
            Part::Hint if plain.is_empty() => self.part = Part::Output,
            Part::Hint if self.hints.len() < HINTS => self.hints.push(excerpt(plain)),
            Part::Build => self.keep_last(plain),
            _ => {}
        }
    }

    fn keep_last(&mut self, plain: &str) {
        // A compiler's driver only repeats that there was an error.
        if !plain.is_empty() && !plain.starts_with("error: command ") {
            self.last = Some(excerpt(plain));
        }
    }

    fn end_build(&mut self) {
        if self.of_build.is_none() {
            self.of_build = self.last.take();
        }
    }
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
        "after connection broken by",
        "401 Error, Credentials not correct",
    ];
    of_compiler
        || line.starts_with("error[E")
        || line.contains("/ld: cannot find ")
        || line.starts_with("ModuleNotFoundError: ")
        || of_pip.iter().any(|words| line.contains(words)) && !line.starts_with("ERROR:")
}

#[cfg(test)]
mod tests;
