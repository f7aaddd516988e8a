//! Whether what is in an image runs there: every library that a program or an extension module
//! needs is in it, with the versions of symbols that it was compiled against.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::contents::{Contents, join, split};
use super::rules::{APP, PYTHON};
use crate::elf::Object;
use crate::python::env::rows;
use crate::site::ENV_LINK;

/// Something that would not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The path of the file in the image.
    pub(super) file: String,
    pub(super) lacks: Lacks,
    /// Whether this machine has it: then the site runs with it, and the image would not.
    pub(super) is_here: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lacks {
    /// A library, by its name.
    Library(String),
    /// The loader that a program names.
    Loader(String),
    /// A version of a library's symbols, and the newest that there is.
    Version { library: String, version: String, newest: Option<String> },
}

impl Lacks {
    /// Whether it is a library that is in one of these folders.
    pub(super) fn is_in(&self, all: &Contents, folders: &[String]) -> bool {
        let Lacks::Library(name) = self else { return false };
        folders.iter().any(|folder| all.resolve(&join(folder, name)).is_some())
    }
}

/// Modules of the standard library that few programs use, and distributions leave out.
const OPTIONAL: [&str; 10] = [
    "_tkinter",
    "_dbm",
    "_gdbm",
    "_curses",
    "_curses_panel",
    "readline",
    "nis",
    "_crypt",
    "ossaudiodev",
    "xxlimited",
];

/// Looks at all of `layers`, which are over a base; `all` is what they and the base have together.
/// `folders` is what `LD_LIBRARY_PATH` names, and `is_here` says whether this machine has it.
pub(super) fn problems(
    layers: &[&Contents],
    all: &Contents,
    machine: u16,
    folders: &[String],
    is_here: &dyn Fn(&Lacks, &Object) -> bool,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for layer in layers {
        // What is for another processor is not for this image. Of the release, only modules count:
        // a program that it brings along may be one that is not run here.
        let counts = |file: &str, object: &Object| {
            let is_program = file.starts_with(APP) && !split(file).1.contains(".so");
            object.machine == machine && (!is_program || in_env(file))
        };
        for (file, object) in layer.objects().filter(|(file, object)| counts(file, object)) {
            let found = of_object(file, object, all, folders);
            problems.extend(found.map(|lacks| {
                let is_here = is_here(&lacks, object);
                Problem { file: file.to_owned(), lacks, is_here }
            }));
        }
    }
    problems
}

/// What a program of the base lacks. Without it, nothing runs there, whatever this machine has.
pub(super) fn problems_of(program: &str, all: &Contents, folders: &[String]) -> Vec<Problem> {
    let Some((file, Some(object))) = all.resolve(program) else { return Vec::new() };
    let found = of_object(&file, object, all, folders);
    found.map(|lacks| Problem { file: file.clone(), lacks, is_here: true }).collect()
}

/// What modules of the standard library lack that belongs to an interpreter of the base, by their
/// names. Few programs import all of them, and bases are made smaller by leaving libraries out.
pub(super) fn problems_of_modules(
    program: &str,
    all: &Contents,
    machine: u16,
    folders: &[String],
) -> Vec<(String, Problem)> {
    let (folder, name) = split(program.trim_start_matches('/'));
    let (prefix, _) = split(folder);
    let folders_of_modules = ["lib", "lib64"].map(|lib| {
        let folder = join(prefix, &format!("{lib}/{name}/lib-dynload"));
        format!("{}/", all.real(&folder))
    });
    let mut problems = Vec::new();
    for (file, object) in all.objects().filter(|(_, object)| object.machine == machine) {
        let module = folders_of_modules.iter().find_map(|folder| file.strip_prefix(folder));
        let module = module.and_then(|file| file.split('.').next());
        let Some(module) = module.filter(|it| !OPTIONAL.contains(it)) else { continue };
        problems.extend(of_object(file, object, all, folders).map(|lacks| {
            let problem = Problem { file: file.to_owned(), lacks, is_here: true };
            (module.to_owned(), problem)
        }));
    }
    problems
}

/// Whether a file of the release is in an env that the project brings along.
fn in_env(file: &str) -> bool {
    file.strip_prefix(APP).is_some_and(|rest| rest.starts_with(&format!("/{ENV_LINK}/")))
}

fn of_object(
    file: &str,
    object: &Object,
    all: &Contents,
    folders: &[String],
) -> impl Iterator<Item = Lacks> {
    let loader = object.interpreter.iter().filter(|loader| all.resolve(loader).is_none());
    let mut lacks: Vec<_> = loader.map(|loader| Lacks::Loader(loader.clone())).collect();
    for library in &object.needed {
        match all.library(library, file, object, folders) {
            Some((_, Some(found))) => lacks.extend(versions(library, object, found)),
            Some((_, None)) => {}
            // One that was loaded before is not looked for: a package may have it anywhere. Before
            // a program, nothing was.
            None if object.interpreter.is_none() && all.has_file_named(library) => {}
            None => lacks.push(Lacks::Library(library.clone())),
        }
    }
    lacks.into_iter()
}

/// The newest version that is missing: older ones come with it.
fn versions(library: &str, object: &Object, found: &Object) -> Option<Lacks> {
    // A library without any versions has all symbols in one.
    let wanted = object.versions.get(library).filter(|_| !found.defines.is_empty())?;
    let missing = wanted.iter().filter(|version| !found.defines.contains(version));
    let version = missing.max_by_key(|version| numbers(version))?.clone();
    let family = version.split('_').next().unwrap_or_default();
    let same = found.defines.iter().filter(|it| it.split('_').next() == Some(family));
    let newest = same.max_by_key(|version| numbers(version)).cloned();
    Some(Lacks::Version { library: library.to_owned(), version, newest })
}

/// `[2, 34]` for `GLIBC_2.34`.
fn numbers(version: &str) -> Vec<u32> {
    let digits = version.rsplit('_').next().unwrap_or_default();
    digits.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// Whether a file is a module of the carried interpreter that can be done without.
pub(super) fn is_optional(file: &str) -> bool {
    let (folder, name) = split(file);
    let module = name.split('.').next().unwrap_or_default();
    folder.starts_with(PYTHON) && folder.ends_with("lib-dynload") && OPTIONAL.contains(&module)
}

/// The packages of an env that files belong to, as `NAME VERSION`, by the files' paths in the env.
pub(super) fn packages(env: &Path, files: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Some(packages) = crate::python::env::site_packages(env) else { return found };
    let inside = packages.strip_prefix(env).unwrap_or(&packages).to_string_lossy().into_owned();
    let entries = fs::read_dir(&packages).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()) {
        let Some(name) = folder.file_name().and_then(|it| it.to_str()?.strip_suffix(".dist-info"))
        else {
            continue;
        };
        let list = crate::disk::read_to_string(folder.join("RECORD")).unwrap_or_default();
        let listed: Vec<_> = rows(&list).map(|row| row.name).collect();
        for file in files {
            let below = file.strip_prefix(&inside).map(|rest| rest.trim_start_matches('/'));
            let in_bin = format!("../../../{file}");
            if listed.iter().any(|it| Some(it.as_str()) == below || *it == in_bin) {
                found.insert((*file).to_owned(), name.replacen('-', " ", 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(needed: &[&str], versions: &[(&str, &str)]) -> Object {
        let mut by_library: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (library, version) in versions {
            by_library.entry((*library).to_owned()).or_default().push((*version).to_owned());
        }
        let needed = needed.iter().map(|name| (*name).to_owned()).collect();
        Object { machine: 62, needed, versions: by_library, ..Object::default() }
    }

    #[test]
    fn what_is_missing_is_found() {
        let mut base = Contents::default();
        let defines = ["GLIBC_2.9", "GLIBC_2.31"].map(str::to_owned).to_vec();
        let libc = Object { machine: 62, defines, ..Object::default() };
        base.add_file("lib/x86_64-linux-gnu/libc.so.6", Some(libc));
        let mut env = Contents::default();
        let new =
            object(&["libc.so.6"], &[("libc.so.6", "GLIBC_2.34"), ("libc.so.6", "GLIBC_2.9")]);
        env.add_file("srv/env/lib/new.so", Some(new));
        env.add_file("srv/env/lib/far.so", Some(object(&["libfar.so.1", "libown.so"], &[])));
        env.add_file("srv/env/p.libs/libown.so", Some(object(&[], &[])));
        let foreign = Object { machine: 183, ..object(&["libarm.so"], &[]) };
        env.add_file("srv/env/lib/arm.so", Some(foreign));
        let mut all = base.clone();
        all.put_over(&env);
        let problems = problems(&[&env], &all, 62, &[], &|_, object| object.needed.len() == 1);
        assert_eq!(problems.iter().map(|it| it.is_here).collect::<Vec<_>>(), [false, true]);
        let lacks: Vec<_> = problems.into_iter().map(|problem| problem.lacks).collect();
        let newest = Some("GLIBC_2.31".to_owned());
        let (library, version) = ("libc.so.6".to_owned(), "GLIBC_2.34".to_owned());
        assert_eq!(
            lacks,
            [Lacks::Library("libfar.so.1".to_owned()), Lacks::Version { library, version, newest }]
        );
    }

    #[test]
    fn what_a_program_needs_has_to_be_where_it_looks() {
        let program =
            Object { interpreter: Some("/lib/ld.so".into()), ..object(&["libpy.so"], &[]) };
        let mut base = Contents::default();
        base.add_file("lib/ld.so", Some(object(&[], &[])));
        base.add_file("opt/bin/python3", Some(program));
        base.add_file("opt/lib/libpy.so", Some(object(&[], &[])));
        let lacks = |folders: &[String]| -> Vec<Lacks> {
            let problems = problems_of("/opt/bin/python3", &base, folders);
            assert!(problems.iter().all(|problem| problem.is_here));
            problems.into_iter().map(|problem| problem.lacks).collect()
        };
        assert_eq!(lacks(&[]), [Lacks::Library("libpy.so".to_owned())]);
        let there = ["/opt/lib".to_owned()];
        assert_eq!(lacks(&there), []);
        assert!(lacks(&[])[0].is_in(&base, &there) && !lacks(&[])[0].is_in(&base, &[]));
    }

    #[test]
    fn modules_of_the_base_are_looked_at_where_its_interpreter_has_them() {
        let mut base = Contents::default();
        base.add_link("lib", "usr/lib");
        for (folder, module) in [
            ("usr/lib/python3.12/lib-dynload", "_sqlite3.cpython-312-x86_64-linux-gnu.so"),
            ("usr/lib/python3.12/lib-dynload", "_tkinter.cpython-312-x86_64-linux-gnu.so"),
            ("usr/lib/python3.11/lib-dynload", "_sqlite3.cpython-311-x86_64-linux-gnu.so"),
            ("usr/lib/python3.12/site-packages", "own.so"),
        ] {
            base.add_file(&format!("{folder}/{module}"), Some(object(&["libsqlite3.so.0"], &[])));
        }
        for program in ["/usr/bin/python3.12", "/bin/python3.12"] {
            let problems = problems_of_modules(program, &base, 62, &[]);
            let [(module, problem)] = &problems[..] else { panic!("{problems:?}") };
            assert_eq!(module, "_sqlite3");
            assert_eq!(problem.lacks, Lacks::Library("libsqlite3.so.0".to_owned()));
        }
        base.add_file("usr/lib/libsqlite3.so.0", Some(object(&[], &[])));
        assert_eq!(problems_of_modules("/usr/bin/python3.12", &base, 62, &[]), []);
    }

    #[test]
    fn a_few_modules_of_the_interpreter_can_be_done_without() {
        assert!(is_optional("srv/python/lib/python3.12/lib-dynload/_tkinter.cpython-312.so"));
        assert!(!is_optional("srv/python/lib/python3.12/lib-dynload/_ssl.cpython-312.so"));
        assert!(!is_optional("srv/env/lib/python3.12/site-packages/_tkinter.so"));
    }
}
