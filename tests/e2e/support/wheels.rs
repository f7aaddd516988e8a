//! The wheels that the tests install: built once, pure Python, for every version from 2.7 on.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

struct Wheel {
    name: &'static str,
    version: &'static str,
    requires: &'static [&'static str],
}

const WHEELS: &[Wheel] = &[
    wheel("antelope", "1.0", &["grass>=1.0"]),
    wheel("antelope", "1.1", &["grass>=1.0"]),
    wheel("antelope", "2.0", &["grass>=1.0"]),
    wheel("grass", "1.0", &[]),
    wheel("acacia", "1.0", &[]),
    wheel("oryx", "1.0", &["grass>=1.0"]),
    wheel("oryx", "2.0", &[]),
    wheel("oryx", "2.1rc1", &[]),
    wheel("mirage", "1.0", &["there-is-no-such-package"]),
];

const fn wheel(
    name: &'static str,
    version: &'static str,
    requires: &'static [&'static str],
) -> Wheel {
    Wheel { name, version, requires }
}

/// The folder with all wheels, for `--find-links`.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build)
}

/// Several test processes start at once, so the folder is renamed into place when it is complete.
fn build() -> PathBuf {
    let wheels: Vec<_> = WHEELS.iter().map(|it| (it.file_name(), it.bytes())).collect();
    let mut hasher = DefaultHasher::new();
    wheels.hash(&mut hasher);
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = parent.join(format!("wheels-{:016x}", hasher.finish()));
    if !folder.exists() {
        let new = tempfile::tempdir_in(parent).unwrap().keep();
        for (name, bytes) in &wheels {
            fs::write(new.join(name), bytes).unwrap();
        }
        if fs::rename(&new, &folder).is_err() {
            // Another test was faster.
            fs::remove_dir_all(&new).unwrap();
        }
    }
    assert!(folder.is_dir());
    folder
}

impl Wheel {
    fn file_name(&self) -> String {
        format!("{}-{}-py2.py3-none-any.whl", self.name, self.version)
    }

    fn bytes(&self) -> Vec<u8> {
        let requires = self.requires.iter().map(|it| format!("Requires-Dist: {it}\n"));
        bytes(self.name, self.version, &requires.collect::<String>())
    }
}

/// Writes a wheel for any Python into a folder; `metadata` are further lines of its METADATA.
pub(crate) fn write_wheel(folder: &Path, name: &str, version: &str, metadata: &str) {
    let file = folder.join(format!("{name}-{version}-py2.py3-none-any.whl"));
    fs::write(file, bytes(name, version, metadata)).unwrap();
}

/// Writes a wheel for any Python into a folder, with this text as its module.
pub(crate) fn write_wheel_of(folder: &Path, name: &str, version: &str, module: &str) {
    let file = folder.join(format!("{name}-{version}-py2.py3-none-any.whl"));
    fs::write(file, bytes_of(name, version, "", module)).unwrap();
}

fn bytes(name: &str, version: &str, metadata: &str) -> Vec<u8> {
    let module = format!(
        "VERSION = '{version}'\n\n\ndef main():\n    import sys\n\
         \x20   print('{name} {version} in ' + sys.prefix)\n"
    );
    bytes_of(name, version, metadata, &module)
}

fn bytes_of(name: &str, version: &str, metadata: &str, module: &str) -> Vec<u8> {
    let info = format!("{name}-{version}.dist-info");
    let mut files = vec![
        (format!("{name}/__init__.py"), module.to_owned()),
        (
            format!("{info}/METADATA"),
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"),
        ),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: nyala\nRoot-Is-Purelib: true\nTag: py2-none-any\n\
             Tag: py3-none-any\n"
                .into(),
        ),
        (format!("{info}/entry_points.txt"), format!("[console_scripts]\n{name} = {name}:main\n")),
    ];
    let mut record: Vec<_> = files.iter().map(|(path, _)| format!("{path},,\n")).collect();
    record.push(format!("{info}/RECORD,,\n"));
    files.push((format!("{info}/RECORD"), record.concat()));

    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (path, content) in files {
        zip.start_file(path, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Writes a wheel of this uv into a folder, as the index has it for this machine.
pub(crate) fn write_uv_wheel(folder: &Path, uv: &Path) {
    let said = Command::new(uv).arg("--version").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let version = said.split_whitespace().nth(1).expect("uv says its version");
    let info = format!("uv-{version}.dist-info");
    let wheel =
        b"Wheel-Version: 1.0\nGenerator: nyala\nRoot-Is-Purelib: false\nTag: py3-none-any\n";
    let files = [
        (format!("uv-{version}.data/scripts/uv"), fs::read(uv).unwrap()),
        (
            format!("{info}/METADATA"),
            format!("Metadata-Version: 2.1\nName: uv\nVersion: {version}\n").into_bytes(),
        ),
        (format!("{info}/WHEEL"), wheel.to_vec()),
        (format!("{info}/RECORD"), Vec::new()),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (path, content) in files {
        zip.start_file(path, options).unwrap();
        zip.write_all(&content).unwrap();
    }
    let file = folder.join(format!("uv-{version}-py3-none-any.whl"));
    fs::write(file, zip.finish().unwrap().into_inner()).unwrap();
}
