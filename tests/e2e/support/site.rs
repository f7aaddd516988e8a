//! A site under test, and the questions a test asks of it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{Gate, Project, Ran, Running, Sandbox, Snapshot, seeds, snapshot_without, wait_until};

#[derive(Debug)]
pub(crate) struct Site {
    pub sandbox: Sandbox,
    pub path: PathBuf,
    pub repository: PathBuf,
}

/// Everything that is live, which a failed deployment must not change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Live {
    release: PathBuf,
    env: Option<PathBuf>,
    tree: Snapshot,
    packages: Option<Snapshot>,
}

impl Site {
    /// What is in every site, once something was deployed.
    pub(crate) const ENTRIES: [&str; 10] = [
        "repository.git",
        "nyala.toml",
        "settings.env",
        "wwwroot",
        "releases",
        "envs",
        "deployments",
        "shared",
        "lock",
        "cache",
    ];

    /// A new site, made by `nyala init`.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A new site; `arguments` go to `nyala init`.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::in_folder("site", arguments)
    }

    /// A new site of another build of nyala.
    pub(crate) fn of_nyala(binary: PathBuf) -> Self {
        Self::in_sandbox(Sandbox::in_memory(binary), "site", &[])
    }

    /// A new site in a folder of this name; `arguments` go to `nyala init`.
    pub(crate) fn in_folder(name: &str, arguments: &[&str]) -> Self {
        Self::in_sandbox(Sandbox::new(), name, arguments)
    }

    /// A new site in a folder of this name in a sandbox; `arguments` go to `nyala init`.
    pub(crate) fn in_sandbox(sandbox: Sandbox, name: &str, arguments: &[&str]) -> Self {
        seeds::lend(&sandbox);
        let path = sandbox.path(name);
        let mut init = vec!["init", path.to_str().unwrap()];
        init.extend(arguments);
        // The tests expect pip, even on a machine with uv.
        if !arguments.contains(&"--installer") {
            init.extend(["--installer", "pip"]);
        }
        sandbox.nyala(&init).assert_success();
        let repository = path.join("repository.git");
        Self { sandbox, path, repository }
    }

    /// A site for an existing bare repository, created by `nyala install`.
    pub(crate) fn installed(sandbox: Sandbox, repository: PathBuf) -> Self {
        seeds::lend(&sandbox);
        let path = sandbox.path("site");
        let site = Self { sandbox, path, repository };
        site.install().assert_success();
        site
    }

    /// Runs `nyala install` for this site's repository.
    pub(crate) fn install(&self) -> Ran {
        let (repository, site) = (self.repository.to_str().unwrap(), self.path.to_str().unwrap());
        self.sandbox.nyala(&["install", repository, "--site", site, "--installer", "pip"])
    }

    /// A new work tree with nothing in it, whose pushes go to this site.
    pub(crate) fn project(&self) -> Project<'_> {
        Project::new(self, &[])
    }

    /// A new work tree with an application and one requirement (`antelope==1.0`, which needs
    /// `grass`).
    pub(crate) fn python_project(&self) -> Project<'_> {
        let project = self.project();
        project.write("app.py", "import antelope\n");
        project.write("requirements.txt", "antelope==1.0\n");
        project
    }

    /// Runs a command of nyala for this site.
    pub(crate) fn nyala<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        Running::start(self.nyala_command().args(arguments)).wait()
    }

    /// Runs a command for this site whose output is closed, as after `| head -1`.
    pub(crate) fn nyala_unread<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        let (_, writer) = io::pipe().unwrap();
        Running::start_with_output(self.nyala_command().args(arguments), writer).wait()
    }

    pub(crate) fn nyala_command(&self) -> Command {
        let mut command = self.sandbox.nyala_command();
        command.env("NYALA_SITE", &self.path);
        command
    }

    /// Puts a line into `nyala.toml`.
    pub(crate) fn configure(&self, line: &str) {
        let file = self.path.join("nyala.toml");
        let old = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{line}\n{old}")).unwrap();
    }

    /// Sets an app setting.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.nyala(&["config", "set", &format!("{name}={value}")]).assert_success();
    }

    /// The public record of a deployment.
    #[track_caller]
    pub(crate) fn record(&self, id: u64) -> Value {
        let file = self.deployment(id).join("deployment.json");
        let text =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// What `nyala show` says of a deployment.
    #[track_caller]
    pub(crate) fn shown(&self, id: u64) -> Value {
        self.nyala(&["show", &id.to_string(), "--json"]).json()
    }

    /// Waits until a deployment has ended, however it did, and returns its record.
    pub(crate) fn ended(&self, id: u64) -> Value {
        wait_until(&format!("deployment {id} ends"), || {
            self.has_record(id)
                && !matches!(self.record(id)["status"].as_str(), Some("pending" | "building"))
        });
        self.record(id)
    }

    pub(crate) fn has_record(&self, id: u64) -> bool {
        self.deployment(id).join("deployment.json").exists()
    }

    /// The log of a deployment so far.
    pub(crate) fn log(&self, id: u64) -> String {
        let bytes = fs::read(self.deployment(id).join("log.txt")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn wait_for_log(&self, id: u64, text: &str) {
        wait_until(&format!("the log of {id} says {text:?}"), || self.log(id).contains(text));
    }

    /// The log of the deployment whose release is live.
    pub(crate) fn live_log(&self) -> String {
        self.log(self.live_id().unwrap())
    }

    /// The number of the live deployment; `None` when nothing is live.
    pub(crate) fn live_id(&self) -> Option<u64> {
        let target = fs::read_link(self.path.join("wwwroot")).ok()?;
        target.file_name()?.to_str()?.parse().ok()
    }

    /// The record of the live deployment.
    #[track_caller]
    pub(crate) fn live(&self) -> Value {
        self.record(self.live_id().expect("something is live"))
    }

    /// What is live, to be compared with what is live later.
    ///
    /// The mark in an env that it must not be reused is not compared.
    pub(crate) fn live_state(&self) -> Live {
        let wwwroot = self.path.join("wwwroot");
        let env = wwwroot.join("env");
        Live {
            release: fs::read_link(&wwwroot).unwrap(),
            env: fs::read_link(&env).ok(),
            tree: snapshot_without(&wwwroot.canonicalize().unwrap(), &["__pycache__"]),
            packages: env
                .canonicalize()
                .ok()
                .map(|env| snapshot_without(&env, &["__pycache__", "retired.json"])),
        }
    }

    /// A file of what is live.
    #[track_caller]
    pub(crate) fn live_file(&self, name: &str) -> String {
        let file = self.path.join("wwwroot").join(name);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// The folder of the live env.
    #[track_caller]
    pub(crate) fn env(&self) -> PathBuf {
        let env = self.path.join("wwwroot/env");
        env.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", env.display()))
    }

    /// The number of the env that the live release is linked to.
    #[track_caller]
    pub(crate) fn env_id(&self) -> u64 {
        let env = self.env();
        assert_eq!(env.parent(), Some(self.path.join("envs").as_path()));
        env.file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    /// Runs a line of Python in the live env and returns what it prints; panics when it fails.
    #[track_caller]
    pub(crate) fn env_python(&self, code: &str) -> String {
        let ran = self.try_env_python(code);
        assert!(ran.status.success(), "{code}: {ran:#?}");
        ran.stdout.trim_end().to_owned()
    }

    /// Runs a line of Python in the live env, which may fail.
    pub(crate) fn try_env_python(&self, code: &str) -> Ran {
        let python = self.path.join("wwwroot/env/bin/python");
        Running::start(self.sandbox.command(python).args(["-B", "-c", code])).wait()
    }

    /// The same, unless what is live has no env.
    pub(crate) fn try_env_python_if_there(&self, code: &str) -> Option<Ran> {
        self.path.join("wwwroot/env").exists().then(|| self.try_env_python(code))
    }

    /// The version of a package in the live env; `None` when it is not there.
    pub(crate) fn package(&self, name: &str) -> Option<String> {
        let ran = self.try_env_python(&format!("import {name}; print({name}.VERSION)"));
        ran.status.success().then(|| ran.stdout.trim_end().to_owned())
    }

    /// The numbers of what is in `releases`, `envs` or `deployments`, in order.
    pub(crate) fn numbers(&self, folder: &str) -> Vec<u64> {
        let mut numbers: Vec<u64> = fs::read_dir(self.path.join(folder))
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// Keeps what this site has made that holds for every site of this machine.
    pub(crate) fn collect_seeds(&self) {
        let settings = fs::read_to_string(self.path.join("settings.env")).unwrap_or_default();
        let has_own_pip = settings.contains("PIP_") || self.sandbox.changes_variable("PIP_");
        seeds::collect(&self.sandbox, has_own_pip);
    }

    /// A gate at which the script of a deployment waits for the test.
    pub(crate) fn gate(&self) -> Gate {
        Gate::new(&self.sandbox)
    }

    /// The permission bits of a file of the site.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        let metadata = fs::symlink_metadata(self.path.join(name)).unwrap();
        metadata.permissions().mode() & 0o7777
    }

    fn deployment(&self, id: u64) -> PathBuf {
        self.path.join("deployments").join(id.to_string())
    }
}
