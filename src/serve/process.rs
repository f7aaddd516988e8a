//! One process of an application: started, watched, started again when it ends, and ended.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::Error;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::{sleep, timeout};

use super::ending::{KILLED, how, how_of_shell};
use super::logs::ProcessLog;
use super::marks::{self, OfSite};
use super::pause::Pause;
use super::spec::Spec;
use super::{bounds, memory, port};
use crate::console::mask;
use crate::control::ProcessState;
use crate::process::{
    addresses, in_session, keep_close, kill_marked, marked, of_another_user, start_session,
    terminate_marked, terminate_session,
};
use crate::processes;
use crate::text::clean_bytes;

/// How often it is tried to connect to a process that is being started.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// The pause before it is looked again whether what a process has started has ended, too, grows
/// from one to the other: all processes of the machine are looked through.
const FIRST_END_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_END_PAUSE: Duration = Duration::from_millis(500);

/// The longest line of output, in bytes. What is longer continues on the next one.
const LINE: u64 = 16 << 10;

/// How many of the last lines are kept for the log of a deployment.
const RECENT: usize = 20;

/// A process that is kept running until it is stopped.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) spec: Spec,
    log: Rc<ProcessLog>,
    pid: Cell<Option<u32>>,
    /// Where it is to listen, if it answers requests: another port for each start, since somebody
    /// may have taken the one before meanwhile.
    port: Cell<Option<u16>>,
    /// The number of its last start, which all carry that it has started.
    start: Cell<u64>,
    since: Cell<Option<Timestamp>>,
    restarts: Cell<u32>,
    /// Whether it takes connections. Always false for one that has no port.
    accepts: Cell<bool>,
    /// How it ended the last time.
    last_end: RefCell<Option<String>>,
    recent: RefCell<VecDeque<String>>,
    /// Whether it is started again when it ends. One that is only tried is not.
    is_kept: Cell<bool>,
    /// How long it may take to end, once it has to.
    stopping: Cell<Option<Duration>>,
    stop: Notify,
    is_over: Cell<bool>,
    over: Notify,
    /// Told whenever any of this changes.
    changed: Rc<Notify>,
}

impl Process {
    /// Starts it once: see [`Process::keep`].
    pub(super) fn start(spec: Spec, log: Rc<ProcessLog>, changed: Rc<Notify>) -> Rc<Process> {
        let process = Rc::new(Process {
            spec,
            log,
            pid: Cell::new(None),
            port: Cell::new(None),
            start: Cell::new(0),
            since: Cell::new(None),
            restarts: Cell::new(0),
            accepts: Cell::new(false),
            last_end: RefCell::new(None),
            recent: RefCell::new(VecDeque::new()),
            is_kept: Cell::new(false),
            stopping: Cell::new(None),
            stop: Notify::new(),
            is_over: Cell::new(false),
            over: Notify::new(),
            changed,
        });
        spawn_local(Rc::clone(&process).supervise());
        process
    }

    /// Starts it again whenever it ends, from now on.
    pub(super) fn keep(&self) {
        self.is_kept.set(true);
        self.changed.notify_waiters();
    }

    pub(super) fn accepts(&self) -> bool {
        self.accepts.get()
    }

    /// Where it listens, or is to; 0 for one that does not.
    pub(super) fn port(&self) -> u16 {
        self.port.get().unwrap_or_default()
    }

    /// How it ended, if it has ended since it was started.
    pub(super) fn last_end(&self) -> Option<String> {
        self.last_end.borrow().clone()
    }

    /// The last lines that it printed, without secrets: anybody may be shown them.
    pub(super) fn recent(&self) -> Vec<String> {
        let mask = mask::known();
        self.recent.borrow().iter().map(|line| mask.apply(line).into_owned()).collect()
    }

    /// What is known of it without asking it.
    pub(super) fn state(&self) -> ProcessState {
        let pid = self.pid.get();
        ProcessState {
            process: self.spec.label(),
            release: self.spec.release,
            pid,
            since: self.since.get(),
            restarts: self.restarts.get(),
            memory: pid.and_then(memory::of_session),
            healthy: self.spec.is_web.then(|| self.accepts.get()),
        }
    }

    /// Where it and what it has started listen, wherever that is.
    pub(super) async fn addresses(&self) -> Vec<String> {
        let mark = self.mark();
        spawn_blocking(move || addresses(&marked(&mark))).await.unwrap_or_default()
    }

    /// Ends it: SIGTERM first, and SIGKILL after `grace`. Returns when it has ended.
    pub(super) async fn stop(&self, grace: Duration) {
        self.stopping.set(Some(grace));
        self.stop.notify_one();
        while !self.is_over.get() {
            self.over.notified().await;
        }
    }

    async fn supervise(self: Rc<Self>) {
        let mut pause = Pause::default();
        while self.stopping.get().is_none() {
            let started = Instant::now();
            let kills = memory::kills();
            self.start.set(marks::next());
            let mut end = match self.spawn() {
                Ok(child) => self.live(child).await,
                Err(error) => format!("it cannot be started: {error}"),
            };
            if end == KILLED && memory::kills() > kills {
                end += ", since memory was short";
            }
            self.pid.set(None);
            self.accepts.set(false);
            if self.stopping.get().is_some() {
                break;
            }
            self.since.set(None);
            *self.last_end.borrow_mut() = Some(end.clone());
            if !self.is_kept.get() {
                self.say(&end);
                self.changed.notify_waiters();
                self.is_to_go_on().await;
                continue;
            }
            self.restarts.set(self.restarts.get() + 1);
            let pause = pause.after(started.elapsed());
            self.say(&format!("{end}; it is started again in {:.1} s", pause.as_secs_f64()));
            self.changed.notify_waiters();
            let _ = timeout(pause, self.stop.notified()).await;
        }
        self.is_over.set(true);
        self.over.notify_waiters();
        self.changed.notify_waiters();
    }

    /// Returns once one that has ended is to be kept, or stopped.
    async fn is_to_go_on(&self) {
        while !self.is_kept.get() && self.stopping.get().is_none() {
            tokio::select! {
                () = self.changed.notified() => {}
                () = self.stop.notified() => {}
            }
        }
    }

    /// What everything carries that its last start has started.
    fn mark(&self) -> OfSite {
        OfSite::start(&self.spec.site, self.start.get())
    }

    fn spawn(&self) -> Result<Child, Error> {
        let Spec { command, folder, environment, is_web, .. } = &self.spec;
        let mut started = std::process::Command::new("/bin/sh");
        // Where it can, the program takes the place of the shell, as with Heroku: so it is the one
        // that is told to end, and whose end is seen.
        started
            .arg("-c")
            .arg(processes::in_place_of_shell(command).as_deref().unwrap_or(command))
            .current_dir(folder)
            .env_clear()
            .envs(environment.iter())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if *is_web {
            let port =
                port::free().ok_or_else(|| Error::other("no port of this machine is free"))?;
            self.port.set(Some(port));
            started.env("PORT", port.to_string());
        }
        self.mark().put_on(&mut started);
        bounds::set(&mut started);
        start_session(&mut started);
        keep_close(&mut started);
        Command::from(started).spawn()
    }

    /// Watches a process until it ends by itself or is stopped. Says how it ended.
    async fn live(self: &Rc<Self>, mut child: Child) -> String {
        let pid = child.id();
        self.pid.set(pid);
        self.since.set(Some(Timestamp::now()));
        if let Some(stdout) = child.stdout.take() {
            spawn_local(Rc::clone(self).relay(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            spawn_local(Rc::clone(self).relay(stderr));
        }
        let wait = async {
            tokio::select! {
                ended = child.wait() => Some(ended),
                () = self.wait_for_connections() => None,
            }
        };
        let ended = tokio::select! {
            ended = wait => ended,
            () = self.stop.notified() => return self.end(child).await,
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            tokio::select! {
                ended = child.wait() => ended,
                () = self.stop.notified() => return self.end(child).await,
            }
        };
        self.accepts.set(false);
        // Whatever it has started is of no use without it, and would hold its port.
        self.kill_all().await;
        match ended {
            Ok(status) if processes::in_place_of_shell(&self.spec.command).is_some() => how(status),
            Ok(status) => how_of_shell(status),
            Err(error) => format!("it cannot be watched: {error}"),
        }
    }

    /// Returns when the process takes connections; never for one that has no port.
    async fn wait_for_connections(&self) {
        let Some(port) = self.port.get() else { return std::future::pending().await };
        let mut is_said = false;
        loop {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                let other = spawn_blocking(move || of_another_user(port)).await.ok().flatten();
                let Some(other) = other else { break };
                if !is_said {
                    let who = format!("user {other} listens on its port, {port}, and gets no");
                    self.say(&format!("{who} requests"));
                    is_said = true;
                }
            }
            sleep(CONNECT_PAUSE).await;
        }
        self.accepts.set(true);
        self.changed.notify_waiters();
    }

    async fn end(&self, mut child: Child) -> String {
        self.accepts.set(false);
        let grace = self.stopping.get().unwrap_or(super::STOP_PATIENCE);
        let session = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        if let Some(session) = session {
            let mark = self.mark();
            let tell = move || {
                terminate_session(session);
                terminate_marked(&mark, session);
            };
            let _ = spawn_blocking(tell).await;
        }
        // The shell of `cd x && program` ends at once; the program has its time all the same.
        let mut who = "it";
        let ended = timeout(grace, async {
            let _ = child.wait().await;
            who = "what it has started";
            self.until_none_is_left(session).await;
        });
        if ended.await.is_err() {
            self.say(&format!("{who} did not end in {} s, and is killed", grace.as_secs()));
        }
        self.kill_all().await;
        let _ = child.wait().await;
        "it was stopped".to_owned()
    }

    /// Ends everything that a start of it has left. All processes of the machine are looked
    /// through for it, while visitors are answered.
    async fn kill_all(&self) {
        let mark = self.mark();
        let _ = spawn_blocking(move || kill_marked(&mark)).await;
    }

    /// Returns when nothing of its session is left, nor of what has left that.
    async fn until_none_is_left(&self, session: Option<Pid>) {
        let Some(session) = session else { return };
        let mut pause = FIRST_END_PAUSE;
        loop {
            let mark = self.mark();
            let is_left = move || !in_session(session).is_empty() || !marked(&mark).is_empty();
            if !spawn_blocking(is_left).await.unwrap_or_default() {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_END_PAUSE);
        }
    }

    async fn relay(self: Rc<Self>, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut output).take(LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => self.heard(line.strip_suffix(b"\n").unwrap_or(&line)),
            }
        }
    }

    fn heard(&self, line: &[u8]) {
        let text = clean_bytes(line);
        self.log.line(&self.spec, &text);
        let mut recent = self.recent.borrow_mut();
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(text.into_owned());
    }

    /// What nyala itself has to say of it.
    pub(super) fn say(&self, text: &str) {
        self.log.line(&self.spec, &format!("nyala: {text}"));
    }
}

/// Ends processes, all at once: however many there are, it takes no longer than one `grace`.
pub(super) async fn stop_all(processes: Vec<Rc<Process>>, grace: Duration) {
    let stopping = processes.into_iter().map(|it| spawn_local(async move { it.stop(grace).await }));
    let stopping: Vec<_> = stopping.collect();
    for stopping in stopping {
        let _ = stopping.await;
    }
}
