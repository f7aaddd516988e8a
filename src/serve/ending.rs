//! How a process has ended, in words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How one ended that nobody can ask any more: the kernel ends one so when memory is short.
pub(super) const KILLED: &str = "it was killed by signal 9";

/// How a process has ended.
pub(super) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it exited with {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

/// How the program has ended that a shell ran and waited for: the shell exits with 128 and the
/// signal that has killed it. See POSIX, Exit Status for Commands.
pub(super) fn how_of_shell(status: ExitStatus) -> String {
    match status.code().map(|code| code - 128) {
        Some(signal @ 1..=64) => format!("it was killed by signal {signal}"),
        _ => how(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_whoever_waited_for_the_program() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        assert_eq!(how(ExitStatus::from_raw(9)), KILLED);
        assert_eq!(how(exited(137)), "it exited with 137");
        assert_eq!(how_of_shell(ExitStatus::from_raw(9)), KILLED);
        assert_eq!(how_of_shell(exited(137)), KILLED);
        for code in [0, 1, 127, 128, 255] {
            assert_eq!(how_of_shell(exited(code)), format!("it exited with {code}"));
        }
    }
}
