//! What git tells a post-receive hook on its standard input.

use nyala::git::RefUpdate;
use nyala::ids::DeploymentId;
use nyala::receive::refs::{first_branch, not_deployed, parse};

use super::text::{LONGEST, assert_fit_to_be_shown};

pub fn check(data: &[u8]) {
    let updates = match parse(data) {
        Ok(updates) => updates,
        Err(error) => return assert_fit_to_be_shown(&error.to_string(), LONGEST),
    };
    for update in &updates {
        assert_is_an_update(update);
        for (deploy, live) in
            [(None, None), (Some("main"), None), (Some("main"), Some(DeploymentId::FIRST))]
        {
            let said = not_deployed(update, deploy, live);
            assert_fit_to_be_shown(&said, update.refname.as_str().len() * 24 + LONGEST);
            assert!(!said.contains('\n'), "{said:?}");
        }
    }
    // What was read, written as git writes it, is what was given.
    let written: Vec<String> = updates
        .iter()
        .map(|RefUpdate { refname, old_oid, new_oid }| format!("{old_oid} {new_oid} {refname}"))
        .collect();
    let given = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    assert_eq!(written, given.map(String::from_utf8_lossy).collect::<Vec<_>>());
    let written = written.join("\n");
    assert_eq!(parse(written.as_bytes()).expect("it was read before"), updates);

    for head in [None, Some("main")] {
        let pushed: Vec<_> = updates
            .iter()
            .filter(|update| !update.is_deletion())
            .filter_map(RefUpdate::branch)
            .collect();
        match first_branch(&updates, head) {
            Some(branch) => assert!(pushed.contains(&branch)),
            None => assert!(pushed.is_empty()),
        }
    }
}

pub fn assert_is_an_update(RefUpdate { refname: _, old_oid, new_oid }: &RefUpdate) {
    for id in [old_oid, new_oid] {
        assert!(
            matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id:?}"
        );
    }
}
