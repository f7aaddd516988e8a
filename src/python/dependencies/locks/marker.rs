//! Environment markers: whether a dependency applies to one interpreter on one machine.
//!
//! The grammar and the meaning are those of PEP 508, as kept up to date in
//! <https://packaging.python.org/en/latest/specifications/dependency-specifiers/>, with the lists
//! of PEP 751 (`'dev' in dependency_groups`). Python's `packaging` is the reference where
//! the specification is silent.

use std::collections::BTreeSet;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};
use thiserror::Error;

pub(super) use super::super::text::normalized_name as normalized;

/// What markers are evaluated against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The interpreter's version in full, such as `3.12.1`.
    pub python: Version,
    /// `x86_64`, as `uname -m` prints it.
    pub machine: String,
    /// `6.1.0-18-amd64`, as `uname -r` prints it.
    pub release: String,
    /// As `uname -v` prints it.
    pub system_version: String,
    /// The extras that were chosen, normalized.
    pub extras: BTreeSet<String>,
    /// The dependency groups that were chosen, normalized.
    pub groups: BTreeSet<String>,
}

impl Environment {
    /// An interpreter of this version on this machine, with nothing chosen.
    pub fn here(python: Version) -> Environment {
        let system = rustix::system::uname();
        let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
        Environment {
            python,
            machine: text(system.machine()),
            release: text(system.release()),
            system_version: text(system.version()),
            extras: BTreeSet::new(),
            groups: BTreeSet::new(),
        }
    }
}

/// A marker that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not an environment marker: {why}")]
pub struct MarkerError {
    pub text: String,
    pub why: String,
}

/// An operating system, by the values of its variables.
#[derive(Debug)]
pub(super) struct Target {
    os_name: &'static str,
    sys_platform: &'static str,
    platform_system: &'static str,
}

/// The first is the one that nyala runs on.
pub(super) const TARGETS: [Target; 3] = [
    Target { os_name: "posix", sys_platform: "linux", platform_system: "Linux" },
    Target { os_name: "posix", sys_platform: "darwin", platform_system: "Darwin" },
    Target { os_name: "nt", sys_platform: "win32", platform_system: "Windows" },
];

/// Whether `marker` holds in `environment`. An empty marker always does.
pub(super) fn holds(marker: &str, environment: &Environment) -> Result<bool, MarkerError> {
    holds_on(marker, environment, &TARGETS[0])
}

/// [`holds`], on another system.
pub(super) fn holds_on(
    marker: &str,
    environment: &Environment,
    target: &Target,
) -> Result<bool, MarkerError> {
    if marker.trim().is_empty() {
        return Ok(true);
    }
    let error = |why: String| MarkerError { text: marker.to_owned(), why };
    let tokens = tokens(marker).map_err(error)?;
    let mut parser = Parser { tokens: &tokens, next: 0, depth: 0, environment, target };
    let value = parser.any_of().map_err(error)?;
    match parser.tokens.get(parser.next) {
        None => Ok(value),
        Some(token) => Err(error(format!("{token:?} is not expected there"))),
    }
}

/// How deep parentheses may nest. Each level costs some stack.
const DEEPEST: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
    Literal(String),
    Operator(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => {
                tokens.push(if first == '(' { Token::Open } else { Token::Close });
                1
            }
            '\'' | '"' => {
                let end = rest[1..].find(first).ok_or("a quote is not closed")?;
                tokens.push(Token::Literal(rest[1..=end].to_owned()));
                end + 2
            }
            '<' | '>' | '=' | '!' | '~' => {
                let end = rest.find(|c| !"<>=!~".contains(c)).unwrap_or(rest.len());
                tokens.push(Token::Operator(rest[..end].to_owned()));
                end
            }
            _ => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                if end == 0 {
                    return Err(format!("{first:?} is not expected there"));
                }
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    depth: usize,
    environment: &'a Environment,
    target: &'a Target,
}

/// One side of a comparison.
enum Operand {
    Literal(String),
    /// A variable whose value is a version.
    Version(String),
    Text(String),
    Extra,
    List(BTreeSet<String>),
}

impl Parser<'_> {
    fn any_of(&mut self) -> Result<bool, String> {
        let mut value = self.all_of()?;
        while self.take_word("or") {
            value |= self.all_of()?;
        }
        Ok(value)
    }

    fn all_of(&mut self) -> Result<bool, String> {
        let mut value = self.term()?;
        while self.take_word("and") {
            value &= self.term()?;
        }
        Ok(value)
    }

    fn term(&mut self) -> Result<bool, String> {
        if self.tokens.get(self.next) != Some(&Token::Open) {
            return self.comparison();
        }
        self.next += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("its parentheses nest deeper than {DEEPEST} levels"));
        }
        let value = self.any_of()?;
        self.depth -= 1;
        if self.tokens.get(self.next) != Some(&Token::Close) {
            return Err("a parenthesis is not closed".to_owned());
        }
        self.next += 1;
        Ok(value)
    }

    fn comparison(&mut self) -> Result<bool, String> {
        let left = self.operand()?;
        let operator = match self.tokens.get(self.next) {
            Some(Token::Operator(operator)) => operator.clone(),
            Some(Token::Word(word)) if word == "in" => "in".to_owned(),
            Some(Token::Word(word)) if word == "not" => {
                self.next += 1;
                if self.tokens.get(self.next) != Some(&Token::Word("in".to_owned())) {
                    return Err("`in` is missing after `not`".to_owned());
                }
                "not in".to_owned()
            }
            _ => return Err("a comparison lacks its operator".to_owned()),
        };
        self.next += 1;
        let right = self.operand()?;
        compare(&left, &operator, &right, self.environment)
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let token = self.tokens.get(self.next).ok_or("it ends too early")?;
        self.next += 1;
        match token {
            Token::Literal(text) => Ok(Operand::Literal(text.clone())),
            Token::Word(name) => self.variable(name),
            other => Err(format!("{other:?} is not expected there")),
        }
    }

    fn variable(&self, name: &str) -> Result<Operand, String> {
        let Environment { python, machine, release, system_version, extras, groups } =
            self.environment;
        let &Target { os_name, sys_platform, platform_system } = self.target;
        let major_minor = || {
            let numbers = python.release();
            format!("{}.{}", numbers[0], numbers.get(1).copied().unwrap_or(0))
        };
        Ok(match name {
            "python_version" => Operand::Version(major_minor()),
            "python_full_version" | "implementation_version" => {
                Operand::Version(python.to_string())
            }
            "os_name" | "os.name" => Operand::Text(os_name.to_owned()),
            // Python 2 named the kernel's major version, too.
            "sys_platform" | "sys.platform" => {
                let is_python_2 = python.release()[0] < 3 && sys_platform == "linux";
                Operand::Text(if is_python_2 { "linux2" } else { sys_platform }.to_owned())
            }
            "platform_system" => Operand::Text(platform_system.to_owned()),
            "platform_machine" | "platform.machine" => Operand::Text(machine.clone()),
            "platform_release" => Operand::Text(release.clone()),
            "platform_version" | "platform.version" => Operand::Text(system_version.clone()),
            "implementation_name" => Operand::Text("cpython".to_owned()),
            "platform_python_implementation"
            | "platform.python_implementation"
            | "python_implementation" => Operand::Text("CPython".to_owned()),
            "extra" => Operand::Extra,
            "extras" => Operand::List(extras.clone()),
            "dependency_groups" => Operand::List(groups.clone()),
            _ => return Err(format!("{name} is not a variable that markers have")),
        })
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next =
            matches!(self.tokens.get(self.next), Some(Token::Word(found)) if found == word);
        self.next += usize::from(is_next);
        is_next
    }
}

fn compare(
    left: &Operand,
    operator: &str,
    right: &Operand,
    environment: &Environment,
) -> Result<bool, String> {
    match (left, right) {
        (Operand::Extra, Operand::Literal(name)) | (Operand::Literal(name), Operand::Extra) => {
            let chosen = environment.extras.contains(&normalized(name));
            match operator {
                "==" => Ok(chosen),
                "!=" => Ok(!chosen),
                _ => Err(format!("{operator} does not compare extras")),
            }
        }
        (Operand::Literal(name), Operand::List(list)) => match operator {
            "in" => Ok(list.contains(&normalized(name))),
            "not in" => Ok(!list.contains(&normalized(name))),
            _ => Err(format!("{operator} does not look into a list")),
        },
        (Operand::Version(found), Operand::Literal(wanted)) => {
            compare_versions(found, operator, wanted)
        }
        (Operand::Literal(wanted), Operand::Version(found)) => {
            compare_versions(found, mirrored(operator), wanted)
        }
        (
            Operand::Text(left) | Operand::Literal(left),
            Operand::Text(right) | Operand::Literal(right),
        ) => compare_texts(left, operator, right),
        _ => Err("it compares what cannot be compared".to_owned()),
    }
}

/// `>=` for `<=`: for a comparison whose literal stands on the left.
fn mirrored(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}

fn compare_versions(found: &str, operator: &str, wanted: &str) -> Result<bool, String> {
    if let "in" | "not in" = operator {
        // A list such as `'3.8 3.9'` or `'3.8, 3.9'`: its members count, not its characters.
        let is_in = wanted
            .split(|c: char| c.is_whitespace() || c == ',' || c == '|')
            .filter(|member| !member.is_empty())
            .any(|member| same_version(found, member));
        return Ok(is_in == (operator == "in"));
    }
    let specifier = VersionSpecifier::from_str(&format!("{operator}{wanted}"))
        .map_err(|_| format!("{operator} {wanted:?} does not compare versions"))?;
    let version = Version::from_str(found).map_err(|error| error.to_string())?;
    Ok(specifier.contains(&version))
}

fn same_version(one: &str, other: &str) -> bool {
    match (Version::from_str(one), Version::from_str(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn compare_texts(left: &str, operator: &str, right: &str) -> Result<bool, String> {
    Ok(match operator {
        "==" | "===" => left == right,
        "!=" => left != right,
        "in" => right.contains(left),
        "not in" => !right.contains(left),
        "<" | "<=" | ">" | ">=" => {
            // `platform_release >= '4.0'`: versions where both sides are some, else text.
            match (Version::from_str(left), Version::from_str(right)) {
                (Ok(left), Ok(right)) => ordered(&left, operator, &right),
                _ => ordered(&left, operator, &right),
            }
        }
        _ => return Err(format!("{operator} does not compare text")),
    })
}

fn ordered<T: PartialOrd>(left: &T, operator: &str, right: &T) -> bool {
    match operator {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    }
}

#[cfg(test)]
mod tests;
