//! Real children, most of them badly behaved. How long anything takes is never asked, only what
//! becomes of it.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::*;

fn sh(script: &str) -> Invocation {
    Invocation::new("sh").arg("-c").arg(script)
}

fn within(step: Option<u64>, idle: Option<u64>) -> Limits {
    Limits {
        step: step.map(Duration::from_millis),
        idle: idle.map(Duration::from_millis),
        ..Limits::default()
    }
}

fn streamed(invocation: &Invocation) -> (Vec<String>, Result<(), ChildError>) {
    let mut lines = Vec::new();
    let result = stream(invocation, &mut |line| lines.push(line.to_owned()));
    (lines, result)
}

/// Whether a process is there and has not ended.
fn is_running(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X']))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited for a minute: {what}");
}

fn end(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn both_outputs_come_in_the_order_in_which_they_are_printed() {
    let (lines, result) =
        streamed(&sh("for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf last"));
    result.unwrap();
    assert_eq!(lines, ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3", "last"]);
}

#[test]
fn lines_come_while_the_child_is_still_running() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let script =
        format!("echo first; while [ ! -e {} ]; do sleep 0.01; done; echo second", go.display());
    let mut lines = Vec::new();
    stream(&sh(&script), &mut |line| {
        lines.push(line.to_owned());
        fs::write(&go, "").unwrap();
    })
    .unwrap();
    assert_eq!(lines, ["first", "second"]);
}

#[test]
fn a_child_gets_its_folder_and_environment_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let kept_open = fs::File::open(&folder).unwrap();
    rustix::io::fcntl_setfd(&kept_open, rustix::io::FdFlags::empty()).unwrap();
    let environment =
        Environment::empty().set("PATH", std::env::var_os("PATH").unwrap()).set("ONLY", "this");
    let invocation =
        sh("pwd; env | grep ONLY; cat; ls /proc/self/fd | sort -n | tail -1; ps -o pgid= -p $$ | \
            tr -d ' '; echo $$")
        .cwd(&folder)
        .environment(environment);
    let captured = capture(&invocation).unwrap().text();
    let lines: Vec<&str> = captured.lines().collect();
    assert_eq!(lines[..2], [folder.to_str().unwrap(), "ONLY=this"]);
    // 3 is what ls itself opened.
    assert_eq!(lines[2], "3");
    assert_eq!(lines[3], lines[4], "not a process group of its own");
}

#[test]
fn exit_statuses_and_signals_are_the_truth() {
    let error = stream(&sh("exit 3"), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Some(3));
    let error = stream(&sh("kill -KILL $$"), &mut |_| {}).unwrap_err();
    assert!(matches!(error, ChildError::Killed { signal: 9, .. }), "{error}");
}

#[test]
fn a_failed_capture_says_what_the_child_said() {
    let error =
        capture(&sh("echo out; echo 'fatal: no' >&2; exit 128").named("git fetch")).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("git fetch exited with status 128\ncommand: sh -c "), "{text}");
    assert!(text.ends_with("\noutput: fatal: no"), "{text}");
}

#[test]
fn a_captured_child_may_fill_both_pipes() {
    let script = "head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero; head -c 3000000 \
                  /dev/zero >&2; echo end >&2";
    let captured = capture(&sh(script)).unwrap();
    assert_eq!(captured.stdout.len(), 3_000_000);
    assert!(captured.stderr.ends_with(b"end\n"));
    assert!(captured.stderr.len() <= COMPLAINT);
}

#[test]
fn a_probe_that_never_stops_printing_is_stopped() {
    let error = capture(&sh("exec cat /dev/zero")).unwrap_err();
    assert!(matches!(error, ChildError::TooMuch { .. }), "{error}");
}

#[test]
fn why_a_program_did_not_start_is_said() {
    let reason = |invocation: Invocation| match stream(&invocation, &mut |_| {}).unwrap_err() {
        ChildError::NotStarted { why, .. } => why.to_string(),
        other => panic!("{other}"),
    };
    assert_eq!(
        reason(Invocation::new("no-such-program-at-all")),
        "there is no program no-such-program-at-all on the PATH"
    );
    assert_eq!(reason(sh("true").cwd("/no/such")), "its folder /no/such does not exist");

    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    crate::disk::write_atomic(&script, b"#!/no/such/python\n", 0o755).unwrap();
    let said = reason(Invocation::new(&script));
    assert!(said.starts_with("the interpreter that "), "{said}");
}

#[test]
fn a_child_that_takes_too_long_is_stopped() {
    let (lines, result) = streamed(
        &sh("trap 'echo cleaning up; exit 0' TERM; echo started; sleep 600 & wait")
            .limits(within(Some(3000), None)),
    );
    let error = result.unwrap_err();
    assert!(matches!(error, ChildError::StepLimit { .. }), "{error}");
    assert_eq!(lines.last().map(String::as_str), Some("cleaning up"));
}

#[test]
fn a_child_that_ignores_being_asked_is_killed_with_all_its_children() {
    let mut invocation = sh("trap '' TERM; sleep 600 & echo $! $$; while :; do sleep 600; done")
        .limits(within(Some(3000), None));
    invocation.patience = Duration::from_millis(100);
    let (lines, result) = streamed(&invocation);
    assert!(matches!(result, Err(ChildError::StepLimit { .. })));
    for pid in lines[0].split(' ') {
        wait_until("the child has ended", || !is_running(pid));
    }
}

#[test]
fn a_silent_child_is_idle_and_one_that_prints_is_not() {
    let idle = sh("sleep 600").limits(within(None, Some(300)));
    assert!(matches!(streamed(&idle).1, Err(ChildError::IdleLimit { .. })));

    let prints =
        sh("while :; do printf .; sleep 0.05; done").limits(within(Some(6000), Some(3000)));
    assert!(matches!(streamed(&prints).1, Err(ChildError::StepLimit { .. })));
}

#[test]
#[cfg(target_os = "linux")]
fn a_silent_child_that_uses_the_processor_is_not_idle() {
    // Not the shell itself, but a child of it, works.
    let busy = sh("sh -c 'while :; do :; done' & wait").limits(within(Some(6000), Some(3000)));
    let error = streamed(&busy).1.unwrap_err();
    assert!(matches!(error, ChildError::StepLimit { .. }), "{error}");
}

#[test]
fn a_daemon_that_keeps_the_pipe_open_holds_nobody_up_and_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let script = "setsid sh -c 'echo $$ > pid; exec sleep 600' &
        while [ ! -s pid ]; do sleep 0.01; done; cat pid";
    let (lines, result) = streamed(&sh(script).cwd(folder.path()).limits(within(None, None)));
    result.unwrap();
    assert!(is_running(&lines[0]));
    end(&lines[0]);
}

#[test]
fn a_daemon_that_never_stops_printing_holds_nobody_up() {
    let script = "setsid sh -c 'while :; do echo noise; done' & echo $!";
    let mut first = None;
    stream(&sh(script), &mut |line| {
        if line != "noise" {
            first = Some(line.to_owned());
        }
    })
    .unwrap();
    // Its pipe is gone, and so it ends by itself, or is ended here.
    let pid = first.unwrap();
    if is_running(&pid) {
        let _ = kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL);
    }
}

#[test]
fn what_a_child_leaves_behind_in_its_group_is_ended() {
    for silence in ["", ">/dev/null 2>&1"] {
        let (lines, result) = streamed(&sh(&format!("sleep 600 {silence} & echo $!")));
        result.unwrap();
        wait_until("what was left has ended", || !is_running(&lines[0]));
    }
}

#[test]
fn a_child_may_close_its_output_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let script = "exec >/dev/null 2>&1; sleep 0.1; echo done > done";
    streamed(&sh(script).cwd(folder.path())).1.unwrap();
    assert!(folder.path().join("done").exists());
}

#[test]
fn hostile_output_is_harmless() {
    let script =
        r"printf 'nul\0 bell\a\033]0;title\a\033[31mred\033[0m\r\n10%%\r90%%\rdone\n\377\n'";
    let (lines, _) = streamed(&sh(script));
    assert_eq!(lines, ["nul\\u{0} bellred", "done", "\u{fffd}"]);
}

#[test]
fn a_child_that_makes_the_pipe_nonblocking_does_no_harm() {
    let script = "import os, sys\n\
        os.set_blocking(1, False)\n\
        for i in range(20000):\n    \
            line = b'x' * 99 + b'\\n'\n    \
            while line:\n        \
                try: line = line[os.write(1, line):]\n        \
                except BlockingIOError: pass\n";
    let Ok(_) = capture(&Invocation::new("python3").arg("-V")) else {
        eprintln!("skipped: no python3");
        return;
    };
    let mut count = 0;
    stream(&Invocation::new("python3").arg("-c").arg(script), &mut |line| {
        assert_eq!(line.len(), 99);
        count += 1;
    })
    .unwrap();
    assert_eq!(count, 20_000);
}

#[test]
fn much_output_is_whole() {
    let mut bytes = 0;
    stream(&sh("seq 1 700000"), &mut |line| bytes += line.len() + 1).unwrap();
    let expected: usize = (1..=700_000).map(|number: u32| number.to_string().len() + 1).sum();
    assert_eq!(bytes, expected);
}

/// Not a test: the process that the next one kills.
#[test]
#[ignore = "run by another test"]
fn streams_until_it_is_killed() {
    stream(&sh("echo $$ >&2; exec sleep 600"), &mut |line| {
        println!("pid {line}");
    })
    .unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_child_does_not_outlive_a_killed_nyala() {
    let mut nyala = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "process::tests::streams_until_it_is_killed"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(nyala.stdout.take().unwrap()).lines();
    let pid = lines.find_map(|line| Some(line.unwrap().split_once("pid ")?.1.to_owned())).unwrap();
    assert!(is_running(&pid));
    nyala.kill().unwrap();
    nyala.wait().unwrap();
    wait_until("the child has been killed", || !is_running(&pid));
}

#[test]
fn a_panic_in_the_listener_leaves_no_child() {
    let pid = RefCell::new(String::new());
    let listened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = stream(&sh("echo $$; exec sleep 600"), &mut |line| {
            line.clone_into(&mut pid.borrow_mut());
            panic!("a listener that fails");
        });
    }));
    assert!(listened.is_err());
    assert!(!is_running(&pid.borrow()));
    assert!(!Path::new("/proc").join(&*pid.borrow()).exists());
}
