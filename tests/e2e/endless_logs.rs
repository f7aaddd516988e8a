//! Commands that print without end: the log stays small, the disk does not fill up, and the next
//! push deploys.

use std::fs::{self, File};
use std::io::Write;

use rustix::process::{Pid, Signal, kill_process};

use crate::disk_full::{SmallDisk, site_on};
use crate::support::{Site, wait_until};

/// 80 MB in lines of 10 kB.
const LOUD: &str = "yes \"$(printf %010000d 7)\" | head -n 8000; echo at the very end";

const MOST: u64 = (64 << 20) + 100_000;

#[test]
fn a_log_keeps_its_beginning_and_its_end() {
    let site = Site::new();
    let push = site.project().custom_script(&format!("echo at first\n{LOUD}")).push();
    push.assert_success().assert_says("at first").assert_says("at the very end");
    assert!(push.output.len() < 1 << 20);

    let log = site.log(1);
    assert!(log.len() as u64 <= MOST, "{}", log.len());
    for text in ["at first", "This log is too long", " lines left out ...", "at the very end"] {
        assert!(log.contains(text), "{text}");
    }
    assert!(log.lines().last().unwrap().starts_with("success: deployment 1 is live"));
    assert_eq!(site.nyala(&["build-log"]).assert_success().stdout, log);
    let files = fs::read_dir(site.path.join("deployments/1")).unwrap().count();
    assert_eq!(files, 2, "only the record and the log are left");
}

#[test]
fn what_a_killed_worker_has_left_of_a_long_log_is_put_together() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    project.custom_script(&format!("{LOUD}\n{}", gate.shell()));
    let push = project.push_in_background();
    gate.wait_until_reached();
    kill_worker(&site);
    push.wait();

    project.custom_script("echo short").push().assert_success();
    let log = site.log(1);
    assert!(log.len() as u64 <= MOST, "{}", log.len());
    assert!(log.contains("lines left out"));
    assert!(log.lines().last().unwrap().contains("was interrupted"), "{:?}", log.lines().last());
}

/// A log of an older version, or one that something else has written into.
#[test]
fn a_killed_deployment_with_a_huge_log_does_not_hold_up_the_next_push() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    project.custom_script(&gate.shell());
    let push = project.push_in_background();
    gate.wait_until_reached();
    kill_worker(&site);
    push.wait();
    let log = site.path.join("deployments/1/log.txt");
    File::options().write(true).open(&log).unwrap().set_len(1 << 40).unwrap();

    project.custom_script("echo short").push().assert_success();
    let push = site.record(1);
    assert_eq!(push["status"], "interrupted");
    assert!(fs::metadata(&log).unwrap().len() > 1 << 40);
    // Nothing that is read by accident.
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
}

#[test]
fn a_build_that_fills_the_disk_is_ended_before_the_disk_is_full() {
    let Some((disk, site)) = site_on("64m") else { return };
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let filler = format!("dd if=/dev/zero of=big bs=100k count=600 2>/dev/null\n{}", slowly());
    let push = project.custom_script(&filler).push();
    push.assert_failed_with("the disk was almost full")
        .assert_says(&format!("the file system at {} (tmpfs) has ", disk.0.display()))
        .assert_says("deployment 1 is still live");
    assert_eq!(site.live_id(), Some(1));
    project.custom_script("echo short").push().assert_success();
}

#[test]
fn a_build_that_fills_the_disk_of_temporary_files_is_ended_as_well() {
    let site = Site::new();
    let Some(disk) = SmallDisk::mount(&site.sandbox.path("temporary"), "16m") else { return };
    site.set("TMPDIR", disk.0.to_str().unwrap());
    let filler =
        format!("cd $TMPDIR\ndd if=/dev/zero of=big bs=100k count=143 2>/dev/null\n{}", slowly());
    let push = site.project().custom_script(&filler).push();
    push.assert_failed_with("the disk was almost full")
        .assert_says(&format!("the file system at {} (tmpfs) has ", disk.0.display()));
}

/// Writes a megabyte every 50 ms, until there is no space.
fn slowly() -> &'static str {
    "for n in $(seq 100); do dd if=/dev/zero of=big.$n bs=50k count=1 2>/dev/null; sleep 0.05; done"
}

fn kill_worker(site: &Site) {
    let is_worker = |command: &[u8]| {
        let words: Vec<_> = command.split(|byte| *byte == 0).collect();
        words.contains(&b"worker".as_slice())
            && words.contains(&site.path.as_os_str().as_encoded_bytes())
    };
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        entry.file_name().to_str()?.parse().ok().filter(|_| is_worker(&command))
    });
    let pids: Vec<i32> = pids.collect();
    assert_eq!(pids.len(), 1);
    kill_process(Pid::from_raw(pids[0]).unwrap(), Signal::KILL).unwrap();
}

/// Uses up every block that is free.
struct Filler(File, std::path::PathBuf);

impl Filler {
    fn fill(at: std::path::PathBuf) -> Self {
        let mut file = File::create(&at).unwrap();
        for size in [1 << 16, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        Self(file, at)
    }

    fn remove(self) {
        drop(self.0);
        fs::remove_file(self.1).unwrap();
    }
}

#[test]
fn every_command_that_helps_works_on_a_full_disk() {
    for command in [&["rollback"][..], &["gc"], &["delete", "1"], &["redeploy"]] {
        let Some((disk, site)) = site_on("32m") else { return };
        site.configure("keep = 2");
        let project = site.project();
        for page in ["1", "2", "3"] {
            project.write("page", page).push().assert_success();
        }
        let live = site.live_id();
        let filler = Filler::fill(disk.0.join("filler"));
        let ran = site.nyala(command);
        match command[0] {
            "rollback" => assert_eq!(site.live_id(), Some(2), "{}", ran.stderr),
            // What there is too little space for may fail, and says so.
            "redeploy" if !ran.status.success() => {
                assert!(ran.stderr.contains("Make room"), "{}{}", ran.stdout, ran.stderr);
                assert_eq!(site.live_id(), live);
            }
            _ => {
                ran.assert_success();
            }
        }
        filler.remove();
        project.write("page", "4").push().assert_success();
        assert_eq!(site.live_file("page"), "4", "{command:?}");
    }
}

#[test]
fn a_deployment_is_cancelled_on_a_full_disk() {
    let Some((disk, site)) = site_on("32m") else { return };
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let gate = site.gate();
    let push = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    // Also without the reserve.
    wait_until("it is there", || site.path.join("cache/reserve").is_dir());
    fs::remove_dir_all(site.path.join("cache/reserve")).unwrap();
    let filler = Filler::fill(disk.0.join("filler"));
    site.nyala(&["cancel"]).assert_success();
    push.wait().assert_says("was cancelled by");
    filler.remove();
    project.custom_script("echo short").push().assert_success();
}
