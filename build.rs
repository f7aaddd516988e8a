//! Records what this is a build of: for `nyala --version --verbose`, see `src/cli/version.rs`, and
//! for what only the same code may use again, see `src/image/cache.rs`.

#![expect(clippy::disallowed_macros, reason = "cargo reads what a build script prints")]

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    set("TARGET", env::var("TARGET").ok());
    set("PROFILE", env::var("PROFILE").ok());
    set("RUSTC", env::var("RUSTC").ok().and_then(|rustc| output(&rustc, &["--version"])));
    let source = Source::find();
    set("COMMIT", source.commit);
    set("CODE", Some(code()));
    set("BUILD_TIME", env::var("SOURCE_DATE_EPOCH").ok().or(source.time));
}

/// The commit that is built, and its time in seconds since 1970.
#[derive(Default)]
struct Source {
    commit: Option<String>,
    time: Option<String>,
}

impl Source {
    fn find() -> Source {
        // `cargo package` writes this file into what it packs: there is no repository then, or
        // somebody else's.
        if let Ok(info) = fs::read_to_string(".cargo_vcs_info.json") {
            return Source { commit: packed_commit(&info), time: None };
        }
        // A source archive may lie in a repository that is not nyala's.
        let here = env::current_dir().and_then(fs::canonicalize).ok();
        if here.is_none() || git(&["rev-parse", "--show-toplevel"]).map(Into::into) != here {
            return Source::default();
        }
        let commit = git(&["rev-parse", "HEAD"]);
        let time = git(&["log", "-1", "--format=%ct"]);
        // When the commit is another one, everything is compiled again. While somebody develops, a
        // commit must not cost that.
        if env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
            return Source { commit: commit.map(|it| it + ", and what changed since"), time };
        }
        let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
        for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
            // In a worktree, these are not below one folder.
            let path = git(&["rev-parse", "--git-path", name]);
            // A missing file would count as one that always changes.
            watch(path.iter().filter(|path| Path::new(path).exists()));
        }
        let sources = ["src", "Cargo.toml", "Cargo.lock", "build.rs"];
        watch(sources);
        let changes = git(&[&["status", "--porcelain", "--"], &sources[..]].concat());
        let is_changed = changes.is_none_or(|changes| !changes.is_empty());
        let suffix = if is_changed { ", with changes" } else { "" };
        Source { commit: commit.map(|commit| commit + suffix), time }
    }
}

/// A digest of the code, and of the versions of the libraries in it.
fn code() -> String {
    const LOCK: &str = "Cargo.lock";
    let mut files = vec![PathBuf::from(LOCK)];
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        (&file, fs::read(&file).ok()).hash(&mut hasher);
    }
    watch(["src", LOCK].iter().filter(|path| Path::new(path).exists()));
    format!("{:016x}", hasher.finish())
}

/// The id in `{"git": {"sha1": "…"}, …}`.
fn packed_commit(info: &str) -> Option<String> {
    let (_, after) = info.split_once("\"sha1\"")?;
    let commit = after.split('"').nth(1)?;
    // Written when what was packed differs from the commit.
    let suffix = if info.contains("\"dirty\": true") { ", with changes" } else { "" };
    Some(format!("{commit}{suffix}"))
}

fn watch(paths: impl IntoIterator<Item = impl AsRef<str>>) {
    for path in paths {
        println!("cargo:rerun-if-changed={}", path.as_ref());
    }
}

/// Hands a value to `env!`, empty when it is not known.
fn set(name: &str, value: Option<String>) {
    println!("cargo:rustc-env=NYALA_{name}={}", value.unwrap_or_default());
}

fn git(arguments: &[&str]) -> Option<String> {
    output("git", arguments)
}

/// What a command prints, without the line's end; `None` when it fails.
fn output(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
