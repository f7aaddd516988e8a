use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::dependencies::requirements_txt::tests::MemoryTree;
use super::*;

/// A machine of its own: a home, and nothing of the real one's configuration.
struct Machine(TempDir);

impl Machine {
    fn new() -> Machine {
        Machine(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn inputs(&self, installer: Installer, variables: &[(&str, &str)]) -> Inputs {
        let tree = MemoryTree::of(&[
            ("pins.txt", "flask<3\n"),
            ("deploy/pip.conf", "[global]\nfind-links = wheels\nconstraint = pins.txt\n"),
            ("wheels/a-1-py3-none-any.whl", ""),
            ("uv.toml", "find-links = ['wheels']\n"),
        ]);
        let environment = Environment::empty()
            .set("HOME", self.path("home"))
            .set("XDG_CONFIG_DIRS", self.path("xdg"))
            .extend(variables.iter().copied());
        let mut inputs =
            Inputs::of(installer, &environment, &tree, &self.path("site/releases")).unwrap();
        // What the real machine has.
        inputs.files.retain(|input| !input.path.starts_with("/etc/"));
        inputs
    }

    fn files(&self, installer: Installer, variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let files = self.inputs(installer, variables).files;
        files.into_iter().map(|input| (input.path, input.by)).collect()
    }
}

fn setting_files(inputs: &Inputs) -> Vec<(&str, SettingFileRole, &str)> {
    inputs.setting_files.iter().map(|it| (it.path.as_str(), it.role, it.by.as_str())).collect()
}

#[test]
fn every_place_of_pips_configuration_is_known() {
    let machine = Machine::new();
    for name in ["home/.pip/pip.conf", "home/.config/pip/pip.conf", "xdg/pip/pip.conf"] {
        let path = machine.write(name, "[global]\ntimeout = 1\n");
        let files = machine.files(Installer::Pip, &[]);
        assert_eq!(files, [(path.clone(), "pip's configuration".to_owned())]);
        fs::remove_file(path).unwrap();
    }
    let named = machine.write("named.conf", "");
    let files = machine.files(Installer::Pip, &[("PIP_CONFIG_FILE", &named)]);
    assert_eq!(files.len(), 1);
    assert_eq!(machine.files(Installer::Pip, &[("PIP_CONFIG_FILE", "/dev/null")]), []);
}

#[test]
fn every_variable_of_pip_that_names_files_is_known() {
    let machine = Machine::new();
    let pins = machine.write("pins.txt", "flask\n");
    for name in ["PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_REQUIREMENT"] {
        let both = format!("pins.txt  {pins}");
        let inputs = machine.inputs(Installer::Pip, &[(name, &both)]);
        let role = match name {
            "PIP_REQUIREMENT" => SettingFileRole::Requirements,
            _ => SettingFileRole::Constraints,
        };
        assert_eq!(setting_files(&inputs), [("pins.txt", role, name)]);
        assert_eq!(inputs.files.len(), 1, "{name}");
    }
    let url = [("PIP_CONSTRAINT", "https://u:hunter2@h/c.txt")];
    let inputs = machine.inputs(Installer::Pip, &url);
    assert_eq!(inputs.mutable_references[0].text, "https://****@h/c.txt");
    let missing = machine.inputs(Installer::Pip, &[("PIP_CONSTRAINT", "made-by-a-command.txt")]);
    assert_eq!(missing.mutable_references.len(), 1);
    assert_eq!(
        machine.inputs(Installer::Pip, &[("PIP_FIND_LINKS", "https://h/")]).mutable_references,
        []
    );
}

#[test]
fn a_configuration_file_in_the_tree_counts() {
    let machine = Machine::new();
    let inputs = machine.inputs(Installer::Pip, &[("PIP_CONFIG_FILE", "deploy/pip.conf")]);
    assert_eq!(
        setting_files(&inputs),
        [
            ("pins.txt", SettingFileRole::Constraints, "deploy/pip.conf"),
            ("wheels", SettingFileRole::FindLinks, "deploy/pip.conf")
        ]
    );
    assert_eq!(inputs.files[0].path, "deploy/pip.conf");
}

#[test]
fn uv_reads_its_own_files_and_pips() {
    let machine = Machine::new();
    let user = machine.write("home/.config/uv/uv.toml", "");
    let above = machine.write("site/uv.toml", "");
    let files: Vec<_> = machine.files(Installer::Uv, &[]).into_iter().map(|it| it.0).collect();
    assert_eq!(files, [user, above, "uv.toml".to_owned()]);
    assert_eq!(machine.files(Installer::Uv, &[("UV_NO_CONFIG", "1")]), []);

    machine.write("site/releases/pyproject.toml", "[project]\nname = 'x'\n");
    let pyproject = machine.write("site/pyproject.toml", "[tool.uv]\npip.pre = true\n");
    let table = |inputs: Inputs| inputs.files.into_iter().find(|input| input.path == pyproject);
    let before = table(machine.inputs(Installer::Uv, &[])).unwrap();
    machine.write("site/pyproject.toml", "[project]\nname = 'x'\n[tool.uv.pip]\npre = true\n");
    assert_eq!(table(machine.inputs(Installer::Uv, &[])).as_ref(), Some(&before));
    machine.write("site/pyproject.toml", "[tool.uv]\npip.pre = false\n");
    assert_ne!(table(machine.inputs(Installer::Uv, &[])).unwrap().digest, before.digest);

    let pins = machine.write("pins.txt", "");
    for name in ["UV_CONSTRAINT", "UV_BUILD_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE"] {
        let files = machine.files(Installer::Uv, &[("UV_NO_CONFIG", "1"), (name, &pins)]);
        assert_eq!(files, [(pins.clone(), name.to_owned())]);
        assert_eq!(machine.files(Installer::Pip, &[(name, &pins)]), [], "pip does not read {name}");
    }
    let inputs = machine.inputs(Installer::Uv, &[]);
    assert_eq!(setting_files(&inputs), [("wheels", SettingFileRole::FindLinks, "uv.toml")]);
}

#[test]
fn what_a_file_on_the_machine_includes_counts() {
    let machine = Machine::new();
    let wheel = machine.write("pins/wheels/a-1-py3-none-any.whl", "a");
    machine.write("pins/wheels/notes.md", "no wheel");
    let more = machine.write("pins/more.txt", "-r all.txt\n-f wheels\n");
    let all = machine.write("pins/all.txt", "-c more.txt\n");
    let inputs = machine.inputs(Installer::Pip, &[("PIP_CONSTRAINT", &all)]);
    let files: Vec<_> = inputs.files.iter().map(|it| (&*it.path, &*it.by)).collect();
    assert_eq!(files, [(&*all, "PIP_CONSTRAINT"), (&*more, &*all)]);
    assert_eq!(inputs.found.iter().map(|found| &found.path).collect::<Vec<_>>(), [&wheel]);
}

#[test]
fn a_renewed_token_is_no_change_and_no_secret_is_kept() {
    let of = |token: &str| digest(format!("index-url = https://u:{token}@h/simple\n").as_bytes());
    assert_eq!(of("one"), of("two"));
    assert_ne!(of("one"), digest(b"index-url = https://u:one@other/simple\n"));
}

#[test]
fn a_file_that_a_build_reads_is_known_but_no_program() {
    let machine = Machine::new();
    let toolchain = machine.write("arm.cmake", "set(CMAKE_C_FLAGS -O2)\n");
    let program = machine.write("bin/pg_config", "#!/bin/sh\n");
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    for installer in Installer::ALL {
        let variables = [
            ("CMAKE_TOOLCHAIN_FILE", toolchain.as_str()),
            ("PG_CONFIG", &program),
            ("HDF5_DIR", "/nowhere"),
            ("SECRET_FILE", &toolchain),
        ];
        let mut files = machine.files(installer, &variables);
        files.retain(|(_, by)| by != "uv's configuration");
        assert_eq!(files, [(toolchain.clone(), "CMAKE_TOOLCHAIN_FILE".to_owned())]);
    }
}

#[test]
fn what_a_file_on_the_machine_requires_from_a_place_that_can_change_is_known() {
    let machine = Machine::new();
    let archive = machine.write("b-1-py3-none-any.whl", "");
    let commit = "0".repeat(40);
    let lines = format!(
        "a\nb @ file://{archive}\n-e ./lib\nc @ git+https://me:secret@host/c.git@main\n\
         d @ git+https://host/d.git@{commit}\n"
    );
    let file = machine.write("all.txt", &lines);
    let inputs = machine.inputs(Installer::Pip, &[("PIP_REQUIREMENT", &file)]);
    let files: Vec<_> = inputs.files.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(files, [file.as_str(), &archive]);
    let texts: Vec<_> = inputs.mutable_references.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["-e ./lib", "c @ git+https://****@host/c.git@main"]);
}
