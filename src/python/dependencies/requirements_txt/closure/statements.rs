//! What each kind of line adds to the closure.

use super::super::super::record::{Found, Line, Local, LocalKind, MutableReference, Role};
use super::super::super::tree::{
    Entry, Resolved, Tree, beside, in_release, leads_above, normalized_path, resolve,
};
use super::super::error::ClosureError;
use super::super::options::{Setting, Statement};
use super::super::requirement_source::{RequirementSource, included_path, local_path, why_mutable};
use super::super::spec::Spec;
use super::{Named, Reader, Reading};
use crate::python::dependencies::build_inputs::{BuildInputs, Finds, build_inputs};

impl<T: Tree, S: Fn(&str) -> Option<String>> Reader<'_, T, S> {
    pub(super) fn include(
        &mut self,
        reading: &Reading<'_>,
        path: &str,
        visible: Option<String>,
        constraint: bool,
    ) -> Result<(), ClosureError> {
        let role = if constraint { Role::Constraint } else { Role::Requirement };
        let Some(local) = included_path(path) else {
            return self.out_of_sight(reading, role);
        };
        // A `file:` URL is not joined to the file that names it; pip opens it from the folder it
        // runs in.
        let is_url = local != path;
        let join = |from: &str, path: &str| {
            if is_url { path.to_owned() } else { beside(from, path) }
        };
        let named = Named {
            path: join(&reading.file.path, &local),
            shown: visible.and_then(|path| included_path(&path)).map_or_else(
                || reading.text.clone(),
                |path| normalized_path(&join(&reading.file.shown, &path)),
            ),
        };
        if path.contains("${") {
            // Of a setting that is not set here; pip may know of one.
            return Err(ClosureError::Missing {
                path: named.shown,
                at: Some(reading.mention().into()),
            });
        }
        self.file(&named, role, Some(reading.mention()))
    }

    /// A `-r` or `-c` that names a file on the network: its lines are not known, the one that names
    /// it is.
    fn out_of_sight(&mut self, reading: &Reading<'_>, role: Role) -> Result<(), ClosureError> {
        let why = "names a file on the network that can change";
        self.add_mutable_reference(reading, why, "commit a copy of the file and name that instead");
        self.push(Line { role, ..reading.line(reading.text.clone(), reading.text.clone()) })
    }

    pub(super) fn requirement(
        &mut self,
        reading: &Reading<'_>,
        editable: bool,
        meant: &Spec,
        hashes: &[String],
        visible: Statement,
    ) -> Result<(), ClosureError> {
        let mut line = reading.line(reading.text.clone(), reading.text.clone());
        line.editable = editable;
        if let Statement::Requirement { editable, spec, hashes, options } = visible {
            let spec = Spec::parse(&spec, editable);
            line.key = spec.key;
            line.extras = spec.extras;
            line.version = spec.version;
            line.source = spec.source.text().map(str::to_owned);
            line.hashes = hashes.into_iter().collect();
            line.options = options;
        }
        match &meant.source {
            RequirementSource::Index => {}
            RequirementSource::Url(url) => {
                if let Some((why, fix)) = why_mutable(url, hashes) {
                    self.add_mutable_reference(reading, why, fix);
                }
            }
            RequirementSource::Path(path) => {
                self.local(reading, path, editable, line.source.as_deref())?;
            }
        }
        self.push(line)
    }

    fn local(
        &mut self,
        reading: &Reading<'_>,
        path: &str,
        editable: bool,
        visible: Option<&str>,
    ) -> Result<(), ClosureError> {
        let shown = visible.map_or_else(|| reading.text.clone(), normalized_path);
        let folder = if editable { LocalKind::Editable } else { LocalKind::Folder };
        let (kind, inputs) = match resolve(self.tree, path)? {
            Resolved::File { id, path } => {
                self.leads_above |= leads_above(&path);
                (LocalKind::File, BuildInputs { id, whole_tree: None, leaves: None })
            }
            Resolved::Folder { id, path } => {
                self.leads_above |= leads_above(&path);
                (folder, build_inputs(self.tree, &path, &id, Finds::Installer)?)
            }
            Resolved::Submodule { id } => {
                (folder, build_inputs(self.tree, path, &id, Finds::Installer)?)
            }
            Resolved::Missing => {
                return Err(ClosureError::Missing {
                    path: shown,
                    at: Some(reading.mention().into()),
                });
            }
            Resolved::Loop => {
                return Err(ClosureError::LinkLoop {
                    path: shown,
                    at: Some(reading.mention().into()),
                });
            }
            Resolved::Outside { .. } => {
                self.add_mutable_reference(
                    reading,
                    "is outside the commit, where changes cannot be seen",
                    "move it into the repository or install it from an index",
                );
                return Ok(());
            }
        };
        let BuildInputs { id, whole_tree, leaves } = inputs;
        if let Some(link) = leaves {
            let why = format!("contains {link}, a link that leads out of the commit");
            self.add_mutable_reference(reading, &why, "commit what it leads to, and link to that");
        }
        self.recorded.local.push(Local { path: shown, kind, id, whole_tree });
        Ok(())
    }

    pub(super) fn option(
        &mut self,
        reading: &Reading<'_>,
        visible: &Setting,
    ) -> Result<(), ClosureError> {
        let text = visible.to_string();
        // Of the others there may be several, and each is a line of its own.
        let key = match visible.name.as_str() {
            name @ "--index-url" => name.to_owned(),
            _ => text.clone(),
        };
        self.push(Line {
            role: Role::Option,
            source: visible.value.clone(),
            ..reading.line(key, text)
        })
    }

    /// What a folder of the commit offers. One on the machine is only noted, and one on the network
    /// is like an index: new files in it are nobody's change.
    pub(super) fn find_links(
        &mut self,
        reading: &Reading<'_>,
        option: &Setting,
    ) -> Result<(), ClosureError> {
        let ("--find-links", Some(place)) = (option.name.as_str(), &option.value) else {
            return Ok(());
        };
        let Some(path) = local_path(place) else {
            return Ok(());
        };
        if path.starts_with('/') && in_release(&path).is_none() {
            self.find_links.insert(path);
            return Ok(());
        }
        // pip looks beside the file that names it first, then in the folder it runs in.
        self.links(&[beside(&reading.file.path, &path), path])
    }

    /// What the first of these paths that is in the commit offers.
    pub(super) fn links(&mut self, paths: &[String]) -> Result<(), ClosureError> {
        for path in paths {
            match resolve(self.tree, path)? {
                Resolved::File { id, path } => {
                    self.leads_above |= leads_above(&path);
                    self.recorded.found.push(Found { path, id });
                    return Ok(());
                }
                Resolved::Folder { path, .. } => {
                    self.leads_above |= leads_above(&path);
                    return self.offered(path);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn offered(&mut self, folder: String) -> Result<(), ClosureError> {
        if self.offered.contains(&folder) {
            return Ok(());
        }
        for (name, entry) in self.tree.list(&folder)? {
            let path = normalized_path(&format!("./{folder}/{name}"));
            let id = match entry {
                Entry::File { id } => id,
                Entry::Link { id } => match resolve(self.tree, &path)? {
                    Resolved::File { id, .. } => id,
                    _ => id,
                },
                Entry::Folder { .. } | Entry::Submodule { .. } | Entry::Missing => continue,
            };
            self.recorded.found.push(Found { path, id });
        }
        self.offered.insert(folder);
        Ok(())
    }

    fn add_mutable_reference(&mut self, reading: &Reading<'_>, why: &str, fix: &str) {
        self.recorded.mutable_references.push(MutableReference {
            file: reading.location.file.clone(),
            number: reading.location.line,
            text: reading.text.clone(),
            why: why.to_owned(),
            fix: fix.to_owned(),
        });
    }
}
