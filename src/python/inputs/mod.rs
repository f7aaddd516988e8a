//! What an installer reads beside what the project declares: its configuration files, and the files
//! and folders that its settings name (`PIP_CONSTRAINT`, `UV_FIND_LINKS`, …).
//!
//! They decide what is installed as much as requirements.txt does, so the env's marker records
//! them: those in the commit as if requirements.txt named them, those on the machine by a digest.
//! What an index serves is not an input: a new release there is no reason to rebuild.

mod disk;
mod names;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use anyhow::Result;

use super::dependencies::requirements_txt::{self, SettingFile, SettingFileRole};
use super::dependencies::{Declared, Found, Input, MutableReference, Resolved, Tree, resolve};
use super::installers::Installer;
use crate::process::{Environment, is_executable};
use disk::digest;
use names::{Kind, Named};

/// All inputs of one deployment.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Those in the commit that are read like requirements.txt.
    pub setting_files: Vec<SettingFile>,
    files: Vec<Input>,
    found: Vec<Found>,
    mutable_references: Vec<MutableReference>,
}

impl Inputs {
    /// The inputs of an installer that is run in a release of `tree` below the folder `releases`.
    pub fn of(
        installer: Installer,
        environment: &Environment,
        tree: &impl Tree,
        releases: &Path,
    ) -> Result<Inputs> {
        // A relative path is one in the release, which does not exist yet; the commit has it.
        let read = |path: &Path| -> io::Result<Vec<u8>> {
            if path.is_absolute() {
                return disk::read(path);
            }
            match resolve(tree, &path.to_string_lossy()) {
                Ok(Resolved::File { id, .. }) => tree.read(&id).map_err(io::Error::other),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        };
        let mut inputs = Inputs::default();
        for named in names::of(installer, environment, &read, releases) {
            inputs.add(named, tree, &read)?;
        }
        inputs.files.sort();
        inputs.files.dedup();
        Ok(inputs)
    }

    /// Adds the inputs to what a project declares, and the folders on the machine that it names.
    pub fn add_to(self, declared: &mut Declared) {
        let recorded = &mut declared.recorded;
        recorded.inputs = self.files;
        recorded.mutable_references.extend(self.mutable_references);
        recorded.found.extend(self.found);
        for folder in &declared.find_links {
            recorded.found.extend(disk::offered(Path::new(folder)));
        }
        recorded.found.sort();
        recorded.found.dedup();
    }

    fn add(
        &mut self,
        named: Named,
        tree: &impl Tree,
        read: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<()> {
        let Named { kind, path, by } = named;
        if kind == Kind::Editable {
            self.add_mutable_reference(
                &path,
                by,
                "is used where it is",
                "name it in requirements.txt instead",
            );
            return Ok(());
        }
        if kind == Kind::ToolUv {
            let bytes = read(Path::new(&path)).unwrap_or_default();
            if let Some(table) = names::tool_uv(&bytes) {
                let digest = digest(table.to_string().as_bytes());
                self.files.push(Input { path, by, digest });
            }
            return Ok(());
        }
        let Some(local) = requirements_txt::local_path(&path) else {
            if kind != Kind::FindLinks {
                self.add_mutable_reference(
                    &path,
                    by,
                    "names a file on the network that can change",
                    "commit a copy of the file and name that instead",
                );
            }
            return Ok(());
        };
        if local.starts_with('/') {
            self.on_disk(kind, &local, &by);
            return Ok(());
        }
        match (kind, resolve(tree, &local)?) {
            (Kind::Configuration | Kind::Other, _) => {
                if let Ok(bytes) = read(Path::new(&local)) {
                    self.files.push(Input { path: local, by, digest: digest(&bytes) });
                }
            }
            (_, Resolved::Missing | Resolved::Outside { .. } | Resolved::Loop) => self
                .add_mutable_reference(
                    &local,
                    by,
                    "is not in the commit, where changes can be seen",
                    "commit it, or name it by its absolute path",
                ),
            (kind, _) => {
                let role = match kind {
                    Kind::Requirements => SettingFileRole::Requirements,
                    Kind::FindLinks => SettingFileRole::FindLinks,
                    _ => SettingFileRole::Constraints,
                };
                self.setting_files.push(SettingFile { path: local, role, by });
            }
        }
        Ok(())
    }

    fn on_disk(&mut self, kind: Kind, path: &str, by: &str) {
        let path = Path::new(path);
        match kind {
            Kind::FindLinks => self.found.extend(disk::offered(path)),
            Kind::Requirements | Kind::Constraints => {
                let Inputs { files, found, mutable_references, .. } = self;
                disk::requirements(path, by, files, found, mutable_references);
            }
            // A program is no text that somebody changes, and is replaced with each upgrade.
            Kind::OfBuilds if is_executable(path) => {}
            Kind::Configuration | Kind::ToolUv | Kind::Other | Kind::OfBuilds | Kind::Editable => {
                self.files.extend(disk::input(path, by));
            }
        }
    }

    fn add_mutable_reference(&mut self, path: &str, by: String, why: &str, fix: &str) {
        self.mutable_references.push(MutableReference {
            file: by,
            number: 0,
            text: requirements_txt::without_secrets(path),
            why: why.to_owned(),
            fix: fix.to_owned(),
        });
    }
}
