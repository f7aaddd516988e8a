//! Where the loader looks for libraries beside its own folders: what ldconfig reads, and musl's
//! loader itself. See ldconfig(8) and <https://www.musl-libc.org/doc/1.0.0/manual.html>.

use std::collections::BTreeSet;

use super::contents::{Contents, join, split};
use crate::elf::Object;
use crate::python::dependencies::glob;

/// The files of this machine, or of an image. Paths begin with a slash.
pub(super) trait Files {
    fn text(&self, path: &str) -> Option<String>;
    fn names(&self, folder: &str) -> BTreeSet<String>;
}

/// What ldconfig makes of its configuration, from which the loader of glibc knows of it.
const CACHE: &str = "/etc/ld.so.cache";

const FOLDER: &str = "/etc";
const GLIBC: &str = "/etc/ld.so.conf";
const MUSL: &str = "ld-musl-*.path";

/// How large a configuration is at most, in bytes; real ones have a few lines.
pub(super) const LARGEST: u64 = 1 << 16;

/// The folders that a configuration names, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folders {
    pub(super) searched: Vec<String>,
    /// Those in which the loader does not look, since nobody has run ldconfig.
    pub(super) unknown: Vec<String>,
}

/// Those of an image.
pub(super) fn folders(image: &Contents) -> Folders {
    let (known, musl) = (for_ldconfig(image), for_musl(image));
    if image.has(CACHE) {
        Folders { searched: [known, musl].concat(), unknown: Vec::new() }
    } else {
        Folders { searched: musl, unknown: known }
    }
}

/// What ldconfig is told.
pub(super) fn for_ldconfig(files: &dyn Files) -> Vec<String> {
    let mut found = Found { files, read: BTreeSet::new(), folders: Vec::new() };
    found.read(GLIBC);
    found.folders
}

/// What the loader of musl is told.
fn for_musl(files: &dyn Files) -> Vec<String> {
    let paths = matching(files, FOLDER, MUSL).into_iter();
    let text: String = paths.filter_map(|path| Some(files.text(&path)? + "\n")).collect();
    let named = text.split(['\n', ':']).map(str::trim).filter(|it| it.starts_with('/'));
    named.map(str::to_owned).collect()
}

/// Whether a file of an image is to be kept for that. A configuration may include any other file.
pub(super) fn may_be_configuration(path: &str) -> bool {
    let in_etc = path.strip_prefix(&FOLDER[1..]).and_then(|it| it.strip_prefix('/'));
    let is_known = |it: &str| it.starts_with("ld.so.conf") || glob(MUSL.as_bytes(), it.as_bytes());
    in_etc.is_some_and(is_known) || path.strip_suffix(".conf").is_some()
}

/// Whether a text is one, and not that of another program.
pub(super) fn is_configuration(text: &str) -> bool {
    text.lines().map(without_comment).all(|line| {
        line.is_empty() || line.starts_with('/') || included(line).is_some() || is_old(line)
    })
}

/// What the loader searches by itself: glibc's and musl's folders, with those of Debian's for each
/// architecture.
const LOADER_FOLDERS: [&str; 5] = ["lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib"];

impl Contents {
    /// Finds a library as the loader would, for the object at a path.
    pub(super) fn library(
        &self,
        name: &str,
        of: &str,
        object: &Object,
        more: &[String],
    ) -> Option<(String, Option<&Object>)> {
        let is_right = |found: &(String, Option<&Object>)| {
            found.1.is_none_or(|library| library.machine == object.machine)
        };
        if name.contains('/') {
            return self.resolve(name);
        }
        let origin = split(of).0;
        let own = object.run_paths.iter().map(|folder| {
            let folder = folder.replace("${ORIGIN}", "$ORIGIN");
            folder.replace("$ORIGIN", &format!("/{origin}"))
        });
        let known = LOADER_FOLDERS.iter().flat_map(|folder| {
            let triplets = triplets(folder);
            triplets.into_iter().chain([(*folder).to_owned()])
        });
        own.chain(more.iter().cloned())
            .chain(known)
            .find_map(|folder| self.resolve(&join(&folder, name)).filter(is_right))
    }

    /// Whether any layer has a library of this name, wherever it is: one that is loaded already is
    /// not looked for.
    pub(super) fn has_file_named(&self, name: &str) -> bool {
        self.iter().any(|(path, _)| split(path).1 == name)
    }
}

impl Files for Contents {
    fn text(&self, path: &str) -> Option<String> {
        self.configuration(path).map(str::to_owned)
    }

    fn names(&self, folder: &str) -> BTreeSet<String> {
        let start = join(&self.real(folder), "");
        let below = self.iter().filter_map(|(path, _)| path.strip_prefix(&start));
        below.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect()
    }
}

/// The folders of an architecture in one of the loader's, such as `x86_64-linux-gnu`.
fn triplets(folder: &str) -> Vec<String> {
    const KNOWN: [&str; 8] = [
        "x86_64-linux-gnu",
        "aarch64-linux-gnu",
        "arm-linux-gnueabihf",
        "i386-linux-gnu",
        "powerpc64le-linux-gnu",
        "riscv64-linux-gnu",
        "s390x-linux-gnu",
        "loongarch64-linux-gnu",
    ];
    KNOWN.iter().map(|triplet| format!("{folder}/{triplet}")).collect()
}

struct Found<'f> {
    files: &'f dyn Files,
    /// Each file is read once: one may include itself.
    read: BTreeSet<String>,
    folders: Vec<String>,
}

impl Found<'_> {
    fn read(&mut self, path: &str) {
        if !self.read.insert(path.to_owned()) {
            return;
        }
        let text = self.files.text(path).unwrap_or_default();
        for line in text.lines().map(without_comment) {
            if let Some(patterns) = included(line) {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                for pattern in patterns.split_whitespace() {
                    for path in matching(self.files, folder, pattern) {
                        self.read(&path);
                    }
                }
            } else if line.starts_with('/') {
                // Old ones name a C library after it: `/opt/lib=libc6`.
                let folder = line.split('=').next().unwrap_or(line).trim_end();
                self.folders.push(folder.to_owned());
            }
        }
    }
}

/// The paths that fit a pattern, sorted; `*` and `?` may be in any part of it.
fn matching(files: &dyn Files, folder: &str, pattern: &str) -> Vec<String> {
    let start = if pattern.starts_with('/') { "" } else { folder };
    let mut paths = vec![start.trim_end_matches('/').to_owned()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let names = |path: &String| -> Vec<String> {
            if !part.contains(['*', '?']) {
                return vec![format!("{path}/{part}")];
            }
            let names = files.names(path).into_iter();
            let names = names.filter(|name| glob(part.as_bytes(), name.as_bytes()));
            names.map(|name| format!("{path}/{name}")).collect()
        };
        paths = paths.iter().flat_map(names).collect();
    }
    paths
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

/// The patterns of a line such as `include ld.so.conf.d/*.conf`.
fn included(line: &str) -> Option<&str> {
    line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t']))
}

/// What older versions of ldconfig read, and newer ones pass over.
fn is_old(line: &str) -> bool {
    line.strip_prefix("hwcap").is_some_and(|rest| rest.starts_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Fixed(BTreeMap<&'static str, &'static str>);

    impl Files for Fixed {
        fn text(&self, path: &str) -> Option<String> {
            self.0.get(path).map(|text| (*text).to_owned())
        }

        fn names(&self, folder: &str) -> BTreeSet<String> {
            let inside =
                |path: &&str| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
            let below = self.0.keys().filter_map(inside);
            below.map(|rest| rest.split('/').next().unwrap().to_owned()).collect()
        }
    }

    #[test]
    fn a_configuration_is_read_with_all_that_it_includes() {
        let files = Fixed(BTreeMap::from([
            (
                "/etc/ld.so.conf",
                "# first\n/opt/a/lib # ours\n/opt/b/lib=libc6\n\tinclude ld.so.conf.d/*.conf\n\
                 include /opt/*/etc/loader.conf /etc/none.conf\nhwcap 1 nosegneg\n/last/\n",
            ),
            ("/etc/ld.so.conf.d/b.conf", "/opt/c\ninclude /etc/ld.so.conf\n"),
            ("/etc/ld.so.conf.d/a.conf", "/opt/d\r\n"),
            ("/etc/ld.so.conf.d/a.conf.old", "/opt/never"),
            ("/opt/x/etc/loader.conf", "relative\n/opt/x/lib\ninclude more/*"),
            ("/opt/x/etc/more/y", "/opt/y"),
            ("/opt/x/loader.conf", "/opt/never"),
            ("/etc/ld-musl-x86_64.path", "/lib:/opt/m\n/opt/n"),
        ]));
        let expected =
            ["/opt/a/lib", "/opt/b/lib", "/opt/d", "/opt/c", "/opt/x/lib", "/opt/y", "/last/"];
        assert_eq!(for_ldconfig(&files), expected);
        assert_eq!(for_musl(&files), ["/lib", "/opt/m", "/opt/n"]);
        let none = Fixed(BTreeMap::new());
        assert!(for_ldconfig(&none).is_empty() && for_musl(&none).is_empty());
    }

    #[test]
    fn glibc_looks_only_into_folders_that_ldconfig_has_seen() {
        let mut image = Contents::default();
        image.add_configuration("etc/ld.so.conf", "/opt/a".to_owned());
        image.add_configuration("etc/ld-musl-x86_64.path", "/opt/m".to_owned());
        let [a, m] = ["/opt/a", "/opt/m"].map(str::to_owned);
        let unprepared = Folders { searched: vec![m.clone()], unknown: vec![a.clone()] };
        assert_eq!(folders(&image), unprepared);
        image.add_file("etc/ld.so.cache", None);
        assert_eq!(folders(&image), Folders { searched: vec![a, m], unknown: Vec::new() });
    }

    #[test]
    fn the_configuration_of_other_programs_is_none() {
        for path in [
            "etc/ld.so.conf",
            "etc/ld.so.conf.d/x",
            "opt/x/loader.conf",
            "etc/ld-musl-aarch64.path",
        ] {
            assert!(may_be_configuration(path), "{path}");
        }
        assert!(!may_be_configuration("etc/passwd") && !may_be_configuration("x/ld.so.conf.d/a"));
        assert!(is_configuration("# only\n\n/usr/lib\ninclude\tx\nhwcap 0 y\n"));
        assert!(!is_configuration("/usr/lib\nincludes = x\n"));
        assert!(!is_configuration("[section]"));
    }
}
