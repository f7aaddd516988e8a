//! What the application writes outside of what is shared: it is named before the next release goes
//! live, and `nyala share` keeps it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{Mounts, Project, Running, Site, newest_python, wait_until};

/// A site whose application has written uploads and a database.
fn with_data(site: &Site) -> Project<'_> {
    let project = site.project();
    project.write("media/.gitkeep", "").write("media/thumbs/.gitignore", "*\n");
    project.git(&["add", "--force", "media"]);
    project.write("page", "1").push().assert_success();
    let live = site.path.join("wwwroot");
    fs::write(live.join("media/upload.jpg"), "upload").unwrap();
    fs::write(live.join("media/thumbs/upload.jpg"), "thumb").unwrap();
    fs::write(live.join("db.sqlite3"), "rows").unwrap();
    fs::write(live.join("db.sqlite3-wal"), "newer rows").unwrap();
    fs::create_dir(live.join("__pycache__")).unwrap();
    fs::write(live.join("__pycache__/app.cpython-312.pyc"), "").unwrap();
    project
}

fn link(site: &Site, path: &str) -> String {
    fs::read_link(site.path.join(path)).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_push_names_what_the_next_release_does_not_have_and_the_command_that_keeps_it() {
    let site = Site::new();
    let project = with_data(&site);
    let push = project.write("page", "2").push();
    push.assert_success()
        .assert_says("warning: the application wrote files into release 1 that the next one does")
        .assert_says("db.sqlite3, media")
        .assert_says("hint: to keep them in every release: nyala share db.sqlite3 media")
        .assert_does_not_say("pyc");
    let ran = site.nyala(&["share", "db.sqlite3", "media"]);
    assert!(ran.assert_success().stdout.contains("Moved media of release 1"), "{ran:?}");
    let inner = site.nyala(&["share", "media/thumbs"]);
    inner.assert_failed(1, "media/thumbs is shared already, as a part of media");
    for (file, text) in [
        ("media/upload.jpg", "upload"),
        ("db.sqlite3", "rows"),
        ("page", "2"),
        ("../../shared/db.sqlite3-wal", "newer rows"),
    ] {
        assert_eq!(site.live_file(file), text);
    }
    let push = project.write("page", "3").push();
    push.assert_success().assert_does_not_say("nyala share");
    assert_eq!(site.live_file("media/upload.jpg"), "upload");
    assert_eq!(site.live_file("db.sqlite3"), "rows");
    assert_eq!(link(&site, "wwwroot/media"), "../../shared/media");
}

#[test]
fn sharing_moves_what_a_running_application_uses() {
    let site = Site::new();
    let settings = site.path.join("nyala.toml");
    let project = site.project();
    project.write("media/.gitkeep", "").push().assert_success();
    let [ready, go, done] = ["ready", "go", "done"].map(|name| site.sandbox.path(name));
    let code = "import os, sqlite3, sys, time\n\
                db = sqlite3.connect('db.sqlite3')\n\
                db.execute('pragma journal_mode=wal')\n\
                db.execute('create table t (n)')\n\
                db.execute('insert into t values (1)'); db.commit()\n\
                open('media/1', 'w').close(); open(sys.argv[1], 'w').close()\n\
                while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n\
                db.execute('insert into t values (2)'); db.commit()\n\
                open('media/2', 'w').close(); open(sys.argv[3], 'w').close()\n\
                time.sleep(1000)\n";
    let mut python = Command::new(&newest_python().path);
    python.args(["-c", code]).args([&ready, &go, &done]);
    let _application = Running::start(python.current_dir(site.path.join("releases/1")));
    wait_until("it has written", || ready.exists());
    fs::write(&settings, fs::read_to_string(&settings).unwrap() + "# the end\n").unwrap();

    site.nyala(&["share", "media", "db.sqlite3"]).assert_success();
    assert_eq!(link(&site, "releases/1/media"), "../../shared/media");
    assert_eq!(link(&site, "releases/1/db.sqlite3"), "../../shared/db.sqlite3");
    assert!(fs::read_to_string(&settings).unwrap().ends_with("# the end\n"));
    fs::write(&go, "").unwrap();
    wait_until("it has written again", || done.exists());
    let rows = "import sqlite3; print(*sqlite3.connect('wwwroot/db.sqlite3').execute(\
                'select n from t order by n').fetchall())";
    let mut python = Command::new(&newest_python().path);
    let ran = Running::start(python.args(["-c", rows]).current_dir(&site.path)).wait();
    assert_eq!(ran.assert_success().stdout, "(1,) (2,)\n");
    assert!(site.path.join("shared/media/2").exists());
    site.nyala(&["share", "media"]).assert_success();
}

#[test]
fn sharing_changes_nothing_when_one_of_the_paths_cannot_be_shared() {
    let site = Site::new();
    with_data(&site);
    let settings = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    for (path, code, why) in [
        ("db.sqlite", 1, "no release has db.sqlite"),
        ("media/upload.jpg", 1, "one of which contains the other"),
        ("../x", 2, "does not stay inside the release"),
        ("env", 2, "cannot be shared"),
    ] {
        site.nyala(&["share", "media", path]).assert_failed(code, why);
    }
    fs::create_dir(site.path.join("shared/media")).unwrap();
    let both = ["share", "db.sqlite3", "media"];
    site.nyala(&both).assert_failed(1, "shared/media exists already");
    for path in ["media/upload.jpg", "db.sqlite3", "db.sqlite3-wal"] {
        let path = site.path.join("releases/1").join(path);
        assert!(!path.is_symlink() && path.is_file(), "{}", path.display());
    }
    let left: Vec<_> =
        fs::read_dir(site.path.join("shared")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["media"]);
    assert_eq!(fs::read_to_string(site.path.join("nyala.toml")).unwrap(), settings);
}

#[test]
fn files_that_were_written_in_several_releases_are_asked_about() {
    let site = Site::new();
    let project = with_data(&site);
    project.write("page", "2").push().assert_success();
    fs::write(site.path.join("wwwroot/db.sqlite3"), "a new one").unwrap();
    site.nyala(&["share", "db.sqlite3"]).assert_failed(1, "nyala share --from 2 db.sqlite3");
    site.nyala(&["share", "--from", "1", "db.sqlite3"]).assert_success();
    assert_eq!(site.live_file("db.sqlite3"), "rows");
    assert_eq!(fs::read_to_string(site.path.join("kept/2/db.sqlite3")).unwrap(), "a new one");
}

#[test]
fn a_site_may_refuse_or_share_what_is_unshared() {
    let site = Site::new();
    site.configure("unshared = \"fail\"");
    let project = with_data(&site);
    let push = project.write("page", "2").push();
    push.assert_failed_with("the application wrote files into release 1")
        .assert_says("nyala share db.sqlite3 media");
    assert_eq!(site.live_id(), Some(1));

    let settings = site.path.join("nyala.toml");
    let text = fs::read_to_string(&settings).unwrap().replace("\"fail\"", "\"share\"");
    fs::write(&settings, text).unwrap();
    // What the commit has is its own, also when somebody has changed it in place.
    fs::write(site.path.join("wwwroot/page"), "changed").unwrap();
    let push = project.write("page", "3").push();
    push.assert_success()
        .assert_says("media of release 1 -> shared/media")
        .assert_says("page (a file of the commit)");
    for (file, text) in [("media/upload.jpg", "upload"), ("db.sqlite3", "rows"), ("page", "3")] {
        assert_eq!(site.live_file(file), text);
    }
    assert_eq!(Path::new(&link(&site, "wwwroot/media")), Path::new("../../shared/media"));
    project.write("page", "4").push().assert_success().assert_does_not_say("the application wrote");
}

/// As Django's `migrate` works with the database that its settings name.
const MIGRATE: &str = "import sqlite3\n\
    db = sqlite3.connect('app.db')\n\
    db.execute('create table if not exists migrations (n)')\n\
    db.execute('insert into migrations values (1)'); db.commit()\n\
    print(db.execute('select count(*) from migrations').fetchone()[0], 'migrations')\n";

fn with_migrations(site: &Site) -> Project<'_> {
    let project = site.project();
    project.write(".skipPythonDeployment", "").write("migrate.py", MIGRATE).write("server.py", "");
    project.write("Procfile", "release: python3 migrate.py\nweb: python3 server.py\n");
    project
}

#[test]
fn a_database_that_the_release_command_makes_in_its_release_is_named() {
    let site = Site::new();
    let project = with_migrations(&site);
    project
        .push()
        .assert_success()
        .assert_says("warning: the release command made a database in release 1")
        .assert_says("hint: to have it in every release: nyala share app.db");
    site.nyala(&["share", "app.db"]).assert_success();
    let push = project.write("page", "2").push();
    push.assert_success().assert_says("2 migrations").assert_does_not_say("made a database");
}

#[test]
fn a_release_command_migrates_what_the_push_shares() {
    let site = Site::new();
    site.configure("unshared = \"share\"");
    let project = with_migrations(&site);
    project.push().assert_success();
    let write = "import sqlite3; db = sqlite3.connect('app.db')\n\
                 db.execute('create table visitors (n)'); db.commit()";
    let mut application = Command::new(&newest_python().path);
    application.args(["-c", write]).current_dir(site.path.join("wwwroot"));
    Running::start(&mut application).wait().assert_success();
    fs::write(site.path.join("wwwroot/page"), "of the commit, changed").unwrap();

    let push = project.write("page", "2").push();
    push.assert_success()
        .assert_says("app.db of release 1 -> shared/app.db")
        .assert_says("2 migrations")
        .assert_does_not_say("made a database");
    assert_eq!(link(&site, "wwwroot/app.db"), "../../shared/app.db");
}

/// A folder that is moved keeps the times of all that is in it.
#[test]
fn a_folder_that_was_moved_into_a_release_is_the_applications() {
    let site = Site::new();
    site.configure("keep = 1");
    let media = site.sandbox.path("media");
    fs::create_dir_all(media.join("2019")).unwrap();
    fs::write(media.join("2019/upload.jpg"), "upload").unwrap();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    fs::rename(&media, site.path.join("wwwroot/media")).unwrap();
    let push = project.write("page", "2").push();
    push.assert_success().assert_says("nyala share media").assert_says("saved in kept/1");
    let kept = site.path.join("kept/1/media/2019/upload.jpg");
    assert_eq!(fs::read_to_string(kept).unwrap(), "upload");
}

#[test]
fn what_is_offered_can_be_shared() {
    let site = Site::new();
    site.configure("shared = [\"media/public/\"]\nunshared = \"share\"");
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let live = site.path.join("wwwroot");
    // `media` itself cannot be shared, since what is shared is in it; a name that is not UTF-8
    // cannot be written into nyala.toml; and what is behind a link is not the release's.
    fs::create_dir(live.join("media/private")).unwrap();
    fs::write(live.join("media/private/a b"), "upload").unwrap();
    fs::write(live.join(OsStr::from_bytes(b"caf\xe9.jpg")), "coffee").unwrap();
    let outside = site.sandbox.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("x"), "outside").unwrap();
    symlink(&outside, live.join("out")).unwrap();
    site.nyala(&["share", "out/x"]).assert_failed(1, "releases/1/out is a link");
    let push = project.write("page", "2").push();
    push.assert_success()
        .assert_says("media/private of release 1 -> shared/media/private")
        .assert_says("(a name that cannot be shared)");
    assert_eq!(site.live_file("media/private/a b"), "upload");
    assert_eq!(fs::read_to_string(outside.join("x")).unwrap(), "outside");
}

/// As `nyala share` leaves it that is killed before it writes the setting.
#[test]
fn a_path_that_is_shared_by_half_is_named() {
    let site = Site::new();
    let project = with_data(&site);
    let (live, shared) = (site.path.join("wwwroot"), site.path.join("shared"));
    fs::rename(live.join("media"), shared.join("media")).unwrap();
    symlink("../../shared/media", live.join("media")).unwrap();
    fs::hard_link(live.join("db.sqlite3-wal"), shared.join("db.sqlite3-wal")).unwrap();
    site.nyala(&["share", "db.sqlite3"]).assert_success();
    let push = project.write("page", "2").push();
    push.assert_success().assert_says("to have them in every release: nyala share media");
    let push = project.write("page", "3").push();
    push.assert_success().assert_does_not_say("nyala share");
    site.nyala(&["rollback", "1"]).assert_success();
    site.nyala(&["share", "media"]).assert_success();
    project.write("page", "4").push().assert_success();
    assert_eq!(site.live_file("media/upload.jpg"), "upload");
    assert_eq!(site.live_file("db.sqlite3"), "rows");
}

#[test]
fn what_is_on_another_disk_is_not_moved() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    with_data(&site);
    let shared = site.path.join("shared");
    Mounts::bind(&shared, &shared);
    for path in ["media", "db.sqlite3"] {
        let ran = site.nyala(&["share", path]);
        ran.assert_failed(1, "the release and shared/ are on different file systems");
        assert!(ran.stderr.contains("cp -a "), "{}", ran.stderr);
    }
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0);
    assert_eq!(site.live_file("media/upload.jpg"), "upload");
    Mounts::unmount(&shared);
    site.nyala(&["share", "media", "db.sqlite3"]).assert_success();
}
