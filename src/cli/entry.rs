//! The way in: parses the command line, and tells of what went wrong.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use super::{Cli, PushCli, error, help, run, status};
use crate::console;
use crate::console::mask;
use crate::control::Control;
use crate::disk::space;
use crate::site::Site;
use crate::text::clean;
use crate::user_error::UserError;

/// Parses and runs the command line. The exit code is 0 on success, 1 on failure, and 2 on a usage
/// error.
///
/// It does not depend on whether the output was read to the end: a script that runs
/// `nyala redeploy | head -1` with `pipefail` needs to know whether the deployment succeeded.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let mut cli = PushCli::try_parse_from(&words)
        .map_or_else(|_| help::parse(words).unwrap_or_else(|error| error.exit()), Cli::from);
    // Not left to clap, for which a variable that is set to nothing names something.
    let named = || std::env::var_os("NYALA_SITE").filter(|site| !site.is_empty());
    cli.site = cli.site.or_else(|| named().map(PathBuf::from));
    let code = run(&cli).unwrap_or_else(|error| {
        let error = user_error(&cli, &error);
        say_error(&error);
        if std::env::args_os().any(|argument| argument == "--json") {
            say_error_as_json(error.clone());
        }
        if error.is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
    });
    match console::write_error() {
        Some(why) => {
            say_error(&error::cannot_print(&why.to_string()));
            ExitCode::FAILURE
        }
        None => code,
    }
}

/// Prints an error to standard error.
pub(super) fn say_error(error: &UserError) {
    complain(&format!("error: {error}"));
}

/// Prints to standard error what is no error, and what a program that reads standard output must
/// not get.
pub(super) fn say_warning(warning: &str) {
    complain(&format!("warning: {warning}"));
}

/// Of a site that does not tell, nothing is known: the others are shown all the same.
pub(super) fn or_warn<T>(site: &Site, told: Result<Option<T>>) -> Option<T> {
    told.unwrap_or_else(|error| {
        say_warning(&format!("{}: {}", site.root().display(), UserError::of(&error)));
        None
    })
}

fn complain(text: &str) {
    let text = text.lines().map(clean).collect::<Vec<_>>().join("\n") + "\n";
    // After the client of a hook is gone, nobody reads the pipe, and a plain write would block
    // forever.
    console::print(rustix::stdio::stderr(), &mask::known().apply(&text));
}

/// Whoever asked for JSON reads standard output, and gets the parts of the error there.
fn say_error_as_json(mut error: UserError) {
    let known = mask::known();
    error.texts_mut().for_each(|text| *text = known.apply(text).into_owned());
    say!("{:#}", serde_json::json!({ "error": error }));
}

/// `nyala` without a command: the status of the site around the working directory, else the help.
pub(super) fn status_or_help(site: &impl Fn() -> Result<Site>) -> Result<ExitCode> {
    if let Ok(site) = site() {
        console::init_command();
        status::Status::default().run(&site)?;
        return Ok(ExitCode::SUCCESS);
    }
    console::print(rustix::stdio::stderr(), &format!("{}\n", help::command().render_help()));
    Ok(ExitCode::from(2))
}

/// The error of a command, with what is known of the disk. An unexpected error says how to find out
/// more.
fn user_error(cli: &Cli, error: &anyhow::Error) -> UserError {
    let told = cli.site.as_ref().map(|site| space::explain(error, site)).unwrap_or_default();
    let told = UserError::of(error).and(told);
    if !told.fixes.is_empty() || UserError::explains(error) {
        return told;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let again = shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_default();
    told.fix(format!("For details, run: NYALA_LOG=debug nyala {again}"))
}

/// The `nyala serve` of a site. Fails when none serves it.
pub(super) fn serve_of(site: &Site) -> Result<Control> {
    Ok(Control::connect(site)?.ok_or_else(|| error::not_served(site.root()))?)
}

/// The site that a hook names, which runs when the branch `has_moved`, or before that. When it is
/// not there, somebody has moved it, or removed it.
pub(super) fn hook_site(
    cli: &Cli,
    site: &impl Fn() -> Result<Site>,
    has_moved: bool,
) -> Result<Site> {
    if let Some(named) = cli.site.as_ref().filter(|named| !Site::is_at(named)) {
        // git runs a hook in its repository.
        let repository = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("REPOSITORY"));
        let error = error::site_is_gone(named, &repository, has_moved);
        say_error(&error.with_next_step(has_moved));
        bail!(error::nothing_deployed());
    }
    site().map_err(|why| {
        say_error(&user_error(cli, &why));
        // The last line of a push says that nothing has changed.
        error::nothing_deployed().into()
    })
}
