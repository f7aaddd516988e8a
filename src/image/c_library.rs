//! Which C library programs are made for: glibc, or musl, as in Alpine. What is made for one does
//! not run with the other.

use super::check::{Lacks, Problem};
use super::contents::{Contents, split};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CLibrary {
    Glibc,
    Musl,
}

/// What needs the other C library than a base has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) of_base: CLibrary,
    /// The path of a file in the image.
    pub(super) file: String,
    /// Its loader, or its C library.
    pub(super) needs: String,
}

impl CLibrary {
    /// By the name of its loader, or of itself.
    fn of_name(path: &str) -> Option<CLibrary> {
        let name = split(path).1;
        let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        if begins(&["ld-musl-", "libc.musl-"]) {
            return Some(CLibrary::Musl);
        }
        (begins(&["ld-linux", "ld64.so."]) || name == "libc.so.6").then_some(CLibrary::Glibc)
    }

    /// The only one that a base has; `None` when it has none or both.
    fn of_base(base: &Contents) -> Option<CLibrary> {
        let mut all: Vec<_> = base.iter().filter_map(|(path, _)| CLibrary::of_name(path)).collect();
        all.dedup();
        let first = *all.first()?;
        all.iter().all(|other| *other == first).then_some(first)
    }
}

/// Whether problems come from that; the program that all others are run by is told first. What this
/// machine lacks, too, the site runs without.
pub(super) fn mismatch(problems: &[Problem], base: &Contents) -> Option<Mismatch> {
    let of_base = CLibrary::of_base(base)?;
    let needs = |problem: &Problem| {
        let (Lacks::Loader(name) | Lacks::Library(name)) = &problem.lacks else { return None };
        CLibrary::of_name(name).filter(|wanted| *wanted != of_base)?;
        Some(Mismatch { of_base, file: problem.file.clone(), needs: name.clone() })
    };
    let is_loader = |problem: &&Problem| matches!(problem.lacks, Lacks::Loader(_));
    let here = problems.iter().filter(|problem| problem.is_here);
    let (loaders, others): (Vec<_>, Vec<_>) = here.partition(is_loader);
    loaders.into_iter().chain(others).find_map(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(files: &[&str]) -> Contents {
        let mut base = Contents::default();
        for file in files {
            base.add_file(file, None);
        }
        base
    }

    fn problem(file: &str, lacks: Lacks) -> Problem {
        Problem { file: file.to_owned(), lacks, is_here: true }
    }

    #[test]
    fn what_is_made_for_another_c_library_is_found() {
        let alpine = ["lib/ld-musl-x86_64.so.1", "lib/libc.musl-x86_64.so.1"];
        let debian = ["usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu/libc.so.6"];
        let loader = "/lib64/ld-linux-x86-64.so.2";
        let of_glibc = [
            problem("srv/env/a.so", Lacks::Library("libm.so.6".to_owned())),
            problem("srv/env/b.so", Lacks::Library("libc.so.6".to_owned())),
            problem("srv/python/bin/python3.12", Lacks::Loader(loader.to_owned())),
        ];
        let found = mismatch(&of_glibc, &base(&alpine)).unwrap();
        let file = "srv/python/bin/python3.12".to_owned();
        let of_base = CLibrary::Musl;
        assert_eq!(found, Mismatch { of_base, file, needs: loader.to_owned() });
        // Without an interpreter of its own: some of Alpine's Pythons say that they are of glibc.
        let found = mismatch(&of_glibc[..2], &base(&alpine)).unwrap();
        assert_eq!((found.file.as_str(), found.needs.as_str()), ("srv/env/b.so", "libc.so.6"));
        assert_eq!(mismatch(&of_glibc[..1], &base(&alpine)), None);
        assert_eq!(mismatch(&of_glibc, &base(&debian)), None, "another thing is missing");
        assert_eq!(mismatch(&of_glibc, &base(&[])), None);
        assert_eq!(mismatch(&of_glibc, &base(&[alpine[0], debian[0]])), None);
        let loader = "/lib/ld-musl-aarch64.so.1";
        let of_musl = [problem("srv/python/bin/python3", Lacks::Loader(loader.to_owned()))];
        assert_eq!(mismatch(&of_musl, &base(&debian)).unwrap().of_base, CLibrary::Glibc);
        assert_eq!(mismatch(&of_musl, &base(&alpine)), None);
        let brought = "libc.musl-x86_64.so.1".to_owned();
        let brought =
            Problem { is_here: false, ..problem("srv/app/a.so", Lacks::Library(brought)) };
        assert_eq!(mismatch(&[brought], &base(&debian)), None, "the site runs without it");
    }
}
