//! What becomes of the entries of the three trees that an image has: the release, the env and the
//! interpreter. Paths of the site become those of the image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use memchr::memmem;

use super::error;
use super::layer::{Link, Owner, Rules};
use super::record;
use crate::python::env::{normal, spellings};
use crate::site::ENV_LINK;

/// Where everything is in an image, without a slash before it.
pub(super) const APP: &str = "srv/app";
pub(super) const ENV: &str = "srv/env";
pub(super) const PYTHON: &str = "srv/python";
pub(super) const PYTHON_LIB: &str = "srv/python/lib";

/// What a script begins with.
pub(super) const SCRIPT: &[u8] = b"#!";

/// Where the trees are on this machine, and in the image.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) release: PathBuf,
    pub(super) env: Option<Env>,
    pub(super) shared: PathBuf,
}

/// Where the env is.
#[derive(Clone, Debug)]
pub(super) struct Env {
    pub(super) folder: PathBuf,
    /// In the image, with a slash before it.
    pub(super) to: String,
    /// The interpreter in the image, with a slash before it.
    pub(super) interpreter: String,
}

impl Places {
    /// The text with the paths of the image in place of those of the site; `None` when it has none
    /// of those.
    fn moved(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (text, rest) = bytes.split_at(text_length(bytes));
        let env = self.env.as_ref();
        let env = env.map(|env| (env.folder.as_path(), env.to.clone()));
        let release = (self.release.as_path(), format!("/{APP}"));
        let mut changed: Option<Vec<u8>> = None;
        for (from, to) in env.into_iter().chain([release]) {
            let from = spellings(from.as_os_str().as_bytes()).into_iter();
            let pairs: BTreeSet<_> = from.zip(spellings(to.as_bytes())).collect();
            for (from, to) in pairs {
                let now = changed.as_deref().unwrap_or(text);
                changed = replaced(now, &from, &to).or(changed);
            }
        }
        changed.map(|changed| [&changed, rest].concat())
    }

    /// Where an absolute path of the site is in the image.
    pub(super) fn inside(&self, path: &Path) -> Option<PathBuf> {
        if let Some(env) = &self.env
            && let Ok(rest) = path.strip_prefix(&env.folder)
        {
            return Some(below(Path::new(&env.to), rest));
        }
        let rest = path.strip_prefix(&self.release).ok()?;
        Some(below(&Path::new("/").join(APP), rest))
    }
}

fn below(folder: &Path, rest: &Path) -> PathBuf {
    // `join` would end with a slash.
    if rest == Path::new("") { folder.to_owned() } else { folder.join(rest) }
}

/// How much of a file is text. What has a zero in it is none, and its lengths matter; but the first
/// line of a script may have an archive behind it, as zipapp writes it.
fn text_length(bytes: &[u8]) -> usize {
    if memchr::memchr(0, bytes).is_none() {
        return bytes.len();
    }
    let end = bytes.starts_with(SCRIPT).then(|| memchr::memchr(b'\n', bytes)).flatten();
    end.filter(|end| memchr::memchr(0, &bytes[..*end]).is_none()).unwrap_or(0)
}

/// The bytes with one path in place of another, wherever it stands as a whole; `None` when it does
/// not.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let finder = memmem::Finder::new(from);
    let mut at = 0;
    let mut out = Vec::new();
    let mut any = false;
    while let Some(found) = finder.find(&bytes[at..]) {
        let (start, end) = (at + found, at + found + from.len());
        // `/srv/shop/envs/5` is no part of `/srv/shop/envs/51`.
        let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
        let is_whole = !bytes.get(end).is_some_and(goes_on)
            && !start.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(goes_on);
        out.extend_from_slice(&bytes[at..start]);
        out.extend_from_slice(if is_whole { to } else { from });
        any |= is_whole;
        at = end;
    }
    out.extend_from_slice(&bytes[at..]);
    any.then_some(out)
}

/// Where the system provides what a link leads to, in every container.
fn is_provided(target: &Path) -> bool {
    ["/dev", "/proc", "/sys"].iter().any(|folder| target.starts_with(folder))
}

pub(super) fn is_cache(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "__pycache__")
}

/// The rules of a release.
pub(super) struct ReleaseRules<'r> {
    pub(super) places: &'r Places,
    /// Who runs the application, and so owns what it may write into.
    pub(super) owner: Owner,
    /// What the application has written since it went live, relative to the release and sorted.
    pub(super) written: Vec<PathBuf>,
    /// Where files are that it has written to, as they were before.
    pub(super) restored: BTreeMap<PathBuf, PathBuf>,
}

impl ReleaseRules<'_> {
    /// The rules of an env that the project brings along, and the path in it.
    fn in_env<'p>(&self, path: &'p Path) -> Option<(EnvRules<'_>, &'p Path)> {
        let env = self.places.env.as_ref()?;
        let is_own = env.folder == self.places.release.join(ENV_LINK);
        let rest = path.strip_prefix(ENV_LINK).ok().filter(|_| is_own)?;
        Some((EnvRules { places: self.places, env }, rest))
    }
}

impl Rules for ReleaseRules<'_> {
    fn skips(&self, path: &Path, metadata: &Metadata) -> bool {
        let in_env = self.in_env(path).is_some_and(|(rules, rest)| rules.skips(rest, metadata));
        in_env
            || metadata.is_dir() && is_cache(path)
            || metadata.is_file() && self.written.binary_search_by(|it| (**it).cmp(path)).is_ok()
    }

    fn instead(&self, path: &Path) -> Option<&Path> {
        self.restored.get(path).map(PathBuf::as_path)
    }

    fn link(&self, path: &Path, target: &Path) -> Result<Link> {
        if let Some((rules, rest)) = self.in_env(path)
            && rest != Path::new("")
        {
            return rules.link(rest, target);
        }
        let from = self.places.release.join(path);
        let leads_to = normal(&from.parent().unwrap_or(&from).join(target));
        if leads_to.starts_with(&self.places.shared) {
            // What is to be a folder need not be there yet.
            let is_folder = leads_to.is_dir() || !leads_to.exists();
            return Ok(if is_folder { Link::Folder(self.owner) } else { Link::Nothing });
        }
        if let Some(env) = &self.places.env
            && leads_to.starts_with(&env.folder)
            && let Some(inside) = self.places.inside(&leads_to)
        {
            return Ok(Link::To(inside));
        }
        match self.places.inside(&leads_to) {
            Some(_) if target.is_relative() => Ok(Link::To(target.to_owned())),
            Some(inside) => Ok(Link::To(inside)),
            None if is_provided(&leads_to) => Ok(Link::To(target.to_owned())),
            None => bail!(error::link_leads_out("release", path, target)),
        }
    }

    fn content(&self, path: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.in_env(path) {
            Some((rules, rest)) => rules.content(rest, bytes),
            None => Ok(self.places.moved(bytes)),
        }
    }
}

/// The rules of an env.
pub(super) struct EnvRules<'r> {
    pub(super) places: &'r Places,
    pub(super) env: &'r Env,
}

impl Rules for EnvRules<'_> {
    fn skips(&self, path: &Path, metadata: &Metadata) -> bool {
        let is_marker = || {
            path.components().count() == 1
                && path.file_name().is_some_and(crate::python::env::is_marker)
        };
        metadata.is_dir() && is_cache(path)
            || metadata.is_file() && (is_marker() || record::is_about_the_day(path))
    }

    fn link(&self, path: &Path, target: &Path) -> Result<Link> {
        let from = self.env.folder.join(path);
        let leads_to = normal(&from.parent().unwrap_or(&from).join(target));
        let is_python = path.parent() == Some(Path::new("bin"))
            && path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"python"));
        match self.places.inside(&leads_to) {
            Some(_) if target.is_relative() => Ok(Link::To(target.to_owned())),
            Some(inside) => Ok(Link::To(inside)),
            None if is_python => Ok(Link::To(PathBuf::from(&self.env.interpreter))),
            None if is_provided(&leads_to) => Ok(Link::To(target.to_owned())),
            None => bail!(error::link_leads_out("env", path, target)),
        }
    }

    fn content(&self, path: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        if path == Path::new("pyvenv.cfg") {
            return Ok(Some(self.configuration(bytes)));
        }
        if record::is_record(path) {
            let text = |path: &Path, bytes: &[u8]| self.text(path, bytes);
            return Ok(record::rewritten(&self.env.folder, path, bytes, &text));
        }
        Ok(self.text(path, bytes))
    }
}

impl EnvRules<'_> {
    /// What stands in a file that is neither `pyvenv.cfg` nor a list of files.
    fn text(&self, path: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
        let moved = self.places.moved(bytes);
        if !path.starts_with("bin") {
            return moved;
        }
        let now = moved.as_deref().unwrap_or(bytes);
        short_first_line(now, &self.env.to).or(moved)
    }

    /// `pyvenv.cfg` names the interpreter that an env belongs to.
    fn configuration(&self, bytes: &[u8]) -> Vec<u8> {
        let interpreter = Path::new(&self.env.interpreter);
        let home = interpreter.parent().unwrap_or(interpreter).display();
        let mut lines = Vec::new();
        for line in String::from_utf8_lossy(bytes).lines() {
            match line.split_once('=').map_or("", |(key, _)| key.trim()) {
                "home" => lines.push(format!("home = {home}")),
                "executable" | "base-executable" => {
                    let key = line.split('=').next().unwrap_or_default().trim();
                    lines.push(format!("{key} = {}", interpreter.display()));
                }
                // How it was made, and where.
                "command" | "base-prefix" | "base-exec-prefix" | "prompt" => {}
                _ => lines.push(line.to_owned()),
            }
        }
        (lines.join("\n") + "\n").into_bytes()
    }
}

/// A script with the interpreter on its first line: where that would be too long for the kernel,
/// pip and uv write two lines that a shell reads, with quotes of either kind. The path in the image
/// is short.
fn short_first_line(bytes: &[u8], env: &str) -> Option<Vec<u8>> {
    let rest = bytes.strip_prefix(b"#!/bin/sh\n'''exec' ")?;
    let end = memmem::find(rest, b"\n' '''\n")?;
    let line = std::str::from_utf8(&rest[..end]).ok()?;
    let program = line.trim_start_matches(['"', '\'']).split([' ', '"', '\'']).next()?;
    program.starts_with(env).then_some(())?;
    let after = &rest[end + b"\n' '''\n".len()..];
    Some([format!("#!{program}\n").as_bytes(), after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            release: PathBuf::from("/home/shop/releases/7"),
            env: Some(Env {
                folder: PathBuf::from("/home/shop/envs/5"),
                to: "/srv/env".to_owned(),
                interpreter: "/usr/local/bin/python3.12".to_owned(),
            }),
            shared: PathBuf::from("/home/shop/shared"),
        }
    }

    fn env_text(path: &str, text: &str) -> String {
        let places = places();
        let rules = EnvRules { places: &places, env: places.env.as_ref().unwrap() };
        let changed = rules.content(Path::new(path), text.as_bytes()).unwrap();
        String::from_utf8(changed.unwrap_or_else(|| text.into())).unwrap()
    }

    #[test]
    fn only_whole_paths_are_moved() {
        assert_eq!(env_text("a.pth", "/home/shop/releases/7/src\n"), "/srv/app/src\n");
        let other = "/home/shop/envs/51 /home/shop/envs/5.old x/home/shop/envs/5";
        assert_eq!(env_text("a.pth", other), other);
        assert_eq!(env_text("a.so", "\0/home/shop/envs/5"), "\0/home/shop/envs/5");
        assert_eq!(
            env_text("bin/zipped", "#!/home/shop/envs/5/bin/python\nPK\0/home/shop/envs/5"),
            "#!/srv/env/bin/python\nPK\0/home/shop/envs/5"
        );
    }

    #[test]
    fn a_path_is_moved_however_it_is_written() {
        let places = Places { release: "/home/a b/7".into(), ..places() };
        let moved = |text: &str| String::from_utf8(places.moved(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(moved("file:///home/a%20b/7/src"), "file:///srv/app/src");
        assert_eq!(moved("cd '/home/a b/7'"), "cd '/srv/app'");
    }

    #[test]
    fn scripts_name_the_interpreter_of_the_image() {
        assert_eq!(
            env_text("bin/flask", "#!/home/shop/envs/5/bin/python3\nimport x\n"),
            "#!/srv/env/bin/python3\nimport x\n"
        );
        let long = "#!/bin/sh\n'''exec' \"/home/shop/envs/5/bin/python\" \"$0\" \"$@\"\n' '''\nx\n";
        assert_eq!(env_text("bin/flask", long), "#!/srv/env/bin/python\nx\n");
        let of_uv = long.replace('"', "'").replace("'$0' '$@'", "\"$0\" \"$@\"");
        assert_eq!(env_text("bin/flask", &of_uv), "#!/srv/env/bin/python\nx\n");
    }

    #[test]
    fn the_configuration_names_the_interpreter_of_the_image() {
        let text = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.12.1\n\
                    executable = /usr/bin/python3.12\ncommand = x -m venv /home/shop/envs/5\n";
        insta::assert_snapshot!(env_text("pyvenv.cfg", text), @"
        home = /usr/local/bin
        include-system-site-packages = false
        version = 3.12.1
        executable = /usr/local/bin/python3.12
        ");
    }

    #[test]
    fn links_stay_inside() {
        let places = places();
        let written = Vec::new();
        let (owner, restored) = (Owner::default(), BTreeMap::new());
        let rules = ReleaseRules { places: &places, owner, written, restored };
        let link = |path: &str, target: &str| match rules.link(Path::new(path), Path::new(target)) {
            Ok(Link::To(target)) => target.display().to_string(),
            Ok(Link::Folder(_)) => "a folder".to_owned(),
            Ok(_) => "nothing".to_owned(),
            Err(_) => "an error".to_owned(),
        };
        assert_eq!(link("env", "../../envs/5"), "/srv/env");
        assert_eq!(link("a/b", "../c"), "../c");
        assert_eq!(link("a", "/home/shop/releases/7/b"), "/srv/app/b");
        assert_eq!(link("media", "../../shared/media"), "a folder");
        assert_eq!(link("null", "/dev/null"), "/dev/null");
        for out in ["/etc/shadow", "../../settings.env", "../6/app.py", "../../../../../etc"] {
            assert_eq!(link("a", out), "an error", "{out}");
        }
    }
}
