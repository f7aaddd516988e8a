//! The post-receive hook that was there before nyala's: it still runs, with the same input.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Reader;
use crate::setup::KEPT_HOOK;

/// Runs the kept hook, if there is one, in the environment git gave to this hook. What becomes of
/// it is its own affair. `hooks` is the folder of nyala's own hook: `core.hooksPath` can name any.
pub(super) fn run(hooks: &Path, input: &[u8]) {
    let hook = hooks.join(KEPT_HOOK);
    if !hook.is_file() {
        return;
    }
    let started = Command::new(&hook).stdin(Stdio::piped()).spawn();
    let ended = started.and_then(|mut child| {
        if let Some(mut stdin) = child.stdin.take() {
            // A hook that does not read its input is a hook all the same.
            let _ = stdin.write_all(input);
        }
        child.wait()
    });
    let fact = match ended {
        Ok(status) if status.success() => return,
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("cannot be run: {error}"),
    };
    Reader::Pusher.say(&format!("warning: the hook kept at {} {fact}", hook.display()));
}
