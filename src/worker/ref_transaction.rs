//! In a strict site the pushed refs move with what is live: in one step, under locks that are held
//! for moments.

use anyhow::Result;

use super::error;
use crate::git::{Prepared, RefUpdate, Repository};
use crate::site::{DeploymentId, Record};
use crate::user_error::Explain;

/// Locks the refs that this deployment moves, from where their pusher saw them; `None` when it
/// moves none. They move when the result is committed, and stay when it is dropped.
pub(super) fn prepare(repository: &Repository, record: &Record) -> Result<Option<Prepared>> {
    if record.moves.is_empty() {
        return Ok(None);
    }
    let prepared = Prepared::new(repository.path(), &record.moves)
        .explain(|| error::has_moved(record.update.refname.short()))?;
    Ok(Some(prepared))
}

/// Fails when the refs cannot be moved any more, before anything is built for nothing.
pub(super) fn check(repository: &Repository, record: &Record) -> Result<()> {
    prepare(repository, record).map(drop)
}

/// Moves the refs of a deployment that was killed between going live and moving them. Returns
/// whether they have moved now, also when they had before.
pub fn finish(
    repository: &Repository,
    live: Option<DeploymentId>,
    record: &Record,
) -> Result<bool> {
    if live != Some(record.id) || record.moves.is_empty() {
        return Ok(false);
    }
    if let Ok(Some(prepared)) = prepare(repository, record) {
        prepared.commit()?;
        return Ok(true);
    }
    // Where they are not what they were, they are what they were to be, or somebody else's by now.
    let moved: Vec<_> = record
        .moves
        .iter()
        .map(|update| RefUpdate::unmoved(update.refname.clone(), &update.new_oid))
        .collect();
    Ok(Prepared::new(repository.path(), &moved).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Refs, bare_git, git, run};

    #[test]
    fn a_push_whose_worker_was_killed_after_going_live_is_taken_later() {
        let folder = tempfile::tempdir().unwrap();
        run(bare_git().args(["init", "--quiet", "--bare"]).arg(folder.path())).unwrap();
        let tree =
            run(git(folder.path()).args(["hash-object", "-t", "tree", "-w", "/dev/null"])).unwrap();
        let commit = |message: &str| {
            let identity = ["-c", "user.name=A", "-c", "user.email=a@b"];
            run(git(folder.path()).args(identity).args(["commit-tree", "-m", message, &tree]))
                .unwrap()
        };
        let (old, new, other) = (commit("1"), commit("2"), commit("3"));
        let repository = Repository::open(folder.path()).unwrap();
        let put =
            |id: &str| run(git(folder.path()).args(["update-ref", "refs/heads/main", id])).unwrap();
        let record: Record = serde_json::from_value(serde_json::json!({
            "id": 2,
            "status": "building",
            "commit": new,
            "message": "",
            "author": "",
            "trigger": "push",
            "refname": "refs/heads/main",
            "old_oid": old,
            "new_oid": new,
            "moves": [{ "refname": "refs/heads/main", "old_oid": old, "new_oid": new }],
            "steps": [],
            "created_at": "2026-01-02T03:04:05Z",
        }))
        .unwrap();

        put(&old);
        assert!(
            !finish(&repository, Some(DeploymentId::of(1)), &record).unwrap(),
            "it is not live"
        );
        assert_eq!(repository.resolve("main").unwrap(), old);
        for _ in 0..2 {
            assert!(finish(&repository, Some(DeploymentId::of(2)), &record).unwrap());
            assert_eq!(repository.resolve("main").unwrap(), new);
        }
        put(&other);
        assert!(
            !finish(&repository, Some(DeploymentId::of(2)), &record).unwrap(),
            "another push has moved it since"
        );
        assert_eq!(repository.resolve("main").unwrap(), other);
    }
}
