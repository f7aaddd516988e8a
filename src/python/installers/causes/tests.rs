mod frozen;
mod index;

use std::collections::BTreeSet;

use super::*;
use crate::python::dependencies::locks::Lock;
use crate::python::dependencies::{Line, Source};

/// What is told of the output of an installer with Python 3.10.
fn told(installer: Installer, output: &str) -> String {
    told_of(requirement(), installer, output)
}

fn told_of(line: Line, installer: Installer, output: &str) -> String {
    let source = Source::RequirementsTxt { path: "requirements.txt".to_owned() };
    told_by(&source, line, installer, output)
}

fn told_by(source: &Source, line: Line, installer: Installer, output: &str) -> String {
    let mut heard = Heard::default();
    output.lines().for_each(|line| heard.line(line.trim()));
    let recorded = Recorded { lines: vec![line], ..Recorded::default() };
    let python = Version::new(3, 10, 13);
    let asked = Asked { installer, python: &python, source, recorded: &recorded };
    let Some(Cause { fact, lines, fixes, .. }) = heard.cause(asked) else { return String::new() };
    [vec![fact], lines, fixes].concat().join("\n")
}

/// What line 2 of requirements.txt asks for.
fn requirement() -> Line {
    Line {
        role: Role::Requirement,
        key: "six".to_owned(),
        file: "requirements.txt".to_owned(),
        number: 2,
        text: "six".to_owned(),
        extras: BTreeSet::new(),
        version: String::new(),
        source: None,
        hashes: BTreeSet::new(),
        options: Vec::new(),
        editable: false,
        digest: None,
    }
}

fn not_found(requirement: &str, versions: &str) -> String {
    told(
        Installer::Pip,
        &format!(
            "ERROR: Could not find a version that satisfies the requirement {requirement} \
             (from -r requirements.txt (line 2)) (from versions: {versions})\n\
             ERROR: No matching distribution found for {requirement}"
        ),
    )
}

fn of_uv(cause: &str) -> String {
    let start = "error: No solution found when resolving dependencies\n  cause: Because";
    let end = "we can conclude that your requirements are unsatisfiable.";
    told(Installer::Uv, &format!("{start} {cause}, {end}"))
}

#[test]
fn a_package_for_another_python_says_which() {
    let pip = "\
ERROR: Ignored the following versions that require a different python version: \
2.3.0 Requires-Python >=3.11; 2.5.0 Requires-Python >=3.12
ERROR: Could not find a version that satisfies the requirement numpy==2.3.0 (from versions: \
2.2.5, 2.2.6, 2.2.7rc1)
";
    insta::assert_snapshot!(told(Installer::Pip, pip), @"
    numpy 2.3.0 needs Python >=3.11, and this environment has 3.10
    Ask for Python 3.11: write python-3.11 into runtime.txt, commit, and push again
    Or take numpy 2.2.6, the newest for Python 3.10
    ");
    let uv = "the current Python version (3.10.13) does not satisfy Python>=3.11 and numpy==2.3.0 \
              depends on Python>=3.11, we can conclude that numpy==2.3.0 cannot be used. And \
              because you require numpy==2.3.0";
    insta::assert_snapshot!(of_uv(uv), @"
    numpy 2.3.0 needs Python >=3.11, and this environment has 3.10
    Ask for Python 3.11: write python-3.11 into runtime.txt, commit, and push again
    ");
    let wheels = "tensorflow==2.3.0 has no wheels with a matching Python ABI tag (e.g., `cp310`) \
                  and you require tensorflow==2.3";
    let hint = "\n\nhint: You require CPython 3.10 (`cp310`), but we only found wheels for \
                `tensorflow` (v2.3.0) with the following Python ABI tags: `cp36m`, `cp38`";
    let start = "error: No solution found when resolving dependencies\n  cause: Because ";
    insta::assert_snapshot!(told(Installer::Uv, &format!("{start}{wheels}{hint}")), @"
    there is no tensorflow 2.3.0 for Python 3.10
    Ask for a newer version in requirements.txt, commit, and push again
    Or ask for an older Python in runtime.txt: python-3.8
    ");
    insta::assert_snapshot!(not_found("tensorflow==2.3", "2.20.0rc0, 2.20.0, 2.21.0, 3.0rc1"), @"
    there is no tensorflow 2.3 for Python 3.10
    Ask for a newer version in requirements.txt, commit, and push again: 2.20.0 is the oldest for Python 3.10, 2.21.0 the newest
    Or ask for an older Python in runtime.txt, such as python-3.9
    ");
}

#[test]
fn a_version_that_is_not_there_says_which_are() {
    insta::assert_snapshot!(not_found("six==1.99", "1.0, 1.17.0"), @"
    six has no version 1.99
    Correct line 2 of requirements.txt, commit, and push again: the newest is 1.17.0
    ");
    insta::assert_snapshot!(not_found("six>3", "1.0, 1.17.0"), @"
    no version of six is >3
    Correct line 2 of requirements.txt, commit, and push again: the newest is 1.17.0
    ");
    insta::assert_snapshot!(of_uv("there is no version of six==1.99 and you require six==1.99"), @"
    six has no version 1.99
    Correct line 2 of requirements.txt, commit, and push again
    ");
    insta::assert_snapshot!(of_uv("only six<=1.17.0 is available and you require six>3"), @"
    no version of six is >3
    Correct line 2 of requirements.txt, commit, and push again
    ");
}

#[test]
fn requirements_that_contradict_each_other_are_named() {
    let pip = "\
ERROR: Cannot install -r r.txt (line 1) and werkzeug<2 because these have conflicts.

The conflict is caused by:
    The user requested werkzeug<2
    flask 3.1.3 depends on werkzeug>=3.1.0

To fix this you could try to:
ERROR: ResolutionImpossible: for help visit https://pip.pypa.io
";
    insta::assert_snapshot!(told(Installer::Pip, pip), @"
    these requirements contradict each other: werkzeug<2, and flask 3.1.3, which needs werkzeug>=3.1.0
    Change one of them in requirements.txt, commit, and push again
    ");
    let uv = "flask>=3.1.3 depends on werkzeug>=3.1.0 and you require flask==3.1.3, we can \
              conclude that you require werkzeug>=3.1.0. And because you require werkzeug<2";
    insta::assert_snapshot!(of_uv(uv), @"
    the requirements contradict each other
    Change one of them in requirements.txt, commit, and push again
    ");
}

#[test]
fn a_wrong_hash_and_a_malformed_requirement_say_where_they_stand() {
    let pip = "\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have
    six==1.17.0 from https://example.org/six.whl (from -r requirements.txt (line 2)):
        Expected sha256 aaaa
             Got        4721

";
    insta::assert_snapshot!(told(Installer::Pip, pip), @"
    six==1.17.0 does not have the hash that line 2 of requirements.txt gives
    six==1.17.0 from https://example.org/six.whl (from -r requirements.txt (line 2)):
    Expected sha256 aaaa
    Got        4721
    If its version was changed, correct the hash in line 2 of requirements.txt, commit, and push again
    If not, do not install it: the file is not the one that was approved
    ");
    let uv = "error: Failed to download `six==1.17.0`\n  cause: Hash mismatch for `six==1.17.0`\n";
    insta::assert_snapshot!(told(Installer::Uv, uv), @"
    six==1.17.0 does not have the hash that line 2 of requirements.txt gives
    If its version was changed, correct the hash in line 2 of requirements.txt, commit, and push again
    If not, do not install it: the file is not the one that was approved
    ");
    let pip = "\
ERROR: Invalid requirement: 'flask=3.0': Expected semicolon or end
    flask=3.0
         ^ (from line 1 of requirements.txt)
Hint: = is not a valid operator. Did you mean == ?
";
    insta::assert_snapshot!(told(Installer::Pip, pip), @"
    flask=3.0 is not a requirement (line 1 of requirements.txt)
    = is not a valid operator. Did you mean == ?
    Write flask==3.0 there, commit, and push again
    ");
    let of_conda = told(Installer::Pip, &pip.replace("flask=3.0", "flask=3.0=py_0"));
    assert!(of_conda.ends_with("\nWrite flask==3.0 there, commit, and push again"), "{of_conda}");
    let uv = "error: Couldn't parse requirement in `requirements.txt` at position 0\n  \
              cause: no such comparison operator \"=\", must be one of ~= ==\n";
    let line = Line { version: "=3.0".to_owned(), ..requirement() };
    insta::assert_snapshot!(told_of(line, Installer::Uv, uv), @r#"
    a requirement cannot be read: no such comparison operator "=", must be one of ~= ==
    Correct it in requirements.txt, commit, and push again
    "#);
}

#[test]
fn another_uv_than_the_project_asks_for_is_named() {
    let error = "error: Required uv version `>=99` does not match the running version `0.13.9`. \
                 Update `uv` by running `uv self update`.\n";
    insta::assert_snapshot!(told(Installer::Uv, error), @r#"
    the project needs uv >=99, and uv here is 0.13.9
    Change it on the server: uv self update; or, if nyala downloaded it: nyala uv install
    Or correct required-version under [tool.uv] in pyproject.toml, commit, and push again
    Or let pip install: installer = "pip" in nyala.toml
    "#);
}

#[test]
fn what_only_pip_can_read_is_left_to_it() {
    let error = "error: Error parsing included file in `requirements.txt` at position 0\n  \
                 cause: Couldn't parse requirement in `deps/.nyala-base.txt` at position 0\n  \
                 cause: after parsing `3.0`, found `\\`, which is not part of a valid version\n";
    insta::assert_snapshot!(told(Installer::Uv, error), @r#"
    a requirement cannot be read: after parsing `3.0`, found `\`, which is not part of a valid version
    Write it on one line and without variables in deps/base.txt, commit, and push again
    Or let pip install: installer = "pip" in nyala.toml
    "#);
    let variable = "error: Couldn't parse requirement in `requirements.txt` at position 0\n  \
                    cause: expected version to start with a number\n  six==${SIX}\n";
    assert!(told(Installer::Uv, variable).contains("Write it on one line and without variables"));
    let line = |text: &str, version: &str, digest: Option<&str>| Line {
        text: text.to_owned(),
        version: version.to_owned(),
        digest: digest.map(str::to_owned),
        ..requirement()
    };
    let reads = |line| pip_reads(&Recorded { lines: vec![line], ..Recorded::default() });
    assert!(reads(line("six==1.0 --hash=sha256:00", "==1.0", None)));
    assert!(reads(line("six==${SIX}", "==${SIX}", Some("00"))));
    assert!(!reads(line("six==${SIX}", "==${SIX}", None)), "no such setting");
    assert!(!reads(line("six==1.0.x", "==1.0.x", None)));
    assert!(!reads(Line { key: "two words".to_owned(), ..requirement() }));
}

#[test]
fn other_output_has_no_cause_and_what_is_kept_stays_short() {
    let output = "ERROR: Failed building wheel for x\n".to_owned()
        + &"error: x\n".repeat(1000)
        + &"Looking in indexes: ".repeat(10_000);
    for installer in Installer::ALL {
        assert_eq!(told(installer, &output), "");
    }
    let mut heard = Heard::default();
    output.lines().for_each(|line| heard.line(line));
    assert_eq!(heard.lines.len(), LINES);
}

#[test]
fn what_git_cannot_fetch_is_said_with_what_to_do() {
    let of_pip = |line: &str| {
        told(
            Installer::Pip,
            &format!(
                "  Running command git clone --quiet https://example.org/x /tmp/x\n  {line}\n  \
                 error: subprocess-exited-with-error\n\n  × git clone --quiet x did not run \
                 successfully.\n  │ exit code: 128\n"
            ),
        )
    };
    let of_uv = |line: &str| {
        told(
            Installer::Uv,
            &format!(
                "error: Failed to download and build `x @ git+https://example.org/x`\n  cause: Git \
                 operation failed\n  cause: failed to clone into: /c/git-v2/db/1\n  cause: \
                 process didn't exit successfully: `git fetch` (exit status: 128)\n         \
                 --- stderr\n         {line}\n"
            ),
        )
    };
    let both = |line: &str| {
        let told = of_pip(line);
        assert_eq!(told, of_uv(line));
        told
    };
    insta::assert_snapshot!(
        both("fatal: unable to access 'https://example.org/x/': Could not resolve host: x"),
        @r"
    repositories on example.org cannot be reached: its name is not known
    See whether this machine can reach it: git ls-remote https://example.org/x/
    Or, behind a proxy: nyala config set https_proxy=ADDRESS
    "
    );
    insta::assert_snapshot!(
        both("ssh: connect to host example.org port 22: Connection refused"),
        @r"
    repositories on example.org cannot be reached: the connection was refused
    See whether this machine can reach it: ssh -T git@example.org
    Or, behind a proxy: nyala config set https_proxy=ADDRESS
    "
    );
    insta::assert_snapshot!(
        both("fatal: could not read Username for 'https://example.org': terminal prompts disabled"),
        @r"
    https://example.org asks for a password, or has no such repository
    If its address is wrong, correct it in requirements.txt, commit, and push again
    If the repository is private, give the site's user access: with an ssh key, and git+ssh://git@HOST/OWNER/NAME.git as the address, or with a password: https://git-scm.com/docs/gitcredentials
    "
    );
    insta::assert_snapshot!(
        both("fatal: repository 'https://example.org/x/' not found").lines().next().unwrap(),
        @"there is no repository https://example.org/x/"
    );
    insta::assert_snapshot!(
        both("fatal: couldn't find remote ref refs/tags/v9"),
        @r"
    the repository has no branch, tag or commit v9
    Correct it in requirements.txt, commit, and push again
    "
    );
    insta::assert_snapshot!(
        both("error: pathspec 'v9' did not match any file(s) known to git").lines().next().unwrap(),
        @"the repository has no branch, tag or commit v9"
    );
    insta::assert_snapshot!(
        both("git@example.org: Permission denied (publickey)."),
        @r"
    git@example.org does not accept an ssh key of this user
    Add the public key of the site's user to the repository, as a deploy key; if there is none in ~/.ssh: ssh-keygen -t ed25519
    "
    );
    insta::assert_snapshot!(
        both("Host key verification failed."),
        @r"
    ssh does not know the host of the repository
    As the site's user: ssh-keyscan HOST >> ~/.ssh/known_hosts, and compare the key with the one that HOST publishes
    "
    );
    assert_eq!(both("error: failed to open `/c/x`: Permission denied (os error 13)"), "");
    assert_eq!(both("fatal: not a git repository (or any of the parent directories): .git"), "");
}
