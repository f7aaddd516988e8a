//! What is not removed: what is mounted into a release, and what a process still uses.

mod processes;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Mounts, Project, Running, Site, wait_until, wait_until_quiet};

/// A process that does nothing, as `command`, in this folder.
fn idle_in(folder: &Path) -> Running {
    let running = Running::start(Command::new("sleep").arg("1000").current_dir(folder));
    let own = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let folder = folder.canonicalize().unwrap();
    wait_until("it runs", || {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        pids.any(|pid| {
            own(&pid) == "sleep\n"
                && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder)
        })
    });
    running
}

fn push_pages(project: &Project<'_>, pages: std::ops::RangeInclusive<u32>) {
    for page in pages {
        project.write("page", page.to_string()).push().assert_success();
    }
}

/// A volume outside of the site, with an upload in it.
fn volume(site: &Site) -> PathBuf {
    let volume = site.sandbox.path("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("upload.jpg"), "upload").unwrap();
    volume
}

#[test]
fn a_release_in_which_something_is_mounted_is_not_removed() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    site.configure("keep = 1");
    let volume = volume(&site);
    let project = site.project();
    project.write("media/.gitkeep", "").write("db", "").write("page", "1").push().assert_success();
    let media = site.path.join("releases/1/media");
    Mounts::bind(&volume, &site.path.join("wwwroot/media"));
    Mounts::bind(&volume.join("upload.jpg"), &site.path.join("wwwroot/db"));

    let push = project.write("page", "2").push();
    push.assert_success()
        .assert_says(&format!(
            "warning: release 1 is not removed: something is mounted at {}",
            site.path.join("releases/1/db").display()
        ))
        .assert_says("set shared = [\"db\", \"media\"] in nyala.toml")
        .assert_does_not_say("saved in kept");
    assert_eq!(site.numbers("releases"), [1, 2]);

    let gc = site.nyala(&["gc"]);
    let said = &gc.assert_success().stdout;
    assert!(said.contains("release 1 is not removed: something is mounted at"), "{said}");
    site.nyala(&["delete", "1"]).assert_failed(1, "something is mounted at");
    let doctor = site.nyala(&["doctor"]);
    assert!(doctor.stdout.contains("[mounted]"), "{doctor:?}");
    assert_eq!(fs::read_to_string(volume.join("upload.jpg")).unwrap(), "upload");
    assert_eq!(fs::read_to_string(media.join("upload.jpg")).unwrap(), "upload");

    Mounts::unmount(&media);
    Mounts::unmount(&site.path.join("releases/1/db"));
    project.write("page", "3").push().assert_success().assert_does_not_say("mounted");
    wait_until("release 1 is gone", || site.numbers("releases") == [3]);
    assert_eq!(fs::read_to_string(volume.join("upload.jpg")).unwrap(), "upload");

    let beside_the_log = site.path.join("deployments/1/beside");
    fs::create_dir(&beside_the_log).unwrap();
    Mounts::bind(&volume, &beside_the_log);
    let advice = format!("Free it first: umount {}", beside_the_log.display());
    site.nyala(&["delete", "1"]).assert_failed(1, &advice);
    Mounts::unmount(&beside_the_log);
    site.nyala(&["delete", "1"]).assert_success();
    assert_eq!(fs::read_to_string(volume.join("upload.jpg")).unwrap(), "upload");
}

#[test]
fn what_is_mounted_in_an_env_or_in_what_was_discarded_is_kept_with_it() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    let volume = volume(&site);
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let [env, trash, tmp] =
        ["envs/77/a b", "releases/.trash-9/x", "cache/tmp/5/y"].map(|path| site.path.join(path));
    for (at, is_nested) in [(&env, false), (&trash, true), (&tmp, false)] {
        fs::create_dir_all(at).unwrap();
        if is_nested {
            Mounts::tmpfs(at);
            fs::create_dir(at.join("in")).unwrap();
            Mounts::bind(&volume, &at.join("in"));
        } else {
            Mounts::bind(&volume, at);
        }
    }
    // A deployment that fails cleans up as well.
    project.custom_script("exit 1").push().assert_failed_with("");
    let push = project.write(".deployment", "").write("page", "2").push();
    let said = push.assert_success().output.matches("env 77 is not removed").count();
    assert_eq!(said, 1, "{push:?}");
    let gc = site.nyala(&["gc"]);
    let said = &gc.assert_success().stdout;
    for what in ["env 77 is not", "release 9 is not", "temporary files of deployment 5 is not"] {
        assert!(said.contains(what), "no {what:?} in {said}");
    }
    for at in [&env, &trash.join("in"), &tmp] {
        assert_eq!(fs::read_to_string(at.join("upload.jpg")).unwrap(), "upload");
    }
}

#[test]
fn a_failed_deployment_leaves_what_its_build_has_mounted() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    let volume = volume(&site);
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let script = format!("mkdir data; mount --bind {} data; exit 1", volume.display());
    let push = project.custom_script(&script).push();
    push.assert_failed_with("").assert_says("release 2 is not removed: something is mounted at");
    // The next one deploys all the same.
    project.write(".deployment", "").write("page", "3").push().assert_success();
    assert_eq!(fs::read_to_string(volume.join("upload.jpg")).unwrap(), "upload");
}

#[test]
fn a_release_that_a_process_uses_stays_until_it_is_free() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    push_pages(&project, 1..=1);
    let old = site.path.join("releases/1");
    let application = idle_in(&site.path.join("wwwroot"));
    fs::write(old.join("guestbook.db"), "rows").unwrap();

    for page in 2..=5 {
        let push = project.write("page", page.to_string()).push();
        push.assert_success().assert_says("for now: release 1 (nyala gc says by which)");
        assert_eq!(fs::read_to_string(old.join("page")).unwrap(), "1");
        assert_eq!(fs::read_to_string(old.join("guestbook.db")).unwrap(), "rows");
    }
    let gc = site.nyala(&["gc"]);
    let said = &gc.assert_success().stdout;
    assert!(said.contains("(sleep) still uses it (working directory)"), "{said}");
    site.nyala(&["delete", "1"]).assert_failed(1, "(sleep) still uses it");
    assert_eq!(fs::read_to_string(old.join("guestbook.db")).unwrap(), "rows");

    drop(application);
    project.write("page", "6").push().assert_success();
    wait_until("release 1 is gone", || site.numbers("releases") == [6]);
    assert_eq!(fs::read_to_string(site.path.join("kept/1/guestbook.db")).unwrap(), "rows");
}

#[test]
fn a_release_with_the_socket_of_a_server_stays_until_the_server_has_ended() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    push_pages(&project, 1..=1);
    let socket = site.path.join("releases/1/app.sock");
    let server = UnixListener::bind(&socket).unwrap();
    for page in 2..=3 {
        push_pages(&project, page..=page);
        wait_until_quiet(&site.path);
        assert_eq!(site.numbers("releases"), [1, u64::from(page)]);
    }
    site.nyala(&["delete", "1"]).assert_failed(1, "still uses it (Unix socket)");
    UnixStream::connect(&socket).unwrap();
    drop(server);
    project.write("page", "4").push().assert_success();
    wait_until("release 1 is gone", || site.numbers("releases") == [4]);
}

#[test]
fn a_server_that_listens_in_the_live_release_is_named_before_it_is_lost() {
    let site = Site::new();
    let project = site.project();
    push_pages(&project, 1..=1);
    let server = UnixListener::bind(site.path.join("wwwroot/app.sock")).unwrap();
    let named =
        "release 1 has the socket of a server, and the next release will not have it: app.sock";
    project.write("page", "2").push().assert_success().assert_says(named);
    drop(server);
    assert!(!project.write("page", "3").push().assert_success().output.contains("socket"));

    // One in a folder that is shared is in all of them.
    site.configure("shared = ['sockets']");
    project.write("page", "4").push().assert_success();
    let _server = UnixListener::bind(site.path.join("wwwroot/sockets/app.sock")).unwrap();
    assert!(!project.write("page", "5").push().assert_success().output.contains("a server"));
    UnixStream::connect(site.path.join("wwwroot/sockets/app.sock")).unwrap();
}

#[test]
fn an_env_that_a_process_uses_stays_until_it_is_free() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.python_project();
    project.push().assert_success();
    // Started as a web server does it that is told of the env alone.
    let python = site.path.join("envs/1/bin/python");
    let ready = site.sandbox.path("ready");
    let code = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(1000)";
    let application =
        Running::start(Command::new(&python).args(["-c", code]).arg(&ready).current_dir("/"));
    wait_until("it runs", || ready.exists());
    project.write("requirements.txt", "antelope==2.0\n");
    project.push_with(&["-o", "rebuild-env"]).assert_success();
    // All processes are looked through when nobody waits any more, and the next log says it.
    for page in ["3", "4"] {
        let push = project.write("page", page).push();
        push.assert_success().assert_says("for now: env 1 (nyala gc says by which)");
        assert!(python.exists());
    }
    drop(application);
    project.write("page", "5").push().assert_success();
    wait_until("env 1 is gone", || site.numbers("envs") == [2]);
}

/// The application serves from its folder until an action restarts it.
#[test]
fn the_release_that_was_replaced_outlives_the_actions() {
    let site = Site::new();
    site.configure("keep = 1");
    let action = site.path.join("actions/restart");
    fs::create_dir(action.parent().unwrap()).unwrap();
    fs::write(&action, "#!/bin/sh\necho \"still there:\" $(ls releases)\n").unwrap();
    Running::start(Command::new("chmod").arg("+x").arg(&action)).wait().assert_success();
    let project = site.project();
    push_pages(&project, 1..=1);
    let push = project.write("page", "2").push();
    push.assert_success().assert_says("still there: 1 2\n");
    wait_until("release 1 is gone", || site.numbers("releases") == [2]);

    // A worker that is killed there has not pruned; the next one does.
    fs::write(&action, "#!/bin/sh\nkill -9 $PPID\n").unwrap();
    project.write("page", "3").push();
    fs::remove_file(&action).unwrap();
    push_pages(&project, 4..=4);
    wait_until("old releases are gone", || site.numbers("releases") == [4]);
}

/// As a container has it that shows a part of a release at a path of its own.
#[test]
fn a_release_that_another_mount_namespace_shows_or_hides_stays_until_that_is_gone() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("static/logo", "1").write("media/.gitkeep", "").write("page", "1");
    let at = site.sandbox.path("at");
    fs::create_dir(&at).unwrap();
    for (page, mount) in [(1, "--bind static $AT"), (3, "-t tmpfs tmpfs media")] {
        project.write("page", page.to_string()).push().assert_success();
        let release = site.path.join(format!("releases/{page}"));
        let ready = site.sandbox.path(&format!("ready-{page}"));
        let line = format!("mount --make-rprivate / && mount {mount} && cd / && touch $READY && ");
        let container = Running::start(
            Command::new("unshare")
                .args(["-m", "sh", "-c", &(line + "exec sleep 1000")])
                .env("AT", &at)
                .env("READY", &ready)
                .current_dir(&release),
        );
        wait_until("it is mounted", || ready.exists());
        let push = project.write("page", (page + 1).to_string()).push();
        push.assert_success();
        let gc = site.nyala(&["gc"]);
        let said = &gc.assert_success().stdout;
        assert!(said.contains("(sleep) still uses it (mount)"), "{said}");
        assert!(release.exists());
        drop(container);
    }
    Mounts::bind(&site.path.join("releases/4/static"), &at);
    let push = project.write("page", "5").push();
    push.assert_success().assert_says("release 4 is not removed: it, or a part of it, is also");
    Mounts::unmount(&at);
    project.write("page", "6").push().assert_success();
    wait_until("old releases are gone", || site.numbers("releases") == [6]);
}

#[test]
fn the_folders_of_a_site_may_be_links_to_another_file_system() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    site.configure("keep = 1");
    let elsewhere = site.sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    Mounts::tmpfs(&elsewhere);
    for folder in ["cache", "deployments", "envs", "releases"] {
        let (new, old) = (elsewhere.join(folder), site.path.join(folder));
        fs::create_dir(&new).unwrap();
        let _ = fs::remove_dir_all(&old);
        symlink(&new, &old).unwrap();
    }
    let project = site.python_project();
    project.push().assert_success();
    fs::write(site.path.join("wwwroot/upload"), "upload").unwrap();
    project.custom_script("exit 1").push().assert_failed_with("").assert_does_not_say("not be");
    project.write(".deployment", "").write("page", "3");
    project.push_with(&["-o", "rebuild-env"]).assert_success().assert_does_not_say("not be");
    wait_until("old releases are gone", || site.numbers("releases") == [3]);
    wait_until("old envs are gone", || site.numbers("envs") == [3]);
    let trash = || fs::read_dir(elsewhere.join("releases")).unwrap().count();
    wait_until("nothing waits to be removed", || trash() == 1);
    // Copied, since `kept` is on another file system.
    assert_eq!(fs::read_to_string(site.path.join("kept/1/upload")).unwrap(), "upload");
    site.nyala(&["delete", "1"]).assert_success();
    assert!(!elsewhere.join("deployments/1").exists());
}

#[test]
fn releases_and_envs_may_be_mounts() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    site.configure("keep = 1");
    for folder in ["releases", "envs"] {
        fs::create_dir_all(site.path.join(folder)).unwrap();
        Mounts::tmpfs(&site.path.join(folder));
    }
    let project = site.python_project();
    project.push().assert_success();
    project.custom_script("exit 1").push().assert_failed_with("").assert_does_not_say("warning:");
    project.write(".deployment", "").write("page", "2");
    project.push_with(&["-o", "rebuild-env"]).assert_success().assert_does_not_say("warning:");
    wait_until("old releases are gone", || site.numbers("releases") == [3]);
    wait_until("old envs are gone", || site.numbers("envs") == [3]);
}

/// A container whose image has a site: what the image holds cannot be renamed.
#[test]
fn releases_of_a_lower_layer_are_removed() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    push_pages(&project, 1..=1);
    fs::create_dir_all(site.path.join("envs/1")).unwrap();
    let [image, layers] = ["image", "layers"].map(|name| site.sandbox.path(name));
    fs::create_dir_all(&layers).unwrap();
    Mounts::tmpfs(&layers);
    let [upper, work] = ["upper", "work"].map(|name| layers.join(name));
    for folder in [&image, &upper, &work] {
        fs::create_dir_all(folder).unwrap();
    }
    Mounts::bind(&site.path, &image);
    if !Mounts::overlay(&image, &upper, &work, &site.path) {
        crate::support::skip("needs overlayfs");
        return;
    }
    for page in 2..=3 {
        let push = project.write("page", page.to_string()).push();
        push.assert_success().assert_does_not_say("warning:");
    }
    wait_until("old releases are gone", || site.numbers("releases") == [3]);
    wait_until("the old env is gone", || site.numbers("envs").is_empty());
    assert_eq!(site.live_file("page"), "3");
}
