//! How commands and deployments talk to the `nyala serve` of a site: over a socket that only the
//! owner of the site can open, a line of JSON for each message.

mod error;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::process::is_stopped;
use crate::site::{DeploymentId, Site};
use crate::user_error::UserError;

/// How often it is looked whether the deployment that waits was cancelled.
const LOOK: Duration = Duration::from_millis(100);

const SOCKET: &str = "control.sock";

/// What `nyala serve` is asked to do.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// Start the application of a release and check it, beside what is live. It answers
    /// [`Answer::Ready`], and waits for [`Request::Switch`]. Whoever closes the connection before
    /// that gives the release up, unless `wwwroot` points to it by then.
    Prepare { release: DeploymentId },
    /// `wwwroot` points to the release: let visitors have it.
    Switch,
    /// Tell what runs.
    Processes,
    /// Start all processes anew, or those of one name.
    Restart { process: Option<String> },
    /// End the application, and do not start it until [`Request::Start`].
    Stop { by: String },
    /// Start what is live.
    Start,
}

/// What `nyala serve` answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A line for the log.
    Say(String),
    /// The release is healthy.
    Ready,
    /// It is done.
    Done,
    /// Nothing was started, since somebody has stopped the application.
    Stopped,
    Processes(Vec<ProcessState>),
    Failed(UserError),
}

/// A process of an application, as `nyala ps` shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProcessState {
    pub process: String,
    pub release: DeploymentId,
    /// `None` while it is not running.
    pub pid: Option<u32>,
    /// When it was started.
    pub since: Option<jiff::Timestamp>,
    /// How often it was started again because it had ended.
    pub restarts: u32,
    /// What it and its children have in memory, in bytes.
    pub memory: Option<u64>,
    /// Whether visitors can be given to it; `None` for a process that has none.
    pub healthy: Option<bool>,
}

/// A connection to the `nyala serve` of a site.
#[derive(Debug)]
pub struct Control {
    reader: BufReader<UnixStream>,
}

impl Control {
    /// `None` when no `nyala serve` serves the site.
    pub fn connect(site: &Site) -> Result<Option<Control>> {
        let Ok(folder) = File::open(site.run()) else { return Ok(None) };
        match UnixStream::connect(path_in(&folder)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(LOOK)).context("nyala serve cannot be asked")?;
                Ok(Some(Control { reader: BufReader::new(stream) }))
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
            {
                Ok(None)
            }
            Err(error) => Err(error).context("nyala serve cannot be asked"),
        }
    }

    /// Asks for something, and gives the lines for the log to `say` until there is an answer.
    pub fn ask(&mut self, request: &Request, say: &mut dyn FnMut(&str)) -> Result<Answer> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes()).context(error::GONE)?;
        loop {
            let line = self.line()?;
            match serde_json::from_slice(&line).context("nyala serve answered something else")? {
                Answer::Say(text) => say(&text),
                Answer::Failed(error) => return Err(error.into()),
                answer => return Ok(answer),
            }
        }
    }

    /// The next line; fails when this process is to stop what it does.
    fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            // What has come of a line stays in it when the time is over.
            match self.reader.read_until(b'\n', &mut line) {
                Ok(0) => bail!(error::gone()),
                Ok(_) => return Ok(line),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if is_stopped() {
                        bail!(error::stopped());
                    }
                }
                Err(error) => return Err(error).context(error::GONE),
            }
        }
    }
}

/// The path of the socket, through the open folder: a path may be longer than the 107 bytes that an
/// address has room for (unix(7)).
pub fn path_in(folder: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(SOCKET)
}

/// The socket by its own path, to remove it.
pub fn socket(site: &Site) -> PathBuf {
    site.run().join(SOCKET)
}
