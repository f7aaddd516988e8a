use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// What this machine has, as the binary would find it.
fn of_this_machine() -> Vec<Interpreter> {
    let folder = TempDir::new().unwrap();
    let all = discover(
        &Search::from_environment(Vec::new()),
        &folder.path().join("cache/interpreters.json"),
    );
    assert!(!all.is_empty(), "these tests need a Python on the machine");
    all
}

fn one_of_this_machine() -> Interpreter {
    choose(&Wanted::Any, &of_this_machine()).unwrap().clone()
}

/// Finds only what is asked for, and what lies in the fixed places.
fn only(extra: &[&Path]) -> Search {
    Search {
        path: Some("/nowhere".into()),
        extra: extra.iter().map(|path| path.to_path_buf()).collect(),
        ..Search::default()
    }
}

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

pub(super) fn interpreter(version: &str, path: &str) -> Interpreter {
    Interpreter {
        path: path.into(),
        version: version.parse().unwrap(),
        prefix: "/usr".into(),
        venv: true,
        virtualenv: false,
        bundled: Vec::new(),
        identity: FileIdentity { dev: 1, inode: 1, size: 1, mtime_ns: 1 },
    }
}

pub(super) fn wanted(text: &str) -> Wanted {
    text.parse().unwrap()
}

#[test]
fn each_interpreter_is_a_file_that_is_what_it_said() {
    let all = of_this_machine();
    for found in &all {
        let print = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.prefix)";
        let output = std::process::Command::new(&found.path)
            .args(["-E", "-s", "-c", print])
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output, format!("{}\n{}\n", found.version, found.prefix.display()));
        assert_eq!(found.path.canonicalize().unwrap(), found.path);
        assert_eq!(FileIdentity::of(&found.path).unwrap(), found.identity);
        assert!(!is_script(&found.path), "{}", found.path.display());
        assert!(found.bundled.iter().all(|wheel| wheel.is_file()));
    }
    assert!(all.is_sorted_by_key(|found| Reverse(found.version)));
    let files: HashSet<&PathBuf> = all.iter().map(|found| &found.path).collect();
    assert_eq!(files.len(), all.len());
}

#[test]
fn what_is_said_of_venv_is_what_venv_does() {
    let folder = TempDir::new().unwrap();
    for (found, number) in of_this_machine().iter().zip(0..) {
        let env = folder.path().join(number.to_string());
        let mut venv = std::process::Command::new(&found.path);
        // Whether ensurepip has its wheel is seen without the seconds that it takes to install it.
        venv.args(["-E", "-s", "-m", "venv", "--without-pip"]).arg(&env);
        let ensurepip = std::process::Command::new(&found.path)
            .args(["-E", "-s", "-c", "import ensurepip"])
            .output();
        let works = venv.output().unwrap().status.success() && ensurepip.unwrap().status.success();
        assert_eq!(found.venv, works, "{}", found.path.display());
        let virtualenv = std::process::Command::new(&found.path)
            .args(["-E", "-s", "-m", "virtualenv", "--version"])
            .output();
        assert_eq!(
            found.virtualenv,
            virtualenv.unwrap().status.success(),
            "{}",
            found.path.display()
        );
    }
}

#[test]
fn a_second_look_starts_no_process() {
    let base = one_of_this_machine();
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("interpreters.json");
    let first = discover(&only(&[&base.path]), &cache);
    assert!(first.iter().any(|found| found.path == base.path));

    let search = only(&[&base.path]);
    let kept = Cache::read(&cache);
    for candidate in search.candidates().iter().filter(|candidate| !is_script(&candidate.file)) {
        let identity = FileIdentity::of(&candidate.file).unwrap();
        assert!(kept.get(&candidate.file, &identity).is_some(), "{}", candidate.file.display());
    }
    let written = FileIdentity::of(&cache).unwrap();
    assert_eq!(discover(&search, &cache), first);
    assert_eq!(FileIdentity::of(&cache).unwrap(), written, "nothing new, so nothing is written");
}

#[test]
fn a_cache_that_makes_no_sense_is_none() {
    let base = one_of_this_machine();
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("interpreters.json");
    for text in ["", "{", "[]", "{\"format\":99,\"answers\":{}}", "\0\0\0"] {
        fs::write(&cache, text).unwrap();
        assert!(discover(&only(&[&base.path]), &cache).contains(&base), "{text:?}");
    }
    let a_file_in_the_way = cache.join("interpreters.json");
    assert!(discover(&only(&[&base.path]), &a_file_in_the_way).contains(&base));
}

#[test]
fn who_must_not_write_leaves_no_cache() {
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("cache/interpreters.json");
    discover_unsaved(&only(&[&one_of_this_machine().path]), &cache);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_answer_does_not_outlive_what_it_depends_on() {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("lib");
    let file = script(folder.path(), "python3", "");
    let identity = FileIdentity::of(&file).unwrap();
    let mut cache = Cache::default();
    let answer = Answer::Interpreter(interpreter("3.11.7", "/usr/bin/python3.11"));
    cache.put(file.clone(), identity.clone(), stamps(vec![library.clone()]), answer.clone());
    assert_eq!(cache.get(&file, &identity), Some(&answer));

    fs::create_dir(&library).unwrap();
    assert_eq!(cache.get(&file, &identity), None, "ensurepip may have come");

    cache.put(file.clone(), identity, stamps(vec![library]), answer);
    fs::write(&file, "another").unwrap();
    assert_eq!(cache.get(&file, &FileIdentity::of(&file).unwrap()), None);
}

#[test]
fn a_folder_that_changed_while_it_was_asked_about_is_not_believed() {
    let folder = TempDir::new().unwrap();
    let now = stamps(vec![folder.path().to_path_buf()]);
    assert!(!settled(&now, SystemTime::now()));
    assert!(settled(&now, SystemTime::now() + Duration::from_mins(1)));
}

#[test]
fn scripts_that_are_no_interpreter_are_left_out() {
    let folder = TempDir::new().unwrap();
    script(
        folder.path(),
        "python3.1",
        "#!/bin/sh\necho \"pyenv: python3.1: command not found\" >&2\nexit 127\n",
    );
    script(folder.path(), "python3.2", "#!/bin/sh\necho Python 3.12.1\n");
    script(folder.path(), "python3.3", "#!/bin/sh\necho 'nyala-probe {\"version\": \"3.12.1\"}'\n");
    script(folder.path(), "python3.4", "#!/bin/sh\nexec yes\n");
    script(folder.path(), "python3.5", "#!/nowhere/bin/python\n");
    symlink("python3.9", folder.path().join("python3.9")).unwrap();
    symlink("gone", folder.path().join("python3.10")).unwrap();
    fs::create_dir(folder.path().join("python3.11")).unwrap();
    fs::write(folder.path().join("python3.12"), "not executable").unwrap();

    let found = discover(&only(&[folder.path()]), &folder.path().join("cache.json"));
    assert!(found.iter().all(|found| !found.path.starts_with(folder.path())), "{found:?}");
}

#[test]
fn a_file_that_hangs_is_given_up_with_its_children() {
    let folder = TempDir::new().unwrap();
    let pid_file = folder.path().join("pid");
    let text = format!("#!/bin/sh\nsleep 1000 &\necho $! >{}\nwait\n", pid_file.display());
    let hangs = script(folder.path(), "python3", &text);
    let limit = Duration::from_secs(2);
    assert!(matches!(probe::ask_within(&hangs, limit), Err(Refusal::TimedOut(_))));

    let child: i32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    let gone = || rustix::process::test_kill_process(child).is_err() || is_zombie(child);
    let tries = (0..500).any(|_| {
        thread::sleep(Duration::from_millis(20));
        gone()
    });
    assert!(tries, "its child still runs");
}

fn is_zombie(pid: rustix::process::Pid) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        .is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn a_script_that_runs_an_interpreter_leads_to_it_and_is_not_kept() {
    let base = one_of_this_machine();
    let folder = TempDir::new().unwrap();
    let wrapper = script(
        folder.path(),
        "python3",
        &format!("#!/bin/sh\nexec {} \"$@\"\n", base.path.display()),
    );
    let cache = folder.path().join("cache.json");
    assert!(discover(&only(&[&wrapper]), &cache).contains(&base));
    assert!(!fs::read_to_string(&cache).unwrap().contains(wrapper.to_str().unwrap()));
}

#[test]
fn an_env_leads_to_the_interpreter_it_was_made_with() {
    let base = one_of_this_machine();
    let folder = TempDir::new().unwrap();
    for (name, how) in [("linked", "--symlinks"), ("copied", "--copies")] {
        let env = folder.path().join(name);
        let made = std::process::Command::new(&base.path)
            .args(["-E", "-s", "-m", "venv", "--without-pip", how])
            .arg(&env)
            .status();
        assert!(made.unwrap().success());
        let found = discover(&only(&[&env]), &folder.path().join(format!("{name}.json")));
        assert!(found.contains(&base), "{name}");
        assert!(found.iter().all(|found| !found.path.starts_with(folder.path())), "{found:?}");
    }
}

#[test]
fn the_environment_of_who_pushes_changes_nothing() {
    let base = one_of_this_machine();
    let folder = TempDir::new().unwrap();
    let env = folder.path().join("environment");
    let text = format!("#!/bin/sh\nenv >{}\npwd >>{}\nexit 1\n", env.display(), env.display());
    let spy = script(folder.path(), "python3", &text);
    assert!(matches!(probe::ask(&spy), Err(Refusal::Failed(_))));
    let seen = fs::read_to_string(&env).unwrap();
    assert!(
        seen.lines().all(|line| !line.starts_with("GIT_")
            && !line.starts_with("PYTHON")
            && !line.starts_with("PYENV_VERSION=")),
        "{seen}"
    );
    assert!(seen.lines().any(|line| line == "PWD=/" || line == "/"));
    assert_eq!(probe::ask(&base.path).unwrap().version, base.version);
}

#[test]
fn the_newest_that_matches_is_chosen() {
    let all = [
        interpreter("3.14.0rc1", "/a"),
        interpreter("3.13.0", "/b"),
        interpreter("3.11.9", "/c"),
        interpreter("3.11.9", "/d"),
        interpreter("3.11.7", "/e"),
    ];
    let chosen =
        |text: &str| choose(&wanted(text), &all).map(|chosen| chosen.path.to_str().unwrap());
    assert_eq!(chosen("3.11"), Some("/c"));
    assert_eq!(chosen("3.11.7"), Some("/e"));
    assert_eq!(chosen("any"), Some("/b"), "a pre-release is for who asks for it");
    assert_eq!(chosen("3.14"), Some("/a"));
    assert_eq!(chosen(">=3.9, <3.13"), Some("/c"));
    assert_eq!(chosen("3.12"), None);
}

#[test]
fn one_that_can_make_envs_is_preferred_to_a_newer_one_that_cannot() {
    let without = Interpreter { venv: false, ..interpreter("3.11.9", "/usr/bin/python3.11") };
    let with = interpreter("3.11.7", "/opt/python3.11/bin/python3.11");
    assert_eq!(choose(&wanted("3.11"), &[without.clone(), with.clone()]), Some(&with));
    assert_eq!(choose(&wanted("3.11"), std::slice::from_ref(&without)), Some(&without));
}

#[test]
fn the_machines_versions_are_listed_once_each() {
    let all =
        [interpreter("3.13.0", "/b"), interpreter("3.11.7", "/c"), interpreter("3.11.7", "/d")];
    assert_eq!(available(&all), "3.13.0, 3.11.7");
    assert_eq!(available(&[]), "none");
}
