//! `scripts/install`, with small packages in the place of the real ones: those are installed by
//! `scripts/test-packages`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, Running, Sandbox};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/install");

/// A folder of packages of two versions, and a prefix to install into.
struct Packages {
    sandbox: Sandbox,
    folder: PathBuf,
    prefix: PathBuf,
}

impl Packages {
    fn new() -> Packages {
        let sandbox = Sandbox::new();
        let (folder, prefix) = (sandbox.path("packages"), sandbox.path("prefix"));
        fs::create_dir(&folder).unwrap();
        let packages = Packages { sandbox, folder, prefix };
        packages.pack("0.9.0");
        packages.pack("0.10.0");
        packages.shell("cd packages && sha256sum -- *.tar.gz >SHA256SUMS");
        packages
    }

    /// Makes an archive as `scripts/package` does.
    fn pack(&self, version: &str) {
        let name = format!("nyala-{version}-{}-linux", std::env::consts::ARCH);
        self.shell(&format!(
            "mkdir -p {name}/man {name}/completions && cd {name}
             printf '#!/bin/sh\necho nyala {version}\n' >nyala && chmod 755 nyala
             touch man/nyala.1 man/nyala-list.1
             touch completions/nyala.bash completions/_nyala completions/nyala.fish
             cd .. && tar -czf packages/{name}.tar.gz {name}"
        ));
    }

    fn archive(&self) -> PathBuf {
        self.folder.join(format!("nyala-0.10.0-{}-linux.tar.gz", std::env::consts::ARCH))
    }

    fn shell(&self, script: &str) -> Ran {
        let mut shell = self.sandbox.command("sh");
        let ran = Running::start(shell.args(["-euc", script])).wait();
        ran.assert_success();
        ran
    }

    fn command(&self, script: &Path) -> Command {
        let mut command = self.sandbox.command("sh");
        command.arg(script).env("NYALA_FROM", &self.folder).env("NYALA_PREFIX", &self.prefix);
        command
    }

    fn install(&self) -> Ran {
        Running::start(&mut self.command(SCRIPT.as_ref())).wait()
    }

    /// The script fails with this error, and has installed nothing.
    #[track_caller]
    fn assert_refused(&self, command: &mut Command, error: &str) {
        let ran = Running::start(command).wait();
        assert_eq!(ran.status.code(), Some(1), "{ran:#?}");
        assert!(ran.stderr.lines().any(|line| line.starts_with(error)), "no {error:?}: {ran:#?}");
        assert!(!self.prefix.join("bin/nyala").exists());
    }
}

#[test]
fn the_newest_package_is_installed_and_can_be_removed() {
    let packages = Packages::new();
    let ran = packages.install();
    let said = ran.assert_success().stdout.clone();
    let binary = packages.prefix.join("bin/nyala");
    assert!(said.contains(&format!("Installed nyala 0.10.0 in {}/bin", packages.prefix.display())));
    assert!(said.contains("is not in PATH"), "{said}");
    assert_eq!(fs::metadata(&binary).unwrap().permissions().mode() & 0o777, 0o755);
    // An upgrade replaces it.
    fs::write(&binary, "old").unwrap();
    packages.install().assert_success();
    assert!(fs::read_to_string(&binary).unwrap().contains("0.10.0"));
    let remove = said.lines().find_map(|line| line.strip_prefix("To remove it: ")).unwrap();
    packages.shell(remove);
    let left = packages.shell("find prefix -type f").stdout;
    assert_eq!(left, "");
}

#[test]
fn packages_come_from_an_address_too() {
    let packages = Packages::new();
    let python = &crate::support::newest_python().path;
    let mut server = packages.sandbox.command(python);
    server.current_dir(&packages.folder).args(["-u", "-m", "http.server", "--bind", "127.0.0.1"]);
    let mut server = server.arg("0").stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(server.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let address = line.split(['(', ')']).nth(1).expect("the server says its address").to_owned();
    let from = |path: &str| {
        let mut command = packages.command(SCRIPT.as_ref());
        command.env("NYALA_FROM", format!("{address}{path}"));
        command
    };
    packages.assert_refused(&mut from("nothing-here"), "error: ");
    let ran = Running::start(&mut from("")).wait();
    server.kill().unwrap();
    server.wait().unwrap();
    ran.assert_success();
    assert!(packages.prefix.join("share/man/man1/nyala-list.1").exists());
}

#[test]
fn what_is_not_as_it_should_be_is_refused() {
    let packages = Packages::new();
    let run = || packages.command(SCRIPT.as_ref());
    packages.assert_refused(run().env("NYALA_FROM", ""), "error: NYALA_FROM is not set");
    packages.assert_refused(run().env("NYALA_FROM", "ftp://x"), "error: NYALA_FROM is neither");
    packages.assert_refused(run().env("NYALA_FROM", "/nowhere"), "error: /nowhere/SHA256SUMS");
    packages.assert_refused(run().env("NYALA_PREFIX", "here"), "error: NYALA_PREFIX is not an");
    packages.assert_refused(run().arg("--help"), "error: this takes no arguments: --help");
    // Not a folder: nobody, root neither, can write into it.
    let refusal = "error: /dev/null/bin is not writable";
    packages.assert_refused(run().env("NYALA_PREFIX", "/dev/null"), refusal);

    // Another machine, and one without the tools.
    let tools = packages.sandbox.path("tools");
    fs::create_dir(&tools).unwrap();
    packages.shell("printf '#!/bin/sh\n[ $1 = -s ] && echo Linux || echo mips\n' >tools/uname");
    packages.shell("chmod 755 tools/uname; ln -s \"$(command -v sh)\" tools/sh");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let refusal = "error: there is no package for this machine: mips";
    packages.assert_refused(run().env("PATH", path), refusal);
    fs::remove_file(tools.join("uname")).unwrap();
    packages.shell("ln -s \"$(command -v uname)\" tools/uname");
    packages.assert_refused(run().env("PATH", &tools), "error: sha256sum is missing");
    let tools_but =
        "for tool in sha256sum sed sort tar gzip mktemp tail cut grep mkdir id rm cp; do
        ln -s \"$(command -v $tool)\" tools/; done";
    packages.shell(tools_but);
    let mut without = run();
    without.env("PATH", &tools).env("NYALA_FROM", "http://127.0.0.1:1");
    packages.assert_refused(&mut without, "error: neither curl nor wget is installed");

    // A download that ended early, and then one that was changed.
    let whole = fs::read(packages.archive()).unwrap();
    fs::write(packages.archive(), &whole[..whole.len() / 2]).unwrap();
    packages.assert_refused(&mut run(), "error: the checksum of nyala-0.10.0-");
    fs::write(packages.folder.join("SHA256SUMS"), "").unwrap();
    packages.assert_refused(&mut run(), "error: ");
}

#[test]
fn a_script_that_was_cut_off_does_nothing() {
    let packages = Packages::new();
    let script = fs::read_to_string(SCRIPT).unwrap();
    let cut = packages.sandbox.path("cut");
    let last = script.trim_end().rfind('\n').unwrap();
    // At each line, and within the last one.
    let ends = script.match_indices('\n').map(|(at, _)| at).filter(|at| *at <= last);
    for end in ends.chain([last + 1, last + 3]) {
        fs::write(&cut, &script[..end]).unwrap();
        Running::start(&mut packages.command(&cut)).wait();
        assert!(!packages.prefix.exists(), "{}", &script[..end]);
    }
}
