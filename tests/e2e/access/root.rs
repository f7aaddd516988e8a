//! What root leaves behind, and what it brings along.

use super::{Owned, trust_every_repository};
use crate::support::{Running, Sandbox, User};

#[test]
fn a_push_by_root_whose_files_only_root_can_read_leaves_nothing_either() {
    let sandbox = Sandbox::new();
    let Some([ada]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    owned.push(&ada, "1").assert_success();
    let line = owned.push_line("2", owned.repository.to_str().unwrap());
    trust_every_repository(&sandbox);
    let mut closed = sandbox.command("sh");
    Running::start(closed.args(["-c", &format!("umask 077; {line}")])).wait().assert_success();
    assert_eq!(owned.live("page"), "2");
    owned.assert_belongs_to(&ada);
    owned.push(&ada, "3").assert_success();
    assert_eq!(owned.live("page"), "3");
}

#[test]
fn what_is_in_roots_environment_is_not_for_the_project() {
    let sandbox = Sandbox::new();
    let Some([ada]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    owned.push(&ada, "1").assert_success();
    ada.nyala(&owned.site, &["config", "set", "OWN=setting", "--no-restart"]).assert_success();
    let line = owned.push_line("2", owned.repository.to_str().unwrap()).replace("id -un", "env");
    ada.sh(&line).assert_success();
    let mut command = sandbox.nyala_command();
    command.arg("--site").arg(&owned.site).arg("redeploy");
    command.envs([("CLOUD_TOKEN", "of-root"), ("PIP_INDEX_URL", "of-root"), ("LC_TIME", "C")]);
    Running::start(&mut command).wait().assert_success();
    let environment = owned.live("who");
    assert!(!environment.contains("of-root"), "{environment}");
    for kept in ["LC_TIME=C", "OWN=setting", "PATH="] {
        assert!(environment.contains(kept), "{environment}");
    }
}
