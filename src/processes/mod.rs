//! What an application runs: its processes, and which commands start them.

mod django;
mod error;
mod port;
mod procfile;
mod program;
mod recognized;

use std::collections::BTreeMap;

use anyhow::Result;

use crate::git::CommitTree;
use crate::site::AppSettings;
use crate::site::record::ProcessesRecord;
use crate::site::settings::{Run, is_command_line};
use crate::user_error::UserError;

pub use django::{DJANGO_SETTINGS, django_settings_in};
pub use port::how_to_listen;
pub use program::{in_place_of_shell, program};

use recognized::Recognized;

/// The process that answers requests.
pub const WEB: &str = "web";

/// The command that runs once in each deployment, before the new release is started.
pub const RELEASE: &str = "release";

/// What every process gets, unless an app setting says something else. Told to end, uWSGI starts
/// itself anew: <https://uwsgi-docs.readthedocs.io/en/latest/Options.html#die-on-term>.
pub const DEFAULTS: [(&str, &str); 1] = [("UWSGI_DIE_ON_TERM", "true")];

/// What says how many workers a process is to have, unless an app setting does.
pub const CONCURRENCY: &str = "WEB_CONCURRENCY";

const PROCFILE: &str = "Procfile";

/// Azure's name for the command that starts the application, as an app setting.
const STARTUP_COMMAND: &str = "STARTUP_COMMAND";

/// Azure's names for it in the tree: a text that is the command, and a script.
const STARTUP_TXT: &str = "startup.txt";
const STARTUP_SH: &str = "startup.sh";

/// The largest file that is read for this, in bytes.
const LARGEST: usize = 1 << 20;

/// What became of the search for processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Processes(ProcessesRecord),
    /// Nothing is to be run, for this reason.
    None(String),
}

/// What is known of a release, beside its tree.
pub struct Release<'a> {
    pub run: &'a Run,
    pub app_settings: &'a AppSettings,
    /// Where manage.py is, if it is a Django project; empty for the top.
    pub manage_folder: Option<&'a str>,
    /// Whether the env of the release has a program.
    pub has_program: &'a dyn Fn(&str) -> bool,
}

/// The processes of a release, from the first of these that names any: `[run.processes]`, the
/// Procfile, Azure's startup command, what the project is recognized as. Fails on a Procfile that
/// cannot be meant.
pub fn find(tree: &CommitTree<'_>, release: &Release<'_>) -> Result<Found> {
    if !release.run.processes.is_empty() {
        let commands = release.run.processes.clone();
        return Ok(processes("[run.processes] of nyala.toml", commands));
    }
    if let Some(bytes) = tree.file(PROCFILE, LARGEST)? {
        return Ok(processes("the Procfile", procfile::parse(&bytes)?));
    }
    if let Some(command) = startup_command(tree, release.app_settings)? {
        let (origin, command) = command;
        return Ok(processes(origin, BTreeMap::from([(WEB.to_owned(), command)])));
    }
    Ok(match recognized::recognize(tree, release)? {
        Recognized::Runs { what, command } => {
            processes(&what, BTreeMap::from([(WEB.to_owned(), command)]))
        }
        Recognized::NoServer { what, server } => Found::None(format!(
            "the environment has no server for {what}; add {server} to the requirements, or write \
             a Procfile"
        )),
        Recognized::Nothing => Found::None(
            "no Procfile, and no Django, Flask or FastAPI application was found; to run one, write \
             a Procfile such as \"web: gunicorn app:app\""
                .to_owned(),
        ),
    })
}

fn processes(origin: &str, commands: BTreeMap<String, String>) -> Found {
    Found::Processes(ProcessesRecord { origin: origin.to_owned(), commands })
}

/// As Azure App Service has it, see "Customize startup command" in
/// <https://learn.microsoft.com/azure/app-service/configure-language-python>.
fn startup_command(
    tree: &CommitTree<'_>,
    app_settings: &AppSettings,
) -> Result<Option<(&'static str, String)>> {
    if let Some(command) = app_settings.get(STARTUP_COMMAND).filter(|it| !it.trim().is_empty()) {
        let origin = "the app setting STARTUP_COMMAND";
        check(command, origin)?;
        return Ok(Some((origin, command.to_owned())));
    }
    let text = tree.file(STARTUP_TXT, LARGEST)?.unwrap_or_default();
    if let Some(command) = startup_text(&String::from_utf8_lossy(&text))? {
        return Ok(Some((STARTUP_TXT, command)));
    }
    let script = tree.file(STARTUP_SH, LARGEST)?;
    Ok(script.map(|_| (STARTUP_SH, format!("bash {STARTUP_SH}"))))
}

/// The command that startup.txt is: as it is, since a shell reads its lines; `None` for nothing.
fn startup_text(text: &str) -> Result<Option<String>, UserError> {
    check(text, STARTUP_TXT)?;
    let text = text.trim_start_matches('\u{feff}').trim();
    Ok((!text.is_empty()).then(|| text.lines().collect::<Vec<_>>().join("\n")))
}

/// Fails on a command that no shell can be given, or that comes from a file that is no plain text.
fn check(command: &str, origin: &str) -> Result<(), UserError> {
    match command.lines().zip(1..).find(|(line, _)| !is_command_line(line)) {
        Some((line, number)) => Err(error::control_character(number, line, origin)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_startup_txt_stay_lines() {
        let text = |text| startup_text(text).unwrap().unwrap_or_default();
        assert_eq!(text("\u{feff}gunicorn app:app\r\n"), "gunicorn app:app");
        let two = "# start\r\ngunicorn \\\r\n  app:app\r\n";
        assert_eq!(text(two), "# start\ngunicorn \\\n  app:app");
        assert_eq!(text(" \n"), "");
        insta::assert_snapshot!(startup_text("# start\ngunicorn\0 app").unwrap_err(), @r"
        a command has a control character
        found: gunicorn\0 app (line 2 of startup.txt)
        Remove it, or write it anew as plain text in UTF-8
        ");
    }
}
