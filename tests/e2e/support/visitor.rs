//! A visitor of a site that `nyala serve` runs: HTTP over the socket in the site's folder, so that
//! no two tests want the same port.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::Signal;

use super::{Running, Site, wait_until};

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// What comes over a connection for a request, until the connection ends.
    pub(crate) fn from(mut stream: impl Read + Write, request: &str) -> Answer {
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Site {
    /// A site that is served, and its `nyala serve`.
    pub(crate) fn served(settings: &str) -> (Site, Server) {
        let site = Site::new();
        let server = site.serve_on_a_socket(settings);
        (site, server)
    }

    /// Gives the site a socket in place of its port, and these settings, and serves it.
    pub(crate) fn serve_on_a_socket(&self, settings: &str) -> Server {
        self.listen_on(&format!("'unix:run/web.sock'\n{settings}"));
        self.serve()
    }

    /// Gives the site another address, as it is written in the settings.
    pub(crate) fn listen_on(&self, address: &str) {
        let file = self.path.join("nyala.toml");
        let text = fs::read_to_string(&file).unwrap();
        let start = text.find("\nlisten = ").unwrap() + 1;
        let end = start + text[start..].find('\n').unwrap();
        let text = format!("{}listen = {address}{}", &text[..start], &text[end..]);
        fs::write(&file, text).unwrap();
    }

    pub(crate) fn serve(&self) -> Server {
        let running = Running::start(self.nyala_command().arg("serve"));
        wait_until("the site is served", || self.nyala(&["ps"]).status.success());
        Server(Some(running))
    }

    /// Serves two sites by one `nyala serve`.
    pub(crate) fn serve_both(&self, other: &Site) -> Server {
        let mut command = self.nyala_command();
        let running = Running::start(command.arg("serve").args([&self.path, &other.path]));
        for site in [self, other] {
            wait_until("the site is served", || site.nyala(&["ps"]).status.success());
        }
        Server(Some(running))
    }

    /// How many processes of its application there are, of whichever release.
    pub(crate) fn application_processes(&self) -> usize {
        let mark = format!(":{}", self.path.display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let environments = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
        environments
            .filter(|environ| {
                environ.split(|byte| *byte == 0).any(|variable| {
                    let variable = String::from_utf8_lossy(variable);
                    variable.starts_with("NYALA_PROCESS=") && variable.ends_with(&mark)
                })
            })
            .count()
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path.join("run/web.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        stream
    }

    /// What a visitor gets for a request, whose head is sent as it is.
    pub(crate) fn ask(&self, request: &str) -> Answer {
        Answer::from(self.connect(), request)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"))
    }
}

/// A visitor who keeps the connection as browsers do, until it is said that it ends.
#[derive(Debug)]
pub(crate) struct KeptVisitor<'a> {
    site: &'a Site,
    connection: Option<UnixStream>,
}

impl<'a> KeptVisitor<'a> {
    pub(crate) fn of(site: &'a Site) -> Self {
        Self { site, connection: None }
    }

    /// Asks for the page, and returns the head of the answer; empty when the connection was closed
    /// before it came.
    pub(crate) fn get(&mut self) -> String {
        let mut stream = self.connection.take().unwrap_or_else(|| self.site.connect());
        if stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").is_err() {
            return String::new();
        }
        let mut text = String::new();
        // All pages and errors are one line.
        while !text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.ends_with('\n')) {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return String::new(),
                Ok(read) => text += &String::from_utf8_lossy(&buffer[..read]),
            }
        }
        if !text.to_lowercase().contains("connection: close") {
            self.connection = Some(stream);
        }
        text
    }
}

/// A running `nyala serve`, which is ended with the test.
#[derive(Debug)]
pub(crate) struct Server(Option<Running>);

impl Server {
    pub(crate) fn of(running: Running) -> Self {
        Self(Some(running))
    }

    /// Kills it alone.
    pub(crate) fn kill(mut self) {
        let running = self.0.take().unwrap();
        running.signal(Signal::KILL);
        running.wait();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.0.as_ref().unwrap().signal(signal);
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.as_ref().unwrap().pid().as_raw_nonzero().get()
    }

    /// Ends it as an operator does; returns what it printed.
    pub(crate) fn stop(mut self) -> String {
        let running = self.0.take().unwrap();
        running.signal(Signal::TERM);
        running.wait().assert_success().stdout.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.signal(Signal::TERM);
            running.signal(Signal::CONT);
            running.wait();
        }
    }
}
