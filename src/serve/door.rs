//! The control socket of a site: what commands and deployments ask of this `nyala serve`.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

use super::error;
use super::listen::PAUSE;
use super::served::Served;
use crate::control::{Answer, BEAT, LONGEST, Request, path_in, run_folder, socket};
use crate::disk;
use crate::site::DeploymentId;
use crate::text::duration;
use crate::user_error::UserError;

/// How long whoever deploys may take to move `wwwroot` to a release that is ready: nothing else can
/// be done with the site meanwhile.
const SWITCH_PATIENCE: Duration = Duration::from_mins(5);

/// The socket, while it is open.
#[derive(Debug)]
pub(super) struct Door {
    /// The number of its file, by which it is known that it is still there.
    id: Option<(u64, u64)>,
    task: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn id_of(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| disk::file_id(&found))
}

/// Opens the socket, which only the owner of the site can connect to: that takes the right to write
/// to it, which the umask of a process gives to nobody else.
pub(super) fn open(served: &Rc<Served>) -> Result<()> {
    let path = socket(&served.site);
    if fs::symlink_metadata(&path).is_ok() {
        disk::remove_file(&path)?;
    }
    let folder = run_folder(&served.site).context("the folder of the socket cannot be opened")?;
    let listener = UnixListener::bind(path_in(&folder))
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    disk::set_socket_mode(&path, 0o600)?;
    let site = Rc::downgrade(served);
    let task = spawn_local(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let Some(site) = site.upgrade() else { return };
                    spawn_local(serve(stream, site));
                }
                Err(error) => {
                    tracing::debug!("the control socket: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    });
    *served.door.borrow_mut() = Some(Door { id: id_of(&path), task });
    Ok(())
}

/// Opens the socket again when somebody has removed it, or all of `run/`: the application goes on.
/// Fails when another nyala serve has the site now.
pub(super) fn open_if_gone(site: &Rc<Served>) -> Result<()> {
    let is_there = |door: &Door| door.id.is_some() && door.id == id_of(&socket(&site.site));
    if site.door.borrow().as_ref().is_some_and(is_there) || !site.is_in_place() {
        return Ok(());
    }
    if !site.lock.borrow().is_in_place(&site.site) {
        let lock = site.site.try_serve_lock()?;
        let Some(lock) = lock else { bail!(error::is_served(site.site.root())) };
        site.lock.replace(lock);
    }
    open(site)?;
    site.begin_logs_anew(|_| true);
    site.listen_if_gone();
    site.say("run/ was removed, and is there again");
    Ok(())
}

/// What somebody asks, line by line.
struct Lines {
    reader: BufReader<OwnedReadHalf>,
    /// What has come of the next one.
    begun: Vec<u8>,
}

impl Lines {
    fn of(reader: OwnedReadHalf) -> Lines {
        Lines { reader: BufReader::new(reader), begun: Vec::new() }
    }

    /// The next request; an error in place of what is none. `None` at the end, and when a line is
    /// longer than any request. Nothing is lost when this is dropped before it is ready.
    async fn next(&mut self) -> Option<serde_json::Result<Request>> {
        let room = (LONGEST - self.begun.len()) as u64;
        (&mut self.reader).take(room).read_until(b'\n', &mut self.begun).await.ok()?;
        let line = std::mem::take(&mut self.begun);
        line.ends_with(b"\n").then(|| serde_json::from_slice(&line))
    }
}

async fn serve(stream: UnixStream, site: Rc<Served>) {
    let (reader, writer) = stream.into_split();
    let mut lines = Lines::of(reader);
    let answers = write_in_turn(writer);
    while let Some(request) = lines.next().await {
        let answer = match request {
            Ok(Request::Prepare { release }) => deploy(&site, release, &mut lines, &answers).await,
            Ok(Request::Processes) => Answer::Processes(site.states().await),
            Ok(Request::Programs { release, found }) => done(site.check_start(release, &found)),
            Ok(Request::Statistics) => Answer::Statistics(site.statistics()),
            Ok(Request::Maintenance) => done(site.read_maintenance()),
            Ok(Request::Pause { at_most }) => pause(&site, at_most, &answers).await,
            Ok(Request::Scale { scale }) => {
                let say = |line: String| drop(answers.send(Answer::Say(line)));
                done(site.scale(&scale, &say).await)
            }
            Ok(Request::Restart { process }) => {
                let say = |line: String| drop(answers.send(Answer::Say(line)));
                done(site.restart(process.as_deref(), &say).await)
            }
            Ok(Request::Troubles { ask }) => Answer::Troubles(site.troubles(ask).await),
            Ok(Request::Stop { by }) => {
                let say = |line: String| drop(answers.send(Answer::Say(line)));
                done(site.stop(&by, &say).await)
            }
            Ok(Request::Start) => {
                let say = |line: String| drop(answers.send(Answer::Say(line)));
                done(site.start_again(&say).await)
            }
            Ok(Request::Switch { .. } | Request::GoBack) | Err(_) => {
                Answer::Failed(error::unknown_request())
            }
        };
        let _ = answers.send(answer);
    }
}

async fn pause(site: &Served, at_most: Option<u64>, answers: &UnboundedSender<Answer>) -> Answer {
    let say = |line: String| drop(answers.send(Answer::Say(line)));
    let Some(at_most) = at_most.map(Duration::from_secs) else {
        site.resume();
        say("Requests pass.".to_owned());
        return Answer::Done;
    };
    let left = site.pause(at_most).await;
    let at_most = duration(at_most);
    say(format!("Requests wait, at most {at_most}. To let them pass: nyala pause --end"));
    if left > 0 {
        say(format!("{left} that came before are still being answered."));
    }
    Answer::Done
}

fn done(outcome: Result<()>) -> Answer {
    match outcome {
        Ok(()) => Answer::Done,
        Err(error) => Answer::Failed(UserError::of(&error)),
    }
}

/// Writes answers in the order in which they are sent, and meanwhile that they are worked on.
fn write_in_turn(mut writer: OwnedWriteHalf) -> UnboundedSender<Answer> {
    let (sender, mut receiver) = unbounded_channel::<Answer>();
    spawn_local(async move {
        loop {
            let answer = match timeout(BEAT, receiver.recv()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return,
                Err(_) => Answer::Working,
            };
            let Ok(mut line) = serde_json::to_string(&answer) else { return };
            line.push('\n');
            if writer.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    sender
}

/// Starts a release, waits until `wwwroot` points to it, and lets visitors have it.
async fn deploy(
    site: &Rc<Served>,
    id: DeploymentId,
    lines: &mut Lines,
    answers: &UnboundedSender<Answer>,
) -> Answer {
    let say = |line: String| drop(answers.send(Answer::Say(line)));
    let _turn = site.take_turn(&say).await;
    match site.is_stopped() {
        Ok(false) => {}
        Ok(true) => return Answer::Stopped,
        Err(error) => return Answer::Failed(UserError::of(&error)),
    }
    let prepared = {
        let prepare = site.prepare(id, &say);
        tokio::select! {
            prepared = prepare => prepared,
            // Whoever asked is gone; nothing else is sent before there is an answer.
            _ = lines.next() => {
                site.say(format_args!("release {id} is given up: its deployment has ended"));
                return Answer::Done;
            }
        }
    };
    let mut prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Answer::Failed(UserError::of(&error)),
    };
    let _ = answers.send(Answer::Ready);
    let asked = match timeout(SWITCH_PATIENCE, lines.next()).await {
        Ok(Some(Ok(Request::Switch { watch }))) => Some(watch),
        _ => None,
    };
    // A worker that was killed may have moved the link, which decides.
    let is_live = site.site.live().ok().flatten() == Some(id);
    if asked.is_none() && !is_live {
        prepared.give_up().await;
        site.say(format_args!("release {id} is given up: its deployment has ended"));
        return Answer::Done;
    }
    prepared.take_over();
    site.say(format_args!("release {id} is live"));
    let before = site.live().filter(|before| before.id != id && before.accepts());
    let watch = prepared.run.watch;
    let (Some(before), Some(true), false) = (before, asked, watch.is_zero()) else {
        site.give_to(prepared);
        return Answer::Done;
    };
    say(format!(
        "Watching it for {}; release {} stays ready meanwhile",
        duration(watch),
        before.id
    ));
    match site.give_and_watch(prepared, before, asked_to_go_back(lines)).await {
        Some(sick) => Answer::Back(sick),
        None => Answer::Done,
    }
}

/// Returns when whoever deploys wants the release before; never when he is gone.
async fn asked_to_go_back(lines: &mut Lines) {
    while let Some(request) = lines.next().await {
        if let Ok(Request::GoBack) = request {
            return;
        }
    }
    std::future::pending::<()>().await;
}
