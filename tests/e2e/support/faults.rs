//! nyala built so that it can be told to die: which points there are, and how to get there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A change of the disk at which a process of nyala can be killed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Point {
    /// The subcommand: `worker` or `post-receive`.
    pub command: String,
    /// The how manieth change of that process it is.
    pub number: u64,
    /// What is done and to which path, numbers and temporary names made the same.
    pub what: String,
}

impl Point {
    /// As `NYALA_FAULT_AT` takes it.
    pub fn variable(&self) -> String {
        format!("{}:{}", self.command, self.number)
    }

    /// Whether it is about an env, or about going live with one; all others are the same in every
    /// kind of deployment.
    pub fn is_of_an_env(&self) -> bool {
        let names = ["env: ", "pip: ", "copy: ", "sync_filesystem", "replace_symlink: renamed"];
        names.iter().any(|name| self.what.starts_with(name))
            || self.what.contains("envs/N")
            || self.what == "symlink releases/N/env"
    }

    /// One of a great many that are alike: a file of a tree or of an env.
    fn is_bulk(&self) -> bool {
        let inside =
            |folder: &str| self.what.split_once(folder).is_some_and(|(_, rest)| rest.contains('/'));
        self.what.starts_with("checkout: ") || inside("envs/N/")
    }
}

/// nyala with the feature `faults`. Cargo builds it when it is not up to date, and lets only one
/// test do so at a time.
pub fn faulty_nyala() -> PathBuf {
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

/// The points of a run, as it wrote them down. `root` is the site's folder.
pub fn points(trace: &Path, root: &Path) -> Vec<Point> {
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

/// Every point, but of those that are alike only the first, the middle and the last, unless
/// `NYALA_FAULTS=all`.
pub fn worth_dying_at(points: Vec<Point>) -> Vec<Point> {
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

/// Whether everything is wanted, however long it takes: hours, and not minutes.
pub fn every_point() -> bool {
    std::env::var("NYALA_FAULTS").is_ok_and(|value| value == "all")
}

/// What is done, without to what.
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
