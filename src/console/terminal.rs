//! What is known of the terminal that something is printed to.

use std::io::IsTerminal;
use std::os::fd::AsFd;

/// How many columns the terminal has; `None` when `out` is none, so that nothing is cut there.
pub fn columns(out: impl AsFd) -> Option<usize> {
    let out = out.as_fd();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(out).ok())??;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Whether the terminal can do no more than print.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb")
}
