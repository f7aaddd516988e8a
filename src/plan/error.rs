//! Why a commit cannot be planned, in words for people. What is wrong with its files is said where
//! they are read.

use crate::python::dependencies::locks::Lock;
use crate::python::dependencies::{Declaration, Source};
use crate::python::version::{Origin, Version, Wanted};
use crate::user_error::UserError;

/// A commit that tracks a file or folder where nyala links the env. `found` says what it is.
pub(super) fn env_is_tracked(found: &str) -> UserError {
    UserError::new("the tree tracks `env`, the name that nyala links the virtual environment to")
        .found(found)
        .fix("Stop tracking it: git rm -r --cached env")
        .fix("Keep it out of the tree: echo /env >> .gitignore && git add .gitignore")
        .fix("Commit: git commit -m 'Leave env to the server', and push again")
}

pub(super) fn cannot_install_from(installer: &str, source: &Source) -> UserError {
    UserError::new(format!("{installer} cannot install from {source}"))
        .fix("Choose another installer: installer in nyala.toml, or git push -o installer=NAME")
}

pub(super) fn not_for_uv(files: &[String]) -> UserError {
    UserError::new("uv reads requirements files in UTF-8 only")
        .found(format!("{} (another encoding, by a coding line)", files.join(", ")))
        .fix("Save it as UTF-8, commit, and push again")
        .fix("Or let pip install: installer = \"pip\" in nyala.toml, or git push -o installer=pip")
}

pub(super) fn nothing_installs(first: &Declaration, declared: &[Declaration]) -> UserError {
    let names: Vec<_> = declared.iter().map(ToString::to_string).collect();
    let ignored: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let ignore = format!("ignore = [{}] under [dependencies] in nyala.toml", ignored.join(", "));
    if let Some(lock) = Lock::named(first.gives) {
        let error = UserError::new(format!(
            "{first} declares dependencies, and its lock, {lock}, is not in the commit",
            lock = lock.file_name()
        ))
        .found(names.join(", "))
        .fix(format!("{}, git add {}, commit, and push again", first.export, first.gives));
        let error = match lock {
            Lock::Uv => error.fix(
                "Or install what it names without a lock: file = \"pyproject.toml\" under \
                 [dependencies] in nyala.toml",
            ),
            _ => error,
        };
        return error.fix(format!("Or, if nothing is to be installed: {ignore}"));
    }
    if Lock::named_or_chosen(&first.path).is_some() {
        return UserError::new(format!(
            "{first} declares dependencies, and nothing says that it is to be installed"
        ))
        .found(names.join(", "))
        .fix(format!("Say so: file = \"{first}\" under [dependencies] in nyala.toml"))
        .fix(format!("Or, if nothing is to be installed: {ignore}"));
    }
    UserError::new(format!(
        "{first} declares dependencies, and nyala cannot install from it: it needs a \
         requirements.txt or a lock file, and there is none"
    ))
    .found(names.join(", "))
    .fix(&first.export)
    .fix("Add it: git add requirements.txt, commit, and push again")
    .fix(format!(
        "Or, if nothing is to be installed: {ignore}, or commit an empty requirements.txt"
    ))
}

/// `names` are those of the locks.
pub(super) fn several_locks(names: &[&str]) -> UserError {
    let (first, others) = names.split_first().unwrap_or((&"", &[]));
    UserError::new("there are several lock files, and no requirements.txt")
        .found(names.join(", "))
        .fix(format!("Say which one counts: file = \"{first}\" under [dependencies] in nyala.toml"))
        .fix(format!("Or remove the others: git rm {}", others.join(" ")))
}

/// The site names `path`, which is a Pipfile, or a lock or a project's file in a folder.
pub(super) fn is_no_requirements_file(path: &str) -> UserError {
    let error = UserError::new(format!("{path} is no requirements file")).found(
        "file under [dependencies] in nyala.toml, or the app setting CUSTOM_REQUIREMENTSTXT_PATH, \
         names it",
    );
    let another = "name a requirements file, or a lock in the application's folder";
    match path.rsplit_once('/').filter(|(folder, _)| !folder.contains("..")) {
        Some((folder, _)) => error
            .fix(format!("If the application is in {folder}: project = \"{folder}\" in nyala.toml"))
            .fix(format!("Or {another}")),
        None => error.fix(another.replacen('n', "N", 1)),
    }
}

/// `lock` is that of the workspace which the application is a member of.
pub(super) fn lock_without_member(lock: &str) -> UserError {
    UserError::new(format!(
        "the application is a member of the workspace, and {lock} does not have it"
    ))
    .fix(format!("Run {}, commit {lock}, and push again", Lock::Uv.command()))
    .fix(
        "Or install what it names without a lock: file = \"pyproject.toml\" under [dependencies] \
         in nyala.toml",
    )
}

/// All files that the lock `source` has of a package are for other Pythons: for these, if any.
pub(super) fn no_file(
    source: &Source,
    package: &str,
    python: &Version,
    pythons: &[String],
) -> UserError {
    let minor = python.minor_version();
    let error = UserError::new(format!("{source} has no file of {package} for Python {minor}"));
    let error = match pythons.last() {
        Some(newest) => error
            .found(format!("files for Python {}", pythons.join(", ")))
            .fix(format!("Ask for such a Python in runtime.txt: python-{newest}")),
        None => error.fix("Ask for another Python in runtime.txt"),
    };
    error.fix(format!("Or make {source} again with Python {minor}, commit, and push again"))
}

/// `fact` says which Python `origin` asks for, and what it does not meet.
pub(super) fn not_required_python(fact: &str, origin: Origin, required: &Wanted) -> UserError {
    UserError::new(fact)
        .found(format!("requires-python = \"{required}\""))
        .fix(format!("Ask for a Python that meets it in {origin}"))
        .fix("Or change requires-python, commit, and push again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_cannot_be_deployed_says_what_to_change() {
        insta::assert_snapshot!(env_is_tracked("a symbolic link"), @"
        the tree tracks `env`, the name that nyala links the virtual environment to
        found: a symbolic link
        1. Stop tracking it: git rm -r --cached env
        2. Keep it out of the tree: echo /env >> .gitignore && git add .gitignore
        3. Commit: git commit -m 'Leave env to the server', and push again
        ");
        let source = Source::RequirementsTxt { path: "requirements.txt".to_owned() };
        insta::assert_snapshot!(cannot_install_from("pip", &source), @"
        pip cannot install from requirements.txt
        Choose another installer: installer in nyala.toml, or git push -o installer=NAME
        ");
    }

    #[test]
    fn dependencies_that_cannot_be_installed_say_how_they_can() {
        insta::assert_snapshot!(not_for_uv(&["a.txt".to_owned(), "b.txt".to_owned()]), @r#"
        uv reads requirements files in UTF-8 only
        found: a.txt, b.txt (another encoding, by a coding line)
        1. Save it as UTF-8, commit, and push again
        2. Or let pip install: installer = "pip" in nyala.toml, or git push -o installer=pip
        "#);
        insta::assert_snapshot!(is_no_requirements_file("web/uv.lock"), @r#"
        web/uv.lock is no requirements file
        found: file under [dependencies] in nyala.toml, or the app setting CUSTOM_REQUIREMENTSTXT_PATH, names it
        1. If the application is in web: project = "web" in nyala.toml
        2. Or name a requirements file, or a lock in the application's folder
        "#);
        insta::assert_snapshot!(is_no_requirements_file("Pipfile"), @r"
        Pipfile is no requirements file
        found: file under [dependencies] in nyala.toml, or the app setting CUSTOM_REQUIREMENTSTXT_PATH, names it
        Name a requirements file, or a lock in the application's folder
        ");
        insta::assert_snapshot!(lock_without_member("../uv.lock"), @r#"
        the application is a member of the workspace, and ../uv.lock does not have it
        1. Run uv lock, commit ../uv.lock, and push again
        2. Or install what it names without a lock: file = "pyproject.toml" under [dependencies] in nyala.toml
        "#);
        let source = Source::lock(Lock::Pylock);
        let pythons = ["3.11".to_owned(), "3.12".to_owned()];
        insta::assert_snapshot!(no_file(&source, "six", &Version::new(3, 13, 0), &pythons), @r"
        pylock.toml has no file of six for Python 3.13
        found: files for Python 3.11, 3.12
        1. Ask for such a Python in runtime.txt: python-3.12
        2. Or make pylock.toml again with Python 3.13, commit, and push again
        ");
        insta::assert_snapshot!(several_locks(&["uv.lock", "poetry.lock"]), @r#"
        there are several lock files, and no requirements.txt
        found: uv.lock, poetry.lock
        1. Say which one counts: file = "uv.lock" under [dependencies] in nyala.toml
        2. Or remove the others: git rm poetry.lock
        "#);
    }

    #[test]
    fn a_python_that_the_project_excludes_is_named_with_its_origin() {
        let required = Wanted::Specifiers(">=3.12".parse().unwrap());
        let fact = "Python 3.11, which runtime.txt asks for, does not meet requires-python";
        insta::assert_snapshot!(not_required_python(fact, Origin::RuntimeTxt, &required), @r#"
        Python 3.11, which runtime.txt asks for, does not meet requires-python
        found: requires-python = ">=3.12"
        1. Ask for a Python that meets it in runtime.txt
        2. Or change requires-python, commit, and push again
        "#);
    }

    #[test]
    fn what_nothing_installs_is_named_with_the_way_out() {
        let declared = |path: &str, export: &str, gives| Declaration {
            path: path.to_owned(),
            export: export.to_owned(),
            gives,
        };
        let first = declared("pyproject.toml", "Run uv lock", "uv.lock");
        let error = nothing_installs(&first, std::slice::from_ref(&first));
        insta::assert_snapshot!(error, @r#"
        pyproject.toml declares dependencies, and its lock, uv.lock, is not in the commit
        found: pyproject.toml
        1. Run uv lock, git add uv.lock, commit, and push again
        2. Or install what it names without a lock: file = "pyproject.toml" under [dependencies] in nyala.toml
        3. Or, if nothing is to be installed: ignore = ["pyproject.toml"] under [dependencies] in nyala.toml
        "#);
        let first = declared("pylock.prod.toml", "", "requirements.txt");
        let error = nothing_installs(&first, std::slice::from_ref(&first));
        insta::assert_snapshot!(error, @r#"
        pylock.prod.toml declares dependencies, and nothing says that it is to be installed
        found: pylock.prod.toml
        1. Say so: file = "pylock.prod.toml" under [dependencies] in nyala.toml
        2. Or, if nothing is to be installed: ignore = ["pylock.prod.toml"] under [dependencies] in nyala.toml
        "#);
        let first = declared("environment.yml", "Write the packages of PyPI", "requirements.txt");
        let error = nothing_installs(&first, std::slice::from_ref(&first));
        insta::assert_snapshot!(error, @r#"
        environment.yml declares dependencies, and nyala cannot install from it: it needs a requirements.txt or a lock file, and there is none
        found: environment.yml
        1. Write the packages of PyPI
        2. Add it: git add requirements.txt, commit, and push again
        3. Or, if nothing is to be installed: ignore = ["environment.yml"] under [dependencies] in nyala.toml, or commit an empty requirements.txt
        "#);
    }
}
