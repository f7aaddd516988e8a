//! Registries of images: Docker's own, and one in memory that does what no registry should.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

use super::{Running, Site, runs_program, skip, wait_until};

/// A real docker-registry, which is stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct DockerRegistry {
    /// Its host and port.
    pub address: String,
    _running: Running,
}

impl DockerRegistry {
    /// Starts one; `None` where there is none, so that the test is reported as skipped.
    pub(crate) fn start(site: &Site) -> Option<DockerRegistry> {
        if !runs_program("docker-registry") {
            skip("needs docker-registry: apt-get install docker-registry");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let folder = site.sandbox.path("registry");
        fs::create_dir_all(&folder).unwrap();
        let settings = folder.join("settings.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{address}'}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
            folder.display()
        );
        fs::write(&settings, text).unwrap();
        let running = Running::start(Command::new("docker-registry").arg("serve").arg(settings));
        wait_until("the registry listens", || TcpStream::connect(&address).is_ok());
        Some(DockerRegistry { address, _running: running })
    }
}

/// What a registry does wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It answers with this status, and these further lines of the header.
    Answer(u16, &'static str),
    /// It takes so many bytes of the body, and closes the connection.
    BreakAfter(usize),
    /// It sends half of the body, and closes the connection.
    HalfBody,
    /// It answers with 200 and a page for people.
    Garbage,
    /// It sends other bytes than it should.
    OtherBytes,
    /// It has done what it should, and does not say so.
    Silence,
    /// It answers with this status that the same is to be asked of another address.
    Moved(u16),
}

/// A registry in memory.
#[derive(Debug)]
pub(crate) struct HostileRegistry {
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    blobs: HashMap<String, Vec<u8>>,
    uploads: HashMap<String, Vec<u8>>,
    manifests: HashMap<String, Vec<u8>>,
    /// Each is used once, by the first request that begins so.
    faults: Vec<(String, Fault)>,
    /// `GET /v2/…` of every request, without what comes after `?`.
    requests: Vec<String>,
    /// The user and password, in base64, for the address that gives tokens.
    password: Option<&'static str>,
}

const TOKEN: &str = "a-token";

impl HostileRegistry {
    pub(crate) fn start() -> HostileRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, own) = (Arc::clone(&state), address.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // What ends a connection is the client's to report.
                let _ = serve(&stream, &mut shared.lock().unwrap(), &own);
            }
        });
        HostileRegistry { address, state }
    }

    /// Has the next request that begins with `request`, such as `PUT /v2/shop/blobs`, go wrong.
    pub(crate) fn fail(&self, request: &str, fault: Fault) -> &Self {
        self.state.lock().unwrap().faults.push((request.to_owned(), fault));
        self
    }

    /// Wants this user and password from now on.
    pub(crate) fn want_password(&self, base64: &'static str) {
        self.state.lock().unwrap().password = Some(base64);
    }

    /// The faults that nothing has met yet.
    pub(crate) fn unmet(&self) -> usize {
        self.state.lock().unwrap().faults.len()
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    pub(crate) fn manifest(&self, name: &str) -> Option<serde_json::Value> {
        let state = self.state.lock().unwrap();
        state.manifests.get(name).map(|bytes| serde_json::from_slice(bytes).unwrap())
    }

    pub(crate) fn has_blob(&self, digest: &str) -> bool {
        self.state.lock().unwrap().blobs.contains_key(digest)
    }

    pub(crate) fn forget_manifest(&self, name: &str) {
        self.state.lock().unwrap().manifests.remove(name);
    }
}

/// Reads one request and answers it. Every connection is closed after it.
fn serve(stream: &TcpStream, state: &mut State, own: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    // A client that tries https first.
    if reader.fill_buf()?.first() == Some(&0x16) {
        return Ok(());
    }
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let Some(first) = lines.first() else { return Ok(()) };
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (its, value) = line.split_once(": ")?;
            its.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let request = format!("{method} {path}");
    state.requests.push(request.clone());
    let at = state.faults.iter().position(|(start, _)| request.starts_with(start));
    let fault = at.map(|at| state.faults.remove(at).1);
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = Vec::new();
    let wanted = match fault {
        Some(Fault::BreakAfter(bytes)) => bytes.min(length),
        _ => length,
    };
    reader.by_ref().take(wanted as u64).read_to_end(&mut body)?;
    let mut out = stream;
    let mut answer = |status: u16, headers: &str, body: &[u8], sent: usize| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
        );
        let body: &[u8] = if method == "HEAD" { &[] } else { &body[..sent.min(length)] };
        out.write_all(head.as_bytes()).and_then(|()| out.write_all(body))
    };
    match fault {
        Some(Fault::Answer(status, headers)) => return answer(status, headers, b"", 0),
        Some(Fault::Moved(status)) => {
            return answer(status, &format!("Location: {target}\r\n"), b"", 0);
        }
        Some(Fault::Garbage) => return answer(200, "", b"<html>hello</html>", 99),
        _ => {}
    }
    if let Some(password) = state.password {
        if path == "/token" {
            if header("authorization") != Some(format!("Basic {password}")) {
                return answer(401, "", b"", 0);
            }
            let token = format!("{{\"token\": \"{TOKEN}\"}}");
            return answer(200, "", token.as_bytes(), token.len());
        }
        if header("authorization") != Some(format!("Bearer {TOKEN}")) {
            let realm = format!("http://{own}/token");
            let header = format!(
                "WWW-Authenticate: Basic realm=\"a, b\", Bearer realm=\"{realm}\",service=\"s\"\r\n"
            );
            return answer(401, &header, b"", 0);
        }
    }
    let mut result = state.answer(method, path, query, header("range"), body);
    match fault {
        Some(Fault::BreakAfter(_) | Fault::Silence) => return Ok(()),
        Some(Fault::OtherBytes) => result.2.iter_mut().for_each(|byte| *byte ^= 1),
        _ => {}
    }
    let half = matches!(fault, Some(Fault::HalfBody));
    let sent = if half { result.2.len() / 2 } else { result.2.len() };
    answer(result.0, &result.1, &result.2, sent)
}

impl State {
    fn answer(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        range: Option<String>,
        body: Vec<u8>,
    ) -> (u16, String, Vec<u8>) {
        let none = |status: u16| (status, String::new(), Vec::new());
        let last = path.rsplit('/').next().unwrap().to_owned();
        if path.contains("/manifests/") {
            if method == "PUT" {
                self.manifests.insert(digest_of(&body), body.clone());
                self.manifests.insert(last, body);
                return none(201);
            }
            return self
                .manifests
                .get(&last)
                .map_or(none(404), |it| (200, String::new(), it.clone()));
        }
        if path.contains("/blobs/uploads/") {
            return self.upload(method, path, query, &last, body);
        }
        let Some(blob) = self.blobs.get(&last) else { return none(404) };
        let from = range.and_then(|it| it.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        match from {
            Some(from) => (206, String::new(), blob[from..].to_vec()),
            None => (200, String::new(), blob.clone()),
        }
    }

    fn upload(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        id: &str,
        body: Vec<u8>,
    ) -> (u16, String, Vec<u8>) {
        let none = |status: u16| (status, String::new(), Vec::new());
        if method == "POST" {
            let id = self.uploads.len().to_string();
            self.uploads.insert(id.clone(), Vec::new());
            // No power of two, as buffers are.
            let headers = format!("Location: {path}{id}\r\nOCI-Chunk-Min-Length: 17000001\r\n");
            return (202, headers, Vec::new());
        }
        let Some(upload) = self.uploads.get_mut(id) else { return none(404) };
        upload.extend(body);
        let range = format!("Range: 0-{}\r\n", upload.len().saturating_sub(1));
        match (method, query.strip_prefix("digest=")) {
            ("PUT", Some(digest)) if digest_of(upload) == digest => {
                self.blobs.insert(digest.to_owned(), upload.clone());
                none(201)
            }
            ("PUT", _) => {
                (400, String::new(), b"{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}".into())
            }
            ("PATCH", _) => (202, range, Vec::new()),
            _ => (204, range, Vec::new()),
        }
    }
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
