//! Writes a deployment's log, and diagnostics to standard error.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::bounded::{BoundedLog, Limits};
use super::mask::{self, Mask};
use super::{INDENT, TARGET};
use crate::text;

pub const STEP: &str = "-----> ";

/// Marks a line that those who follow a deployment do not get, at its end. See [`super::brief`].
pub(super) const DETAIL: &str = " ";

/// A handle for the log that this process writes. A worker points it at one deployment after the
/// other.
#[derive(Clone, Default)]
pub struct Log {
    sink: Arc<Mutex<Sink>>,
}

impl Log {
    /// Writes to this file from now on, which should be open for appending (see
    /// [`crate::disk::create_file`]). Each event is one write of whole lines, so that neither a
    /// reader nor a second writer ever sees half a line.
    pub fn write_to(&self, file: File, path: PathBuf) {
        *self.sink() = Sink {
            to: Some(To::Log(BoundedLog::new(path, file, Limits::default()))),
            ..Sink::default()
        };
    }

    /// Puts a log that has become too long into one file: see [`super::bounded`].
    fn settle(&self) -> anyhow::Result<()> {
        match &mut self.sink().to {
            Some(To::Log(log)) => log.settle(),
            Some(To::Stream(_)) | None => Ok(()),
        }
    }

    /// Drops everything from now on.
    pub fn close(&self) {
        *self.sink() = Sink::default();
    }

    /// The layer that writes events of the target `deployment` to this log.
    fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        DeploymentLog(self.clone())
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    fn write_into(&self, to: Box<dyn Write + Send>) {
        *self.sink() = Sink { to: Some(To::Stream(to)), ..Sink::default() };
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets this process up as a worker. Nothing is written before [`Log::write_to`]. Secrets that are
/// known when a line is written (see [`mask::know`]) are masked.
pub fn init_worker() -> Log {
    let log = Log::default();
    install(Some(&log));
    let _ = WORKERS.set(log.clone());
    log
}

/// The log of this process, if it is a worker.
static WORKERS: OnceLock<Log> = OnceLock::new();

/// Puts the parts of this deployment's log into one file, before anybody reads how it ended. If
/// there is no space for that, the log stays in parts.
pub fn settle_log() {
    if let Some(log) = WORKERS.get()
        && let Err(error) = log.settle()
    {
        tracing::debug!("the log stays in parts: {error:#}");
    }
}

/// Sets this process up as a command that has no deployment log: diagnostics only.
pub fn init_command() {
    install(None);
}

/// Sets this process up as `nyala step`, whose log is its standard output.
pub fn init_step() -> Log {
    let log = Log::default();
    log.write_into(Box::new(io::stdout()));
    install(Some(&log));
    log
}

fn install(log: Option<&Log>) {
    // Only tests set a second subscriber in one process; the first one stays.
    let _ = tracing_subscriber::registry().with(log.map(Log::layer)).with(diagnostics()).try_init();
}

/// The layer that prints diagnostics to standard error, without colours. `NYALA_LOG` is its level:
/// `error`, `warn`, `info`, `debug` or `trace`; any other word means `debug`. `None` if the
/// variable is unset or empty.
pub fn diagnostics<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let wanted = std::env::var("NYALA_LOG").ok().filter(|level| !level.is_empty())?;
    let level = wanted.parse().unwrap_or(LevelFilter::DEBUG);
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(|| Masked(io::stderr()))
        .with_filter(filter_fn(|event| event.target() != TARGET))
        .with_filter(level);
    Some(layer)
}

/// Masks diagnostics: those of a worker end up in the deployment's log. Each event is one write.
struct Masked<W>(W);

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(mask::known().apply(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct DeploymentLog(Log);

impl<S: Subscriber> Layer<S> for DeploymentLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut logged = LogEvent::default();
        event.record(&mut logged);
        self.0.sink().write(&logged);
    }
}

/// The fields of an event of [`TARGET`].
#[derive(Default)]
struct LogEvent {
    kind: String,
    text: String,
}

impl Visit for LogEvent {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "kind" => value.clone_into(&mut self.kind),
            "message" => value.clone_into(&mut self.text),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.text, "{value:?}");
        }
    }
}

impl LogEvent {
    /// The lines of the event as they stand in the log. Only the first line of an error, warning,
    /// hint or success begins with the word that the git client colours.
    fn lines(&self, mask: &Mask, begun: &mut Vec<u8>) -> String {
        let mut lines = String::with_capacity(self.text.len() + 16);
        for (number, line) in self.text.trim_end_matches('\n').split('\n').enumerate() {
            let line = text::clean(line);
            let line = mask.apply_on(begun, &line);
            // No child can make the mark of a detail.
            let line = line.trim_end_matches(DETAIL);
            match (number, self.kind.as_str()) {
                (0, "step" | "quiet step") => lines.push_str(STEP),
                (0, "error" | "warning" | "hint" | "success") => {
                    lines.push_str(&self.kind);
                    lines.push_str(": ");
                }
                _ if line.is_empty() => {}
                _ => lines.push_str(INDENT),
            }
            lines.push_str(line);
            if matches!(self.kind.as_str(), "detail" | "quiet step") && !line.is_empty() {
                lines.push_str(DETAIL);
            }
            lines.push('\n');
        }
        lines
    }
}

/// Where lines go. A full disk must not stop a deployment: lines that could not be written are
/// counted, and their number is logged when writing works again.
#[derive(Default)]
struct Sink {
    to: Option<To>,
    /// `None` means the mask of the process.
    mask: Option<Arc<Mask>>,
    lost: Option<Lost>,
    /// The end of the last line that may be the beginning of a secret.
    begun: Vec<u8>,
    /// Whether the last write ended within a line.
    torn: bool,
}

enum To {
    Log(BoundedLog),
    Stream(Box<dyn Write + Send>),
}

impl To {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Log(log) => log,
            Self::Stream(stream) => stream,
        }
    }
}

struct Lost {
    lines: usize,
    why: io::Error,
}

impl Sink {
    fn write(&mut self, event: &LogEvent) {
        let Some(to) = &mut self.to else { return };
        let mask = self.mask.clone().unwrap_or_else(mask::known);
        let lines = event.lines(&mask, &mut self.begun);

        let mut bytes = String::new();
        if self.torn {
            bytes.push('\n');
        }
        if let Some(Lost { lines, why }) = &self.lost {
            let _ = writeln!(bytes, "{INDENT}({lines} lines are missing here: {why})");
        }
        bytes.push_str(&lines);

        match write_whole(to.writer(), bytes.as_bytes()) {
            Ok(()) => {
                self.lost = None;
                self.torn = false;
            }
            Err((written, why)) => {
                if written > 0 {
                    self.torn = !bytes.as_bytes()[..written].ends_with(b"\n");
                }
                let before = self.lost.take().map_or(0, |lost| lost.lines);
                let lines = before + lines.lines().count();
                self.lost = Some(Lost { lines, why });
            }
        }
    }
}

/// Writes all bytes, in one write if the system takes them. An error contains the number of bytes
/// that were written before it.
fn write_whole(to: &mut dyn Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match to.write(&bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    to.flush().map_err(|error| (written, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console;

    /// A disk with space for `room` bytes; a test can add more.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Disk {
        fn with_room(room: usize) -> Self {
            Self(Arc::new(Mutex::new((Vec::new(), room))))
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (written, room) = &mut *self.0.lock().unwrap();
            let count = bytes.len().min(*room);
            if count == 0 {
                return Err(io::Error::from_raw_os_error(28));
            }
            *room -= count;
            written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(disk: &Disk, mask: Mask, talk: impl FnOnce()) -> String {
        let log = Log::default();
        log.write_into(Box::new(disk.clone()));
        log.sink().mask = Some(Arc::new(mask));
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, talk);
        disk.text()
    }

    #[test]
    fn each_kind_has_its_own_look() {
        let text = logged(&Disk::with_room(10_000), Mask::default(), || {
            let _ = console::step("Pip install requirements.");
            console::info("Collecting flask\n\nerror: looks like one");
            console::warning("old Python");
            console::hint("type this");
            console::error("pip exited 1\nfound: nothing");
            console::success("live");
            tracing::info!("not for the log");
        });
        let expected = "-----> Pip install requirements.
       Collecting flask

       error: looks like one
warning: old Python
hint: type this
error: pip exited 1
       found: nothing
success: live
";
        assert_eq!(text, expected);
    }

    #[test]
    fn lines_are_masked_and_have_no_control_characters() {
        let text = logged(&Disk::with_room(10_000), Mask::new(["hunter22"]), || {
            console::info("\u{1b}[31mhunt\u{1b}[0mer22\0");
            console::error("cannot reach https://me:pw@host/");
        });
        assert_eq!(text, "       ****\\u{0}\nerror: cannot reach https://****@host/\n");
    }

    #[test]
    fn a_full_disk_stops_nothing_and_missing_lines_are_counted() {
        let disk = Disk::with_room(20);
        let text = logged(&disk, Mask::default(), || {
            console::info("first");
            console::info("second");
            console::info("third");
            disk.0.lock().unwrap().1 = 10_000;
            console::info("fourth");
        });
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("       first"));
        assert_eq!(lines.next(), Some("       "));
        let missing = lines.next().unwrap();
        assert!(missing.contains("(2 lines are missing here: No space left"), "{missing}");
        assert_eq!(lines.next(), Some("       fourth"));
    }

    #[test]
    fn without_a_file_nothing_is_written_and_nothing_fails() {
        let log = Log::default();
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, || console::info("x"));
        log.close();
    }
}
