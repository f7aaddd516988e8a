//! App settings and `nyala.toml`.

use std::fs;

use crate::support::{Mounts, Site};

#[test]
fn only_the_owner_can_read_settings() {
    let site = Site::new();
    site.set("SECRET_KEY", "hunter2hunter2");
    assert_eq!(site.mode("settings.env"), 0o600);
    let got = site.nyala(&["config", "get", "SECRET_KEY"]);
    assert_eq!(got.assert_success().stdout, "hunter2hunter2\n");
    let list = site.nyala(&["config", "list"]);
    assert!(list.assert_success().stdout.contains("SECRET_KEY"));

    site.nyala(&["config", "unset", "SECRET_KEY"]).assert_success();
    assert_eq!(site.nyala(&["config", "get", "SECRET_KEY"]).status.code(), Some(1));
    assert_eq!(site.mode("settings.env"), 0o600);
}

#[test]
fn any_value_is_stored_unchanged() {
    let site = Site::new();
    for value in [
        "",
        " blanks ",
        "a=b",
        "it's \"quoted\"",
        "$HOME `id`",
        "# no comment",
        "two\nlines",
        "\u{fc}ml\u{e4}ut",
        "back\\slash",
    ] {
        site.set("VALUE", value);
        let got = site.nyala(&["config", "get", "VALUE"]);
        assert_eq!(got.assert_success().stdout, format!("{value}\n"));
    }
}

#[test]
fn settings_saved_by_a_windows_editor_are_read_correctly() {
    let site = Site::new();
    let project = site.project();
    project.custom_script("printf '<%s>' \"$ONE\" \"$TWO\" \"$THREE\" > values.txt");
    let text = "\u{feff}ONE=1\r\nTWO='two words'\r\n# it's a comment\r\nTHREE=\"3\"\r\n";
    fs::write(site.path.join("settings.env"), text).unwrap();
    project.push().assert_success();
    assert_eq!(site.live_file("values.txt"), "<1><two words><3>");
    site.set("FOUR", "4");
    let text = fs::read_to_string(site.path.join("settings.env")).unwrap();
    assert_eq!(text, "FOUR=4\nONE=1\nTHREE=3\nTWO='two words'\n");
}

#[test]
fn settings_reach_the_build_exactly() {
    let site = Site::new();
    let value = "it's \"$HOME\" \\ and = more";
    site.set("GREETING", value);
    let project = site.project();
    project.custom_script("printf %s \"$GREETING\" > greeting.txt");
    project.push().assert_success();
    assert_eq!(site.live_file("greeting.txt"), value);
}

#[test]
fn settings_reach_pip() {
    let site = Site::new();
    let wheels = site.sandbox.command("true");
    let wheels = wheels
        .get_envs()
        .find(|(name, _)| *name == "PIP_FIND_LINKS")
        .and_then(|(_, value)| value)
        .unwrap()
        .to_owned();
    site.sandbox.remove_variable("PIP_FIND_LINKS");
    site.set("PIP_FIND_LINKS", wheels.to_str().unwrap());
    site.python_project().push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn the_value_of_a_setting_is_never_in_a_log_or_record() {
    let site = Site::new();
    site.set("SECRET_KEY", "correct-horse-battery");
    let project = site.project();
    project.custom_script("echo the key is $SECRET_KEY; env; echo $SECRET_KEY >&2; exit 1");
    let push = project.push();
    push.assert_failed_with("the key is ");
    for text in [
        push.stderr.clone(),
        site.log(1),
        site.record(1).to_string(),
        site.nyala(&["build-log"]).stdout,
        site.nyala(&["status", "--json"]).stdout,
    ] {
        assert!(!text.contains("correct-horse-battery"), "{text}");
    }
}

#[test]
fn credentials_in_index_addresses_are_never_in_a_log_or_record() {
    let site = Site::new();
    let project = site.python_project();
    project.write(
        "requirements.txt",
        "--extra-index-url https://ada:horse-battery@127.0.0.1:1/simple\nantelope==1.0\n",
    );
    let push = project.push();
    assert!(push.accepted);
    let everything = format!("{}{}{}", push.stderr, site.log(1), site.record(1));
    assert!(!everything.contains("horse-battery"), "{everything}");
}

#[test]
fn a_setting_with_an_impossible_name_is_refused() {
    let site = Site::new();
    for assignment in ["=x", "A B=x", "1A=x", "A-B=x"] {
        let ran = site.nyala(&["config", "set", assignment]);
        assert!(!ran.status.success(), "{assignment}: {ran:#?}");
    }
}

#[test]
fn an_unknown_key_in_nyala_toml_names_the_nearest_known_one() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = site.live_state();
    let good = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    site.configure("kepe = 5");
    project.write("page", "2");
    let push = project.push();
    assert!(push.accepted);
    push.assert_says("kepe").assert_says("keep").assert_says("nyala.toml");
    assert!(push.output.lines().any(|line| line.starts_with("error: ")), "{}", push.stderr);
    assert_eq!(site.live_state(), before);
    site.nyala(&["config", "show"]).assert_failed(1, "kepe");

    fs::write(site.path.join("nyala.toml"), good).unwrap();
    project.write("page", "3").push().assert_success();
}

#[test]
fn an_invalid_value_in_nyala_toml_names_the_key() {
    let site = Site::new();
    site.configure("keep = 'three'");
    let push = site.project().write("page", "").push();
    push.assert_says("keep").assert_says("nyala.toml");
    assert_eq!(site.live_id(), None);
}

#[test]
fn a_key_of_nyala_toml_out_of_range_is_refused() {
    let site = Site::new();
    site.configure("keep = 0");
    let push = site.project().write("page", "").push();
    push.assert_says("keep").assert_says("nyala.toml");
    assert_eq!(site.live_id(), None);
}

#[test]
fn config_show_says_what_applies_and_where_it_comes_from() {
    let site = Site::new();
    let project = site.project();
    project.write(".deployment", "[config]\nPOST_BUILD_COMMAND = touch built\nproject = .\n");
    project.push().assert_success();
    site.set("SCM_COMMAND_IDLE_TIMEOUT", "90");
    site.set("PROJECT", "web");
    site.set("COMMAND", "deploy --token hunter2hunter2");
    site.set("SECRET_KEY", "hunter3hunter3");
    site.configure("keep = 5\nwebhook = [{ url = 'https://hooks.example.org/hunter4' }]");

    let shown = site.nyala(&["config", "show", "--json"]).assert_success().json();
    let setting = |name: &str| {
        let setting = &shown["settings"][name];
        (setting["value"].clone(), setting["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(setting("keep"), (5.into(), "keep in nyala.toml".to_owned()));
    assert_eq!(setting("strict"), (false.into(), "the default".to_owned()));
    let idle = ("1m 30s".into(), "the app setting SCM_COMMAND_IDLE_TIMEOUT".to_owned());
    assert_eq!(setting("idle_timeout"), idle);
    assert_eq!(setting("project"), ("web".into(), "the app setting PROJECT".to_owned()));
    assert_eq!(setting("command"), ("****".into(), "the app setting COMMAND".to_owned()));
    let build = ("touch built".into(), "POST_BUILD_COMMAND in .deployment".to_owned());
    assert_eq!(setting("post_build_command"), build);
    assert_eq!(setting("branch").1, "branch in nyala.toml");
    assert_eq!(setting("PYTHON_VERSION").0, serde_json::Value::Null);

    let text = site.nyala(&["config", "show"]).assert_success().stdout.clone();
    assert!(text.contains("keep                   = 5  (keep in nyala.toml)"), "{text}");
    assert!(
        text.contains("command                = \"****\"  (the app setting COMMAND)"),
        "{text}"
    );
    assert!(text.contains("python                 = (not set)"), "{text}");
    for secret in ["hunter2", "hunter3", "hunter4"] {
        assert!(!text.contains(secret) && !shown.to_string().contains(secret), "{text}");
    }
}

#[test]
fn config_show_shows_what_a_wrong_value_leaves_in_force() {
    let site = Site::new();
    site.set("SCM_COMMAND_IDLE_TIMEOUT", "soon");
    let shown = site.nyala(&["config", "show"]);
    shown.assert_success();
    assert!(shown.stdout.contains("idle_timeout           = \"10m\"  (the default)"), "{shown:?}");
    assert!(
        shown.stderr.contains("the app setting SCM_COMMAND_IDLE_TIMEOUT is wrong"),
        "{shown:?}"
    );
    let shown = site.nyala(&["config", "show", "--json"]).assert_success().json();
    let fix = &shown["problems"][0]["fixes"][0];
    assert_eq!(fix, "Set it: nyala config set SCM_COMMAND_IDLE_TIMEOUT=…");
}

#[test]
fn settings_that_are_mounted_from_elsewhere_are_written_in_place() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    site.set("LONG", &"x".repeat(2000));
    let outside = site.sandbox.path("outside");
    fs::create_dir(&outside).unwrap();
    for name in ["nyala.toml", "settings.env"] {
        fs::copy(site.path.join(name), outside.join(name)).unwrap();
        Mounts::bind(&outside.join(name), &site.path.join(name));
    }
    // Writes down the branch.
    let project = site.project();
    project.write("page", "1").push().assert_success();
    site.nyala(&["config", "unset", "LONG"]).assert_success();
    site.set("SHORT", "1");
    project.write("page", "2").push().assert_success();
    let read = |name: &str| fs::read_to_string(outside.join(name)).unwrap();
    assert!(read("nyala.toml").contains("branch = \"main\""), "{}", read("nyala.toml"));
    assert_eq!(read("settings.env"), "SHORT=1\n");
    let left = fs::read_dir(&site.path).unwrap().flatten().map(|it| it.file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with(".nyala-")).count(), 0);
    for name in ["nyala.toml", "settings.env"] {
        Mounts::unmount(&site.path.join(name));
    }
}
