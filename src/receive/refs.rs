//! The lines git gives to a post-receive hook, and which of them is deployed.

use anyhow::{Result, bail};

use super::error;
use crate::git::RefUpdate;
use crate::site::DeploymentId;
use crate::text::{escaped, excerpt};

/// Reads all the lines of a hook's standard input.
pub fn parse(input: &[u8]) -> Result<Vec<RefUpdate>> {
    let lines = input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(parse_line).collect()
}

pub(super) fn parse_line(line: &[u8]) -> Result<RefUpdate> {
    let text = String::from_utf8_lossy(line);
    // A ref name has no spaces, but whatever follows the second one belongs to it.
    let [old, new, name] = text.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        bail!(error::bad_line(&excerpt(&text)));
    };
    for id in [old, new] {
        if ![40, 64].contains(&id.len()) || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            bail!(error::bad_id(&excerpt(id)));
        }
    }
    Ok(RefUpdate { refname: name.into(), old_oid: old.to_owned(), new_oid: new.to_owned() })
}

/// The branch a site without one takes: the first that is pushed. Of several, the one HEAD names,
/// since that is what the repository was made with.
pub fn first_branch<'a>(updates: &'a [RefUpdate], head: Option<&str>) -> Option<&'a str> {
    let mut pushed =
        updates.iter().filter(|update| !update.is_deletion()).filter_map(RefUpdate::branch);
    let first = pushed.clone().next();
    pushed.find(|branch| Some(*branch) == head).or(first)
}

/// What is said of a ref that is not deployed; one line.
pub fn not_deployed(
    update: &RefUpdate,
    deploy_branch: Option<&str>,
    live: Option<DeploymentId>,
) -> String {
    let Some(deploy) = deploy_branch else {
        let name = escaped(update.refname.as_str());
        return format!(
            "{name} deploys nothing: no branch was pushed yet. To deploy: git push REMOTE HEAD:main"
        );
    };
    let remedy = format!("git push REMOTE HEAD:{}", escaped(deploy));
    match (update.branch(), update.is_deletion()) {
        (Some(branch), true) if branch == deploy => {
            let stays = live.map_or("nothing was live".to_owned(), |id| {
                format!("the site stays up at deployment {id}")
            });
            format!(
                "The deploy branch {} was deleted; {stays}. To deploy again: {remedy}",
                escaped(branch)
            )
        }
        (Some(branch), true) => {
            format!(
                "Branch {} was deleted, which deploys nothing. To deploy: {remedy}",
                escaped(branch)
            )
        }
        (Some(branch), false) => {
            format!(
                "Branch {} is not the deploy branch {}: not deployed. To deploy it: {remedy}",
                escaped(branch),
                escaped(deploy)
            )
        }
        (None, _) => {
            format!(
                "{} is not a branch: not deployed. To deploy: {remedy}",
                escaped(update.refname.as_str())
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const ONE: &str = "1111111111111111111111111111111111111111";

    fn update(old: &str, new: &str, name: &str) -> RefUpdate {
        RefUpdate { refname: name.into(), old_oid: old.into(), new_oid: new.into() }
    }

    #[test]
    fn every_line_is_read() {
        let input =
            format!("{ZERO} {ONE} refs/heads/main\n{ONE} {ZERO} refs/tags/$(touch${{IFS}}x)\n");
        let read = parse(input.as_bytes()).unwrap();
        assert_eq!(
            read,
            [update(ZERO, ONE, "refs/heads/main"), update(ONE, ZERO, "refs/tags/$(touch${IFS}x)")]
        );
        assert!(!read[0].is_deletion() && read[1].is_deletion());
    }

    #[test]
    fn sha256_ids_are_ids() {
        let (zero, one) = ("0".repeat(64), "a".repeat(64));
        assert!(parse(format!("{one} {zero} refs/heads/x\n").as_bytes()).unwrap()[0].is_deletion());
    }

    #[test]
    fn what_is_no_line_of_git_is_an_error() {
        for wrong in [
            "x",
            "1 2 3",
            &format!("{ZERO} {ONE}"),
            &format!("{ZERO} {} refs/heads/x", "g".repeat(40)),
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_branch_is_heads_when_several_come_at_once() {
        let updates = [
            update(ZERO, ONE, "refs/tags/v1"),
            update(ZERO, ONE, "refs/heads/feature"),
            update(ZERO, ONE, "refs/heads/main"),
        ];
        assert_eq!(first_branch(&updates, Some("main")), Some("main"));
        assert_eq!(first_branch(&updates, Some("master")), Some("feature"));
        assert_eq!(first_branch(&updates[..1], Some("main")), None);
    }

    #[test]
    fn what_is_not_deployed_says_what_to_type() {
        let of = |new: &str, name: &str| {
            not_deployed(&update(ZERO, new, name), Some("main"), Some(DeploymentId::of(3)))
        };
        assert_eq!(
            of(ONE, "refs/heads/feature"),
            "Branch feature is not the deploy branch main: not deployed. To deploy it: git push \
             REMOTE HEAD:main"
        );
        assert_eq!(
            of(ZERO, "refs/heads/main"),
            "The deploy branch main was deleted; the site stays up at deployment 3. To deploy \
             again: git push REMOTE HEAD:main"
        );
        assert!(of(ONE, "refs/tags/v1").starts_with("refs/tags/v1 is not a branch: not deployed."));
        assert!(of(ONE, "refs/heads/\u{9b}2Jx\u{202e}").contains("\\u{9b}2Jx\\u{202e}"));
        assert!(of(ONE, "refs/heads/\u{1b}[2J\u{202e}x").contains("\\u{1b}[2J\\u{202e}x"));
    }
}
