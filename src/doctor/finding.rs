//! What can be wrong with a site: every finding there is, and what `--fix` does about it.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

use crate::user_error::UserError;

/// One thing that is wrong.
#[derive(Debug)]
pub struct Finding {
    pub id: FindingId,
    /// What is wrong, what was found, and what to do.
    pub error: UserError,
    /// What `nyala doctor --fix` does; `None` when a person has to act.
    pub repair: Option<Repair>,
    pub fixed: bool,
}

/// The stable names of findings, for programs. `docs/reliability.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FindingId {
    ActionFailed,
    AppSettings,
    BinaryMoved,
    BrokenLink,
    DubiousOwnership,
    EnvDamaged,
    EnvUnlinked,
    Frozen,
    Git,
    HookForeign,
    HookMissing,
    HookNotExecutable,
    HookOtherSite,
    HooksPath,
    InterpreterGone,
    Leftovers,
    Mode,
    Mounted,
    NewerNyala,
    NoAddress,
    NothingLive,
    NotListening,
    NotRemovable,
    NotRunning,
    NotServed,
    NotWritable,
    Owner,
    PushOptionsOff,
    Record,
    Repository,
    RestartLoop,
    RolloutCutShort,
    ServiceOutdated,
    Settings,
    Space,
    Stopped,
    StrictHook,
    Unhealthy,
    UvMissing,
    VenvMissing,
    WebhookFailed,
    WorkerDead,
    Wwwroot,
    WwwrootDangling,
}

/// What is safe to do without asking: none of it changes what is live.
#[derive(Debug)]
pub enum Repair {
    /// Write nyala's hook. A hook that is not nyala's is kept, and still runs.
    InstallHook { repository: PathBuf },
    /// Let pushes to this repository carry options.
    AllowPushOptions { repository: PathBuf },
    /// Let only the owner read these files.
    MakePrivate { files: Vec<PathBuf> },
    /// What every deployment does before it begins: record what was interrupted, and remove
    /// leftovers.
    Recover,
}

impl Finding {
    pub(super) fn new(id: FindingId, error: UserError) -> Finding {
        Finding { id, error, repair: None, fixed: false }
    }

    /// A finding that is an error of ours. `fix` is used only when the error does not name one.
    pub(super) fn from_error(
        id: FindingId,
        error: &anyhow::Error,
        fix: impl Into<String>,
    ) -> Finding {
        let is_denied = Finding::is_denied(error);
        let error = UserError::of(error);
        Finding::new(
            id,
            match &error.fixes[..] {
                [] if is_denied => error.fix("run this as the owner of the site"),
                [] => error.fix(fix),
                _ => error,
            },
        )
    }

    /// Whether something is only closed to this user, which may be as it should be.
    pub(super) fn is_denied(error: &anyhow::Error) -> bool {
        let denied = |cause: &io::Error| cause.kind() == io::ErrorKind::PermissionDenied;
        error.chain().filter_map(|cause| cause.downcast_ref()).any(denied)
    }

    pub(super) fn with_repair(self, repair: Repair) -> Finding {
        Finding { repair: Some(repair), ..self }
    }
}

impl FindingId {
    pub fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_finding_is_documented() {
        let page = include_str!("../../docs/reliability.md");
        for id in FindingId::value_variants() {
            assert_eq!(serde_json::to_value(id).unwrap(), id.name());
            assert!(page.contains(&format!("`{}`", id.name())), "{} is missing", id.name());
        }
    }
}
