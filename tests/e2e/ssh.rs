//! Who may push what: keys with `nyala shell` as their forced command, over a real sshd.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Push, Running, RunningPush, Sandbox, Site, SshServer};

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
