//! A server and a laptop for the commands of a page: two folders of a sandbox, with a real sshd
//! between them. `/srv` of a page is the sandbox's own, and its site answers at a socket, so that
//! no two pages want the same port.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::blocks::Block;
use super::compared::agree;
use crate::support::{
    Ran, Running, Sandbox, Server, SshServer, find_uv, program, pythons, seeds, wait_until, wheels,
};

/// The Pythons of the pages, newest first; those of the machine take their places.
pub(super) const PYTHONS: [&str; 2] = ["3.13", "3.12"];
/// Divides what the commands of a console print.
const MARK: &str = "\u{1e}";

pub(super) struct World<'a> {
    sandbox: &'a Sandbox,
    servers: Vec<Server>,
    sshd: Option<SshServer<'a>>,
    /// Where the next command is typed, on the server and on the laptop.
    folders: BTreeMap<&'static str, PathBuf>,
}

impl<'a> World<'a> {
    pub(super) fn new(sandbox: &'a Sandbox) -> Self {
        seeds::lend(sandbox);
        for folder in ["srv", "bin", "wheels", "home/projects"] {
            fs::create_dir(sandbox.path(folder)).unwrap();
        }
        write_wheels(&sandbox.path("wheels"));
        sandbox.set_variable("PIP_FIND_LINKS", sandbox.path("wheels"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [sandbox.path("bin")].into_iter().chain(std::env::split_paths(&path));
        sandbox.set_variable("PATH", std::env::join_paths(folders).unwrap());
        symlink(env!("CARGO_BIN_EXE_nyala"), sandbox.path("bin/nyala")).unwrap();
        // Makes an environment in a tenth of the time.
        if let Some(uv) = find_uv() {
            symlink(uv, sandbox.path("bin/uv")).unwrap();
        }
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flask");
        sandbox.set_variable("EXAMPLE", example);
        let socket = sandbox.path("srv/shop/run/web.sock");
        if let Some(curl) = program("curl") {
            let (curl, socket) = (curl.display(), socket.display());
            let script = format!("exec {curl} -sS --unix-socket '{socket}' \"$@\"");
            write_program(&sandbox.path("bin/curl"), &script);
        }
        let settings = "[user]\n\tname = Ada Lovelace\n\temail = ada@example.org\n\
                        [init]\n\tdefaultBranch = main\n";
        fs::write(sandbox.path("home/.gitconfig"), settings).unwrap();
        let server = ("server", sandbox.path("srv"));
        let folders = BTreeMap::from([server, ("laptop", sandbox.path("home/projects"))]);
        Self { sandbox, servers: Vec::new(), sshd: None, folders }
    }

    /// Runs a block of commands, or writes a file. Returns the text that the block should have.
    pub(super) fn follow(&mut self, block: &Block) -> String {
        let text = self.here(&block.text);
        if text.contains("@server") {
            self.start_sshd();
        }
        if let Some(file) = block.file() {
            let file = self.folder(block).join(self.here(file));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
        } else if block.has("background") {
            self.start(block, &text);
        } else if block.language == "console" {
            return self.talk(block);
        } else {
            let ran = self.run(block, &format!("set -eo pipefail\n{text}"));
            // git push succeeds where the deployment does not.
            let holds = ran.status.success() && !ran.stderr.contains("remote: error: ");
            assert!(holds, "{}: {text}{}{}", block.place, ran.stdout, ran.stderr);
        }
        block.text.clone()
    }

    /// Starts what goes on, such as `nyala serve`, and waits until the sites are served.
    fn start(&mut self, block: &Block, text: &str) {
        let running = Running::start(&mut self.shell(block, &format!("exec {text}")));
        self.servers.push(Server::of(running));
        for site in self.sites() {
            wait_until("the site is served", || {
                self.sandbox.nyala(&["ps", "--site", site.to_str().unwrap()]).status.success()
            });
        }
    }

    /// Runs the commands of a console, and compares what they print.
    fn talk(&mut self, block: &Block) -> String {
        let dialogue = block.dialogue();
        let commands = dialogue.iter().map(|(command, _)| self.here(command));
        let marked: Vec<_> = commands.map(|command| format!("mark\n{command}\n")).collect();
        // What the command before has exited with is still `$?`.
        let mark = format!("mark() {{ local code=$?; printf '{MARK}'; return $code; }}; exec 2>&1");
        let ran = self.run(block, &format!("{mark}\n{}", marked.concat()));
        let mut printed = ran.stdout.split(MARK).skip(1).map(|it| self.as_in_the_page(it));
        let mut text = String::new();
        for (command, shown) in dialogue {
            let printed = printed.next().unwrap_or_default();
            let lines = if agree(&shown, &printed) { shown } else { printed };
            text += &format!("$ {command}\n");
            text.extend(lines.iter().map(|line| format!("{line}\n")));
        }
        text
    }

    fn folder(&self, block: &Block) -> &Path {
        self.folders.get(block.on()).unwrap_or_else(|| panic!("{}: where?", block.place))
    }

    /// Runs commands in bash, and remembers in which folder they end.
    fn run(&mut self, block: &Block, commands: &str) -> Ran {
        let left = self.sandbox.path("left");
        let commands = format!("trap 'pwd >{}' EXIT\n{commands}", left.display());
        let ran = Running::start(&mut self.shell(block, &commands)).wait();
        let left = fs::read_to_string(&left).unwrap();
        *self.folders.get_mut(block.on()).unwrap() = left.trim_end().into();
        self.give_sockets();
        // Its wheels are its own.
        seeds::collect(self.sandbox, true);
        ran
    }

    fn shell(&self, block: &Block, commands: &str) -> Command {
        let mut shell = self.sandbox.command("bash");
        shell.args(["-c", commands]).current_dir(self.folder(block));
        shell
    }

    /// What a page says, as it is here.
    fn here(&self, text: &str) -> String {
        let srv = self.sandbox.path("srv");
        let mut text = text.replace("/srv", srv.to_str().unwrap());
        // Not one after the other: the first of the machine may be the second of the pages.
        for (at, version) in PYTHONS.iter().enumerate() {
            text = text.replace(version, &format!("\u{1}{at}"));
        }
        for (at, python) in pythons().iter().rev().take(PYTHONS.len()).enumerate() {
            text = text.replace(&format!("\u{1}{at}"), &python.minor());
        }
        text
    }

    /// What was printed, as a page says it.
    fn as_in_the_page(&self, text: &str) -> Vec<String> {
        let root = self.sandbox.path("");
        let root = root.to_str().unwrap().trim_end_matches('/');
        let mut text = text.replace("unix:run/web.sock", "127.0.0.1:8000").replace(root, "");
        for (version, python) in PYTHONS.iter().zip(pythons().iter().rev()) {
            text = text.replace(&python.minor(), version);
        }
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    fn sites(&self) -> Vec<PathBuf> {
        let folders = |path: &Path| {
            let entries = fs::read_dir(path).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
        };
        let mut sites = folders(&self.sandbox.path("srv"));
        sites.extend(folders(&self.sandbox.path("srv/sites")));
        sites.retain(|path| path.join("nyala.toml").exists());
        sites
    }

    /// Gives each new site a socket in place of its port.
    fn give_sockets(&self) {
        for site in self.sites() {
            let file = site.join("nyala.toml");
            let text = fs::read_to_string(&file).unwrap();
            let is_port = |line: &&str| line.starts_with("listen = \"127.0.0.1:");
            if let Some(line) = text.lines().find(is_port) {
                let text = text.replace(line, "listen = \"unix:run/web.sock\"");
                fs::write(&file, text).unwrap();
            }
        }
    }

    /// `ssh you@server` is an ordinary login; `ssh deploy@server` has the forced command of
    /// docs/ssh.md.
    fn start_sshd(&mut self) {
        if self.sshd.is_some() {
            return;
        }
        let environment = self.sandbox.command("env");
        let set = environment.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let exports: Vec<_> = set
            .map(|(name, value)| format!("export {}='{}'\n", name.display(), value.display()))
            .collect();
        let script = format!(
            "{}cd \"$HOME\"\n[ $# -eq 0 ] || exec \"$@\"\neval \"$SSH_ORIGINAL_COMMAND\"",
            exports.concat()
        );
        let login = self.sandbox.path("bin/login");
        write_program(&login, &script);
        let sites = self.sandbox.path("srv/sites");
        let forced = format!(
            "{} nyala shell --root {} --allow push,logs,restart,config,run",
            login.display(),
            sites.display()
        );
        let keys = [("you", login.display().to_string()), ("deploy", forced)];
        self.sshd = SshServer::start(self.sandbox, &keys);
        let Some(sshd) = &self.sshd else { return };
        let ssh = program("ssh").unwrap().display().to_string();
        let client = sshd.client("$account").replacen("ssh", &ssh, 1);
        let script = format!(
            "left=$#\nwhile [ $left -gt 0 ]; do\n    word=$1; shift; left=$((left - 1))\n    \
             case $word in *@server) account=${{word%@server}} word=127.0.0.1 ;; esac\n    \
             set -- \"$@\" \"$word\"\ndone\nexec {client} \"$@\""
        );
        write_program(&self.sandbox.path("bin/ssh"), &script);
    }
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The wheels of all tests, and small packages with the names of those that the pages install.
fn write_wheels(folder: &Path) {
    for wheel in fs::read_dir(wheels::folder()).unwrap() {
        let wheel = wheel.unwrap();
        fs::copy(wheel.path(), folder.join(wheel.file_name())).unwrap();
    }
    let flask = include_str!("../fixtures/small_flask.py");
    let gunicorn = include_str!("../fixtures/small_gunicorn.py");
    wheels::write_wheel_of(folder, "flask", "3.1.2", flask);
    wheels::write_wheel_of(folder, "gunicorn", "23.0.0", gunicorn);
}
