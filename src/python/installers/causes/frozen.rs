//! What `pip freeze` wrote on another machine, and no other machine can install.

use super::{Asked, Cause, Heard, Installer, NOT_FOUND, Requirement};
use crate::python::dependencies::requirements_txt::local_path;
use crate::python::dependencies::{Line, Role, normalized_name};
use crate::text::excerpt;

/// Packages that have files for Windows alone, or that only Windows can build.
const OF_WINDOWS: [&str; 5] =
    ["pypiwin32", "pywin32", "pywinpty", "twisted-iocpsupport", "wincertstore"];

/// The packages of `PyObjC` are for macOS alone.
const OF_MACOS: &str = "pyobjc";

/// What Debian's and Ubuntu's pip once listed: <https://bugs.launchpad.net/bugs/1635463>
const OF_DEBIAN: &str = "pkg-resources";

/// The requirements were written on another machine.
pub(super) fn frozen_elsewhere(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    of_its_disk(heard, asked).or_else(|| of_its_system(heard, asked))
}

/// A path that conda built a package in: `certifi @ file:///croot/certifi_1690232220950/work`.
fn of_its_disk(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let path = match asked.installer {
        Installer::Pip => {
            let said = heard.after("ERROR: Could not install packages due to an OSError: ")?;
            let path = said.strip_prefix("[Errno 2] No such file or directory: '")?;
            path.strip_suffix('\'')?.to_owned()
        }
        Installer::Uv => local_path(heard.after("error: Distribution not found at: ")?)?,
    };
    let is_it = |line: &&Line| {
        let named = line.text.split_once('@').map(|(_, named)| named.trim());
        let named = named.and_then(|named| named.split(" ;").next()).and_then(local_path);
        line.role == Role::Requirement && named.is_some_and(|named| named == path)
    };
    let line = asked.recorded.lines.iter().find(is_it)?;
    Some(Cause {
        fact: format!(
            "{} is asked for from {}, which is not on this machine",
            excerpt(&line.key),
            excerpt(&path)
        ),
        fixes: vec![
            format!(
                "Write {}==VERSION in line {} of {}, commit, and push again",
                excerpt(&line.key),
                line.number,
                line.file
            ),
            "If conda wrote such lines, this writes versions: pip list --format=freeze > \
             requirements.txt"
                .to_owned(),
        ],
        ..Cause::default()
    })
}

/// A package that is for another system alone.
fn of_its_system(heard: &Heard, asked: Asked<'_>) -> Option<Cause> {
    let said;
    let requirement = match asked.installer {
        Installer::Pip => match heard.not_found() {
            Some((requirement, versions)) => versions.is_empty().then_some(requirement)?,
            None => Requirement::of(heard.not_built()?),
        },
        Installer::Uv => {
            said = heard.of_uv();
            Requirement::of(uv_lacks(&said)?)
        }
    };
    let Requirement { name, specifiers } = requirement;
    let (normal, place) = (normalized_name(name), asked.place(name));
    let of_debian = if normal == OF_DEBIAN {
        Some(format!("{name} is no package: pip of Debian and Ubuntu lists it by mistake"))
    } else if specifiers.contains("ubuntu") || specifiers.contains("+debian") {
        Some(format!("{name}{specifiers} is a package of Debian or Ubuntu, and in no index"))
    } else {
        None
    };
    if let Some(fact) = of_debian {
        let fixes = vec![format!("Remove it ({place}), commit, and push again")];
        return Some(Cause { fact, fixes, ..Cause::default() });
    }
    let (system, platform) = if OF_WINDOWS.contains(&normal.as_str()) {
        ("Windows", "win32")
    } else if normal.starts_with(OF_MACOS) {
        ("macOS", "darwin")
    } else {
        return None;
    };
    let marker = format!("; sys_platform == \"{platform}\"");
    let written = asked.line(name).and_then(|line| line.text.split(';').next()).map(str::trim_end);
    let fix = match written {
        Some(text) => {
            format!("Write {} {marker} in {place}, commit, and push again", excerpt(text))
        }
        None => format!(
            "Find what needs it in {place}, add {marker} to that line, commit, and push again"
        ),
    };
    Some(Cause {
        fact: format!("{} is for {system} only", excerpt(name)),
        fixes: vec![fix],
        ..Cause::default()
    })
}

/// The package that uv did not find, has no file of, or cannot build.
fn uv_lacks(said: &str) -> Option<&str> {
    const BUILD: &str = "error: Failed to build `";
    const LACKS: [&str; 4] =
        [NOT_FOUND[0], NOT_FOUND[1], " has no wheels with a matching", " and you"];
    if let Some((_, rest)) = said.split_once(BUILD) {
        return rest.split('`').next();
    }
    let (before, _) = LACKS.iter().find_map(|words| said.split_once(words))?;
    before.rsplit(' ').next()
}
