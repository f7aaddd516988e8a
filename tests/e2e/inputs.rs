//! Files that only the installer's own settings name decide what is installed, too.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Project, Sandbox, Site, uv};

/// Sites that install with pip and, where the machine has it, with uv.
fn sites() -> Vec<Site> {
    let with_uv = uv().map(|uv| {
        let sandbox = Sandbox::new();
        sandbox.put_uv_on_path(&uv);
        Site::in_sandbox(sandbox, "site", &["--installer", "uv"])
    });
    [Some(Site::new()), with_uv].into_iter().flatten().collect()
}

fn file(site: &Site, name: &str, text: &str) -> PathBuf {
    let path = site.sandbox.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn version(site: &Site) -> Option<String> {
    site.package("antelope")
}

#[test]
fn another_constraints_file_on_the_machine_makes_another_env_and_is_named() {
    for site in sites() {
        let pins = file(&site, "etc/pins.txt", "-r more.txt\n");
        let more = file(&site, "etc/more.txt", "antelope==1.0\n");
        site.set("PIP_CONSTRAINT", pins.to_str().unwrap());
        let project = site.python_project();
        project.write("requirements.txt", "antelope\n").push().assert_success();
        assert_eq!(version(&site).as_deref(), Some("1.0"));

        file(&site, "etc/more.txt", "antelope==1.1\n");
        let push = project.write("a.txt", "1").push();
        let reason = format!("- {} changed ({})", more.display(), pins.display());
        push.assert_success().assert_says(&reason);
        assert_eq!(version(&site).as_deref(), Some("1.1"));
        project.write("a.txt", "2").push().assert_success();
        assert_eq!(site.live()["env"]["decision"], "reuse");
    }
}

#[test]
fn a_constraints_file_in_the_tree_is_compared_line_by_line() {
    for site in sites() {
        site.set("PIP_CONSTRAINT", "pins.txt");
        let project = site.python_project();
        project.write("requirements.txt", "antelope\n").write("pins.txt", "antelope==1.0\n");
        project.push().assert_success();
        assert_eq!(version(&site).as_deref(), Some("1.0"));
        let push = project.write("pins.txt", "antelope==1.1\n").push();
        push.assert_success();
        push.assert_says("the constraint antelope==1.0 -> antelope==1.1 (pins.txt line 1)");
        assert_eq!(version(&site).as_deref(), Some("1.1"));
    }
}

#[test]
fn the_users_own_configuration_is_watched() {
    for site in sites() {
        site.sandbox.remove_variable("PIP_CONFIG_FILE");
        let pins = file(&site, "pins.txt", "antelope==1.0\n");
        let project = site.python_project();
        project.write("requirements.txt", "antelope\n").push().assert_success();
        assert_eq!(version(&site).as_deref(), Some("2.0"));

        let text = format!("[install]\nconstraint = {}\n", pins.display());
        let conf = file(&site, "home/.pip/pip.conf", &text);
        let push = project.write("a.txt", "1").push();
        push.assert_success();
        push.assert_says(&format!("- {} is new (pip's configuration)", conf.display()));
        assert_eq!(version(&site).as_deref(), Some("1.0"));

        file(&site, "pins.txt", "antelope==1.1\n");
        project.write("a.txt", "2").push().assert_success();
        assert_eq!(version(&site).as_deref(), Some("1.1"));
        fs::remove_file(&conf).unwrap();
        let push = project.write("a.txt", "3").push();
        push.assert_success();
        push.assert_says(&format!("- {} was removed (pip's configuration)", conf.display()));
        assert_eq!(version(&site).as_deref(), Some("2.0"));
    }
}

#[test]
fn uvs_own_settings_and_configuration_are_watched() {
    let Some(site) = sites().into_iter().nth(1) else { return };
    let pins = file(&site, "pins.txt", "antelope==1.0\n");
    site.set("UV_CONSTRAINT", pins.to_str().unwrap());
    let project = site.python_project();
    project.write("requirements.txt", "antelope\n").push().assert_success();
    assert_eq!(version(&site).as_deref(), Some("1.0"));
    file(&site, "pins.txt", "antelope<2\n");
    let push = project.write("a.txt", "1").push();
    push.assert_success().assert_says(&format!("- {} changed (UV_CONSTRAINT)", pins.display()));
    assert_eq!(version(&site).as_deref(), Some("1.1"));

    let conf = "constraint-dependencies = ['antelope<1.1']\n";
    let conf = file(&site, "home/.config/uv/uv.toml", conf);
    let push = project.write("a.txt", "2").push();
    push.assert_success();
    push.assert_says(&format!("- {} is new (uv's configuration)", conf.display()));
    assert_eq!(version(&site).as_deref(), Some("1.0"));
    fs::remove_file(conf).unwrap();
    fs::remove_file(pins).unwrap();
    site.nyala(&["config", "unset", "UV_CONSTRAINT"]).assert_success();

    let constrain = |to: &str| {
        let text = format!("[tool.uv]\nconstraint-dependencies = ['antelope{to}']\n");
        file(&site, "site/pyproject.toml", &text)
    };
    constrain("<1.1");
    project.write("a.txt", "3").push().assert_success();
    assert_eq!(version(&site).as_deref(), Some("1.0"));
    let above = constrain("==1.1");
    let push = project.write("a.txt", "4").push();
    push.assert_success();
    push.assert_says(&format!("- {} changed (uv's configuration)", above.display()));
    assert_eq!(version(&site).as_deref(), Some("1.1"));
}

#[test]
fn a_wheel_that_is_replaced_in_a_folder_of_the_machine_is_installed() {
    for site in sites() {
        let wheels = site.sandbox.path("wheels");
        fs::create_dir_all(&wheels).unwrap();
        let project = site.project();
        let links = format!("--find-links {}\nantelope\n", wheels.display());
        project.write("requirements.txt", links).push().assert_success();
        project.write("a.txt", "1").push().assert_success();
        assert_eq!(site.live()["env"]["decision"], "reuse");

        let wheel = wheels.join("savanna-1.0-py3-none-any.whl");
        fs::write(&wheel, "one").unwrap();
        let push = project.write("a.txt", "2").push();
        push.assert_success().assert_says("was added to a --find-links folder");
        fs::write(&wheel, "another").unwrap();
        let push = project.write("a.txt", "3").push();
        push.assert_success().assert_says("changed in a --find-links folder");
        assert_eq!(site.live()["env"]["decision"], "create");
    }
}

#[test]
fn a_setting_that_a_local_project_is_built_by_gives_a_new_env() {
    for site in sites() {
        let project = site.python_project();
        let build = "    assert os.environ.get('FLAVOUR') != 'bitter'\n";
        project.local_package("lib", "1.0", build).write("requirements.txt", "./lib\n");
        project.push().assert_success();
        let decision = || site.live()["env"]["decision"].clone();
        site.set("OTHER", "another setting");
        site.nyala(&["redeploy"]).assert_success();
        assert_eq!(decision(), "reuse");
        site.set("FLAVOUR", "sweet");
        let again = site.nyala(&["redeploy"]);
        let log = again.assert_success().stdout.clone();
        assert!(log.contains("settings that the installer or a build reads have changed"), "{log}");
        assert_eq!(decision(), "create");
        site.set("FLAVOUR", "bitter");
        assert_ne!(site.nyala(&["redeploy"]).status.code(), Some(0));
    }
}

/// A folder with an archive of a package that has to be built, and the file that says what each of
/// its builds has read.
struct Archive {
    folder: PathBuf,
    built: PathBuf,
}

impl Archive {
    fn of(project: &Project<'_>, site: &Site) -> Self {
        let [folder, built] = ["archives", "built"].map(|name| site.sandbox.path(name));
        fs::create_dir_all(&folder).unwrap();
        let archive = Self { folder, built };
        archive.write(project, "first");
        let links = format!("--find-links {}\nwaterhole\n", archive.folder.display());
        project.remove("waterhole-1.0").write("requirements.txt", links);
        archive
    }

    fn write(&self, project: &Project<'_>, text: &str) {
        let build = format!(
            "    read = [os.environ.get(name, '-') for name in ('CFLAGS', 'HDF5_DIR')]\n    \
             open('{}', 'a').write('{text} ' + ' '.join(read) + '\\n')\n",
            self.built.display()
        );
        let metadata = "Metadata-Version: 2.1\nName: waterhole\nVersion: 1.0\n";
        let name = "waterhole-1.0";
        project.local_package(name, "1.0", &build).write(&format!("{name}/PKG-INFO"), metadata);
        // As if it were compiled.
        let backend = project.path.join(name).join("backend.py");
        let text = fs::read_to_string(&backend).unwrap();
        let tag = format!("py3-none-linux_{}", std::env::consts::ARCH);
        fs::write(&backend, text.replace("py3-none-any", &tag)).unwrap();
        let mut tar = Command::new("tar");
        let packed = self.folder.join(format!("{name}.tar.gz"));
        tar.current_dir(&project.path).arg("-czf").arg(packed).arg(name);
        assert!(tar.status().unwrap().success());
    }

    fn builds(&self) -> Vec<String> {
        fs::read_to_string(&self.built).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn an_archive_that_was_replaced_is_built_and_not_taken_from_a_cache() {
    for site in sites() {
        let project = site.python_project();
        let archive = Archive::of(&project, &site);
        project.push().assert_success();
        archive.write(&project, "second");
        project.push().assert_success();
        assert_eq!(archive.builds(), ["first - -", "second - -"]);
        let packed = archive.folder.join("waterhole-1.0.tar.gz");
        let named = format!("waterhole @ file://{}\n", packed.display());
        project.write("requirements.txt", named).push().assert_success();
        archive.write(&project, "third");
        project.push().assert_success();
        assert_eq!(archive.builds().last().unwrap(), "third - -");
    }
}

#[test]
fn what_compilers_read_gives_a_new_env_that_is_built_with_it() {
    for site in sites() {
        let project = site.python_project();
        let archive = Archive::of(&project, &site);
        project.push().assert_success();
        let decided = |name: &str, value: &str| {
            site.set(name, value);
            let log = site.nyala(&["redeploy"]).assert_success().stdout.clone();
            (site.live()["env"]["decision"].as_str().unwrap().to_owned(), log)
        };
        for flags in ["-O2", "-O3"] {
            let (decision, log) = decided("CFLAGS", flags);
            let reason = "settings that the installer or a build reads have changed: CFLAGS";
            assert!(log.contains(reason), "{log}");
            assert_eq!(decision, "create");
        }
        // What was built for these settings before serves again.
        assert_eq!(decided("CFLAGS", "-O2").0, "create");
        assert_eq!(archive.builds(), ["first - -", "first -O2 -", "first -O3 -"]);

        let (decision, log) = decided("HDF5_DIR", "/opt/hdf5");
        let reason = "what a build finds have changed: HDF5_DIR (built on this machine: waterhole)";
        assert!(log.contains(reason), "{log}");
        assert_eq!(decision, "create");
        assert_eq!(archive.builds().last().unwrap(), "first -O2 /opt/hdf5");
        for (name, value) in [("SECRET_KEY", "/abc"), ("MEDIA_ROOT", "/srv/media")] {
            assert_eq!(decided(name, value).0, "reuse", "{name}");
        }
    }
}
