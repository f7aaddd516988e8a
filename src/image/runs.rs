//! Whether what was put together runs: its libraries are there, and the programs of its commands.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::base::Base;
use super::check::Problem;
use super::config::USUAL_PATH;
use super::contents::Contents;
use super::layer::cannot_read;
use super::make::{LIBRARY_PATH, SHELL};
use super::own::OwnLayer;
use super::rules::{PYTHON_LIB, Places};
use super::secrets::Secrets;
use super::source::Source;
use super::{c_library, check, command, error, libraries, listen, loader, reach, verdict};
use crate::console;
use crate::elf;
use crate::processes::{self, WEB};
use crate::site::Site;

/// Fails when something would not run; gives what is in the image. `library_folders` are those that
/// the site has in `LD_LIBRARY_PATH`.
pub(super) fn check(
    source: &Source,
    base: &Base,
    below: &Contents,
    places: &Places,
    layers: &[OwnLayer<'_>],
    library_folders: &[PathBuf],
) -> Result<Contents> {
    let mut all = below.clone();
    for layer in layers {
        all.put_over(&layer.written.contents);
    }
    let Some((folder, python)) = &source.env else { return Ok(all) };
    let program = &python.executable;
    let reading = || cannot_read(program);
    let program = File::open(program).with_context(reading)?;
    let machine = elf::read(&program).with_context(reading)?.map_or(0, |it| it.machine);
    let own: Vec<_> = layers.iter().map(|layer| &layer.written.contents).collect();
    let is_here = |lacks: &_, object: &_| libraries::is_here(lacks, object, library_folders);
    let of_base = base.variable(LIBRARY_PATH).unwrap_or_default();
    let of_base = of_base.split(':').filter(|folder| folder.starts_with('/')).map(str::to_owned);
    let own_library = [format!("/{PYTHON_LIB}")].into_iter();
    let configured = loader::folders(below);
    let folders: Vec<_> = own_library.chain(of_base).chain(configured.searched).collect();
    let mut problems = check::problems(&own, &all, machine, &folders, &is_here);
    let interpreter = places.env.as_ref().map(|env| env.interpreter.as_str());
    if let Some(interpreter) = interpreter.filter(|it| below.resolve(it).is_some()) {
        problems.extend(check::problems_of(interpreter, &all, &folders));
    }
    let is_unseen = |problem: &Problem| problem.lacks.is_in(&all, &configured.unknown);
    if problems.iter().any(is_unseen) {
        console::warning(error::ldconfig_has_not_run(base.name.as_deref()));
    }
    if let Some(base_name) = &base.name
        && let Some(mismatch) = c_library::mismatch(&problems, below)
    {
        bail!(error::other_c_library(base_name, &python.name, &mismatch));
    }
    let env = places.env.as_ref().map(|env| (folder.as_path(), env.to.as_str()));
    verdict::verdict(problems, base.name.as_deref(), env)?;
    if let Some(interpreter) = interpreter {
        let lacking = check::problems_of_modules(interpreter, &all, machine, &folders);
        let lines = lacking.iter().map(|(module, problem)| verdict::line(problem, Some(module)));
        if !lacking.is_empty() {
            console::warning(error::modules_do_not_load(base.name.as_deref(), lines.collect()));
        }
    }
    Ok(all)
}

/// What a container runs if nobody says: the command of web.
pub(super) fn web_command(
    site: &Site,
    source: &Source,
    secrets: &Secrets,
    all: &Contents,
) -> Result<Option<Vec<String>>> {
    let command = match &source.command {
        Ok(command) => command,
        Err(why) => {
            console::warning(format_args!("the image has no command: {why}"));
            return Ok(None);
        }
    };
    if let Some(found) = secrets.find(command.as_bytes()) {
        bail!(error::secret_in_command(&found.name));
    }
    let changed = listen::reachable(command);
    if let Some(changed) = &changed {
        console::info(format_args!("In the image, web listens for other machines: {changed}"));
    }
    if listen::names_loopback(changed.as_deref().unwrap_or(command)) {
        console::warning(error::loopback(command));
    }
    let only_here = if changed.is_none() { reach::only_here(site, source.id) } else { Vec::new() };
    if !only_here.is_empty() {
        console::warning(error::only_here(command, &only_here.join(", ")));
    }
    command::in_container(command, true, all.resolve(SHELL).is_some()).map(Some)
}

/// Where the programs of the commands are looked for.
pub(super) struct Programs<'p> {
    pub(super) release: &'p Path,
    pub(super) places: &'p Places,
    /// What is in the image.
    pub(super) all: &'p Contents,
    /// The folders of `PATH` in the image.
    pub(super) folders: Vec<String>,
}

/// The folders that `PATH` has in the image.
pub(super) fn program_folders(base: &Base, places: &Places) -> Vec<String> {
    let path = base.variable("PATH").unwrap_or_else(|| USUAL_PATH.to_owned());
    let env = places.env.as_ref().map(|env| format!("{}/bin", env.to));
    env.into_iter().chain(path.split(':').map(str::to_owned)).collect()
}

impl Programs<'_> {
    /// Fails when a program is not in the image that a command begins with. What is no command of
    /// the image itself only fails if all of them are to run.
    pub(super) fn check(&self, commands: &BTreeMap<String, String>, all_run: bool) -> Result<()> {
        for (process, command) in commands {
            let Some(missing) = processes::program(command).and_then(|it| self.missing(&it)) else {
                continue;
            };
            let error = error::no_program(process, command, &missing);
            if all_run || process == WEB {
                bail!(error);
            }
            console::warning(error);
        }
        Ok(())
    }

    /// What is not there of what a program needs to start: itself, or what its `#!` names.
    fn missing(&self, program: &str) -> Option<String> {
        if !program.contains('/') {
            return (!self.has(program)).then(|| program.to_owned());
        }
        if program.starts_with('/') {
            return (!self.has_file(program)).then(|| program.to_owned());
        }
        // The release is not looked at as closely as what is in folders of programs.
        let file = self.release.join(program);
        if program.contains("..") || !file.is_file() {
            return None;
        }
        let (interpreter, argument) = interpreter(&file)?;
        // A script of the env names the env as it is on this machine.
        let moved = self.places.inside(Path::new(&interpreter));
        let interpreter = moved.map_or(interpreter, |path| path.to_string_lossy().into_owned());
        if !self.has_file(&interpreter) {
            return Some(interpreter);
        }
        let is_env = interpreter.rsplit('/').next() == Some("env");
        argument.filter(|it| is_env && !it.contains(['-', '=', '/']) && !self.has(it))
    }

    fn has(&self, program: &str) -> bool {
        self.folders
            .iter()
            .any(|folder| self.has_file(&format!("{}/{program}", folder.trim_end_matches('/'))))
    }

    fn has_file(&self, path: &str) -> bool {
        // Of other folders, not every file is known.
        let is_known = path.rsplit('/').nth(1).is_some_and(|it| ["bin", "sbin"].contains(&it));
        !is_known || self.all.has(path)
    }
}

/// What the first line of a script names, with its argument.
fn interpreter(file: &Path) -> Option<(String, Option<String>)> {
    let mut start = Vec::new();
    File::open(file).ok()?.take(256).read_to_end(&mut start).ok()?;
    let start = String::from_utf8_lossy(start.strip_prefix(b"#!")?).into_owned();
    let mut words = start.lines().next()?.split_whitespace().map(str::to_owned);
    Some((words.next()?, words.next()))
}

#[cfg(test)]
mod tests {
    use super::super::rules::Env;
    use super::*;

    #[test]
    fn the_program_of_a_command_and_what_runs_it_have_to_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let release = folder.path();
        let (folder, to) = (release.join("envs/1"), "/srv/env".to_owned());
        std::fs::create_dir(release.join("bin")).unwrap();
        for (file, text) in [
            ("run", "#!/bin/sh\n".to_owned()),
            ("bash", "#! /bin/bash -e\n".to_owned()),
            ("env", "#!/usr/bin/env python\n".to_owned()),
            ("env-ruby", "#!/usr/bin/env ruby\n".to_owned()),
            ("env-s", "#!/usr/bin/env -S ruby -w\n".to_owned()),
            ("of-env", format!("#!{}/bin/python\n", folder.display())),
            ("binary", "\x7fELF".to_owned()),
        ] {
            std::fs::write(release.join("bin").join(file), text).unwrap();
        }
        let env = Env { folder, to, interpreter: "/usr/bin/python3".to_owned() };
        let shared = release.join("shared");
        let places = Places { release: release.to_owned(), env: Some(env), shared };
        let mut all = Contents::default();
        all.add_link("bin", "usr/bin");
        for program in ["usr/bin/sh", "usr/bin/env", "srv/env/bin/python", "srv/env/bin/gunicorn"] {
            all.add_file(program, None);
        }
        let folders = ["/srv/env/bin", "/bin"].map(str::to_owned).to_vec();
        let programs = Programs { release, places: &places, all: &all, folders };
        for there in [
            "gunicorn",
            "sh",
            "/bin/sh",
            "bin/run",
            "./bin/env",
            "bin/env-s",
            "bin/of-env",
            "bin/binary",
            "../other",
            "/opt/tool",
        ] {
            assert_eq!(programs.missing(there), None, "{there}");
        }
        for (program, missing) in [
            ("bash", "bash"),
            ("/usr/bin/bash", "/usr/bin/bash"),
            ("bin/bash", "/bin/bash"),
            ("bin/env-ruby", "ruby"),
        ] {
            assert_eq!(programs.missing(program).as_deref(), Some(missing), "{program}");
        }
        let commands = |process: &str| BTreeMap::from([(process.to_owned(), "bash a".to_owned())]);
        assert!(programs.check(&commands("web"), false).is_err());
        assert!(programs.check(&commands("worker"), false).is_ok());
        assert!(programs.check(&commands("worker"), true).is_err());
    }
}
