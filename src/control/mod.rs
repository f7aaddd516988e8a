//! How commands and deployments talk to the `nyala serve` of a site: over a socket that only the
//! owner of the site can open, a line of JSON for each message.

mod error;
mod messages;
mod socket;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::is_stopped;
use crate::site::Site;
use crate::user_error::UserError;

pub use messages::{
    Answer, LastMinutes, ProcessAnswers, ProcessState, Request, Running, Statistics, TIMES,
    Trouble, TroubleKind, share_of,
};
pub use socket::{path_in, run_folder, socket};

/// How often it is looked whether the deployment that waits was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// How often a `nyala serve` that is working on an answer says so.
pub const BEAT: Duration = Duration::from_secs(1);

/// How long it may say nothing while it changes something. systemd kills it after the same time.
const SILENCE: Duration = Duration::from_mins(1);

/// How long it may take to tell something that it knows.
const TO_TELL: Duration = Duration::from_secs(10);

/// How long it may take to ask an application whether it is healthy.
const TO_ASK: Duration = Duration::from_secs(30);

/// The longest message, in bytes.
pub const LONGEST: usize = 16 << 20;

/// A connection to the `nyala serve` of a site.
#[derive(Debug)]
pub struct Control {
    reader: BufReader<UnixStream>,
    /// The process on the other side.
    pid: i32,
}

/// Until when an answer is waited for.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// How long nothing may come.
    silence: Duration,
    /// How long the answer may take, whatever else comes.
    whole: Option<Duration>,
    /// Whether it is waited for although this process is to stop.
    is_endless: bool,
}

impl Patience {
    fn with(request: &Request) -> Patience {
        let whole = match request {
            Request::Processes
            | Request::Statistics
            | Request::Maintenance
            | Request::Programs { .. }
            | Request::Troubles { ask: false } => Some(TO_TELL),
            Request::Troubles { ask: true } => Some(TO_ASK),
            Request::Prepare { .. }
            | Request::Switch { .. }
            | Request::GoBack
            | Request::Scale { .. }
            | Request::Pause { .. }
            | Request::Restart { .. }
            | Request::Stop { .. }
            | Request::Start => None,
        };
        Patience { silence: whole.unwrap_or(SILENCE), whole, is_endless: false }
    }
}

/// The processes that have not answered this one: it does not wait for them again.
fn silent() -> MutexGuard<'static, BTreeSet<i32>> {
    static SILENT: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
    SILENT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    /// `None` when no `nyala serve` serves the site.
    pub fn connect(site: &Site) -> Result<Option<Control>> {
        let Some((stream, pid)) = socket::connect(site, TO_TELL)? else { return Ok(None) };
        stream.set_read_timeout(Some(LOOK)).context(error::CANNOT_ASK)?;
        Ok(Some(Control { reader: BufReader::new(stream), pid }))
    }

    /// Asks for something, and gives the lines for the log to `say` until there is an answer.
    pub fn ask(&mut self, request: &Request, say: &mut dyn FnMut(&str)) -> Result<Answer> {
        self.send(request)?;
        self.answer(Patience::with(request), say)
    }

    /// What runs.
    pub fn processes(&mut self) -> Result<Running> {
        match self.ask(&Request::Processes, &mut |_| {})? {
            Answer::Processes(running) => Ok(running),
            _ => bail!(error::SOMETHING_ELSE),
        }
    }

    /// What was asked of it.
    pub fn statistics(&mut self) -> Result<Statistics> {
        match self.ask(&Request::Statistics, &mut |_| {})? {
            Answer::Statistics(statistics) => Ok(statistics),
            _ => bail!(error::SOMETHING_ELSE),
        }
    }

    /// Lets visitors have the release that was prepared, and waits while it is watched. When this
    /// process is to stop meanwhile, it asks to go back, and says what became of that.
    pub fn switch(&mut self, watch: bool, say: &mut dyn FnMut(&str)) -> Result<Answer> {
        let request = Request::Switch { watch };
        let patience = Patience::with(&request);
        self.send(&request)?;
        match self.answer(patience, say) {
            Err(_) if watch && is_stopped() => {
                self.send(&Request::GoBack)?;
                self.answer(Patience { is_endless: true, ..patience }, say)
            }
            answer => answer,
        }
    }

    fn send(&mut self, request: &Request) -> Result<()> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes()).context(error::GONE)
    }

    fn answer(&mut self, patience: Patience, say: &mut dyn FnMut(&str)) -> Result<Answer> {
        let begun = Instant::now();
        loop {
            let left = patience.whole.map(|whole| whole.saturating_sub(begun.elapsed()));
            // Who always has a line ready is never waited for, so the time is looked at here too.
            if left == Some(Duration::ZERO) {
                bail!(self.unanswered(patience));
            }
            let line = self.line(Patience { whole: left, ..patience })?;
            match serde_json::from_slice(&line).context(error::SOMETHING_ELSE)? {
                Answer::Working => {}
                Answer::Say(text) => say(&text),
                Answer::Failed(error) => return Err(error.into()),
                answer => return Ok(answer),
            }
        }
    }

    /// The next line.
    fn line(&mut self, patience: Patience) -> Result<Vec<u8>> {
        let limit = patience.whole.unwrap_or(patience.silence).min(patience.silence);
        let begun = Instant::now();
        let mut line = Vec::new();
        loop {
            // What has come of a line stays in it when the time is over.
            let room = (LONGEST - line.len()) as u64;
            match (&mut self.reader).take(room).read_until(b'\n', &mut line) {
                Ok(_) if line.ends_with(b"\n") => return Ok(line),
                Ok(_) if line.len() == LONGEST => bail!(error::SOMETHING_ELSE),
                Ok(_) => bail!(error::gone()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !patience.is_endless && is_stopped() {
                        bail!(error::stopped());
                    }
                    if begun.elapsed() >= limit || silent().contains(&self.pid) {
                        bail!(self.unanswered(patience));
                    }
                }
                Err(error) => return Err(error).context(error::GONE),
            }
        }
    }

    fn unanswered(&self, patience: Patience) -> UserError {
        silent().insert(self.pid);
        error::silent(self.pid, patience.silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(pid: i32) -> (Control, UnixStream) {
        let (own, other) = UnixStream::pair().unwrap();
        own.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        (Control { reader: BufReader::new(own), pid }, other)
    }

    const BRIEF: Patience =
        Patience { silence: Duration::from_millis(5), whole: None, is_endless: false };

    fn fact(error: &anyhow::Error) -> String {
        UserError::of(error).fact
    }

    #[test]
    fn what_says_nothing_is_not_waited_for_and_not_asked_again() {
        let (mut control, mut other) = pair(-1);
        other.write_all(b"\"working\"\n{\"say\":").unwrap();
        let error = control.answer(BRIEF, &mut |_| {}).unwrap_err();
        assert!(fact(&error).contains("has not answered for"), "{error:#}");
        let (mut control, mut other) = pair(-1);
        let patience = Patience { silence: Duration::MAX, ..BRIEF };
        assert!(control.answer(patience, &mut |_| {}).is_err());
        // What has been said counts all the same.
        other.write_all(b"\"done\"\n").unwrap();
        assert_eq!(control.answer(patience, &mut |_| {}).unwrap(), Answer::Done);
    }

    #[test]
    fn what_goes_on_saying_that_it_works_is_waited_for_as_long_as_that_is_fit() {
        let (mut control, mut other) = pair(-2);
        let works = std::thread::spawn(move || while other.write_all(b"\"working\"\n").is_ok() {});
        let patience = Patience { whole: Some(Duration::from_millis(20)), ..BRIEF };
        assert!(control.answer(patience, &mut |_| {}).is_err());
        drop(control);
        works.join().unwrap();
    }

    #[test]
    fn a_message_without_an_end_is_not_read_to_its_end() {
        let (mut control, mut other) = pair(-3);
        let writes = std::thread::spawn(move || while other.write_all(&[b'x'; 4096]).is_ok() {});
        let patience = Patience { silence: Duration::MAX, ..BRIEF };
        let error = control.answer(patience, &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), error::SOMETHING_ELSE);
        drop(control);
        writes.join().unwrap();
    }
}
