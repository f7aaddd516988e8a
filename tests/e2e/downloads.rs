//! What nyala gets by itself where the machine does not have it: uv, and Pythons.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{Project, Running, Sandbox, Site, two_pythons, uv, write_uv_wheel};

/// A machine without uv, whose index has it.
fn without_uv() -> Option<Sandbox> {
    let uv = uv()?;
    let sandbox = Sandbox::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let without_uv = std::env::split_paths(&path).filter(|folder| !folder.join("uv").exists());
    sandbox.set_variable("PATH", std::env::join_paths(without_uv).unwrap());
    let index = sandbox.path("index");
    fs::create_dir(&index).unwrap();
    write_uv_wheel(&index, &uv);
    let wheels = crate::support::wheels::folder().display().to_string();
    sandbox.set_variable("PIP_FIND_LINKS", format!("{wheels} {}", index.display()));
    Some(sandbox)
}

fn own_uv(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/.cache/nyala/uv/uv")
}

#[test]
fn uv_is_downloaded_once_for_all_sites_of_a_user() {
    let Some(sandbox) = without_uv() else { return };
    let site = Site::in_sandbox(sandbox, "site", &["--installer", "uv"]);
    let doctor = site.nyala(&["doctor"]);
    doctor.assert_failed(1, "");
    assert!(doctor.stdout.contains("nyala uv install"), "{}", doctor.stdout);

    let project = site.python_project();
    let push = project.push();
    push.assert_success().assert_says("Downloading uv").assert_says(", from the index");
    push.assert_says(" + antelope==");
    site.nyala(&["doctor"]).assert_success();

    // It is there now, also for a build.
    let own = own_uv(&site.sandbox);
    let first = fs::metadata(&own).unwrap().modified().unwrap();
    let push = project.write("requirements.txt", "oryx\n").push();
    push.assert_success().assert_does_not_say("Downloading uv");
    assert_eq!(fs::metadata(&own).unwrap().modified().unwrap(), first);

    // Another one replaces it only when somebody asks, and nothing else is left in the cache.
    site.sandbox.nyala(&["uv", "install"]).assert_success();
    assert_ne!(fs::metadata(&own).unwrap().modified().unwrap(), first);
    let left = fs::read_dir(own.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1);

    // Without the index it stays as it is.
    let index = fs::read_dir(site.sandbox.path("index")).unwrap();
    index.for_each(|wheel| fs::remove_file(wheel.unwrap().path()).unwrap());
    let failed = site.sandbox.nyala(&["uv", "install"]);
    failed.assert_failed(1, "No matching distribution found for uv");
    project.write("requirements.txt", "acacia\n").push().assert_success();
}

/// A Python of this machine as an archive that uv installs, and the list that names it.
fn archive(sandbox: &Sandbox, python: &Path, version: &str) -> PathBuf {
    let prefix = python.parent().and_then(Path::parent).unwrap();
    let archive = sandbox.path("python.tar.gz");
    let packed = Command::new("tar")
        .args(["--exclude=__pycache__", "--exclude=test", "--exclude=*.a"])
        .args(["--exclude=site-packages/*", "--transform=s,^\\./,python/,", "-I", "gzip -1"])
        .arg("-cf")
        .arg(&archive)
        .arg("-C")
        .arg(prefix)
        .arg(".")
        .status()
        .unwrap();
    assert!(packed.success());
    let numbers: Vec<u32> = version.split('.').map(|it| it.parse().unwrap()).collect();
    let (arch, list) = (std::env::consts::ARCH, sandbox.path("downloads.json"));
    let downloads = json!({
        format!("cpython-{version}-linux-{arch}-gnu"): {
            "name": "cpython", "arch": { "family": arch, "variant": null },
            "os": "linux", "libc": "gnu", "major": numbers[0], "minor": numbers[1],
            "patch": numbers[2], "prerelease": "", "sha256": null, "variant": null,
            "url": format!("file://{}", archive.display()), "build": "20260101",
        }
    });
    fs::write(&list, downloads.to_string()).unwrap();
    list
}

/// Whether a copy of this Python runs at another place, as one that is archived has to.
fn is_relocatable(python: &Path) -> bool {
    let prefix = python.parent().and_then(Path::parent).unwrap();
    prefix.join("lib").is_dir() && prefix != Path::new("/usr") && prefix != Path::new("/usr/local")
}

#[test]
fn a_python_that_is_not_on_the_machine_is_installed() {
    let (Some(sandbox), Some((older, newer))) = (without_uv(), two_pythons()) else { return };
    if !is_relocatable(&older.path) {
        return crate::support::skip("needs a Python in a folder of its own");
    }
    let list = archive(&sandbox, &older.path, &older.to_string());
    // Only the newer one can be found.
    let newer_alone = sandbox.path("pythons");
    fs::create_dir(&newer_alone).unwrap();
    std::os::unix::fs::symlink(&newer.path, newer_alone.join("python3")).unwrap();
    sandbox.set_variable("PATH", format!("{}:/usr/bin:/bin", newer_alone.display()));
    sandbox.set_variable("PYENV_ROOT", "/nowhere");
    sandbox.set_variable("UV_PYTHON_INSTALL_DIR", sandbox.path("uv-pythons"));
    if sandbox_finds(&sandbox, &older.minor()) {
        return crate::support::skip("needs a Python that is not in /usr/bin");
    }

    let site = Site::in_sandbox(sandbox, "site", &[]);
    let project = site.python_project();
    project.write("runtime.txt", older.runtime());
    let command = format!("nyala python install {}", older.minor());
    let push = project.push();
    push.assert_failed_with("is not on this machine").assert_says(&command);

    // What cannot be had is an error that says why.
    site.configure("python_downloads = \"automatic\"");
    site.sandbox.set_variable("UV_PYTHON_DOWNLOADS_JSON_URL", site.sandbox.path("missing.json"));
    let push = again(&project);
    push.assert_failed_with("could not be installed with uv").assert_says("missing.json");

    site.sandbox.set_variable("UV_PYTHON_DOWNLOADS_JSON_URL", &list);
    site.nyala(&["plan"]).assert_failed(1, "a deployment installs it");
    let push = again(&project);
    push.assert_success().assert_says(&format!("Installing Python {}", older.minor()));
    assert_eq!(site.live()["python"]["version"], older.to_string());

    let there = site.sandbox.nyala(&["python", "install", &older.minor()]);
    assert!(there.assert_success().stdout.contains("already installed"), "{}", there.stdout);
    fs::remove_dir_all(site.sandbox.path("uv-pythons")).unwrap();
    let made = site.sandbox.nyala(&["python", "install", &older.to_string()]);
    assert!(made.assert_success().stdout.contains("is installed: "), "{}", made.stdout);
    let wrong = site.sandbox.nyala(&["python", "install", "three"]);
    wrong.assert_failed(2, "three is not a version of Python");
}

fn again(project: &Project<'_>) -> crate::support::Push {
    project.commit("Try again");
    project.push()
}

fn sandbox_finds(sandbox: &Sandbox, minor: &str) -> bool {
    let python = format!("python{minor}");
    let found = Running::start(sandbox.command("sh").args(["-c", &format!("command -v {python}")]));
    found.wait().status.success()
}

/// The wheel of the pip that a Python brings with it, and its version.
fn bundled_pip(python: &Path) -> Option<(PathBuf, String)> {
    let code = "import ensurepip, glob, os\n\
                print(*glob.glob(os.path.dirname(ensurepip.__file__) + '/_bundled/pip-*.whl'))";
    let said = Command::new(python).args(["-I", "-c", code]).output().unwrap().stdout;
    let path = PathBuf::from(String::from_utf8(said).unwrap().trim());
    let version = path.file_name()?.to_str()?.split('-').nth(1)?.to_owned();
    Some((path, version))
}

#[test]
fn the_site_names_the_pip_of_its_environments() {
    let Some((older, newer)) = two_pythons() else { return };
    let pips = (bundled_pip(&older.path), bundled_pip(&newer.path));
    let (Some((wheel, wanted)), Some((own_wheel, own))) = pips else {
        return crate::support::skip("needs Pythons that bundle pip");
    };
    if wanted == own {
        return crate::support::skip("needs two Pythons that bundle different versions of pip");
    }
    let site = Site::new();
    let wheels = crate::support::wheels::folder().display().to_string();
    let places = [wheel.parent(), own_wheel.parent()].map(|it| it.unwrap().display().to_string());
    site.sandbox.set_variable("PIP_FIND_LINKS", format!("{wheels} {}", places.join(" ")));
    let project = site.python_project();
    project.write("runtime.txt", newer.runtime()).push().assert_success();
    let pip = || site.env_python("import pip; print(pip.__version__)");
    assert_ne!(pip(), wanted);

    site.configure(&format!("pip = \"=={wanted}\""));
    let push = again(&project);
    push.assert_success().assert_says("settings that the installer or a build reads have changed");
    push.assert_says(&format!("pip=={wanted}, as nyala.toml asks for"));
    assert_eq!((pip(), site.package("antelope").is_some()), (wanted, true));
    again(&project).assert_success().assert_says("reuse env 2");

    let live = site.live_state();
    fs::write(
        site.path.join("nyala.toml"),
        fs::read_to_string(site.path.join("nyala.toml"))
            .unwrap()
            .replace("pip = \"==", "pip = \"==9"),
    )
    .unwrap();
    again(&project).assert_failed_with("could not be installed into the environment");
    assert_eq!(site.live_state(), live);
}
