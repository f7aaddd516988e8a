//! What an error tells people to do has to help them.

use std::fs::{self, File};

use crate::support::{Project, Site};

#[test]
fn a_push_to_a_site_that_was_moved_says_how_to_install_it_again() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let moved = site.sandbox.path("moved");
    fs::rename(&site.path, &moved).unwrap();
    let repository = moved.join("repository.git");
    let url = repository.to_str().unwrap();
    project.write("page", "2").commit("Change the page");
    let push = project.push_raw(&[url, "HEAD:refs/heads/main"]);
    let advice = format!("nyala install {url} --site NEW_FOLDER");
    push.assert_says("error: there is no site at")
        .assert_says("error: nothing was deployed")
        .assert_says(&advice)
        .assert_does_not_say("nyala init");

    let advice = advice.replace("NEW_FOLDER", moved.to_str().unwrap());
    let arguments: Vec<_> = advice.split(' ').skip(1).collect();
    site.sandbox.nyala(&arguments).assert_success();
    let moved = moved.to_str().unwrap();
    push.assert_says("Then deploy what was pushed: nyala --site NEW_FOLDER redeploy");
    site.sandbox.nyala(&["--site", moved, "redeploy"]).assert_success();
    assert_eq!(fs::read_to_string(format!("{moved}/wwwroot/page")).unwrap(), "2");
    project.write("page", "3").commit("Change it again");
    project.push_raw(&[url, "HEAD:refs/heads/main"]).assert_success();
}

#[test]
fn after_a_repair_on_the_server_the_advice_deploys_what_was_pushed() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let settings = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    fs::write(site.path.join("nyala.toml"), format!("{settings}\n[rum]\n")).unwrap();
    let push = project.write("page", "2").push();
    push.assert_says("error: ").assert_says("Deploy what was pushed: nyala redeploy");
    assert_eq!(push.last_line(), "error: nothing was deployed; deployment 1 is still live");
    fs::write(site.path.join("nyala.toml"), settings).unwrap();
    assert!(project.push_raw(&["nyala", "HEAD:refs/heads/main"]).stderr.contains("up-to-date"));
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(site.live_id(), Some(2));

    project.write("runtime.txt", "python-3.14.99").write("requirements.txt", "");
    let advice = "Install it: nyala python install 3.14.99; then ";
    project.push().assert_failed_with(&format!("{advice}deploy again: nyala redeploy"));
    site.configure("strict = true");
    // A push takes that in, and the next one is strict.
    project.write("page", "3").push();
    project.write("page", "4").push().assert_says(&format!("{advice}push again"));
}

#[test]
fn settings_that_are_committed_are_said_not_to_be_read() {
    let site = Site::new();
    let project = site.project();
    project.write("nyala.toml", "project = \"backend\"\n").write("backend/requirements.txt", "");
    let file = site.path.join("nyala.toml");
    project
        .push()
        .assert_success()
        .assert_says("warning: nyala.toml in the commit is not read: the settings of this site are")
        .assert_says(&file.display().to_string())
        .assert_says("write project = \"backend\" in the site's nyala.toml, on the server");
}

#[test]
fn a_folder_inside_a_site_is_not_made_a_site_of_its_own() {
    let site = Site::new();
    let project = site.project();
    // Of the project's own: a release is no site for it.
    project.write("nyala.toml", "keep = 2\n").write("web/page", "1").push().assert_success();
    for inside in ["wwwroot", "releases/1", "wwwroot/web", "repository.git"] {
        let folder = site.path.join(inside);
        let ran = site.sandbox.nyala(&["status", "--site", folder.to_str().unwrap()]);
        ran.assert_failed(1, &format!("--site {}", site.path.display()));
        assert!(!ran.stderr.contains("nyala init"), "{ran:?}");
    }
    for inside in ["wwwroot", "releases/1", "releases/1/new", "shared/new"] {
        let folder = site.path.join(inside);
        let ran = site.sandbox.nyala(&["init", folder.to_str().unwrap()]);
        ran.assert_failed(1, &format!("it is inside the site {}", site.path.display()));
    }
    assert!(!site.path.join("shared/new").exists());
    let mut status = site.sandbox.nyala_command();
    status.arg("status").current_dir(site.path.join("wwwroot/web"));
    let shown = String::from_utf8(status.output().unwrap().stdout).unwrap();
    assert!(shown.contains(&format!("Site:   {}\n", site.path.display())), "{shown}");
}

#[test]
fn a_repository_that_is_gone_is_named_without_the_words_of_a_library() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    site.configure("repository = '/nowhere.git'");
    let push = project.write("page", "2").push();
    push.assert_says("error: there is no repository")
        .assert_says("repository = \"…\"")
        .assert_says("error: nothing was deployed; deployment 1 is still live");
    let ran = site.nyala(&["plan"]);
    ran.assert_failed(1, "there is no repository at /nowhere.git");
    for text in [&push.stderr, &ran.stderr] {
        assert!(!text.contains("class=") && !text.contains("code="), "{text}");
    }
}

#[test]
fn what_is_no_repository_is_said_before_the_site_is_asked_for() {
    let site = Site::new();
    let folder = site.sandbox.path("no-repository");
    fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    site.sandbox.nyala(&["install", folder]).assert_failed(1, "is not a git repository");
    let install = |path: &str| site.sandbox.nyala(&["install", path]);
    let own = format!("Name its repository: {}", site.repository.display());
    install(site.path.to_str().unwrap()).assert_failed(1, &own);
    install(site.path.join("nyala.toml").to_str().unwrap()).assert_failed(1, "it is a file");
    let missing = install("/nowhere.git");
    missing.assert_failed(1, "there is no repository at /nowhere.git");
    assert!(!missing.stderr.contains("nyala.toml"), "{missing:?}");
    let repository = site.repository.to_str().unwrap();
    let asked = site.sandbox.nyala(&["install", repository]);
    asked.assert_failed(2, &format!("nyala install {repository} --site SITE"));
    // There is a repository here, so nobody has to make one.
    let project = site.project();
    install(project.path.join(".git").to_str().unwrap()).assert_failed(1, "git clone --bare");
    let ran = install(project.path.to_str().unwrap());
    ran.assert_failed(1, "it has a work tree");
    assert!(!ran.stderr.contains("git init"), "{ran:?}");
}

#[test]
fn wrong_usage_exits_with_2_and_a_mistake_with_1_and_neither_asks_for_debugging() {
    let site = Site::new();
    site.project().write("page", "1").push().assert_success();
    let outside = site.sandbox.nyala(&["status"]);
    let new = site.sandbox.path("new");
    let init = |option: &str, value: &str| {
        site.sandbox.nyala(&["init", new.to_str().unwrap(), option, value])
    };
    let of_init = [
        init("--python", "three"),
        init("--branch", "a b"),
        init("--branch", ""),
        init("--branch", "refs/heads/main"),
    ];
    assert!(!new.exists());
    let wrong = [
        &["shout"][..],
        &["config", "set", "NAME"],
        &["config", "set", "1A=x"],
        &["config", "set", "--stdin", "A-B"],
        &["freeze", " "],
        &["share", "/etc"],
        &["share", "../media"],
        &["share", "env"],
        &["script", "nowhere"],
        &["man", "/dev/null"],
    ];
    let wrong: Vec<_> = wrong.iter().map(|arguments| site.nyala(arguments)).collect();
    for ran in [&outside].into_iter().chain(&of_init).chain(&wrong) {
        assert_eq!(ran.status.code(), Some(2), "{ran:?}");
        assert!(!ran.stderr.contains("NYALA_LOG"), "{ran:?}");
    }
    for arguments in [
        &["show", "99"][..],
        &["build-log", "99"],
        &["rollback"],
        &["rollback", "99"],
        &["delete", "99"],
        &["delete", "1"],
        &["cancel", "99"],
        &["redeploy", "nowhere"],
        &["plan", "nowhere"],
        &["diff", "1", "99"],
        &["config", "get", "NOTHING"],
        &["config", "unset", "NOTHING"],
    ] {
        let ran = site.nyala(arguments);
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.contains("NYALA_LOG"), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn before_the_first_push_nothing_sends_people_to_look_for_commits() {
    let site = Site::new();
    site.nyala(&["plan"]).assert_failed(1, "nothing was pushed yet");
    site.nyala(&["plan", "main"]).assert_failed(1, "it has no commits yet");
    for command in ["plan", "redeploy", "show", "build-log"] {
        site.nyala(&[command, "7"]).assert_failed(1, "there is no deployment 7");
    }
    site.nyala(&["wait", "7"]).assert_failed(2, "there is no deployment 7");
    // Set to nothing, a variable names nothing.
    let mut status = site.sandbox.nyala_command();
    status.arg("status").env("NYALA_SITE", "").current_dir(&site.path);
    assert!(status.output().unwrap().status.success());
}

#[test]
fn a_site_without_its_settings_is_recognized_and_can_be_made_whole() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    site.configure("keep = 'two'");
    site.nyala(&["status"]).assert_success();
    let settings = site.path.join("nyala.toml");
    fs::remove_file(&settings).unwrap();
    let path = site.path.to_str().unwrap();
    for command in ["status", "redeploy", "doctor"] {
        let ran = site.nyala(&[command]);
        ran.assert_failed(1, "has lost its nyala.toml");
        assert!(ran.stderr.contains(&format!("nyala init {path}")), "{ran:?}");
    }
    site.sandbox.nyala(&["init", path]).assert_success();
    project.write("page", "2").push().assert_success();
    assert_eq!(site.live_id(), Some(2));
}

#[test]
fn a_site_in_which_nothing_can_go_live_fails_the_deployment_and_says_why() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let (wwwroot, aside) = (site.path.join("wwwroot"), site.path.join("aside"));
    fs::rename(&wwwroot, &aside).unwrap();
    fs::create_dir(&wwwroot).unwrap();
    let push = project.write("page", "2").push();
    push.assert_failed_with("is not a symbolic link").assert_does_not_say("was killed");
    assert_eq!(site.record(2)["status"], "failed");
    fs::remove_dir(&wwwroot).unwrap();
    fs::rename(&aside, &wwwroot).unwrap();
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(site.live_file("page"), "2");
    fs::remove_dir_all(site.path.join("deployments/3")).unwrap();
    let status = site.nyala(&["status"]);
    assert!(status.stdout.contains("release 3, whose record is gone"), "{status:?}");
}

#[test]
fn json_has_the_parts_of_an_error() {
    let site = Site::new();
    let ran = site.nyala(&["show", "99", "--json"]);
    ran.assert_failed(1, "there is no deployment 99");
    let error: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(error["error"]["fact"], "there is no deployment 99");
    assert!(error["error"]["fixes"][0].as_str().unwrap().contains("nyala list"), "{error}");

    let project = site.project();
    project.write("runtime.txt", "python3.11").write("requirements.txt", "").push();
    let shown = site.nyala(&["show", "1", "--json"]).json();
    let (text, parts) = (shown["error"].as_str().unwrap(), &shown["error_parts"]);
    assert_eq!(text.lines().next(), parts["fact"].as_str());
    assert!(parts["found"][0].as_str().unwrap().contains("python3.11"), "{parts}");
    assert!(!parts["fixes"].as_array().unwrap().is_empty(), "{parts}");
}

#[test]
fn a_push_that_waits_for_the_cleaning_up_does_not_say_that_a_deployment_runs() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let lock = File::options().read(true).write(true).open(site.path.join("lock")).unwrap();
    lock.lock().unwrap();
    project.write("page", "2").commit("Change the page");
    let push = project.push_in_background();
    site.wait_for_log(2, "still cleans up; waiting for it");
    lock.unlock().unwrap();
    push.wait().assert_success().assert_does_not_say("deployment is running");
}

/// A commit whose header lines are these, after its tree.
fn odd_commit(project: &Project<'_>, tree: &str, parent: &str, lines: &str) -> String {
    let text = format!("tree {tree}\nparent {parent}\n{lines}\n\nFrom another time\n");
    let file = project.path.join(".git/object");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    project.git(&["hash-object", "-t", "commit", "--literally", "-w", file])
}

#[test]
fn histories_that_old_tools_wrote_can_be_pushed_and_deployed() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let good = "author A <a@b> 1 +0000\n";
    for (name, lines) in [
        ("badTimezone", format!("{good}committer A <a@b> 1 +51800")),
        ("badDateOverflow", format!("{good}committer A <a@b> 99999999999999999999 +0000")),
        ("zeroPaddedDate", format!("{good}committer A <a@b> 01 +0000")),
        ("missingSpaceBeforeDate", format!("{good}committer A <a@b>1 +0000")),
        ("missingSpaceBeforeEmail", format!("{good}committer A<a@b> 1 +0000")),
        ("missingNameBeforeEmail", format!("{good}committer <a@b> 1 +0000")),
        ("missingEmail", format!("{good}committer A 1 +0000")),
        ("missingEmail of the author", "author A\ncommitter A <a@b> 1 +0000".to_owned()),
        ("badName", format!("{good}committer A > B <a@b> 1 +0000")),
        ("badEmail", format!("{good}committer A <a@b 1 +0000")),
        ("multipleAuthors", format!("{good}{good}committer A <a@b> 1 +0000")),
    ] {
        project.write("page", name).commit(name);
        let tree = project.git(&["rev-parse", "HEAD^{tree}"]);
        let parent = project.git(&["rev-parse", "HEAD~1"]);
        let commit = odd_commit(&project, &tree, &parent, &lines);
        project.git(&["reset", "--quiet", "--hard", &commit]);
        let push = project.push_refs(&["+HEAD:refs/heads/main"]);
        assert!(push.accepted, "{name}: {}", push.stderr);
        assert_eq!(site.live_file("page"), name, "{}", push.stderr);
    }
}

/// A commit of a tree with one file, `page` of HEAD, under this mode and name.
fn odd_tree(project: &Project<'_>, entry: &str) -> String {
    let blob = project.git(&["rev-parse", "HEAD:page"]);
    let mut tree = format!("{entry}\0").into_bytes();
    tree.extend(
        (0..blob.len()).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap()),
    );
    let file = project.path.join(".git/object");
    fs::write(&file, tree).unwrap();
    let file = file.to_str().unwrap();
    let tree = project.git(&["hash-object", "-t", "tree", "--literally", "-w", file]);
    let who = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000";
    odd_commit(project, &tree, &project.head(), who)
}

#[test]
fn a_tree_that_would_write_elsewhere_is_still_refused() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    // As git before 1.0 wrote the mode.
    let commit = odd_tree(&project, "100664 page");
    project.push_refs(&[&format!("{commit}:refs/heads/main")]).assert_success();
    project.git(&["reset", "--quiet", "--hard", &commit]);
    let commit = odd_tree(&project, "100644 .git");
    let push = project.push_refs(&[&format!("{commit}:refs/heads/main")]);
    assert!(!push.accepted && push.stderr.contains("hasDotgit"), "{}", push.stderr);
    assert_eq!(site.live_id(), Some(2));
}

#[test]
fn repositories_with_extensions_that_git_knows_are_opened() {
    let site = Site::new();
    let config = |key: &str, value: &str| {
        site.sandbox.git(&site.repository, &["config", key, value]);
    };
    let project = site.project();
    config("core.repositoryFormatVersion", "1");
    config("extensions.preciousObjects", "true");
    config("extensions.worktreeConfig", "true");
    project.write("page", "1").push().assert_success();
    config("extensions.partialClone", "origin");
    project.write("page", "2").push().assert_success();
    assert_eq!(site.live_file("page"), "2");
}
