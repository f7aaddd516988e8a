use super::*;
use crate::python::dependencies::{Recorded, Source};
use crate::python::version::Version;

fn told(installer: Installer, output: &str) -> String {
    let mut excerpt = Excerpt::default();
    output.lines().for_each(|line| excerpt.line(installer, line));
    let python = Version::new(3, 13, 0);
    let source = Source::RequirementsTxt { path: "requirements.txt".to_owned() };
    let recorded = Recorded::default();
    let asked = Asked { installer, python: &python, source: &source, recorded: &recorded };
    let Told { cause, lines, fixes } = excerpt.finish(asked, &[]);
    [cause.into_iter().collect(), lines, fixes].concat().join("\n")
}

#[test]
fn a_missing_header_stands_before_pips_own_error() {
    let output = "\
Building wheels for collected packages: pyodbc
  Building wheel for pyodbc (pyproject.toml): finished with status 'error'
  error: subprocess-exited-with-error

  × Building wheel for pyodbc (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> [9 lines of output]
      running bdist_wheel
      In file included from src/buffer.cpp:12:
      src/pyodbc.h:56:10: fatal error: sql.h: No such file or directory
         56 | #include <sql.h>
            |          ^~~~~~~
      compilation terminated.
      error: command '/usr/bin/x86_64-linux-gnu-gcc' failed with exit code 1
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for pyodbc
Failed to build pyodbc
ERROR: Failed to build installable wheels for some pyproject.toml based projects (pyodbc)
";
    insta::assert_snapshot!(told(Installer::Pip, output), @"
    src/pyodbc.h:56:10: fatal error: sql.h: No such file or directory
    ERROR: Failed building wheel for pyodbc
    ERROR: Failed to build installable wheels for some pyproject.toml based projects (pyodbc)
    On Debian and Ubuntu: apt install unixodbc-dev; then deploy again
    ");
}

#[test]
fn a_package_of_another_system_is_not_said_to_be_old() {
    let output = "\
  × Building wheel for twisted-iocpsupport (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> [1 lines of output]
      iocpsupport.c:1277:10: fatal error: io.h: No such file or directory
      [end of output]
  ERROR: Failed building wheel for twisted-iocpsupport
";
    let told = told(Installer::Pip, output);
    assert!(told.starts_with("twisted-iocpsupport is for Windows only"), "{told}");
    assert!(!told.contains("is older than Python"), "{told}");
}

#[test]
fn the_last_line_of_a_build_explains_it_where_no_other_does() {
    let output = "\
  × Getting requirements to build wheel did not run successfully.
  │ exit code: 1
  ╰─> [3 lines of output]
      Traceback (most recent call last):
        File \"<string>\", line 2, in <module>
      KeyError: '__version__'
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
ERROR: Failed to build 'x' when getting requirements to build wheel
";
    insta::assert_snapshot!(told(Installer::Pip, output), @r"
    KeyError: '__version__'
    ERROR: Failed to build 'x' when getting requirements to build wheel
    If x is older than Python 3.13, ask for a newer version of it, or for an older Python in runtime.txt, such as python-3.12
    ");
}

#[test]
fn what_is_written_in_rust_is_old_before_it_lacks_a_compiler() {
    let output = "\
      Cargo, the Rust package manager, is not installed or is not on PATH.
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
error: metadata-generation-failed

× Encountered error while generating package metadata.
╰─> pydantic-core

note: This is an issue with the package mentioned above, not pip.
";
    insta::assert_snapshot!(told(Installer::Pip, output), @"
    Cargo, the Rust package manager, is not installed or is not on PATH.
    If pydantic-core is older than Python 3.13, ask for a newer version of it, or for an older Python in runtime.txt, such as python-3.12
    On Debian and Ubuntu: apt install cargo; then deploy again
    ");
}

#[test]
fn what_git_says_of_an_address_is_repeated_and_no_build_is_blamed() {
    let output = "\
  Running command git clone --quiet https://example.org/x /tmp/x
  fatal: unable to access 'https://example.org/x/': Could not resolve host: example.org
  error: subprocess-exited-with-error

  × git clone --quiet https://example.org/x /tmp/x did not run successfully.
  │ exit code: 128
  ╰─> No available output.

  note: This error originates from a subprocess, and is likely not a problem with pip.
ERROR: Failed to build 'x' when git clone --quiet https://example.org/x /tmp/x
";
    insta::assert_snapshot!(told(Installer::Pip, output), @r"
    repositories on example.org cannot be reached: its name is not known
    fatal: unable to access 'https://example.org/x/': Could not resolve host: example.org
    ERROR: Failed to build 'x' when git clone --quiet https://example.org/x /tmp/x
    See whether this machine can reach it: git ls-remote https://example.org/x/
    Or, behind a proxy: nyala config set https_proxy=ADDRESS
    ");
}

#[test]
fn what_pip_says_of_versions_that_it_skips_is_repeated() {
    let output = "\
Collecting celery==5.0.5 (from -r requirements.txt (line 1))
WARNING: Ignoring version 5.0.5 of celery since it has invalid metadata:
Requested celery==5.0.5 from https://index/celery.whl has invalid metadata: Expected matching
    pytz (>dev)
         ~^
Please use pip<24.1 if you need to use this version.
ERROR: Could not find a version that satisfies the requirement celery==5.0.5
ERROR: No matching distribution found for celery==5.0.5
";
    insta::assert_snapshot!(told(Installer::Pip, output), @r#"
    WARNING: Ignoring version 5.0.5 of celery since it has invalid metadata:
    Requested celery==5.0.5 from https://index/celery.whl has invalid metadata: Expected matching
    Please use pip<24.1 if you need to use this version.
    ERROR: Could not find a version that satisfies the requirement celery==5.0.5
    ERROR: No matching distribution found for celery==5.0.5
    Set pip = "<24.1" in nyala.toml
    "#);
}

#[test]
fn uvs_error_comes_with_what_explains_it_and_its_hint() {
    let output = "\
  × Failed to build `pyodbc==5.2.0`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

      [stdout]
      running bdist_wheel

      [stderr]
      src/pyodbc.h:56:10: fatal error: sql.h: No such file or directory
      error: command '/usr/bin/gcc' failed with exit code 1

      hint: This usually indicates a problem with the package or the build
      environment.
";
    insta::assert_snapshot!(told(Installer::Uv, output), @"
    src/pyodbc.h:56:10: fatal error: sql.h: No such file or directory
    × Failed to build `pyodbc==5.2.0`
    On Debian and Ubuntu: apt install unixodbc-dev; then deploy again
    ");
    let output = "\
  × No solution found when resolving dependencies:
  ╰─▶ Because only oryx<=2.0 is available and you require oryx>3, we can
      conclude that your requirements are unsatisfiable.

      hint: Pre-releases are available for oryx in the requested range
      (e.g., 3.1rc1).
";
    insta::assert_snapshot!(told(Installer::Uv, output), @"
    no version of oryx is >3
    × No solution found when resolving dependencies:
    ╰─▶ Because only oryx<=2.0 is available and you require oryx>3, we can
    conclude that your requirements are unsatisfiable.
    hint: Pre-releases are available for oryx in the requested range
    (e.g., 3.1rc1).
    Correct requirements.txt, commit, and push again
    ");
    let output = "error: Failed to parse `x`\n  Caused by: no\n";
    insta::assert_snapshot!(told(Installer::Uv, output), @r"
    error: Failed to parse `x`
    Caused by: no
    ");
}

#[test]
fn a_source_that_is_older_than_its_python_is_told_from_one_that_lacks_a_header() {
    let output = "\
error: Failed to build `greenlet==1.1.2`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

         [stderr]
         src/greenlet/greenlet.h:42:5: error: unknown type name ‘CFrame’
         error: Command '['gcc', '-c', 'x.c']' returned non-zero exit status 1.

hint: Build failures usually indicate a problem with the package or the build environment
";
    insta::assert_snapshot!(told(Installer::Uv, output), @r"
    src/greenlet/greenlet.h:42:5: error: unknown type name ‘CFrame’
    error: Failed to build `greenlet==1.1.2`
    If greenlet==1.1.2 is older than Python 3.13, ask for a newer version of it, or for an older Python in runtime.txt, such as python-3.12
    ");
    // A project of the tree is as old as the person who has pushed it says.
    let output = "\
error: Failed to build `site @ file:///srv/site/build`
  cause: Call to `backend.build_wheel` failed (exit status: 1)

         [stderr]
         KeyError: 'VERSION'
";
    insta::assert_snapshot!(told(Installer::Uv, output), @r"
    KeyError: 'VERSION'
    error: Failed to build `site @ file:///srv/site/build`
    ");
    let output = "\
      ModuleNotFoundError: No module named 'pkg_resources'
      [end of output]
ERROR: Failed to build 'old' when getting requirements to build wheel
";
    insta::assert_snapshot!(told(Installer::Pip, output), @r"
    ModuleNotFoundError: No module named 'pkg_resources'
    ERROR: Failed to build 'old' when getting requirements to build wheel
    The build of old needs pkg_resources, which setuptools has until version 81: commit a file build-constraints.txt with the line setuptools<82, and: nyala config set PIP_BUILD_CONSTRAINT=build-constraints.txt
    ");
}

#[test]
fn what_is_missing_names_debians_package() {
    for (line, package) in [
        ("a.c:1:10: fatal error: Python.h: No such file or directory", "python3-dev"),
        ("a.c:1:10: fatal error: libpq-fe.h: No such file or directory", "libpq-dev"),
        ("a.c:1:10: fatal error: openssl/ssl.h: No such file or directory", "libssl-dev"),
        ("Error: pg_config executable not found.", "libpq-dev"),
        ("/bin/sh: 1: mysql_config: not found", "default-libmysqlclient-dev"),
        ("Exception: Can not find valid pkg-config name.", "default-libmysqlclient-dev pkg-config"),
        ("Could not find gdal-config. Make sure you have installed GDAL", "libgdal-dev"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'gdal-config'", "libgdal-dev"),
        ("error: command 'gcc' failed: No such file or directory", "build-essential"),
        (
            "error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
            "build-essential",
        ),
        ("unable to execute 'cc': No such file or directory", "build-essential"),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]", "build-essential"),
        (
            "Error: Please make sure the libxml2 and libxslt development packages are installed.",
            "libxml2-dev libxslt1-dev",
        ),
        ("/usr/bin/ld: cannot find -lpq: No such file or directory", "libpq-dev"),
        ("error: can't find Rust compiler", "cargo"),
        ("Cargo, the Rust package manager, is not installed or is not on PATH.", "cargo"),
        ("ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?", "git"),
        ("Git executable not found. Ensure that Git is installed and available.", "git"),
        ("Package cairo was not found in the pkg-config search path.", "libcairo2-dev"),
        ("The headers or library files could not be found for jpeg,", "libjpeg-dev"),
        ("CMake must be installed to build dlib", "cmake"),
        ("pkgconfig.PackageNotFoundError: xmlsec1 not found", "libxmlsec1-dev"),
    ] {
        assert_eq!(packages::of(line), Some(package), "{line}");
    }
    for line in [
        "ERROR: Could not find a version that satisfies the requirement git",
        "ERROR: No matching distribution found for openssl",
        "error: command '/usr/bin/gcc' failed with exit code 1",
        "Downloading cmake-3.0-py3-none-any.whl",
        "a.c:1:10: fatal error: mine.h: No such file or directory",
        "running build with gcc",
        "",
    ] {
        assert_eq!(packages::of(line), None, "{line}");
    }
}

#[test]
fn what_is_repeated_stays_short() {
    let long = "x".repeat(10_000);
    let lines =
        |number: u32| [format!("a.c:{number}:1: error: {long}"), format!("ERROR: {number}")];
    let output = (0..1000).flat_map(lines).collect::<Vec<_>>().join("\n");
    let told = told(Installer::Pip, &output);
    assert_eq!(told.lines().count(), EXPLAINING + ERRORS);
    assert!(told.len() < 3000, "{}", told.len());
}

#[test]
fn an_index_that_gives_nothing_is_told_from_one_that_asks_for_credentials() {
    let refusal = |installer: Installer, output: &str| {
        let mut excerpt = Excerpt::default();
        output.lines().for_each(|line| excerpt.line(installer, line));
        excerpt.refusal
    };
    let nothing = "ERROR: No matching distribution found for grass==1.0";
    assert_eq!(refusal(Installer::Pip, nothing), Some(Refusal::Nothing));
    let wrong = "WARNING: 401 Error, Credentials not correct for https://example.org/simple/grass/";
    let both = format!("{wrong}\n{nothing}");
    assert_eq!(refusal(Installer::Pip, &both), Some(Refusal::Credentials));
    assert!(told(Installer::Pip, &both).starts_with(wrong));
    let of_uv = "      hint: An index URL (https://example.org/simple) could not be queried due \
                 to a lack of valid authentication credentials (401 Unauthorized).";
    assert_eq!(refusal(Installer::Uv, of_uv), Some(Refusal::Credentials));
    assert_eq!(refusal(Installer::Uv, "error: Failed to build `grass`"), None);

    let advice = ["Set it".to_owned()];
    assert_eq!(of_index(None, &advice), [] as [&str; 0]);
    assert_eq!(of_index(Some(Refusal::Nothing), &[]), [] as [&str; 0]);
    assert_eq!(of_index(Some(Refusal::Nothing), &advice), ["Set it", OF_INDEXES]);
    assert_eq!(of_index(Some(Refusal::Credentials), &[]), [OF_INDEXES]);
}

#[test]
fn an_index_that_cannot_be_reached_is_said_before_what_it_did_not_give() {
    let output = "\
WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by \
'NewConnectionError(\"Connection refused\")': /simple/grass/
ERROR: Could not find a version that satisfies the requirement grass==1.0 (from versions: none)
ERROR: No matching distribution found for grass==1.0
";
    insta::assert_snapshot!(told(Installer::Pip, output), @"
    the index cannot be reached: the connection was refused
    ERROR: Could not find a version that satisfies the requirement grass==1.0 (from versions: none)
    ERROR: No matching distribution found for grass==1.0
    See whether this machine can reach it: curl -I ADDRESS
    Or correct its address: nyala config set PIP_INDEX_URL=ADDRESS
    ");
}
