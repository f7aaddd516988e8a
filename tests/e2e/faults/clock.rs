//! The machine's clock is set back, between deployments and in the middle of one.

use std::fs;

use crate::support::{Running, Site, skip, wait_until_quiet};

/// Changes the time of day for every program: adds the seconds in a file, which is read each time.
const SHIM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) {
        char text[32] = {0};
        int file = open(getenv("CLOCK_OFFSET") ? getenv("CLOCK_OFFSET") : "", O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
            close(file);
        }
    }
    return result;
}
"#;

#[test]
fn setting_the_clock_back_does_not_change_the_order() {
    let site = Site::new();
    site.configure("keep = 2");
    let (source, shim, offset) =
        (site.sandbox.path("clock.c"), site.sandbox.path("clock.so"), site.sandbox.path("offset"));
    fs::write(&source, SHIM).unwrap();
    let mut compiler = site.sandbox.command("cc");
    if !Running::start(compiler.args(["-shared", "-fPIC", "-o"]).args([&shim, &source]))
        .wait()
        .status
        .success()
    {
        skip("needs a C compiler, to set a clock back");
        return;
    }
    let project = site.project();
    fs::write(&offset, "0").unwrap();
    site.sandbox.set_variable("CLOCK_OFFSET", &offset);
    site.sandbox.set_variable("LD_PRELOAD", &shim);
    project.write("page", "1").push().assert_success();
    fs::write(&offset, "-86400").unwrap();
    project.write("page", "2").push().assert_success();
    let time = |id| site.record(id)["created_at"].as_str().unwrap().to_owned();
    assert!(time(2) < time(1), "the clock is not set back: the test is worth nothing");

    // And in the middle of a deployment.
    project.custom_script(&format!("echo -864000 > '{}'", offset.display()));
    let push = project.write("page", "3").push();
    push.assert_success();
    let seconds = push.last_line().rsplit_once(", in ").unwrap().1;
    assert!(!seconds.starts_with('-'), "{seconds}");

    site.sandbox.remove_variable("LD_PRELOAD");
    wait_until_quiet(&site.path);
    assert_eq!(site.live_id(), Some(3));
    assert_eq!(site.numbers("releases"), [2, 3]);
    let list = site.nyala(&["list", "--json"]).json();
    let ids: Vec<_> =
        list.as_array().unwrap().iter().map(|record| record["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [3, 2, 1]);
    project.write("page", "4").push().assert_success();
}
