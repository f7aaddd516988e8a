//! More difficult clients: the deployment continues, and its log is complete.

use std::fs;
use std::io::{self, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Site, wait_until};

#[test]
fn ctrl_c_ends_the_push_but_not_the_deployment() {
    let site = Site::new();
    let gate = site.gate();
    let push =
        site.project().custom_script(&format!("{}echo last", gate.shell())).push_in_background();
    gate.wait_until_reached();
    push.interrupt();
    assert!(!push.wait().accepted);
    gate.open();
    assert_eq!(site.ended(1)["status"], "succeeded");
    assert!(site.log(1).contains(" last\n"));
}

#[test]
fn a_client_that_reads_one_byte_a_second_blocks_nothing() {
    let site = Site::new();
    let project = site.project();
    // The lines that the client gets are more than fit into its pipe: it cannot read everything.
    let flood = "yes \"$(head -c 9999 /dev/zero | tr '\\0' x)\" | head -n 30";
    project.custom_script(&format!("{flood}\nseq 1 300000\necho last")).commit("A script");
    let mut push = site.sandbox.command("git");
    push.current_dir(&project.path).args(["push", "nyala", "HEAD:refs/heads/main"]);
    let mut push = push.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = push.stderr.take().unwrap();
    // Ends with the client, or when it is told to.
    let (tell, enough) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut byte = [0];
        while stderr.read(&mut byte).is_ok_and(|count| count > 0) {
            if enough.try_recv().is_ok() {
                return;
            }
            thread::park_timeout(Duration::from_secs(1));
        }
    });
    assert_eq!(site.ended(1)["status"], "succeeded");
    assert!(push.try_wait().unwrap().is_none(), "it has read everything: is it slow enough?");
    let log = site.log(1);
    assert!(log.contains(" 300000\n") && log.contains(" last\n"));
    push.kill().unwrap();
    push.wait().unwrap();
    tell.send(()).unwrap();
    reader.thread().unpark();
    reader.join().unwrap();
}

#[test]
fn a_quiet_push_deploys() {
    let site = Site::new();
    let push = site.project().write("page", "").push_with(&["--quiet"]);
    assert!(push.accepted);
    assert_eq!(site.live_id(), Some(1));
    assert!(push.last_line().starts_with("success: "), "{}", push.stderr);
}

#[test]
fn fifty_megabytes_of_output_are_kept_and_a_little_is_shown() {
    let site = Site::new();
    let push = site
        .project()
        .custom_script("yes \"$(head -c 999 /dev/zero | tr '\\0' x)\" | head -n 50000")
        .push();
    push.assert_success();
    let whole = |text: &str| text.lines().filter(|line| line.trim_start().len() == 999).count();
    assert_eq!(whole(&site.log(1)), 50_000);
    assert!(push.output.lines().count() < 60, "{}", push.output.lines().count());
    let printed = site.nyala(&["build-log", "1"]);
    assert_eq!(whole(&printed.assert_success().stdout), 50_000);
}

#[test]
fn an_error_that_nobody_reads_blocks_nothing() {
    let site = Site::new();
    let (_reader, mut writer) = io::pipe().unwrap();
    // As much as fits into a pipe: more would block.
    writer.write_all(&vec![b'x'; 65_536]).unwrap();
    let mut ran = site
        .nyala_command()
        .args(["build-log", "99"])
        .stdin(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    wait_until("the command ends", || ran.try_wait().unwrap().is_some());
    assert_eq!(ran.wait().unwrap().code(), Some(1));
}

#[test]
fn a_push_returns_even_if_a_daemon_keeps_its_output_open() {
    let site = Site::new();
    let pid = site.sandbox.path("daemon");
    let script = format!(
        "setsid sh -c 'echo $$ > {}; exec sleep 600' &\nwhile [ ! -s {0} ]; do sleep 0.05; done",
        pid.display()
    );
    site.project().custom_script(&script).push().assert_success();
    // The daemon has its own session, and is still running.
    let daemon: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).unwrap();
}
