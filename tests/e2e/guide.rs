//! The guide of the README, with its own commands, over a real sshd. `scripts/test-guide` follows
//! the whole of it on a bare Debian.

use std::fs;
use std::process::Command;

use crate::support::{Push, Running, Sandbox, Site, SshServer, newest_python};

const README: &str = include_str!("../../README.md");

/// The blocks of shell commands in the guide: for root, for the owner, in the project, and to run
/// the application.
fn blocks() -> [&'static str; 4] {
    let (_, guide) = README.split_once("\n## Deploy your own site in five minutes\n").unwrap();
    let guide = guide.split("\n## ").next().unwrap();
    let blocks: Vec<_> = guide.split("```sh\n").skip(1).collect();
    let blocks: Vec<_> = blocks.iter().map(|it| it.split("```").next().unwrap()).collect();
    blocks.try_into().unwrap()
}

#[test]
fn the_guide_of_the_readme_deploys() {
    let sandbox = Sandbox::new();
    // As root has created it.
    let path = sandbox.path("srv/shop");
    fs::create_dir_all(&path).unwrap();
    let site = Site { repository: path.join("repository.git"), path, sandbox };
    // The key of an ordinary account: a shell runs what git asks for.
    let login = r#"eval \"$SSH_ORIGINAL_COMMAND\""#;
    let Some(server) = SshServer::start(&site.sandbox, &[("you", login.to_owned())]) else {
        return;
    };
    let id = Command::new("id").arg("-un").output().unwrap().stdout;
    let account = format!("{}@127.0.0.1:", String::from_utf8(id).unwrap().trim());
    let [for_root, for_owner, in_project, to_run] = blocks().map(|block| {
        block
            .replace("nyala init", &format!("{} init", env!("CARGO_BIN_EXE_nyala")))
            .replace("you@server:", &account)
            .replace("/srv/shop", site.path.to_str().unwrap())
            .replace("3.11", &newest_python().minor())
    });
    assert!(for_root.contains("install -d -o you "), "{for_root}");
    let serve = format!("nyala serve {} ", site.path.display());
    assert!(to_run.starts_with(&serve), "{to_run}");
    let run = |lines: &str, command: &mut Command| {
        let git_ssh = server.client("you");
        Running::start(command.args(["-ec", lines]).env("GIT_SSH_COMMAND", git_ssh)).wait()
    };
    run(&for_owner, &mut site.sandbox.command("sh")).assert_success();
    let project = site.project();
    project.git(&["remote", "remove", "nyala"]);
    project.write("app.py", "").commit("An application");
    let pushed = run(&in_project, site.sandbox.command("sh").current_dir(&project.path));
    Push::new(pushed).assert_success();
    assert_eq!(site.live_file("runtime.txt").trim(), newest_python().runtime());
}
