//! The commands: what they take, and what they print.

/// Prints a line for the person who called a command; see [`console::say`].
#[clippy::format_args]
macro_rules! say {
    ($($line:tt)*) => { $crate::console::say(format!($($line)*) + "\n") };
}

mod cancel;
mod completions;
mod config;
mod delete;
mod diff;
mod doctor;
mod env;
mod follow;
mod freeze;
mod gc;
mod init;
mod install;
mod list;
mod log;
mod man;
mod plan;
mod post_receive;
mod proc_receive;
mod redeploy;
mod rollback;
mod script;
mod shell;
mod show;
mod status;
mod step;
mod r#try;
mod unfreeze;
mod wait;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::console;
use crate::console::mask;
use crate::console::text::clean;
use crate::disk::space;
use crate::plan::describe;
use crate::site::Site;
use crate::user_error::UserError;

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
    Init(init::Init),
    /// Put the hook into a bare repository that is already there
    Install(install::Install),
    /// List the deployments, newest first
    List(list::List),
    /// Show what is live, and what was deployed last
    Status(status::Status),
    /// Show all that is known of a deployment
    Show(show::Show),
    /// Print the log of a deployment
    Log(log::Log),
    /// Show what changed between two deployments: commits, requirements, Python
    Diff(diff::Diff),
    /// Show what deploying a revision would do, and change nothing
    Plan(plan::Plan),
    /// Deploy again, without a push
    Redeploy(redeploy::Redeploy),
    /// Wait until a deployment has ended; exit with 0, 1 or 2: it is live, it is not, there is none
    Wait(wait::Wait),
    /// Make an earlier release live again, with its env, without building
    Rollback(rollback::Rollback),
    /// Delete records of deployments, with their logs and releases; never what is live
    Delete(delete::Delete),
    /// Remove what no kept release needs, and say what that frees
    Gc,
    /// Find what is wrong with a site, and how to put it right
    Doctor(doctor::Doctor),
    /// Stop a deployment that runs or waits
    Cancel(cancel::Cancel),
    /// Hold deployments back; pushes are received, and told why
    Freeze(freeze::Freeze),
    /// Let deployments go on, with the newest push that was held back
    Unfreeze(unfreeze::Unfreeze),
    /// The application's settings: environment variables of its builds
    #[command(subcommand)]
    Config(config::Config),
    /// The virtual environment of what is live
    #[command(subcommand)]
    Env(env::Env),
    /// One built-in step, for the deployment command of a project
    #[command(subcommand)]
    Step(step::Step),
    /// Write a deployment script to be changed: deploy.sh and .deployment
    Script(script::Script),
    /// Deploy this work tree as it is, on this machine, into ./artifacts
    Try(r#try::Try),
    /// What a forced command of ssh runs: lets a key push to some sites, and look at them
    Shell(shell::Shell),
    /// Print the completions of a shell
    Completions(completions::Completions),
    /// Print the manual page, or write those of all commands into a folder
    Man(man::Man),
    /// What the hook runs: reads `OLD NEW REF` lines
    #[command(hide = true)]
    PostReceive(post_receive::PostReceive),
    /// What the hook of a strict site runs: speaks git's proc-receive protocol
    #[command(hide = true)]
    ProcReceive(proc_receive::ProcReceive),
    /// What the hook starts: carries one deployment out
    #[command(hide = true)]
    Worker(worker::Worker),
}

/// Parses the command line, carries it out, and says how it went: 0 fine, 1 failed, 2 wrong usage.
///
/// A reader who has gone changes nothing of that: what was asked for was done, or not, and a script
/// that runs `nyala redeploy | head -1` with `pipefail` asks for just this.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = run(&cli).unwrap_or_else(|error| {
        say_error(&user_error(&cli, &error).to_string());
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
        status::Status::default().run(&site)?;
        return Ok(ExitCode::SUCCESS);
    }
    console::print(rustix::stdio::stderr(), &format!("{}\n", Cli::command().render_help()));
    Ok(ExitCode::from(2))
}

/// The error of a command, with what is known of the disk. One that nobody has foreseen says how to
/// look into it.
fn user_error(cli: &Cli, error: &anyhow::Error) -> UserError {
    let told = cli.site.as_ref().map(|site| space::explain(error, site)).unwrap_or_default();
    let told = describe::user_error(error).and(told);
    if !told.fixes.is_empty() || describe::is_explained(error) {
        return told;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let again = shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_default();
    told.fix(format!("To see what was done: NYALA_LOG=debug nyala {again}"))
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
    // These write elsewhere than a person's command does.
    if !matches!(command, Command::Worker(_) | Command::Step(_) | Command::Shell(_)) {
        console::init_command();
    }
    match command {
        Command::Init(init) => init.run()?,
        Command::Install(install) => install.run(cli.site.as_deref())?,
        Command::List(list) => list.run(&site()?)?,
        Command::Status(status) => status.run(&site()?)?,
        Command::Show(show) => show.run(&site()?)?,
        Command::Diff(diff) => diff.run(&site()?)?,
        Command::Delete(delete) => delete.run(&site()?)?,
        Command::Gc => gc::run(&site()?)?,
        Command::Log(log) => log.run(&site()?)?,
        Command::Plan(plan) => plan.run(&site()?)?,
        Command::Freeze(freeze) => freeze.run(&site()?)?,
        Command::Config(config) => config.run(&site()?)?,
        Command::Env(env) => env.run(&site()?)?,
        Command::Script(script) => script.run()?,
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Man(man) => man.run(Cli::command())?,
        Command::PostReceive(hook) => hook.run(&site()?)?,
        Command::ProcReceive(hook) => hook.run(&site()?)?,
        Command::Worker(worker) => worker.run(&site()?)?,
        Command::Redeploy(redeploy) => return redeploy.run(&site()?),
        Command::Wait(wait) => return wait.run(&site()?),
        Command::Rollback(rollback) => return rollback.run(&site()?),
        Command::Doctor(doctor) => return doctor.run(&site()?),
        Command::Cancel(cancel) => return cancel.run(&site()?),
        Command::Unfreeze(unfreeze) => return unfreeze.run(&site()?),
        Command::Step(step) => return step.run(&site()?),
        Command::Shell(shell) => return shell.run(),
        Command::Try(here) => return here.run(),
    }
    Ok(ExitCode::SUCCESS)
}
