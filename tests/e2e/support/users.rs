//! Real users of the machine, made for one test.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Ran, Running, Sandbox, is_root, skip};

/// A user with a home in the sandbox, who is gone with this value.
#[derive(Debug)]
pub(crate) struct User<'a> {
    sandbox: &'a Sandbox,
    pub name: String,
    pub home: PathBuf,
    pub uid: u32,
    pub gid: u32,
}

impl<'a> User<'a> {
    /// Makes users in groups of their own and, if one is named, in a further group; `None`, having
    /// said so, where that is not possible. The sandbox is opened for them.
    pub(crate) fn make<const COUNT: usize>(
        sandbox: &'a Sandbox,
        group: Option<&Group>,
    ) -> Option<[Self; COUNT]> {
        let nyala = sandbox.nyala_command().get_program().to_owned();
        if !is_root() || !runs(Command::new("useradd").arg("--help")) {
            skip("needs root and useradd");
            return None;
        }
        fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let users: [Self; COUNT] = std::array::from_fn(|_| Self::new(sandbox, group));
        // By way of a shell: setpriv itself can still enter folders that are closed to the user.
        let version = ["-c", "exec \"$0\" --version"];
        if COUNT > 0 && !runs(users[0].command("sh").args(version).arg(&nyala)) {
            skip("needs a build that every user can run");
            return None;
        }
        Some(users)
    }

    fn new(sandbox: &'a Sandbox, group: Option<&Group>) -> Self {
        let name = unique("u");
        let home = sandbox.path(&name);
        let mut add = Command::new("useradd");
        // A password that nobody can type, and not a locked account: sshd lets it in with a key.
        add.args(["--no-log-init", "--no-create-home", "--user-group", "--password", "*"]);
        add.args(["--shell", "/bin/sh", "--home-dir"]).arg(&home);
        if let Some(group) = group {
            add.args(["--groups", &group.0]);
        }
        assert!(runs(add.arg(&name)), "useradd {name}");
        let id = |option: &str| {
            let ran = Command::new("id").args([option, &name]).output().unwrap();
            String::from_utf8(ran.stdout).unwrap().trim().parse().unwrap()
        };
        let user = Self { sandbox, uid: id("-u"), gid: id("-g"), home, name };
        fs::create_dir(&user.home).unwrap();
        fs::write(user.home.join(".gitconfig"), "[safe]\ndirectory = *\n").unwrap();
        user.own(&user.home);
        user
    }

    /// A command that this user runs.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.sandbox.command("setpriv");
        command
            .args([format!("--reuid={}", self.uid), format!("--regid={}", self.gid)])
            .args(["--init-groups", "--"])
            .arg(program)
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("USER", &self.name)
            .env("LOGNAME", &self.name);
        command
    }

    /// A line of shell that this user runs.
    pub(crate) fn sh(&self, line: &str) -> Ran {
        Running::start(self.command("sh").args(["-c", line])).wait()
    }

    /// A command of nyala that this user runs for a site.
    pub(crate) fn nyala(&self, site: &Path, arguments: &[&str]) -> Ran {
        let nyala = self.sandbox.nyala_command().get_program().to_owned();
        Running::start(self.command(nyala).arg("--site").arg(site).args(arguments)).wait()
    }

    /// Gives a file or folder to this user.
    pub(crate) fn own(&self, path: &Path) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            self.own(&entry.path());
        }
        chown(path, Some(self.uid), Some(self.gid)).unwrap();
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        runs(Command::new("userdel").args(["--force", &self.name]));
    }
}

/// A group of the machine, which is gone with this value.
#[derive(Debug)]
pub(crate) struct Group(pub String);

impl Group {
    pub(crate) fn make() -> Option<Self> {
        let name = unique("g");
        if !is_root() || !runs(Command::new("groupadd").arg(&name)) {
            skip("needs root and groupadd");
            return None;
        }
        Some(Self(name))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        runs(Command::new("groupdel").arg(&self.0));
    }
}

fn unique(kind: &str) -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    format!("nyala{}{kind}{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

fn runs(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
