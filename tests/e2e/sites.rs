//! `nyala init`, `nyala install`, and the hook they write.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Running, Sandbox, Site, seeds, snapshot, snapshot_at_rest};

#[test]
fn init_ends_with_the_three_lines_to_type_next() {
    let site = Site::in_folder("Ada's site", &[]);
    let printed = site.sandbox.nyala(&["init", site.path.to_str().unwrap()]).stdout;
    let (_, next) = printed.split_once("\n\n").unwrap();
    let lines: Vec<_> = next.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let [remote, push, serve] = lines[..] else { panic!("{next}") };

    let project = site.project();
    project.git(&["remote", "remove", "nyala"]);
    project.write("index.html", "hello").commit("Say hello");
    let type_in = |line: &str| {
        let mut shell = site.sandbox.command("sh");
        shell.current_dir(&project.path).args(["-c", line]);
        Running::start(&mut shell).wait().assert_success();
    };
    type_in(remote);
    // The address names this machine and an account, for ssh; git takes the path alone.
    let address = project.git(&["remote", "get-url", "nyala"]);
    let (account, path) = address.split_once(':').unwrap();
    assert!(account.contains('@'), "{address}");
    project.git(&["remote", "set-url", "nyala", path]);
    type_in(push);
    assert_eq!(site.live_file("index.html"), "hello");
    let served = shlex::split(serve).unwrap();
    assert_eq!(served, ["nyala", "serve", site.path.to_str().unwrap()]);
}

#[test]
fn init_again_changes_nothing() {
    let site = Site::new();
    let before = snapshot_at_rest(&site.path);
    site.sandbox.nyala(&["init", site.path.to_str().unwrap()]).assert_success();
    assert_eq!(snapshot_at_rest(&site.path), before);
}

#[test]
fn init_again_on_a_site_in_use_changes_nothing() {
    let site = Site::new();
    site.project().write("index.html", "hello").push().assert_success();
    let before = snapshot_at_rest(&site.path);
    site.sandbox.nyala(&["init", site.path.to_str().unwrap()]).assert_success();
    assert_eq!(snapshot_at_rest(&site.path), before);
}

#[test]
fn init_sets_the_deploy_branch() {
    let site = Site::with(&["--branch", "production"]);
    let project = site.project();
    project.write("index.html", "hello");
    project.push().assert_deployed_nothing("HEAD:production");
    project.push_refs(&["HEAD:refs/heads/production"]).assert_success();
}

#[test]
fn a_site_can_be_in_a_folder_with_blanks_and_quotes() {
    let site = Site::in_folder("Ada's site \u{e9}", &[]);
    site.python_project().push().assert_success();
    let script = site.path.join("wwwroot/env/bin/antelope");
    let ran = Running::start(&mut site.sandbox.command(script)).wait();
    assert!(ran.assert_success().stdout.starts_with("antelope 1.0 in "));
}

#[test]
fn the_hook_is_a_few_lines_of_sh_that_exec_the_binary() {
    let site = Site::new();
    let hook = site.repository.join("hooks/post-receive");
    let text = fs::read_to_string(&hook).unwrap();
    assert!(text.starts_with("#!/bin/sh\n"), "{text}");
    assert!(text.lines().count() < 40, "{text}");
    assert!(text.lines().any(|line| line.trim_start().starts_with("exec ")), "{text}");
    assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o111, 0o111);
}

#[test]
fn install_adds_the_hook_to_an_existing_repository() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let site = Site::installed(sandbox, repository);
    site.project().write("index.html", "hello").push().assert_success();
    assert_eq!(site.live_file("index.html"), "hello");
    assert!(!site.path.join("repository.git").exists());
}

#[test]
fn install_deploys_the_next_push_to_a_repository_with_history() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let site = Site { path: sandbox.path("site"), sandbox, repository };
    let project = site.project();
    project.write("index.html", "before").push();
    site.install().assert_success();
    project.write("index.html", "after").push().assert_success();
    assert_eq!(site.live_file("index.html"), "after");
}

#[test]
fn install_keeps_an_existing_hook_and_says_so() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let theirs = repository.join("hooks/post-receive");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "#!/bin/sh\nwhile read -r line; do echo \"theirs: $line\"; done\n").unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    let site = Site { path: sandbox.path("site"), sandbox, repository };

    let said = site.install();
    said.assert_success();
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("post-receive"), "{said}");

    let project = site.project();
    project.write("index.html", "hello");
    let push = project.push();
    push.assert_success();
    let line = format!("{} refs/heads/main", project.head());
    assert!(
        push.output.lines().any(|it| it.starts_with("theirs: ") && it.ends_with(&line)),
        "their hook did not run with its input:\n{}",
        push.stderr
    );
}

#[test]
fn install_again_changes_nothing_and_runs_the_kept_hook_once() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let theirs = repository.join("hooks/post-receive");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "#!/bin/sh\necho theirs ran\n").unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    let site = Site::installed(sandbox, repository);

    let before = (snapshot(&site.path), snapshot(&site.repository));
    site.install().assert_success();
    assert_eq!((snapshot(&site.path), snapshot(&site.repository)), before);

    let push = site.project().write("index.html", "hello").push();
    push.assert_success();
    assert_eq!(push.output.matches("theirs ran").count(), 1, "{}", push.stderr);
}

#[test]
fn the_hook_of_another_site_is_replaced_only_when_that_is_asked_for() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let site = Site::installed(sandbox, repository);
    let (repository, other) = (site.repository.to_str().unwrap(), site.sandbox.path("other"));
    let install = ["install", repository, "--site", other.to_str().unwrap()];
    let refused = site.sandbox.nyala(&install);
    refused.assert_failed(1, site.path.to_str().unwrap());
    refused.assert_failed(1, other.to_str().unwrap());
    assert!(!other.exists());
    let project = site.project();
    project.write("page", "1").push().assert_success();
    assert_eq!(site.live_file("page"), "1");

    site.sandbox.nyala(&[&install[..], &["--force"]].concat()).assert_success();
    project.write("page", "2").push().assert_success();
    assert_eq!((site.live_file("page").as_str(), other.join("wwwroot/page").exists()), ("1", true));
}

#[test]
fn installing_into_a_folder_that_is_not_a_repository_fails() {
    let sandbox = Sandbox::new();
    let nothing = sandbox.path("nothing");
    let site = sandbox.path("site");
    let ran =
        sandbox.nyala(&["install", nothing.to_str().unwrap(), "--site", site.to_str().unwrap()]);
    ran.assert_failed(1, nothing.to_str().unwrap());
}

#[test]
fn a_failing_kept_hook_does_not_prevent_the_deployment() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let theirs = repository.join("hooks/post-receive");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "#!/bin/sh\nexit 3\n").unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    let site = Site::installed(sandbox, repository);
    site.project().write("index.html", "hello").push().assert_success();
}

#[test]
fn sites_share_what_belongs_to_the_machine() {
    let site = Site::new();
    site.python_project().push().assert_success();
    let cache = site.sandbox.path("home/.cache/nyala");
    assert!(cache.join("interpreters.json").is_file());
    let has_pip = |folder: &std::path::Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.into_iter().any(|name| name.to_string_lossy().starts_with("pip-"))
    };
    assert!(has_pip(&cache));
    assert!(!site.path.join("cache/interpreters.json").exists());
    assert!(!has_pip(&site.path.join("cache")));
}

#[test]
fn without_a_home_that_can_be_written_to_a_site_has_a_cache_of_its_own() {
    for home in [None, Some("/proc/nobody"), Some("relative")] {
        let site = Site::new();
        site.sandbox.remove_variable("XDG_CACHE_HOME");
        match home {
            Some(home) => site.sandbox.set_variable("HOME", home),
            None => site.sandbox.remove_variable("HOME"),
        }
        site.sandbox.set_variable("GIT_CONFIG_GLOBAL", "/dev/null");
        // Which takes seconds to fill.
        if home.is_some() {
            seeds::lend_pips(&site.path.join("cache"));
        }
        site.python_project().push().assert_success();
        assert!(site.path.join("cache/interpreters.json").is_file(), "{home:?}");
        assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    }
}

#[test]
fn sites_that_unpack_the_same_pip_at_once_all_deploy() {
    let sandbox = Sandbox::new();
    let sites: Vec<_> = (0..3)
        .map(|number| {
            let path = sandbox.path(&format!("site{number}"));
            let path = path.to_str().unwrap();
            sandbox.nyala(&["init", path, "--installer", "pip"]).assert_success();
            path.to_owned()
        })
        .collect();
    let work = sandbox.path("work");
    fs::create_dir(&work).unwrap();
    sandbox.git(&work, &["init", "--quiet"]);
    fs::write(work.join("requirements.txt"), "antelope==1.0\n").unwrap();
    sandbox.git(&work, &["add", "."]);
    sandbox.git(
        &work,
        &["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "One"],
    );
    let pushes: Vec<_> = sites
        .iter()
        .map(|site| {
            let mut push = sandbox.command("git");
            push.current_dir(&work).args(["push", &format!("{site}/repository.git"), "HEAD:main"]);
            Running::start(&mut push)
        })
        .collect();
    for push in pushes {
        let ran = push.wait();
        assert!(ran.stderr.contains("success: "), "{ran:#?}");
    }
}
