//! The real nginx and Caddy, with the configuration that `nyala proxy` prints.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{Answer, Running, Site, is_root, skip, wait_until};

/// A web server that passes requests for `shop.test` on to a site.
#[derive(Debug)]
pub(crate) struct Front {
    pub name: &'static str,
    port: u16,
    _running: Running,
}

impl Front {
    /// Those that this machine has, each in front of the site; for the others, the test is reported
    /// as skipped.
    pub(crate) fn all(site: &Site) -> Vec<Front> {
        ["nginx", "caddy"].into_iter().filter_map(|name| Front::start(site, name)).collect()
    }

    fn start(site: &Site, name: &'static str) -> Option<Front> {
        let Some(program) = program(name) else {
            skip(&format!("needs {name}: apt-get install {name}"));
            return None;
        };
        let ran = site.nyala(&["proxy", name, "--domain", "shop.test"]);
        let text = ran.assert_success().stdout.clone();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = site.sandbox.path(name);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("configuration");
        // Only where it listens is another place: a test has neither port 80 nor a certificate.
        let at = folder.display();
        let text = if name == "nginx" {
            assert!(text.contains("    listen 80;\n    listen [::]:80;\n"), "{text}");
            let text = text.replace("listen 80;", &format!("listen 127.0.0.1:{port};"));
            let text = text.replace("    listen [::]:80;\n", "");
            let user = if is_root() { "user root;" } else { "" };
            let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|it| format!("{it}_temp_path {at}/{it};"));
            format!(
                "daemon off; {user} pid {at}/pid; error_log stderr;\nevents {{}}\n\
                 http {{ access_log off; {}\n{text}\n}}\n",
                folders.join(" ")
            )
        } else {
            assert!(text.contains("\nshop.test {\n"), "{text}");
            let text = text.replace("\nshop.test {", &format!("\nhttp://shop.test:{port} {{"));
            format!("{{\n\tadmin off\n}}\n{text}")
        };
        fs::write(&file, text).unwrap();
        let command = |checks: bool| {
            let mut command = Command::new(&program);
            command.env("HOME", &folder).env("XDG_DATA_HOME", &folder).current_dir(&folder);
            match name {
                "nginx" if checks => command.args(["-t", "-e", "stderr", "-c"]),
                "nginx" => command.args(["-e", "stderr", "-c"]),
                _ if checks => command.args(["validate", "--adapter", "caddyfile", "--config"]),
                _ => command.args(["run", "--adapter", "caddyfile", "--config"]),
            };
            command.arg(&file);
            command
        };
        Running::start(&mut command(true)).wait().assert_success();
        let running = Running::start(&mut command(false));
        wait_until("the web server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Front { name, port, _running: running })
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        stream
    }

    /// What a visitor gets, who sends these headers and this body.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n");
        Answer::from(self.connect(), &format!("{head}{headers}\r\n{body}"))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    /// What an application that echoes answers over a websocket.
    pub(crate) fn echo(&self, path: &str, text: &str) -> String {
        let mut socket = self.connect();
        let headers = "Host: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
        socket.write_all(format!("GET {path} HTTP/1.1\r\n{headers}\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).unwrap();
            answer.extend_from_slice(&byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        socket.write_all(text.as_bytes()).unwrap();
        let mut buffer = [0; 100];
        let length = socket.read(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

pub(crate) fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin"]
        .into_iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|path| path.exists())
}
