//! Dying on purpose, in a build with the feature `faults` alone: release builds do not have this
//! file.
//!
//! `NYALA_FAULT_AT=worker:12` kills the process that runs `nyala worker` with SIGKILL at the
//! twelfth change of the disk that it is about to make or has just made. The name before the colon
//! is the subcommand, because hook and worker have the same environment. `NYALA_FAULT_TRACE=FILE`
//! adds a line `SUBCOMMAND NUMBER NAME PATH` to a file for each point that is passed, so that a
//! test knows which there are.

use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static PASSED: AtomicU64 = AtomicU64::new(0);

struct Wanted {
    /// The subcommand that this process carries out.
    own: String,
    /// At which point to die.
    at: Option<u64>,
    trace: Option<OsString>,
}

pub(super) fn passed(name: &str, path: Option<&Path>) {
    static WANTED: OnceLock<Wanted> = OnceLock::new();
    let wanted = WANTED.get_or_init(Wanted::read);
    let this = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(file) = &wanted.trace {
        let path = path.unwrap_or(Path::new("-")).display();
        let line = format!("{}\t{this}\t{name}\t{path}\n", wanted.own);
        // One write to a file that is open for appending: threads and processes do not mix their
        // lines.
        if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file) {
            let _ = file.write_all(line.as_bytes());
        }
    }
    if wanted.at == Some(this) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

impl Wanted {
    fn read() -> Wanted {
        // The first argument that is no option; `--site SITE` stands after it wherever nyala starts
        // itself.
        let own =
            env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
        let at = env::var("NYALA_FAULT_AT").ok();
        let at = at
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .filter(|(command, _)| *command == own);
        let at = at.and_then(|(_, number)| number.parse().ok());
        Wanted { own, at, trace: env::var_os("NYALA_FAULT_TRACE") }
    }
}
