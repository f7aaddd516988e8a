//! `ARCHITECTURE.md` is compared with `src/`: it names every room, and rooms use only rooms that
//! are further down in its table. And no file of code is too long or too wide to read.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is all that is asked"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../ARCHITECTURE.md");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms of the table, from top to bottom.
fn rooms_of_the_page() -> Vec<&'static str> {
    let (_, section) = PAGE.split_once("\n## Rooms\n").expect("a section about the rooms");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0)).collect()
}

/// The directories and files directly in `src/` that are modules.
fn rooms_of_the_source() -> BTreeSet<String> {
    let entries = fs::read_dir(repository().join("src")).unwrap().map(|entry| entry.unwrap());
    let names = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            return Some(name);
        }
        name.strip_suffix(".rs").map(str::to_owned)
    });
    names.filter(|name| !["lib", "main"].contains(&name.as_str())).collect()
}

/// The Rust files of a room without those that only tests use.
fn sources(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name == "tests" || name == "tests.rs" {
        return Vec::new();
    }
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries.flat_map(|entry| sources(&entry.unwrap().path())).collect();
    }
    if path.extension().is_some_and(|it| it == "rs") { vec![path.to_owned()] } else { Vec::new() }
}

/// In most sites, the branch has moved when a deployment fails: the same push does nothing.
#[test]
fn pushing_again_is_advised_only_after_a_commit() {
    // A push that is refused, and the words themselves.
    let others = ["git pull && git push", "strict = ", "moves the branch", "\"push again\""];
    let mut wrong = Vec::new();
    for file in sources(&repository().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("mod tests {").next().unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let is_advice = line.to_lowercase().contains("push again") && !line.starts_with("//");
            let near = lines[number.saturating_sub(2)..=number].join(" ");
            let is_fine = near.to_lowercase().contains("commit")
                || others.iter().any(|other| line.contains(other));
            if is_advice && !is_fine {
                wrong.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "use DEPLOY_AGAIN instead:\n{}", wrong.join("\n"));
}

#[test]
fn the_page_names_every_room_and_no_other() {
    let named = rooms_of_the_page();
    let unique: BTreeSet<String> = named.iter().map(|room| (*room).to_owned()).collect();
    assert_eq!(unique.len(), named.len(), "a room is named twice: {named:?}");
    assert_eq!(unique, rooms_of_the_source(), "the table in ARCHITECTURE.md, and src/");
}

#[test]
fn every_path_that_the_page_names_exists() {
    let code = PAGE.split('`').skip(1).step_by(2);
    let prefixes = ["src/", "tests/", "docs/", "scripts/", "hooks/", "fuzz/", "benches/"];
    let paths: Vec<_> =
        code.filter(|it| prefixes.iter().any(|prefix| it.starts_with(prefix))).collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        assert!(repository().join(path).exists(), "{path} is named, but does not exist");
    }
}

#[test]
fn a_room_uses_only_rooms_further_down() {
    let rooms = rooms_of_the_page();
    let mut upwards = Vec::new();
    for (level, room) in rooms.iter().enumerate() {
        let src = repository().join("src");
        let folder = src.join(room);
        let path = if folder.is_dir() { folder } else { src.join(format!("{room}.rs")) };
        for file in sources(&path) {
            let text = fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                for above in &rooms[..level] {
                    let uses = |end| line.contains(&format!("crate::{above}{end}"));
                    if uses("::") || uses(";") {
                        upwards.push(format!("{}: {}", file.display(), line.trim()));
                    }
                }
            }
        }
    }
    assert!(upwards.is_empty(), "{upwards:#?}");
}

#[test]
fn every_test_that_the_documentation_names_exists() {
    let files = rust_files();
    let mut names = 0;
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).unwrap();
        for code in page.split('`').skip(1).step_by(2) {
            let Some((modules, name)) = code.rsplit_once("::") else { continue };
            let is_test = name.len() > 20
                && [modules, name]
                    .concat()
                    .chars()
                    .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || "_:".contains(it));
            if is_test {
                names += 1;
                let module = modules.split("::").next().unwrap();
                let exists = files.iter().any(|(file, text)| {
                    file.contains(module) && text.contains(&format!("fn {name}("))
                });
                assert!(exists, "{}: there is no test {code}", path.display());
            }
        }
    }
    assert!(names > 50, "{names}");
}

/// All Rust files, with their paths from the root of the repository.
fn rust_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz/src", "fuzz/targets"] {
        collect_files(&repository().join(folder), &mut files);
    }
    assert!(files.len() > 300, "{}", files.len());
    files
}

fn collect_files(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(repository()).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_file_has_more_than_400_lines() {
    let files = rust_files().into_iter().map(|(name, text)| (name, text.lines().count()));
    let long: Vec<_> = files.filter(|(_, lines)| *lines > 400).collect();
    assert!(long.is_empty(), "move what is a job of its own into another file: {long:#?}");
}

/// All scripts, of shells and of Python, whatever they are for.
fn scripts() -> Vec<(String, String)> {
    fn collect(folder: &Path, scripts: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, scripts);
            } else if path
                .extension()
                .is_none_or(|it| ["py", "sh", "toml"].iter().any(|e| it == *e))
            {
                let name = path.strip_prefix(repository()).unwrap().display().to_string();
                scripts.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut scripts = Vec::new();
    for folder in ["scripts", "src", "tests", "benches", "fuzz/src", "fuzz/targets", "examples"] {
        collect(&repository().join(folder), &mut scripts);
    }
    assert!(scripts.len() > 20, "{}", scripts.len());
    scripts
}

#[test]
fn no_line_of_a_script_has_more_than_100_columns() {
    let mut wide = Vec::new();
    for (name, text) in scripts() {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| line.chars().count() > 100);
        wide.extend(lines.map(|(number, _)| format!("{name}:{number}")));
    }
    assert!(wide.is_empty(), "{wide:#?}");
}

/// rustfmt breaks neither comments nor strings. The lines of a snapshot are as users see them.
#[test]
fn no_line_has_more_than_100_columns() {
    let mut wide = Vec::new();
    for (name, text) in rust_files() {
        let mut in_snapshot = false;
        for (number, line) in (1..).zip(text.lines()) {
            if in_snapshot {
                in_snapshot = !line.trim_start().starts_with('"');
            } else if line.chars().count() > 100 {
                wide.push(format!("{name}:{number}"));
            } else {
                let (_, snapshot) = line.rsplit_once('@').unwrap_or_default();
                in_snapshot = ["\"", "r\"", "r#\""].contains(&snapshot);
            }
        }
    }
    assert!(wide.is_empty(), "{wide:#?}");
}

/// So that all that a room says to people can be read in one place, with a snapshot of each.
#[test]
fn errors_for_people_are_made_in_error_rs() {
    let mut elsewhere = Vec::new();
    for (name, text) in rust_files() {
        if !name.starts_with("src/") || name.ends_with("/error.rs") || name == "src/user_error.rs" {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_made = |line: &str| line.contains("UserError::new(") || line.contains("::usage(");
        let lines = (1..).zip(code.lines()).filter(|(_, line)| is_made(line));
        elsewhere.extend(lines.map(|(number, line)| format!("{name}:{number}: {}", line.trim())));
    }
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

/// Such an error has its parts in one text, and whoever shows it cannot tell them apart; see
/// `src/user_error.rs`.
#[test]
fn no_error_is_joined_of_several_lines() {
    let starts = ["bail!(", "anyhow!(", "ensure!(", "context("];
    let mut joined = Vec::new();
    for file in sources(&repository().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for start in starts {
            for (at, _) in code.match_indices(start) {
                let statement = code[at..].split(';').next().unwrap();
                // A backslash at the end of a line only continues a literal.
                if statement.contains("\\n") {
                    joined.push(format!("{}: {}", file.display(), statement.trim_end()));
                }
            }
        }
    }
    assert!(joined.is_empty(), "{joined:#?}");
}
