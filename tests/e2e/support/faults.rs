//! The build of nyala with kill points, and what these are.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A change of the disk at which a process of nyala can be killed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Point {
    /// The subcommand: `worker` or `post-receive`.
    pub command: String,
    /// Its number among the changes of that process, from 1.
    pub number: u64,
    /// The change and its path, with numbers and temporary names normalized.
    pub what: String,
}

impl Point {
    /// The value for `NYALA_FAULT_AT`.
    pub(crate) fn variable(&self) -> String {
        format!("{}:{}", self.command, self.number)
    }

    /// Whether it concerns an env, or its activation. All other points are the same in every kind
    /// of deployment.
    pub(crate) fn is_of_an_env(&self) -> bool {
        let names = ["env: ", "pip: ", "copy: ", "sync_filesystem", "replace_symlink: renamed"];
        names.iter().any(|name| self.what.starts_with(name))
            || self.what.contains("envs/N")
            || self.what == "symlink releases/N/env"
    }

    /// Whether there are many points like this one: the files of a tree or an env.
    fn is_bulk(&self) -> bool {
        let inside =
            |folder: &str| self.what.split_once(folder).is_some_and(|(_, rest)| rest.contains('/'));
        self.what.starts_with("checkout: ") || inside("envs/N/")
    }
}

/// nyala with the feature `faults`. Cargo builds it if it is out of date, in one test at a time.
pub(crate) fn faulty_nyala() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let profile = Path::new(env!("CARGO_BIN_EXE_nyala")).parent().unwrap();
            let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
            cargo
                .args([
                    "build",
                    "--locked",
                    "--offline",
                    "--quiet",
                    "--features",
                    "faults",
                    "--example",
                    "nyala-faults",
                ])
                .arg("--target-dir")
                .arg(profile.parent().unwrap())
                .current_dir(env!("CARGO_MANIFEST_DIR"));
            // Cargo says of a test which package it is of, and the build script of `ring` runs
            // again where that has changed.
            for (name, _) in std::env::vars_os() {
                let name = name.to_string_lossy();
                if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                    cargo.env_remove(&*name);
                }
            }
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success(), "{cargo:?} failed");
            profile.join("examples/nyala-faults")
        })
        .clone()
}

/// The points that a run recorded. `root` is the folder of the site.
pub(crate) fn points(trace: &Path, root: &Path) -> Vec<Point> {
    let text = fs::read_to_string(trace).unwrap();
    text.lines()
        .map(|line| {
            let [command, number, name, path] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line:?} is no point");
            };
            let path =
                path.strip_prefix(root.to_str().unwrap()).unwrap_or(path).trim_start_matches('/');
            let what =
                format!("{name} {}", path.split('/').map(alike).collect::<Vec<_>>().join("/"));
            Point { command: command.to_owned(), number: number.parse().unwrap(), what }
        })
        .collect()
}

/// All points with `NYALA_FAULTS=all`; otherwise, of those that are alike only the first, the
/// middle and the last.
pub(crate) fn worth_dying_at(points: Vec<Point>) -> Vec<Point> {
    if every_point() {
        return points;
    }
    let mut alike: HashMap<String, Vec<u64>> = HashMap::new();
    for point in points.iter().filter(|point| point.is_bulk()) {
        alike.entry(kind(point)).or_default().push(point.number);
    }
    points
        .into_iter()
        .filter(|point| match alike.get(&kind(point)) {
            Some(numbers) if point.is_bulk() => [0, numbers.len() / 2, numbers.len() - 1]
                .iter()
                .any(|at| numbers[*at] == point.number),
            _ => true,
        })
        .collect()
}

/// Whether to try every point, which takes hours instead of minutes.
pub(crate) fn every_point() -> bool {
    std::env::var("NYALA_FAULTS").is_ok_and(|value| value == "all")
}

/// The change without its path.
fn kind(point: &Point) -> String {
    format!("{} {}", point.command, point.what.rsplit_once(' ').map_or("", |(name, _)| name))
}

/// `12` becomes `N`, and `.nyala-4711-ab12cd` becomes `.nyala`.
fn alike(name: &str) -> String {
    if name.starts_with(".nyala-") {
        ".nyala".to_owned()
    } else if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        "N".to_owned()
    } else {
        name.to_owned()
    }
}
