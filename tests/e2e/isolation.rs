//! An env is a world of its own: it shares no file with anything else, leads to no other release,
//! and gets everything that is installed for it, whatever the user's own settings say.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::support::{Project, Running, Sandbox, Site, uv};

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_symlink() {
                Vec::new()
            } else if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn inodes(folder: &Path) -> BTreeSet<(u64, u64)> {
    let metadata = files(folder).into_iter().map(|file| fs::metadata(file).unwrap());
    metadata.map(|metadata| (metadata.dev(), metadata.ino())).collect()
}

/// Fails when two of these folders have a file in common.
#[track_caller]
fn assert_nothing_shared(folders: &[PathBuf]) {
    for (number, folder) in folders.iter().enumerate() {
        let own = inodes(folder);
        assert!(!own.is_empty(), "{}", folder.display());
        for other in &folders[..number] {
            let shared = own.intersection(&inodes(other)).count();
            assert_eq!(shared, 0, "{} and {}", folder.display(), other.display());
        }
    }
}

fn uv_sites(sandbox: Sandbox, uv: &Path) -> (Site, Site) {
    sandbox.put_uv_on_path(uv);
    let one = Site::in_sandbox(sandbox, "site", &["--installer", "uv"]);
    let path = one.sandbox.path("other");
    one.sandbox.nyala(&["init", path.to_str().unwrap(), "--installer", "uv"]).assert_success();
    let other = Site { sandbox: Sandbox::new(), repository: path.join("repository.git"), path };
    (one, other)
}

#[test]
fn envs_of_uv_share_no_file_with_its_cache_or_with_each_other() {
    let Some(uv) = uv() else { return };
    let (site, other) = uv_sites(Sandbox::new(), &uv);
    site.set("UV_LINK_MODE", "hardlink");
    let project = site.python_project();
    project.push().assert_success().assert_says("(UV_LINK_MODE) does not apply");
    let push = project.write("requirements.txt", "antelope==1.0\nacacia\n").push();
    push.assert_success().assert_says("Copying env 1");
    project.git(&["push", other.repository.to_str().unwrap(), "HEAD:refs/heads/main"]);
    assert_nothing_shared(&[
        site.sandbox.path("home/.cache/uv"),
        site.path.join("envs/1"),
        site.path.join("envs/2"),
        other.path.join("envs/1"),
    ]);
}

#[test]
fn uvs_own_configuration_does_not_choose_the_link_mode() {
    let Some(uv) = uv() else { return };
    let sandbox = Sandbox::new();
    sandbox.put_uv_on_path(&uv);
    let site = Site::in_sandbox(sandbox, "site", &["--installer", "uv"]);
    let config = site.sandbox.path("home/.config/uv");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("uv.toml"), "link-mode = \"symlink\"\n[pip]\ntarget = \"/nowhere/x\"\n")
        .unwrap();
    let push = site.python_project().push();
    push.assert_success()
        .assert_says("uv's link mode symlink")
        .assert_says("uv's pip.target")
        .assert_says("does not apply");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    assert!(!site.env().join("uv.toml").exists());
    assert_nothing_shared(&[site.sandbox.path("home/.cache/uv"), site.env()]);
}

/// What a command installs with uv shares nothing either, even where it asks for links.
#[test]
fn a_command_that_links_files_into_an_env_does_not_share_them() {
    let Some(uv) = uv() else { return };
    let sandbox = Sandbox::new();
    sandbox.put_uv_on_path(&uv);
    let site = Site::in_sandbox(sandbox, "site", &["--installer", "uv"]);
    let project = site.python_project();
    let install = "uv pip install --link-mode hardlink --no-index -f \"$PIP_FIND_LINKS\" acacia\n";
    project.write("bin/post_compile", install).push().assert_success();
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    assert_nothing_shared(&[site.sandbox.path("home/.cache/uv"), site.env()]);
}

#[test]
fn envs_of_pip_share_no_file_with_each_other() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("requirements.txt", "antelope==1.0\nacacia\n").push().assert_success();
    project.write("page", "").push_with(&["-o", "rebuild-env"]).assert_success();
    let envs = [1, 2, 3].map(|number| site.path.join(format!("envs/{number}")));
    assert_nothing_shared(&envs);
    let cache = fs::read_dir(site.sandbox.path("home/.cache/nyala")).unwrap();
    let unpacked = cache.map(|entry| entry.unwrap().path().canonicalize().unwrap());
    let unpacked: Vec<_> = unpacked.filter(|path| path.is_dir()).chain([site.env()]).collect();
    assert!(unpacked.len() > 1);
    assert_nothing_shared(&unpacked);
}

#[test]
fn no_file_of_a_copied_env_names_the_old_one() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let old = site.env();
    let name = old.to_str().unwrap().to_owned();
    let script = |name: &str, text: &[u8]| {
        let path = old.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let latin = [
        format!("#!{name}/bin/python\n# coding: latin-1\n# ").into_bytes(),
        vec![0xe9],
        b"\nimport sys\nprint(sys.prefix)\n".to_vec(),
    ];
    script("latin", &latin.concat());
    script(
        "quoted",
        format!(
            "#!/bin/sh\n'''exec' \"{name}/bin/python\" \"$0\" \"$@\"\n' '''\nimport sys\n\
             print(sys.prefix)\n"
        )
        .as_bytes(),
    );
    fs::write(old.join("lib/settings.json"), format!("{{\"env\": \"{name}\"}}")).unwrap();
    project.write("requirements.txt", "antelope==1.0\nacacia\n").push().assert_success();
    let env = site.env();
    assert_ne!(env, old);
    for file in files(&env) {
        let bytes = fs::read(&file).unwrap();
        let needle = format!("{name}/").into_bytes();
        assert!(
            !bytes.windows(needle.len()).any(|part| part == needle),
            "{} names {name}",
            file.display()
        );
    }
    for script in ["latin", "quoted"] {
        let ran = Running::start(&mut site.sandbox.command(env.join("bin").join(script))).wait();
        assert_eq!(ran.assert_success().stdout.trim(), env.to_str().unwrap());
    }
    for arguments in [["check"].as_slice(), &["uninstall", "-y", "antelope"]] {
        let mut pip = site.sandbox.command(env.join("bin/python"));
        Running::start(pip.args(["-m", "pip"]).args(arguments)).wait().assert_success();
    }
    assert!(!env.join("bin/antelope").exists());
}

#[test]
fn an_env_that_cannot_be_copied_is_made_anew() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let binary = [b"\x7fELF\0".as_slice(), site.env().as_os_str().as_encoded_bytes()].concat();
    fs::write(site.env().join("lib/x.so"), binary).unwrap();
    let push = project.write("requirements.txt", "antelope==1.0\nacacia\n").push();
    push.assert_success()
        .assert_says("env 1 cannot be copied: lib/x.so: it names the path of its env")
        .assert_says("Creating ");
    assert_eq!(site.live()["env"]["decision"], "create");
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    assert!(!site.env().join("lib/x.so").exists());
}

fn editable(project: &Project<'_>, version: &str) {
    project.local_package("lib", version, "    pass\n");
    project.write("lib/waterhole.py", format!("VERSION = '{version}'\n"));
}

#[test]
fn what_a_command_installed_goes_with_the_command() {
    let site = Site::new();
    let project = site.python_project();
    editable(&project, "1.0");
    let install = "pip install --no-build-isolation --no-deps -e ./lib\n";
    let push = project.write("bin/post_compile", install).push();
    push.assert_success().assert_says("can be used by this release only");
    assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));

    // Each release imports its own code.
    editable(&project, "2.0");
    project.push().assert_success().assert_says("can be used by its own release only");
    assert_eq!(site.package("waterhole").as_deref(), Some("2.0"));
    let file = site.env_python("import os, waterhole; print(os.path.realpath(waterhole.__file__))");
    assert!(file.contains("/releases/2/"), "{file}");

    project.remove("bin/post_compile");
    let push = project.push();
    push.assert_success().assert_says("bin/post_compile ran in env 2 and is no longer run");
    assert_eq!(site.package("waterhole"), None);
    project.write("page", "").push().assert_success().assert_says("reuse env 3");
}

#[test]
fn a_script_that_a_command_names_counts_with_its_bytes() {
    let site = Site::new();
    let project = site.python_project();
    site.set("POST_BUILD_COMMAND", "sh tools/build.sh");
    project.write("tools/build.sh", ". tools/common.sh\n");
    project.write("tools/common.sh", "pip install acacia\n");
    project.push().assert_success();
    project.write("page", "").push().assert_success().assert_says("copy env 1");
    project.write("tools/common.sh", "true\n");
    project.push().assert_success().assert_says(" has changed since it ran in env 2");
    assert_eq!(site.package("acacia"), None);
}

#[test]
fn a_setting_that_a_command_names_counts_with_its_value() {
    for in_file in [false, true] {
        let site = Site::new();
        let project = site.python_project();
        project.write("bin/post_compile", "pip install $EXTRA\n");
        let set = |value: &str| {
            if in_file {
                project.write(".deployment", format!("[config]\nEXTRA = {value}\n"));
            } else {
                site.set("EXTRA", value);
            }
        };
        set("acacia");
        project.push().assert_success();
        project.write("page", "2").push().assert_success().assert_says("copy env 1");
        assert!(site.package("acacia").is_some());
        set("grass");
        let push = project.write("page", "3").push();
        push.assert_success().assert_says("other values of what it names: EXTRA");
        assert_eq!(site.package("acacia"), None);
    }
}

#[test]
fn what_a_command_puts_anywhere_into_an_env_leads_to_no_other_release() {
    for put in
        [r#"ln -s "$PWD/static" "$d/static""#, r#"echo "cat '$PWD/static/page'" > "$d/show""#]
    {
        let site = Site::new();
        let project = site.python_project();
        let command = "d=$VIRTUAL_ENV/share/x; mkdir -p \"$d\"; [ -n \"$(ls \"$d\")\" ] || ";
        project.write("bin/post_compile", format!("{command}{put}\n"));
        for page in ["1", "2"] {
            let push = project.write("static/page", page).push();
            push.assert_success().assert_says("can be used by this release only: share/x/");
            let mut show = site.sandbox.command("sh");
            show.args(["-c", "cat static/page 2> /dev/null || sh show"]);
            let shown = Running::start(show.current_dir(site.env().join("share/x"))).wait();
            assert_eq!(shown.assert_success().stdout, page, "{put}");
        }
    }
}

#[test]
fn an_env_that_leads_to_another_release_is_refused() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();
    let command =
        "cd \"$VIRTUAL_ENV\"/lib/python3*/site-packages && echo \"$WEBROOT_PATH\" > x.pth\n";
    let push = project.write("bin/post_compile", command).push();
    push.assert_failed_with("leads to code outside of this release").assert_says("x.pth names ");
    assert_eq!(site.live_state(), before);
}

#[test]
fn an_editable_requirement_follows_the_release() {
    let site = Site::new();
    let project = site.project();
    project.write("requirements.txt", "-e ./lib\nacacia\n");
    site.set("PIP_NO_BUILD_ISOLATION", "0");
    for version in ["1.0", "2.0"] {
        editable(&project, version);
        project.push().assert_success();
        assert_eq!(site.package("waterhole").as_deref(), Some(version));
    }
    assert_eq!(site.live()["env"]["decision"], "update");
}

#[test]
fn what_is_checked_out_for_an_editable_requirement_belongs_to_the_env() {
    let site = Site::new();
    let source = site.project();
    editable(&source, "1.0");
    source.commit("One");
    let project = site.project();
    let line = format!(
        "-e git+file://{}@{}#egg=waterhole&subdirectory=lib\n",
        source.path.display(),
        source.head()
    );
    project.write("requirements.txt", line);
    site.set("PIP_SRC", "src");
    site.set("PIP_NO_BUILD_ISOLATION", "0");
    project.push().assert_success().assert_says("pip's src (PIP_SRC) does not apply");
    project.write("page", "").push().assert_success();
    let file = site.env_python("import os, waterhole; print(os.path.realpath(waterhole.__file__))");
    assert!(file.starts_with(site.env().to_str().unwrap()), "{file}");
}

#[test]
fn pips_settings_that_lead_out_of_the_env_do_not_apply() {
    for (name, value) in [
        ("target", "/nowhere/target"),
        ("prefix", "/nowhere/prefix"),
        ("root", "/nowhere/root"),
        ("user", "yes"),
        ("no-user", "yes"),
        ("dry-run", "yes"),
        ("python", "/nowhere/python"),
        ("require-virtualenv", "yes"),
        ("ignore-installed", "yes"),
        ("platform", "win32"),
        ("version", "yes"),
    ] {
        let site = Site::new();
        site.sandbox.remove_variable("PIP_CONFIG_FILE");
        let folder = site.sandbox.path("home/.config/pip");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("pip.conf"), format!("[global]\n{name} = {value}\n")).unwrap();
        let push = site.python_project().push();
        push.assert_success().assert_says(&format!("pip's {name} ("));
        let said = push.stderr.matches(&format!("pip's {name} (")).count();
        assert_eq!(said, 1, "{name}: {}", push.stderr);
        assert_eq!(site.package("antelope").as_deref(), Some("1.0"), "{name}");
        assert_eq!(site.package("grass").as_deref(), Some("1.0"), "{name}");
    }
}

#[test]
fn app_settings_that_lead_out_of_the_env_do_not_apply() {
    let site = Site::new();
    for (name, value) in
        [("PIP_TARGET", "/nowhere"), ("PIP_USER", "1"), ("PIP_DRY_RUN", "1"), ("PIP_ROOT", "/x")]
    {
        site.set(name, value);
    }
    site.python_project().push().assert_success().assert_says("pip's target (PIP_TARGET)");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn data_that_was_written_into_an_env_is_named_before_it_goes() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let data = site.env().join("nltk_data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("words"), "").unwrap();
    project.write("page", "").push().assert_success().assert_does_not_say("nltk_data");
    let push = project.write("page", "3").push_with(&["-o", "rebuild-env"]);
    push.assert_success().assert_says("warning: env 1 is about to be replaced");
    push.assert_says("nltk_data/words");
    project.write("requirements.txt", "acacia\n");
    project.push().assert_success().assert_does_not_say("nltk_data");
}

#[test]
fn the_env_of_a_failed_first_deployment_serves_the_next_one() {
    let site = Site::new();
    let project = site.python_project();
    project.write("bin/post_compile", "exit 3\n").push().assert_failed_with("bin/post_compile");
    assert_eq!(site.numbers("envs"), [1]);
    project.write("page", "").push().assert_failed_with("bin/post_compile");
    let push = project.remove("bin/post_compile").push();
    push.assert_success().assert_says("bin/post_compile ran in env 2 and is no longer run");

    let site = Site::new();
    let project = site.python_project();
    project.write("bin/post_compile", "test -n \"$READY\"\n");
    project.push().assert_failed_with("bin/post_compile");
    site.set("READY", "yes");
    project.write("page", "").push().assert_success().assert_says("copy env 1");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    project.write("page", "3").push().assert_success();
    assert_eq!(site.numbers("envs"), [2, 3]);
}
