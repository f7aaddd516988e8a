//! `nyala image`: what is in an image does not depend on the machine, and it runs.

mod bases;
mod registries;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::running::application;
use crate::support::{
    Answer, Project, Ran, Running, Sandbox, Site, is_root, runs_program, skip, wait_until,
};

/// A project with a requirement, a page, and what is shared.
fn project(site: &Site) -> Project<'_> {
    share(site);
    let project = site.python_project();
    application(&project, "page", "import antelope");
    project.write("data/long name with spaces.txt", "x").link("data/link", "../server.py");
    project
}

fn share(site: &Site) {
    site.configure("shared = ['media', 'db.sqlite3']");
    fs::write(site.path.join("shared/db.sqlite3"), "data of visitors").unwrap();
}

fn image(site: &Site, arguments: &[&str]) -> Ran {
    site.nyala(&[&["image"], arguments].concat())
}

/// Writes an image to a folder, and gives its manifest.
fn written(site: &Site, folder: &Path, more: &[&str]) -> Value {
    image(site, &[&["--output", folder.to_str().unwrap()], more].concat()).assert_success();
    let index = json(&folder.join("index.json"));
    json(&blob(folder, index["manifests"][0]["digest"].as_str().unwrap()))
}

fn blob(folder: &Path, digest: &str) -> PathBuf {
    folder.join("blobs").join(digest.replace(':', "/"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn layers(manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    layers.map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

/// An image without a base, as the base of others: it has this machine's Python in it, with all
/// libraries and a shell. It is made once for all tests of a binary.
pub(crate) fn base() -> String {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = fs::File::create(shared.join("image-base.lock")).unwrap();
    lock.lock().unwrap();
    let (folder, stamp) = (shared.join("image-base"), shared.join("image-base.stamp"));
    let made = fs::metadata(env!("CARGO_BIN_EXE_nyala")).unwrap().modified().unwrap();
    let made = format!("{made:?}");
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&made) {
        let _ = fs::remove_dir_all(&folder);
        let site = Site::new();
        let project = site.python_project();
        project.write("base.txt", "not what others have").push().assert_success();
        let manifest = written(&site, &folder, &["--base", "scratch"]);
        assert_eq!(layers(&manifest).len(), 4, "libraries, interpreter, env and release");
        fs::write(&stamp, made).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[test]
fn the_same_commit_is_the_same_image_on_every_machine() {
    let first = Site::new();
    let project = project(&first);
    // Twice the same words, and another machine: another folder, umask, day, and order on disk.
    project.push().assert_success();
    let second = Site::in_folder("another place", &[]);
    share(&second);
    let wheels = "umask 077; exec git push -q \"$0\" HEAD:main";
    let repository = second.repository.to_str().unwrap();
    let mut push = second.sandbox.command("sh");
    push.args(["-c", wheels, repository]).current_dir(&project.path);
    Running::start(&mut push).wait().assert_success();
    // Its env was made twice, and so has another number.
    second.nyala(&["env", "delete"]).assert_success();
    second.nyala(&["redeploy"]).assert_success();
    assert_ne!(second.env_id(), first.env_id());
    let release = second.path.join("wwwroot").canonicalize().unwrap();
    let text = fs::read(release.join("server.py")).unwrap();
    fs::rename(release.join("server.py"), release.join("old")).unwrap();
    fs::write(release.join("server.py"), text).unwrap();
    fs::remove_file(release.join("old")).unwrap();
    fs::set_permissions(release.join("server.py"), fs::Permissions::from_mode(0o600)).unwrap();
    let day = SystemTime::UNIX_EPOCH + Duration::from_hours(9000);
    fs::File::open(release.join("server.py")).unwrap().set_modified(day).unwrap();
    first.env_python("import antelope");
    // What the application writes is not in the image, wherever it does so.
    let committed = release.join("data/long name with spaces.txt");
    fs::write(&committed, vec![b'x'; 2 << 20]).unwrap();
    fs::write(release.join("data/new.txt"), "data of visitors").unwrap();

    let base = base();
    let over = ["--base", &base];
    let (one, other) = (first.sandbox.path("one"), second.sandbox.path("other"));
    let manifest = written(&first, &one, &over);
    assert_eq!(manifest, written(&second, &other, &over));
    let said = image(&second, &["--output", other.to_str().unwrap(), "--base", &base]);
    let said = said.assert_success().stderr.clone() + &said.stdout;
    assert!(said.contains("files of the commit is not in the image"), "{said}");
    assert!(said.contains("found: data/long name with spaces.txt"), "{said}");
    assert!(said.contains("Left out 1 file"), "{said}");
    assert_eq!(fs::metadata(&committed).unwrap().len(), 2 << 20, "on the site it stays");
    // What is known of the layers by then gives the same image, and what one that was killed has
    // left is removed.
    let cache = first.path.join("cache");
    let left = [cache.join(".nyala-1-1-image"), cache.join("images/.nyala-1-1-known")];
    fs::create_dir(&left[0]).unwrap();
    fs::write(left[0].join("layer"), "half of one").unwrap();
    fs::write(&left[1], "{").unwrap();
    assert_eq!(manifest, written(&first, &first.sandbox.path("again"), &over));
    assert!(left.iter().all(|path| !path.exists()), "{left:?}");
    assert_eq!(layers(&manifest).len(), 4 + 2, "those of the base, env and release");

    let config = json(&blob(&one, manifest["config"]["digest"].as_str().unwrap()));
    let settings = &config["config"];
    assert_eq!(settings["WorkingDir"], "/srv/app");
    assert_eq!(settings["User"], "1000:1000");
    assert_eq!(settings["Cmd"], serde_json::json!(["/bin/sh", "-c", "exec python3 server.py"]));
    assert_eq!(settings["ExposedPorts"], serde_json::json!({"8000/tcp": {}}));
    let variables = settings["Env"].as_array().unwrap();
    for variable in [
        "VIRTUAL_ENV=/srv/env",
        "PORT=8000",
        "PYTHONUNBUFFERED=1",
        "LANG=C.UTF-8",
        "UWSGI_DIE_ON_TERM=true",
        "WEB_CONCURRENCY=1",
        "HOME=/tmp",
    ] {
        assert!(variables.contains(&variable.into()), "{variables:?}");
    }
    let annotations = &manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.revision"], project.head());

    let release = layers(&manifest).pop().unwrap();
    let listed = Command::new("tar").args(["-tvzf"]).arg(blob(&one, &release)).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("drwxr-xr-x 1000/1000"), "{listed}");
    assert!(listed.contains("-rw-r--r-- 0/0"), "{listed}");
    assert!(!listed.contains("__pycache__") && !listed.contains("db.sqlite3"), "{listed}");

    // A change of one line is one new layer.
    application(&project, "another page", "import antelope");
    project.push().assert_success();
    let changed = layers(&written(&first, &first.sandbox.path("changed"), &over));
    assert_eq!(changed[..5], layers(&manifest)[..5]);
    assert_ne!(changed[5], layers(&manifest)[5]);
}

#[test]
fn an_image_answers_a_page() {
    let site = Site::new();
    if !is_root() {
        return skip("needs root: an image is unpacked and run");
    }
    project(&site).push().assert_success();
    let (folder, root) = (site.sandbox.path("image"), site.sandbox.path("root"));
    let manifest = written(&site, &folder, &["--base", &base()]);
    fs::create_dir(&root).unwrap();
    for layer in layers(&manifest) {
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(blob(&folder, &layer)).arg("-C").arg(&root);
        Running::start(&mut tar).wait().assert_success();
    }
    // What Python's library reads of the machine.
    for file in ["usr/share/zoneinfo/Europe/Berlin", "etc/mime.types", "etc/protocols"] {
        assert_eq!(root.join(file).exists(), Path::new("/").join(file).exists(), "{file}");
    }
    let config = json(&blob(&folder, manifest["config"]["digest"].as_str().unwrap()));
    let config = &config["config"];
    let words = |value: &Value| -> Vec<String> {
        let words = value.as_array().unwrap().iter();
        words.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut run = Command::new("chroot");
    run.args(["--userspec", config["User"].as_str().unwrap()]).arg(&root);
    run.args(["/usr/bin/env", "-i", "-C", "/srv/app"]).args(words(&config["Env"]));
    run.arg(format!("PORT={port}")).args(words(&config["Cmd"]));
    let mut running = Some(Running::start(&mut run));
    wait_until("the application listens", || {
        let has_ended = !running.as_mut().unwrap().is_running();
        assert!(!has_ended, "{:#?}", running.take().unwrap().wait());
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let visitor = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let answer = Answer::from(visitor, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!((answer.status, answer.body.as_str()), (200, "page app h\n"));
}

#[test]
fn what_cannot_be_an_image_is_refused_and_nothing_is_written() {
    let site = Site::new();
    let output = site.sandbox.path("image");
    let to = output.to_str().unwrap();
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let ran = image(&site, arguments);
        ran.assert_failed(code, says);
        assert!(!output.exists(), "{arguments:?}");
    };
    refused(&["--output", to], 1, "nothing is live yet");
    let project = project(&site);
    project.push().assert_success();
    refused(&[], 2, "no destination was given for the image");
    refused(&["--push"], 2, "no repository was named");
    refused(&["--push", "Shop"], 1, "not the name of an image");
    refused(&["--push", "shop"], 2, "no registry is named");
    refused(&["--push", "127.0.0.1:1/shop"], 1, "cannot be reached");
    refused(&["9", "--output", to], 1, "deployment 9");
    refused(&["--output", to, "--base", "./nowhere"], 1, "not a folder with an image");
    refused(&["--output", to, "--base", "127.0.0.1:1/python"], 1, "cannot be reached");
    let used = site.path.to_str().unwrap();
    image(&site, &["--output", used]).assert_failed(1, "something other than an image");

    // A base of another platform, and one that is damaged.
    let folder = site.sandbox.path("base");
    Running::start(Command::new("cp").arg("-r").arg(base()).arg(&folder)).wait().assert_success();
    let index = json(&folder.join("index.json"));
    let manifest_path = blob(&folder, index["manifests"][0]["digest"].as_str().unwrap());
    let manifest = json(&manifest_path);
    let config = blob(&folder, manifest["config"]["digest"].as_str().unwrap());
    let text = fs::read(&config).unwrap();
    fs::write(&config, "{}").unwrap();
    refused(&["--output", to, "--base", folder.to_str().unwrap()], 1, "is damaged");
    fs::write(&config, text).unwrap();

    // Programs that the base does not have.
    let with_base = ["--output", to, "--base", &base()];
    project.write("Procfile", "web: bash start.sh\n").write("start.sh", "#!/bin/bash\n");
    project.push().assert_success();
    refused(&with_base, 1, "the image has no bash, which web needs");
    project.write("Procfile", "web: ./start.sh\n").make_executable("start.sh");
    project.push().assert_success();
    refused(&with_base, 1, "the image has no /bin/bash, which web needs");
    project.remove("Procfile").remove("start.sh");

    // Links that lead out, and secrets in files.
    project.link("data/out", "/etc/shadow");
    project.push().assert_success();
    refused(&["--output", to, "--base", &base()], 1, "a link leads out of the release");
    project.remove("data/out").write("local.py", "KEY = 'a-very-secret-value'\n");
    project.push().assert_success();
    site.set("SECRET_KEY", "a-very-secret-value");
    refused(
        &["--output", to, "--base", &base()],
        1,
        "the value of the app setting SECRET_KEY is in a file",
    );
    let ran = image(&site, &["--output", to, "--base", &base()]);
    assert!(!format!("{ran:?}").contains("a-very-secret-value"));
    let left = fs::read_dir(site.path.join("cache")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".nyala")), "{left:?}");
}

#[test]
fn an_extension_module_whose_library_is_missing_is_named_with_its_package() {
    let site = Site::new();
    let sandbox: &Sandbox = &site.sandbox;
    if !runs_program("cc") {
        return skip("needs cc");
    }
    project(&site).push().assert_success();
    let packages =
        site.env_python("import antelope, os; print(os.path.dirname(antelope.__file__))");
    let packages = &Path::new(&packages).canonicalize().unwrap();
    // A module that needs a library.
    let build = |library: &str, file: &str, option: &str| {
        let build = format!(
            "cd {} && echo 'int far_away(void) {{ return 1; }}' > far.c && \
             cc -shared -fPIC -o libfaraway.so.1 -Wl,-soname,libfaraway.so.1 far.c && \
             cc -shared -fPIC -Wl,--no-as-needed {option} -o {}/{file} far.c -L. -l:{library}",
            sandbox.path("").display(),
            packages.display()
        );
        Running::start(sandbox.command("sh").args(["-c", &build])).wait().assert_success();
    };
    build("libfaraway.so.1", "optional.so", "");
    let info = fs::read_dir(site.env().join("lib")).unwrap().next().unwrap().unwrap().path();
    let info = info.join("site-packages/antelope-1.0.dist-info/RECORD");
    let mut list = fs::read_to_string(&info).unwrap();
    for file in ["native.so", "optional.so"] {
        let inside = packages.join(file);
        let inside = inside.strip_prefix(info.ancestors().nth(2).unwrap()).unwrap();
        list += &format!("{},,\n", inside.display());
    }
    fs::write(&info, list).unwrap();
    let to = sandbox.path("image");
    let make = || image(&site, &["--output", to.to_str().unwrap(), "--base", &base()]);
    // This machine does not have it either: on the site, the module does not load.
    let ran = make();
    let said = ran.assert_success().stderr.clone() + &ran.stdout;
    assert!(said.contains("found: antelope 1.0 needs libfaraway.so.1"), "{said}");
    // This one is part of glibc, and nothing in the base needs it.
    build("libBrokenLocale.so.1", "native.so", "");
    make().assert_failed(1, "antelope 1.0 needs libBrokenLocale.so.1");
    // Without a base, both are carried along, once the module says where one of them is.
    let run_path = format!("-Wl,-rpath,{}", sandbox.path("").display());
    build("libfaraway.so.1", "optional.so", &run_path);
    let folder = sandbox.path("scratch");
    let manifest = written(&site, &folder, &["--base", "scratch"]);
    let libraries = blob(&folder, &layers(&manifest)[0]);
    let listed = Command::new("tar").arg("-tzf").arg(libraries).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for library in ["libfaraway.so.1", "libBrokenLocale.so.1"] {
        assert!(listed.contains(library), "{listed}");
    }
}
