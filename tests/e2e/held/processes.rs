//! The less usual ways in which a process uses a release.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{Running, Site, wait_until};

/// Runs Python at the root directory until this is dropped: first `code`, with the path of release
/// 1 as `release`.
fn assert_holds(code: &str, change: impl FnOnce(&mut Command, &str), named: &str) {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let (ready, release) = (site.sandbox.path("ready"), site.path.join("releases/1"));
    let mut python = Command::new("python3");
    let rest = "open(sys.argv[1], 'w').close()\ntime.sleep(1000)";
    let code = format!("import ctypes, os, sys, threading, time\n{code}\n{rest}");
    python.args(["-c", &code]).arg(&ready).env("RELEASE", &release).current_dir("/");
    change(&mut python, release.to_str().unwrap());
    let running = Running::start(&mut python);
    wait_until("it runs", || ready.exists());
    for page in ["2", "3"] {
        project.write("page", page).push().assert_success();
    }
    let gc = site.nyala(&["gc"]);
    let said = &gc.assert_success().stdout;
    assert!(said.contains(&format!("still uses it ({named})")), "{said}");
    assert!(release.join("page").exists());
    drop(running);
    site.nyala(&["gc"]).assert_success();
    assert!(!release.exists());
}

#[test]
fn a_path_anywhere_on_the_command_line_counts() {
    let add = |python: &mut Command, release: &str| {
        python.args(["--workers=2", &format!("--chdir={release}/app")]);
    };
    assert_holds("", add, "command line");
}

#[test]
fn an_env_that_was_activated_counts() {
    let activate = |python: &mut Command, release: &str| {
        python.env("VIRTUAL_ENV", format!("{release}/.venv"));
    };
    assert_holds("", activate, "VIRTUAL_ENV");
}

#[test]
fn a_path_from_the_working_directory_and_one_by_way_of_a_link_count() {
    let site_of = |release: &str| Path::new(release).ancestors().nth(2).unwrap().to_owned();
    let relative = |python: &mut Command, release: &str| {
        python.arg("releases/1/app.py").current_dir(site_of(release));
    };
    assert_holds("", relative, "command line");
    let by_link = |python: &mut Command, release: &str| {
        let link = site_of(release).with_file_name("link");
        symlink(site_of(release), &link).unwrap();
        python.arg(format!("--app={}/releases/1/app.py", link.display()));
    };
    assert_holds("", by_link, "command line");
}

#[test]
fn a_folder_in_which_python_looks_for_modules_counts() {
    let add = |python: &mut Command, release: &str| {
        python.env("PYTHONPATH", format!("/nowhere:{release}/lib"));
    };
    assert_holds("", add, "PYTHONPATH");
}

#[test]
fn the_working_directory_of_a_thread_counts() {
    let code = "
entered = threading.Event()
def work():
    CLONE_FS = 0x200
    assert ctypes.CDLL(None).unshare(CLONE_FS) == 0
    os.chdir(os.environ['RELEASE'])
    entered.set()
    time.sleep(1000)
threading.Thread(target=work, daemon=True).start()
entered.wait()
";
    assert_holds(code, |_, _| {}, "working directory");
}
