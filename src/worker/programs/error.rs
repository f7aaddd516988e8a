//! A program that cannot be run, in words for people.

use crate::console::did_you_mean;
use crate::text::capitalized;
use crate::user_error::{DEPLOY_AGAIN, UserError};

/// `program` is in none of the `folders`; `programs` are those of the env.
pub(super) fn no_such_program(
    process: &str,
    command: &str,
    origin: &str,
    program: &str,
    programs: &[String],
    folders: &str,
) -> UserError {
    let has = if programs.is_empty() { "nothing".to_owned() } else { programs.join(", ") };
    let error = UserError::new(format!("{process} needs {program}, which was not found"))
        .found(format!("{process}: {command} ({origin})"))
        .labelled("note", format!("beside Python and pip, the environment has: {has}"));
    // Only a well-known name is one to install: one that is mistyped may be somebody's package.
    if let Some((_, package)) = PACKAGES.iter().find(|(known, _)| *known == program) {
        return error
            .fix(format!("Add {package} to the requirements, commit, and push again"))
            .fix(format!("Or {}", correct(origin)));
    }
    let known = programs.iter().map(String::as_str).chain(PACKAGES.iter().map(|(name, _)| *name));
    match did_you_mean(program, known) {
        Some(meant) => error.fix(format!("Did you mean {meant}? If so, {}", correct(origin))),
        None => error
            .labelled("note", format!("PATH of the process: {folders}"))
            .fix(capitalized(&correct(origin))),
    }
}

/// `origin` is where a command is from: a file of the commit, or a setting on the server.
fn correct(origin: &str) -> String {
    let is_setting = origin.contains("setting") || origin.contains("nyala.toml");
    let then = if is_setting { DEPLOY_AGAIN } else { "commit, and push again" };
    let comma = if is_setting { " and" } else { "" };
    format!("correct the command in {origin},{comma} {then}")
}

/// Programs that web applications are run with, and the packages that have them.
const PACKAGES: [(&str, &str); 12] = [
    ("celery", "celery"),
    ("daphne", "daphne"),
    ("django-admin", "django"),
    ("fastapi", "fastapi[standard]"),
    ("flask", "flask"),
    ("gunicorn", "gunicorn"),
    ("honcho", "honcho"),
    ("hypercorn", "hypercorn"),
    ("rq", "rq"),
    ("uvicorn", "uvicorn"),
    ("uwsgi", "uwsgi"),
    ("waitress-serve", "waitress"),
];

/// A path that is not in the release.
pub(super) fn no_such_file(process: &str, command: &str, origin: &str, path: &str) -> UserError {
    UserError::new(format!("{process} needs {path}, which is not in the release"))
        .found(format!("{process}: {command} ({origin})"))
        .fix(format!("Commit {path}, and push again"))
        .fix(format!("Or {}", correct(origin)))
}

pub(super) fn not_executable(process: &str, command: &str, origin: &str, path: &str) -> UserError {
    UserError::new(format!("{process} needs {path}, which is not executable"))
        .found(format!("{process}: {command} ({origin})"))
        .fix(format!("Make it executable, and commit: git update-index --chmod=+x {path}"))
        .fix(format!("Or name what runs it, such as: bash {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_says_what_is() {
        let (command, origin) = ("gunicorn app:app", "the Procfile");
        let programs = ["flask".to_owned(), "waitress-serve".to_owned()];
        let folders = "/srv/shop/envs/1/bin:/usr/bin:/bin";
        let missing = no_such_program("web", command, origin, "gunicorn", &programs, folders);
        insta::assert_snapshot!(missing, @"
        web needs gunicorn, which was not found
        found: web: gunicorn app:app (the Procfile)
        note: beside Python and pip, the environment has: flask, waitress-serve
        1. Add gunicorn to the requirements, commit, and push again
        2. Or correct the command in the Procfile, commit, and push again
        ");
        let mistyped = |program: &str, origin: &str| {
            no_such_program("web", program, origin, program, &programs, folders).fixes.concat()
        };
        assert_eq!(
            mistyped("gunicorm", origin),
            "Did you mean gunicorn? If so, correct the command in the Procfile, commit, and push \
             again"
        );
        assert_eq!(
            mistyped("flaks", "[run.processes] of nyala.toml"),
            "Did you mean flask? If so, correct the command in [run.processes] of nyala.toml, \
             and deploy again"
        );
        insta::assert_snapshot!(no_such_program("web", "x", origin, "x", &[], folders), @"
        web needs x, which was not found
        found: web: x (the Procfile)
        note: beside Python and pip, the environment has: nothing
        note: PATH of the process: /srv/shop/envs/1/bin:/usr/bin:/bin
        Correct the command in the Procfile, commit, and push again
        ");
        insta::assert_snapshot!(no_such_file("web", "./run", origin, "./run"), @"
        web needs ./run, which is not in the release
        found: web: ./run (the Procfile)
        1. Commit ./run, and push again
        2. Or correct the command in the Procfile, commit, and push again
        ");
        insta::assert_snapshot!(not_executable("web", "./run", origin, "./run"), @"
        web needs ./run, which is not executable
        found: web: ./run (the Procfile)
        1. Make it executable, and commit: git update-index --chmod=+x ./run
        2. Or name what runs it, such as: bash ./run
        ");
    }
}
