use super::*;
use crate::site::record::NotifyKind;

const ID: fn(u64) -> DeploymentId = DeploymentId::of;

fn paths() -> (&'static Path, &'static Path) {
    (Path::new("/srv/shop"), Path::new("/srv/shop/repository.git"))
}

#[test]
fn what_a_dead_worker_leaves_is_put_right() {
    let (site, _) = paths();
    insta::assert_snapshot!(unreadable_record("EOF", &site.join("deployments/7")), @"
    EOF
    rm -r /srv/shop/deployments/7
    ");
    insta::assert_snapshot!(worker_is_dead(ID(7), "building"), @"
    deployment 7 is building, but its worker is dead
    Clean up after it: nyala doctor --fix
    ");
    insta::assert_snapshot!(left_over(&site.join("envs/7"), 2), @"
    /srv/shop/envs/7 (and 2 more) is not needed by any kept release
    Clean up after it: nyala doctor --fix
    ");
    let mount = "/srv/shop/releases/7/media is mounted";
    insta::assert_snapshot!(is_mounted("release 7", &mount, "umount it".to_owned()), @"
    release 7 can never be removed: /srv/shop/releases/7/media is mounted
    umount it
    ");
    let path = site.join("releases/.trash-7");
    let obstacle = |why| Obstacle { path: path.join("log"), why };
    let stuck = |why| {
        let stuck = Stuck { what: "release 7".into(), path: path.clone(), obstacle: obstacle(why) };
        cannot_be_removed(&stuck, 1000)
    };
    insta::assert_snapshot!(stuck(Why::Protected), @"
    release 7 can never be removed: chattr has protected /srv/shop/releases/.trash-7/log, as lsattr shows
    chattr -R -f -i -a /srv/shop/releases/.trash-7; nyala gc
    ");
    insta::assert_snapshot!(stuck(Why::Foreign(33)), @"
    release 7 can never be removed: only user 33 can remove /srv/shop/releases/.trash-7/log
    chown -R -h 1000 /srv/shop/releases/.trash-7; nyala gc
    ");
    let failure = NotifyFailure {
        kind: NotifyKind::Action,
        name: "10-restart".to_owned(),
        error: "it exited with 1".to_owned(),
    };
    insta::assert_snapshot!(notify_failed(ID(7), &failure), @"
    after deployment 7, the action 10-restart failed: it exited with 1
    see nyala build-log 7, fix it, and deploy again: nyala redeploy
    ");
}

#[test]
fn what_is_wrong_with_what_is_live_is_rebuilt() {
    let (site, _) = paths();
    insta::assert_snapshot!(release_is_gone(&site.join("releases/7")), @"
    wwwroot points to /srv/shop/releases/7, which does not exist: nothing is served
    nyala redeploy
    ");
    let (link, env) = (site.join("releases/7/env"), site.join("envs/5"));
    insta::assert_snapshot!(link_leads_elsewhere(&link, &env), @"
    /srv/shop/releases/7/env does not lead to /srv/shop/envs/5
    nyala redeploy
    ");
    insta::assert_snapshot!(nothing_is_live(&site.join("wwwroot"), ID(6)), @"
    nothing is live: /srv/shop/wwwroot is gone
    nyala rollback 6
    ");
    insta::assert_snapshot!(env_is_unlinked(ID(7), ID(5).into(), true), @"
    the link from release 7 to env 5 is missing
    nyala redeploy
    ");
    insta::assert_snapshot!(env_is_damaged(ID(5).into(), "it has no python", ID(6), false), @"
    env 5 is damaged: it has no python
    nothing, unless you want to roll back to release 6: nyala redeploy 6
    ");
}

#[test]
fn a_hook_that_does_not_run_is_installed_again() {
    let (site, repository) = paths();
    let hook = &repository.join("hooks/post-receive");
    let install = "nyala install /srv/shop/repository.git --site /srv/shop";
    insta::assert_snapshot!(no_hook(hook, install), @"
    /srv/shop/repository.git/hooks/post-receive does not exist
    nyala install /srv/shop/repository.git --site /srv/shop
    ");
    insta::assert_snapshot!(foreign_hook(hook, install), @"
    /srv/shop/repository.git/hooks/post-receive is not nyala's hook
    nyala install /srv/shop/repository.git --site /srv/shop (the other hook is kept, and still runs)
    ");
    insta::assert_snapshot!(hook_is_not_executable(hook, install), @"
    /srv/shop/repository.git/hooks/post-receive is not executable, so git does not run it
    nyala install /srv/shop/repository.git --site /srv/shop
    ");
    insta::assert_snapshot!(no_strict_hook(hook, install), @"
    strict = true, but /srv/shop/repository.git/hooks/post-receive is missing or not executable
    nyala install /srv/shop/repository.git --site /srv/shop
    ");
    insta::assert_snapshot!(no_binary(Path::new("/opt/nyala"), install), @"
    the hook runs /opt/nyala, which is missing or not executable
    nyala install /srv/shop/repository.git --site /srv/shop
    ");
    insta::assert_snapshot!(
        other_site(Path::new("/srv/blog"), site),
        @"the hook deploys to /srv/blog, not to /srv/shop"
    );
    let elsewhere = Path::new("/etc/hooks");
    insta::assert_snapshot!(other_hooks_path(elsewhere, true, install.to_owned()), @"
    the hook never runs: core.hooksPath in the repository's configuration sends git to /etc/hooks
    nyala install /srv/shop/repository.git --site /srv/shop
    ");
    insta::assert_snapshot!(other_hooks_path(elsewhere, false, install.to_owned()), @"
    the hook never runs: core.hooksPath in the user's or machine's configuration sends git to /etc/hooks
    nyala install /srv/shop/repository.git --site /srv/shop
    ");
}

#[test]
fn whose_files_these_are_and_who_reads_them_is_said() {
    let (site, _) = paths();
    insta::assert_snapshot!(not_writable(site, 1000), @"
    you cannot write to /srv/shop: it belongs to user 1000
    run this and push as user 1000
    ");
    insta::assert_snapshot!(read_only_on(site, "the file system at /srv", Path::new("/srv")), @"
    nobody can write to /srv/shop: the file system at /srv is read-only
    mount -o remount,rw /srv
    ");
    insta::assert_snapshot!(foreign_file(&site.join("lock"), 0, 1000, site), @"
    /srv/shop/lock does not belong to user 1000, the owner of the site
    chown -R -h 1000 /srv/shop
    ");
    insta::assert_snapshot!(is_protected(&site.join("releases")), @"
    nobody can change /srv/shop/releases: chattr has protected it, as lsattr shows
    chattr -i -a /srv/shop/releases
    ");
    insta::assert_snapshot!(readable_by_others(&site.join("settings.env"), 1), @"
    /srv/shop/settings.env (and 1 more) can be read by other users
    chmod 600 /srv/shop/settings.env
    ");
}

#[test]
fn what_the_machine_and_the_repository_lack_is_named() {
    let (site, repository) = paths();
    insta::assert_snapshot!(unreadable_freeze("EOF", &site.join("frozen.json")), @"
    EOF
    rm /srv/shop/frozen.json
    ");
    insta::assert_snapshot!(uv_is_missing(), @r#"
    nyala.toml has installer = "uv", but uv is not installed; the next deployment downloads it
    nyala uv install
    "#);
    insta::assert_snapshot!(little_space_on(site, "2 MB", "the file system at /srv"), @"
    /srv/shop has only 2 MB left on the file system at /srv
    free some space, or keep fewer releases: keep = 1 in /srv/shop/nyala.toml
    ");
    insta::assert_snapshot!(no_repository("it is gone", &site.join("nyala.toml")), @r#"
    it is gone
    restore it, or set repository = "…" in /srv/shop/nyala.toml
    "#);
    insta::assert_snapshot!(dubious_ownership(repository), @r#"
    git refuses /srv/shop/repository.git ("dubious ownership"): it belongs to another user
    run this and push as its owner; or change its owner: chown -R "$(id -un)" /srv/shop/repository.git; or trust it: git config --global --add safe.directory /srv/shop/repository.git
    "#);
    insta::assert_snapshot!(push_options_are_off(repository), @"
    /srv/shop/repository.git does not accept push options, so `git push -o …` fails
    git --git-dir /srv/shop/repository.git config receive.advertisePushOptions true
    ");
}

#[test]
fn what_is_not_fixed_says_who_fixes_it() {
    let fixes = ["Stop the application".to_owned(), "Run this again".to_owned()];
    insta::assert_snapshot!(left_to_you(&fixes), @"
    nyala does not fix this by itself
    1. Stop the application
    2. Run this again
    ");
    insta::assert_snapshot!(deployment_is_running(), @"
    a deployment is running, and cleans up when it ends
    Watch it: nyala build-log --follow
    ");
}
