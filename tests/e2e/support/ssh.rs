//! A real sshd on the loopback interface, with keys whose forced commands a test chooses.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Ran, Running, Sandbox, skip, wait_until};

#[derive(Debug)]
pub(crate) struct SshServer<'a> {
    sandbox: &'a Sandbox,
    folder: PathBuf,
    port: u16,
    _server: Running,
}

const PROGRAMS: [&str; 2] = ["/usr/sbin/sshd", "/usr/bin/sshd"];

impl<'a> SshServer<'a> {
    /// Whether there is an sshd; if not, the test is reported as skipped.
    pub(crate) fn is_possible() -> bool {
        let found = PROGRAMS.iter().any(|path| Path::new(path).exists());
        if !found {
            skip("needs an sshd: scripts/test installs openssh-server for it");
        }
        found
    }

    /// Starts sshd with a key for each name and its forced command; `None` without an sshd, and the
    /// test is reported as skipped.
    pub(crate) fn start(sandbox: &'a Sandbox, keys: &[(&str, String)]) -> Option<Self> {
        if !Self::is_possible() {
            return None;
        }
        let sshd = PROGRAMS.into_iter().find(|path| Path::new(path).exists())?;
        let folder = sandbox.path("ssh");
        fs::create_dir(&folder).unwrap();
        let mut authorized = String::new();
        for (name, forced) in [("host", String::new())].iter().chain(keys) {
            let key = folder.join(name);
            let generate = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"];
            Running::start(sandbox.command("ssh-keygen").args(generate).arg(&key))
                .wait()
                .assert_success();
            let public = fs::read_to_string(key.with_extension("pub")).unwrap();
            if *name != "host" {
                authorized += &format!("restrict,command=\"{forced}\" {public}");
            }
        }
        fs::write(folder.join("authorized_keys"), authorized).unwrap();
        // Another process may take the port before sshd does.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let configuration = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\n\
                 AuthorizedKeysFile {0}/authorized_keys\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\n\
                 PermitRootLogin yes\nPidFile none\nMaxStartups 100\n",
                folder.display()
            );
            fs::write(folder.join("sshd_config"), configuration).unwrap();
            let mut server = Running::start(
                Command::new(sshd).args(["-D", "-e", "-f"]).arg(folder.join("sshd_config")),
            );
            let mut listens = false;
            wait_until("sshd listens or has ended", || {
                listens = TcpStream::connect(("127.0.0.1", port)).is_ok();
                listens || !server.is_running()
            });
            if listens && server.is_running() {
                return Some(Self { sandbox, folder, port, _server: server });
            }
            let said = server.wait().stderr;
            if !said.contains("in use") {
                skip(&format!("sshd does not start: {}", said.trim()));
                return None;
            }
        }
        skip("sshd finds no free port");
        None
    }

    /// Runs what `command` says over ssh, with the key of this name.
    pub(crate) fn run(&self, key: &str, command: &str) -> Ran {
        Running::start(
            self.sandbox
                .command("sh")
                .args(["-c", &format!("exec {} 127.0.0.1 \"$0\"", self.client(key))])
                .arg(command),
        )
        .wait()
    }

    /// `git` in a folder, whose ssh uses the key of this name. The address of a site:
    /// [`SshServer::address`].
    pub(crate) fn git(&self, key: &str, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command("git");
        command.env("GIT_SSH_COMMAND", self.client(key)).current_dir(folder).args(arguments);
        command
    }

    pub(crate) fn address(path: &str) -> String {
        format!("ssh://127.0.0.1/{path}")
    }

    /// The ssh that uses the key of this name, as `GIT_SSH_COMMAND` has it.
    pub(crate) fn client(&self, key: &str) -> String {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        self.client_as(key, String::from_utf8_lossy(&user).trim())
    }

    /// The same, for the account of a user.
    pub(crate) fn client_as(&self, key: &str, user: &str) -> String {
        format!(
            "ssh -F none -p {} -l {} -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o \
             StrictHostKeyChecking=no \
             -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            self.port,
            user,
            self.folder.join(key).display()
        )
    }
}
