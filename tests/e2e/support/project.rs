//! A developer's work tree, whose pushes go to a site.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use super::{Push, Running, RunningPush, Site};

/// The remote's name in every work tree.
const REMOTE: &str = "nyala";

#[derive(Debug)]
pub(crate) struct Project<'a> {
    site: &'a Site,
    pub path: PathBuf,
}

impl<'a> Project<'a> {
    /// An empty work tree on branch `main`; `arguments` go to `git init`.
    pub(crate) fn new(site: &'a Site, arguments: &[&str]) -> Self {
        let path = tempfile::Builder::new()
            .prefix("project-")
            .tempdir_in(site.sandbox.path(""))
            .unwrap()
            .keep();
        let project = Self { site, path };
        let mut init = vec!["init", "--quiet", "--template="];
        init.extend(arguments);
        project.git(&init);
        // Written by hand: each `git config` is a process, in every test.
        let settings = format!(
            "[user]\n\tname = Ada Lovelace\n\temail = ada@example.org\n\
             [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n\
             [remote \"{REMOTE}\"]\n\turl = {:?}\n\
             \tfetch = +refs/heads/*:refs/remotes/{REMOTE}/*\n",
            site.repository.to_str().unwrap()
        );
        let config = OpenOptions::new().append(true).open(project.path.join(".git/config"));
        config.unwrap().write_all(settings.as_bytes()).unwrap();
        project
    }

    /// Runs git in the work tree and returns what it prints; panics when it fails.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.site.sandbox.git(&self.path, arguments)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let file = self.path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    pub(crate) fn remove(&self, name: &str) -> &Self {
        let path = self.path.join(name);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        self
    }

    pub(crate) fn link(&self, name: &str, target: &str) -> &Self {
        symlink(target, self.path.join(name)).unwrap();
        self
    }

    pub(crate) fn make_executable(&self, name: &str) -> &Self {
        fs::set_permissions(self.path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Replaces the built-in steps by a `deploy.sh` with this text.
    pub(crate) fn custom_script(&self, text: &str) -> &Self {
        self.write(".deployment", "[config]\ncommand = bash deploy.sh\n");
        self.write("deploy.sh", format!("set -e\n{text}\n"))
    }

    /// Adds a package with a build backend of its own, so that pip can build it without an index.
    ///
    /// `build` is Python text, indented by four spaces, that runs while it is built.
    pub(crate) fn local_package(&self, folder: &str, version: &str, build: &str) -> &Self {
        let backend = include_str!("../fixtures/backend.py")
            .replace("@VERSION@", version)
            .replace("    pass  # @BUILD@\n", build);
        let pyproject =
            "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
        self.write(&format!("{folder}/backend.py"), backend);
        self.write(&format!("{folder}/pyproject.toml"), pyproject)
    }

    /// Commits everything in the work tree and returns the commit's full id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.commit_all(message);
        self.head()
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits what has changed and pushes `main`.
    pub(crate) fn push(&self) -> Push {
        self.push_with(&[])
    }

    /// Commits what has changed and pushes `main`; `arguments` go to `git push`.
    pub(crate) fn push_with(&self, arguments: &[&str]) -> Push {
        self.commit_changes();
        let mut all = arguments.to_vec();
        all.extend([REMOTE, "HEAD:refs/heads/main"]);
        self.push_raw(&all)
    }

    /// Pushes exactly these refs.
    pub(crate) fn push_refs(&self, refs: &[&str]) -> Push {
        let mut arguments = vec![REMOTE];
        arguments.extend(refs);
        self.push_raw(&arguments)
    }

    /// `git push` with exactly these arguments.
    pub(crate) fn push_raw(&self, arguments: &[&str]) -> Push {
        let push = Push::new(Running::start(self.push_command().args(arguments)).wait());
        self.site.collect_seeds();
        push
    }

    /// Commits what has changed and starts to push `main`.
    pub(crate) fn push_in_background(&self) -> RunningPush {
        self.commit_changes();
        // By address, not by name: pushes that run at once would fight over the remote-tracking
        // branch.
        let mut command = self.push_command();
        command.arg(&self.site.repository).arg("HEAD:refs/heads/main");
        RunningPush::new(Running::start(&mut command))
    }

    /// Pushes the tip to the site's repository without deploying it, and returns the output of
    /// `nyala plan`.
    pub(crate) fn plan(&self) -> String {
        self.commit_changes();
        let head = self.head();
        self.site
            .sandbox
            .git(&self.site.repository, &["fetch", "--quiet", self.path.to_str().unwrap(), "HEAD"]);
        let ran = self.site.nyala(&["plan", &head]);
        ran.assert_success().stdout.clone()
    }

    fn commit_changes(&self) {
        if !self.git(&["status", "--porcelain", "--ignored"]).is_empty() {
            self.commit_all("Change something");
        }
    }

    fn commit_all(&self, message: &str) {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
    }

    fn push_command(&self) -> Command {
        let mut command = self.site.sandbox.command("git");
        command.current_dir(&self.path).arg("push");
        command
    }
}
