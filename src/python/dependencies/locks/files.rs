//! The files of a package: whether one of them is for this machine.

use std::collections::BTreeSet;

use super::error::LockError;
use super::marker::Environment;
use super::resolved::Lack;

/// Whether an address is that of the Python Package Index, or of its files.
pub(super) fn is_pypi(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    matches!(host, "pypi.org" | "pypi.python.org" | "files.pythonhosted.org")
}

/// Whether a file of a package is a wheel.
pub(super) fn is_wheel(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "whl")
}

/// Whether a path is that of an archive, by its name.
pub(super) fn is_archive(path: &str) -> bool {
    [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2"].iter().any(|ending| path.ends_with(ending))
}

/// The wheels that a lock has of a package.
pub(super) struct Wheels<'a> {
    pub of: &'a str,
    /// The names of the files.
    pub names: Vec<&'a str>,
}

impl Wheels<'_> {
    /// What the package lacks for the environment. Fails when it has nothing for this machine.
    pub(super) fn lack(
        &self,
        has_sdist: bool,
        environment: &Environment,
    ) -> Result<Lack, LockError> {
        self.check_machine(has_sdist, environment)?;
        let here = || self.names.iter().filter(|wheel| is_for_machine(wheel, environment));
        if here().next().is_none() || here().any(|wheel| is_for_python(wheel, environment)) {
            return Ok(Lack::Nothing);
        }
        if has_sdist {
            return Ok(Lack::Wheel);
        }
        let minors: BTreeSet<u64> = here().filter_map(|wheel| minors(wheel)).flatten().collect();
        Ok(Lack::File { pythons: minors.into_iter().map(|minor| format!("3.{minor}")).collect() })
    }

    /// Whether one of them is for this machine and Python.
    pub(super) fn fit(&self, environment: &Environment) -> bool {
        let fits =
            |wheel: &&str| is_for_machine(wheel, environment) && is_for_python(wheel, environment);
        self.names.iter().any(fits)
    }

    /// Fails when a package has nothing but wheels, all of them for other systems or processors.
    fn check_machine(&self, has_sdist: bool, environment: &Environment) -> Result<(), LockError> {
        let is_for_here = |wheel: &&str| is_for_machine(wheel, environment);
        if has_sdist || self.names.is_empty() || self.names.iter().any(is_for_here) {
            return Ok(());
        }
        let (package, files) = (self.of.to_owned(), self.names.join(", "));
        Err(LockError::OtherMachines { package, files })
    }
}

/// The file to install, of those that a package has: a wheel for this machine and Python, or else
/// what no wheel is. Each is a name, perhaps with a path or an address before it.
pub(super) fn best<'a>(names: &[&'a str], environment: &Environment) -> Option<&'a str> {
    let fits = |name: &&&str| is_for_machine(name, environment) && is_for_python(name, environment);
    let wheels = names.iter().filter(|name| is_wheel(name)).filter(fits);
    // Most machines are no Alpine.
    let wheel = wheels.min_by_key(|name| name.contains("musllinux"));
    let source = || names.iter().find(|name| !is_wheel(name));
    wheel.or_else(source).or_else(|| names.first()).copied()
}

/// By the last part of a wheel's name, its platform tags:
/// <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>
fn is_for_machine(wheel: &str, environment: &Environment) -> bool {
    let Some([_, _, platforms]) = tags(wheel) else { return true };
    platforms.split('.').any(|tag| {
        tag == "any" || tag.contains("linux") && tag.ends_with(environment.machine.as_str())
    })
}

/// By the tags of the Python and of its ABI.
fn is_for_python(wheel: &str, environment: &Environment) -> bool {
    let Some([pythons, abis, _]) = tags(wheel) else { return true };
    let release = environment.python.release();
    let (major, minor) =
        (release.first().copied().unwrap_or(3), release.get(1).copied().unwrap_or(0));
    let is_abi = |abi: &str| abis.split('.').any(|tag| tag == abi);
    pythons.split('.').any(|tag| {
        let Some((kind, version)) = tag.split_at_checked(2) else { return false };
        let Some((of_major, of_minor)) = version.split_at_checked(1) else { return false };
        if of_major.parse() != Ok(major) {
            return false;
        }
        let of_minor: Option<u64> = of_minor.parse().ok();
        match kind {
            "py" => of_minor.is_none_or(|it| it <= minor),
            "cp" if is_abi("abi3") => of_minor.is_some_and(|it| it <= minor),
            // `cp313t` is the ABI without the global interpreter lock.
            "cp" => of_minor == Some(minor) && abis.split('.').any(|tag| !tag.ends_with('t')),
            _ => false,
        }
    })
}

/// The minor versions of Python 3 in the tags of a wheel.
fn minors(wheel: &str) -> Option<Vec<u64>> {
    let [pythons, ..] = tags(wheel)?;
    let minor = |tag: &str| {
        let version = tag.strip_prefix("cp").or_else(|| tag.strip_prefix("py"))?;
        version.strip_prefix('3')?.parse().ok()
    };
    Some(pythons.split('.').filter_map(minor).collect())
}

/// The tags in the name of a wheel: Python, ABI, platform.
fn tags(wheel: &str) -> Option<[&str; 3]> {
    let mut parts = wheel.strip_suffix(".whl")?.rsplitn(4, '-');
    let [platform, abi, python] = [parts.next()?, parts.next()?, parts.next()?];
    Some([python, abi, platform])
}

#[cfg(test)]
mod tests {
    use super::super::tests::environment;
    use super::*;

    #[test]
    fn a_wheel_is_for_a_python_by_its_tags() {
        let lacks = |python: &str, names: &[&str]| {
            let wheels = Wheels { of: "x", names: names.to_vec() };
            wheels.lack(true, &environment(python)).unwrap() == Lack::Wheel
        };
        let machine = environment("3.12.1").machine;
        let of = |tags: &str| format!("x-1.0-{tags}-manylinux_2_17_{machine}.whl");
        let of_312 = of("cp312-cp312");
        assert!(!lacks("3.12.1", &[&of_312]) && lacks("3.13.0", &[&of_312]));
        assert!(lacks("3.11.4", &[&of_312]) && lacks("2.7.18", &[&of_312]));
        for (tags, python, is_for) in [
            ("cp37-abi3", "3.13.0", true),
            ("cp313-abi3", "3.12.1", false),
            ("py3-none", "3.13.0", true),
            ("py2.py3-none", "3.13.0", true),
            ("py2-none", "3.13.0", false),
            ("py310-none", "3.9.1", false),
            ("cp313-cp313t", "3.13.0", false),
            ("pp310-pypy310_pp73", "3.10.1", false),
            ("cp311.cp312-cp311.cp312", "3.12.1", true),
        ] {
            assert_eq!(lacks(python, &[&of(tags)]), !is_for, "{tags} {python}");
        }
        // Whatever the Python, it is built, or needs no building.
        assert!(!lacks("3.13.0", &["x-1.0-cp312-cp312-win_amd64.whl"]));
        assert!(!lacks("3.13.0", &[&of_312, "x-1.0-py3-none-any.whl"]) && !lacks("3.13.0", &[]));
    }

    #[test]
    fn what_has_nothing_but_wheels_for_other_pythons_lacks_a_file() {
        let machine = environment("3.12.1").machine;
        let of = |tags: &str| format!("x-1.0-{tags}-manylinux_2_17_{machine}.whl");
        let names = [of("cp310-cp310"), of("cp39-cp39"), of("cp310-cp310t"), of("pp310-x")];
        let windows = "x-1.0-cp313-cp313-win_amd64.whl";
        let names = names.iter().map(String::as_str).chain([windows]).collect();
        let wheels = Wheels { of: "x", names };
        let lack = |python: &str| wheels.lack(false, &environment(python)).unwrap();
        assert_eq!(lack("3.10.2"), Lack::Nothing);
        let pythons = vec!["3.9".to_owned(), "3.10".to_owned()];
        assert_eq!(lack("3.13.0"), Lack::File { pythons });
        assert_eq!(wheels.lack(true, &environment("3.13.0")).unwrap(), Lack::Wheel);
    }
}
