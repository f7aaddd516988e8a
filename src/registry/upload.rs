//! Blobs that are sent: in parts, of which none is sent again after a connection broke. See
//! "Pushing blobs" in <https://github.com/opencontainers/distribution-spec>.

use std::io::{self, Read};

use anyhow::{Result, anyhow, bail};
use ureq::http::Method;

use super::http::{Answer, Call, Registry, Tries, may_pass};
use super::manifest::said_digest;
use super::{error, redirect};
use crate::user_error::UserError;

/// A blob to be sent.
pub struct Upload<'u, 'b> {
    pub digest: &'u str,
    pub size: u64,
    /// Reads it from a place on.
    pub open: &'u dyn Fn(u64) -> Result<Box<dyn Read + 'b>>,
    /// Is told how many of its bytes have arrived.
    pub arrived: &'u dyn Fn(u64),
}

/// What is sent at a time, in bytes: what a broken connection costs at most.
const PART: u64 = 16 << 20;

/// A blob that has begun to arrive.
struct Session {
    location: String,
    /// How much of it is there.
    at: u64,
    part: u64,
}

/// What a part led to.
enum Sent {
    All,
    Part,
}

/// Why a part did not arrive.
enum Failed {
    Connection(ureq::Error),
    Status(Box<Answer>),
    Reading(anyhow::Error),
}

impl Registry {
    /// Has a repository of the same registry share a blob. Whatever keeps it from doing so, the
    /// blob can be sent.
    pub fn mount(&self, digest: &str, from: &str) -> bool {
        let url = self.url(&format!("blobs/uploads/?mount={digest}&from={from}"));
        let answer = self.start(url, digest);
        if let Err(why) = &answer {
            tracing::debug!("{digest} is not shared: {why:#}");
        }
        answer.is_ok_and(|answer| answer.status() == 201)
    }

    /// Sends a blob. One that is there already must not be sent.
    pub fn upload(&self, upload: &Upload<'_, '_>) -> Result<()> {
        let what = format!("the upload of {}", upload.digest);
        let mut tries = Tries::new(self.name(), &what);
        let mut has_logged_in = false;
        let mut session: Option<Session> = None;
        let mut in_one = false;
        loop {
            let current = match &mut session {
                Some(session) => session,
                None => session.insert(self.session(upload)?),
            };
            let before = current.at;
            let mut is_refused = false;
            let failed = match self.send_part(upload, current, in_one) {
                Ok(Sent::All) => {
                    (upload.arrived)(upload.size);
                    return Ok(());
                }
                Ok(Sent::Part) => {
                    if current.at > before {
                        tries.went_on();
                        has_logged_in = false;
                    } else {
                        tries.failed("took nothing of a part", None)?;
                    }
                    (upload.arrived)(current.at);
                    continue;
                }
                Err(failed) => failed,
            };
            match failed {
                Failed::Reading(error) => return Err(error),
                Failed::Connection(cause) => self.lost(&cause, &mut tries)?,
                Failed::Status(answer) => match answer.status().as_u16() {
                    401 => self.log_in(&answer, &mut has_logged_in)?,
                    // Some registries take a blob only as a whole, or lose count of its parts.
                    400 | 404 | 405 | 411 | 416 | 501
                        if !in_one && (before == 0 || answer.status() == 400) =>
                    {
                        in_one = true;
                        session = None;
                        continue;
                    }
                    404 | 410 | 416 => {
                        is_refused = true;
                        tries.failed("has lost the upload", Some(&answer))?;
                    }
                    // Some say only so that they have it, as a page for people would.
                    status if may_pass(status) || matches!(status, 200 | 202) => {
                        tries.failed(&format!("answered {status}"), Some(&answer))?;
                    }
                    _ => {
                        let repository = &self.reference().repository;
                        return Err(self.refusal(*answer, &format!("push to {repository}")));
                    }
                },
            }
            // The last answer may have been lost, and nothing else.
            if self.has_blob(upload.digest)? {
                (upload.arrived)(upload.size);
                return Ok(());
            }
            session = match session {
                Some(session) if !in_one => self.continued(session, upload)?,
                _ => None,
            };
            // It refuses the very part that it asks for.
            if is_refused && session.as_ref().is_some_and(|session| session.at == before) {
                in_one = true;
                session = None;
            }
        }
    }

    /// Starts to send a blob.
    fn session(&self, upload: &Upload<'_, '_>) -> Result<Session> {
        let answer = self.start(self.url("blobs/uploads/"), upload.digest)?;
        let Some(location) = redirect::location(&answer) else {
            bail!(error::garbage(self.name(), "where to send a blob", "no Location"));
        };
        let least = answer.headers().get("oci-chunk-min-length");
        let least = least.and_then(|header| header.to_str().ok()?.parse().ok()).unwrap_or(0);
        Ok(Session { location, at: 0, part: PART.max(least) })
    }

    fn start(&self, url: String, digest: &str) -> Result<Answer> {
        let answer = self.call(&Call {
            method: Method::POST,
            url,
            headers: Vec::new(),
            body: &[],
            what: &format!("the upload of {digest}"),
        })?;
        match answer.status().as_u16() {
            201 | 202 => Ok(answer),
            _ => {
                let repository = &self.reference().repository;
                Err(self.refusal(answer, &format!("push to {repository}")))
            }
        }
    }

    /// Sends what comes next.
    fn send_part(
        &self,
        upload: &Upload<'_, '_>,
        session: &mut Session,
        in_one: bool,
    ) -> Result<Sent, Failed> {
        let left = upload.size - session.at;
        let is_last = in_one || left <= session.part;
        let length = if is_last { left } else { session.part };
        let (method, url) = if is_last {
            let separator = if session.location.contains('?') { '&' } else { '?' };
            (Method::PUT, format!("{}{separator}digest={}", session.location, upload.digest))
        } else {
            (Method::PATCH, session.location.clone())
        };
        let mut headers = Vec::new();
        if !is_last || session.at > 0 {
            headers.push(("content-range", format!("{}-{}", session.at, session.at + length - 1)));
        }
        let answer = self.send_on(upload, session.at, length, &method, url, &headers)?;
        match answer.status().as_u16() {
            201 | 204 if is_last => match said_digest(&answer) {
                Some(found) if found != upload.digest => {
                    let name = self.name();
                    let error = error::wrong_digest(name, "blob", upload.digest, found);
                    Err(Failed::Reading(error.into()))
                }
                _ => Ok(Sent::All),
            },
            202 if !is_last => {
                // More than was sent cannot have arrived.
                let sent = session.at + length;
                session.at = arrived(&answer).unwrap_or(sent).min(sent);
                if let Some(location) = redirect::location(&answer) {
                    session.location = location;
                }
                Ok(Sent::Part)
            }
            _ => Err(Failed::Status(Box::new(answer))),
        }
    }

    /// Sends so many bytes from a place on, wherever the registry sends them on to.
    fn send_on(
        &self,
        upload: &Upload<'_, '_>,
        at: u64,
        length: u64,
        method: &Method,
        url: String,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, Failed> {
        let is_end = at + length == upload.size;
        redirect::follow(url, Failed::Connection, |url| {
            let from = (upload.open)(at).map_err(Failed::Reading)?;
            let mut from = Exactly { from, left: length, is_end, failure: None };
            let answer = self.send_from(method, url, headers.to_vec(), &mut from, length);
            // ureq has it as a failure of the connection.
            if let Some(failure) = from.failure {
                return Err(Failed::Reading(failure));
            }
            answer.map_err(Failed::Connection)
        })
    }

    /// Asks how much has arrived; `None` when the registry does not say, so that all of it has to
    /// be sent again.
    fn continued(&self, mut session: Session, upload: &Upload<'_, '_>) -> Result<Option<Session>> {
        let answer = self.call(&Call {
            method: Method::GET,
            url: session.location.clone(),
            headers: Vec::new(),
            body: &[],
            what: &format!("the upload of {}", upload.digest),
        })?;
        let at = arrived(&answer).filter(|at| *at < upload.size);
        let (204 | 202 | 200, Some(at)) = (answer.status().as_u16(), at) else { return Ok(None) };
        session.at = at;
        if let Some(location) = redirect::location(&answer) {
            session.location = location;
        }
        Ok(Some(session))
    }
}

/// As many bytes of a blob as its part has: ureq refuses one more than the request says.
struct Exactly<R> {
    from: R,
    left: u64,
    /// Whether the blob ends with them.
    is_end: bool,
    /// Why they cannot be read.
    failure: Option<anyhow::Error>,
}

impl<R: Read> Exactly<R> {
    fn next(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(to.len()).min(to.len());
        let read = self.from.read(&mut to[..wanted])?;
        if read == 0 && wanted > 0 {
            return Err(io::Error::other("it became shorter while it was sent"));
        }
        self.left -= read as u64;
        // At its end, a blob that is fetched is compared with its digest. The last bytes are not
        // sent before.
        if self.is_end && self.left == 0 && read > 0 && self.from.read(&mut [0])? > 0 {
            return Err(io::Error::other("it became longer while it was sent"));
        }
        Ok(read)
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.next(to).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                let told = error.get_ref().and_then(|it| it.downcast_ref::<UserError>());
                self.failure = Some(match told {
                    Some(told) => told.clone().into(),
                    None => anyhow!("cannot read what is to be sent: {error}"),
                });
            }
        })
    }
}

/// How many bytes an upload has, by its header `Range`: `0-99` after 100. Docker's registry says
/// `0-0` when there is none yet.
fn arrived(answer: &Answer) -> Option<u64> {
    let range = answer.headers().get("range")?.to_str().ok()?;
    let (_, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    Some(if last == 0 { 0 } else { last.saturating_add(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of so many bytes, from a reader that has more in it.
    fn part(length: u64, is_end: bool) -> (io::Result<usize>, Exactly<impl Read>) {
        // A connection gives what has arrived, and not what fits.
        let pieces = [0; 700].as_slice().chain([1; 700].as_slice());
        let mut part = Exactly { from: pieces, left: length, is_end, failure: None };
        (io::copy(&mut part, &mut io::sink()).map(|read| usize::try_from(read).unwrap()), part)
    }

    #[test]
    fn a_part_is_as_long_as_it_says() {
        assert_eq!(part(1000, false).0.unwrap(), 1000);
        assert_eq!(part(1400, true).0.unwrap(), 1400);
        for (length, is_end, says) in [(1401, true, "shorter"), (1000, true, "longer")] {
            let (read, part) = part(length, is_end);
            assert!(read.is_err());
            assert!(part.failure.unwrap().to_string().contains(says));
        }
    }
}
