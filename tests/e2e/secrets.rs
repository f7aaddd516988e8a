//! Values of app settings and credentials in URLs: never in a log, a record, an error or a list of
//! processes.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::running::application;
use crate::support::{Running, Site, wait_until};

const TOKEN: &str = "correct-horse-battery-staple";
const PASSWORD: &str = "zebra-crossing-99";

/// The files below a folder that contain one of these texts.
pub(crate) fn files_with(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), texts));
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            if texts.iter().any(|secret| text.contains(secret)) {
                found.push(entry.path().display().to_string());
            }
        }
    }
    found
}

/// What every process of this machine was started with.
fn command_lines() -> String {
    let lines = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ") + "\n").collect()
}

#[test]
fn credentials_of_a_pip_install_are_never_shown() {
    let site = Site::new();
    // On standard input, so that it is not in the list of processes.
    let mut set = site.nyala_command();
    let mut set =
        set.args(["config", "set", "--stdin", "TOKEN"]).stdin(Stdio::piped()).spawn().unwrap();
    set.stdin.take().unwrap().write_all(format!("{TOKEN}\n").as_bytes()).unwrap();
    assert!(set.wait().unwrap().success());
    assert_eq!(site.nyala(&["config", "get", "TOKEN"]).stdout, format!("{TOKEN}\n"));

    site.sandbox.set_variable("NYALA_LOG", "trace");
    let gate = site.gate();
    let project = site.project();
    let fail = "    raise SystemExit('ERROR: ' + os.environ['TOKEN'])\n";
    project.local_package("pkg", "1.0", &format!("{}{fail}", gate.python()));
    let address = format!("https://ada:{PASSWORD}@127.0.0.1:1/simple");
    project.write(
        "requirements.txt",
        format!(
            "--extra-index-url {address}\n--find-links https://${{TOKEN}}@127.0.0.1:1/\n./pkg\n"
        ),
    );
    let push = project.push_in_background();
    gate.wait_until_reached();
    let processes = command_lines();
    assert!(processes.contains("pip install"), "{processes}");
    for secret in [TOKEN, PASSWORD] {
        assert!(!processes.contains(secret), "{secret} in {processes}");
    }
    gate.open();
    let push = push.wait();
    push.assert_failed_with("pip exited with status 1");

    let plan = site.nyala(&["plan"]);
    let said = format!(
        "{}{}{}{:?}",
        push.stderr,
        plan.stdout,
        plan.stderr,
        site.nyala(&["list", "--json"])
    );
    for secret in [TOKEN, PASSWORD] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    for folder in ["deployments", "cache", "envs"] {
        assert_eq!(files_with(&site.path.join(folder), &[TOKEN, PASSWORD]), [] as [&str; 0]);
    }
}

#[test]
fn a_value_that_is_set_while_a_build_runs_is_masked_in_its_log() {
    let site = Site::new();
    site.set("OTHER", "something else");
    let nyala = site.nyala_command().get_program().display().to_string();
    let project = site.project();
    project.custom_script(&format!(
        "unset NYALA_SITE\necho before\n\
         printf '%s' '{TOKEN}' | {nyala} config set --site '{0}' --stdin TOKEN\n\
         . '{0}/settings.env'; echo \"it is $TOKEN\"; printf 'over\\rit is %s' \"$TOKEN\"\nexit 1",
        site.path.display()
    ));
    let push = project.push();
    push.assert_failed_with("it is ****");
    let everything = format!("{}{}{}", push.output, site.log(1), site.record(1));
    assert!(!everything.contains(TOKEN), "{everything}");
}

#[test]
fn a_value_is_masked_however_a_child_prints_it() {
    let site = Site::new();
    site.set("TOKEN", TOKEN);
    site.set("DATABASE_URL", &format!("postgres://shop:{PASSWORD}@db/shop"));
    site.set("KEY", "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----");
    let project = site.project();
    let token = &TOKEN[..9];
    let rest = &TOKEN[9..];
    project.custom_script(&format!(
        "echo \"1 $TOKEN\" >&2\n\
         printf '2 %s' '{token}'; sleep 0.3; printf '%s\\n' '{rest}'\n\
         printf '3 %s' '{token}' >&2; printf '%s\\n' '{rest}'\n\
         echo \"4 $TOKEN\" | fold -w 9\n\
         head -c 70000 /dev/zero | tr '\\0' x; echo \"$TOKEN\"\n\
         echo \"$KEY\"; echo \"${{DATABASE_URL#*shop:}}\"; echo \"$DATABASE_URL\"\n\
         printf '5 %s\\rover\\n' \"$TOKEN\"; printf '6 %s\\033[1m\\n' \"$TOKEN\"\n\
         exit 1"
    ));
    let push = project.push();
    push.assert_failed_with("1 ****")
        .assert_says("2 ****")
        .assert_says("3 ****")
        .assert_says("6 ****");
    let everything =
        format!("{}{}{}", push.output, site.log(1), site.record(1)).replace(['\n', ' '], "");
    // The script itself is in the tree, not in the log. The first bytes of a wrapped value are
    // visible.
    for secret in
        [TOKEN, &TOKEN[6..14], "battery", "staple", PASSWORD, "MIIEvQIBADANBg", "kqhkiG9w0BAQEF"]
    {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
}

#[test]
fn settings_that_change_while_a_deployment_waits_are_masked() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let first = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let second = project.custom_script("echo \"it is $TOKEN\"").push_in_background();
    wait_until("the second push waits", || site.log(2).contains("waiting for it"));
    site.set("TOKEN", TOKEN);
    gate.open();
    first.wait().assert_success();
    second.wait().assert_success().assert_says("it is ****");
}

#[test]
fn only_the_owner_can_read_files_with_secrets() {
    let site = Site::new();
    site.set("TOKEN", TOKEN);
    let project = site.project();
    project.write("page", "").commit("A page");
    let mut push = site.sandbox.command("sh");
    push.current_dir(&project.path)
        .args(["-c", "umask 0 && exec git push nyala HEAD:refs/heads/main"]);
    Running::start(&mut push).wait().assert_success();
    assert_eq!(site.live_id(), Some(1));
    for name in ["settings.env", "deployments/1/deployment.json", "deployments/1/log.txt"] {
        assert_eq!(site.mode(name), 0o600, "{name}");
    }
}

#[test]
fn the_last_lines_of_an_application_are_shown_without_secrets() {
    let (site, _server) = Site::served("");
    site.set("TOKEN", TOKEN);
    let project = site.project();
    application(&project, "page", "print('my key is', os.environ['TOKEN'], flush=True)");
    project.push().assert_success();
    fs::write(site.path.join("releases/1/sick"), "").unwrap();
    for arguments in [&["doctor"][..], &["doctor", "--json"]] {
        let ran = site.nyala(arguments);
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert!(shown.contains("my key is ****") && !shown.contains(TOKEN), "{shown}");
    }
}
