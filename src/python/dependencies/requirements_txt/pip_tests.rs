//! What this room says of pip, checked with the pip of the machine's `python3`: no index, no
//! network.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Builds a wheel of the folder it lies in, so that no build tool has to be there.
const BACKEND: &str = r#"
import os, zipfile

def wheel(folder, files):
    name, info = "NAME-1.0-py3-none-any.whl", "NAME-1.0.dist-info/"
    files = files + [
        (info + "METADATA", "Metadata-Version: 2.1\nName: NAME\nVersion: 1.0\n"),
        (
            info + "WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
    ]
    record = "".join(path + ",,\n" for path, _ in files) + info + "RECORD,,\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in files + [(info + "RECORD", record)]:
            archive.writestr(path, text)
    return name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return wheel(folder, [("NAME.py", open("NAME.py").read())])

def build_editable(folder, config_settings=None, metadata_directory=None):
    return wheel(folder, [("NAME.pth", os.getcwd() + "\n")])
"#;

/// A project folder and an env beside it.
struct Site {
    folder: TempDir,
}

impl Site {
    /// `None` where this machine has no `python3` that can make an env.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("python3")
            .args(["-I", "-m", "venv"])
            .arg(folder.path().join("env"))
            .output()
            .is_ok_and(|output| output.status.success());
        made.then_some(Self { folder })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A folder that pip can install, version 1.0 whatever its module says.
    fn project(&self, folder: &str, name: &str, value: &str) {
        let system =
            "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
        self.write(&format!("{folder}/pyproject.toml"), system);
        self.write(&format!("{folder}/backend.py"), &BACKEND.replace("NAME", name));
        self.write(&format!("{folder}/{name}.py"), &format!("v = '{value}'"));
    }

    fn wheel(&self, folder: &str, name: &str, version: &str, value: &str, metadata: &str) {
        use std::io::Write;
        let path = self.path(&format!("{folder}/{name}-{version}-py3-none-any.whl"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let info = format!("{name}-{version}.dist-info");
        let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
        for (path, text) in [
            (format!("{name}.py"), format!("v = '{value}'")),
            (
                format!("{info}/METADATA"),
                format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"),
            ),
            (
                format!("{info}/WHEEL"),
                "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                    .to_owned(),
            ),
            (
                format!("{info}/RECORD"),
                format!("{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"),
            ),
        ] {
            archive.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
    }

    fn pip(&self, requirements: &str) -> Output {
        self.write("requirements.txt", requirements);
        run(Command::new(self.path("env/bin/python"))
            .args(["-I", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index"])
            .args(["--no-cache-dir", "-r", "requirements.txt"])
            .current_dir(self.folder.path()))
    }

    #[track_caller]
    fn install(&self, requirements: &str) {
        let output = self.pip(requirements);
        assert!(
            output.status.success(),
            "{requirements}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The value of an installed module.
    fn value(&self, name: &str) -> String {
        let output = run(Command::new(self.path("env/bin/python")).args([
            "-I",
            "-c",
            &format!("import {name}; print({name}.v)"),
        ]));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, folder: &str) -> String {
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            command.args(["-c", "user.name=x", "-c", "user.email=x@x"]).args(args);
            for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
                command.env_remove(name);
            }
            let output = run(command.current_dir(self.path(folder)));
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        if !self.path(folder).join(".git").exists() {
            git(&["init", "-q"]);
        }
        git(&["add", "."]);
        git(&["commit", "-qm", "x"]);
        git(&["rev-parse", "HEAD"])
    }
}

fn run(command: &mut Command) -> Output {
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("PIP_") || name.starts_with("PYTHON"))
    {
        command.env_remove(name);
    }
    // Two installations within a second must not meet the byte code of the first.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PIP_NO_COMPILE", "1").output().unwrap()
}

#[test]
fn pip_does_in_an_env_what_the_comparison_relies_on() {
    let Some(site) = Site::new() else {
        eprintln!("skipped: python3 of this machine cannot make an env");
        return;
    };

    // A folder is installed again, although its version is the same; -e points where it is told.
    site.project("lib", "lib", "old");
    site.project("app", "app", "old");
    site.install("./lib\n-e ./app");
    site.project("lib", "lib", "new");
    fs::rename(site.path("app"), site.path("moved")).unwrap();
    site.project("moved", "app", "new");
    site.install("./lib\n-e ./moved");
    assert_eq!((site.value("lib"), site.value("app")), ("new".into(), "new".into()));

    // A wheel of the same version is not.
    site.wheel("wheels", "whl", "1.0", "old", "");
    site.install("./wheels/whl-1.0-py3-none-any.whl");
    site.wheel("wheels", "whl", "1.0", "new", "");
    site.install("./wheels/whl-1.0-py3-none-any.whl");
    assert_eq!(site.value("whl"), "old");

    // Nor is another commit of the same version.
    site.project("repo", "repo", "old");
    let old = site.commit("repo");
    site.project("repo", "repo", "new");
    let new = site.commit("repo");
    let url = format!("git+file://{}", site.path("repo").display());
    site.install(&format!("{url}@{old}#egg=repo"));
    site.install(&format!("{url}@{new}#egg=repo"));
    assert_eq!(site.value("repo"), "old");

    // Hashes are checked of what is downloaded, not of what is installed.
    let zeros = "0".repeat(64);
    site.install(&format!("--find-links wheels\nwhl==1.0 --hash=sha256:{zeros}"));
    assert_eq!(site.value("whl"), "old");

    // Another version and a new constraint are seen, also of what nobody asked for by name.
    site.wheel("wheels", "dep", "1.0", "1", "");
    site.wheel("wheels", "dep", "2.0", "2", "");
    site.wheel(
        "wheels",
        "top",
        "1.0",
        "",
        "Requires-Dist: dep\nProvides-Extra: x\nRequires-Dist: more; extra == 'x'\n",
    );
    site.wheel("wheels", "more", "1.0", "more", "");
    site.install("--find-links wheels\ntop");
    assert_eq!(site.value("dep"), "2");
    site.write("constraints.txt", "dep<2");
    site.install("--find-links wheels\n-c constraints.txt\ntop[x]");
    assert_eq!((site.value("dep"), site.value("more")), ("1".into(), "more".into()));

    // What is not required any more stays.
    site.install("--find-links wheels\ntop");
    assert_eq!((site.value("more"), site.value("dep")), ("more".into(), "1".into()));
}

#[test]
fn pip_looks_for_paths_where_we_do() {
    let Some(site) = Site::new() else {
        eprintln!("skipped: python3 of this machine cannot make an env");
        return;
    };
    site.project("lib", "lib", "1");
    site.wheel("deploy/own", "own", "1.0", "1", "");
    site.write("deploy/base.txt", "./lib");
    site.write("deploy/prod.txt", "-r base.txt\n-f own\nown");
    std::os::unix::fs::symlink("deploy", site.path("current")).unwrap();
    site.write("ftp:/constraints.txt", "own==1.0");
    site.install("-r current/prod.txt\n-c ftp://constraints.txt");
    assert_eq!((site.value("lib"), site.value("own")), ("1".into(), "1".into()));

    // Each of these fails in pip as well.
    for bad in
        ["-r nothing.txt", "-r deploy", "./nothing", "-r requirements.txt", "-r", "-e nothing"]
    {
        assert!(!site.pip(bad).status.success(), "{bad}");
    }
}
