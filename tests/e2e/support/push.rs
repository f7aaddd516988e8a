//! A push, as the developer sees it.

use rustix::process::Signal;

use super::{Ran, Running};

#[derive(Debug)]
pub(crate) struct Push {
    /// Whether `git push` itself exited with 0.
    pub accepted: bool,
    /// What the hook printed: the lines that git marks with `remote: `, without that mark.
    pub output: String,
    /// All that git printed to standard error.
    pub stderr: String,
}

impl Push {
    pub(crate) fn new(ran: Ran) -> Self {
        let output = ran
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("remote:"))
            // git pads what it relays with blanks.
            .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
            .fold(String::new(), |all, line| all + line + "\n");
        Self { accepted: ran.status.success(), output, stderr: ran.stderr }
    }

    /// The push was accepted, and its commit went live.
    #[track_caller]
    pub(crate) fn assert_success(&self) -> &Self {
        assert!(self.accepted, "git push failed:\n{}", self.stderr);
        assert!(self.last_line().starts_with("success: "), "no success:\n{}", self.stderr);
        self
    }

    /// The push was accepted, its deployment failed, and `text` is in the log.
    #[track_caller]
    pub(crate) fn assert_failed_with(&self, text: &str) -> &Self {
        assert!(self.accepted, "git push failed:\n{}", self.stderr);
        assert!(self.last_line().starts_with("error: "), "no error at the end:\n{}", self.stderr);
        self.assert_says(text)
    }

    /// The push was accepted and nothing was deployed, and one line with `text` says so.
    #[track_caller]
    pub(crate) fn assert_deployed_nothing(&self, text: &str) -> &Self {
        assert!(self.accepted, "git push failed:\n{}", self.stderr);
        assert!(!self.output.contains("-----> "), "{}", self.stderr);
        let said = self.output.lines().filter(|line| line.contains(text));
        assert_eq!(said.count(), 1, "not one {text:?}:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn assert_says(&self, text: &str) -> &Self {
        assert!(self.output.contains(text), "no {text:?}:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn assert_does_not_say(&self, text: &str) -> &Self {
        assert!(!self.output.contains(text), "{text:?}:\n{}", self.stderr);
        self
    }

    /// The last line that the hook printed; empty when it printed none.
    pub(crate) fn last_line(&self) -> &str {
        self.output.lines().next_back().unwrap_or_default()
    }
}

/// A push that has not returned yet.
#[derive(Debug)]
pub(crate) struct RunningPush(Running);

impl RunningPush {
    pub(crate) fn new(running: Running) -> Self {
        Self(running)
    }

    pub(crate) fn wait(self) -> Push {
        Push::new(self.0.wait())
    }

    /// Kills only `git push`, not its children.
    pub(crate) fn kill_client(&self) {
        self.0.signal(Signal::KILL);
    }

    /// Interrupts `git push` and everything it started, like Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.0.signal_group(Signal::INT);
    }

    /// Kills `git push` and everything it started, including the hook.
    pub(crate) fn kill_all(&self) {
        self.0.signal_group(Signal::KILL);
    }

    /// Stops `git push`, so that it no longer reads.
    pub(crate) fn stop_client(&self) {
        self.0.signal(Signal::STOP);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.is_running()
    }
}
