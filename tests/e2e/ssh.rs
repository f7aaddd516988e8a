//! Who may push what: keys with `nyala shell` as their forced command, over a real sshd.

use std::fs;
use std::os::unix::fs::symlink;

use crate::running::application;
use crate::support::{Push, Running, RunningPush, Sandbox, Site, SshServer, wait_until};

const NYALA: &str = env!("CARGO_BIN_EXE_nyala");

/// Two sites in one root: `shop`, and `blog` beside it.
fn two_sites() -> Site {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("sites")).unwrap();
    for name in ["shop", "blog"] {
        sandbox
            .nyala(&["init", sandbox.path("sites").join(name).to_str().unwrap()])
            .assert_success();
    }
    let path = sandbox.path("sites/shop");
    Site { repository: path.join("repository.git"), path, sandbox }
}

fn forced(site: &Site, more: &str) -> String {
    format!("{NYALA} shell --root {} {more}", site.sandbox.path("sites").display())
}

#[test]
fn a_key_reaches_its_own_site_and_no_other() {
    let site = two_sites();
    let keys = [
        ("ada", forced(&site, "shop")),
        ("eve", forced(&site, "--read-only shop")),
        ("root", forced(&site, "")),
    ];
    let Some(server) = SshServer::start(&site.sandbox, &keys) else {
        return;
    };
    let project = site.project();
    project.write("page", "1").commit("A page");
    let push = |key: &str, path: &str| {
        let address = SshServer::address(path);
        Push::new(
            Running::start(&mut server.git(
                key,
                &project.path,
                &["push", &address, "HEAD:refs/heads/main"],
            ))
            .wait(),
        )
    };

    push("ada", "shop").assert_success();
    assert_eq!(site.live_file("page"), "1");
    symlink(site.sandbox.path("sites/blog"), site.sandbox.path("sites/link")).unwrap();
    let outside = site.sandbox.path("outside");
    site.sandbox.nyala(&["init", outside.to_str().unwrap()]).assert_success();
    let absolute = site.sandbox.path("sites/blog/repository.git");
    for path in [
        "blog",
        "../blog",
        "shop/../blog/repository.git",
        "link",
        absolute.to_str().unwrap(),
        outside.join("repository.git").to_str().unwrap(),
    ] {
        let refused = push("ada", path);
        assert!(
            !refused.accepted && refused.stderr.contains("this key cannot reach a site named"),
            "{path}: {}",
            refused.stderr
        );
    }
    let refused = push("root", outside.to_str().unwrap());
    assert!(!refused.accepted, "{}", refused.stderr);
    for name in ["sites/blog", "outside"] {
        assert_eq!(
            fs::read_dir(site.sandbox.path(name).join("deployments")).unwrap().count(),
            0,
            "{name}"
        );
    }

    // A read-only key can fetch.
    let fetch = ["fetch", &SshServer::address("shop"), "main"];
    Running::start(&mut server.git("eve", &project.path, &fetch)).wait().assert_success();
    assert!(!push("eve", "shop").accepted);
    project.write("page", "2").commit("Another page");
    push("root", "shop.git").assert_success();
    push("root", "blog").assert_success();
}

#[test]
fn only_read_only_commands_run_over_ssh() {
    let site = two_sites();
    site.set("TOKEN", "correct-horse");
    let Some(server) = SshServer::start(&site.sandbox, &[("ada", forced(&site, "shop"))]) else {
        return;
    };
    site.project().write("page", "").push().assert_success();
    let list = server.run("ada", "nyala list --json");
    assert_eq!(list.json()[0]["id"], 1);
    assert_eq!(
        server.run("ada", "nyala build-log --site shop 1").assert_success().stdout,
        site.log(1)
    );
    assert_eq!(server.run("ada", "nyala status --json").json()["live"]["id"], 1);

    let blog = site.sandbox.path("sites/blog");
    for asked in [
        "id",
        "git-receive-pack 'shop'; id",
        "git-receive-pack \"$(id)\"",
        "nyala config get TOKEN",
        "nyala redeploy",
        "nyala worker --deployment 1",
        "nyala shell --root / id",
        "nyala list --site blog",
        &format!("nyala list --site {}", blog.display()),
        &format!("nyala list --site {}/../blog", site.path.display()),
    ] {
        let ran = server.run("ada", asked);
        assert!(!ran.status.success(), "{asked}: {ran:#?}");
        assert!(
            !ran.stdout.contains("uid=") && !format!("{ran:?}").contains("correct-horse"),
            "{asked}: {ran:#?}"
        );
    }
    assert_eq!(site.numbers("deployments"), [1]);
    let wrong = server.run("ada", "nyala lsit");
    wrong.assert_failed(2, "error: unrecognized subcommand 'lsit'");
    assert!(!wrong.stderr.contains("NYALA_LOG"), "{wrong:?}");
    server.run("ada", "nyala list --help").assert_success();
    let mut login = server.run("ada", "");
    login.stderr.retain(|letter| letter != '\r');
    assert!(login.stderr.contains("this key may reach: shop"), "{login:#?}");
}

#[test]
fn a_closed_connection_does_not_end_the_deployment() {
    let site = two_sites();
    let Some(server) = SshServer::start(&site.sandbox, &[("ada", forced(&site, "shop"))]) else {
        return;
    };
    let gate = site.gate();
    let project = site.project();
    project.custom_script(&format!("{}seq 1 20000\necho last", gate.shell())).commit("A script");
    let push = ["push", &SshServer::address("shop"), "HEAD:refs/heads/main"];
    let push = RunningPush::new(Running::start(&mut server.git("ada", &project.path, &push)));
    gate.wait_until_reached();
    push.kill_all();
    gate.open();
    assert_eq!(site.ended(1)["status"], "succeeded");
    let log = site.log(1);
    assert!(log.contains(" 20000\n") && log.contains(" last\n"));
}

#[test]
fn a_key_may_do_what_its_line_allows() {
    let site = two_sites();
    let all = "--allow push,logs,restart,rollback,run,config";
    let keys = [
        ("ada", forced(&site, &format!("{all} shop"))),
        ("bob", forced(&site, &format!("{all} shop blog"))),
        ("eve", forced(&site, "--allow logs shop")),
        ("old", forced(&site, "shop")),
    ];
    let Some(server) = SshServer::start(&site.sandbox, &keys) else {
        return;
    };
    let _serve = site.serve_on_a_socket("");
    let project = site.project();
    for page in ["one", "two"] {
        application(&project, page, "");
        project.push().assert_success();
    }
    let run = |key: &str, asked: &str| server.run(key, asked);
    let says = |key: &str, asked: &str, text: &str| {
        let ran = run(key, asked);
        assert!(ran.assert_success().stdout.contains(text), "{key}: {asked}: {ran:#?}");
    };
    // The site may be named, in three ways, and need not be where there is one alone.
    says("ada", "logs", "web.2 | starting two");
    says("ada", "logs shop web -n 1", "web.2 | starting two");
    says("bob", "logs shop", "web.2 | starting two");
    says("bob", "nyala logs --site shop", "web.2 | starting two");
    says("eve", "ps shop --json", "\"healthy\": true");
    run("bob", "logs").assert_failed(1, "which site?");
    run("bob", "logs web").assert_failed(1, "this key cannot reach a site named `web`");
    says("ada", "status", "Live:");
    says("ada", "rollback shop", "release 1 is live again");
    says("ada", "restart shop web", "GET / answers 200 OK");
    says("ada", "stop", "Stopped.");
    says("bob", "start shop", "Started release 1.");
    says("ada", "config set GREETING=hello", "The application was restarted with it.");
    says("ada", "run shop -- sh -c 'echo $GREETING; exit 0'", "hello\n");
    assert_eq!(run("ada", "run sh -c 'exit 7'").status.code(), Some(7));
    says("ada", "config get GREETING", "hello\n");

    // A reader who leaves ends what follows, although nothing is printed any more.
    let follow = "logs shop --follow -n 1";
    let client = format!("exec {} 127.0.0.1 \"$0\"", server.client("eve"));
    let mut follower = site.sandbox.command("sh");
    let follower = Running::start(follower.args(["-c", &client, follow]));
    let followers = || {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let asked = format!("SSH_ORIGINAL_COMMAND={follow}\0");
        let environments = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
        environments.filter(|it| String::from_utf8_lossy(it).contains(&asked)).count()
    };
    wait_until("it follows", || followers() > 0);
    drop(follower);
    wait_until("it has ended", || followers() == 0);

    let refused = [
        ("eve", "restart shop", "Ask whoever runs the server for a key with restart in its"),
        ("eve", "run shop id", "this key may not run run"),
        ("eve", "nyala config list --site shop --values", "this key may not run config"),
        ("eve", "rollback", "this key may not run rollback"),
        ("old", "logs", "with logs in its --allow"),
        ("old", "ps", "this key may not run ps"),
        ("old", "config list", "allowed: list, show, diff, status, build-log, plan, wait"),
        ("ada", "gc shop", "is not allowed here"),
        ("ada", "nyala gc", "this key may not run gc"),
        ("ada", "nyala shell --root / id", "this key may not run shell"),
        ("ada", "logs shop --site blog", "this key cannot reach a site named `blog`"),
        ("ada", "run --site blog id", "this key cannot reach a site named `blog`"),
        ("ada", "run --site /etc id", "this key cannot reach a site named"),
        ("ada", "logs ../blog", "no process ../blog has run"),
        ("bob", "logs ../blog", "this key cannot reach a site named"),
        ("bob", "logs 'shop; id'", "this key cannot reach a site named"),
        ("ada", "logs shop; id", "unexpected argument 'id' found"),
        ("ada", "logs $(id)", "no process $(id) has run"),
        ("ada", "id", "`id` is not allowed here"),
        ("ada", "/bin/logs", "is not allowed here"),
    ];
    for (key, asked, why) in refused {
        let ran = run(key, asked);
        assert!(!ran.status.success() && ran.stderr.contains(why), "{key}: {asked}: {ran:#?}");
        assert!(!format!("{ran:?}").contains("uid="), "{key}: {asked}: {ran:#?}");
    }
    let push = ["push", &SshServer::address("shop"), "HEAD:refs/heads/main"];
    let push = Running::start(&mut server.git("eve", &project.path, &push)).wait();
    assert!(!push.status.success() && push.stderr.contains("may fetch, but not push"), "{push:#?}");
}
