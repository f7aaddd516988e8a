//! Who may act on a site: its owner, root in the owner's place, the group of a shared site.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::support::{
    Group, Ran, Running, Sandbox, SshServer, User, skip, snapshot, snapshot_at_rest, wait_until,
};

mod copied;
mod root;

/// A site of a user, and a work tree of theirs whose build says who it runs as.
struct Owned {
    site: PathBuf,
    repository: PathBuf,
}

impl Owned {
    fn by(user: &User<'_>) -> Self {
        let site = user.home.join("site");
        user.nyala(&site, &["init", site.to_str().unwrap(), "--installer", "pip"]).assert_success();
        Self { repository: site.join("repository.git"), site }
    }

    /// A line of shell that commits a page and pushes it to `remote`, from a clone of the site's
    /// repository.
    fn push_line(&self, page: &str, remote: &str) -> String {
        format!(
            "set -e; folder=$(mktemp -d); git clone -q {repository} $folder; cd $folder\n\
             git checkout -q -B main; git config user.name A; git config user.email a@example.org\n\
             printf '[config]\\ncommand = id -un > who; id -G > groups; echo $HOME > home\\n' > \
             .deployment\n\
             echo {page} > page; git add .; git commit -qm {page}; git push -q {remote} HEAD:main; \
             rm -r $folder",
            repository = self.repository.display(),
        )
    }

    fn push(&self, user: &User<'_>, page: &str) -> Ran {
        user.sh(&self.push_line(page, self.repository.to_str().unwrap()))
    }

    fn push_as_root(&self, sandbox: &Sandbox, page: &str) -> Ran {
        let line = self.push_line(page, self.repository.to_str().unwrap());
        trust_every_repository(sandbox);
        Running::start(sandbox.command("sh").args(["-c", &line])).wait()
    }

    fn live(&self, name: &str) -> String {
        fs::read_to_string(self.site.join("wwwroot").join(name)).unwrap().trim().to_owned()
    }

    fn assert_belongs_to(&self, user: &User<'_>) {
        let mut folders = vec![self.site.clone()];
        while let Some(folder) = folders.pop() {
            // A worker still cleans up when its push has ended: what goes meanwhile is nobody's.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                assert_eq!(metadata.uid(), user.uid, "{}", entry.path().display());
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
    }
}

/// Root's git looks into repositories of others only where that is allowed.
fn trust_every_repository(sandbox: &Sandbox) {
    fs::write(sandbox.path("home/.gitconfig"), "[safe]\ndirectory = *\n").unwrap();
}

fn as_root(sandbox: &Sandbox, site: &Path, arguments: &[&str]) -> Ran {
    Running::start(sandbox.nyala_command().arg("--site").arg(site).args(arguments)).wait()
}

#[test]
fn root_acts_as_the_owner_of_a_site() {
    let sandbox = Sandbox::new();
    let Some([ada]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    owned.push(&ada, "1").assert_success();
    owned.push(&ada, "2").assert_success();
    for arguments in [
        &["rollback"][..],
        &["redeploy"],
        &["config", "set", "A=b"],
        &["freeze", "a while"],
        &["unfreeze"],
        &["plan"],
        &["env", "delete"],
        &["doctor", "--fix"],
        &["delete", "3"],
        &["gc"],
    ] {
        as_root(&sandbox, &owned.site, arguments).assert_success();
        owned.assert_belongs_to(&ada);
    }
    assert_eq!(owned.live("who"), ada.name, "what the project brings never runs as root");
    assert_eq!(owned.live("groups"), ada.gid.to_string());
    assert_eq!(owned.live("home"), ada.home.to_str().unwrap());
    // Also the folder of a session that is closed to the owner.
    let mut closed = sandbox.nyala_command();
    closed.arg("--site").arg(&owned.site).arg("redeploy").current_dir(sandbox.path("home"));
    fs::set_permissions(sandbox.path("home"), PermissionsExt::from_mode(0o700)).unwrap();
    Running::start(&mut closed).wait().assert_success();
    owned.push(&ada, "3").assert_success();
    assert_eq!(owned.live("page"), "3");
}

#[test]
fn a_site_that_root_makes_for_somebody_belongs_to_them() {
    let sandbox = Sandbox::new();
    let Some([ada]) = User::make(&sandbox, None) else { return };
    let nyala = |arguments: &[&str]| {
        Running::start(sandbox.nyala_command().args(arguments)).wait().assert_success();
    };
    let site = ada.home.join("site");
    nyala(&["init", site.to_str().unwrap(), "--installer", "pip"]);
    let owned = Owned { repository: site.join("repository.git"), site };
    owned.assert_belongs_to(&ada);
    owned.push(&ada, "1").assert_success();
    assert_eq!(owned.live("page"), "1");

    ada.sh("git init -q --bare other.git").assert_success();
    let (repository, site) = (ada.home.join("other.git"), ada.home.join("other"));
    let [repository_name, name] = [&repository, &site].map(|path| path.to_str().unwrap());
    nyala(&["install", repository_name, "--site", name, "--installer", "pip"]);
    let owned = Owned { site, repository };
    owned.assert_belongs_to(&ada);
    owned.push(&ada, "2").assert_success();
    assert_eq!(owned.live("page"), "2");
}

#[test]
fn a_push_by_root_leaves_nothing_that_stops_the_owner() {
    let sandbox = Sandbox::new();
    let Some([ada]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    for (number, page) in ["1", "2", "3", "4"].iter().enumerate() {
        if number % 2 == 0 {
            owned.push_as_root(&sandbox, page).assert_success();
        } else {
            owned.push(&ada, page).assert_success();
        }
        assert_eq!(&owned.live("page"), page);
        assert_eq!(owned.live("who"), ada.name);
        owned.assert_belongs_to(&ada);
    }
}

#[test]
fn a_strict_push_by_root_moves_the_branch_as_the_owner() {
    let sandbox = Sandbox::new();
    let Some([ada]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    let settings = fs::read_to_string(owned.site.join("nyala.toml")).unwrap();
    fs::write(owned.site.join("nyala.toml"), format!("strict = true\n{settings}")).unwrap();
    let site = owned.site.to_str().unwrap();
    ada.nyala(&owned.site, &["init", site]).assert_success();
    owned.push_as_root(&sandbox, "1").assert_success();
    owned.push(&ada, "2").assert_success();
    assert_eq!((owned.live("page"), owned.live("who")), ("2".to_owned(), ada.name.clone()));
    owned.assert_belongs_to(&ada);
}

#[test]
fn others_are_refused_before_anything_is_written() {
    let sandbox = Sandbox::new();
    let Some([ada, bob]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    owned.push(&ada, "1").assert_success();
    // What he may not read is not said to be nothing.
    bob.nyala(&owned.site, &["list"]).assert_failed(1, "Act as the owner");
    // Whatever the permissions would let him do.
    ada.sh(&format!("chmod -R a+rwX {}", owned.site.display())).assert_success();
    let before = snapshot_at_rest(&owned.site);
    for arguments in [
        "rollback",
        "redeploy",
        "config unset A",
        "freeze x",
        "unfreeze",
        "cancel",
        "gc",
        "delete 1",
        "env delete",
        "doctor --fix",
        "step env",
        "worker --deployment 1",
    ] {
        let words: Vec<_> = arguments.split(' ').collect();
        let site = owned.site.display();
        let act = format!("sudo -u {} nyala --site {site} {arguments}", ada.name);
        let ran = bob.nyala(&owned.site, &words);
        ran.assert_failed(1, &format!("only {} may change the site {site}", ada.name));
        assert!(ran.stderr.contains(&act), "{}", ran.stderr);
    }
    assert_eq!(snapshot(&owned.site), before);
    for question in ["status", "list", "show", "build-log", "config list"] {
        bob.nyala(&owned.site, &question.split(' ').collect::<Vec<_>>()).assert_success();
    }
    let push = owned.push(&bob, "2");
    assert!(push.stderr.contains(&format!("sudo -u {} nyala", ada.name)), "{}", push.stderr);
    assert!(!owned.site.join("deployments/2").exists());
    assert_eq!(owned.live("page"), "1");
}

#[test]
fn a_shared_site_works_for_every_member_of_its_group() {
    let sandbox = Sandbox::new();
    let Some(group) = Group::make() else { return };
    let Some([ada, bob]) = User::make(&sandbox, Some(&group)) else { return };
    let Some([eve]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    let site = owned.site.display();
    // As docs/ssh.md has it.
    ada.sh(&format!(
        "set -e; chgrp -R {} {site}; chmod -R g+rwX {site}; find {site} -type d -exec chmod g+s \
         {{}} +\n\
         git -C {site}/repository.git config core.sharedRepository group; sed -i '1i keep = 2' \
         {site}/nyala.toml",
        group.0
    ))
    .assert_success();
    for (number, page) in ["1", "2", "3", "4", "5", "6"].iter().enumerate() {
        let user = [&ada, &bob][number % 2];
        let push = owned.push(user, page);
        push.assert_success();
        assert!(!push.stderr.contains("remote: warning"), "{}", push.stderr);
        assert_eq!((&*owned.live("page"), owned.live("who")), (*page, user.name.clone()));
    }
    // Everything in a release belongs to the member whose build ran there.
    let settings = fs::read_to_string(owned.site.join("nyala.toml")).unwrap();
    fs::write(owned.site.join("nyala.toml"), format!("staging = true\n{settings}")).unwrap();
    for (user, page) in [(&ada, "7"), (&bob, "8"), (&bob, "9")] {
        owned.push(user, page).assert_success();
        wait_until("the next tree is staged", || {
            owned.site.join("releases/.staging/tree.json").exists()
        });
        let release = owned.site.join("wwwroot").canonicalize().unwrap();
        for name in ["", "page", ".deployment"] {
            assert_eq!(fs::metadata(release.join(name)).unwrap().uid(), user.uid, "{page}: {name}");
        }
    }
    fs::write(owned.site.join("nyala.toml"), settings).unwrap();
    bob.nyala(&owned.site, &["rollback"]).assert_success();
    ada.nyala(&owned.site, &["config", "set", "A=b"]).assert_success();
    bob.nyala(&owned.site, &["config", "set", "B=c"]).assert_success();
    as_root(&sandbox, &owned.site, &["redeploy"]).assert_success();
    ada.nyala(&owned.site, &["doctor"]).assert_success();
    bob.nyala(&owned.site, &["gc"]).assert_success();
    owned.push(&bob, "10").assert_success();
    wait_until("what is not kept is gone", || {
        let releases = fs::read_dir(owned.site.join("releases")).unwrap().flatten();
        releases.filter(|entry| entry.file_name() != ".staging").count() == 2
    });
    let told = format!("sudo -u {} nyala", ada.name);
    let join = format!("usermod -aG $(stat -c %G {site}) {}", eve.name);
    eve.nyala(&owned.site, &["redeploy"]).assert_failed(1, &told).assert_failed(1, &join);
}

#[test]
fn over_ssh_everybody_is_who_they_log_in_as() {
    let sandbox = Sandbox::new();
    let Some([ada, bob]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    let plain = "sh -c \\\"$SSH_ORIGINAL_COMMAND\\\"".to_owned();
    // Root's git has to trust the repository of another user.
    let trusting = format!("HOME={} {plain}", sandbox.path("home").display());
    let keys = [("key", plain), ("root", trusting)];
    let Some(server) = SshServer::start(&sandbox, &keys) else { return };
    // Whoever it is, git itself can write into the folders of objects that are there.
    let open_to_all = || ada.sh(&format!("chmod -R a+rwX {}", owned.site.display()));
    trust_every_repository(&sandbox);
    let push_with = |key: &str, user: &str, page: &str| {
        let remote = format!("ssh://{user}@127.0.0.1{}", owned.repository.display());
        let mut command = sandbox.command("sh");
        command
            .args(["-c", &owned.push_line(page, &remote)])
            .env("GIT_SSH_COMMAND", server.client_as(key, user));
        Running::start(&mut command).wait()
    };
    let push = |user: &str, page: &str| push_with("key", user, page);
    push(&ada.name, "1").assert_success();
    assert_eq!((owned.live("page"), owned.live("who")), ("1".to_owned(), ada.name.clone()));
    push_with("root", "root", "2").assert_success();
    assert_eq!((owned.live("page"), owned.live("who")), ("2".to_owned(), ada.name.clone()));
    push(&ada.name, "3").assert_success();
    open_to_all().assert_success();
    let refused = push(&bob.name, "4");
    assert!(refused.stderr.contains(&format!("sudo -u {} nyala", ada.name)), "{}", refused.stderr);
    assert_eq!(owned.live("page"), "3");
}

#[test]
fn sudo_acts_as_the_owner_and_names_who_called() {
    let sandbox = Sandbox::new();
    if !Path::new("/usr/bin/sudo").exists() {
        skip("needs sudo");
        return;
    }
    let Some([ada]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    owned.push(&ada, "1").assert_success();
    let nyala = sandbox.nyala_command().get_program().to_owned();
    let sudo = |arguments: &[&str]| {
        let mut command = sandbox.command("sudo");
        command.arg("-n").arg(&nyala).arg("--site").arg(&owned.site).args(arguments);
        Running::start(&mut command).wait()
    };
    sudo(&["redeploy"]).assert_success();
    assert_eq!(owned.live("who"), ada.name);
    sudo(&["config", "set", "A=b"]).assert_success();
    sudo(&["freeze", "a while"]).assert_success();
    let status = sudo(&["status"]);
    assert!(status.assert_success().stdout.contains("by root"), "{status:?}");
    sudo(&["unfreeze"]).assert_success();
    owned.assert_belongs_to(&ada);
    owned.push(&ada, "2").assert_success();
}

#[test]
fn what_only_another_user_can_remove_is_named_with_the_command() {
    let sandbox = Sandbox::new();
    let Some([ada, bob]) = User::make(&sandbox, None) else { return };
    let owned = Owned::by(&ada);
    ada.sh(&format!("sed -i '1i keep = 1' {}/nyala.toml", owned.site.display())).assert_success();
    owned.push(&ada, "1").assert_success();
    std::os::unix::fs::chown(owned.site.join("releases/1"), Some(bob.uid), None).unwrap();
    owned.push(&ada, "2").assert_success();
    let trash = owned.site.join("releases/.trash-1");
    wait_until("release 1 is to be removed", || trash.exists());
    let found = ada.nyala(&owned.site, &["doctor"]).stdout;
    assert!(found.contains("[not-removable]"), "{found}");
    let fact = format!("release 1 can never be removed: only user {} can remove", bob.uid);
    assert!(found.contains(&fact), "{found}");
    let fix = format!("chown -R -h {} {}; nyala gc", ada.uid, trash.display());
    assert!(found.contains(&fix), "{found}");
    let nyala = sandbox.nyala_command().get_program().to_str().unwrap().to_owned();
    let fix = fix.replace("; nyala", &format!("; {nyala}"));
    let mut shell = sandbox.command("sh");
    shell.env("NYALA_SITE", &owned.site).args(["-c", &fix]);
    Running::start(&mut shell).wait().assert_success();
    assert!(!trash.exists());
    ada.nyala(&owned.site, &["doctor"]).assert_success();
}

#[test]
fn a_user_is_told_which_folder_is_closed_and_whose_it_is() {
    let sandbox = Sandbox::new();
    let Some([ada, bob]) = User::make(&sandbox, None) else { return };
    let Owned { site, repository } = Owned::by(&bob);
    let own = ada.home.join("site");
    let install = ["install", repository.to_str().unwrap()];
    ada.nyala(&own, &install).assert_failed(1, &format!("belongs to user {}", bob.uid));
    assert!(!own.exists());
    fs::set_permissions(&bob.home, fs::Permissions::from_mode(0o700)).unwrap();
    ada.nyala(&own, &install).assert_failed(1, "Act as a user who can read it");
    let told = format!("{} belongs to user {}", bob.home.display(), bob.uid);
    let new = bob.home.join("new");
    for arguments in [&["status"][..], &["doctor"], &["redeploy"], &["init", new.to_str().unwrap()]]
    {
        let ran = ada.nyala(&site, arguments);
        ran.assert_failed(1, &told);
        assert!(!ran.stderr.contains("NYALA_LOG"), "{ran:?}");
    }
}
