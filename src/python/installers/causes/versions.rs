//! Versions that are not there, or not for this Python.

use std::str::FromStr;

use pep440_rs::Version as Pep440;

use super::{Asked, Cause, Heard, Installer, Requirement};
use crate::python::version::Version;
use crate::text::excerpt;

/// The package is for other versions of Python.
pub(super) fn other_python(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let mut older = None;
    let (what, needs) = match asked.installer {
        Installer::Pip => {
            const IGNORED: &str =
                "ERROR: Ignored the following versions that require a different python version: ";
            // Of what comes from a path or an address.
            if let Some(said) = heard.after("ERROR: Package '") {
                let (what, rest) = said.split_once("' requires a different Python: ")?;
                let (_, needs) = rest.split_once(" not in ")?;
                return Some(needs_python(&excerpt(what), needs.trim_matches('\''), asked.python));
            }
            let (requirement, versions) = heard.not_found()?;
            let allowed = heard.after(IGNORED)?.split("; ").filter_map(|ignored| {
                let (version, needs) = ignored.split_once(" Requires-Python ")?;
                requirement.allows(version).then_some((version, needs))
            });
            let (version, needs) = allowed.last()?;
            older = versions.iter().rev().find(|version| is_final(version)).map(|version| {
                format!(
                    "Or take {} {version}, the newest for Python {}",
                    requirement.name,
                    asked.python.minor_version()
                )
            });
            (format!("{} {version}", requirement.name), needs.to_owned())
        }
        Installer::Uv => {
            let said = heard.of_uv();
            let (_, rest) = said.split_once(" does not satisfy Python")?;
            let (needs, rest) = rest.split_once(" and ")?;
            let (what, _) = rest.split_once(" depends on Python")?;
            (excerpt(&what.replace("==", " ")), needs.to_owned())
        }
    };
    let mut cause = needs_python(&what, &needs, asked.python);
    cause.fixes.extend(older);
    Some(cause)
}

/// A package, `what`, is for other Pythons than this one.
pub(in super::super) fn needs_python(what: &str, needs: &str, python: &Version) -> Cause {
    let here = python.minor_version();
    let fix = python.nearest_minor(needs).map(|minor| {
        format!(
            "Ask for Python {minor}: write python-{minor} into runtime.txt, commit, and push again"
        )
    });
    Cause {
        fact: format!("{what} needs Python {}, and this environment has {here}", excerpt(needs)),
        fixes: fix.into_iter().collect(),
        ..Cause::default()
    }
}

fn is_final(version: &str) -> bool {
    version.chars().all(|sign| sign.is_ascii_digit() || sign == '.')
}

/// There is no such version, or none for this Python.
pub(super) fn no_version(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let here = asked.python.minor_version();
    if asked.installer == Installer::Uv {
        return no_version_of_uv(&heard.of_uv(), asked, &here);
    }
    let (requirement, versions) = heard.not_found()?;
    let Requirement { name, specifiers } = requirement;
    let last = versions.last()?;
    let newest = versions.iter().rev().find(|version| is_final(version)).unwrap_or(last);
    let oldest = versions.iter().find(|version| is_final(version)).unwrap_or(last);
    let parsed = |version: &str| Pep440::from_str(version).ok();
    let is_older = requirement.pinned().is_some_and(|pinned| parsed(pinned) < parsed(oldest));
    let place = asked.place(name);
    let older = asked.python.minor.saturating_sub(1);
    let (fact, fixes) = match requirement.pinned() {
        Some(version) if is_older => (
            format!("there is no {name} {version} for Python {here}"),
            vec![
                format!(
                    "Ask for a newer version in {place}, commit, and push again: {oldest} is the \
                     oldest for Python {here}, {newest} the newest"
                ),
                format!("Or ask for an older Python in runtime.txt, such as python-3.{older}"),
            ],
        ),
        None if specifiers.is_empty() => (
            format!("{name} has pre-releases only"),
            vec![format!("Ask for one in {place}, commit, and push again: {name}=={last}")],
        ),
        version => (
            version.map_or_else(
                || format!("no version of {name} is {specifiers}"),
                |version| format!("{name} has no version {version}"),
            ),
            vec![format!("Correct {place}, commit, and push again: the newest is {newest}")],
        ),
    };
    Some(Cause { fact, fixes, ..Cause::default() })
}

fn no_version_of_uv(said: &str, asked: Asked<'_>, here: &str) -> Option<Cause> {
    let correct = |name: &str| format!("Correct {}, commit, and push again", asked.place(name));
    let named = |text: &str| excerpt(&text.replace("==", " "));
    if let Some((before, _)) = said.split_once(" has no wheels with a matching Python") {
        let what = before.rsplit(' ').next()?;
        let tags = said.split_once("ABI tags: ").map(|(_, tags)| tags).unwrap_or_default();
        let tagged = tags.split('`').filter_map(|tag| tag.strip_prefix("cp3")?.parse().ok()).max();
        let tagged: u16 = tagged.unwrap_or(asked.python.minor.saturating_sub(1));
        return Some(Cause {
            fact: format!("there is no {} for Python {here}", named(what)),
            fixes: vec![
                format!(
                    "Ask for a newer version in {}, commit, and push again",
                    asked.place(Requirement::of(what).name)
                ),
                format!("Or ask for an older Python in runtime.txt: python-3.{tagged}"),
            ],
            ..Cause::default()
        });
    }
    if let Some((_, rest)) = said.split_once("there is no version of ") {
        let what = rest.split([' ', ',']).next()?;
        let requirement = Requirement::of(what);
        let name = requirement.name;
        let fact = match requirement.pinned() {
            Some(version) => format!("{name} has no version {version}"),
            None => format!("no version of {name} is {}", requirement.specifiers),
        };
        return Some(Cause { fact, fixes: vec![correct(name)], ..Cause::default() });
    }
    // `Because only six<=1.17.0 is available and you require six>3`
    let (_, rest) = said.split_once("Because only ")?;
    let (there, rest) = rest.split_once(" is available and you require ")?;
    let what = rest.split(", we can").next()?;
    let (there, wanted) = (Requirement::of(there), Requirement::of(what));
    (there.name == wanted.name).then(|| Cause {
        fact: format!("no version of {} is {}", wanted.name, wanted.specifiers),
        fixes: vec![correct(wanted.name)],
        ..Cause::default()
    })
}
