//! What outlives releases: `shared`, and what is kept aside of releases that go.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Mounts, Project, Site, snapshot, wait_until};

#[test]
fn shared_paths_are_seeded_once_and_outlive_releases() {
    let site = Site::new();
    site.configure("shared = [\"media\", \"data/db.sqlite3\", \"cache\"]");
    let project = site.project();
    project.write("media/logo.svg", "from the tree").write("page", "1");
    let push = project.push();
    push.assert_success();
    push.assert_says("media -> shared/media (made from what the tree has there)");
    push.assert_says("cache -> shared/cache (an empty folder)");
    push.assert_says(
        "data/db.sqlite3 -> shared/data/db.sqlite3 (not there yet: the application makes it)",
    );
    let link = |name: &str| fs::read_link(site.path.join("releases/1").join(name)).unwrap();
    assert_eq!(link("media"), Path::new("../../shared/media"));
    assert_eq!(link("data/db.sqlite3"), Path::new("../../../shared/data/db.sqlite3"));

    // The application writes through the links, also the file that was not there.
    fs::write(site.path.join("wwwroot/media/upload.jpg"), "upload").unwrap();
    fs::write(site.path.join("wwwroot/data/db.sqlite3"), "rows").unwrap();
    fs::write(site.path.join("wwwroot/media/logo.svg"), "changed at run time").unwrap();

    let push = project.write("media/logo.svg", "another").push();
    push.assert_success();
    push.assert_says("media -> shared/media (the tree's own is not used)");
    assert_eq!(site.live_id(), Some(2));
    assert_eq!(site.live_file("media/upload.jpg"), "upload");
    assert_eq!(site.live_file("media/logo.svg"), "changed at run time");
    assert_eq!(site.live_file("data/db.sqlite3"), "rows");

    // A shared folder that is removed with its last release is not followed.
    site.configure("keep = 1");
    project.write("page", "3").push().assert_success();
    wait_until("old releases are gone", || site.numbers("releases") == [3]);
    assert_eq!(site.live_file("media/upload.jpg"), "upload");
    assert!(!site.path.join("kept").exists(), "nothing was written outside of what is shared");
}

#[test]
fn a_path_that_is_shared_later_says_how_to_take_over_what_is_there() {
    let site = Site::new();
    let project = site.project();
    project.write("media/.gitkeep", "").push().assert_success();
    fs::write(site.path.join("wwwroot/media/upload.jpg"), "upload").unwrap();
    site.configure("shared = [\"media\"]");
    let push = project.write("page", "2").push();
    push.assert_success();
    push.assert_says("hint: release 1 has media of its own");
    let (from, to) = (site.path.join("releases/1/media"), site.path.join("shared/media"));
    push.assert_says(&format!("cp -a {}/. {}", from.display(), to.display()));
    assert!(site.path.join("shared/media/.gitkeep").exists() && !to.join("upload.jpg").exists());
}

#[test]
fn no_link_leads_a_shared_path_out_of_the_site() {
    let site = Site::new();
    let outside = site.sandbox.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "precious").unwrap();
    let project = site.project();
    project.write("page", "1").push().assert_success();

    // A link of the tree in place of the folder above.
    site.configure("shared = [\"data/db\"]");
    project.link("data", outside.to_str().unwrap());
    let push = project.push();
    push.assert_failed_with("the shared path data/db cannot be linked");
    push.assert_says("is a link, and has to be a folder");
    // A link in place of the path itself is replaced, and not what it leads to; nor does it
    // seed anything.
    project.remove("data").write("data/x", "").link("data/db", outside.to_str().unwrap());
    project.push().assert_success();
    assert_eq!(fs::read_dir(site.path.join("shared/data/db")).unwrap().count(), 0);
    // A link that somebody put into shared/.
    fs::remove_dir_all(site.path.join("shared/data")).unwrap();
    symlink(&outside, site.path.join("shared/data")).unwrap();
    project.write("page", "4").push().assert_failed_with("is a link, and has to be a folder");

    assert_eq!(snapshot(&outside).len(), 1);
    assert_eq!(site.live_id(), Some(3));
}

#[test]
fn a_shared_path_that_is_hostile_is_refused() {
    let site = Site::new();
    let project = site.project();
    let settings = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    for (path, why) in [
        ("../secrets", "does not stay inside the release"),
        ("/etc", "is absolute"),
        ("env", "env and .git are not the application's"),
    ] {
        fs::write(site.path.join("nyala.toml"), format!("shared = [\"{path}\"]\n{settings}"))
            .unwrap();
        site.nyala(&["config", "show"]).assert_failed(1, why);
    }
    fs::write(site.path.join("nyala.toml"), format!("shared = [\"a\", \"a/b\"]\n{settings}"))
        .unwrap();
    site.nyala(&["config", "show"]).assert_failed(1, "one of which contains the other");
    fs::write(site.path.join("nyala.toml"), settings).unwrap();
    project.write("page", "").push().assert_success();
}

#[test]
fn what_the_application_wrote_is_kept_aside_when_its_release_goes() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "1").write("media/.gitkeep", "").write("notes.txt", "from the tree");
    // What the build makes is not the application's.
    project.custom_script("mkdir -p static && echo built > static/app.css");
    project.push().assert_success();

    let live = site.path.join("releases/1");
    fs::write(live.join("media/upload.jpg"), "upload").unwrap();
    fs::write(live.join("db.sqlite3"), "rows").unwrap();
    fs::create_dir_all(live.join("var/log/__pycache__")).unwrap();
    fs::write(live.join("var/log/app.log"), "a line").unwrap();
    fs::write(live.join("var/log/__pycache__/x.cpython-312.pyc"), "").unwrap();
    fs::write(live.join("page"), "changed at run time").unwrap();
    // Touched, and still what the commit has.
    fs::write(live.join("notes.txt"), "from the tree").unwrap();

    let push = project.write("page", "2").push();
    push.assert_success();
    push.assert_says(
        "warning: the application wrote 4 files into release 1, which is removed; saved in kept/1:",
    );
    push.assert_says(
        "hint: To have such files in every release: shared = [\"db.sqlite3\", \"media\", \"page\", \
         \"var\"]",
    );
    wait_until("release 1 is gone", || site.numbers("releases") == [2]);
    let kept = |name: &str| fs::read_to_string(site.path.join("kept/1").join(name)).unwrap();
    assert_eq!(kept("media/upload.jpg"), "upload");
    assert_eq!(kept("db.sqlite3"), "rows");
    assert_eq!(kept("var/log/app.log"), "a line");
    assert_eq!(kept("page"), "changed at run time");
    let files =
        snapshot(&site.path.join("kept/1")).into_keys().filter(|path| path.extension().is_some());
    assert_eq!(
        files.count(),
        3,
        "and `page`, which has no extension, but no cache, and nothing of the build"
    );

    // Nothing written, nothing said; and gc says where it is.
    project.write("page", "3").push().assert_success().assert_does_not_say("saved in");
    let gc = site.nyala(&["gc"]);
    assert!(gc.assert_success().stdout.contains("/kept; delete them yourself"), "{gc:?}");
}

#[test]
fn what_the_application_wrote_into_a_large_release_is_kept_aside() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    for number in 0..2_100 {
        project.write(&format!("data/{}/{number}.json", number % 30), format!("{number}"));
    }
    project.write("page", "1").push().assert_success();
    fs::write(site.path.join("releases/1/data/7/new.json"), "new").unwrap();
    fs::write(site.path.join("releases/1/data/8/8.json"), "written in place").unwrap();
    let kept = |name: &str| fs::read_to_string(site.path.join("kept/1").join(name)).ok();

    let push = project.write("page", "2").push();
    push.assert_success()
        .assert_says("warning: the application wrote 1 file into release 1, which is removed");
    assert_eq!(kept("data/7/new.json").as_deref(), Some("new"));

    // Each file is looked at when nobody waits any more, and the next log says it.
    let push = project.write("page", "3").push();
    push.assert_success()
        .assert_says("warning: the application wrote 1 file into release 1, which is removed");
    assert_eq!(kept("data/8/8.json").as_deref(), Some("written in place"));
    assert_eq!(site.live_file("data/8/8.json"), "8");
    assert!(!site.path.join("wwwroot/data/7/new.json").exists());
    project.write("page", "4").push().assert_success().assert_does_not_say("saved in");
}

/// Release 2 is live; the application has written into release 1, which is not kept any more.
fn with_a_guestbook_in_an_old_release(site: &Site) -> Project<'_> {
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.write("page", "2").push().assert_success();
    fs::write(site.path.join("releases/1/guestbook.db"), "rows").unwrap();
    site.configure("keep = 1");
    project
}

#[test]
fn a_record_that_is_damaged_stops_no_deployment_and_its_release_stays() {
    let site = Site::new();
    let project = with_a_guestbook_in_an_old_release(&site);
    fs::write(site.path.join("deployments/1/deployment.json"), "{").unwrap();
    let push = project.write("page", "3").push();
    push.assert_success().assert_says("old ones could not be removed");
    assert_eq!(site.live_file("page"), "3");
    let guestbook = site.path.join("releases/1/guestbook.db");
    assert_eq!(fs::read_to_string(guestbook).unwrap(), "rows");
}

#[test]
fn gc_keeps_what_the_application_wrote_into_the_release_that_it_removes() {
    let site = Site::new();
    with_a_guestbook_in_an_old_release(&site);
    let gc = site.nyala(&["gc"]);
    assert!(
        gc.assert_success().stdout.contains("the application wrote 1 file into release 1"),
        "{gc:?}"
    );
    assert_eq!(fs::read_to_string(site.path.join("kept/1/guestbook.db")).unwrap(), "rows");
}

#[test]
fn delete_keeps_what_the_application_wrote() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    fs::write(site.path.join("wwwroot/guestbook.db"), "rows").unwrap();
    project.write("page", "2").push().assert_success();
    let ran = site.nyala(&["delete", "1"]);
    let said = &ran.assert_success().stdout;
    assert!(
        said.contains("the application wrote 1 file into release 1")
            && said.contains("[\"guestbook.db\"]"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(site.path.join("kept/1/guestbook.db")).unwrap(), "rows");
}

#[test]
fn what_cannot_be_kept_aside_holds_no_deployment_up_and_is_not_lost() {
    let site = Site::new();
    let project = with_a_guestbook_in_an_old_release(&site);
    fs::write(site.path.join("kept"), "in the way").unwrap();

    for page in ["3", "4"] {
        project.write("page", page).push().assert_success().assert_says(
            "release 1 is not removed: the files that the application wrote there cannot be saved",
        );
        assert_eq!(site.live_file("page"), page);
    }
    fs::remove_file(site.path.join("kept")).unwrap();
    let push = project.write("page", "5").push();
    push.assert_success()
        .assert_says("warning: the application wrote 1 file into release 1, which is removed");
    assert_eq!(fs::read_to_string(site.path.join("kept/1/guestbook.db")).unwrap(), "rows");
    wait_until("old releases are gone", || site.numbers("releases") == [5]);
}

#[test]
fn what_is_kept_aside_is_named_although_another_release_cannot_be_removed() {
    let site = Site::new();
    let project = site.project();
    for page in ["1", "2", "3"] {
        project.write("page", page).push().assert_success();
        fs::write(site.path.join("wwwroot/guestbook.db"), page).unwrap();
    }
    site.configure("keep = 1");
    fs::create_dir(site.path.join("kept")).unwrap();
    fs::write(site.path.join("kept/2"), "in the way").unwrap();
    let push = project.write("page", "4").push();
    push.assert_success().assert_says("release 2 is not removed");
    assert_eq!(site.numbers("releases"), [2, 4], "one that cannot go holds up none of the others");
    push.assert_says(
        "warning: the application wrote 1 file into release 1, which is removed; saved in kept/1:",
    );
    assert_eq!(fs::read_to_string(site.path.join("kept/1/guestbook.db")).unwrap(), "1");
}

#[test]
fn gc_and_delete_name_what_they_kept_aside_although_another_release_cannot_be_removed() {
    let site = Site::new();
    let project = site.project();
    let write_and_push = |page: &str| {
        project.write("page", page).push().assert_success();
        fs::write(site.path.join("wwwroot/guestbook.db"), page).unwrap();
    };
    ["1", "2", "3"].iter().copied().for_each(write_and_push);
    fs::create_dir(site.path.join("kept")).unwrap();
    fs::write(site.path.join("kept/2"), "in the way").unwrap();
    let assert_names = |command: &[&str], release: u64| {
        let ran = site.nyala(command);
        ran.assert_failed(1, "release 2 is not removed");
        assert!(
            ran.stdout.contains(&format!("the application wrote 1 file into release {release}")),
            "{ran:?}"
        );
    };
    assert_names(&["delete", "1", "2"], 1);
    write_and_push("4");
    site.configure("keep = 1");
    assert_names(&["gc"], 3);
}

#[test]
fn a_release_of_which_nothing_can_be_read_is_not_thrown_away() {
    let site = Site::new();
    let project = with_a_guestbook_in_an_old_release(&site);
    let record = site.path.join("deployments/1/deployment.json");
    fs::rename(&record, site.path.join("aside")).unwrap();
    fs::create_dir(&record).unwrap();
    project
        .write("page", "3")
        .push()
        .assert_success()
        .assert_says("old ones could not be removed: cannot read");
    site.nyala(&["gc"]).assert_failed(1, "cannot read");
    assert!(site.path.join("releases/1/guestbook.db").exists());
    fs::remove_dir(&record).unwrap();
    fs::rename(site.path.join("aside"), &record).unwrap();
    project.write("page", "4").push().assert_success().assert_says("saved in kept/1");
}

#[test]
fn what_is_mounted_within_a_path_is_mounted_there_when_the_path_is_shared() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    for mounted in ["media/thumbnails", "media"] {
        let at = site.path.join("releases/1").join(mounted);
        fs::create_dir_all(&at).unwrap();
        Mounts::tmpfs(&at);
        let place = site.path.join("shared").join(mounted);
        let advice = format!("Unmount it, and mount it at {}\n", place.display());
        site.nyala(&["share", "media"]).assert_failed(1, &advice);
        Mounts::unmount(&at);
    }
}
