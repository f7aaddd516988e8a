//! Says what would not run in an image, with the package that it belongs to.

use std::path::Path;

use anyhow::{Result, bail};

use super::check::{Lacks, Problem, is_optional, packages};
use super::error;
use crate::console;

/// Fails with the problems, if there are any but those that nobody minds: what this machine lacks,
/// too, the site runs without. `env` is the folder of the env and its path in the image.
pub(super) fn verdict(
    problems: Vec<Problem>,
    base: Option<&str>,
    env: Option<(&Path, &str)>,
) -> Result<()> {
    let (optional, serious): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| is_optional(&problem.file));
    let warn_of_optional = || {
        for problem in &optional {
            console::warning(line(problem, None));
        }
    };
    if serious.is_empty() {
        warn_of_optional();
        return Ok(());
    }
    let inside = |problem: &Problem| {
        let (_, to) = env?;
        let rest = problem.file.strip_prefix(to.trim_start_matches('/'))?;
        Some(rest.trim_start_matches('/').to_owned())
    };
    let files: Vec<String> = serious.iter().filter_map(inside).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let packages = env.map(|(folder, _)| packages(folder, &files)).unwrap_or_default();
    let (here, nowhere): (Vec<_>, Vec<_>) =
        serious.into_iter().partition(|problem| problem.is_here);
    let lines = |problems: &[Problem]| -> Vec<String> {
        let lines = problems.iter().map(|problem| {
            let package = inside(problem).and_then(|file| packages.get(&file));
            line(problem, package.map(String::as_str))
        });
        lines.collect()
    };
    if !here.is_empty() {
        bail!(error::does_not_run(base, lines(&here)));
    }
    warn_of_optional();
    console::warning(error::missing_here_too(lines(&nowhere)));
    Ok(())
}

/// `whose` is what the file belongs to: a package of the env, for example.
pub(super) fn line(problem: &Problem, whose: Option<&str>) -> String {
    let Problem { file, lacks, is_here: _ } = problem;
    let lacks = match lacks {
        Lacks::Library(library) => format!("needs {library}"),
        Lacks::Loader(loader) => format!("needs the loader {loader}"),
        Lacks::Version { library, version, newest: Some(newest) } => {
            format!("needs {version} of {library}, which has versions up to {newest}")
        }
        Lacks::Version { library, version, newest: None } => {
            format!("needs {version} of {library}, which has none")
        }
    };
    match whose {
        Some(whose) => format!("{whose} {lacks} (/{file})"),
        None => format!("/{file} {lacks}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_package_and_the_file() {
        let env = tempfile::tempdir().unwrap();
        let packages = env.path().join("lib/python3.12/site-packages");
        let info = packages.join("far_away-1.2.dist-info");
        std::fs::create_dir_all(&info).unwrap();
        std::fs::write(info.join("RECORD"), "far/a.so,sha256=x,1\n").unwrap();
        let problem = |file: &str, lacks| Problem { file: file.to_owned(), lacks, is_here: true };
        let version = Lacks::Version {
            library: "libc.so.6".to_owned(),
            version: "GLIBC_2.34".to_owned(),
            newest: Some("GLIBC_2.31".to_owned()),
        };
        let problems = vec![
            problem(
                "srv/env/lib/python3.12/site-packages/far/a.so",
                Lacks::Library("libfar.so.1".to_owned()),
            ),
            problem("srv/app/own.so", version),
        ];
        let env = Some((env.path(), "/srv/env"));
        let error = verdict(problems, Some("debian:11"), env).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        the image would not run: the base debian:11 lacks what the release needs
        found: far_away 1.2 needs libfar.so.1 (/srv/env/lib/python3.12/site-packages/far/a.so)
        found: /srv/app/own.so needs GLIBC_2.34 of libc.so.6, which has versions up to GLIBC_2.31
        1. Choose a base that has it, of the distribution of this machine or newer
        2. Or take all of it from this machine: base = "scratch" in [image] of nyala.toml
        "#);
        assert!(verdict(Vec::new(), None, env).is_ok());
        let lacks = Lacks::Library("libfar.so.1".to_owned());
        let nowhere = Problem { is_here: false, ..problem("srv/env/lib/a.so", lacks) };
        assert!(verdict(vec![nowhere], None, env).is_ok(), "the site runs without it");
    }
}
