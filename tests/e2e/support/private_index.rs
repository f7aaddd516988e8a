//! A package index with the test wheels: one that asks for credentials, as a company's own does,
//! or one that is out of order for all packages but its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::wheels;

pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "zebra@crossing/99";
/// Both, as a browser sends them.
const AUTHORIZATION: &str = "Basic YWRhOnplYnJhQGNyb3NzaW5nLzk5";

#[derive(Debug)]
pub(crate) struct PrivateIndex {
    /// `127.0.0.1:PORT`
    pub host: String,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

/// What an index answers.
#[derive(Clone, Copy)]
enum Kind {
    Private,
    Only(&'static [&'static str]),
}

impl PrivateIndex {
    pub(crate) fn start() -> Self {
        Self::of_kind(Kind::Private)
    }

    /// One that asks for no credentials, and answers with an error of its own to whoever asks for
    /// another package than these.
    pub(crate) fn only(names: &'static [&'static str]) -> Self {
        Self::of_kind(Kind::Only(names))
    }

    fn of_kind(kind: Kind) -> Self {
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let heard = asked.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = heard.clone();
                thread::spawn(move || answer(&stream, kind, &heard));
            }
        });
        Self { host, asked }
    }

    /// The packages that it was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().cloned().collect()
    }

    /// Its address, without credentials.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/simple", self.host)
    }
}

/// Answers one request. The client may be gone at any time.
fn answer(mut stream: &TcpStream, kind: Kind, heard: &Mutex<BTreeSet<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next()?;
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let is_known = headers.iter().any(|header| {
        let (name, value) = header.split_once(": ").unwrap_or_default();
        name.eq_ignore_ascii_case("authorization") && value == AUTHORIZATION
    });
    let (method, path) = request.split_once(' ')?;
    let path = path.split(' ').next()?;
    let name = path.strip_prefix("/simple/").map(|name| name.trim_end_matches('/'));
    heard.lock().unwrap().extend(name.map(str::to_owned));
    let is_known = is_known || matches!(kind, Kind::Only(_));
    let (status, body) = match name {
        Some(name) if matches!(kind, Kind::Only(names) if !names.contains(&name)) => {
            ("500 Internal Server Error", Vec::new())
        }
        // Without credentials: a public index that has nothing.
        None if !path.starts_with("/files/") => ("404 Not Found", Vec::new()),
        _ if !is_known => ("401 Unauthorized", Vec::new()),
        Some(name) => ("200 OK", page(name)),
        None => ("200 OK", fs::read(wheels::folder().join(&path["/files/".len()..])).ok()?),
    };
    let kind = if path.starts_with("/simple/") { "text/html" } else { "application/zip" };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=\"index\"\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .ok()?;
    if method != "HEAD" {
        stream.write_all(&body).ok()?;
    }
    Some(())
}

/// The links to the files of a package.
fn page(name: &str) -> Vec<u8> {
    let files = fs::read_dir(wheels::folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let links = names
        .filter(|file| file.starts_with(&format!("{name}-")))
        .map(|file| format!("<a href=\"/files/{file}\">{file}</a>\n"));
    links.collect::<String>().into_bytes()
}
