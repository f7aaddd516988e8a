//! The parts of a deployment, each by itself: `cargo bench`, or `cargo bench -- export`. Takes
//! about a minute.
//!
//! Each works on a real repository, made by git in a temporary folder. `NYALA_BENCH_FILES` says how
//! many files it has.

#![allow(clippy::disallowed_methods, reason = "a benchmark may change the disk as it likes")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that panics has failed, which is all that is asked"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use git2::Oid;
use nyala::checkout::{export, update};
use nyala::console::{End, Follower, follow};
use nyala::git::Repository;
use nyala::plan::{Missing, PlanRequest, observe};
use nyala::python::dependencies::locks::{Chosen, Lock};
use nyala::python::dependencies::{Entry, ReadContext, Recorded, Source, Tree, compare};
use nyala::python::installers::Installer;
use nyala::python::version::Version;
use nyala::setup::{New, make_site};
use nyala::site::Site;
use tempfile::TempDir;

const FILES: usize = 2000;
const FILES_IN_A_FOLDER: usize = 50;

/// A site whose repository has two commits; in the second, one file is another.
struct Fixture {
    folder: TempDir,
    site: Site,
    repository: Repository,
    commits: [String; 2],
}

impl Fixture {
    fn new() -> Fixture {
        let files =
            std::env::var("NYALA_BENCH_FILES").map_or(FILES, |number| number.parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        git(folder.path(), &["init", "--quiet", "project"]);
        for number in 0..files {
            let parent = project.join(format!("package{}", number / FILES_IN_A_FOLDER));
            fs::create_dir_all(&parent).unwrap();
            fs::write(
                parent.join(format!("module{number}.py")),
                format!("NUMBER = {number}\n").repeat(100),
            )
            .unwrap();
        }
        fs::write(project.join("requirements.txt"), "Django\ngunicorn\n-r more.txt\n").unwrap();
        fs::write(project.join("more.txt"), "requests\n").unwrap();
        let first = commit(&project);
        fs::write(project.join("package0/module0.py"), "NUMBER = 0\n").unwrap();
        let second = commit(&project);

        let site = make_site(
            &folder.path().join("site"),
            &New { installer: Some(Installer::Pip), ..New::default() },
        )
        .unwrap();
        let repository = site.repository(&site.settings().unwrap());
        git(&repository, &["fetch", "--quiet", project.to_str().unwrap(), "HEAD"]);
        let repository = Repository::open(&repository).unwrap();
        Fixture { folder, site, repository, commits: [first, second] }
    }

    fn trees(&self) -> [Oid; 2] {
        [0, 1].map(|commit| self.repository.commit(&self.commits[commit]).unwrap().tree)
    }

    fn empty_folder(&self) -> TempDir {
        tempfile::tempdir_in(self.folder.path()).unwrap()
    }
}

/// A whole tree into an empty folder, by nyala and by git.
fn trees(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let [tree, _] = fixture.trees();
    let mut group = criterion.benchmark_group("export");
    group.sample_size(10);
    group.bench_function("nyala", |bencher| {
        let write = |into: TempDir| {
            export(&fixture.repository, tree, into.path()).unwrap();
            into
        };
        bencher.iter_batched(|| fixture.empty_folder(), write, BatchSize::PerIteration);
    });
    group.bench_function("git checkout -f", |bencher| {
        let write = |into: TempDir| {
            checkout(fixture.repository.path(), into.path(), &fixture.commits[0]);
            into
        };
        bencher.iter_batched(|| fixture.empty_folder(), write, BatchSize::PerIteration);
    });
    group.finish();
}

/// A standing tree in which one file is to be another, by nyala and by git: there and back.
fn tree_diff(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let trees = fixture.trees();
    let mut group = criterion.benchmark_group("tree diff");
    group.sample_size(30);
    group.bench_function("nyala", |bencher| {
        let release = fixture.empty_folder();
        let mut held = export(&fixture.repository, trees[0], release.path()).unwrap();
        let mut now = 0;
        bencher.iter(|| {
            let next = 1 - now;
            let old = (trees[now], std::mem::take(&mut held));
            let updated = update(&fixture.repository, release.path(), old, trees[next]).unwrap();
            held = updated.exported;
            assert_eq!(updated.written, 1);
            now = next;
        });
    });
    group.bench_function("git checkout -f", |bencher| {
        let standing = fixture.empty_folder();
        checkout(fixture.repository.path(), standing.path(), &fixture.commits[0]);
        let mut now = 0;
        bencher.iter(|| {
            now = 1 - now;
            checkout(fixture.repository.path(), standing.path(), &fixture.commits[now]);
        });
    });
    group.finish();
}

/// What is read before a deployment, and decided. The interpreters are in their cache after the
/// first time.
fn plan(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let (settings, app_settings) =
        (fixture.site.settings().unwrap(), fixture.site.app_settings().unwrap());
    criterion.bench_function("plan", |bencher| {
        bencher.iter(|| {
            let question = PlanRequest {
                site: &fixture.site,
                settings: &settings,
                app_settings: &app_settings,
                repository: &fixture.repository,
                commit: fixture.repository.commit(&fixture.commits[1]).unwrap(),
                options: &nyala::site::DeployOptions::default(),
                rebuild: Vec::new(),
                missing_python: Missing::Fail,
            };
            black_box(observe(question).unwrap())
        });
    });
}

/// A tree with a uv.lock of this many packages, each with an archive and two wheels, and with the
/// project that it was made from. One package has another version than with `version` 0.
struct LockedTree(BTreeMap<String, Vec<u8>>);

impl LockedTree {
    fn new(packages: usize, version: usize) -> LockedTree {
        let mut lock = "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n".to_owned();
        for number in 0..packages {
            let (release, source) = match number {
                0 => (0, "virtual = \".\""),
                1 => (version, "registry = \"https://pypi.org/simple\""),
                _ => (0, "registry = \"https://pypi.org/simple\""),
            };
            write!(
                lock,
                "\n[[package]]\nname = \"package-{number}\"\nversion = \"1.{release}\"\n\
                 source = {{ {source} }}\ndependencies = [\n"
            )
            .unwrap();
            for next in [2 * number + 1, 2 * number + 2].into_iter().filter(|it| *it < packages) {
                writeln!(lock, "    {{ name = \"package-{next}\" }},").unwrap();
            }
            lock.push_str("]\nwheels = [\n");
            for file in ["cp312-manylinux_2_17_x86_64.whl", "cp313-manylinux_2_17_x86_64.whl", "gz"]
            {
                writeln!(
                    lock,
                    "    {{ url = \"https://files.pythonhosted.org/packages/{number:064x}/\
                     package_{number}-1.{release}-{file}\", hash = \"sha256:{number:064x}\", \
                     size = 123456, upload-time = \"2025-01-01T00:00:00.000Z\" }},"
                )
                .unwrap();
            }
            lock.push_str("]\n");
        }
        let project = "[project]\nname = \"package-0\"\n";
        LockedTree(BTreeMap::from([
            ("pyproject.toml".to_owned(), project.into()),
            ("uv.lock".to_owned(), lock.into()),
        ]))
    }

    fn read(&self) -> Recorded {
        let reading = ReadContext {
            variable: &|_| None,
            setting_files: &[],
            python: Some(Version::new(3, 12, 1)),
            chosen: Chosen::default(),
            frozen: true,
        };
        Source::lock(Lock::Uv).read(self, &reading).unwrap().recorded
    }
}

impl Tree for LockedTree {
    fn entry(&self, path: &str) -> Result<Entry> {
        Ok(match self.0.get(path) {
            _ if path.is_empty() => Entry::Folder { id: String::new() },
            Some(_) => Entry::File { id: path.to_owned() },
            None => Entry::Missing,
        })
    }

    fn list(&self, _: &str) -> Result<Vec<(String, Entry)>> {
        self.0.keys().map(|name| Ok((name.clone(), self.entry(name)?))).collect()
    }

    fn size(&self, id: &str) -> Result<u64> {
        Ok(self.0[id].len() as u64)
    }

    fn read(&self, id: &str) -> Result<Vec<u8>> {
        Ok(self.0[id].clone())
    }
}

/// A lock is read, and what it pins is compared with what an env was made from.
fn lock(criterion: &mut Criterion) {
    const PACKAGES: usize = 2000;
    let then = LockedTree::new(PACKAGES, 0).read();
    let now = LockedTree::new(PACKAGES, 1);
    criterion.bench_function(&format!("lock, {PACKAGES} packages"), |bencher| {
        bencher.iter(|| {
            let changes = compare(&then, &now.read());
            assert_eq!(changes.len(), 1);
        });
    });
}

/// A log that is whole already, of a deployment that has ended: what the follower itself takes.
fn follower(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = File::options().write(true).open("/dev/null").unwrap();
    for lines in [20, 10_000] {
        let log = folder.path().join(format!("{lines}.txt"));
        fs::write(
            &log,
            "       Downloading something-1.0-py3-none-any.whl (100 kB)\n".repeat(lines),
        )
        .unwrap();
        criterion.bench_function(&format!("follower, {lines} lines"), |bencher| {
            bencher.iter(|| {
                let whole = String::new();
                let client = Follower::Client;
                let end = End { has_come: &mut || Ok(true), hangs_up: None };
                follow(&log, &nowhere, client, whole, &|_, _| None, end).unwrap()
            });
        });
    }
}

/// Commits everything, and returns the commit's id.
fn commit(project: &Path) -> String {
    git(project, &["add", "--all"]);
    git(
        project,
        &[
            "-c",
            "user.name=Bench",
            "-c",
            "user.email=bench@example.org",
            "commit",
            "--quiet",
            "-m",
            "x",
        ],
    );
    git(project, &["rev-parse", "HEAD"]).trim().to_owned()
}

/// What `git checkout -f` does to a folder; its index is beside it.
fn checkout(repository: &Path, into: &Path, commit: &str) {
    let index: PathBuf = into.with_extension("index");
    let status = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .arg("--work-tree")
        .arg(into)
        .args(["checkout", "--quiet", "--force", "--detach", commit])
        .env("GIT_INDEX_FILE", index)
        .status();
    assert!(status.unwrap().success());
}

fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words:?}");
    String::from_utf8(output.stdout).unwrap()
}

criterion_group!(benches, trees, tree_diff, plan, lock, follower);
criterion_main!(benches);
