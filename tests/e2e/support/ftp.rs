//! A real FTP server (pyftpdlib) over a site, and a real FTP client (Python's ftplib) that deletes
//! things there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Running, Site, newest_python, skip, tools_folder, wait_until};

#[derive(Debug)]
pub(crate) struct FtpServer<'a> {
    site: &'a Site,
    port: String,
    _server: Running,
}

impl<'a> FtpServer<'a> {
    /// Serves the site's folder; `None` without an FTP server, and the test is reported as skipped.
    pub(crate) fn start(site: &'a Site) -> Option<Self> {
        let Some(python) = python_with_pyftpdlib() else {
            skip("needs an FTP server: scripts/test installs pyftpdlib for it");
            return None;
        };
        let port_file = site.sandbox.path("ftp-port");
        let server = Running::start(
            site.sandbox
                .command(python)
                .arg(fixture("ftp_server.py"))
                .args([&site.path, &port_file]),
        );
        let mut port = String::new();
        wait_until("the FTP server listens", || {
            port = std::fs::read_to_string(&port_file).unwrap_or_default();
            port.ends_with('\n')
        });
        Some(Self { site, port: port.trim().to_owned(), _server: server })
    }

    /// `DELE` on one path.
    pub(crate) fn delete(&self, path: &str) {
        self.client("delete", path);
    }

    /// What a client's "delete folder" does: list it, delete what is in it one by one, folders
    /// last.
    pub(crate) fn delete_contents(&self, path: &str) {
        self.client("delete-contents", path);
    }

    fn client(&self, what: &str, path: &str) {
        Running::start(
            self.site
                .sandbox
                .command(&newest_python().path)
                .arg(fixture("ftp_client.py"))
                .args([&self.port, what, path]),
        )
        .wait()
        .assert_success();
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures").join(name)
}

fn python_with_pyftpdlib() -> Option<PathBuf> {
    let installed = tools_folder().join("ftp/bin/python");
    [installed, "/usr/bin/python3".into()].into_iter().find(|python| {
        Command::new(python)
            .args(["-c", "import pyftpdlib"])
            .output()
            .is_ok_and(|ran| ran.status.success())
    })
}
