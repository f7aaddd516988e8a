//! The commands: what they take, and what they print.

/// Prints a line for the person who called a command; see [`console::say`].
#[clippy::format_args]
macro_rules! say {
    ($($line:tt)*) => { $crate::console::say(format!($($line)*) + "\n") };
}

mod completions;
mod config;
mod control;

mod diff;
mod doctor;
mod history;
mod rollback;
mod script;
mod setup;
mod shell;
mod show;
mod step;
mod table;
mod tidy;
mod wait;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::console;
use crate::console::mask;
use crate::console::text::clean;
use crate::disk::space;
use crate::plan::describe;
use crate::site::{DeploymentId, Site};
use crate::{receive, worker};

/// Deploys a Python site when somebody runs `git push`.
#[derive(Debug, Parser)]
#[command(name = "nyala", version, max_term_width = 100)]
pub struct Cli {
    /// The site's folder; without it, the site the working directory is in
    #[arg(long, global = true, env = "NYALA_SITE", value_name = "SITE")]
    site: Option<PathBuf>,
    /// Without one: the status of the site the working directory is in
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a site, with a bare repository to push to
    Init(setup::Init),
    /// Put the hook into a bare repository that is already there
    Install(setup::Install),
    /// List the deployments, newest first
    List(history::Json),
    /// Show what is live, and what was deployed last
    Status(history::Json),
    /// Show all that is known of a deployment
    Show(show::Show),
    /// Print the log of a deployment
    Log(history::Log),
    /// Show what changed between two deployments: commits, requirements, Python
    Diff(diff::Diff),
    /// Show what deploying a revision would do, and change nothing
    Plan(history::PlanOf),
    /// Deploy again, without a push
    Redeploy(history::Redeploy),
    /// Wait until a deployment has ended; exit with 0, 1 or 2: it is live, it is not, there is none
    Wait(wait::Wait),
    /// Make an earlier release live again, with its env, without building
    Rollback(rollback::Rollback),
    /// Delete records of deployments, with their logs and releases; never what is live
    Delete(tidy::Delete),
    /// Remove what no kept release needs, and say what that frees
    Gc,
    /// Find what is wrong with a site, and how to put it right
    Doctor(doctor::Doctor),
    /// Stop a deployment that runs or waits
    Cancel(control::Cancel),
    /// Hold deployments back; pushes are received, and told why
    Freeze(control::Freeze),
    /// Let deployments go on, with the newest push that was held back
    Unfreeze(control::Unfreeze),
    /// The application's settings: environment variables of its builds
    #[command(subcommand)]
    Config(config::Config),
    /// The virtual environment of what is live
    #[command(subcommand)]
    Env(step::Env),
    /// One built-in step, for the deployment command of a project
    #[command(subcommand)]
    Step(step::Step),
    /// Write a deployment script to be changed: deploy.sh and .deployment
    Script(script::Script),
    /// Deploy this work tree as it is, on this machine, into ./artifacts
    Try(script::Try),
    /// What a forced command of ssh runs: lets a key push to some sites, and look at them
    Shell(shell::Shell),
    /// Print the completions of a shell
    Completions(completions::Completions),
    /// Print the manual page, or write those of all commands into a folder
    Man(completions::Man),
    /// What the hook runs: reads `OLD NEW REF` lines
    #[command(hide = true)]
    PostReceive {
        /// The folder the hook's file is in
        #[arg(long, default_value = "hooks")]
        hooks: PathBuf,
    },
    /// What the hook of a strict site runs: speaks git's proc-receive protocol
    #[command(hide = true)]
    ProcReceive {
        /// The folder the hook's file is in
        #[arg(long, default_value = "hooks")]
        hooks: PathBuf,
    },
    /// What the hook starts: carries one deployment out
    #[command(hide = true)]
    Worker {
        #[arg(long)]
        deployment: DeploymentId,
    },
}

/// Parses the command line, carries it out, and says how it went: 0 fine, 1 failed, 2 wrong usage.
///
/// A reader who has gone changes nothing of that: what was asked for was done, or not, and a script
/// that runs `nyala redeploy | head -1` with `pipefail` asks for just this.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = run(&cli).unwrap_or_else(|error| {
        let text = describe::error_text(&error);
        let found = cli.site.as_ref().map(|site| space::explain(&error, site)).unwrap_or_default();
        say_error(&if found.is_empty() {
            with_next_command(text)
        } else {
            format!("{text}\n{found}")
        });
        ExitCode::FAILURE
    });
    match console::unsaid() {
        Some(why) => {
            say_error(&format!("not all could be written to standard output: {why}"));
            ExitCode::FAILURE
        }
        None => code,
    }
}

/// Prints an error of one or more lines to standard error.
fn say_error(text: &str) {
    let text = text.lines().map(clean).collect::<Vec<_>>().join("\n");
    // In a hook whose client is gone nobody empties the pipe any more, and a plain write would
    // block for ever.
    console::print(rustix::stdio::stderr(), &mask::known().apply(&format!("error: {text}\n")));
}

/// `nyala` alone: what is live in the site one is in; elsewhere, what there is to call.
fn status_or_help(site: &impl Fn() -> Result<Site>) -> Result<ExitCode> {
    if let Ok(site) = site() {
        console::init_command();
        history::status(&site, &history::Json::default())?;
        return Ok(ExitCode::SUCCESS);
    }
    console::print(rustix::stdio::stderr(), &format!("{}\n", Cli::command().render_help()));
    Ok(ExitCode::from(2))
}

/// An error that names no command to go on with gets one that shows more.
fn with_next_command(text: String) -> String {
    if ["nyala ", "git ", "--site"].iter().any(|command| text.contains(command)) {
        return text;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let again = shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_default();
    format!("{text}\nTo see what was done: NYALA_LOG=debug nyala {again}")
}

/// The log that the worker was started with as its standard output.
fn own_output() -> Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

/// Who types this, as far as can be known: for people to read, and for nothing else.
fn person() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"];
    let name =
        named.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let name = name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    name.escape_debug().to_string()
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let site = || {
        let site = Site::find(cli.site.as_deref())?;
        // Broken settings are said by whoever needs them; here they only mean that there is nothing
        // to mask.
        let secrets = site.app_settings().unwrap_or_default();
        mask::know(secrets.iter().map(|(_, value)| value));
        Ok::<_, anyhow::Error>(site)
    };
    let Some(command) = &cli.command else {
        return status_or_help(&site);
    };
    match command {
        Command::Worker { deployment } => {
            let site = site()?;
            let log = console::init_worker();
            log.write_to(own_output()?);
            worker::run(&site, *deployment)?;
        }
        Command::Step(step) => return step.run(&site()?),
        Command::Shell(shell) => return shell.run(),
        command => {
            console::init_command();
            match command {
                Command::Init(init) => init.run()?,
                Command::Install(install) => install.run(cli.site.as_deref())?,
                Command::List(list) => history::list(&site()?, list)?,
                Command::Status(status) => history::status(&site()?, status)?,
                Command::Show(show) => show.run(&site()?)?,
                Command::Diff(diff) => diff.run(&site()?)?,
                Command::Delete(delete) => delete.run(&site()?)?,
                Command::Gc => tidy::gc(&site()?)?,
                Command::Log(log) => log.run(&site()?)?,
                Command::Plan(plan) => plan.run(&site()?)?,
                Command::Redeploy(redeploy) => return redeploy.run(&site()?),
                Command::Wait(wait) => return wait.run(&site()?),
                Command::Rollback(rollback) => return rollback.run(&site()?),
                Command::Doctor(doctor) => return doctor.run(&site()?),
                Command::Cancel(cancel) => return cancel.run(&site()?),
                Command::Freeze(freeze) => freeze.run(&site()?)?,
                Command::Unfreeze(unfreeze) => return unfreeze.run(&site()?),
                Command::Config(config) => config.run(&site()?)?,
                Command::Env(env) => env.run(&site()?)?,
                Command::Script(script) => script.run()?,
                Command::Try(here) => return here.run(),
                Command::Completions(completions) => completions.run(Cli::command()),
                Command::Man(man) => man.run(Cli::command())?,
                Command::PostReceive { hooks } => {
                    receive::post_receive(&site()?, hooks)?;
                }
                Command::ProcReceive { hooks } => receive::proc_receive(&site()?, hooks)?,
                Command::Worker { .. } | Command::Step(_) | Command::Shell(_) => {
                    unreachable!("they are above")
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
